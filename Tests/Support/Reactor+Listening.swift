// SPDX-License-Identifier: Apache-2.0
//
// Servers for tests that care who listens where, and not what is served.

public import Sluice

extension Reactor {
    /// A server that takes every client and does nothing with it.
    public func listen(
        at addresses: [SocketAddress] = [.loopback(port: 0)], options: ServerOptions = .init()
    ) throws -> Server {
        try Server(on: self, at: addresses, options: options) { _, _ in }
    }
}

extension Server {
    /// Its first address.
    public var address: SocketAddress { addresses.first ?? .unnamed }
}
