// SPDX-License-Identifier: Apache-2.0
//
// Clients that connect from addresses of their own: all of 127.0.0.0/8 is this machine.

public import Sluice

extension IPAddress {
    /// 127.0, and then these two numbers.
    public static func local(_ network: UInt8, _ host: UInt8) -> IPAddress {
        .v4(0x7F00_0000 | UInt32(network) << 8 | UInt32(host))
    }
}

extension Socket {
    /// A bare socket that connects from one of this machine's addresses.
    public static func connecting(
        to address: SocketAddress, from source: IPAddress
    ) throws(SocketError) -> Socket {
        let socket = try Socket(for: address)
        try socket.bind(to: .ip(source, port: 0))
        _ = try socket.connect(to: address)
        return socket
    }
}
