// SPDX-License-Identifier: Apache-2.0
//
// A client makes channels for its own reactor, so it can't be posted to another one.

import Sluice

func connectLater(_ client: Client, on handle: Reactor.Handle) throws {
    try handle.perform { _ in
        _ = try client.connect(to: .loopback(port: 1)) { _ in }  // expected-error {{capture of 'client' with non-Sendable type 'Client' in a '@Sendable' closure}}
    }
}
