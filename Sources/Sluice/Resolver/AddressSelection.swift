// SPDX-License-Identifier: Apache-2.0
//
// In which order a host's addresses should be tried: those that can be reached, and reached well,
// come first. The rules are pure; only the way to an address is asked of the kernel.

/// The order in which the addresses of a host should be tried.
///
/// Source: RFC 6724, 6.
public enum AddressSelection {
    /// How many addresses are sorted at most: 64.
    public static let limit = 64

    /// Puts addresses into the order in which they should be tried.
    ///
    /// The kernel is asked where a datagram to each would be sent from; nothing is sent, and nobody
    /// is waited for. Addresses between which no rule decides keep their order, so do those after
    /// the first ``limit``, which stand behind, and all of them where no socket can be had.
    ///
    /// Rules 3, 4 and 7 have nothing to go by, for a socket tells an address and not its kind. Rule
    /// 9 holds for IPv6 alone, whose prefixes are taken to have 64 bits: a host's IPv4 addresses
    /// keep the order in which its name server gives them. Source: RFC 6724, 6, connect(2).
    public static func sorted(_ addresses: [IPAddress]) -> [IPAddress] {
        if addresses.count < 2 { return addresses }
        let first = Array(addresses.prefix(limit))
        do throws(SocketError) {
            return sorted(first, sources: try Route.sources(for: first))
                + addresses.dropFirst(limit)
        } catch {
            // Without a socket nothing is known of the ways, and any order is as good.
            return addresses
        }
    }

    /// Whether the first of two IP addresses should be tried before the second.
    static func prefers(_ first: SocketAddress, _ second: SocketAddress) -> Bool {
        let addresses = [first, second].compactMap(\.ipAddress)
        return sorted(addresses).first == addresses.first
    }
}

// MARK: - The rules

extension AddressSelection {
    /// Where datagrams to an address are sent from, and what is known of that address.
    struct Source: Hashable {
        /// What an address is to a machine that moves between networks.
        enum Mobility: Int {
            case careOf, home
            /// Also every address of a machine that stays.
            case both
        }

        let address: IPAddress
        /// How many leading bits name the network; 0 where that is not known.
        var prefixLength: Int
        var isDeprecated = false
        var mobility = Mobility.both
        /// Datagrams go through a tunnel of another protocol.
        var isTunnelled = false

        init(_ address: IPAddress) {
            self.address = address
            prefixLength = address.unmapped.isIPv6 ? 64 : 0
        }
    }

    /// What the policy table says of an address.
    struct Policy: Equatable {
        let precedence: Int
        let label: Int
    }

    /// Sorts by the rules 1 to 10.
    ///
    /// - Parameter sources: one for each address; `nil` for one that can't be reached.
    static func sorted(_ addresses: [IPAddress], sources: [Source?]) -> [IPAddress] {
        var ranked: [(address: IPAddress, rank: [Int])] = []
        for (place, pair) in zip(addresses, sources).enumerated() {
            // Rule 10: what is equal stays in order.
            ranked.append((pair.0, rank(of: pair.0, from: pair.1) + [place]))
        }
        ranked.sort { $0.rank.lexicographicallyPrecedes($1.rank) }
        return ranked.map(\.address)
    }

    /// A number for each of the rules 1 to 9, in this order; the lower one is tried first.
    private static func rank(of address: IPAddress, from source: Source?) -> [Int] {
        let policy = policy(of: address)
        let scope = scope(of: address)
        guard let source else { return [1, 0, 0, 0, 0, -policy.precedence, 0, scope, 0] }
        return [
            0,
            scope == self.scope(of: source.address) ? 0 : 1,
            source.isDeprecated ? 1 : 0,
            -source.mobility.rawValue,
            policy.label == self.policy(of: source.address).label ? 0 : 1,
            -policy.precedence,
            source.isTunnelled ? 1 : 0,
            scope,
            // Those of two families never come as far as this: their precedences differ.
            -commonPrefixLength(address, source),
        ]
    }

    /// The default policy table; an IPv4 address is what it would be inside IPv6.
    ///
    /// Source: RFC 6724, 2.1.
    static func policy(of address: IPAddress) -> Policy {
        guard case .v6(let high, let low, _) = address.unmapped else {
            return Policy(precedence: 35, label: 4)
        }
        if high == 0, low == 1 { return Policy(precedence: 50, label: 0) }
        if high == 0, low >> 32 == 0 { return Policy(precedence: 1, label: 3) }
        if high >> 48 == 0x2002 { return Policy(precedence: 30, label: 2) }
        if high >> 32 == 0x2001_0000 { return Policy(precedence: 5, label: 5) }
        if high >> 57 == 0xFC >> 1 { return Policy(precedence: 3, label: 13) }
        if isSiteLocal(high) { return Policy(precedence: 1, label: 11) }
        if high >> 48 == 0x3FFE { return Policy(precedence: 1, label: 12) }
        return Policy(precedence: 40, label: 1)
    }

    /// How far an address reaches: 2 for one link, 5 for a site, 14 for everywhere.
    ///
    /// Source: RFC 6724, 3.1 and 3.2; RFC 4291, 2.7.
    static func scope(of address: IPAddress) -> Int {
        // Only a group of IPv6 has its scope in it.
        if case .v6(let high, _, _) = address, high >> 56 == 0xFF {
            return Int(truncatingIfNeeded: high >> 48 & 0xF)
        }
        if address.isLoopback || address.isLinkLocal { return 2 }
        if case .v6(let high, _, _) = address, isSiteLocal(high) { return 5 }
        return 14
    }

    private static func isSiteLocal(_ high: UInt64) -> Bool { high >> 54 == 0xFEC0 >> 6 }

    /// How many leading bits both have in common, of those that name the source's network.
    private static func commonPrefixLength(_ address: IPAddress, _ source: Source) -> Int {
        let length =
            switch (address.unmapped, source.address.unmapped) {
            case (.v4(let one), .v4(let other)): (one ^ other).leadingZeroBitCount
            case (.v6(let high, let low, _), .v6(let otherHigh, let otherLow, _)):
                high == otherHigh
                    ? 64 + (low ^ otherLow).leadingZeroBitCount
                    : (high ^ otherHigh).leadingZeroBitCount
            default: 0
            }
        return min(length, source.prefixLength)
    }
}

// MARK: - Asking the kernel

/// Finds the ways to addresses of one family, with one socket for all of them.
private final class Route {
    private let socket: Socket
    private var isConnected = false

    private init(_ family: AddressFamily) throws(SocketError) {
        socket = try Socket(family: family, kind: .datagram)
    }

    /// Where datagrams to each of the addresses are sent from; `nil` where no way leads there.
    static func sources(
        for addresses: [IPAddress]
    ) throws(SocketError) -> [AddressSelection.Source?] {
        let four = try route(.ipv4, isNeeded: addresses.contains { !$0.isIPv6 })
        let six = try route(.ipv6, isNeeded: addresses.contains(where: \.isIPv6))
        return addresses.map { ($0.isIPv6 ? six : four)?.source(for: $0) }
    }

    /// - Returns: `nil` where the machine does not have the family.
    private static func route(
        _ family: AddressFamily, isNeeded: Bool
    ) throws(SocketError) -> Route? {
        guard isNeeded else { return nil }
        do throws(SocketError) {
            return try Route(family)
        } catch {
            if error.code == .addressFamilyNotSupported { return nil }
            throw error
        }
    }

    private func source(for address: IPAddress) -> AddressSelection.Source? {
        if isConnected {
            // Else the kernel goes on with the source that it chose for the one before.
            _ = socket.connectCode(to: .other(family: .unspecified, bytes: []))
        }
        // The discard service; as nothing is sent, any port would do.
        isConnected = socket.connectCode(to: .ip(address, port: 9)) == .success
        // One that can't be told is as good as none.
        guard isConnected, let local = try? socket.localAddress.ipAddress else { return nil }
        return AddressSelection.Source(local)
    }
}
