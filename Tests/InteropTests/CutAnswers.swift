// SPDX-License-Identifier: Apache-2.0
//
// What is made of an input in pieces: by tclsh, by a channel of ours, by a text input alone.
// Each is asked the same question after each piece, and once more after the end.

import Sluice
import TestSupport
import Testing

// MARK: - Tcl's answers

extension CutInput {
    /// What tclsh delivers of each of these inputs, piece by piece, and its version.
    static func answersOfTcl(
        to inputs: [CutInput]
    ) throws -> (version: String, answers: [[Delivery]]) {
        let script = """
            proc hex {text} {binary encode hex [encoding convertto utf-8 $text]}
            proc deliver {question channel} {
                set texts {}
                switch $question {
                    lines {while {[gets $channel line] >= 0} {lappend texts [hex $line].}}
                    all {lappend texts [hex [read $channel]].}
                    default {
                        while 1 {
                            set text [read $channel $question]
                            lappend texts [hex $text].
                            if {[string length $text] < $question} break
                        }
                    }
                }
                return "[eof $channel][fblocked $channel][join $texts {}]"
            }
            proc play {translation encoding mark question pieces} {
                lassign [chan pipe] reading writing
                fconfigure $writing -translation binary -buffering none
                fconfigure $reading -blocking 0 -translation $translation -encoding $encoding \\
                    -eofchar $mark
                foreach piece $pieces {
                    puts -nonewline $writing [binary decode hex $piece]
                    append answer [deliver $question $reading] " "
                }
                close $writing
                append answer [deliver $question $reading]
                close $reading
                puts $answer
            }
            puts [info patchlevel]

            """
        let cases = inputs.map(\.tcl).joined(separator: "\n")
        let process = try CommandProcess(
            "tclsh", ["/dev/stdin"], input: Array((script + cases).utf8))
        let (end, output) = try process.finish()
        try #require(end == .exited(0), "\(process.errors.text)")
        let lines = output.split(separator: "\n")
        try #require(lines.count == inputs.count + 1)
        let answers = lines.dropFirst().map { line in
            line.split(separator: " ").map { word in
                let texts = word.dropFirst(2).split(
                    separator: ".", omittingEmptySubsequences: false)
                return Delivery(
                    texts: texts.dropLast().map(String.init), isAtEnd: word.first == "1",
                    isBlocked: word.dropFirst().first == "1")
            }
        }
        return (String(lines[0]), answers)
    }
}

// MARK: - Our answers

extension CutInput {
    /// What a channel delivers, piece by piece.
    func answersOfChannel(on reactor: Reactor) throws -> [Delivery] {
        var pair = try Socket.makePair()
        let channel = try Channel(
            adopting: try Socket.taken(from: &pair.first), on: reactor, options: try options)
        var answers: [Delivery] = []
        for piece in pieces {
            _ = try pair.second.send(piece.span.bytes)
            answers.append(try deliver(from: channel))
        }
        try pair.second.shutDown(.writing)
        answers.append(try deliver(from: channel))
        channel.abort()
        return answers
    }

    private func deliver(from channel: Channel) throws -> Delivery {
        var texts: [String] = []
        switch question {
        case .lines: while let line = try channel.readLine() { texts.append(line) }
        case .all: texts.append(try channel.readText())
        case .characters(let count):
            repeat {
                texts.append(try channel.read(characters: count))
            } while texts.last?.unicodeScalars.count == count
        }
        return Delivery(
            texts: texts.map { hexadecimal($0.utf8) }, isAtEnd: channel.isAtEnd,
            isBlocked: channel.isBlocked)
    }

    /// What a text input without a channel delivers, piece by piece.
    func answersOfTextInput() throws -> [Delivery] {
        var reader = TextInput(try options.text)
        var bytes: [UInt8] = []
        var answers: [Delivery] = []
        for piece in pieces + [nil] {
            bytes += piece ?? []
            var texts: [String] = []
            while let text = try take(from: &reader, &bytes, isLast: piece == nil) {
                texts.append(text)
                if question == .all || question.isShort(text) { break }
            }
            answers.append(Delivery(texts: texts.map { hexadecimal($0.utf8) }))
        }
        return answers
    }

    private func take(
        from reader: inout TextInput, _ bytes: inout [UInt8], isLast: Bool
    ) throws -> String? {
        let piece: TextInput.Piece
        switch question {
        case .lines: piece = try reader.nextLine(in: bytes.span.bytes, isLast: isLast)
        case .all: piece = try reader.take(upTo: .max, from: bytes.span.bytes, isLast: isLast)
        case .characters(let count):
            piece = try reader.take(upTo: count, from: bytes.span.bytes, isLast: isLast)
        }
        bytes.removeFirst(piece.byteCount)
        return piece.text
    }
}
