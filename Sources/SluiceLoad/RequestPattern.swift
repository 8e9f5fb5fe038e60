// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a request, and the comparison of what comes back with them.
// The pattern has no short period, so bytes that were lost or doubled do not go unnoticed.

import Glibc

/// The one request that every connection sends: printable bytes, the last one a line's end.
struct RequestPattern {
    let bytes: [UInt8]

    /// - Parameter byteCount: at least 1.
    init(byteCount: Int) {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        var bytes = (1..<max(1, byteCount)).map { _ -> UInt8 in
            // A linear congruential generator: only its upper bits look random.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return 33 + UInt8((state >> 33) % 94)
        }
        bytes.append(UInt8(ascii: "\n"))
        self.bytes = bytes
    }

    /// Compares input with the pattern, over and over.
    ///
    /// - Parameter matched: how much of the current answer has come; changed by the call.
    /// - Returns: how many answers are complete now, or `nil` where a byte differs.
    @inline(__always)
    func completed(by input: RawSpan, matched: inout Int) -> Int? {
        input.withUnsafeBytes { input in
            guard let start = input.baseAddress else { return 0 }
            return bytes.withUnsafeBytes { pattern in
                guard let expected = pattern.baseAddress else { return nil }
                var position = 0
                var completed = 0
                while position < input.count {
                    let size = min(pattern.count &- matched, input.count &- position)
                    if memcmp(start + position, expected + matched, size) != 0 { return nil }
                    position &+= size
                    matched &+= size
                    if matched == pattern.count {
                        matched = 0
                        completed &+= 1
                    }
                }
                return completed
            }
        }
    }
}

// MARK: - In datagrams

extension RequestPattern {
    /// How many bytes at the front of a datagram are its number.
    static let numberByteCount = 8

    /// Puts a number at the front of a request, in the network's byte order.
    @inline(__always)
    static func setNumber(_ number: UInt64, of request: inout [UInt8]) {
        request.withUnsafeMutableBytes { $0.storeBytes(of: number.bigEndian, as: UInt64.self) }
    }

    /// The number at the front of a datagram; 0, which no request has, where it is too short.
    @inline(__always)
    static func number(of input: RawSpan) -> UInt64 {
        input.withUnsafeBytes { input in
            input.count < numberByteCount
                ? 0 : UInt64(bigEndian: input.loadUnaligned(as: UInt64.self))
        }
    }

    /// Whether a datagram is the pattern, whatever its number.
    @inline(__always)
    func matchesBehindNumber(_ input: RawSpan) -> Bool {
        guard input.byteCount == bytes.count, bytes.count >= Self.numberByteCount else {
            return false
        }
        return input.withUnsafeBytes { input in
            bytes.withUnsafeBytes { pattern in
                guard let start = input.baseAddress, let expected = pattern.baseAddress else {
                    return false
                }
                let front = Self.numberByteCount
                return memcmp(start + front, expected + front, pattern.count &- front) == 0
            }
        }
    }
}
