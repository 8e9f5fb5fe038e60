// SPDX-License-Identifier: Apache-2.0
//
// What a socket carries and by which protocol, as named constants.
// Only those that programs meet have names; every number can be held.

import CSystemCalls
import Glibc

/// What a socket carries: a stream, datagrams, packets.
///
/// Source: socket(2).
public struct SocketKind: RawRepresentable, Hashable, Sendable {
    /// The number, as in C, without the flags `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
    public let rawValue: CInt

    /// Wraps a number that C calls a socket's type; the flags that may stand in it are left out.
    public init(rawValue: CInt) {
        let flags = CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        self.rawValue = rawValue & ~flags
    }

    /// Bytes in order, none lost, between two ends (`SOCK_STREAM`).
    public static let stream = Self(rawValue: CInt(SOCK_STREAM.rawValue))
    /// Messages that may be lost or overtake each other (`SOCK_DGRAM`).
    public static let datagram = Self(rawValue: CInt(SOCK_DGRAM.rawValue))
    /// The packets of a protocol with their headers, for the privileged (`SOCK_RAW`).
    ///
    /// Source: raw(7).
    public static let raw = Self(rawValue: CInt(SOCK_RAW.rawValue))
    /// Messages that arrive, in any order (`SOCK_RDM`).
    public static let reliableDatagram = Self(rawValue: CInt(SOCK_RDM.rawValue))
    /// Messages in order, none lost, between two ends (`SOCK_SEQPACKET`).
    public static let sequentialPacket = Self(rawValue: CInt(SOCK_SEQPACKET.rawValue))
}

extension SocketKind: CustomStringConvertible {
    /// The name, such as `stream`, or `kind 10`.
    public var description: String {
        switch self {
        case .stream: "stream"
        case .datagram: "datagram"
        case .raw: "raw"
        case .reliableDatagram: "reliableDatagram"
        case .sequentialPacket: "sequentialPacket"
        default: "kind \(rawValue)"
        }
    }
}

/// The protocol of a socket.
///
/// Source: socket(2), protocols(5); by name with ``ProtocolName``.
public struct SocketProtocol: RawRepresentable, Hashable, Sendable {
    /// The number, as in C.
    public let rawValue: CInt

    /// Wraps a number that C calls a protocol.
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// The usual one of the family and kind (0); for a raw socket, that of IPv4 itself.
    public static let usual = Self(rawValue: 0)
    /// Control messages of IPv4 (`IPPROTO_ICMP`).
    ///
    /// Source: icmp(7).
    public static let icmp = Self(rawValue: CInt(IPPROTO_ICMP))
    /// Streams (`IPPROTO_TCP`).
    ///
    /// Source: tcp(7).
    public static let tcp = Self(rawValue: CInt(IPPROTO_TCP))
    /// Datagrams (`IPPROTO_UDP`).
    ///
    /// Source: udp(7).
    public static let udp = Self(rawValue: CInt(IPPROTO_UDP))
    /// Control messages of IPv6 (`IPPROTO_ICMPV6`).
    ///
    /// Source: RFC 4443.
    public static let icmp6 = Self(rawValue: CInt(IPPROTO_ICMPV6))
    /// Streams of messages over several paths (`IPPROTO_SCTP`).
    ///
    /// Source: sctp(7).
    public static let sctp = Self(rawValue: CInt(IPPROTO_SCTP))
    /// Datagrams whose checksum may cover a part (`IPPROTO_UDPLITE`).
    ///
    /// Source: udplite(7).
    public static let udpLite = Self(rawValue: CInt(IPPROTO_UDPLITE))
    /// Whole IP packets, headers included (`IPPROTO_RAW`).
    ///
    /// Source: raw(7).
    public static let raw = Self(rawValue: CInt(IPPROTO_RAW))
    /// TCP over several paths (`IPPROTO_MPTCP`).
    ///
    /// Source: RFC 8684.
    public static let multipathTCP = Self(rawValue: 262)
}

extension SocketProtocol: CustomStringConvertible {
    /// The name, such as `tcp`, or `protocol 99`.
    public var description: String {
        switch self {
        case .usual: "usual"
        case .icmp: "icmp"
        case .tcp: "tcp"
        case .udp: "udp"
        case .icmp6: "icmp6"
        case .sctp: "sctp"
        case .udpLite: "udpLite"
        case .raw: "raw"
        case .multipathTCP: "multipathTCP"
        default: "protocol \(rawValue)"
        }
    }
}
