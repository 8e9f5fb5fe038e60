// SPDX-License-Identifier: Apache-2.0
//
// The options of every socket's queues: their sizes and pace, and what is told of each message.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

// MARK: - Sizes

extension SocketOption where Value == Int {
    /// How many bytes the kernel holds for the program to read.
    ///
    /// The kernel doubles what is set, and says the doubled value; setting it stops its own tuning.
    /// At most as in `/proc/sys/net/core/rmem_max`, of which more is cut. Initially as in
    /// `rmem_default` there, of TCP as in `/proc/sys/net/ipv4/tcp_rmem`. Source: `SO_RCVBUF`,
    /// socket(7).
    public static var receiveBufferByteCount: Self { Self(SOL_SOCKET, SO_RCVBUF, .number) }

    /// How many bytes the kernel takes before a write must wait.
    ///
    /// The kernel doubles what is set, and says the doubled value; setting it stops its own tuning.
    /// At most as in `/proc/sys/net/core/wmem_max`, of which more is cut. Initially as in
    /// `wmem_default` there, of TCP as in `/proc/sys/net/ipv4/tcp_wmem`. Source: `SO_SNDBUF`,
    /// socket(7).
    public static var sendBufferByteCount: Self { Self(SOL_SOCKET, SO_SNDBUF, .number) }

    /// How many bytes must have come before the socket is readable.
    ///
    /// Initially 1. What is there can be read all the same. Source: `SO_RCVLOWAT`, socket(7).
    public static var receiveLowMark: Self { Self(SOL_SOCKET, SO_RCVLOWAT, .number) }
}

extension WriteOnlySocketOption where Value == Int {
    /// Sets ``SocketOption/receiveBufferByteCount`` beyond the limit of the machine.
    ///
    /// Write-only. Needs `CAP_NET_ADMIN`, else `.notPermitted`. Source: `SO_RCVBUFFORCE`,
    /// socket(7).
    public static var forcedReceiveBufferByteCount: Self {
        Self(SOL_SOCKET, SO_RCVBUFFORCE, .number)
    }

    /// Sets ``SocketOption/sendBufferByteCount`` beyond the limit of the machine.
    ///
    /// Write-only. Needs `CAP_NET_ADMIN`, else `.notPermitted`. Source: `SO_SNDBUFFORCE`,
    /// socket(7).
    public static var forcedSendBufferByteCount: Self {
        Self(SOL_SOCKET, SO_SNDBUFFORCE, .number)
    }

    /// How many packets one round of busy polling takes.
    ///
    /// Write-only. 1 to 65,535; to raise it needs `CAP_NET_ADMIN`, else `.notPermitted`. Initially
    /// 8. Linux 5.11. Source: `SO_BUSY_POLL_BUDGET`, asm-generic/socket.h.
    public static var busyPollBudget: Self {
        Self(SOL_SOCKET, csystem_so_busy_poll_budget, .number)
    }
}

extension ReadOnlySocketOption where Value == Int {
    /// How much room must be free before the socket is writable: always 1.
    ///
    /// Read-only. Source: `SO_SNDLOWAT`, socket(7).
    public static var sendLowMark: Self { Self(SOL_SOCKET, SO_SNDLOWAT, .number) }
}

extension ReadOnlySocketOption where Value == SocketMemory {
    /// How much of the kernel's memory the socket uses, and how many packets were dropped.
    ///
    /// Read-only. Linux 4.12. Source: `SO_MEMINFO`; sock_diag(7).
    public static var memory: Self { Self(SOL_SOCKET, SO_MEMINFO, .memory) }
}

extension SocketOption where Value == Int? {
    /// Where the next peek begins, in bytes from the front of what has come; it moves on with each
    /// peek.
    ///
    /// `nil` for always at the front. Initially `nil`. For Unix sockets; for UDP since Linux 4.7,
    /// for TCP since 6.10. Source: `SO_PEEK_OFF`, socket(7).
    public static var peekOffset: Self { Self(SOL_SOCKET, SO_PEEK_OFF, .numberOrNone) }
}

// MARK: - Pace

extension SocketOption where Value == Int? {
    /// How many bytes a second the kernel sends at most; `nil` for no limit.
    ///
    /// Initially `nil`. TCP keeps to it itself, other protocols only with the queue `fq` of
    /// tc-fq(8). Linux 3.13; 4 GB a second and more since 4.20. Source: `SO_MAX_PACING_RATE`,
    /// tc-fq(8).
    public static var maximumPacingRate: Self {
        Self(SOL_SOCKET, SO_MAX_PACING_RATE, .numberOrUnlimited)
    }
}

extension SocketOption where Value == Duration {
    /// How long a blocking read asks the interface for packets before it sleeps.
    ///
    /// Whole microseconds, rounded up. Initially as in `/proc/sys/net/core/busy_read`. To raise it
    /// needs `CAP_NET_ADMIN`, else `.notPermitted`. Source: `SO_BUSY_POLL`, socket(7).
    public static var busyPoll: Self { Self(SOL_SOCKET, SO_BUSY_POLL, .microseconds) }
}

extension SocketOption where Value == Bool {
    /// Leaves the interface's interrupts off for as long as the program polls often enough.
    ///
    /// Initially off. To set it needs `CAP_NET_ADMIN`, else `.notPermitted`. Linux 5.11. Source:
    /// `SO_PREFER_BUSY_POLL`, asm-generic/socket.h.
    public static var preferBusyPoll: Self {
        Self(SOL_SOCKET, csystem_so_prefer_busy_poll, .flag)
    }

    /// Lets a send with `MSG_ZEROCOPY` read the program's memory until the kernel says that it is
    /// done.
    ///
    /// Initially off. For TCP since Linux 4.14, for UDP since 5.0. Source: `SO_ZEROCOPY`; Linux,
    /// networking/msg_zerocopy.rst.
    public static var zeroCopy: Self { Self(SOL_SOCKET, SO_ZEROCOPY, .flag) }
}

// MARK: - What is told of each message

extension SocketOption where Value == Bool {
    /// Tells with each datagram when it came, in microseconds.
    ///
    /// Initially off. Not together with ``receivesNanosecondTimestamp``: the later one counts.
    /// Ancillary data `SCM_TIMESTAMP`. Source: `SO_TIMESTAMP`, socket(7).
    public static var receivesTimestamp: Self { Self(SOL_SOCKET, SO_TIMESTAMP, .flag) }

    /// Tells with each datagram when it came, in nanoseconds.
    ///
    /// Initially off. Not together with ``receivesTimestamp``: the later one counts. Ancillary data
    /// `SCM_TIMESTAMPNS`. Source: `SO_TIMESTAMPNS`, socket(7).
    public static var receivesNanosecondTimestamp: Self {
        Self(SOL_SOCKET, SO_TIMESTAMPNS, .flag)
    }

    /// Tells with each datagram how many were dropped before it, since the socket was opened.
    ///
    /// Initially off. Ancillary data `SO_RXQ_OVFL`, told from the first drop on. Source:
    /// `SO_RXQ_OVFL`, socket(7).
    public static var receivesLostCount: Self { Self(SOL_SOCKET, SO_RXQ_OVFL, .flag) }

    /// Tells with each datagram the mark that the packet has.
    ///
    /// Initially off. To set it may need `CAP_NET_ADMIN`, else `.notPermitted`. Linux 5.19.
    /// Ancillary data `SO_MARK`. Source: `SO_RCVMARK`, asm-generic/socket.h.
    public static var receivesMark: Self { Self(SOL_SOCKET, csystem_so_receive_mark, .flag) }
}
