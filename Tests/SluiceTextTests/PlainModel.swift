// SPDX-License-Identifier: Apache-2.0
//
// Lines and text compared with a model that has all bytes at once and does nothing clever.

import TestSupport
import Testing

@testable import SluiceText

@Suite
struct PlainModel {
    /// Where the scalars of a text end, and whether at the mark.
    private func delivered(_ text: String, mark: Unicode.Scalar?) -> [Unicode.Scalar] {
        Array(text.unicodeScalars.prefix { $0 != mark })
    }

    /// The text with one line feed for each end of a line, and where the ends are.
    private func translated(
        _ scalars: [Unicode.Scalar], _ translation: LineTranslation
    ) -> (text: [Unicode.Scalar], ends: Set<Int>) {
        var text: [Unicode.Scalar] = []
        var ends: Set<Int> = []
        var index = 0
        while index < scalars.count {
            let isPair =
                index + 1 < scalars.count && scalars[index] == "\r"
                && scalars[index + 1] == "\n"
            let isEnd =
                switch (translation, scalars[index]) {
                case (.auto, "\n"), (.auto, "\r"), (.cr, "\r"), (.lf, "\n"): true
                case (.crlf, "\r"): isPair
                default: false
                }
            if isEnd { ends.insert(text.count) }
            text.append(isEnd ? "\n" : scalars[index])
            index += isEnd && isPair && translation != .cr ? 2 : 1
        }
        return (text, ends)
    }

    private func lines(_ text: [Unicode.Scalar], _ ends: Set<Int>) -> [[Unicode.Scalar]] {
        var lines: [[Unicode.Scalar]] = []
        var line: [Unicode.Scalar] = []
        for (index, scalar) in text.enumerated() {
            if ends.contains(index) {
                lines.append(line)
                line = []
            } else {
                line.append(scalar)
            }
        }
        return line.isEmpty ? lines : lines + [line]
    }

    @Test(arguments: [
        "utf-8", "utf-16be", "utf-16le", "utf-32be", "utf-32le", "gb18030", "shiftjis", "cp1251",
        "iso2022-jp", "binary",
    ])
    func `lines and text are those of the model`(name: String) throws {
        var random = Lottery(seed: 3)
        let isCyrillic = name != "binary"
        let parts = ["\r", "\n", "\r\n", "a", "\u{1A}", isCyrillic ? "Я" : "é", "bc"]
        for round in 0..<400 {
            let count = Int.random(in: 0...12, using: &random)
            let text = (0..<count).compactMap { _ in parts.randomElement(using: &random) }.joined()
            for translation in LineTranslation.allCases {
                let options = try TextOptions.of(name) {
                    $0.inputTranslation = translation
                    $0.inputEndMark = round.isMultiple(of: 2) ? "\u{1A}" : nil
                }
                var output = TextOutput(options)
                var bytes: [UInt8] = []
                try output.append(text, to: &bytes)
                output.finish(into: &bytes)
                let scalars = delivered(text, mark: options.inputEndMark)
                let model = translated(scalars, translation)
                let all = try Feed(options, bytes).text(isLast: true)
                #expect(all.map { Array($0.unicodeScalars) } == model.text)
                let found = try Feed(options, bytes).lines(isLast: true)
                #expect(found.map { Array($0.unicodeScalars) } == lines(model.text, model.ends))
            }
        }
    }
}
