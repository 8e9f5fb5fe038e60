// SPDX-License-Identifier: Apache-2.0
//
// Random input in random pieces: what a reader is given, and how it is asked.
// The same seed makes the same cases, for Tcl and for us.

import Sluice
import TestSupport

/// Bytes in pieces, and how they are to be read.
struct CutInput: CustomStringConvertible {
    /// What is asked after each piece, until less comes than was asked for.
    enum Question: Hashable {
        case lines
        case all
        case characters(Int)

        /// Whether fewer characters came than were asked for.
        func isShort(_ text: String) -> Bool {
            if case .characters(let count) = self { return text.unicodeScalars.count < count }
            return false
        }
    }

    let encoding: String
    let translation: String
    /// Whether U+001A ends the input.
    let hasMark: Bool
    let question: Question
    let pieces: [[UInt8]]
    /// The characters that the bytes stand for.
    let characters: [Character]

    /// What a character is to whoever looks for the ends of lines.
    enum Kind { case carriageReturn, lineFeed, mark, other }

    /// A character, and the byte that completes it.
    struct Character {
        let kind: Kind
        let offset: Int
    }

    var description: String {
        let cut = pieces.map(hexadecimal).joined(separator: " ")
        return "\(encoding), \(translation), \(hasMark ? "mark, " : "")\(question): \(cut)"
    }

    /// The case as a command of Tcl.
    var tcl: String {
        let asked =
            switch question {
            case .lines: "lines"
            case .all: "all"
            case .characters(let count): "\(count)"
            }
        let mark = hasMark ? "\\x1a" : "{}"
        let list = pieces.map(hexadecimal).joined(separator: " ")
        return "play \(translation) \(encoding) \(mark) \(asked) {\(list)}"
    }

    /// The settings of a channel that reads it.
    var options: ChannelOptions {
        get throws {
            var options = ChannelOptions()
            try options.configure("-translation", translation)
            try options.configure("-encoding", encoding)
            if hasMark { options.text.inputEndMark = "\u{1A}" }
            return options
        }
    }
}

extension CutInput {
    /// Characters of an encoding that are more than a byte each, or share bytes with line ends.
    private static let words: [(encoding: String, words: [[UInt8]])] = [
        ("utf-8", [[0xC3, 0xA9], [0xE2, 0x82, 0xAC], [0xE6, 0x97, 0xA5]]),
        ("iso8859-1", [[0xE9], [0xFF], [0x85]]),
        ("shiftjis", [[0x93, 0xFA], [0x83, 0x5C], [0xB1]]),
        ("unicode", [[0x0D, 0x0A], [0x0A, 0x0D], [0xAC, 0x20]]),
        (
            "iso2022-jp",
            [
                [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42],
                [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42],
                [0x1B, 0x24, 0x42, 0x25, 0x3D, 0x1B, 0x28, 0x42],
            ]
        ),
    ]

    /// A case by the numbers of a lottery.
    init(from lottery: inout Lottery) {
        let table = Self.words[Int.random(in: 0..<Self.words.count, using: &lottery)]
        encoding = table.encoding
        translation =
            ["auto", "auto", "auto", "cr", "crlf", "lf"].randomElement(using: &lottery) ?? "auto"
        hasMark = Int.random(in: 0..<4, using: &lottery) == 0
        let questions: [Question] = [.lines, .lines, .all, .characters(1), .characters(3)]
        question = questions.randomElement(using: &lottery) ?? .lines
        var bytes: [UInt8] = []
        var characters: [Character] = []
        for _ in 0..<Int.random(in: 1...14, using: &lottery) {
            let plain: [[UInt8]] = [[0x61], [0x62, 0x63], [0x0D], [0x0A], [0x0D, 0x0A]]
            let marked = hasMark || Bool.random(using: &lottery) ? plain + [[0x1A]] : plain
            let isPlain = Int.random(in: 0..<4, using: &lottery) > 0
            let word = (isPlain ? marked : table.words).randomElement(using: &lottery) ?? []
            if isPlain {
                for byte in word {
                    bytes += encoding == "unicode" ? [byte, 0] : [byte]
                    characters.append(
                        Character(kind: Kind(byte, hasMark: hasMark), offset: bytes.count - 1))
                }
            } else {
                characters += Self.ends(in: word).map {
                    Character(kind: .other, offset: bytes.count + $0)
                }
                bytes += word
            }
        }
        self.characters = characters
        var pieces: [[UInt8]] = []
        while !bytes.isEmpty {
            let most = Bool.random(using: &lottery) ? 2 : 9
            let count = min(bytes.count, Int.random(in: 1...most, using: &lottery))
            pieces.append(Array(bytes[..<count]))
            bytes.removeFirst(count)
        }
        self.pieces = pieces
    }

    /// The last bytes of the characters in a word that is no ASCII.
    private static func ends(in word: [UInt8]) -> [Int] {
        // Of an escape sequence's word the two-byte characters are in the middle.
        word.first == 0x1B ? Array(stride(from: 4, to: word.count - 3, by: 2)) : [word.count - 1]
    }

    /// A case by hand, in an encoding that has ASCII in it.
    ///
    /// - Parameters:
    ///   - words: the bytes; each word is ASCII, or one character or escape sequence.
    ///   - cuts: the offsets where a new piece begins.
    init(
        _ encoding: String, _ translation: String, hasMark: Bool = false, _ question: Question,
        _ words: [[UInt8]], cuts: [Int]
    ) {
        self.encoding = encoding
        self.translation = translation
        self.hasMark = hasMark
        self.question = question
        var start = 0
        characters = words.flatMap { word in
            defer { start += word.count }
            if word.allSatisfy({ $0 < 0x80 && $0 != 0x1B }) {
                return word.enumerated().map {
                    Character(kind: Kind($1, hasMark: hasMark), offset: start + $0)
                }
            }
            return Self.ends(in: word).map { Character(kind: .other, offset: start + $0) }
        }
        let bytes = Array(words.joined())
        pieces = zip([0] + cuts, cuts + [bytes.count]).map { Array(bytes[$0..<$1]) }
    }
}

extension CutInput.Kind {
    fileprivate init(_ byte: UInt8, hasMark: Bool) {
        switch byte {
        case 0x0D: self = .carriageReturn
        case 0x0A: self = .lineFeed
        case 0x1A where hasMark: self = .mark
        default: self = .other
        }
    }
}

/// Bytes as two digits each.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return bytes.reduce(into: "") {
        $0.append(digits[Int($1 >> 4)])
        $0.append(digits[Int($1 & 15)])
    }
}

/// What was delivered after one piece, or after the end.
struct Delivery: Hashable, CustomStringConvertible {
    /// The texts, in UTF-8 as hexadecimal digits.
    var texts: [String] = []
    var isAtEnd = false
    var isBlocked = false

    var description: String {
        "\(texts)" + (isAtEnd ? " end" : "") + (isBlocked ? " blocked" : "")
    }
}
