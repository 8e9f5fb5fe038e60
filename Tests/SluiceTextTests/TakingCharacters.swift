// SPDX-License-Identifier: Apache-2.0
//
// Text of so many characters: what is there, and what stays.

import Testing

@testable import SluiceText

@Suite
struct TakingCharacters {
    @Test func `no more characters than asked for`() throws {
        let feed = Feed(TextOptions(), "aé€😀b".bytes)
        #expect(try feed.text(upTo: 4) == "aé€😀")
        #expect(feed.bytes == [0x62])
    }

    @Test(arguments: [0, -1, Int.min])
    func `a limit of nothing takes nothing`(limit: Int) throws {
        let feed = Feed(TextOptions(), "a".bytes)
        #expect(try feed.text(upTo: limit) == "")
        #expect(feed.bytes == [0x61])
    }

    @Test func `no bytes are no characters`() throws {
        #expect(try Feed(TextOptions()).text() == "")
        #expect(try Feed(TextOptions()).text(isLast: true) == "")
        #expect(try Feed(.of("shiftjis")).text(isLast: true) == "")
    }

    @Test(arguments: [
        ("utf-8", [0x61, 0xE2, 0x82] as [UInt8], 1), ("utf-16be", [0, 0x61, 0xD8, 0x3D, 0xDE], 2),
        ("shiftjis", [0x61, 0x82], 1), ("gb18030", [0x61, 0x90, 0x30, 0x81], 1),
        ("iso2022-jp", [0x61, 0x1B, 0x24], 1),
    ])
    func `bytes of an incomplete character stay`(
        name: String, bytes: [UInt8], taken: Int
    ) throws {
        let feed = Feed(try .of(name), bytes)
        #expect(try feed.text() == "a")
        #expect(feed.bytes == Array(bytes[taken...]))
        #expect(try feed.text() == "")
        #expect(feed.bytes == Array(bytes[taken...]))
    }

    @Test func `a character in the middle of its bytes is taken once it is whole`() throws {
        let feed = Feed(TextOptions())
        #expect(try feed.text([0xE2]) == "")
        #expect(try feed.text([0x82]) == "")
        #expect(try feed.text([0xAC]) == "€")
    }

    @Test func `good text before bad bytes comes first`() throws {
        let feed = Feed(TextOptions(), [0x61, 0xFF, 0x62])
        #expect(try feed.text() == "a")
        let bad = TextError.undecodable([0xFF], .utf8)
        #expect(throws: bad) { _ = try feed.text() }
        #expect(throws: bad) { _ = try feed.text() }
        #expect(feed.bytes == [0xFF, 0x62])
    }

    @Test func `bad bytes are taken once they may be replaced`() throws {
        let feed = Feed(TextOptions(), [0xFF, 0x62])
        #expect(throws: TextError.self) { _ = try feed.text() }
        feed.change { $0.errorPolicy = .replacing }
        #expect(try feed.text() == "\u{FFFD}b")
    }

    @Test func `bad bytes decoded ahead are taken once they may be replaced`() throws {
        let feed = Feed(try .of("shiftjis"), [0xFD, 0x62])
        #expect(throws: TextError.undecodable([0xFD], try TextEncoding(named: "shiftjis"))) {
            _ = try feed.text()
        }
        feed.change { $0.errorPolicy = .replacing }
        #expect(try feed.text() == "\u{FFFD}b")
    }

    @Test func `another encoding looks again at bytes that were not consumed`() throws {
        let feed = Feed(TextOptions(), [0x61, 0xE9])
        #expect(try feed.text() == "a")
        #expect(try feed.text() == "")
        feed.change { $0.encoding = .latin1 }
        #expect(try feed.text() == "é")
    }

    @Test func `another encoding looks again at what was decoded ahead`() throws {
        let feed = Feed(try .of("shiftjis"), [0x82, 0xA0])
        #expect(try feed.line() == nil)
        feed.change { $0.encoding = .latin1 }
        #expect(try feed.text() == "\u{82}\u{A0}")
    }

    @Test func `a shift holds from one text to the next`() throws {
        let shifted = [0x1B] + "$)C".bytes + [0x0E, 0x30, 0x21, 0x30, 0x22, 0x0F, 0x0A]
        let feed = Feed(try .of("iso2022-kr"), shifted)
        #expect(try feed.text(upTo: 1) == "가")
        #expect(try feed.text(upTo: 1) == "각")
        #expect(feed.bytes == [0x0F, 0x0A])
        #expect(try feed.line() == "")
    }

    @Test func `an escape sequence alone is not consumed`() throws {
        let escape: [UInt8] = [0x1B, 0x24, 0x42]
        let feed = Feed(try .of("iso2022-jp"), escape)
        #expect(try feed.text() == "")
        #expect(try feed.line() == nil)
        #expect(feed.bytes == escape)
        #expect(try feed.line([0x24, 0x22, 0x1B, 0x28, 0x42]) == nil)
        #expect(feed.bytes.count == 8)
        #expect(try feed.line([0x0A]) == "あ")
        #expect(feed.bytes.isEmpty)
    }

    @Test func `an escape sequence at the end goes with the last text`() throws {
        let bytes: [UInt8] = [0x1B, 0x24, 0x42, 0x24, 0x22, 0x1B, 0x28, 0x42]
        let lines = Feed(try .of("iso2022-jp"), bytes)
        #expect(try lines.line(isLast: true) == "あ")
        #expect(lines.bytes.isEmpty)
        let text = Feed(try .of("iso2022-jp"), bytes)
        #expect(try text.text(isLast: true) == "あ")
        #expect(text.bytes.isEmpty)
        let alone = Feed(try .of("iso2022-jp"), Array(bytes.suffix(3)))
        #expect(try alone.line(isLast: true) == nil)
        #expect(alone.bytes.isEmpty)
    }

    @Test func `bytes taken by somebody else end a shift`() throws {
        let bytes: [UInt8] = [0x1B, 0x24, 0x42, 0x24, 0x22, 0x24, 0x22]
        let feed = Feed(try .of("iso2022-jp"), bytes)
        #expect(try feed.text(upTo: 1) == "あ")
        #expect(feed.takeRaw(1) == [0x24])
        #expect(try feed.text(isLast: true) == "\"")
    }

    @Test func `taking in the middle of a line leaves the rest of it`() throws {
        let feed = Feed(TextOptions(), "one".bytes)
        #expect(try feed.line() == nil)
        #expect(try feed.text(upTo: 2) == "on")
        #expect(try feed.line("\n".bytes) == "e")
    }

    @Test func `an error leaves nothing behind for later texts`() throws {
        let feed = Feed(TextOptions(), [0xFF, 0x61, 0x0A] + "éx".bytes)
        #expect(throws: TextError.self) { _ = try feed.text(upTo: 1) }
        feed.change { $0.errorPolicy = .replacing }
        #expect(try feed.line() == "\u{FFFD}a")
        #expect(try feed.text(upTo: 1) == "é")
        #expect(try feed.text(upTo: 1) == "x")
    }

    @Test func `asking for a swallowed line feed leaves nothing behind`() throws {
        var input = TextInput(TextOptions())
        let first = try input.nextLine(in: "a\r".bytes.span.bytes, isLast: false)
        let swallowed = input.takeSwallowed(
            from: "b\né".bytes.span.bytes, isLast: false)
        let second = try input.nextLine(in: "b\né".bytes.span.bytes, isLast: false)
        let third = try input.take(upTo: 1, from: "éx".bytes.span.bytes, isLast: false)
        #expect([first.text, second.text, third.text] == ["a", "b", "é"])
        #expect(swallowed == 0)
    }

    @Test(arguments: ["utf-16be", "utf-16", "shiftjis"])
    func `a reader of bytes waits for the whole line feed that is not its own`(
        name: String
    ) throws {
        for changesFirst in [false, true] {
            let options = try TextOptions.of(name)
            var output = TextOutput(options)
            var bytes: [UInt8] = []
            try output.append("a\r", to: &bytes)
            let start = bytes.count
            try output.append("\n", to: &bytes)
            var input = TextInput(options)
            let beginning = Array(bytes[..<start])
            let line = try input.nextLine(in: beginning.span.bytes, isLast: false)
            #expect(line == TextInput.Piece(text: "a", byteCount: start))
            if changesFirst { input.change(to: .init()) }
            let end = Array(bytes[start...])
            for count in 0...end.count {
                let part = Array(end[..<count])
                let found = input.takeSwallowed(from: part.span.bytes, isLast: false)
                #expect(found == (count < end.count ? nil : count))
            }
        }
    }

    @Test func `characters that were delivered are not kept, though one always stays`() throws {
        var ahead = DecodedAhead()
        for _ in 0..<100_000 {
            for _ in 0..<3 { ahead.append("x", byteCount: 1) }
            #expect(ahead.drop(ahead.count - 1) > 0)
        }
        #expect(ahead.capacity < 1_000)
    }
}
