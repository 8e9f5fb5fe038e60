// SPDX-License-Identifier: Apache-2.0
//
// The keys of the options that servers and clients need.
// Each says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

extension SocketOption where Value == Bool {
    /// Lets a listener take a port that old connections still linger on.
    ///
    /// Initially off; servers switch it on. Does not let two listeners share a port. Source:
    /// `SO_REUSEADDR`, socket(7).
    public static var reuseAddress: Self { Self(level: SOL_SOCKET, name: SO_REUSEADDR) }

    /// Lets several listeners of one user share a port; the kernel spreads connections over them.
    ///
    /// Initially off. All of them must set it. Source: `SO_REUSEPORT`, socket(7).
    public static var reusePort: Self { Self(level: SOL_SOCKET, name: SO_REUSEPORT) }

    /// Sends small segments at once instead of collecting them (Nagle's algorithm).
    ///
    /// Initially off in the kernel. A listener's setting passes to what it accepts. Source:
    /// `TCP_NODELAY`, tcp(7).
    public static var noDelay: Self { Self(level: CInt(IPPROTO_TCP), name: TCP_NODELAY) }

    /// Probes a silent connection, so that a vanished peer is noticed.
    ///
    /// Initially off. Source: `SO_KEEPALIVE`, socket(7).
    public static var keepAlive: Self { Self(level: SOL_SOCKET, name: SO_KEEPALIVE) }

    /// Keeps an IPv6 socket to IPv6 alone; off, a listener on `::` takes IPv4 clients too.
    ///
    /// Initially as in `/proc/sys/net/ipv6/bindv6only`. Source: `IPV6_V6ONLY`, ipv6(7).
    public static var ipv6Only: Self { Self(level: CInt(IPPROTO_IPV6), name: IPV6_V6ONLY) }

    /// Whether the socket waits for connections; read-only.
    ///
    /// Source: `SO_ACCEPTCONN`, socket(7).
    public static var isListening: Self { Self(level: SOL_SOCKET, name: SO_ACCEPTCONN) }
}

extension SocketOption where Value == Int {
    /// How many unanswered probes end a connection.
    ///
    /// Initially 9. Source: `TCP_KEEPCNT`, tcp(7).
    public static var keepAliveProbes: Self { Self(level: CInt(IPPROTO_TCP), name: TCP_KEEPCNT) }

    /// How many bytes the kernel holds for the program to read.
    ///
    /// The kernel doubles what is set, and says the doubled value; setting it stops its own tuning.
    /// Initially as in `/proc/sys/net/ipv4/tcp_rmem`. Source: `SO_RCVBUF`, socket(7).
    public static var receiveBufferByteCount: Self { Self(level: SOL_SOCKET, name: SO_RCVBUF) }

    /// How many bytes the kernel takes before a write must wait.
    ///
    /// The kernel doubles what is set, and says the doubled value; setting it stops its own tuning.
    /// Initially as in `/proc/sys/net/ipv4/tcp_wmem`. Source: `SO_SNDBUF`, socket(7).
    public static var sendBufferByteCount: Self { Self(level: SOL_SOCKET, name: SO_SNDBUF) }
}

extension SocketOption where Value == Duration {
    /// How long a connection may be silent before the first keep-alive probe.
    ///
    /// Whole seconds, rounded up; 1 s or more. Initially 2 h. Source: `TCP_KEEPIDLE`, tcp(7).
    public static var keepAliveIdle: Self { Self(level: CInt(IPPROTO_TCP), name: TCP_KEEPIDLE) }

    /// How long to wait between two keep-alive probes.
    ///
    /// Whole seconds, rounded up; 1 s or more. Initially 75 s. Source: `TCP_KEEPINTVL`, tcp(7).
    public static var keepAliveInterval: Self {
        Self(level: CInt(IPPROTO_TCP), name: TCP_KEEPINTVL)
    }
}

extension SocketOption where Value == Linger {
    /// What close(2) does with data that the peer has not taken.
    ///
    /// Initially off. Source: `SO_LINGER`, socket(7).
    public static var linger: Self { Self(level: SOL_SOCKET, name: SO_LINGER) }
}

extension SocketOption where Value == ErrorCode {
    /// The error that waits to be told, with number 0 for none; reading it clears it.
    ///
    /// Read-only. Source: `SO_ERROR`, socket(7).
    public static var pendingError: Self { Self(level: SOL_SOCKET, name: SO_ERROR) }
}
