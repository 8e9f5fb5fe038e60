// SPDX-License-Identifier: Apache-2.0
//
// Sockets to open: of every family, kind and protocol that a Linux has, or may have.

import Glibc
public import Sluice
public import Testing

/// What is asked for, and the protocol that the kernel tells of it.
public struct SocketRequest: Sendable, CustomTestStringConvertible {
    /// The family.
    public let family: AddressFamily
    /// The kind.
    public let kind: SocketKind
    /// The protocol that is asked for.
    public let asked: SocketProtocol
    /// The protocol that the socket has.
    public let told: SocketProtocol

    /// A family and kind, with the usual protocol or another one.
    public init(
        _ family: AddressFamily, _ kind: SocketKind, _ asked: SocketProtocol = .usual,
        is told: SocketProtocol
    ) {
        self.family = family
        self.kind = kind
        self.asked = asked
        self.told = told
    }

    /// The three, as the names of test cases.
    public var testDescription: String { "\(family) \(kind) \(asked)" }

    /// Whether this machine has it, for whoever runs the tests.
    public var isPossible: Bool {
        let flags = CInt(SOCK_CLOEXEC.rawValue)
        let number = socket(family.rawValue, kind.rawValue | flags, asked.rawValue)
        return number >= 0 && close(number) == 0
    }

    /// Opens a socket.
    public func open(isInheritable: Bool = false) throws(SocketError) -> Socket {
        try Socket(family: family, kind: kind, protocol: asked, isInheritable: isInheritable)
    }

    /// What every Linux has.
    public static let usual = [
        SocketRequest(.ipv4, .stream, is: .tcp), SocketRequest(.ipv4, .stream, .tcp, is: .tcp),
        SocketRequest(.ipv4, .datagram, is: .udp), SocketRequest(.ipv4, .datagram, .udp, is: .udp),
        SocketRequest(.unix, .stream, is: .usual), SocketRequest(.unix, .datagram, is: .usual),
        SocketRequest(.unix, .sequentialPacket, is: .usual),
        SocketRequest(.netlink, .raw, is: .usual),
    ]

    /// Of what a kernel may lack, or keep for the privileged, all that this machine has.
    public static let rare = [
        SocketRequest(.ipv6, .stream, is: .tcp), SocketRequest(.ipv6, .datagram, is: .udp),
        SocketRequest(.ipv4, .datagram, .udpLite, is: .udpLite),
        SocketRequest(.ipv6, .datagram, .udpLite, is: .udpLite),
        SocketRequest(.ipv4, .stream, .multipathTCP, is: .multipathTCP),
        SocketRequest(.ipv6, .stream, .multipathTCP, is: .multipathTCP),
        SocketRequest(.ipv4, .stream, .sctp, is: .sctp),
        SocketRequest(.vsock, .stream, is: .usual),
        SocketRequest(.ipv4, .datagram, .icmp, is: .icmp),
        SocketRequest(.ipv4, .raw, .icmp, is: .icmp),
        SocketRequest(.ipv6, .raw, .icmp6, is: .icmp6),
        SocketRequest(.packet, .datagram, is: .usual),
    ].filter(\.isPossible)
}
