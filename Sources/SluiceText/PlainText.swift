// SPDX-License-Identifier: Apache-2.0
//
// Text from whole pieces of UTF-8 and of charsets that extend ASCII by one byte a character.
// One check and one string; no character is looked at by itself while all bytes are ASCII.

/// How bytes of an encoding that keeps ASCII as it is become text.
struct PlainText {
    private enum Form {
        case utf8
        /// One byte a character of the same number, up to `last`.
        case bytes(last: UInt8)
        /// The character of each byte, if it is one.
        case table([Unicode.Scalar?])
    }

    private let form: Form
    private let isReplacing: Bool

    /// `nil` when the encoding's line ends cannot be found among the bytes.
    init?(_ options: TextOptions) {
        switch options.encoding.form {
        case .utf8: form = .utf8
        case .bytes(let last): form = .bytes(last: last)
        case .charset(let charset):
            guard charset.keepsASCII, let characters = charset.characters else { return nil }
            form = .table(characters)
        case .utf16, .utf32: return nil
        }
        isReplacing = options.errorPolicy == .replacing
    }

    /// The text of all bytes, or `nil` when some are no characters and nothing replaces them.
    func text(of bytes: UnsafeRawBufferPointer) -> String? {
        if case .utf8 = form {
            if let text = bytes.utf8Text { return text }
            return isReplacing ? String(decoding: bytes, as: UTF8.self) : nil
        }
        // ASCII is UTF-8 too.
        if bytes.isASCII { return bytes.utf8Text }
        if !isReplacing, bytes.contains(where: { scalar(of: $0) == nil }) { return nil }
        return String(unsafeUninitializedCapacity: bytes.count * longestUTF8) { room in
            var length = 0
            for byte in bytes {
                length += (scalar(of: byte) ?? "\u{FFFD}").writeUTF8(to: room, at: length)
            }
            return length
        }
    }

    /// The most bytes of UTF-8 that one byte becomes, U+FFFD with its three included: all
    /// characters are below U+10000.
    private var longestUTF8: Int {
        if case .bytes(last: .max) = form { return 2 }
        return 3
    }

    /// The character of one byte alone.
    private func scalar(of byte: UInt8) -> Unicode.Scalar? {
        switch form {
        case .utf8: byte < 0x80 ? Unicode.Scalar(byte) : nil
        case .bytes(let last): byte <= last ? Unicode.Scalar(byte) : nil
        case .table(let characters): characters[Int(byte)]
        }
    }

    /// The first bytes that are no character.
    func firstUndecodable(in bytes: UnsafeRawBufferPointer) -> [UInt8] {
        guard case .utf8 = form else {
            return bytes.first { scalar(of: $0) == nil }.map { [$0] } ?? []
        }
        var position = 0
        while position < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            switch DecodingStep.utf8(rest) {
            case .character(_, let byteCount): position += byteCount
            case .undecodable(let byteCount): return Array(rest[..<byteCount])
            case .incomplete: return Array(rest)
            }
        }
        return []
    }

    /// How many bytes at the end begin a character that is not complete.
    func incompleteByteCount(of bytes: UnsafeRawBufferPointer) -> Int {
        guard case .utf8 = form else { return 0 }
        for count in 1..<4 where count <= bytes.count {
            let tail = UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - count)...])
            if tail[0] & 0xC0 == 0x80 { continue }
            return DecodingStep.utf8(tail) == .incomplete ? count : 0
        }
        return 0
    }

    /// Whether the bytes are as many characters.
    func isOneByteEach(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard case .utf8 = form else { return true }
        return bytes.isASCII
    }
}

extension UnsafeRawBufferPointer {
    /// The text, if it is valid.
    fileprivate var utf8Text: String? {
        withMemoryRebound(to: UInt8.self) { bytes in
            // Where it is wrong nobody asks yet.
            guard let valid = try? UTF8Span(validating: bytes.span) else { return nil }
            return String(copying: valid)
        }
    }

    /// Whether all bytes are below 128.
    var isASCII: Bool {
        var bits: UInt8 = 0
        for byte in self { bits |= byte }
        return bits < 0x80
    }

    /// The same bytes with a line feed for each end of a line.
    func withLineFeeds(for translation: LineTranslation) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var start = 0
        while start < count {
            let end = first(0x0D, in: start..<count)
            bytes.append(contentsOf: self[start..<end])
            start = end + 1
            guard end < count else { break }
            let isPair = translation != .cr && start < count && self[start] == 0x0A
            if isPair { start += 1 }
            bytes.append(isPair || translation != .crlf ? 0x0A : 0x0D)
        }
        return bytes
    }
}
