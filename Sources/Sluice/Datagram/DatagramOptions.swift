// SPDX-License-Identifier: Apache-2.0
//
// How a datagram channel is opened, its limits, and what it says of what it did.

/// How a ``DatagramChannel`` is opened, and its limits.
public struct DatagramOptions: Hashable, Sendable {
    /// Which datagram is given up where the queue of unsent ones is full.
    public enum DropPolicy: Hashable, Sendable {
        /// The one that is to be added.
        case newest
        /// Those that have waited longest.
        case oldest
    }

    /// How many bytes may wait to be sent, while the kernel takes no more; in any case at most 8,192
    /// datagrams.
    ///
    /// Initially 1 MiB.
    public var outputLimit = 1 << 20
    /// Which datagram is given up where that is too few.
    ///
    /// Initially the newest.
    public var dropPolicy = DropPolicy.newest
    /// How many datagrams are received in one turn of the reactor, at most.
    ///
    /// Initially 256.
    public var datagramsPerTurn = 256
    /// How many bytes the kernel holds of what has come and was not received; what finds no room
    /// there is lost.
    ///
    /// `nil` leaves the kernel's own limit.
    ///
    /// Initially 1 MiB; the kernel caps it at `/proc/sys/net/core/rmem_max`. Source: `SO_RCVBUF`,
    /// socket(7).
    public var receiveBufferByteCount: Int? = 1 << 20
    /// Shares the port with other sockets of this user that ask for it too; the kernel spreads
    /// senders over them.
    ///
    /// Initially off. Source: `SO_REUSEPORT`, socket(7).
    public var reusePort = false
    /// Lets several sockets of this machine hear one multicast group at one port.
    ///
    /// Initially off. Source: `SO_REUSEADDR`, socket(7).
    public var reuseAddress = false
    /// Lets a socket on `::` hear and reach IPv4 as well; such addresses are told as IPv4.
    ///
    /// Initially off. Source: `IPV6_V6ONLY`, ipv6(7).
    public var acceptsBothFamilies = false
    /// Allows to send to broadcast addresses.
    ///
    /// Initially off. Source: `SO_BROADCAST`, socket(7).
    public var allowsBroadcast = false
    /// Hears what became of datagrams that did not arrive: refused ports, unreachable hosts.
    ///
    /// Initially on; for IP sockets. Source: `IP_RECVERR`, ip(7), ipv6(7).
    public var reportsErrors = true
    /// Has the kernel join datagrams of one sender, for fewer calls; they are told one by one.
    ///
    /// Initially off; where the kernel can't, nothing is joined. Source: `UDP_GRO`, udp(7).
    public var joinsInput = false
    /// How much room there is for the ancillary data of a datagram, as
    /// ``AncillaryItem/space(forData:)`` counts; descriptors that are passed are closed.
    ///
    /// Initially 0; at most 256 bytes.
    public var ancillaryByteCount = 0
    /// How a Unix socket gets its file.
    public var unixPath = UnixPathOptions()

    /// The initial values.
    public init() {}
}

/// What came with a datagram: everything but its bytes.
public struct DatagramInfo: Hashable, Sendable {
    /// Who sent it; ``SocketAddress/unnamed`` for a Unix socket without a name.
    public let sender: SocketAddress
    /// Whether it was longer than 65,536 bytes, and its end is lost.
    public let isTruncated: Bool
    /// The ancillary data that was asked for.
    public let items: [AncillaryItem]
    /// Whether there was no room for all of it; see ``DatagramOptions/ancillaryByteCount``.
    public internal(set) var isAncillaryTruncated = false
}

/// What became of a datagram that was to be sent.
public enum DatagramSendResult: Hashable, Sendable {
    /// The kernel has it, or will have it soon.
    case accepted
    /// It waits with others, since the kernel takes no more now: time to pause.
    case queued
    /// The queue was full, and one was given up: this one with ``DatagramOptions/DropPolicy/newest``.
    case dropped
}

/// What a datagram channel has done.
public struct DatagramCounters: Hashable, Sendable {
    /// Datagrams that came.
    public internal(set) var datagramsReceived: UInt64 = 0
    /// Their bytes.
    public internal(set) var bytesReceived: UInt64 = 0
    /// Datagrams that the kernel took.
    public internal(set) var datagramsSent: UInt64 = 0
    /// Their bytes.
    public internal(set) var bytesSent: UInt64 = 0
    /// Datagrams that were given up before the kernel had them.
    public internal(set) var datagramsDropped: UInt64 = 0
    /// Errors that were met, or reported of datagrams.
    public internal(set) var errors: UInt64 = 0
    /// Calls that received, each with up to 32 datagrams.
    public internal(set) var receives: UInt64 = 0
    /// Calls that sent, each with up to 64 datagrams.
    public internal(set) var sends: UInt64 = 0

    /// Zeros.
    public init() {}
}
