// SPDX-License-Identifier: Apache-2.0
//
// The options of IPv6.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

// MARK: - Addresses

extension SocketOption where Value == Bool {
    /// Keeps an IPv6 socket to IPv6 alone; off, a listener on `::` takes IPv4 clients too.
    ///
    /// Initially as in `/proc/sys/net/ipv6/bindv6only`. Source: `IPV6_V6ONLY`, ipv6(7).
    public static var ipv6Only: Self { Self(SOL_IPV6, IPV6_V6ONLY, .flag) }

    /// Lets the socket be bound to an address that the machine does not have, or not yet.
    ///
    /// Initially off. Linux 4.15. Source: `IPV6_FREEBIND`, netinet/in.h.
    public static var ipv6FreeBind: Self { Self(SOL_IPV6, IPV6_FREEBIND, .flag) }

    /// Lets the socket be bound to foreign addresses and take what is meant for them, as a
    /// transparent proxy does.
    ///
    /// Initially off. Setting it needs `CAP_NET_ADMIN` or `CAP_NET_RAW`, else `.notPermitted`.
    /// Source: `IPV6_TRANSPARENT`, netinet/in.h.
    public static var ipv6Transparent: Self { Self(SOL_IPV6, IPV6_TRANSPARENT, .flag) }
}

extension SocketOption where Value == AddressFamily {
    /// Makes an IPv6 socket that is connected to an IPv4 address one of IPv4; only
    /// ``AddressFamily/ipv4`` can be set.
    ///
    /// `.notConnected` where there is no peer. Source: `IPV6_ADDRFORM`, ipv6(7).
    public static var ipv6AddressForm: Self { Self(SOL_IPV6, IPV6_ADDRFORM, .number) }
}

// MARK: - What is sent

extension SocketOption where Value == Int {
    /// How many routers a packet may pass, plus 1.
    ///
    /// 0 to 255; -1 for the route's own. Initially as the route has it, 64. Source:
    /// `IPV6_UNICAST_HOPS`, ipv6(7).
    public static var ipv6HopLimit: Self { Self(SOL_IPV6, IPV6_UNICAST_HOPS, .number) }

    /// The smallest hop limit that a packet may come with; others are dropped.
    ///
    /// 0 to 255: 255 takes neighbours' packets only. Initially 0. For TCP. Source:
    /// `IPV6_MINHOPCOUNT`, netinet/in.h; RFC 5082.
    public static var ipv6MinimumHopLimit: Self { Self(SOL_IPV6, IPV6_MINHOPCOUNT, .number) }

    /// How many bytes a packet to the peer may have, as far as is known; set, the most it may have.
    ///
    /// 1,280 or more; 0 for no limit of the socket's own. Reading is `.notConnected` where there is
    /// no peer. Source: `IPV6_MTU`, ipv6(7).
    public static var ipv6PathMTU: Self { Self(SOL_IPV6, IPV6_MTU, .number) }

    /// Where in the packets of a raw socket the kernel writes and checks a checksum, in bytes; -1
    /// for nowhere.
    ///
    /// An even number. Initially -1; of ICMPv6 2, and it can't be set. Source: `IPV6_CHECKSUM`,
    /// RFC 3542, 3.1.
    public static var ipv6ChecksumOffset: Self { Self(SOL_IPV6, IPV6_CHECKSUM, .number) }
}

extension SocketOption where Value == UInt32 {
    /// The index of the interface that packets leave by, whatever the routes say; 0 for any.
    ///
    /// Initially 0. Source: `IPV6_UNICAST_IF`, netinet/in.h.
    public static var ipv6UnicastInterface: Self {
        Self(SOL_IPV6, IPV6_UNICAST_IF, .numberInNetworkOrder)
    }

    /// Which of the machine's addresses are preferred as the sender's, as bits.
    ///
    /// Initially as the machine has it. Source: `IPV6_ADDR_PREFERENCES`, linux/in6.h; RFC 5014.
    public static var ipv6AddressPreferences: Self {
        Self(SOL_IPV6, IPV6_ADDR_PREFERENCES, .number)
    }
}

extension SocketOption where Value == TrafficClass {
    /// How routers are asked to treat the packets.
    ///
    /// Initially ``TrafficClass/standard``. Of TCP the kernel sets the mark of congestion itself.
    /// Source: `IPV6_TCLASS`, RFC 3542, 6.5.
    public static var ipv6TrafficClass: Self { Self(SOL_IPV6, IPV6_TCLASS, .trafficClass) }
}

extension SocketOption where Value == PathMTUDiscovery {
    /// How packets are treated that are too long for a link on their way.
    ///
    /// Initially ``PathMTUDiscovery/byRoute``. Source: `IPV6_MTU_DISCOVER`, ipv6(7).
    public static var ipv6PathMTUDiscovery: Self { Self(SOL_IPV6, IPV6_MTU_DISCOVER, .number) }
}

extension SocketOption where Value == Bool {
    /// Does not cut datagrams: sending one that is too long is `.messageTooLong`.
    ///
    /// Initially off. Source: `IPV6_DONTFRAG`, RFC 3542, 11.2.
    public static var ipv6DontFragment: Self { Self(SOL_IPV6, IPV6_DONTFRAG, .flag) }

    /// Gives the packets of each connection a flow label, by which routers keep them on one way.
    ///
    /// Initially as in `/proc/sys/net/ipv6/auto_flowlabels`, on. Source: `IPV6_AUTOFLOWLABEL`,
    /// linux/in6.h; RFC 6438.
    public static var ipv6AutoFlowLabel: Self { Self(SOL_IPV6, IPV6_AUTOFLOWLABEL, .flag) }

    /// Sends the flow label that is part of the address connected to.
    ///
    /// Initially off. Source: `IPV6_FLOWINFO_SEND`, linux/in6.h.
    public static var ipv6SendFlowInfo: Self {
        Self(SOL_IPV6, csystem_ipv6_send_flow_info, .flag)
    }

    /// What is sent begins with the header of IPv6, which the program has made.
    ///
    /// Initially off, but on for ``SocketProtocol/raw``. Raw sockets only. Linux 4.5. Source:
    /// `IPV6_HDRINCL`, linux/in6.h.
    public static var ipv6HeaderIncluded: Self { Self(SOL_IPV6, IPV6_HDRINCL, .flag) }
}

// MARK: - Groups

extension SocketOption where Value == Int {
    /// How many routers a packet to a group may pass, plus 1.
    ///
    /// 0 to 255; -1 stands for 1. Initially 1. Source: `IPV6_MULTICAST_HOPS`, ipv6(7).
    public static var ipv6MulticastHopLimit: Self { Self(SOL_IPV6, IPV6_MULTICAST_HOPS, .number) }
}

extension SocketOption where Value == UInt32 {
    /// The index of the interface by which packets to groups leave; 0 for the one that the table of
    /// routes names.
    ///
    /// Initially 0. Not for stream sockets. Source: `IPV6_MULTICAST_IF`, ipv6(7).
    public static var ipv6MulticastInterface: Self { Self(SOL_IPV6, IPV6_MULTICAST_IF, .number) }
}

extension SocketOption where Value == Bool {
    /// Gives what is sent to a group to the members on this machine as well.
    ///
    /// Initially on. Source: `IPV6_MULTICAST_LOOP`, ipv6(7).
    public static var ipv6MulticastLoop: Self { Self(SOL_IPV6, IPV6_MULTICAST_LOOP, .flag) }

    /// Gives a socket that is bound to any address what comes for each group that somebody on this
    /// machine has joined.
    ///
    /// Initially on; off, it gets what it has joined itself. Linux 4.20. Source:
    /// `IPV6_MULTICAST_ALL`, linux/in6.h.
    public static var ipv6MulticastAll: Self { Self(SOL_IPV6, IPV6_MULTICAST_ALL, .flag) }
}

// MARK: - What is told of each datagram

extension SocketOption where Value == Bool {
    /// Tells with each datagram by which interface and for which address it came.
    ///
    /// Initially off. Ancillary data `IPV6_PKTINFO`. Source: `IPV6_RECVPKTINFO`, ipv6(7).
    public static var ipv6ReceivesPacketInfo: Self { Self(SOL_IPV6, IPV6_RECVPKTINFO, .flag) }

    /// Keeps the errors that the network reports in a queue of their own, with what they are about.
    ///
    /// Initially off. Received with `MSG_ERRQUEUE`; ancillary data `IPV6_RECVERR`. Source:
    /// `IPV6_RECVERR`, ipv6(7), and `IP_RECVERR`, ip(7).
    public static var ipv6ReceivesErrors: Self { Self(SOL_IPV6, IPV6_RECVERR, .flag) }

    /// Tells with each datagram the hop limit that it came with.
    ///
    /// Initially off. Ancillary data `IPV6_HOPLIMIT`. Source: `IPV6_RECVHOPLIMIT`, RFC 3542, 6.3.
    public static var ipv6ReceivesHopLimit: Self { Self(SOL_IPV6, IPV6_RECVHOPLIMIT, .flag) }

    /// Tells with each datagram the traffic class that it came with.
    ///
    /// Initially off. Ancillary data `IPV6_TCLASS`. Source: `IPV6_RECVTCLASS`, RFC 3542, 6.5.
    public static var ipv6ReceivesTrafficClass: Self { Self(SOL_IPV6, IPV6_RECVTCLASS, .flag) }

    /// Tells with each datagram the flow label that it came with.
    ///
    /// Initially off. Ancillary data `IPV6_FLOWINFO`. Source: `IPV6_FLOWINFO`, ipv6(7).
    public static var ipv6ReceivesFlowInfo: Self { Self(SOL_IPV6, csystem_ipv6_flow_info, .flag) }

    /// Tells with each datagram its header of hop-by-hop options.
    ///
    /// Initially off. Ancillary data `IPV6_HOPOPTS`. Source: `IPV6_RECVHOPOPTS`, RFC 3542, 8.
    public static var ipv6ReceivesHopOptions: Self { Self(SOL_IPV6, IPV6_RECVHOPOPTS, .flag) }

    /// Tells with each datagram its headers of destination options.
    ///
    /// Initially off. Ancillary data `IPV6_DSTOPTS`. Source: `IPV6_RECVDSTOPTS`, RFC 3542, 9.
    public static var ipv6ReceivesDestinationOptions: Self {
        Self(SOL_IPV6, IPV6_RECVDSTOPTS, .flag)
    }

    /// Tells with each datagram its routing header.
    ///
    /// Initially off. Ancillary data `IPV6_RTHDR`. Source: `IPV6_RECVRTHDR`, RFC 3542, 7.
    public static var ipv6ReceivesRoutingHeader: Self { Self(SOL_IPV6, IPV6_RECVRTHDR, .flag) }

    /// Tells when a datagram that was sent turned out too long for a link on its way.
    ///
    /// Initially off. Ancillary data `IPV6_PATHMTU`. Source: `IPV6_RECVPATHMTU`, RFC 3542, 11.3.
    public static var ipv6ReceivesPathMTU: Self { Self(SOL_IPV6, IPV6_RECVPATHMTU, .flag) }

    /// Tells with each datagram the address that it was sent to, before a firewall changed it.
    ///
    /// Initially off. Ancillary data `IPV6_ORIGDSTADDR`. Source: `IPV6_RECVORIGDSTADDR`,
    /// linux/in6.h.
    public static var ipv6ReceivesOriginalDestination: Self {
        Self(SOL_IPV6, IPV6_ORIGDSTADDR, .flag)
    }

    /// Tells with each datagram that came in fragments the length of the longest.
    ///
    /// Initially off. Linux 4.9. Ancillary data `IPV6_RECVFRAGSIZE`. Source: `IPV6_RECVFRAGSIZE`,
    /// linux/in6.h.
    public static var ipv6ReceivesFragmentSize: Self { Self(SOL_IPV6, IPV6_RECVFRAGSIZE, .flag) }
}

extension WriteOnlySocketOption where Value == Int {
    /// Which packets with a router alert, that the machine would forward, the socket gets: those
    /// with this value; -1 for none.
    ///
    /// Initially -1. Raw sockets of ``SocketProtocol/raw`` only; reading tells no more than whether
    /// there is one. Source: `IPV6_ROUTER_ALERT`, ipv6(7).
    public static var ipv6RouterAlert: Self { Self(SOL_IPV6, IPV6_ROUTER_ALERT, .number) }
}
