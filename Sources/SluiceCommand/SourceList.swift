// SPDX-License-Identifier: Apache-2.0
//
// Which of this machine's addresses the connections of a load come from, as a person writes them.

import ArgumentParser
import Sluice

/// Addresses, ranges such as `127.0.1.1-127.0.1.40` and networks such as `127.0.2.0/28`.
struct SourceList: Hashable {
    /// The addresses, in the order in which they are written.
    let addresses: [IPAddress]

    /// So many there are at most.
    static let limit = 65_536

    /// Reads a list with commas; a network stands for all of its addresses.
    ///
    /// - Throws: `ValidationError` for anything else, and for too many.
    init(_ text: String) throws {
        var addresses: [IPAddress] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            addresses += try Self.addresses(in: String(part))
            try Self.check(UInt128(addresses.count))
        }
        self.addresses = addresses
    }

    /// Those of several lists, each once.
    ///
    /// - Throws: `ValidationError` for too many, and for those of both families.
    static func united(_ lists: [SourceList]) throws -> [IPAddress] {
        var known: Set<IPAddress> = []
        let addresses = lists.flatMap(\.addresses).filter { known.insert($0).inserted }
        try check(UInt128(addresses.count), in: "--source: ")
        guard Set(addresses.map(\.isIPv6)).count <= 1 else {
            throw ValidationError("--source: all addresses are IPv4, or all are IPv6")
        }
        return addresses
    }

    private static func check(_ count: UInt128, in place: String = "") throws {
        if count > limit { throw ValidationError("\(place)there are \(limit) addresses at most") }
    }

    private static func addresses(in text: String) throws -> [IPAddress] {
        if let address = IPAddress(text) { return [address] }
        if text.contains("/"), let network = AddressRange(text) {
            let bitCount = (network.address.isIPv6 ? 128 : 32) - network.prefixLength
            return try run(from: network.address, UInt128(1) << min(bitCount, 127))
        }
        guard let dash = text.firstIndex(of: "-"), let first = IPAddress(String(text[..<dash])),
            let last = IPAddress(String(text[text.index(after: dash)...])),
            first.isIPv6 == last.isIPv6, first.scope == last.scope, first.number <= last.number
        else {
            throw ValidationError(
                "'\(text)' is no address, range FIRST-LAST or network ADDRESS/LENGTH")
        }
        // The distance can't be all of the numbers that there are, but may be all but one.
        try check(last.number - first.number)
        return try run(from: first, last.number - first.number + 1)
    }

    private static func run(from first: IPAddress, _ count: UInt128) throws -> [IPAddress] {
        try check(count)
        return (0..<count).map { first.advanced(by: $0) }
    }
}

extension IPAddress {
    fileprivate var number: UInt128 {
        switch self {
        case .v4(let value): UInt128(value)
        case .v6(let high, let low, _): UInt128(high) << 64 | UInt128(low)
        }
    }

    /// The number of its interface, 0 for none.
    fileprivate var scope: UInt32 {
        if case .v6(_, _, let scope) = self { return scope }
        return 0
    }

    /// The address so many behind this one, in a run that ends before the last number does.
    fileprivate func advanced(by count: UInt128) -> IPAddress {
        let next = number &+ count
        let low = UInt64(truncatingIfNeeded: next)
        return isIPv6
            ? .v6(high: UInt64(truncatingIfNeeded: next >> 64), low: low, scope: scope)
            : .v4(UInt32(truncatingIfNeeded: low))
    }
}
