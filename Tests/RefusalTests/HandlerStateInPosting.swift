// SPDX-License-Identifier: Apache-2.0
//
// State without a lock can't be shared with a closure that another thread posts.

import Sluice

final class Counter {  // expected-note {{does not conform to the 'Sendable' protocol}}
    var count = 0
}

func count(_ counter: Counter, on handle: Reactor.Handle) throws {
    try handle.perform { _ in counter.count += 1 }  // expected-error {{capture of 'counter' with non-Sendable type 'Counter' in a '@Sendable' closure}}
}
