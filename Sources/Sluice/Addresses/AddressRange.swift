// SPDX-License-Identifier: Apache-2.0
//
// A block of IP addresses, such as 10.0.0.0/8.
// Servers allow and deny their clients by it.

/// A block of IP addresses that share their first bits.
///
/// Source: RFC 4632.
public struct AddressRange: Hashable, Sendable {
    /// The first address of the block: all bits behind the prefix are 0, and it has no interface.
    public let address: IPAddress
    /// How many leading bits all addresses of the block share.
    public let prefixLength: Int

    /// The block of the addresses whose first bits are those of `address`.
    ///
    /// The other bits of `address` do not count: the block of 10.1.2.3 and 8 is 10.0.0.0/8.
    ///
    /// - Precondition: `prefixLength` is 0...32 for IPv4 and 0...128 for IPv6.
    public init(_ address: IPAddress, prefixLength: Int) {
        precondition(
            (0...(address.isIPv6 ? 128 : 32)).contains(prefixLength),
            "a prefix is at most as long as the address")
        self.address = address.first(prefixLength)
        self.prefixLength = prefixLength
    }

    /// Reads `10.0.0.0/8`, `fe80::/10` or one address; anything else gives `nil`.
    ///
    /// As in ``init(_:prefixLength:)``, `10.1.2.3/8` is 10.0.0.0/8. A netmask such as `/255.0.0.0` is
    /// not read.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        let most = address.isIPv6 ? 128 : 32
        guard parts.count == 2 else {
            self.init(address, prefixLength: most)
            return
        }
        guard let length = Int(digits: parts[1]), (0...most).contains(length) else { return nil }
        self.init(address, prefixLength: length)
    }

    /// Whether the block holds `candidate`; an IPv4-mapped address counts as the IPv4 address, and
    /// the interface of a link-local address does not count.
    public func contains(_ candidate: IPAddress) -> Bool {
        // The block's first address is mapped only where the prefix covers the 96 bits of that.
        let length = address.isIPv4Mapped ? prefixLength - 96 : prefixLength
        let (own, other) = (address.unmapped, candidate.unmapped)
        return own.isIPv6 == other.isIPv6 && other.first(length) == own
    }
}

extension AddressRange: CustomStringConvertible {
    /// The first address and the length of the prefix, such as `10.0.0.0/8`.
    public var description: String { "\(address)/\(prefixLength)" }
}

extension IPAddress {
    /// The address with 0 for all bits behind the first `bitCount`, and without an interface.
    fileprivate func first(_ bitCount: Int) -> IPAddress {
        switch self {
        // A shift by the whole width leaves 0.
        case .v4(let value): .v4(value & UInt32.max << (32 - bitCount))
        case .v6(let high, let low, _):
            .v6(
                high: high & UInt64.max << max(0, 64 - bitCount),
                low: low & UInt64.max << min(64, 128 - bitCount), scope: 0)
        }
    }
}
