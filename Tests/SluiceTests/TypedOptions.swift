// SPDX-License-Identifier: Apache-2.0
//
// A channel's options as typed values: what the presets are, and what a change does at any time.
// What was read and not decoded yet is looked at anew.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TypedOptions: ConnectionSuite {
    let ends: ConnectionEnds

    /// Sends bytes to the channel.
    private func send(_ bytes: [UInt8]) throws {
        #expect(try ends.peer?.send(bytes.span.bytes) == .bytes(bytes.count))
    }

    /// Counts the calls of a readable handler that takes the lines there are.
    private func readLines() -> (calls: Box<Int>, lines: Box<[String]>) {
        let calls = Box(0)
        let lines = Box<[String]>([])
        channel.onReadable { channel in
            calls.value += 1
            while let line = try channel.readLine() { lines.value.append(line) }
        }
        return (calls, lines)
    }

    // X1
    @Test func `the initial options are the standard ones`() {
        let options = ChannelOptions()
        #expect(options == .standard)
        #expect(options.text == TextOptions())
        #expect(options.text.encoding == .utf8)
        #expect(options.text.errorPolicy == .strict)
        #expect(options.text.inputTranslation == .auto)
        #expect(options.text.outputTranslation == .lf)
        #expect(options.text.inputEndMark == nil)
        #expect(options.text.outputEndMark == nil)
        #expect(options.buffering == .turn)
        #expect(options.bufferByteCount == 4_096)
        #expect(!options.isBlocking)
    }

    // X1, K12, T3
    @Test func `Tcl's options are those its sockets are born with`() {
        let options = ChannelOptions.tcl
        #expect(options.text.encoding == .system)
        #expect(options.text.inputTranslation == .auto)
        #expect(options.text.outputTranslation == .crlf)
        #expect(options.text.inputEndMark == nil)
        #expect(options.text.outputEndMark == nil)
        #expect(options.buffering == .full)
        #expect(options.bufferByteCount == 4_096)
        #expect(options.isBlocking)
    }

    // X1, A3
    @Test func `Alore's options are unbuffered, narrow and blocking`() throws {
        let options = ChannelOptions.alore
        #expect(options.buffering == .none)
        #expect(options.text.encoding == .latin1)
        #expect(options.text.inputTranslation == .auto)
        #expect(options.text.outputTranslation == .lf)
        #expect(options.isBlocking)
        let alone = try LoneEnds(options: options)
        try alone.channel.write("a\u{E9}\n")
        #expect(try alone.peer?.receiveNow() == [0x61, 0xE9, 0x0A])
    }

    // X1, K11
    @Test func `binary options make each byte a character`() throws {
        channel.options = .binary
        let bytes = (UInt8.min...UInt8.max).map(\.self)
        try send(bytes)
        let text = try channel.readText()
        #expect(text.unicodeScalars.map(\.value) == bytes.map(UInt32.init))
        try channel.write(text)
        #expect(try ends.receive(256) == bytes)
    }

    // X1, A3
    @Test func `buffering is chosen where a channel is made`() throws {
        var options = ServerOptions()
        options.channel.buffering = .line
        let accepted = Box<Channel?>(nil)
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) {
            channel, _ in accepted.value = channel
        }
        var client = ClientOptions()
        client.channel.buffering = .none
        let channel = try Client(on: reactor, options: client).open(server.address)
        let alone = try LoneEnds(options: .tcl).channel
        reactor.expect("it is accepted") { accepted.value != nil && channel.status == .open }
        #expect(accepted.value?.options.buffering == .line)
        #expect(channel.options.buffering == Buffering.none)
        #expect(alone.options.buffering == .full)
        accepted.value?.close()
        channel.close()
        server.close()
        reactor.settle()
    }

    // K5
    @Test(arguments: [(0, 1), (-5, 1), (1, 1), (1_048_576, 1_048_576), (1_048_577, 1_048_576)])
    func `sizes are brought into their bounds`(size: Int, result: Int) throws {
        channel.options.bufferByteCount = size
        #expect(channel.options.bufferByteCount == result)
        var options = ChannelOptions()
        options.bufferByteCount = size
        #expect(try LoneEnds(options: options).channel.options.bufferByteCount == result)
    }

    // K3
    @Test func `a channel on a reactor waits when it is told to, and no longer`() throws {
        channel.options.isBlocking = true
        try send([0x61])
        #expect(try channel.read(characters: 1) == "a")
        channel.options.isBlocking = false
        #expect(try channel.read(characters: 1) == "")
        #expect(channel.isBlocked)
    }

    // K3
    @Test func `a channel alone waits whatever it is told`() throws {
        let alone = try LoneEnds()
        alone.channel.options.isBlocking = false
        #expect(alone.channel.options.isBlocking)
    }

    // K6
    @Test func `another encoding looks at undecoded bytes anew and wakes the reader`() throws {
        let texts = Box<[String]>([])
        channel.onReadable { texts.value.append(try $0.read(characters: 10)) }
        try send([0x61, 0xC3])
        reactor.expect("the good text comes") { texts.value == ["a"] }
        reactor.settle()
        #expect(texts.value == ["a"], "half a character counts as readable")
        #expect(channel.isBlocked)
        channel.options.text.encoding = .latin1
        reactor.expect("the rest is a character now") { texts.value == ["a", "\u{C3}"] }
    }

    // K6
    @Test func `another encoding recovers what was none of the old one`() throws {
        try send([0x61, 0xFF, 0x62, 0x0A])
        #expect(throws: ChannelError.self) { try channel.readLine() }
        #expect(channel.unreadByteCount == 4)
        channel.options.text.encoding = .latin1
        #expect(try channel.readLine() == "a\u{FF}b")
    }

    // K6
    @Test func `a replacing channel goes on where a strict one stopped`() throws {
        try send([0x61, 0xFF, 0x62, 0x0A])
        #expect(throws: ChannelError.self) { try channel.readLine() }
        channel.options.text.errorPolicy = .replacing
        #expect(try channel.readLine() == "a\u{FFFD}b")
    }

    // K6, K8
    @Test func `another translation completes a line and wakes the reader`() throws {
        channel.options.text.inputTranslation = .lf
        let (calls, lines) = readLines()
        try send(Array("a\rb\r".utf8))
        reactor.expect("the reader looks") { calls.value == 1 }
        reactor.settle()
        #expect(calls.value == 1)
        #expect(lines.value == [])
        channel.options.text.inputTranslation = .cr
        reactor.expect("both are lines now") { lines.value == ["a", "b"] }
    }

    // K6
    @Test func `another encoding makes a line of characters that were none`() throws {
        channel.options.text.encoding = .utf16BigEndian
        let (calls, lines) = readLines()
        try send(Array("abc\n".utf8))
        reactor.expect("the reader looks") { calls.value == 1 }
        reactor.settle()
        #expect(lines.value == [])
        channel.options.text.encoding = .utf8
        reactor.expect("it is a line now") { lines.value == ["abc"] }
    }

    // K6
    @Test func `a higher limit lets a longer line through`() throws {
        channel.options.text.lineLimit = 3
        try send(Array("abcd\n".utf8))
        let error = #expect(throws: ChannelError.self) { try channel.readLine() }
        #expect(error == .text(.lineTooLong(limit: 3), at: "\(channel.peerAddress)"))
        channel.options.text.lineLimit = 4
        #expect(try channel.readLine() == "abcd")
    }

    // K7
    @Test(arguments: [nil, "\u{4}"] as [Unicode.Scalar?])
    func `another end mark lifts the end, and the old one is a character`(
        mark: Unicode.Scalar?
    ) throws {
        channel.options.text.inputEndMark = "\u{1A}"
        let (calls, lines) = readLines()
        try send(Array("abc\u{1A}def\n".utf8))
        reactor.expect("the line before it comes") { lines.value == ["abc"] }
        #expect(channel.isAtEnd)
        channel.onReadable(nil)
        channel.options.text.inputEndMark = mark
        #expect(!channel.isAtEnd)
        #expect(try channel.readLine() == "\u{1A}def")
        #expect(calls.value > 0)
    }

    // K7
    @Test func `a reader is woken by the lift of an end`() throws {
        channel.options.text.inputEndMark = "\u{1A}"
        let lines = Box<[String]>([])
        channel.onLine { _, line in lines.value.append(line) }
        channel.onInputEnd { _ in }
        try send(Array("a\n\u{1A}b\n".utf8))
        reactor.expect("the line before it comes") { lines.value == ["a"] }
        reactor.settle()
        channel.options.text.inputEndMark = nil
        reactor.expect("so does the one behind it") { lines.value == ["a", "\u{1A}b"] }
    }

    // K7, K18
    @Test func `what is not about end marks lifts no end`() throws {
        channel.options.text.inputEndMark = "\u{1A}"
        try send(Array("a\u{1A}b\n".utf8))
        #expect(try channel.readText() == "a")
        channel.options.buffering = .full
        #expect(channel.isAtEnd)
        channel.options.text.outputTranslation = .crlf
        #expect(channel.isAtEnd)
        channel.options.text.inputTranslation = .lf
        #expect(channel.isAtEnd)
        #expect(try channel.readText() == "")
        #expect(channel.isAtEnd)
    }

    // K18
    @Test func `a change after the real end leaves it the end`() throws {
        ends.peer = nil
        #expect(try channel.readText() == "")
        #expect(channel.isAtEnd)
        channel.options.text.inputTranslation = .lf
        #expect(channel.isAtEnd)
        channel.options.text.inputEndMark = "\u{1A}"
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
    }

    // K8, K10
    @Test func `each way translates by its own setting, from the change on`() throws {
        for (mode, end) in [
            (LineTranslation.auto, "\r\n"), (.crlf, "\r\n"), (.cr, "\r"), (.lf, "\n"),
        ] {
            channel.options.text.outputTranslation = mode
            try channel.writeLine("x")
            try channel.write("y\r\n")
            let expected = "x" + end + "y\r" + end
            #expect(try ends.receive(expected.utf8.count).text == expected)
        }
        #expect(channel.options.text.inputTranslation == .auto)
    }

    // K8, K9
    @Test func `a change in a handler holds for the next line of the same piece`() throws {
        let lines = Box<[String]>([])
        channel.onLine { channel, line in
            lines.value.append(line)
            channel.options.text.inputTranslation = .lf
            channel.options.text.encoding = .latin1
        }
        try send(Array("a\r\nb\r\n".utf8) + [0xE9, 0x0A])
        reactor.expect("all come") { lines.value == ["a", "b\r", "\u{E9}"] }
    }

    // K11
    @Test func `making options binary is a change like another`() throws {
        channel.options.text.inputEndMark = "\u{1A}"
        channel.options.text.outputEndMark = "\u{1A}"
        channel.options.text.encoding = .utf16BigEndian
        channel.options.text.makeBinary()
        #expect(channel.options == .binary)
        try send([0xE9, 0x1A, 0x0D, 0x0A])
        #expect(try channel.readText() == "\u{E9}\u{1A}\r\n")
        channel.options.text.encoding = .utf8
        #expect(channel.options.text.inputTranslation == .lf)
        channel.close()
        #expect(try ends.receiveAll() == [])
    }
}
