// SPDX-License-Identifier: Apache-2.0
//
// What text becomes in each encoding, and what has no bytes in it.

import SluiceText
import Testing

@Suite
struct Encoding {
    private func bytes(
        of text: String, _ name: String, _ edit: (inout TextOptions) -> Void = { _ in }
    ) throws -> [UInt8] {
        var output = TextOutput(try .of(name, edit))
        var bytes: [UInt8] = []
        try output.append(text, to: &bytes)
        output.finish(into: &bytes)
        return bytes
    }

    @Test(arguments: [
        ("utf-8", "é€😀", [0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80] as [UInt8]),
        ("iso8859-1", "aé", [0x61, 0xE9]),
        ("binary", "\u{0}ÿ", [0x00, 0xFF]),
        ("utf-16be", "A😀", [0, 0x41, 0xD8, 0x3D, 0xDE, 0]),
        ("utf-16le", "A😀", [0x41, 0, 0x3D, 0xD8, 0, 0xDE]),
        ("utf-32be", "😀", [0, 1, 0xF6, 0]),
        ("utf-32le", "😀", [0, 0xF6, 1, 0]),
        ("cp1252", "€", [0x80]),
        ("koi8-r", "а", [0xC1]),
        ("shiftjis", "あA", [0x82, 0xA0, 0x41]),
        ("euc-jp", "あ", [0xA4, 0xA2]),
        ("big5", "一", [0xA4, 0x40]),
        ("gb18030", "𐀀", [0x90, 0x30, 0x81, 0x30]),
        ("cp1258", "\u{1EBF}", [0xEA, 0xEC]),
        ("iso2022-jp", "あ", [0x1B, 0x24, 0x42, 0x24, 0x22, 0x1B, 0x28, 0x42]),
    ])
    func `text becomes the bytes of the standard`(
        name: String, text: String, expected: [UInt8]
    ) throws {
        #expect(try bytes(of: text, name) == expected)
    }

    @Test func `a byte-order mark is written once`() throws {
        var output = TextOutput(try .of("utf-16"))
        var bytes: [UInt8] = []
        try output.append("a", to: &bytes)
        try output.append("b", to: &bytes)
        output.finish(into: &bytes)
        let marked = try Feed(.of("utf-16"), bytes).text(isLast: true)
        #expect(bytes.count == 6 && marked == "ab")
    }

    @Test(arguments: [
        (LineTranslation.lf, "a\nb\r\n\n"), (.cr, "a\rb\r\r\r"), (.crlf, "a\r\nb\r\r\n\r\n"),
        (.auto, "a\r\nb\r\r\n\r\n"),
    ])
    func `line feeds become the translation's line ends`(
        translation: LineTranslation, text: String
    ) throws {
        for name in ["utf-8", "ascii", "cp1252", "shiftjis", "utf-16be"] {
            let plain = try bytes(of: text, name)
            #expect(
                try bytes(of: "a\nb\r\n\n", name) { $0.outputTranslation = translation } == plain)
        }
    }

    @Test(
        arguments: [
            ("ascii", "é"), ("iso8859-1", "€"), ("binary", "\u{100}"), ("cp1252", "あ"),
            ("shiftjis", "😀"), ("iso2022-jp", "é"), ("iso2022-kr", "\u{E0041}"),
        ] as [(String, Unicode.Scalar)])
    func `a character without bytes writes nothing at all`(
        name: String, scalar: Unicode.Scalar
    ) throws {
        var output = TextOutput(try .of(name))
        var bytes: [UInt8] = [1, 2, 3]
        let error = TextError.unencodable(scalar, try TextEncoding(named: name))
        var thrown: TextError?
        do throws(TextError) {
            try output.append("ab\(scalar)c", to: &bytes)
        } catch {
            thrown = error
        }
        #expect(thrown == error)
        #expect(bytes == [1, 2, 3])
        try output.append("a", to: &bytes)
        #expect(Array(bytes.suffix(1)) == [0x61])
    }

    @Test(
        arguments: [
            ("ascii", "é"), ("iso8859-1", "€"), ("cp1252", "あ"), ("shiftjis", "😀"),
            ("iso2022-jp", "é"), ("shiftjis", "\u{E0041}"),
        ] as [(String, Unicode.Scalar)])
    func `a question mark stands for a character without bytes`(
        name: String, scalar: Unicode.Scalar
    ) throws {
        let replaced = try bytes(of: "a\(scalar)\(scalar)b", name) { $0.errorPolicy = .replacing }
        #expect(replaced == "a??b".bytes)
    }

    @Test func `a text refused leaves the shift as it was`() throws {
        var output = TextOutput(try .of("iso2022-jp"))
        var bytes: [UInt8] = []
        try output.append("あ", to: &bytes)
        let before = bytes
        #expect(throws: TextError.self) { try output.append("aé", to: &bytes) }
        #expect(bytes == before)
        try output.append("あ", to: &bytes)
        #expect(bytes == before + [0x24, 0x22])
    }

    @Test func `a shift is undone once, at the end`() throws {
        var output = TextOutput(try .of("iso2022-jp"))
        var bytes: [UInt8] = []
        try output.append("あ", to: &bytes)
        #expect(bytes == [0x1B, 0x24, 0x42, 0x24, 0x22])
        output.change(to: try .of("iso2022-jp") { $0.outputTranslation = .crlf })
        #expect(bytes.count == 5)
        output.finish(into: &bytes)
        output.finish(into: &bytes)
        #expect(bytes == [0x1B, 0x24, 0x42, 0x24, 0x22, 0x1B, 0x28, 0x42])
    }

    @Test func `another encoding first undoes the shift of the old one`() throws {
        var output = TextOutput(try .of("iso2022-jp"))
        var bytes: [UInt8] = []
        try output.append("あ", to: &bytes)
        output.change(to: TextOptions())
        let isTransparent = output.isTransparent
        #expect(!isTransparent)
        try output.append("é", to: &bytes)
        #expect(Array(bytes[5...]) == [0x1B, 0x28, 0x42, 0xC3, 0xA9])
        let isTransparentNow = output.isTransparent
        #expect(isTransparentNow)
    }

    @Test(arguments: LineTranslation.allCases)
    func `only UTF-8 with line feeds is transparent`(translation: LineTranslation) throws {
        for name in ["utf-8", "ascii", "iso8859-1", "utf-16le"] {
            let output = TextOutput(try .of(name) { $0.outputTranslation = translation })
            let isTransparent = output.isTransparent
            #expect(isTransparent == (name == "utf-8" && translation == .lf))
        }
    }

    @Test func `no text is no bytes`() throws {
        for name in TextEncoding.names {
            #expect(try bytes(of: "", name).isEmpty, "\(name)")
        }
    }

    @Test func `long texts are encoded whole`() throws {
        let text = String(repeating: "aあ\u{E0041}", count: 5_000)
        let expected = String(repeating: "aあ?", count: 5_000)
        let encoded = try bytes(of: text, "iso2022-jp") { $0.errorPolicy = .replacing }
        #expect(try Feed(.of("iso2022-jp"), encoded).text(isLast: true) == expected)
    }
}
