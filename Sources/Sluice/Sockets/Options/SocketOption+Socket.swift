// SPDX-License-Identifier: Apache-2.0
//
// The options that sockets of every family have: addresses, lifetime, routing, what a socket is.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

// MARK: - Addresses and lifetime

extension SocketOption where Value == Bool {
    /// Lets a listener take a port that old connections still linger on.
    ///
    /// Initially off; servers switch it on. Does not let two listeners share a port. Source:
    /// `SO_REUSEADDR`, socket(7).
    public static var reuseAddress: Self { Self(SOL_SOCKET, SO_REUSEADDR, .flag) }

    /// Lets several listeners of one user share a port; the kernel spreads connections over them.
    ///
    /// Initially off. All of them must set it. Source: `SO_REUSEPORT`, socket(7).
    public static var reusePort: Self { Self(SOL_SOCKET, SO_REUSEPORT, .flag) }

    /// Probes a silent connection, so that a vanished peer is noticed.
    ///
    /// Initially off. Source: `SO_KEEPALIVE`, socket(7).
    public static var keepAlive: Self { Self(SOL_SOCKET, SO_KEEPALIVE, .flag) }

    /// Lets datagrams go to broadcast addresses, which is `.permissionDenied` otherwise.
    ///
    /// Initially off. Source: `SO_BROADCAST`, socket(7).
    public static var broadcast: Self { Self(SOL_SOCKET, SO_BROADCAST, .flag) }

    /// Leaves urgent bytes in their place in the stream, where they are read like others.
    ///
    /// Initially off. Source: `SO_OOBINLINE`, socket(7).
    public static var inlineUrgentData: Self { Self(SOL_SOCKET, SO_OOBINLINE, .flag) }

    /// Sends to neighbours only, past no gateway.
    ///
    /// Initially off. Source: `SO_DONTROUTE`, socket(7).
    public static var dontRoute: Self { Self(SOL_SOCKET, SO_DONTROUTE, .flag) }

    /// Has the kernel record what the socket does, where it was built to.
    ///
    /// Initially off. Needs `CAP_NET_ADMIN`, else `.permissionDenied`. Source: `SO_DEBUG`,
    /// socket(7).
    public static var debug: Self { Self(SOL_SOCKET, SO_DEBUG, .flag) }

    /// Shows an error as an exceptional condition of poll(2), too.
    ///
    /// Initially off, and needless since Linux 4.16. Source: `SO_SELECT_ERR_QUEUE`, socket(7).
    public static var selectErrorQueue: Self { Self(SOL_SOCKET, SO_SELECT_ERR_QUEUE, .flag) }
}

extension SocketOption where Value == Linger {
    /// What close(2) does with data that the peer has not taken.
    ///
    /// Initially off. Source: `SO_LINGER`, socket(7).
    public static var linger: Self { Self(SOL_SOCKET, SO_LINGER, .linger) }
}

extension SocketOption where Value == Duration? {
    /// How long a read or an accept waits on a blocking socket; it is `.wouldBlock` then.
    ///
    /// `nil` waits without end. Whole microseconds, rounded up; the kernel rounds up to its clock's
    /// ticks, of 1 to 10 ms, and tells that. Initially `nil`. Without effect on a non-blocking
    /// socket. Source: `SO_RCVTIMEO`, socket(7).
    public static var receiveTimeout: Self { Self(SOL_SOCKET, SO_RCVTIMEO, .timeValue) }

    /// How long a write or a connect waits on a blocking socket; it is `.wouldBlock` or
    /// `.inProgress` then.
    ///
    /// `nil` waits without end. Whole microseconds, rounded up; the kernel rounds up to its clock's
    /// ticks, of 1 to 10 ms, and tells that. Initially `nil`. Without effect on a non-blocking
    /// socket. Source: `SO_SNDTIMEO`, socket(7).
    public static var sendTimeout: Self { Self(SOL_SOCKET, SO_SNDTIMEO, .timeValue) }
}

// MARK: - Interfaces and routing

extension SocketOption where Value == String {
    /// The name of the only interface that packets come and go by, such as `eth0`; empty for all.
    ///
    /// At most 15 bytes, else `.nameTooLong`. Initially empty. Needs `CAP_NET_RAW` to change what
    /// is set, else `.notPermitted`; before Linux 5.7, to set it at all. Source: `SO_BINDTODEVICE`,
    /// socket(7).
    public static var boundInterface: Self {
        Self(SOL_SOCKET, SO_BINDTODEVICE, .text(upTo: Int(IF_NAMESIZE)))
    }
}

extension SocketOption where Value == Int {
    /// Which packets leave first, as the queue of the interface has it.
    ///
    /// 0 to 6; others need `CAP_NET_ADMIN` or `CAP_NET_RAW`, else `.notPermitted`. Initially 0. Source:
    /// `SO_PRIORITY`, socket(7).
    public static var priority: Self { Self(SOL_SOCKET, SO_PRIORITY, .number) }
}

extension SocketOption where Value == UInt32 {
    /// The index of the only interface that packets come and go by; 0 for all.
    ///
    /// Initially 0. As ``boundInterface``, which has names. Linux 5.1. Source: `SO_BINDTOIFINDEX`,
    /// asm-generic/socket.h.
    public static var boundInterfaceIndex: Self { Self(SOL_SOCKET, SO_BINDTOIFINDEX, .number) }

    /// The mark of each packet that is sent, by which it is routed and filtered.
    ///
    /// Initially 0. Setting it needs `CAP_NET_ADMIN` or `CAP_NET_RAW`, else `.notPermitted`. Source: `SO_MARK`,
    /// socket(7).
    public static var mark: Self { Self(SOL_SOCKET, SO_MARK, .number) }
}

extension SocketOption where Value == Int? {
    /// The core that the packets of the socket are handled on; of listeners that share a port, the
    /// one whose core it is takes the connection.
    ///
    /// Initially `nil` until something comes. Settable since Linux 4.4. Source: `SO_INCOMING_CPU`,
    /// socket(7).
    public static var incomingCPU: Self { Self(SOL_SOCKET, SO_INCOMING_CPU, .numberOrNone) }
}

extension ReadOnlySocketOption where Value == UInt32 {
    /// The number of the interface's queue by which the last packet came; 0 for none.
    ///
    /// Read-only. Linux 4.12. Source: `SO_INCOMING_NAPI_ID`, socket(7).
    public static var incomingQueueNumber: Self { Self(SOL_SOCKET, SO_INCOMING_NAPI_ID, .number) }
}

// MARK: - What a socket is

extension ReadOnlySocketOption where Value == Bool {
    /// Whether the socket waits for connections.
    ///
    /// Read-only. Source: `SO_ACCEPTCONN`, socket(7).
    public static var isListening: Self { Self(SOL_SOCKET, SO_ACCEPTCONN, .flag) }
}

extension ReadOnlySocketOption where Value == ErrorCode {
    /// The error that waits to be told, with number 0 for none; reading it clears it.
    ///
    /// Read-only. Source: `SO_ERROR`, socket(7).
    public static var pendingError: Self { Self(SOL_SOCKET, SO_ERROR, .number) }
}

extension ReadOnlySocketOption where Value == AddressFamily {
    /// The family of the socket's addresses.
    ///
    /// Read-only. Source: `SO_DOMAIN`, socket(7).
    public static var family: Self { Self(SOL_SOCKET, SO_DOMAIN, .number) }
}

extension ReadOnlySocketOption where Value == SocketKind {
    /// What the socket carries.
    ///
    /// Read-only. Source: `SO_TYPE`, socket(7).
    public static var kind: Self { Self(SOL_SOCKET, SO_TYPE, .number) }
}

extension ReadOnlySocketOption where Value == SocketProtocol {
    /// The socket's protocol: that which was chosen where the usual one was asked for; 0 for Unix
    /// sockets.
    ///
    /// Read-only. Source: `SO_PROTOCOL`, socket(7).
    public static var `protocol`: Self { Self(SOL_SOCKET, SO_PROTOCOL, .number) }
}

extension ReadOnlySocketOption where Value == UInt64 {
    /// A number that no other socket of the machine has or had since it was started.
    ///
    /// Read-only. Linux 4.12. Source: `SO_COOKIE`; sock_diag(7).
    public static var cookie: Self { Self(SOL_SOCKET, SO_COOKIE, .number) }

    /// A number that no other namespace of networks of the machine has or had.
    ///
    /// Read-only. Linux 5.14; `.invalidArgument` where the kernel was built without. Source:
    /// `SO_NETNS_COOKIE`; network_namespaces(7).
    public static var networkNamespace: Self {
        Self(SOL_SOCKET, csystem_so_netns_cookie, .number)
    }
}
