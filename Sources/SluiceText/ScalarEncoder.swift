// SPDX-License-Identifier: Apache-2.0
//
// From text to bytes in any encoding.
// Only a charset of the system that is no plain table needs a state.

/// Encodes any encoding.
struct ScalarEncoder: ~Copyable {
    private let encoding: TextEncoding
    private var charsetEncoder: CharsetEncoder?

    init(_ encoding: TextEncoding) {
        self.encoding = encoding
        if case .charset(let charset) = encoding.form, charset.bytes == nil {
            charsetEncoder = CharsetEncoder(encoding, charset)
        }
    }

    /// Appends the bytes of `text` with `lineEnd` for each line feed.
    ///
    /// A character without bytes becomes `?`, or an error; by then some bytes may have been
    /// appended, but the state is the one from before.
    mutating func encode(
        _ text: String, lineEnd: String, replacing: Bool, into bytes: inout [UInt8]
    ) throws(TextError) {
        if charsetEncoder != nil {
            var scalars: [UInt32] = []
            scalars.reserveCapacity(text.utf8.count)
            for scalar in text.unicodeScalars {
                if scalar == "\n" {
                    scalars += lineEnd.unicodeScalars.lazy.map(\.value)
                } else {
                    scalars.append(scalar.value)
                }
            }
            try charsetEncoder?.encode(scalars, replacing: replacing, into: &bytes)
            return
        }
        if keepsUTF8(of: text) {
            bytes.append(utf8Of: text, lineEnd: lineEnd)
            return
        }
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                for end in lineEnd.unicodeScalars { _ = append(end, to: &bytes) }
            } else if !append(scalar, to: &bytes) {
                guard replacing else { throw .unencodable(scalar, encoding) }
                _ = append("?", to: &bytes)
            }
        }
    }

    /// Appends what returns the encoding to its initial state.
    mutating func close(into bytes: inout [UInt8]) { charsetEncoder?.close(into: &bytes) }

    /// Whether the bytes of a text are its UTF-8, which for ASCII they are in many encodings.
    private func keepsUTF8(of text: String) -> Bool {
        switch encoding.form {
        case .utf8: return true
        case .charset(let charset) where !charset.keepsASCII: return false
        case .utf16, .utf32: return false
        case .bytes, .charset:
            var text = text
            return text.withUTF8 { UnsafeRawBufferPointer($0).isASCII }
        }
    }

    /// Appends the bytes of a character; answers whether it has any.
    private func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) -> Bool {
        switch encoding.form {
        case .utf8: bytes.append(contentsOf: UTF8.encode(scalar) ?? .init())
        case .bytes(let last):
            guard scalar.value <= UInt32(last) else { return false }
            bytes.append(UInt8(scalar.value))
        case .utf16(let bigEndian): scalar.appendUTF16(to: &bytes, bigEndian: bigEndian)
        case .utf32(let bigEndian): scalar.appendUTF32(to: &bytes, bigEndian: bigEndian)
        case .charset(let charset):
            guard let byte = charset.bytes?[scalar] else { return false }
            bytes.append(byte)
        }
        return true
    }
}

extension [UInt8] {
    /// Appends UTF-8 with `lineEnd` for each line feed.
    fileprivate mutating func append(utf8Of text: String, lineEnd: String) {
        if lineEnd == "\n" {
            append(contentsOf: text.utf8)
            return
        }
        var text = text
        text.withUTF8 { content in
            let content = UnsafeRawBufferPointer(content)
            var start = 0
            while start < content.count {
                let end = content.first(0x0A, in: start..<content.count)
                append(contentsOf: content[start..<end])
                if end < content.count { append(contentsOf: lineEnd.utf8) }
                start = end + 1
            }
        }
    }
}
