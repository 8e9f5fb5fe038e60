// SPDX-License-Identifier: Apache-2.0
//
// A character that ends the text: on input it is met, on output it is written.

import SluiceText
import Testing

@Suite
struct EndMarks {
    private static let names = ["utf-8", "binary", "cp1252", "shiftjis"]

    private func options(_ name: String, mark: Unicode.Scalar = "\u{1A}") throws -> TextOptions {
        try .of(name) { $0.inputEndMark = mark }
    }

    @Test(arguments: names)
    func `lines end at the mark`(name: String) throws {
        let feed = Feed(try options(name), "a\nb\u{1A}c\n".bytes)
        #expect(try feed.line() == "a")
        #expect(!feed.isAtEndMark)
        #expect(try feed.line() == "b")
        #expect(feed.isAtEndMark)
        #expect(try feed.line() == nil)
        #expect(try feed.line(isLast: true) == nil)
        #expect(feed.bytes == "\u{1A}c\n".bytes)
    }

    @Test(arguments: names)
    func `text ends at the mark`(name: String) throws {
        let feed = Feed(try options(name), "ab\u{1A}c".bytes)
        #expect(try feed.text(upTo: 2) == "ab")
        #expect(!feed.isAtEndMark)
        #expect(try feed.text() == "")
        #expect(feed.isAtEndMark)
        #expect(try feed.text(isLast: true) == "")
        #expect(feed.bytes == "\u{1A}c".bytes)
    }

    @Test(arguments: names)
    func `without the mark its character is like any other`(name: String) throws {
        let feed = Feed(try options(name), "a\u{1A}b\n".bytes)
        #expect(try feed.line() == "a")
        feed.change { $0.inputEndMark = nil }
        #expect(!feed.isAtEndMark)
        #expect(try feed.line() == "\u{1A}b")
    }

    @Test func `the same mark again changes nothing`() throws {
        let feed = Feed(try options("utf-8"), "a\u{1A}b\n".bytes)
        #expect(try feed.text() == "a")
        feed.change { $0.inputTranslation = .lf }
        #expect(feed.isAtEndMark)
        #expect(try feed.text() == "")
    }

    @Test func `a mark right behind an end of a line makes no line`() throws {
        let feed = Feed(try options("utf-8"), "a\n\u{1A}".bytes)
        #expect(try feed.lines() == ["a"])
        #expect(feed.isAtEndMark)
    }

    @Test func `a mark is looked for before ends of lines`() throws {
        for name in Self.names {
            let lineFeed = Feed(try options(name, mark: "\n"), "a\r\nb".bytes)
            #expect(try lineFeed.lines() == ["a"])
            #expect(lineFeed.isAtEndMark)
            #expect(lineFeed.bytes == "\nb".bytes)
            let pairs = Feed(try options(name, mark: "\n"), "a\r\nb".bytes)
            pairs.change { $0.inputTranslation = .crlf }
            #expect(try pairs.text() == "a\r")
            #expect(pairs.isAtEndMark)
        }
    }

    @Test func `a mark is a character, not a byte`() throws {
        let feed = Feed(try .of("utf-16be") { $0.inputEndMark = "A" }, [0x41, 0x41, 0, 0x41])
        #expect(try feed.text() == "\u{4141}")
        #expect(feed.isAtEndMark)
        #expect(feed.bytes == [0, 0x41])
    }

    @Test(arguments: ["\u{0}", "\u{80}", "é", "😀"] as [Unicode.Scalar])
    func `a mark outside of the bounds is none`(mark: Unicode.Scalar) throws {
        let text = "a\(mark)b"
        #expect(try Feed(try options("utf-8", mark: mark), text.bytes).text() == text)
        var output = TextOutput(try .of("utf-8") { $0.outputEndMark = mark })
        var bytes: [UInt8] = []
        output.finish(into: &bytes)
        #expect(bytes.isEmpty)
    }

    @Test func `the output's mark is written once, encoded`() throws {
        var output = TextOutput(try .of("utf-16be") { $0.outputEndMark = "\u{1A}" })
        var bytes: [UInt8] = []
        try output.append("a", to: &bytes)
        output.finish(into: &bytes)
        output.finish(into: &bytes)
        #expect(bytes == [0, 0x61, 0, 0x1A])
    }

    @Test func `the output's mark is not translated`() throws {
        var output = TextOutput(
            try .of("utf-8") {
                $0.outputEndMark = "\n"
                $0.outputTranslation = .crlf
            })
        var bytes: [UInt8] = []
        output.finish(into: &bytes)
        #expect(bytes == [0x0A])
    }
}
