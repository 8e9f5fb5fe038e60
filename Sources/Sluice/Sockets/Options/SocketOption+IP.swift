// SPDX-License-Identifier: Apache-2.0
//
// The options of IPv4. An IPv6 socket has them as well, for what it does by IPv4.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

// MARK: - Addresses and ports

extension SocketOption where Value == Bool {
    /// Leaves the port open when a socket is bound to an address alone; connect(2) chooses it then,
    /// so that more connections have room.
    ///
    /// Initially off. For IPv6 as well. Linux 4.2. Source: `IP_BIND_ADDRESS_NO_PORT`, ip(7).
    public static var bindWithoutPort: Self { Self(SOL_IP, IP_BIND_ADDRESS_NO_PORT, .flag) }

    /// Lets the socket be bound to an address that the machine does not have, or not yet.
    ///
    /// Initially off. Source: `IP_FREEBIND`, ip(7).
    public static var ipv4FreeBind: Self { Self(SOL_IP, IP_FREEBIND, .flag) }

    /// Lets the socket be bound to foreign addresses and take what is meant for them, as a
    /// transparent proxy does.
    ///
    /// Initially off. Setting it needs `CAP_NET_ADMIN` or `CAP_NET_RAW`, else `.notPermitted`.
    /// Source: `IP_TRANSPARENT`, ip(7).
    public static var ipv4Transparent: Self { Self(SOL_IP, IP_TRANSPARENT, .flag) }
}

extension SocketOption where Value == ClosedRange<UInt16>? {
    /// From which ports the kernel chooses one for the socket; `nil` for those of the machine.
    ///
    /// What lies outside of `/proc/sys/net/ipv4/ip_local_port_range` has no effect. 0 at its begin
    /// stands for no limit there. Initially `nil`. For IPv6 as well. Linux 6.3. Source:
    /// `IP_LOCAL_PORT_RANGE`, ip(7).
    public static var localPortRange: Self {
        Self(SOL_IP, csystem_ip_local_port_range, .portRange)
    }
}

extension SocketOptionForm where Value == ClosedRange<UInt16>? {
    /// An `unsigned int`: the first port in the lower half, the last in the upper, 0 for no limit.
    static var portRange: Self {
        Self(byteCount: MemoryLayout<UInt32>.size) { answer in
            answer.number(UInt32.self).map { number in
                if number == 0 { return nil }
                let first = UInt16(truncatingIfNeeded: number)
                let last = UInt16(truncatingIfNeeded: number >> 16)
                return first...(last == 0 ? .max : max(first, last))
            }
        } write: { value, call throws(ErrorCode) in
            let (first, last) = value.map { ($0.lowerBound, $0.upperBound) } ?? (0, 0)
            try give(UInt32(last) << 16 | UInt32(first), to: call)
        }
    }
}

// MARK: - What is sent

extension SocketOption where Value == Int {
    /// How many routers a packet may pass, plus 1: its time to live.
    ///
    /// 1 to 255; -1 for the machine's own. Initially as in `/proc/sys/net/ipv4/ip_default_ttl`, 64.
    /// Source: `IP_TTL`, ip(7).
    public static var ipv4HopLimit: Self { Self(SOL_IP, IP_TTL, .number) }

    /// The smallest hop limit that a packet may come with; others are dropped.
    ///
    /// 0 to 255: 255 takes neighbours' packets only. Initially 0. For TCP. Source: `IP_MINTTL`,
    /// netinet/in.h; RFC 5082.
    public static var ipv4MinimumHopLimit: Self { Self(SOL_IP, IP_MINTTL, .number) }
}

extension SocketOption where Value == UInt32 {
    /// The index of the interface that packets leave by, whatever the routes say; 0 for any.
    ///
    /// Initially 0. Source: `IP_UNICAST_IF`, netinet/in.h.
    public static var ipv4UnicastInterface: Self {
        Self(SOL_IP, IP_UNICAST_IF, .numberInNetworkOrder)
    }
}

extension SocketOption where Value == TrafficClass {
    /// How routers are asked to treat the packets.
    ///
    /// Initially ``TrafficClass/standard``. Of TCP the kernel sets the mark of congestion itself.
    /// Source: `IP_TOS`, ip(7).
    public static var ipv4TrafficClass: Self { Self(SOL_IP, IP_TOS, .trafficClass) }
}

extension SocketOption where Value == PathMTUDiscovery {
    /// How packets are treated that are too long for a link on their way.
    ///
    /// Initially ``PathMTUDiscovery/byRoute``, unless `/proc/sys/net/ipv4/ip_no_pmtu_disc` is set.
    /// Source: `IP_MTU_DISCOVER`, ip(7).
    public static var ipv4PathMTUDiscovery: Self { Self(SOL_IP, IP_MTU_DISCOVER, .number) }
}

extension ReadOnlySocketOption where Value == Int {
    /// How many bytes a packet to the peer may have, as far as is known.
    ///
    /// Read-only. `.notConnected` where there is no peer. Source: `IP_MTU`, ip(7).
    public static var ipv4PathMTU: Self { Self(SOL_IP, IP_MTU, .number) }
}

extension SocketOption where Value == [UInt8] {
    /// The options in the header of each packet, laid out as RFC 791 has them.
    ///
    /// At most 40 bytes. Initially none. Source: `IP_OPTIONS`, ip(7).
    public static var ipv4Options: Self { Self(SOL_IP, IP_OPTIONS, .bytes(upTo: 40)) }
}

extension SocketOption where Value == Bool {
    /// What is sent begins with the header of IPv4, which the program has made.
    ///
    /// Initially off, but on for ``SocketProtocol/raw``. Raw sockets only. Source: `IP_HDRINCL`,
    /// ip(7), raw(7).
    public static var ipv4HeaderIncluded: Self { Self(SOL_IP, IP_HDRINCL, .flag) }

    /// Leaves fragments that are sent as they are, where the firewall would join them.
    ///
    /// Initially off. Raw sockets only. Source: `IP_NODEFRAG`, ip(7).
    public static var ipv4NoDefragmentation: Self { Self(SOL_IP, IP_NODEFRAG, .flag) }

    /// Gives the socket the packets with a router alert that the machine would forward.
    ///
    /// Initially off. Raw sockets only. Source: `IP_ROUTER_ALERT`, ip(7).
    public static var ipv4RouterAlert: Self { Self(SOL_IP, IP_ROUTER_ALERT, .flag) }
}

// MARK: - Groups

extension SocketOption where Value == Int {
    /// How many routers a packet to a group may pass, plus 1.
    ///
    /// 0 to 255; 0 stays on the machine, -1 stands for 1. Initially 1. Source: `IP_MULTICAST_TTL`,
    /// ip(7).
    public static var ipv4MulticastHopLimit: Self { Self(SOL_IP, IP_MULTICAST_TTL, .number) }
}

extension SocketOption where Value == Bool {
    /// Gives what is sent to a group to the members on this machine as well.
    ///
    /// Initially on. Source: `IP_MULTICAST_LOOP`, ip(7).
    public static var ipv4MulticastLoop: Self { Self(SOL_IP, IP_MULTICAST_LOOP, .flag) }

    /// Gives a socket that is bound to any address what comes for each group that somebody on this
    /// machine has joined.
    ///
    /// Initially on; off, it gets what it has joined itself. Source: `IP_MULTICAST_ALL`, ip(7).
    public static var ipv4MulticastAll: Self { Self(SOL_IP, IP_MULTICAST_ALL, .flag) }
}

extension SocketOption where Value == MulticastInterface {
    /// The interface by which packets to groups leave.
    ///
    /// Initially ``MulticastInterface/byRoute``. Source: `IP_MULTICAST_IF`, ip(7).
    public static var ipv4MulticastInterface: Self {
        Self(SOL_IP, IP_MULTICAST_IF, .multicastInterface)
    }
}

// MARK: - What is told of each datagram

extension SocketOption where Value == Bool {
    /// Tells with each datagram by which interface and for which address it came.
    ///
    /// Initially off. Ancillary data `IP_PKTINFO`. Source: `IP_PKTINFO`, ip(7).
    public static var ipv4ReceivesPacketInfo: Self { Self(SOL_IP, IP_PKTINFO, .flag) }

    /// Keeps the errors that the network reports in a queue of their own, with what they are about.
    ///
    /// Initially off. For TCP, an error that would be tried again ends the connection at once.
    /// Received with `MSG_ERRQUEUE`; ancillary data `IP_RECVERR`. Source: `IP_RECVERR`, ip(7).
    public static var ipv4ReceivesErrors: Self { Self(SOL_IP, IP_RECVERR, .flag) }

    /// Tells with each datagram the hop limit that it came with.
    ///
    /// Initially off. Ancillary data `IP_TTL`. Source: `IP_RECVTTL`, ip(7).
    public static var ipv4ReceivesHopLimit: Self { Self(SOL_IP, IP_RECVTTL, .flag) }

    /// Tells with each datagram the traffic class that it came with.
    ///
    /// Initially off. Ancillary data `IP_TOS`. Source: `IP_RECVTOS`, ip(7).
    public static var ipv4ReceivesTrafficClass: Self { Self(SOL_IP, IP_RECVTOS, .flag) }

    /// Tells with each datagram the options of its header, filled in for this machine.
    ///
    /// Initially off. Ancillary data `IP_RECVOPTS`. Source: `IP_RECVOPTS`, ip(7).
    public static var ipv4ReceivesOptions: Self { Self(SOL_IP, IP_RECVOPTS, .flag) }

    /// Tells with each datagram the options of its header as they came.
    ///
    /// Initially off. Ancillary data `IP_RETOPTS`. Source: `IP_RETOPTS`, ip(7).
    public static var ipv4ReceivesRawOptions: Self { Self(SOL_IP, IP_RETOPTS, .flag) }

    /// Tells with each datagram the address that it was sent to, before a firewall changed it.
    ///
    /// Initially off. Ancillary data `IP_ORIGDSTADDR`. Source: `IP_RECVORIGDSTADDR`, ip(7).
    public static var ipv4ReceivesOriginalDestination: Self {
        Self(SOL_IP, IP_ORIGDSTADDR, .flag)
    }

    /// Tells with each datagram that came in fragments the length of the longest.
    ///
    /// Initially off. Not of stream sockets. Linux 4.9. Ancillary data `IP_RECVFRAGSIZE`. Source:
    /// `IP_RECVFRAGSIZE`, netinet/in.h.
    public static var ipv4ReceivesFragmentSize: Self { Self(SOL_IP, IP_RECVFRAGSIZE, .flag) }

    /// Tells with each datagram the sender's security context, where IPsec or NetLabel carries it.
    ///
    /// Initially off. Ancillary data `SCM_SECURITY`. Source: `IP_PASSSEC`, ip(7).
    public static var ipv4ReceivesSecurityContext: Self { Self(SOL_IP, IP_PASSSEC, .flag) }
}
