// SPDX-License-Identifier: Apache-2.0
//
// However bytes are cut into pieces, the text is the same: each cut, each two cuts, each byte
// by itself, for lines and for texts of several lengths.

import SluiceText
import TestSupport
import Testing

@Suite
struct SplitInput {
    /// What came of some bytes.
    private struct Outcome: Equatable {
        var lines: [String] = []
        var text: [Unicode.Scalar] = []
        var error: TextError?
        var isAtEndMark = false
        var rest: [UInt8] = []
    }

    /// An encoding and the parts that its inputs are made of.
    struct Alphabet: Sendable, CustomTestStringConvertible {
        var name: String
        var parts: [[UInt8]]
        var testDescription: String { name }
    }

    private static let ascii: [[UInt8]] = [
        [0x0D], [0x0A], [0x0D, 0x0A], [0x61], [0x1A], [0x0D], [0x0A],
    ]

    private static func wide(_ parts: [[UInt8]], _ place: Int, of size: Int) -> [[UInt8]] {
        parts.map { part in
            part.flatMap { byte in
                var unit = Array(repeating: UInt8(0), count: size)
                unit[place] = byte
                return unit
            }
        }
    }

    static let alphabets = [
        Alphabet(
            name: "utf-8", parts: ascii + [[0xC3, 0xA9], [0xE2, 0x82, 0xAC], [0xF0, 0x9F]]),
        Alphabet(name: "utf-8", parts: ascii + [[0xF0, 0x9F, 0x98, 0x80], [0xFF], [0xED, 0xA0]]),
        Alphabet(name: "ascii", parts: ascii + [[0x80]]),
        Alphabet(name: "iso8859-1", parts: ascii + [[0xE9]]),
        Alphabet(name: "binary", parts: ascii + [[0xFF]]),
        Alphabet(name: "cp1252", parts: ascii + [[0x80], [0x81]]),
        Alphabet(
            name: "utf-16be", parts: wide(ascii, 1, of: 2) + [[0xD8, 0x3D], [0xDE, 0], [0]]),
        Alphabet(
            name: "utf-16le", parts: wide(ascii, 0, of: 2) + [[0x3D, 0xD8], [0, 0xDE], [0]]),
        Alphabet(name: "utf-32be", parts: wide(ascii, 3, of: 4) + [[0, 0x11, 0, 0], [0]]),
        Alphabet(name: "utf-32le", parts: wide(ascii, 0, of: 4) + [[0, 0xD8, 0, 0]]),
        Alphabet(name: "utf-16", parts: wide(ascii, 0, of: 2) + [[0xFF, 0xFE], [0x3D, 0xD8]]),
        Alphabet(name: "shiftjis", parts: ascii + [[0x82, 0xA0], [0x82], [0xB1], [0xFD]]),
        Alphabet(name: "euc-jp", parts: ascii + [[0xA4, 0xA2], [0x8F, 0xB0, 0xA1], [0xA4]]),
        Alphabet(name: "big5", parts: ascii + [[0xA4, 0x40], [0xA4], [0xFF]]),
        Alphabet(
            name: "gb18030", parts: ascii + [[0x90, 0x30, 0x81, 0x30], [0xB0, 0xA1], [0x81]]),
        Alphabet(name: "big5-hkscs", parts: ascii + [[0x88, 0x62], [0x88]]),
        Alphabet(name: "euc-jisx0213", parts: ascii + [[0xA4, 0xF7], [0xA4, 0xAB]]),
        Alphabet(
            name: "iso2022-jp",
            parts: ascii + [[0x1B, 0x24, 0x42], [0x24, 0x22], [0x1B, 0x28, 0x42], [0x1B]]),
        Alphabet(
            name: "iso2022-kr",
            parts: ascii + [[0x1B, 0x24, 0x29, 0x43, 0x0E, 0x30, 0x21, 0x0F], [0x0E], [0x0F]]),
        Alphabet(name: "utf-7", parts: ascii + ["+IKw-".bytes, "+".bytes, "-".bytes]),
        Alphabet(
            name: "iso-2022-jp-3",
            parts: ascii + [[0x1B, 0x24, 0x28, 0x4F], [0x24, 0x77], [0x1B, 0x28, 0x42], [0x1B]]),
        Alphabet(
            name: "iso-2022-cn-ext",
            parts: ascii + [
                [0x1B, 0x24, 0x29, 0x41], [0x0E], [0x30, 0x21], [0x0F], [0x1B, 0x4E],
            ]),
        Alphabet(
            name: "tscii", parts: ascii + [[0xA6], [0xAA, 0xAB], [0xB8, 0xAA], [0x87], [0xAC]]),
        Alphabet(name: "t.61", parts: ascii + [[0xC2, 0x61], [0xC2], [0xC8, 0x20], [0xE1]]),
        Alphabet(
            name: "ibm930",
            parts: [[0x25], [0x0D], [0x0D, 0x25], [0x0E, 0x44, 0x81, 0x0F], [0x0E]]),
        Alphabet(name: "cp1258", parts: ascii + [[0x61, 0xEC]]),
    ]

    @Test(arguments: alphabets)
    func `cuts change nothing`(alphabet: Alphabet) throws {
        var random = Lottery(seed: 42)
        for round in 0..<10 {
            var input: [UInt8] = []
            while input.count < (round.isMultiple(of: 2) ? 8 : 16) {
                input += alphabet.parts.randomElement(using: &random) ?? []
            }
            for translation in LineTranslation.allCases {
                var options = try TextOptions.of(alphabet.name) {
                    $0.inputTranslation = translation
                    $0.lineLimit = round < 8 ? 100 : 4
                    $0.inputEndMark = round.isMultiple(of: 3) ? "\u{1A}" : nil
                }
                for policy in [TextErrorPolicy.strict, .replacing] {
                    options.errorPolicy = policy
                    check(input, options)
                }
            }
        }
    }

    private func check(_ input: [UInt8], _ options: TextOptions) {
        let lines = lines(of: [input], options)
        let text = text(of: [input], options, upTo: .max)
        for pieces in cuts(of: input) {
            let cutLines = self.lines(of: pieces, options)
            if cutLines != lines { Issue.record("\(options) \(pieces): \(cutLines) not \(lines)") }
            for limit in [1, 2, 7, .max] {
                let cut = self.text(of: pieces, options, upTo: limit)
                if cut != text { Issue.record("\(options) \(pieces): \(cut) not \(text)") }
            }
        }
    }

    /// Every cut in two, every cut in three of short inputs, and one byte at a time.
    private func cuts(of input: [UInt8]) -> [[[UInt8]]] {
        var cuts = [[input], input.map { [$0] }]
        for first in 0...input.count {
            let (front, back) = (Array(input[..<first]), Array(input[first...]))
            cuts.append([front, back])
            guard input.count <= 10 else { continue }
            for second in 0...back.count {
                cuts.append([front, Array(back[..<second]), Array(back[second...])])
            }
        }
        return cuts
    }

    private func lines(of pieces: [[UInt8]], _ options: TextOptions) -> Outcome {
        let feed = Feed(options)
        var outcome = Outcome()
        do throws(TextError) {
            for piece in pieces {
                var line = try feed.line(piece)
                while let found = line {
                    outcome.lines.append(found)
                    line = try feed.line()
                }
            }
            while let line = try feed.line(isLast: true) { outcome.lines.append(line) }
        } catch {
            outcome.error = error
        }
        outcome.isAtEndMark = feed.isAtEndMark
        // After an error pieces may be missing, and a swallowed line feed still be there.
        if outcome.error == nil && !feed.isAtEndMark { outcome.rest = feed.bytes }
        return outcome
    }

    private func text(of pieces: [[UInt8]], _ options: TextOptions, upTo limit: Int) -> Outcome {
        let feed = Feed(options)
        var outcome = Outcome()
        do throws(TextError) {
            for (piece, isLast) in pieces.map({ ($0, false) }) + [([], true)] {
                var taken = try feed.text(upTo: limit, piece, isLast: isLast)
                while let text = taken, !text.isEmpty {
                    outcome.text += Array(text.unicodeScalars)
                    taken = try feed.text(upTo: limit, isLast: isLast)
                }
            }
        } catch {
            outcome.error = error
        }
        outcome.isAtEndMark = feed.isAtEndMark
        if outcome.error == nil && !feed.isAtEndMark { outcome.rest = feed.bytes }
        return outcome
    }
}
