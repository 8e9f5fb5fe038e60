// SPDX-License-Identifier: Apache-2.0
//
// Text that is looked at before it is taken: it is what is taken then, and nothing is lost.

import Testing

@testable import SluiceText

@Suite struct LookingAhead {
    private static let text = "a\r\nb\rc\n\r\n\u{65E5}\u{672C}x\r\n\u{8A9E}\u{1A}no"

    private static func bytes(in encoding: TextEncoding) throws -> [UInt8] {
        var options = TextOptions()
        options.encoding = encoding
        options.outputTranslation = .lf
        var output = TextOutput(options)
        var bytes: [UInt8] = []
        try output.append(text, to: &bytes)
        output.finish(into: &bytes)
        return bytes
    }

    @Test(
        arguments: ["utf-8", "utf-16le", "utf-32be", "shiftjis", "euc-jp", "iso2022-jp"],
        [LineTranslation.auto, .lf, .cr, .crlf])
    func `what is looked at is what is taken`(name: String, translation: LineTranslation) throws {
        var options = TextOptions()
        options.encoding = try TextEncoding(named: name)
        options.inputTranslation = translation
        options.inputEndMark = "\u{1A}"
        let all = try Self.bytes(in: options.encoding)
        var whole = TextInput(options)
        let expected = try whole.take(upTo: .max, from: all.span.bytes, isLast: true).text ?? ""
        for size in 1...5 {
            for step in 1...5 {
                var input = TextInput(options)
                var rest: [UInt8] = []
                var got = ""
                for start in stride(from: 0, to: all.count, by: step) {
                    rest += all[start..<min(start + step, all.count)]
                    let isLast = start + step >= all.count
                    while true {
                        let much = try input.look(
                            upTo: 9, at: rest.span.bytes, isLast: isLast
                        ).text
                        let seen = try input.look(
                            upTo: size, at: rest.span.bytes, isLast: isLast
                        ).text
                        #expect(much.unicodeScalars.starts(with: seen.unicodeScalars))
                        let piece = try input.take(
                            upTo: size, from: rest.span.bytes, isLast: isLast)
                        #expect(piece.text == seen)
                        rest.removeFirst(piece.byteCount)
                        got += seen
                        if seen.isEmpty { break }
                    }
                }
                #expect(got == expected, "\(name), \(translation), \(size), \(step)")
                let isAtEndMark = input.isAtEndMark
                #expect(isAtEndMark)
            }
        }
    }

    @Test func `what stands before bytes that are no text is seen, and those throw`() throws {
        var input = TextInput(TextOptions())
        let bytes: [UInt8] = [0x61, 0xFF]
        #expect(try input.look(upTo: 9, at: bytes.span.bytes, isLast: true).text == "a")
        #expect(try input.take(upTo: 9, from: bytes.span.bytes, isLast: true).text == "a")
        let rest: [UInt8] = [0xFF]
        #expect(throws: TextError.undecodable([0xFF], .utf8)) {
            _ = try input.look(upTo: 9, at: rest.span.bytes, isLast: true)
        }
    }
}
