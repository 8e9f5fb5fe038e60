// SPDX-License-Identifier: Apache-2.0
//
// Addresses as bytes in the order of the network, and as the old spellings of IPv4.
// Any other length or spelling is refused.

extension IPAddress {
    /// The address of four bytes, IPv4, or of sixteen, IPv6, in the order of the network; any other
    /// number of bytes gives `nil`.
    ///
    /// An IPv6 address has no interface then. With ``description`` it is what inet_ntop(3) does.
    public init?(packed bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            let (first, last) = (bytes.prefix(8), bytes.dropFirst(8))
            self = .v6(
                high: first.reduce(0) { $0 << 8 | UInt64($1) },
                low: last.reduce(0) { $0 << 8 | UInt64($1) }, scope: 0)
        default: return nil
        }
    }

    /// The four or sixteen bytes in the order of the network, without the interface.
    ///
    /// After ``init(_:)`` it is what inet_pton(3) does.
    public var packed: [UInt8] {
        switch self {
        case .v4(let value): Self.bytes(of: value)
        case .v6(let high, let low, _): Self.bytes(of: high) + Self.bytes(of: low)
        }
    }

    private static func bytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

// MARK: - The old spellings

extension IPAddress {
    /// Reads IPv4 in the old spellings too: one to four numbers, of which the last fills all bytes
    /// that are left, each decimal, octal after `0`, or hexadecimal after `0x`.
    ///
    /// `127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` are 127.0.0.1, and `010.0.0.1` is 8.0.0.1: a
    /// filter that reads an address in another way than what connects to it can be deceived by that.
    /// Names, blanks and anything behind the last number give `nil`. That is stricter than
    /// inet_aton(3), which ignores what follows a blank, and the same as getaddrinfo(3) with
    /// `AI_NUMERICHOST` for IPv4.
    public init?(classicText text: String) {
        let parts = text.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
        let numbers = parts.compactMap(Self.classicNumber)
        guard numbers.count == parts.count, parts.count <= 4, let last = numbers.last else {
            return nil
        }
        let bytes = numbers.dropLast()
        guard bytes.allSatisfy({ $0 <= 0xFF }), last <= UInt32.max >> UInt32(8 * bytes.count) else {
            return nil
        }
        let first = bytes.reduce(0) { $0 << 8 | $1 }
        self = .v4(first << UInt32(32 - 8 * bytes.count) | last)
    }

    private static func classicNumber(_ text: Substring) -> UInt32? {
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        let digits = isHexadecimal ? text.dropFirst(2) : text
        // A number may have a sign in Swift, but not here.
        if digits.first == "+" || digits.first == "-" { return nil }
        return UInt32(digits, radix: isHexadecimal ? 16 : digits.first == "0" ? 8 : 10)
    }
}
