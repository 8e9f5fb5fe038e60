// SPDX-License-Identifier: Apache-2.0
//
// The kinds of ancillary data that programs meet, as values.

import CSystemCalls
import Glibc

/// By which interface a datagram came or goes, and the address of this machine that it was sent to
/// or is sent from.
public struct PacketInfo: Hashable, Sendable {
    /// The interface's index; 0 lets the kernel choose.
    public var interface: UInt32
    /// The address of this machine; the unspecified one lets the kernel choose.
    public var localAddress: IPAddress

    /// An interface and an address of this machine.
    public init(interface: UInt32, localAddress: IPAddress) {
        self.interface = interface
        self.localAddress = localAddress
    }
}

/// C's `struct in6_pktinfo`, which headers declare only for GNU programs: 16 bytes in the network's
/// order, and an integer.
private struct PacketInfo6 {
    let high: UInt64
    let low: UInt64
    let interface: UInt32
}

// MARK: - Sent

extension AncillaryItem {
    /// How many hops the datagram may take: 1 to 255; over IPv6 also 0, for this machine alone.
    ///
    /// Source: `IP_TTL`, ip(7); `IPV6_HOPLIMIT`, RFC 3542.
    public static func hopLimit(_ hops: UInt8, for family: AddressFamily) -> AncillaryItem {
        family == .ipv6
            ? AncillaryItem(level: CInt(IPPROTO_IPV6), type: IPV6_HOPLIMIT, value: CInt(hops))
            : AncillaryItem(level: CInt(IPPROTO_IP), type: IP_TTL, value: CInt(hops))
    }

    /// How routers are asked to treat the datagram.
    ///
    /// Source: `IP_TOS`, ip(7); `IPV6_TCLASS`, RFC 3542.
    public static func trafficClass(
        _ value: TrafficClass, for family: AddressFamily
    ) -> AncillaryItem {
        let number = CInt(value.rawValue)
        return family == .ipv6
            ? AncillaryItem(level: CInt(IPPROTO_IPV6), type: IPV6_TCLASS, value: number)
            : AncillaryItem(level: CInt(IPPROTO_IP), type: IP_TOS, value: number)
    }

    /// Which interface the datagram leaves by, and from which address.
    ///
    /// Source: `IP_PKTINFO`, ip(7); `IPV6_PKTINFO`, RFC 3542.
    public static func packetInfo(_ info: PacketInfo) -> AncillaryItem {
        switch info.localAddress {
        case .v4(let value):
            var form = in_pktinfo()
            form.ipi_ifindex = CInt(truncatingIfNeeded: info.interface)
            form.ipi_spec_dst.s_addr = value.bigEndian
            return AncillaryItem(level: CInt(IPPROTO_IP), type: IP_PKTINFO, value: form)
        case .v6(let high, let low, _):
            let form = PacketInfo6(
                high: high.bigEndian, low: low.bigEndian, interface: info.interface)
            return AncillaryItem(level: CInt(IPPROTO_IPV6), type: IPV6_PKTINFO, value: form)
        }
    }

    /// Who sends the message over a Unix socket: this process, or another one where it is privileged.
    ///
    /// Source: `SCM_CREDENTIALS`, unix(7).
    public static func credentials(_ credentials: PeerCredentials) -> AncillaryItem {
        AncillaryItem(
            level: SOL_SOCKET, type: csystem_credentials,
            value: (credentials.processID, credentials.userID, credentials.groupID))
    }

    /// The kernel cuts the message into datagrams of so many bytes.
    ///
    /// Source: `UDP_SEGMENT`, udp(7).
    public static func segmentByteCount(_ count: Int) -> AncillaryItem {
        AncillaryItem(
            level: CInt(IPPROTO_UDP), type: csystem_udp_segment, value: UInt16(clamping: count))
    }
}

// MARK: - Received

extension AncillaryItem {
    /// How many hops the datagram had left, where ``SocketOption/ipv4ReceivesHopLimit`` or
    /// ``SocketOption/ipv6ReceivesHopLimit`` asked for it.
    public var hopLimit: Int? {
        isOne(of: [(CInt(IPPROTO_IP), IP_TTL), (CInt(IPPROTO_IPV6), IPV6_HOPLIMIT)])
            ? value(CInt.self).map(Int.init) : nil
    }

    /// How routers were asked to treat the datagram, where that was asked for.
    public var trafficClass: TrafficClass? {
        // IPv4 tells it in one byte, IPv6 in an integer whose first byte it is.
        isOne(of: [(CInt(IPPROTO_IP), IP_TOS), (CInt(IPPROTO_IPV6), IPV6_TCLASS)])
            ? value(UInt8.self).map { TrafficClass(rawValue: $0) } : nil
    }

    /// By which interface a datagram came, and which address of this machine answers it, where that
    /// was asked for; to be sent back as it is.
    ///
    /// Of what was sent to a group over IPv6 the kernel does not say which address that is.
    ///
    /// Where it was sent to is ``packetDestination``.
    public var packetInfo: PacketInfo? {
        if isOne(of: [(CInt(IPPROTO_IP), IP_PKTINFO)]), let form = value(in_pktinfo.self) {
            return PacketInfo(
                interface: UInt32(truncatingIfNeeded: form.ipi_ifindex),
                localAddress: .v4(UInt32(bigEndian: form.ipi_spec_dst.s_addr)))
        }
        if isOne(of: [(CInt(IPPROTO_IPV6), IPV6_PKTINFO)]), let form = value(PacketInfo6.self) {
            let address = IPAddress.v6(
                high: UInt64(bigEndian: form.high), low: UInt64(bigEndian: form.low), scope: 0)
            return PacketInfo(
                interface: form.interface, localAddress: address.isMulticast ? .any6 : address)
        }
        return nil
    }

    /// Where a datagram was sent to, such as a multicast group, where ``packetInfo`` was asked for.
    public var packetDestination: IPAddress? {
        if isOne(of: [(CInt(IPPROTO_IP), IP_PKTINFO)]), let form = value(in_pktinfo.self) {
            return .v4(UInt32(bigEndian: form.ipi_addr.s_addr))
        }
        if isOne(of: [(CInt(IPPROTO_IPV6), IPV6_PKTINFO)]), let form = value(PacketInfo6.self) {
            return .v6(
                high: UInt64(bigEndian: form.high), low: UInt64(bigEndian: form.low), scope: 0)
        }
        return nil
    }

    /// Who has sent the message over a Unix socket, where ``SocketOption/receivesCredentials``
    /// asks for it; the kernel vouches for it.
    public var credentials: PeerCredentials? {
        guard isOne(of: [(SOL_SOCKET, csystem_credentials)]),
            let (process, user, group) = value((Int32, UInt32, UInt32).self)
        else { return nil }
        return PeerCredentials(processID: process, userID: user, groupID: group)
    }

    /// Of how many bytes the datagrams were that the kernel has joined.
    ///
    /// Source: `UDP_GRO`, udp(7).
    public var joinedByteCount: Int? {
        guard isOne(of: [(CInt(IPPROTO_UDP), csystem_udp_gro)]) else { return nil }
        return value(CInt.self).flatMap { $0 > 0 ? Int($0) : nil }
    }

    /// How many datagrams the socket had lost for want of room by then, where that was asked for.
    ///
    /// Source: `SO_RXQ_OVFL`, socket(7).
    public var lostCount: UInt32? {
        isOne(of: [(SOL_SOCKET, SO_RXQ_OVFL)]) ? value(UInt32.self) : nil
    }

    /// When the kernel received it, since 1970, where that was asked for.
    ///
    /// Source: `SO_TIMESTAMP`, `SO_TIMESTAMPNS`, socket(7).
    public var timestamp: Duration? {
        // C's `struct timespec`: seconds and nanoseconds.
        if isOne(of: [(SOL_SOCKET, SO_TIMESTAMPNS)]), let time = value((Int64, Int64).self) {
            return .seconds(time.0) + .nanoseconds(time.1)
        }
        // C's `struct timeval`: seconds and microseconds.
        if isOne(of: [(SOL_SOCKET, SO_TIMESTAMP)]), let time = value((Int64, Int64).self) {
            return .seconds(time.0) + .microseconds(time.1)
        }
        return nil
    }

    private func isOne(of kinds: [(CInt, CInt)]) -> Bool {
        kinds.contains { $0 == (level, type) }
    }
}
