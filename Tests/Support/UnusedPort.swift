// SPDX-License-Identifier: Apache-2.0
//
// A place where nobody listens, and where nobody comes to be by chance.

public import Sluice

extension SocketAddress {
    /// An address of the loopback interface where nobody listens.
    ///
    /// Its port is below those that the kernel gives to clients (32,768 and up, ip(7)): one of these
    /// might go to the very client that is to be refused, which would then connect to itself.
    public static func unused() throws -> SocketAddress {
        for _ in 0..<1_000 {
            let address = SocketAddress.loopback(port: .random(in: 10_000..<30_000))
            let socket = try Socket(for: address)
            do throws(SocketError) {
                try socket.bind(to: address)
                return address
            } catch {
                guard error.code == .addressInUse else { throw error }
            }
        }
        throw SocketError(.bind, .addressInUse)
    }
}
