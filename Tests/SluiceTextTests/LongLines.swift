// SPDX-License-Identifier: Apache-2.0
//
// Lines at their limit and beyond, and long lines in small pieces.

import Testing

@testable import SluiceText

@Suite
struct LongLines {
    private static let names = ["utf-8", "iso8859-1", "utf-16le", "cp1252", "shiftjis"]

    private func options(
        _ name: String, limit: Int, _ translation: LineTranslation = .auto
    ) throws -> TextOptions {
        try .of(name) {
            $0.lineLimit = limit
            $0.inputTranslation = translation
        }
    }

    private func encoded(_ text: String, _ name: String) throws -> [UInt8] {
        var output = TextOutput(try .of(name))
        var bytes: [UInt8] = []
        try output.append(text, to: &bytes)
        return bytes
    }

    @Test(arguments: names)
    func `a line of the limit is a line`(name: String) throws {
        for end in ["\n", "\r", "\r\n"] {
            let limit = try encoded("abcd", name).count
            let feed = Feed(try options(name, limit: limit), try encoded("abcd" + end, name))
            #expect(try feed.line() == "abcd")
        }
    }

    @Test(arguments: names)
    func `a longer line is an error and consumes nothing`(name: String) throws {
        let limit = try encoded("abcd", name).count - 1
        for end in ["\n", "\r", "\r\n", "efghijk", ""] {
            let feed = Feed(try options(name, limit: limit), try encoded("abcd" + end, name))
            let all = feed.bytes
            #expect(throws: TextError.lineTooLong(limit: limit)) { _ = try feed.line() }
            #expect(throws: TextError.lineTooLong(limit: limit)) {
                _ = try feed.line(isLast: true)
            }
            #expect(feed.bytes == all)
        }
    }

    @Test(arguments: names)
    func `the half of a pair is not part of the line`(name: String) throws {
        let limit = try encoded("abcd", name).count
        let feed = Feed(try options(name, limit: limit, .crlf), try encoded("abcd\r", name))
        #expect(try feed.line() == nil)
        #expect(try feed.line(try encoded("\n", name)) == "abcd")
        let other = Feed(try options(name, limit: limit, .crlf), try encoded("abcd\r", name))
        #expect(throws: TextError.lineTooLong(limit: limit)) {
            _ = try other.line(try encoded("e", name))
        }
        let last = Feed(try options(name, limit: limit, .crlf), try encoded("abcd\r", name))
        #expect(throws: TextError.lineTooLong(limit: limit)) { _ = try last.line(isLast: true) }
    }

    @Test func `a line too long may still be taken as text`() throws {
        let feed = Feed(try options("utf-8", limit: 2), "abcd\ne\n".bytes)
        #expect(throws: TextError.self) { _ = try feed.line() }
        #expect(try feed.text(upTo: 3) == "abc")
        #expect(try feed.lines() == ["d", "e"])
    }

    @Test func `a greater limit makes a line of one too long`() throws {
        let feed = Feed(try options("shiftjis", limit: 2), "abcd\n".bytes)
        #expect(throws: TextError.self) { _ = try feed.line() }
        feed.change { $0.lineLimit = 4 }
        #expect(try feed.line() == "abcd")
    }

    @Test(arguments: [0, -1, Int.min, Int.max])
    func `no limit traps`(limit: Int) throws {
        for name in Self.names {
            let feed = Feed(try options(name, limit: limit), try encoded("a\n", name))
            if limit == .max {
                #expect(try feed.line() == "a")
            } else {
                #expect(throws: TextError.lineTooLong(limit: limit)) { _ = try feed.line() }
            }
        }
    }

    @Test func `escape sequences without a character do not hide from the limit`() throws {
        let escapes = Array(repeating: [0x1B, 0x28, 0x42] as [UInt8], count: 5).flatMap(\.self)
        let feed = Feed(try options("iso2022-jp", limit: 14), escapes)
        #expect(throws: TextError.lineTooLong(limit: 14)) { _ = try feed.line() }
        #expect(try Feed(options("iso2022-jp", limit: 15), escapes).line([0x0A]) == "")
    }

    @Test func `plain bytes are searched once`() throws {
        var input = TextInput(TextOptions())
        let bytes = Array(repeating: UInt8(ascii: "a"), count: 10_000)
        for count in stride(from: 10, through: 10_000, by: 10) {
            let piece = try input.nextLine(
                in: bytes.span.bytes.extracting(first: count), isLast: false)
            #expect(piece == TextInput.Piece(text: nil, byteCount: 0))
            let scanned = input.scannedByteCount
            #expect(scanned == count)
        }
    }

    @Test func `other bytes are decoded and searched once`() throws {
        var input = TextInput(try .of("shiftjis"))
        let bytes = Array(repeating: [0x82, 0xA0] as [UInt8], count: 1_000).flatMap(\.self)
        for count in stride(from: 1, through: 2_000, by: 1) {
            _ = try input.nextLine(in: bytes.span.bytes.extracting(first: count), isLast: false)
            let scanned = input.scannedCount
            #expect(scanned == count / 2)
        }
    }

    @Test func `a search begins where the last one stopped`() {
        let search = LineSearch(TextOptions())
        let bytes = "a\nb\n".bytes
        let end = bytes.withUnsafeBytes { bytes in
            search.end(in: bytes, from: 0, resumingAt: 2, isLast: false)
        }
        #expect(end == .found(content: 3, next: 4, swallows: false))
    }

    @Test func `lines longer than a block are found`() throws {
        for count in [510, 511, 512, 513, 1_023, 1_024, 1_025, 5_000] {
            let line = String(repeating: "a", count: count)
            let ends: [(String, LineTranslation)] = [("\n", .lf), ("\r", .cr), ("\r\n", .crlf)]
            for (end, exact) in ends {
                for translation in [.auto, exact] {
                    let options = try options("utf-8", limit: 5_000, translation)
                    let feed = Feed(options, (line + end + "b" + end).bytes)
                    #expect(try feed.lines() == [line, "b"])
                }
            }
        }
    }
}
