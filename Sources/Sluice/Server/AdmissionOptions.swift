// SPDX-License-Identifier: Apache-2.0
//
// Whom a server lets in besides its lists of addresses: how many from one place, and how fast.
// And what those get that it does not let in.

/// So many connections a second, and so many at once.
public struct ConnectionRate: Hashable, Sendable {
    /// How many connections a second, in the long run.
    ///
    /// More than 0; less than one in 1,000 s counts as that.
    public var perSecond: Double
    /// How many may come at once after a rest.
    ///
    /// 1...1,000,000,000; other numbers count as the nearest of these.
    public var burst: Int

    /// A rate; `burst` is initially what a second brings, rounded up, and 1 at least.
    public init(perSecond: Double, burst: Int? = nil) {
        self.perSecond = perSecond
        // Written so that what is no number gives a number, too.
        let isSmall = perSecond < Double(Self.largestBurst)
        let second = isSmall ? Int(max(1, perSecond.rounded(.up))) : Self.largestBurst
        self.burst = burst ?? second
    }

    private static let largestBurst = 1_000_000_000

    /// What those who come take their tokens from: full to begin with.
    func bucket(at now: UInt64) -> TokenBucket {
        let size = min(max(burst, 1), Self.largestBurst)
        return TokenBucket(perSecond: perSecond, size: Double(size), at: now)
    }
}

/// How much of an address names its network.
public struct NetworkPrefixes: Hashable, Sendable {
    /// How many leading bits of an IPv4 address.
    ///
    /// 0...32; other numbers count as the nearest of these.
    public var ipv4: Int
    /// How many leading bits of an IPv6 address.
    ///
    /// 0...128; other numbers count as the nearest of these.
    public var ipv6: Int

    /// The lengths of both.
    public init(ipv4: Int, ipv6: Int) {
        self.ipv4 = ipv4
        self.ipv6 = ipv6
    }

    /// The network that an address is in.
    func network(of address: IPAddress) -> AddressRange {
        let length = address.isIPv6 ? min(max(ipv6, 0), 128) : min(max(ipv4, 0), 32)
        return AddressRange(address, prefixLength: length)
    }
}

/// Whom a server lets in: how many from one address or network, and how fast.
///
/// All of it holds for all servers of a ``ServerGroup`` together, and for each process by itself:
/// with several workers of a ``Supervisor`` that many times as much may come in. Clients count by
/// the address that they connect from: an IPv4-mapped one as IPv4, and a link-local one with its
/// interface. Unix clients have none, so that ``rate`` alone holds for them.
public struct AdmissionOptions: Hashable, Sendable {
    /// What clients get that come while there is no room.
    public enum Waiting: Hashable, Sendable {
        /// They wait in the backlog.
        case wait
        /// They are refused, as ``AdmissionOptions/refusal`` says.
        case refuse
    }

    /// How many connections one address may have at once.
    ///
    /// 1 or more; `nil` is no limit, as initially.
    public var maximumPerAddress: Int?
    /// How many connections one network may have at once.
    ///
    /// 1 or more; `nil` is no limit, as initially.
    public var maximumPerNetwork: Int?
    /// What a network is.
    ///
    /// Initially the first 24 bits of an IPv4 address and the first 64 of an IPv6 address: a single
    /// subscriber has so much of IPv6 at least. Source: RFC 6177.
    public var networkPrefixes = NetworkPrefixes(ipv4: 24, ipv6: 64)

    /// How fast connections are let in, from wherever.
    ///
    /// Those that are refused don't count. Where clients wait and several reactors accept for a
    /// group, each may go one connection over; the long run makes up for it. Initially `nil`: no
    /// limit.
    public var rate: ConnectionRate?
    /// How fast one address is let in; whoever comes faster is refused.
    ///
    /// Initially `nil`: no limit.
    public var ratePerAddress: ConnectionRate?
    /// How fast one network is let in; whoever comes faster is refused.
    ///
    /// Initially `nil`: no limit.
    public var ratePerNetwork: ConnectionRate?

    /// How many addresses and networks are known at once, together.
    ///
    /// Each is known while it has a connection, and then until its rate would let as many in as at
    /// first. Where a further one comes, those without connections are forgotten early, first who
    /// would be so soonest: they may come again as fast as at first. Where all have connections
    /// who comes from a further one is refused. Nothing is kept where there is no limit for an
    /// address or a network. 2 or more. Initially 65,536, which take 15 MB where all are used.
    public var sourceTableLimit = 65_536
    /// What a refused client gets.
    ///
    /// Initially ``Refusal/close``.
    public var refusal = Refusal.close
    /// What clients get that come at ``ServerOptions/maximumConnections``, or faster than ``rate``.
    ///
    /// At ``ServingOptions/maximumHandlers`` they wait in any case. Where each reactor of a group
    /// has a share of the connections, one may refuse a client while another has room. Initially
    /// ``Waiting/wait``.
    public var whenFull = Waiting.wait

    /// The initial values.
    public init() {}
}
