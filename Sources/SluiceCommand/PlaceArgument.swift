// SPDX-License-Identifier: Apache-2.0
//
// Addresses on the command line whose port, or whose host, may be left out.

import ArgumentParser
import Sluice

/// A name server: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`.
struct NameServerArgument: ExpressibleByArgument, Hashable {
    let address: SocketAddress

    /// Where name servers listen.
    ///
    /// Source: RFC 1035, 4.2.
    static let port: UInt16 = 53

    init?(argument: String) {
        let isBracketed = argument.first == "[" && argument.last == "]"
        let host = isBracketed ? String(argument.dropFirst().dropLast()) : argument
        if let ip = IPAddress(host), ip.isIPv6 || !isBracketed {
            address = .ip(ip, port: Self.port)
        } else if let place = SocketAddress(argument), place.port != 0 {
            address = place
        } else {
            return nil
        }
    }
}

/// A place to listen: `7777`, `192.0.2.1:7777` or `[::1]:7777`; the port may be a service's name.
struct ListenArgument: ExpressibleByArgument, Hashable {
    /// The address; without one it is 127.0.0.1, as with `sluice serve`.
    let host: IPAddress
    /// The port; 0 lets the kernel choose.
    let port: PortArgument

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":") else {
            host = .loopback
            port = PortArgument(argument: argument)
            return
        }
        let text = argument[..<colon]
        let isBracketed = text.first == "[" && text.last == "]"
        let bare = isBracketed ? text.dropFirst().dropLast() : text
        guard let ip = IPAddress(String(bare)), ip.isIPv6 == isBracketed else { return nil }
        host = ip
        port = PortArgument(argument: String(argument[argument.index(after: colon)...]))
    }
}
