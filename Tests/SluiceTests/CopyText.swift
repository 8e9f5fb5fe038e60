// SPDX-License-Identifier: Apache-2.0
//
// Copies of text: both sides' translations, encodings and marks hold, wherever the input is cut,
// and characters are counted.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyText {
    private static func options(
        _ encoding: String = "utf-8", _ input: LineTranslation = .lf,
        _ output: LineTranslation = .lf
    ) throws -> ChannelOptions {
        var options = ChannelOptions()
        options.text.encoding = try TextEncoding(named: encoding)
        options.text.inputTranslation = input
        options.text.outputTranslation = output
        return options
    }

    private static func bytes(
        _ text: String, in encoding: String, closes: Bool = false
    ) throws -> [UInt8] {
        var options = TextOptions()
        options.encoding = try TextEncoding(named: encoding)
        var output = TextOutput(options)
        var bytes: [UInt8] = []
        try output.append(text, to: &bytes)
        if closes { output.finish(into: &bytes) }
        return bytes
    }

    /// Copies all, cut into two at every place and once byte for byte.
    private func expectCopies(
        of bytes: [UInt8], become expected: [UInt8], read: Int, from: ChannelOptions,
        to: ChannelOptions, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for cut in -1...bytes.count {
            let ends = try CopyingEnds(from: from, to: to)
            try ends.copy()
            for (index, byte) in bytes.enumerated() {
                try ends.send([byte])
                if cut < 0 || index + 1 == cut { ends.reactor.settle() }
            }
            try ends.source.peer?.shutDown(.writing)
            let got = try ends.sink.receive(expected.count)
            #expect(got == expected, "cut at \(cut)", sourceLocation: sourceLocation)
            ends.expectEnd(read: read, written: expected.count, sourceLocation: sourceLocation)
        }
    }

    // K35, X7
    @Test func `characters read and bytes written are counted apart`() throws {
        let ends = try CopyingEnds(from: .binary, to: Self.options("binary", .lf, .crlf))
        try ends.send("\na\nb", isLast: true)
        try ends.copy(limit: 4)
        #expect(try ends.received() == "\r\na\r\nb")
        ends.expectEnd(read: 4, written: 6)
    }

    // K35, X7
    @Test func `a copy that waits counts characters read and bytes written apart`() throws {
        let ends = try CopyingEnds(from: .binary, to: Self.options("binary", .lf, .crlf))
        try ends.send("\na\nbcd")
        let counts = try ends.from.copy(to: ends.to, limit: 4)
        #expect(counts == CopyCounts(read: 4, bytesWritten: 6))
        #expect(try ends.received() == "\r\na\r\nb")
    }

    // K35
    @Test func `both translations hold wherever the lines are cut`() throws {
        let text = "a\r\n\r\nb\rc\nd\r"
        let cases: [(LineTranslation, LineTranslation, String, Int)] = [
            (.auto, .lf, "a\n\nb\nc\nd\n", 9), (.auto, .crlf, "a\r\n\r\nb\r\nc\r\nd\r\n", 9),
            (.crlf, .lf, "a\n\nb\rc\nd\r", 9), (.cr, .lf, "a\n\n\n\nb\nc\nd\n", 11),
            (.lf, .cr, "a\r\r\r\rb\rc\rd\r", 11), (.crlf, .crlf, "a\r\n\r\nb\rc\r\nd\r", 9),
        ]
        for (input, output, expected, count) in cases {
            try expectCopies(
                of: Array(text.utf8), become: Array(expected.utf8), read: count,
                from: Self.options("utf-8", input), to: Self.options("utf-8", .lf, output))
        }
    }

    // K35
    @Test(arguments: [
        ("utf-8", "utf-16le"), ("utf-16be", "utf-8"), ("utf-8", "utf-32be"), ("utf-8", "euc-jp"),
        ("shiftjis", "utf-8"), ("iso2022-jp", "utf-8"), ("euc-jp", "shiftjis"),
    ])
    func `both encodings hold wherever the characters are cut`(from: String, to: String) throws {
        let text = "x\u{65E5}\u{672C}yz\u{8A9E}\n"
        try expectCopies(
            of: Self.bytes(text, in: from, closes: true), become: Self.bytes(text, in: to),
            read: 7, from: Self.options(from), to: Self.options(to))
    }

    // K35, K20
    @Test func `an encoding with a state keeps it over all pieces and closes it once`() throws {
        let text = "\u{65E5}\u{672C}\u{8A9E}"
        let ends = try CopyingEnds(from: Self.options(), to: Self.options("iso2022-jp"))
        try ends.copy()
        for character in text {
            try ends.send(String(character))
            ends.reactor.settle()
        }
        try ends.source.peer?.shutDown(.writing)
        ends.waitForEnd()
        #expect(ends.results.first?.error == nil)
        ends.to.close()
        #expect(try ends.sink.receiveAll() == Self.bytes(text, in: "iso2022-jp", closes: true))
    }

    // K35, K20
    @Test func `closing the destination during a copy closes its encoding's state`() throws {
        let ends = try CopyingEnds(from: Self.options(), to: Self.options("iso2022-jp"))
        try ends.copy()
        try ends.send("\u{65E5}")
        ends.reactor.settle()
        ends.to.close()
        let expected = try Self.bytes("\u{65E5}", in: "iso2022-jp", closes: true)
        #expect(try ends.sink.receiveAll() == expected)
    }

    // K35
    @Test func `bytes of one encoding with a state do not pass behind another state`() throws {
        let options = try Self.options("iso2022-jp")
        let ends = try CopyingEnds(from: options, to: options)
        try ends.to.write("\u{65E5}")
        try ends.send("abc", isLast: true)
        try ends.copy()
        ends.waitForEnd()
        ends.to.close()
        let got = try ends.sink.receiveAll()
        var input = TextInput(options.text)
        let text = try input.take(upTo: .max, from: got.span.bytes, isLast: true).text
        #expect(text == "\u{65E5}abc")
    }

    // K35
    @Test(arguments: [false, true])
    func `bytes that stand for no character end the copy at the input's limit`(waits: Bool) throws {
        var options = try Self.options("iso2022-jp")
        options.inputLimit = 10_000
        let ends = try CopyingEnds(from: options, to: Self.options())
        let escapes = String(repeating: "\u{1B}$B\u{1B}(B", count: 4_000)
        try ends.send(escapes, isLast: true)
        let error = SocketError(.read, .messageTooLong, at: ends.from.peerAddress)
        if waits {
            let thrown = #expect(throws: ChannelError.self) { try ends.from.copy(to: ends.to) }
            #expect(thrown == .socket(error))
        } else {
            try ends.copy()
            ends.expectEnd(read: 0, written: 0, .socket(error))
        }
        #expect(ends.from.status != .closed)
    }

    // K35, K7
    @Test func `the source's end mark ends the copy and is not copied`() throws {
        var options = ChannelOptions()
        options.text.inputEndMark = "\u{1A}"
        let ends = try CopyingEnds(from: options, to: .init())
        try ends.copy()
        try ends.send("text\u{1A}behind")
        #expect(try ends.received() == "text")
        ends.expectEnd(read: 4, written: 4)
        #expect(try ends.received() == "")
    }

    // K35, K7
    @Test func `an end mark that waits ends the copy at once`() throws {
        var options = ChannelOptions()
        options.text.inputEndMark = "\u{1A}"
        let ends = try CopyingEnds(from: options, to: .init())
        try ends.send("\u{1A}behind")
        try ends.copy()
        ends.expectEnd(read: 0, written: 0)
        try ends.send("x")
        let counts = try ends.from.copy(to: ends.to)
        #expect(counts == CopyCounts())
    }

    // K35, K7
    @Test func `the destination's end mark is written when it closes and not by the copy`() throws {
        var options = ChannelOptions()
        options.text.outputEndMark = "\u{1A}"
        let ends = try CopyingEnds(from: .init(), to: options)
        try ends.copy()
        try ends.send("text", isLast: true)
        #expect(try ends.received() == "text")
        ends.expectEnd(read: 4, written: 4)
        ends.to.close()
        #expect(try ends.sink.receiveAll() == [0x1A])
    }

    // K35
    @Test func `a limit counts characters and leaves the rest`() throws {
        let ends = try CopyingEnds(from: Self.options("utf-8", .crlf), to: Self.options())
        try ends.send("\u{E9}\u{65E5}\r\nrest\n")
        try ends.copy(limit: 3)
        #expect(try ends.received() == "\u{E9}\u{65E5}\n")
        ends.expectEnd(read: 3, written: 6)
        #expect(try ends.from.read(characters: 4) == "rest")
    }

    // K35, K9
    @Test(arguments: [false, true])
    func `a limit between CR and LF leaves no line feed behind`(isLate: Bool) throws {
        let ends = try CopyingEnds(from: Self.options("utf-8", .auto), to: Self.options())
        try ends.send(isLate ? "a\r" : "a\r\nb")
        try ends.copy(limit: 2)
        #expect(try ends.received() == "a\n")
        ends.expectEnd(read: 2, written: 2)
        if isLate { try ends.send("\nb") }
        #expect(try ends.from.readText() == "b")
    }

    // K35
    @Test func `where both sides agree bytes pass untouched and are counted`() throws {
        let ends = try CopyingEnds(from: Self.options(), to: Self.options())
        try ends.send([0xC3, 0xA9, 0xFF, 0x0D, 0x0A, 0x00])
        try ends.copy(limit: 5)
        ends.reactor.settle()
        #expect(try ends.sink.peer?.receiveNow() == [0xC3, 0xA9, 0xFF, 0x0D, 0x0A])
        ends.expectEnd(read: 5, written: 5)
    }

    // K35
    @Test func `a replacing source shows what is no text as U+FFFD`() throws {
        var options = ChannelOptions()
        options.text.errorPolicy = .replacing
        let ends = try CopyingEnds(from: options, to: Self.options())
        try ends.copy()
        try ends.send([0x61, 0xFF, 0x62, 0xC3])
        try ends.source.peer?.shutDown(.writing)
        #expect(try ends.received() == "a\u{FFFD}b\u{FFFD}")
        ends.expectEnd(read: 4, written: 8)
    }

    // K35
    @Test func `a line that was being read goes on in the copy`() throws {
        let ends = try CopyingEnds(from: Self.options("utf-8", .auto), to: Self.options())
        try ends.send("one\r\ntwo \u{E9}")
        #expect(try ends.from.readLine() == "one")
        #expect(try ends.from.readLine() == nil)
        try ends.copy()
        try ends.send("three\r", isLast: true)
        #expect(try ends.received() == "two \u{E9}three\n")
        ends.expectEnd(read: 11, written: 12)
    }

    // K35
    @Test func `much text is copied whole through slow peers`() throws {
        let line = "\u{65E5}\u{672C} line of text\n"
        let text = String(repeating: line, count: 10_000)
        let ends = try CopyingEnds(
            from: Self.options(), to: Self.options("utf-16be", .lf, .crlf), smallBuffers: true)
        try ends.copy()
        let expected = try Self.bytes(
            String(repeating: line.dropLast() + "\r\n", count: 10_000), in: "utf-16be")
        let all = Array(text.utf8)
        var sent = 0
        var got: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while got.count < expected.count, ContinuousClock.now < limit {
            let rest = all.span.bytes.extracting(droppingFirst: sent)
            if sent < all.count, case .bytes(let count)? = try ends.source.peer?.send(rest) {
                sent += count
            }
            ends.reactor.runPending()
            got += try ends.sink.peer?.receiveNow() ?? []
        }
        expectSame(got, expected)
        try ends.source.peer?.shutDown(.writing)
        ends.expectEnd(read: text.unicodeScalars.count, written: expected.count)
    }
}
