// SPDX-License-Identifier: Apache-2.0
//
// Text on its way out: line ends, encodings, and what is refused whole.
// Text and bytes keep their order, and one turn's text leaves in one call.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct WritingText: ConnectionSuite {
    let ends: ConnectionEnds

    /// What has come out at the peer.
    private func sent() throws -> [UInt8] {
        reactor.settle()
        return try ends.peer?.receiveNow() ?? []
    }

    private func atChannel(_ error: TextError) -> ChannelError {
        .text(error, at: "\(channel.peerAddress)")
    }

    // K13, A6, A7
    @Test(arguments: Driving.allCases)
    func `text, lines and values leave as they were written`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.channel.write("text ")
        try ends.channel.writeLine("lïne")
        try ends.channel.writeLine()
        try ends.channel.print("a", 1, 2.5, true)
        try ends.channel.print("x", "y", separator: "-", terminator: ";")
        try ends.channel.print()
        ends.reactor.settle()
        #expect(try ends.peer?.receiveNow()?.text == "text lïne\n\na 1 2.5 true\nx-y;\n")
        ends.channel.close()
    }

    // K13
    @Test(arguments: [
        (LineTranslation.lf, "a\n\r\nb\n"), (.cr, "a\r\r\rb\r"), (.crlf, "a\r\n\r\r\nb\r\n"),
        (.auto, "a\r\n\r\r\nb\r\n"),
    ])
    func `each line feed becomes the line end of the settings`(
        _ translation: LineTranslation, _ expected: String
    ) throws {
        channel.options.text.outputTranslation = translation
        try channel.write("a\n\r\nb")
        try channel.writeLine()
        #expect(try sent().text == expected)
    }

    // K13, A6
    @Test func `the line end of print is translated, too`() throws {
        channel.options.text.outputTranslation = .crlf
        try channel.print("a", "b", separator: "\n")
        #expect(try sent().text == "a\r\nb\r\n")
    }

    // K13
    @Test func `bytes are not translated and keep their place among the text`() throws {
        channel.options.text.outputTranslation = .crlf
        try channel.writeLine("head")
        try channel.write([0x0A, 0xFF])
        try channel.write("\n")
        #expect(try sent() == Array("head\r\n".utf8) + [0x0A, 0xFF, 0x0D, 0x0A])
    }

    // K13
    @Test func `the text of one turn leaves in one call`() throws {
        let calls = CallCount()
        try calls.count {
            try channel.writeLine("one")
            try channel.write("two")
            try channel.print("three")
            reactor.settle()
        }
        #expect(calls.sends == 1)
        #expect(try sent().text == "one\ntwothree\n")
    }

    // K13
    @Test func `text takes the bytes of its encoding`() throws {
        channel.options.text.encoding = .latin1
        try channel.write("ä")
        channel.options.text.encoding = .utf16BigEndian
        try channel.writeLine("ä😀")
        channel.options.text.encoding = .utf8
        try channel.write("ä")
        #expect(
            try sent() == [0xE4, 0, 0xE4, 0xD8, 0x3D, 0xDE, 0x00, 0, 0x0A, 0xC3, 0xA4])
    }

    // K13, A4
    @Test(arguments: ["wide €", "€", "one\ntwo €\nthree"])
    func `text with a character that the encoding lacks is refused whole`(_ text: String) throws {
        channel.options.text.encoding = .latin1
        let error = atChannel(.unencodable("€", .latin1))
        let writes = channel.counters.writes
        #expect(throws: error) { try channel.write(text) }
        #expect(throws: error) { try channel.writeLine(text) }
        #expect(throws: error) { try channel.print("good", text) }
        #expect(channel.unsentByteCount == 0)
        #expect(channel.counters.writes == writes)
        try channel.writeLine("fine \u{FF}")
        #expect(try sent() == Array("fine ".utf8) + [0xFF, 0x0A])
    }

    // A4
    @Test func `a channel as Alore has them takes characters up to 255`() throws {
        let ends = try DrivenEnds(.alone, options: .alore)
        try ends.channel.writeLine("\u{E9}\u{FF}\u{0}")
        #expect(try ends.peer?.receiveNow() == [0xE9, 0xFF, 0, 0x0A])
        let error = TextError.unencodable("\u{100}", .latin1)
        #expect(throws: ChannelError.text(error, at: "\(ends.channel.peerAddress)")) {
            try ends.channel.write("a\u{100}")
        }
        #expect(try ends.peer?.receiveNow() == [])
        ends.channel.close()
    }

    // K13
    @Test func `a character that the encoding lacks is replaced where that is wanted`() throws {
        channel.options.text.encoding = .ascii
        channel.options.text.errorPolicy = .replacing
        try channel.writeLine("a€ü")
        #expect(try sent().text == "a??\n")
    }

    // K13
    @Test func `text that the queue's limit refuses leaves an encoding's state as it was`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        channel.options.outputLimit = 3
        let full = SocketError(.write, .noBufferSpace, at: channel.peerAddress)
        #expect(throws: ChannelError.socket(full)) { try channel.write("あ") }
        channel.options.outputLimit = 1_000
        try channel.write("あ")
        #expect(try sent() == [0x1B, 0x24, 0x42, 0x24, 0x22])
    }

    // K13, A4
    @Test func `text that is refused leaves an encoding's state as it was`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        #expect(throws: ChannelError.self) { try channel.write("あ😀") }
        try channel.write("あ")
        #expect(throws: ChannelError.self) { try channel.write("a😀") }
        try channel.write("い")
        #expect(try sent() == [0x1B, 0x24, 0x42, 0x24, 0x22, 0x24, 0x24])
    }

    // K20
    @Test func `closing returns an encoding to its beginning and writes the end mark`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        channel.options.text.outputEndMark = "\u{1A}"
        try channel.write("あ")
        channel.close()
        #expect(
            try ends.receiveAll() == [0x1B, 0x24, 0x42, 0x24, 0x22, 0x1B, 0x28, 0x42, 0x1A])
    }

    // MARK: Limits

    // K13
    @Test func `text says when the queue is above the mark`() throws {
        try ends.fill()
        channel.options.highWaterMark = channel.unsentByteCount + 10
        #expect(try channel.write("12345") == .accepted)
        #expect(try channel.writeLine("6789") == .accepted)
        #expect(try channel.print("!", terminator: "") == .aboveMark)
        #expect(try channel.write("") == .aboveMark)
        #expect(try channel.write("taken all the same") == .aboveMark)
    }

    // K13
    @Test func `text beyond the queue's limit is refused whole`() throws {
        let filled = try ends.fill()
        channel.options.outputLimit = channel.unsentByteCount + 5
        let full = ChannelError.socket(
            SocketError(.write, .noBufferSpace, at: channel.peerAddress))
        #expect(throws: full) { try channel.write("123456") }
        #expect(throws: full) { try channel.writeLine("12345") }
        try channel.writeLine("1234")
        #expect(throws: full) { try channel.write("x") }
        channel.close()
        #expect(try ends.receiveAll().count == filled + 5)
    }

    // MARK: Buffers

    // K13
    @Test(arguments: [LineTranslation.lf, .cr, .crlf])
    func `a line leaves at once with line buffering, whatever ends it`(
        _ translation: LineTranslation
    ) throws {
        channel.options.buffering = .line
        channel.options.text.outputTranslation = translation
        try channel.write("part")
        #expect(try ends.peer?.receiveNow() == [])
        try channel.writeLine(" of a line")
        #expect(channel.unsentByteCount == 0)
        #expect(try ends.peer?.receiveNow()?.text.hasPrefix("part of a line") == true)
    }

    // K13
    @Test func `a wide character with a byte as a line feed's is no line end`() throws {
        channel.options.buffering = .line
        channel.options.text.encoding = .utf16BigEndian
        try channel.write("\u{0A0A}")
        #expect(channel.unsentByteCount == 2)
        try channel.write("\n")
        #expect(channel.unsentByteCount == 0)
        #expect(try ends.peer?.receiveNow() == [0x0A, 0x0A, 0, 0x0A])
    }

    // K14, A11
    @Test(arguments: Driving.allCases)
    func `a flush sends what is held back, and without that nothing`(_ driving: Driving) throws {
        var options = ChannelOptions()
        options.buffering = .full
        let ends = try DrivenEnds(driving, options: options)
        let calls = CallCount()
        try calls.count { try ends.channel.flush() }
        #expect(calls.sends == 0)
        try ends.channel.writeLine("held")
        #expect(try ends.peer?.receiveNow() == [])
        #expect(ends.channel.unsentByteCount == 5)
        try ends.channel.flush()
        #expect(try ends.peer?.receiveNow()?.text == "held\n")
        try ends.channel.flush()
        ends.channel.close()
    }

    // K14
    @Test func `a flush that need not wait leaves the rest to the background`() throws {
        let filled = try ends.fill()
        try channel.writeLine("behind")
        try withoutWaiting { try channel.flush() }
        #expect(channel.unsentByteCount > 0)
        #expect(try ends.receive(filled + 7).suffix(7).elementsEqual("behind\n".utf8))
    }

    // K14, A11, A14
    @Test(arguments: Driving.allCases)
    func `nothing is written to a channel that does not write`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        let channel = ends.channel
        for code in [ErrorCode.shutDown, .badDescriptor] {
            if code == .shutDown { try channel.closeWriting() } else { channel.close() }
            let refused = SocketError(.write, code, at: channel.peerAddress)
            #expect(throws: ChannelError.socket(refused)) { try channel.write("x") }
            #expect(throws: ChannelError.socket(refused)) { try channel.write("") }
            #expect(throws: ChannelError.socket(refused)) { try channel.writeLine() }
            #expect(throws: ChannelError.socket(refused)) { try channel.print("x") }
            #expect(throws: refused) { try channel.write([1]) }
            #expect(throws: refused) { try channel.flush() }
        }
    }
}
