// SPDX-License-Identifier: Apache-2.0
//
// The options of raw sockets that receive ICMP: which types of messages are left out.
// Each key says its effect, unit, initial value, C name and manual page.

import CSystemCalls
import Glibc

extension SocketOption where Value == Set<UInt8> {
    /// The types of ICMP messages that a raw socket does not get.
    ///
    /// 0 to 31, else `.invalidArgument`: the others always come. Initially none. Source:
    /// `ICMP_FILTER`, raw(7); RFC 792.
    public static var icmpBlockedTypes: Self {
        Self(SOL_RAW, csystem_icmp_filter, .bits(wordCount: 1))
    }

    /// The types of ICMPv6 messages that a raw socket does not get.
    ///
    /// Initially none. Source: `ICMP6_FILTER`, RFC 3542, 3.2.
    public static var icmp6BlockedTypes: Self {
        Self(SOL_ICMPV6, csystem_icmp6_filter, .bits(wordCount: 8))
    }
}

extension SocketOptionForm where Value == Set<UInt8> {
    /// An array of words of 32 bits, of which a bit stands for each number.
    fileprivate static func bits(wordCount: Int) -> Self {
        let width = MemoryLayout<UInt32>.size
        return Self(byteCount: wordCount * width) { answer in
            guard answer.byteCount >= wordCount * width else { return nil }
            var numbers: Value = []
            for number in UInt8.min...UInt8.max {
                let word: UInt32 = answer.number(at: Int(number / 32) * width) ?? 0
                if word & 1 << (number % 32) != 0 { numbers.insert(number) }
            }
            return numbers
        } write: { value, call throws(ErrorCode) in
            var words = [UInt32](repeating: 0, count: wordCount)
            for number in value {
                guard Int(number) / 32 < wordCount else { throw .invalidArgument }
                words[Int(number) / 32] |= 1 << (number % 32)
            }
            try words.span.bytes.withUnsafeBytes { bytes throws(ErrorCode) in try call(bytes) }
        }
    }
}
