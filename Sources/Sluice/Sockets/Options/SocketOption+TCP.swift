// SPDX-License-Identifier: Apache-2.0
//
// The options of TCP. What a listener has set passes to what it accepts, where not said otherwise.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

// MARK: - When data leaves

extension SocketOption where Value == Bool {
    /// Sends small segments at once instead of collecting them (Nagle's algorithm).
    ///
    /// Initially off in the kernel. A listener's setting passes to what it accepts. Source:
    /// `TCP_NODELAY`, tcp(7).
    public static var noDelay: Self { Self(SOL_TCP, TCP_NODELAY, .flag) }

    /// Sends no segment that is not full, for 200 ms at most; switching it off sends what is there.
    ///
    /// Initially off. Source: `TCP_CORK`, tcp(7).
    public static var cork: Self { Self(SOL_TCP, TCP_CORK, .flag) }

    /// Acknowledges at once what comes.
    ///
    /// Initially on. The kernel changes it as it goes on: it is for the moment only. Source:
    /// `TCP_QUICKACK`, tcp(7).
    public static var quickAcknowledgement: Self { Self(SOL_TCP, TCP_QUICKACK, .flag) }

    /// Retries at even intervals while little is under way, instead of ever longer ones.
    ///
    /// Initially as in `/proc/sys/net/ipv4/tcp_thin_linear_timeouts`, off. Source:
    /// `TCP_THIN_LINEAR_TIMEOUTS`; Linux, networking/tcp-thin.rst.
    public static var thinLinearTimeouts: Self { Self(SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, .flag) }

    /// Tells with each message how many bytes are left to read.
    ///
    /// Initially off. Linux 4.18. Ancillary data `TCP_INQ`. Source: `TCP_INQ`, linux/tcp.h.
    public static var receivesUnreadByteCount: Self { Self(SOL_TCP, TCP_INQ, .flag) }
}

extension SocketOption where Value == Int {
    /// How many unsent bytes the kernel holds before the socket stops being writable.
    ///
    /// 0 for the machine's own, `/proc/sys/net/ipv4/tcp_notsent_lowat`. Initially 0. Linux 3.12.
    /// Source: `TCP_NOTSENT_LOWAT`, linux/tcp.h.
    public static var unsentLowMark: Self { Self(SOL_TCP, TCP_NOTSENT_LOWAT, .number) }

    /// How many bytes of data a segment has at most.
    ///
    /// 88 to 32,767. Set before the connection begins, it is also what the peer is told. Initially
    /// as the route has it. Source: `TCP_MAXSEG`, tcp(7).
    public static var maximumSegmentByteCount: Self { Self(SOL_TCP, TCP_MAXSEG, .number) }

    /// How many bytes the window that the peer is told has at most.
    ///
    /// 0 for no limit of the socket's own; the kernel has a least one of about 1 KiB. Initially 0.
    /// Source: `TCP_WINDOW_CLAMP`, tcp(7).
    public static var windowClampByteCount: Self { Self(SOL_TCP, TCP_WINDOW_CLAMP, .number) }
}

extension SocketOption where Value == Duration {
    /// How long the kernel holds back each packet, as if the way were longer.
    ///
    /// Whole microseconds, rounded up. Initially 0. Linux 5.3. Source: `TCP_TX_DELAY`, linux/tcp.h.
    public static var transmitDelay: Self { Self(SOL_TCP, TCP_TX_DELAY, .microseconds) }
}

extension SocketOption where Value == String {
    /// How much is under way at a time: the name of the algorithm, such as `cubic` or `reno`.
    ///
    /// At most 15 bytes, else `.nameTooLong`; `.noEntry` for one that the kernel does not have.
    /// Without `CAP_NET_ADMIN` one of `/proc/sys/net/ipv4/tcp_allowed_congestion_control`, else
    /// `.notPermitted`. Initially as in `tcp_congestion_control` there. Source: `TCP_CONGESTION`,
    /// tcp(7).
    public static var congestionControl: Self {
        Self(SOL_TCP, TCP_CONGESTION, .text(upTo: 16))
    }

    /// What works on the bytes inside of the kernel, such as `tls`; empty for nothing.
    ///
    /// Only once the connection is there; can't be taken back. `.noEntry` for one that the kernel
    /// does not have. Initially empty. Linux 4.13. Source: `TCP_ULP`; Linux, networking/tls.rst.
    public static var upperProtocol: Self { Self(SOL_TCP, TCP_ULP, .text(upTo: 16)) }
}

// MARK: - How long a connection lives

extension SocketOption where Value == Int {
    /// How many unanswered probes end a connection.
    ///
    /// 1 to 127. Initially 9. Source: `TCP_KEEPCNT`, tcp(7).
    public static var keepAliveProbes: Self { Self(SOL_TCP, TCP_KEEPCNT, .number) }

    /// How many times the first packet of a connection is sent again before connecting fails.
    ///
    /// 1 to 127. Initially as in `/proc/sys/net/ipv4/tcp_syn_retries`, 6. Source: `TCP_SYNCNT`,
    /// tcp(7).
    public static var connectRetries: Self { Self(SOL_TCP, TCP_SYNCNT, .number) }
}

extension SocketOption where Value == Duration {
    /// How long a connection may be silent before the first keep-alive probe.
    ///
    /// Whole seconds, rounded up; 1 s or more. Initially 2 h. Source: `TCP_KEEPIDLE`, tcp(7).
    public static var keepAliveIdle: Self { Self(SOL_TCP, TCP_KEEPIDLE, .seconds) }

    /// How long to wait between two keep-alive probes.
    ///
    /// Whole seconds, rounded up; 1 s or more. Initially 75 s. Source: `TCP_KEEPINTVL`, tcp(7).
    public static var keepAliveInterval: Self { Self(SOL_TCP, TCP_KEEPINTVL, .seconds) }
}

extension SocketOption where Value == Duration? {
    /// How long sent data may stay unacknowledged before the connection ends, as `.timedOut`.
    ///
    /// `nil` for the kernel's own rule, of about 15 minutes; 0 and less are `.invalidArgument`.
    /// Whole milliseconds, rounded up. Initially `nil`. Overrides ``SocketOption/keepAliveProbes``.
    /// Source: `TCP_USER_TIMEOUT`, tcp(7); RFC 5482.
    public static var userTimeout: Self { Self(SOL_TCP, TCP_USER_TIMEOUT, .milliseconds) }

    /// How long the kernel waits for the peer to close, after a close on this side.
    ///
    /// `nil` for not at all; 0 stands for the machine's own. Whole seconds, rounded up, at most 2
    /// minutes. Initially as in `/proc/sys/net/ipv4/tcp_fin_timeout`, 60 s. Source: `TCP_LINGER2`,
    /// tcp(7).
    public static var closingTimeout: Self { Self(SOL_TCP, TCP_LINGER2, .secondsOrNone) }
}

// MARK: - How a connection begins

extension SocketOption where Value == Duration {
    /// Has a listener tell of a connection when its first data is there, or after this time.
    ///
    /// Whole seconds, rounded up; the kernel rounds up to when it sends its own answer again, such
    /// as 1, 3 or 7 s, and tells that. 0 switches it off. Initially off. Source:
    /// `TCP_DEFER_ACCEPT`, tcp(7).
    public static var deferAccept: Self { Self(SOL_TCP, TCP_DEFER_ACCEPT, .seconds) }
}

extension SocketOption where Value == Int {
    /// How many connections that begin with data a listener takes before their handshake is done; 0
    /// takes none.
    ///
    /// At most as in `/proc/sys/net/core/somaxconn`. Initially 0. Bit 2 of
    /// `/proc/sys/net/ipv4/tcp_fastopen` must be set. Source: `TCP_FASTOPEN`, tcp(7); RFC 7413.
    public static var fastOpenBacklog: Self { Self(SOL_TCP, TCP_FASTOPEN, .number) }
}

extension SocketOption where Value == Bool {
    /// Has a connect wait for the first data and send it along, where the peer is known to take it.
    ///
    /// Initially off. Bit 1 of `/proc/sys/net/ipv4/tcp_fastopen` must be set. Linux 4.11. Source:
    /// `TCP_FASTOPEN_CONNECT`, tcp(7); RFC 7413.
    public static var fastOpenConnect: Self { Self(SOL_TCP, TCP_FASTOPEN_CONNECT, .flag) }

    /// Takes and sends data with the first packet without a cookie, where both ends are trusted.
    ///
    /// Initially off. Linux 4.15. Source: `TCP_FASTOPEN_NO_COOKIE`, linux/tcp.h.
    public static var fastOpenWithoutCookie: Self {
        Self(SOL_TCP, TCP_FASTOPEN_NO_COOKIE, .flag)
    }

    /// Has a listener keep the headers of the first packet of each connection, for
    /// ``ReadOnlySocketOption/firstPacket``.
    ///
    /// Initially off. Linux 4.2. Source: `TCP_SAVE_SYN`, linux/tcp.h.
    public static var keepsFirstPacket: Self { Self(SOL_TCP, TCP_SAVE_SYN, .flag) }
}

extension SocketOption where Value == [UInt8] {
    /// The key that a listener makes cookies with, of 16 bytes, or two of them: the new one and the
    /// old one.
    ///
    /// Initially that of the machine, which is not told. Linux 4.15. Source: `TCP_FASTOPEN_KEY`,
    /// linux/tcp.h; RFC 7413.
    public static var fastOpenKey: Self { Self(SOL_TCP, TCP_FASTOPEN_KEY, .bytes(upTo: 32)) }
}

extension ReadOnlySocketOption where Value == [UInt8] {
    /// The headers of IP and TCP of the packet that began an accepted connection, where
    /// ``SocketOption/keepsFirstPacket`` was on; read once, then it is empty.
    ///
    /// Read-only. Linux 4.2. Source: `TCP_SAVED_SYN`, linux/tcp.h.
    public static var firstPacket: Self { Self(SOL_TCP, TCP_SAVED_SYN, .bytes(upTo: 512)) }
}

// MARK: - How a connection does

extension ReadOnlySocketOption where Value == TCPInfo {
    /// How the connection does: its state, round-trip time, losses, and what it has moved.
    ///
    /// Read-only. Source: `TCP_INFO`, tcp(7).
    public static var tcpInfo: Self { Self(SOL_TCP, TCP_INFO, .info) }
}
