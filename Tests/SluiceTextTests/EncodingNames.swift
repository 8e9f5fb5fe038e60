// SPDX-License-Identifier: Apache-2.0
//
// Names of encodings: Tcl's, the system's, and those that are none.

import Testing

@testable import SluiceText

@Suite
struct EncodingNames {
    @Test(arguments: [
        ("utf-8", ["UTF-8", "utf8", "identity"]),
        ("ascii", ["US-ASCII", "ANSI_X3.4-1968"]),
        ("iso8859-1", ["ISO-8859-1", "latin1", "L1", "ISO_8859-1:1987"]),
        ("iso8859-15", ["ISO-8859-15", "Latin-9"]),
        ("shiftjis", ["ShiftJIS", "SJIS", "Shift_JIS", "MS_Kanji"]),
        ("euc-jp", ["EUCJP", "ujis"]),
        ("cp1252", ["windows-1252", "CP1252"]),
        ("cp936", ["GBK"]),
        ("macRoman", ["macroman", "MACINTOSH"]),
        ("binary", ["", "BINARY"]),
        ("utf-16be", ["UTF-16BE"]),
        ("koi8-t", ["KOI8-T"]),
    ])
    func `names of one encoding are equal`(canonical: String, others: [String]) throws {
        let encoding = try TextEncoding(named: canonical)
        #expect(encoding.name == canonical)
        #expect(encoding.description == canonical)
        for other in others {
            let same = try TextEncoding(named: other)
            #expect(same == encoding)
            #expect(same.hashValue == encoding.hashValue)
        }
    }

    @Test func `different encodings are not equal`() {
        #expect(TextEncoding.latin1 != .binary)
        #expect(TextEncoding.utf16BigEndian != .utf16LittleEndian)
    }

    @Test func `the built-in ones have the names that find them`() throws {
        let builtIn: [TextEncoding] = [
            .utf8, .ascii, .latin1, .utf16BigEndian, .utf16LittleEndian, .utf32BigEndian,
            .utf32LittleEndian, .binary,
        ]
        for encoding in builtIn {
            #expect(try TextEncoding(named: encoding.name) == encoding)
            #expect(TextEncoding.names.contains(encoding.name))
        }
    }

    @Test func `unicode is UTF-16 of this machine`() throws {
        let number: UInt16 = 0x4100
        let isBigEndian = number == number.bigEndian
        #expect(
            try TextEncoding(named: "unicode")
                == (isBigEndian ? .utf16BigEndian : .utf16LittleEndian))
    }

    @Test(arguments: ["ISO-10646/UTF8/", "ISO-10646/UCS4/", "ISO/TR_11548-1/"])
    func `the system's names with slashes are known`(name: String) throws {
        let encoding = try TextEncoding(named: name)
        let input = Feed(try TextOptions.of(name), name == "ISO-10646/UTF8/" ? [0x61] : [])
        #expect(try input.text(isLast: true) == (name == "ISO-10646/UTF8/" ? "a" : ""))
        #expect(encoding.name.lowercased() == name.lowercased())
    }

    @Test(arguments: [
        "no-such-encoding", " utf-8", "utf-8 ", "ut!f8", "!", "utf-8//IGNORE", "ASCII//TRANSLIT",
        "ISO-10646//UTF8", "/", "//", "/UTF8", "cp1252\u{0}", "\u{0}", "sjis,ccs=utf-8", "WCHAR_T",
        "INTERNAL", "é", "\u{0130}so8859-1", "😀", "..", "-",
    ])
    func `other names are unknown`(name: String) {
        #expect(throws: TextError.unknownEncoding(name)) { _ = try TextEncoding(named: name) }
    }

    @Test func `a very long name is unknown`() {
        let name = String(repeating: "a", count: 1_000_000)
        #expect(throws: TextError.unknownEncoding(name)) { _ = try TextEncoding(named: name) }
    }

    @Test func `the known names are sorted, canonical, and all can be had`() throws {
        let names = TextEncoding.names
        #expect(names == names.sorted())
        #expect(Set(names).count == names.count)
        for name in names { #expect(try TextEncoding(named: name).name == name) }
    }

    @Test func `every known encoding gives back what it has bytes for`() throws {
        for name in TextEncoding.names {
            var output = TextOutput(try .of(name))
            var bytes: [UInt8] = []
            try output.append("Az09 \n", to: &bytes)
            output.finish(into: &bytes)
            #expect(try Feed(.of(name), bytes).lines(isLast: true) == ["Az09 "], "\(name)")
        }
    }

    @Test func `the C locale is ISO 8859-1`() {
        #expect(TextEncoding.ofLocale("C") == .latin1)
        #expect(TextEncoding.ofLocale("POSIX") == .latin1)
    }

    @Test func `a locale that is not there is ISO 8859-1`() {
        #expect(TextEncoding.ofLocale("xx_YY.none") == .latin1)
    }

    @Test func `the process has an encoding`() {
        #expect(TextEncoding.names.contains(TextEncoding.system.name))
    }

    @Test func `a UTF-8 locale is UTF-8`() {
        #expect(TextEncoding.ofLocale("C.UTF-8") == .utf8)
    }

    @Test func `binary options are lf without marks`() {
        var options = TextOptions()
        options.inputEndMark = "\u{1A}"
        options.outputEndMark = "\u{1A}"
        options.outputTranslation = .crlf
        options.makeBinary()
        #expect(options.encoding == .binary)
        #expect(options.inputTranslation == .lf && options.outputTranslation == .lf)
        #expect(options.inputEndMark == nil && options.outputEndMark == nil)
    }

    @Test(arguments: [
        (TextError.unknownEncoding("x"), "unknown encoding \"x\""),
        (.undecodable([0xC3, 0x28], .utf8), "bytes C3 28 are no utf-8"),
        (.undecodable([0x0F], .ascii), "byte 0F is no ascii"),
        (.unencodable("€", .latin1), "iso8859-1 has no U+20AC"),
        (.unencodable("\u{1F600}", .ascii), "ascii has no U+1F600"),
        (.lineTooLong(limit: 10), "a line is longer than 10 bytes"),
    ])
    func `errors say what happened`(error: TextError, text: String) {
        #expect(error.description == text)
    }
}
