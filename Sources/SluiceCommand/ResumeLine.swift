// SPDX-License-Identifier: Apache-2.0
//
// What the two partners of a resumed transfer tell each other before the bytes, a line each.

/// A line that is said before a resumed transfer.
enum ResumeLine: Hashable {
    /// The receiver, first: so many bytes it has already, and their SHA-256.
    case have(byteCount: Int, sha256: String)
    /// The sender, once a second: it still reads its file, and another line follows.
    case reading
    /// The sender: the whole file has so many bytes; those that the receiver lacks follow.
    case size(Int)
    /// The sender: the file begins with other bytes. Nothing follows.
    case differs
    /// The sender: the file has only so many bytes. Nothing follows.
    case shorter(Int)

    /// A longer line is none of these.
    static let longest = 120

    /// What every line begins with, so that no file's first line is taken for one.
    private static let mark = "sluice-resume-1 "

    /// Reads a line, without its end; anything else gives `nil`.
    init?(_ line: String) {
        guard line.hasPrefix(Self.mark) else { return nil }
        let words = line.dropFirst(Self.mark.count)
            .split(separator: " ", omittingEmptySubsequences: false)
        switch (words.first, words.count) {
        case ("have", 3):
            guard let count = Self.count(words[1]), Self.isSHA256(words[2]) else { return nil }
            self = .have(byteCount: count, sha256: String(words[2]))
        case ("size", 2):
            guard let count = Self.count(words[1]) else { return nil }
            self = .size(count)
        case ("shorter", 2):
            guard let count = Self.count(words[1]) else { return nil }
            self = .shorter(count)
        case ("differs", 1): self = .differs
        case ("reading", 1): self = .reading
        default: return nil
        }
    }

    /// Takes the first line that says something, and what stands before it.
    ///
    /// - Parameter end: what is left of the bytes begins there.
    /// - Returns: what the line is, `.some(nil)` for none of these; `nil` where more is to come
    ///   before that is known. A line without its end is none yet, whatever it says.
    static func first(in bytes: UnsafeRawBufferPointer, upTo end: inout Int) -> ResumeLine?? {
        end = 0
        while let feed = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
            let text = bytes[end..<feed].prefix(longest + 1)
            let line = ResumeLine(String(decoding: text, as: UTF8.self))
            end = feed + 1
            if line != .reading { return .some(line) }
        }
        return bytes.count - end > longest ? .some(nil) : nil
    }

    /// A number of bytes: digits alone.
    private static func count(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    private static func isSHA256(_ text: Substring) -> Bool {
        text.utf8.count == 2 * Digest.byteCount
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

extension ResumeLine: CustomStringConvertible {
    /// The line, without its end.
    var description: String {
        Self.mark + words
    }

    private var words: String {
        switch self {
        case .have(let byteCount, let sha256): "have \(byteCount) \(sha256)"
        case .reading: "reading"
        case .size(let byteCount): "size \(byteCount)"
        case .differs: "differs"
        case .shorter(let byteCount): "shorter \(byteCount)"
        }
    }
}
