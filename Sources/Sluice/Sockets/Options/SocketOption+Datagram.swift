// SPDX-License-Identifier: Apache-2.0
//
// The options of UDP and UDP-Lite: what is sent as one, and what the checksum covers.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

// MARK: - UDP

extension SocketOption where Value == Bool {
    /// Collects what is written into one datagram, which leaves when this is switched off.
    ///
    /// Initially off. Source: `UDP_CORK`, udp(7).
    public static var datagramCork: Self { Self(CInt(IPPROTO_UDP), csystem_udp_cork, .flag) }

    /// Lets datagrams of one sender and length come as one, which tells the length of each.
    ///
    /// Initially off. Linux 5.0. Ancillary data `UDP_GRO`. Source: `UDP_GRO`, udp(7).
    public static var joinsDatagrams: Self { Self(CInt(IPPROTO_UDP), csystem_udp_gro, .flag) }

    /// Sends datagrams of IPv4 without a checksum, which IPv4 allows.
    ///
    /// Initially off. Source: `SO_NO_CHECK`, asm-generic/socket.h; RFC 768.
    public static var ipv4NoSendChecksum: Self { Self(SOL_SOCKET, SO_NO_CHECK, .flag) }

    /// Sends datagrams of IPv6 without a checksum, which is for tunnels alone.
    ///
    /// Initially off. Linux 3.16. Source: `UDP_NO_CHECK6_TX`, linux/udp.h; RFC 6935.
    public static var ipv6NoSendChecksum: Self {
        Self(CInt(IPPROTO_UDP), csystem_udp_no_check6_send, .flag)
    }

    /// Takes datagrams of IPv6 without a checksum, which is for tunnels alone.
    ///
    /// Initially off. Linux 3.16. Source: `UDP_NO_CHECK6_RX`, linux/udp.h; RFC 6935.
    public static var ipv6NoReceiveChecksum: Self {
        Self(CInt(IPPROTO_UDP), csystem_udp_no_check6_receive, .flag)
    }
}

extension SocketOption where Value == Int {
    /// How many bytes of each write make up a datagram; the kernel cuts the write into that many.
    ///
    /// 0 to 65,535; 0 for one datagram a write. At most 64 datagrams a write. Initially 0. Linux
    /// 4.18. Source: `UDP_SEGMENT`, udp(7).
    public static var segmentByteCount: Self {
        Self(CInt(IPPROTO_UDP), csystem_udp_segment, .number)
    }
}

// MARK: - UDP-Lite

extension SocketOption where Value == Int {
    /// How many bytes of a datagram the checksum covers, with the header of 8.
    ///
    /// 0 to 65,535; 0 for all, 1 to 7 count as 8. Initially 0. Source: `UDPLITE_SEND_CSCOV`,
    /// udplite(7).
    public static var sendChecksumCoverage: Self {
        Self(CInt(IPPROTO_UDPLITE), csystem_udplite_send_coverage, .number)
    }

    /// How many bytes the checksum must cover: a datagram with less is dropped.
    ///
    /// 0 to 65,535; 0 for no such rule, 1 to 7 count as 8. Initially 0. Source:
    /// `UDPLITE_RECV_CSCOV`, udplite(7).
    public static var receiveChecksumCoverage: Self {
        Self(CInt(IPPROTO_UDPLITE), csystem_udplite_receive_coverage, .number)
    }
}
