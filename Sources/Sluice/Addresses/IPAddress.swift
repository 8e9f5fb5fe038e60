// SPDX-License-Identifier: Apache-2.0
//
// An IPv4 or IPv6 address as a value, and its text form both ways.
// Parsing is strict: nothing here asks a name service.

import CSystemCalls
import Glibc

/// An IPv4 or IPv6 address.
public enum IPAddress: Hashable, Sendable {
    /// Four bytes, the first in the highest bits: `0x7F00_0001` is 127.0.0.1.
    case v4(UInt32)
    /// Sixteen bytes in two halves, and the interface of a link-local address, 0 for none.
    ///
    /// Source: RFC 4291, RFC 4007.
    case v6(high: UInt64, low: UInt64, scope: UInt32)

    /// 127.0.0.1.
    public static let loopback = IPAddress.v4(0x7F00_0001)
    /// ::1.
    public static let loopback6 = IPAddress.v6(high: 0, low: 1, scope: 0)
    /// 0.0.0.0: for a listener, every IPv4 address of the machine.
    public static let any = IPAddress.v4(0)
    /// ::, for a listener, every IPv6 address of the machine.
    public static let any6 = IPAddress.v6(high: 0, low: 0, scope: 0)
    /// 255.255.255.255: every machine of the local network.
    ///
    /// Source: RFC 919, 7.
    public static let broadcast = IPAddress.v4(.max)

    /// Reads `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`; anything else, names too, gives `nil`.
    ///
    /// Four decimal numbers without leading zeros, or IPv6 in any of its spellings; no blanks, no
    /// brackets, no port. After `%` stands the number of an interface, 1 or more, or the name of one
    /// that this machine has; digits alone are a number, so that ``description`` reads back as
    /// the same address. Source: inet_pton(3), RFC 4291, 2.2, RFC 4007, 11.
    public init?(_ text: String) {
        // C would take the text up to there for the whole.
        if text.utf8.contains(0) { return nil }
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .v4(UInt32(bigEndian: four.s_addr))
            return
        }
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        var six = in6_addr()
        guard let bare = parts.first, inet_pton(AF_INET6, String(bare), &six) == 1 else {
            return nil
        }
        var scope: UInt32 = 0
        if parts.count == 2 {
            let zone = String(parts[1])
            // Without such an interface, the text is no address.
            scope = UInt32(digits: zone[...]) ?? (try? NetworkInterface.index(of: zone)) ?? 0
            if scope == 0 { return nil }
        }
        self.init(six, scope: scope)
    }

    /// Whether this is an IPv6 address.
    public var isIPv6: Bool {
        if case .v6 = self { return true }
        return false
    }

    /// Whether this is ::ffff:0:0/96, an IPv4 address inside IPv6.
    ///
    /// Source: RFC 4291, 2.5.5.2.
    public var isIPv4Mapped: Bool {
        if case .v6(0, let low, _) = self { return low >> 32 == 0xFFFF }
        return false
    }

    /// The IPv4 address inside an IPv4-mapped one, else the address itself.
    public var unmapped: IPAddress {
        if case .v6(_, let low, _) = self, isIPv4Mapped {
            return .v4(UInt32(truncatingIfNeeded: low))
        }
        return self
    }
}

extension IPAddress: CustomStringConvertible {
    /// The shortest text, as inet_ntop(3) writes it, with `%` and the interface's number where
    /// there is one.
    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            switch self {
            case .v4(let value):
                var address = in_addr(s_addr: value.bigEndian)
                inet_ntop(AF_INET, &address, start, socklen_t(buffer.count))
                return String(cString: start)
            case .v6(_, _, let scope):
                var address = in6
                inet_ntop(AF_INET6, &address, start, socklen_t(buffer.count))
                return String(cString: start) + (scope == 0 ? "" : "%\(scope)")
            }
        }
    }
}

extension IPAddress {
    init(_ address: in6_addr, scope: UInt32) {
        let halves = unsafeBitCast(address, to: (UInt64, UInt64).self)  // Both are 16 plain bytes.
        self = .v6(
            high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1), scope: scope)
    }

    /// The sixteen bytes as the kernel takes them; for IPv4 the mapped form.
    var in6: in6_addr {
        switch self {
        case .v4(let value):
            return IPAddress.v6(high: 0, low: 0xFFFF_0000_0000 | UInt64(value), scope: 0).in6
        case .v6(let high, let low, _):
            // Both are 16 plain bytes.
            return unsafeBitCast((high.bigEndian, low.bigEndian), to: in6_addr.self)
        }
    }
}

extension FixedWidthInteger {
    /// Reads a number of ASCII digits alone: no sign, no space.
    init?(digits text: Substring) {
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard isNumber else { return nil }
        self.init(text)
    }
}
