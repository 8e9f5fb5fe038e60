// SPDX-License-Identifier: Apache-2.0
//
// A reactor stays on its thread: a closure for another thread can't capture it.

import Sluice

func start(_ body: @escaping @Sendable () -> Void) { body() }

func runElsewhere(_ reactor: Reactor) {
    start { reactor.run() }  // expected-error {{capture of 'reactor' with non-Sendable type 'Reactor' in a '@Sendable' closure}}
}
