// SPDX-License-Identifier: Apache-2.0
//
// The encodings of Unicode, one character at a time and without a state.
// Of bytes that are no character, the longest start of a character counts as one.

/// What stands at the front of some bytes.
enum DecodingStep: Equatable {
    case character(Unicode.Scalar, byteCount: Int)
    /// Bytes that are no character.
    case undecodable(byteCount: Int)
    /// The start of a character, which more bytes may complete.
    case incomplete

    /// A character if the number is one, else as many bytes that are none.
    init(_ value: UInt32, byteCount: Int) {
        if let scalar = Unicode.Scalar(value) {
            self = .character(scalar, byteCount: byteCount)
        } else {
            self = .undecodable(byteCount: byteCount)
        }
    }
}

extension DecodingStep {
    /// UTF-8; `bytes` must not be empty.
    ///
    /// Source: RFC 3629; The Unicode Standard, table 3-7 and "maximal subpart".
    static func utf8(_ bytes: UnsafeRawBufferPointer) -> DecodingStep {
        let lead = bytes[0]
        if lead < 0x80 { return .character(Unicode.Scalar(lead), byteCount: 1) }
        // The second byte's bounds keep out longer forms than needed, surrogates and what is
        // above U+10FFFF.
        var bounds: ClosedRange<UInt8> = 0x80...0xBF
        let length: Int
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { bounds = 0xA0...0xBF }
            if lead == 0xED { bounds = 0x80...0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { bounds = 0x90...0xBF }
            if lead == 0xF4 { bounds = 0x80...0x8F }
        default: return .undecodable(byteCount: 1)
        }
        var value = UInt32(lead) & (0x7F >> UInt32(length))
        for index in 1..<length {
            guard index < bytes.count else { return .incomplete }
            guard bounds.contains(bytes[index]) else { return .undecodable(byteCount: index) }
            bounds = 0x80...0xBF
            value = value << 6 | UInt32(bytes[index] & 0x3F)
        }
        return DecodingStep(value, byteCount: length)
    }

    /// UTF-16 without a byte-order mark.
    ///
    /// Source: RFC 2781.
    static func utf16(_ bytes: UnsafeRawBufferPointer, bigEndian: Bool) -> DecodingStep {
        guard bytes.count >= 2 else { return .incomplete }
        let first = number(bytes, at: 0, byteCount: 2, bigEndian: bigEndian)
        guard (0xD800...0xDBFF).contains(first) else { return DecodingStep(first, byteCount: 2) }
        guard bytes.count >= 4 else { return .incomplete }
        let second = number(bytes, at: 2, byteCount: 2, bigEndian: bigEndian)
        // What follows half a pair may be a character of its own.
        guard (0xDC00...0xDFFF).contains(second) else { return .undecodable(byteCount: 2) }
        let value = 0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00)
        return DecodingStep(value, byteCount: 4)
    }

    /// UTF-32 without a byte-order mark.
    ///
    /// Source: The Unicode Standard, 3.10, D99 and D100.
    static func utf32(_ bytes: UnsafeRawBufferPointer, bigEndian: Bool) -> DecodingStep {
        guard bytes.count >= 4 else { return .incomplete }
        return DecodingStep(
            number(bytes, at: 0, byteCount: 4, bigEndian: bigEndian), byteCount: 4)
    }

    private static func number(
        _ bytes: UnsafeRawBufferPointer, at start: Int, byteCount: Int, bigEndian: Bool
    ) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<byteCount {
            let position = start + (bigEndian ? index : byteCount - 1 - index)
            value = value << 8 | UInt32(bytes[position])
        }
        return value
    }
}

extension Unicode.Scalar {
    /// Writes UTF-8, for which there must be room; answers how many bytes.
    func writeUTF8(to room: UnsafeMutableBufferPointer<UInt8>, at start: Int) -> Int {
        if value < 0x80 {
            room[start] = UInt8(truncatingIfNeeded: value)
            return 1
        }
        let count = value < 0x800 ? 2 : value < 0x1_0000 ? 3 : 4
        var rest = value
        for index in stride(from: start + count - 1, to: start, by: -1) {
            room[index] = 0x80 | UInt8(truncatingIfNeeded: rest) & 0x3F
            rest >>= 6
        }
        // As many ones as there are bytes, then a zero.
        room[start] = 0xFF << UInt8(8 - count) | UInt8(truncatingIfNeeded: rest)
        return count
    }

    /// Appends UTF-16 without a byte-order mark.
    func appendUTF16(to bytes: inout [UInt8], bigEndian: Bool) {
        if value < 0x1_0000 {
            Self.append(value, byteCount: 2, to: &bytes, bigEndian: bigEndian)
        } else {
            let rest = value - 0x1_0000
            Self.append(0xD800 + rest >> 10, byteCount: 2, to: &bytes, bigEndian: bigEndian)
            Self.append(0xDC00 + rest & 0x3FF, byteCount: 2, to: &bytes, bigEndian: bigEndian)
        }
    }

    /// Appends UTF-32 without a byte-order mark.
    func appendUTF32(to bytes: inout [UInt8], bigEndian: Bool) {
        Self.append(value, byteCount: 4, to: &bytes, bigEndian: bigEndian)
    }

    private static func append(
        _ value: UInt32, byteCount: Int, to bytes: inout [UInt8], bigEndian: Bool
    ) {
        for index in 0..<byteCount {
            let shift = 8 * (bigEndian ? byteCount - 1 - index : index)
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }
}
