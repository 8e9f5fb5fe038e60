// SPDX-License-Identifier: Apache-2.0
//
// What bytes become in each encoding: pairs from the standards, and what is no character.

import SluiceText
import TestSupport
import Testing

@Suite
struct Decoding {
    /// An encoding, bytes and the text they are.
    typealias Pair = (name: String, bytes: [UInt8], text: String)

    private static let pairs: [Pair] = [
        ("utf-8", [0x41, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80], "Aé€😀"),
        ("ascii", [0x41, 0x7F, 0x00], "A\u{7F}\u{0}"),
        ("iso8859-1", [0x41, 0x80, 0xE9, 0xFF], "A\u{80}éÿ"),
        ("binary", [0x00, 0x80, 0xFF], "\u{0}\u{80}ÿ"),
        ("utf-16be", [0x00, 0x41, 0x20, 0xAC, 0xD8, 0x3D, 0xDE, 0x00], "A€😀"),
        ("utf-16le", [0x41, 0x00, 0xAC, 0x20, 0x3D, 0xD8, 0x00, 0xDE], "A€😀"),
        ("utf-32be", [0, 0, 0, 0x41, 0, 1, 0xF6, 0], "A😀"),
        ("utf-32le", [0x41, 0, 0, 0, 0, 0xF6, 1, 0], "A😀"),
        ("utf-16", [0xFE, 0xFF, 0x20, 0xAC], "€"),
        ("utf-16", [0xFF, 0xFE, 0xAC, 0x20], "€"),
        ("utf-32", [0, 0, 0xFE, 0xFF, 0, 1, 0xF6, 0], "😀"),
        ("utf-7", "a+IKw-b".bytes, "a€b"),
        ("iso8859-5", [0xB0, 0xEF], "Ая"),
        ("iso8859-7", [0xE1], "α"),
        ("iso8859-15", [0xA4], "€"),
        ("cp437", [0x80, 0xE1], "Çß"),
        ("cp866", [0x80], "А"),
        ("cp1251", [0xC0, 0xFF], "Ая"),
        ("cp1252", [0x80, 0xE9], "€é"),
        ("koi8-r", [0xC1], "а"),
        ("macRoman", [0x80], "Ä"),
        ("tis-620", [0xA1], "ก"),
        ("shiftjis", [0x82, 0xA0, 0x41, 0xB1], "あAｱ"),
        ("cp932", [0x87, 0x40], "①"),
        ("euc-jp", [0xA4, 0xA2, 0x8E, 0xB1, 0x8F, 0xB0, 0xA1], "あｱ丂"),
        ("euc-kr", [0xB0, 0xA1], "가"),
        ("euc-cn", [0xB0, 0xA1], "啊"),
        ("cp936", [0x81, 0x40], "丂"),
        ("big5", [0xA4, 0x40], "一"),
        ("gb18030", [0xB0, 0xA1, 0x81, 0x30, 0x81, 0x30, 0x90, 0x30, 0x81, 0x30], "啊\u{80}𐀀"),
        ("iso2022-jp", [0x1B] + "$B$\"".bytes + [0x1B] + "(BA".bytes, "あA"),
        ("iso2022-kr", [0x1B] + "$)C".bytes + [0x0E, 0x30, 0x21, 0x0F, 0x41], "가A"),
    ]

    @Test(arguments: pairs)
    func `bytes become the text of the standard`(pair: Pair) throws {
        let feed = Feed(try .of(pair.name), pair.bytes)
        #expect(try feed.text(isLast: true) == pair.text)
        #expect(feed.bytes.isEmpty)
    }

    @Test(arguments: pairs)
    func `lines become the text of the standard`(pair: Pair) throws {
        let feed = Feed(try .of(pair.name), pair.bytes)
        #expect(try feed.lines(isLast: true) == [pair.text])
        #expect(feed.bytes.isEmpty)
    }

    @Test(arguments: [
        ("euc-jisx0213", [0xA4, 0xF7] as [UInt8], "か\u{309A}"),
        ("big5-hkscs", [0x88, 0x62], "\u{CA}\u{304}"),
    ])
    func `one code may become two characters`(pair: Pair) throws {
        let feed = Feed(try .of(pair.name), pair.bytes + [0x41])
        #expect(try feed.text(upTo: 1) == String(pair.text.unicodeScalars.prefix(1)))
        #expect(try feed.text(upTo: 2) == String(pair.text.unicodeScalars.dropFirst()) + "A")
        #expect(feed.bytes.isEmpty)
    }

    @Test(arguments: [
        ("cp1258", [0x61, 0xEC] as [UInt8], "a\u{301}"),
        ("cp1255", [0xE0, 0xC8], "\u{5D0}\u{5B8}"),
    ])
    func `a letter and its accent stay two characters`(pair: Pair) throws {
        let feed = Feed(try .of(pair.name), pair.bytes)
        let text = try feed.text(upTo: 2)
        #expect(text.map { Array($0.unicodeScalars) } == Array(pair.text.unicodeScalars))
    }

    /// Bytes that are no character, and what stands for them.
    private static let bad: [Pair] = [
        ("utf-8", [0x41, 0xFF, 0x42], "A\u{FFFD}B"),
        ("utf-8", [0xE2, 0x82, 0x42], "\u{FFFD}B"),
        ("utf-8", [0xE2, 0x82], "\u{FFFD}"),
        ("utf-8", [0xC0, 0x80], "\u{FFFD}\u{FFFD}"),
        ("utf-8", [0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("utf-8", [0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("ascii", [0x41, 0x80, 0xFF], "A\u{FFFD}\u{FFFD}"),
        ("utf-16be", [0xD8, 0x3D, 0x00, 0x41], "\u{FFFD}A"),
        ("utf-16be", [0xDE, 0x00, 0x00, 0x41], "\u{FFFD}A"),
        ("utf-16be", [0xD8, 0x3D, 0xDE], "\u{FFFD}"),
        ("utf-16le", [0x41], "\u{FFFD}"),
        ("utf-16", [0xFE, 0xFF, 0xDE, 0x00, 0x00, 0x41], "\u{FFFD}A"),
        ("utf-32be", [0, 0x11, 0, 0, 0, 0, 0, 0x41], "\u{FFFD}A"),
        ("utf-32be", [0, 0, 0xD8, 0, 0, 0], "\u{FFFD}\u{FFFD}"),
        ("ucs-4le", [0xFF, 0xFF, 0xFF, 0x7F, 0x41, 0, 0, 0], "\u{FFFD}A"),
        ("cp1252", [0x81, 0x41], "\u{FFFD}A"),
        ("shiftjis", [0x82, 0x0A, 0x41], "\u{FFFD}\nA"),
        ("shiftjis", [0x82], "\u{FFFD}"),
        ("euc-jp", [0xA4, 0x41], "\u{FFFD}A"),
        ("iso2022-jp", [0x1B], "\u{FFFD}"),
        ("iso2022-jp", [0x41, 0xC3], "A\u{FFFD}"),
    ]

    @Test(arguments: bad)
    func `bytes that are no character are replaced`(pair: Pair) throws {
        let options = try TextOptions.of(pair.name) { $0.errorPolicy = .replacing }
        #expect(try Feed(options, pair.bytes).text(isLast: true) == pair.text)
    }

    @Test(arguments: bad)
    func `bytes that are no character are an error`(pair: Pair) throws {
        let options = try TextOptions.of(pair.name) { $0.inputTranslation = .cr }
        let error = #expect(throws: TextError.self) {
            _ = try Feed(options, pair.bytes).line(isLast: true)
        }
        guard case .undecodable(let bytes, let encoding) = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(!bytes.isEmpty && encoding == options.encoding)
    }

    @Test func `random bytes become what the standard library makes of them`() throws {
        var random = Lottery(seed: 1)
        let options = try TextOptions.of("utf-8") {
            $0.errorPolicy = .replacing
            $0.inputTranslation = .lf
        }
        // Leads, bounds of what may follow, and bytes that are never right.
        let alphabet: [UInt8] = [
            0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED,
            0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF,
        ]
        for _ in 0..<5_000 {
            let count = Int.random(in: 0...9, using: &random)
            let bytes = (0..<count).compactMap { _ in alphabet.randomElement(using: &random) }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(try Feed(options, bytes).text(isLast: true) == text)
            // One at a time no shortcut is taken.
            let feed = Feed(options, bytes)
            var single = ""
            while let next = try feed.text(upTo: 1, isLast: true), !next.isEmpty { single += next }
            #expect(single == text)
            #expect(try Feed(options, bytes).line(isLast: true) == (bytes.isEmpty ? nil : text))
        }
    }

    @Test func `text of every scalar comes back`() throws {
        var text = ""
        for value in UInt32(0)...0x10_FFFF where value % 7 == 0 {
            if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
        }
        for name in ["utf-8", "utf-16be", "utf-16le", "utf-32be", "utf-32le"] {
            let options = try TextOptions.of(name) { $0.inputTranslation = .lf }
            var output = TextOutput(options)
            var bytes: [UInt8] = []
            try output.append(text, to: &bytes)
            #expect(try Feed(options, bytes).text(isLast: true) == text, "\(name)")
        }
    }
}
