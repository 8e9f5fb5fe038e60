// SPDX-License-Identifier: Apache-2.0
//
// What ends a line under each translation, on input; also when it comes in pieces.

import SluiceText
import Testing

@Suite
struct LineEndings {
    private static let mixed = "a\rb\nc\r\nd\r\r\n\n\re\r"

    @Test(arguments: [
        (LineTranslation.auto, ["a", "b", "c", "d", "", "", "", "e"]),
        (.cr, ["a", "b\nc", "\nd", "", "\n\n", "e"]),
        (.crlf, ["a\rb\nc", "d\r", "\n\re\r"]),
        (.lf, ["a\rb", "c\r", "d\r\r", "", "\re\r"]),
    ])
    func `lines end as the translation says`(
        translation: LineTranslation, lines: [String]
    ) throws {
        for name in ["utf-8", "iso8859-1", "cp1252", "shiftjis"] {
            let options = try TextOptions.of(name) { $0.inputTranslation = translation }
            #expect(try Feed(options, Self.mixed.bytes).lines(isLast: true) == lines)
        }
    }

    @Test(arguments: [
        (LineTranslation.auto, "a\nb\nc\nd\n\n\n\ne\n"),
        (.cr, "a\nb\nc\n\nd\n\n\n\n\ne\n"),
        (.crlf, "a\rb\nc\nd\r\n\n\re\r"),
        (.lf, mixed),
    ])
    func `text has a line feed for each end of a line`(
        translation: LineTranslation, text: String
    ) throws {
        for name in ["utf-8", "iso8859-1", "cp1252", "shiftjis"] {
            let options = try TextOptions.of(name) { $0.inputTranslation = translation }
            let all = try Feed(options, Self.mixed.bytes).text(isLast: true)
            #expect(all.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
        }
    }

    @Test func `a CR at the end of what is there ends its line at once`() throws {
        let feed = Feed(TextOptions())
        #expect(try feed.line("a\r".bytes) == "a")
        #expect(feed.swallowsLineFeed)
        #expect(try feed.line("\n".bytes) == nil)
        #expect(feed.bytes.isEmpty)
        #expect(!feed.swallowsLineFeed)
    }

    @Test func `one line feed is swallowed, not two`() throws {
        let feed = Feed(TextOptions())
        #expect(try feed.line("a\r".bytes) == "a")
        #expect(try feed.line("\n".bytes) == nil)
        #expect(try feed.line("\n".bytes) == "")
    }

    @Test func `only a line feed at the very front is swallowed`() throws {
        let feed = Feed(TextOptions())
        #expect(try feed.line("a\r".bytes) == "a")
        #expect(try feed.line("b".bytes) == nil)
        #expect(!feed.swallowsLineFeed)
        #expect(try feed.line("\n".bytes) == "b")
    }

    @Test func `a line feed of two bytes is swallowed when it is whole`() throws {
        let feed = Feed(try .of("utf-16be"))
        #expect(try feed.line([0, 0x61, 0, 0x0D]) == "a")
        #expect(try feed.line([0]) == nil)
        #expect(feed.swallowsLineFeed)
        #expect(try feed.line([0x0A]) == nil)
        #expect(feed.bytes.isEmpty)
        #expect(try feed.line([0, 0x0A]) == "")
    }

    @Test func `characters swallow a line feed too`() throws {
        let feed = Feed(TextOptions())
        #expect(try feed.text(upTo: 2, "a\r".bytes) == "a\n")
        #expect(feed.swallowsLineFeed)
        #expect(try feed.text(upTo: 1, "\nb".bytes) == "b")
        #expect(feed.bytes.isEmpty)
    }

    @Test func `a pair is one character for a limit`() throws {
        let feed = Feed(TextOptions(), "\r\n\r\n".bytes)
        #expect(try feed.text(upTo: 1) == "\n")
        #expect(feed.bytes == "\r\n".bytes)
        #expect(!feed.swallowsLineFeed)
    }

    @Test func `a line feed is swallowed as it was written, also after another translation`() throws
    {
        let feed = Feed(TextOptions())
        #expect(try feed.line("a\r".bytes) == "a")
        feed.change { $0.inputTranslation = .lf }
        #expect(try feed.line("\n\nb\n".bytes) == "")
        #expect(try feed.line() == "b")
    }

    @Test func `a line feed is swallowed as it was written, also after another encoding`() throws {
        let feed = Feed(TextOptions())
        #expect(try feed.line("a\r".bytes) == "a")
        feed.change { $0.encoding = .utf16LittleEndian }
        #expect(try feed.line([0x0A, 0x62, 0, 0x0A, 0]) == "b")
    }

    @Test func `a wide line feed is waited for after another encoding`() throws {
        var options = TextOptions()
        options.encoding = .utf16BigEndian
        let feed = Feed(options)
        #expect(try feed.line([0, 0x61, 0, 0x0D]) == "a")
        feed.change { $0.encoding = .utf8 }
        #expect(try feed.line([0]) == nil)
        #expect(try feed.line([0x0A, 0x62, 0x0A]) == "b")
    }

    @Test func `raw bytes begin behind the swallowed line feed`() throws {
        let feed = Feed(TextOptions(), "a\r".bytes)
        #expect(try feed.line() == "a")
        #expect(feed.takeRaw(1) == [])
        #expect(feed.swallowsLineFeed)
        #expect(try feed.text(upTo: 0, "\n\nb".bytes) == "")
        #expect(feed.takeRaw(2) == "\nb".bytes)
        #expect(!feed.swallowsLineFeed)
    }

    @Test func `raw bytes that are no line feed are not swallowed`() throws {
        let feed = Feed(try .of("utf-16be"), [0, 0x61, 0, 0x0D])
        #expect(try feed.line() == "a")
        #expect(try feed.text(upTo: 0, [0x0A, 0, 0]) == "")
        #expect(feed.takeRaw(3) == [0x0A, 0, 0])
    }

    @Test func `a CR waits for its LF where only the pair ends a line`() throws {
        let feed = Feed(try .of("utf-8") { $0.inputTranslation = .crlf })
        #expect(try feed.line("a\r".bytes) == nil)
        #expect(try feed.text() == "a")
        #expect(feed.bytes == [0x0D])
        #expect(try feed.text() == "")
        #expect(try feed.text("\n".bytes) == "\n")
    }

    @Test func `a CR at the end of everything waits no longer`() throws {
        let options = try TextOptions.of("utf-8") { $0.inputTranslation = .crlf }
        #expect(try Feed(options, "a\r".bytes).text(isLast: true) == "a\r")
        #expect(try Feed(options, "a\r".bytes).line(isLast: true) == "a\r")
        #expect(try Feed(options, "a\r".bytes).text(upTo: 2, isLast: true) == "a\r")
    }

    @Test func `a line that is not complete consumes nothing`() throws {
        for name in ["utf-8", "utf-16le", "shiftjis"] {
            let feed = Feed(try .of(name), [0x61, 0])
            #expect(try feed.line() == nil)
            #expect(feed.bytes == [0x61, 0])
        }
    }

    @Test func `a tail without an end is a line at the end`() throws {
        let feed = Feed(TextOptions(), "a\nb".bytes)
        #expect(try feed.lines(isLast: true) == ["a", "b"])
        #expect(try feed.line(isLast: true) == nil)
    }

    @Test func `an end of a line at the end begins no other line`() throws {
        #expect(try Feed(TextOptions(), "a\n".bytes).lines(isLast: true) == ["a"])
    }

    @Test func `bad bytes in a line are an error of that line`() throws {
        let feed = Feed(TextOptions(), "a\n".bytes + [0x62, 0xE2, 0x82, 0x0A])
        #expect(try feed.line() == "a")
        let bad = TextError.undecodable([0xE2, 0x82], .utf8)
        #expect(throws: bad) { _ = try feed.line() }
        #expect(throws: bad) { _ = try feed.line() }
        #expect(feed.bytes == [0x62, 0xE2, 0x82, 0x0A])
        feed.change { $0.encoding = .latin1 }
        #expect(try feed.line() == "b\u{E2}\u{82}")
    }
}
