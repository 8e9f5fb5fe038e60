// SPDX-License-Identifier: Apache-2.0
//
// A block of IP addresses, such as 10.0.0.0/8.
// Servers allow and deny their clients by it.

/// A block of IP addresses that share their first bits.
///
/// Source: RFC 4632.
public struct AddressRange: Hashable, Sendable {
    /// An address inside the block.
    public let address: IPAddress
    /// How many leading bits all addresses of the block share.
    public let prefixLength: Int

    /// The block of the addresses whose first bits are those of `address`.
    ///
    /// - Precondition: `prefixLength` is 0...32 for IPv4 and 0...128 for IPv6.
    public init(_ address: IPAddress, prefixLength: Int) {
        precondition(
            (0...(address.isIPv6 ? 128 : 32)).contains(prefixLength),
            "a prefix is at most as long as the address")
        self.address = address
        self.prefixLength = prefixLength
    }

    /// Reads `10.0.0.0/8`, `fe80::/10` or one address; anything else gives `nil`.
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

    /// Whether the block holds `candidate`; an IPv4-mapped address counts as the IPv4 address.
    public func contains(_ candidate: IPAddress) -> Bool {
        switch (address.unmapped, candidate.unmapped) {
        case (.v4(let a), .v4(let b)):
            let length = address.isIPv6 ? max(0, prefixLength - 96) : prefixLength
            return length == 0 || (a ^ b) >> UInt32(32 - length) == 0
        case (.v6(let high, let low, _), .v6(let otherHigh, let otherLow, _)):
            let upper = min(prefixLength, 64)
            let lower = max(0, prefixLength - 64)
            return (upper == 0 || (high ^ otherHigh) >> UInt64(64 - upper) == 0)
                && (lower == 0 || (low ^ otherLow) >> UInt64(64 - lower) == 0)
        default: return false
        }
    }
}
