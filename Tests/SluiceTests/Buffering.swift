// SPDX-License-Identifier: Apache-2.0
//
// When what is written leaves a channel: at once, with a line, with a full buffer, with the turn.
// What is held waits for more to be written, for a flush or for the close.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HoldingWrites: ConnectionSuite {
    let ends: ConnectionEnds

    /// Changes how the channel holds what is written.
    private func buffer(_ mode: Buffering, _ byteCount: Int = 4_096) {
        channel.options.buffering = mode
        channel.options.bufferByteCount = byteCount
    }

    /// What the peer has got, without a turn of the reactor.
    private func received() throws -> String { try ends.peer?.receiveNow()?.text ?? "end" }

    /// What the peer has got when the reactor has done all that there is to do.
    private func settled() throws -> String {
        reactor.settle()
        return try received()
    }

    // K4, A23
    @Test func `without buffering each write leaves at once, in a call of its own`() throws {
        buffer(.none)
        let calls = CallCount()
        try calls.count {
            try channel.write("a")
            #expect(try received() == "a")
            try channel.write([0x62])
            try channel.writeLine("c")
            #expect(try received() == "bc\n")
        }
        #expect(calls.sends == 3)
        #expect(channel.unsentByteCount == 0)
    }

    // K4
    @Test func `a turn's writes leave together at its end`() throws {
        let calls = CallCount()
        try calls.count {
            for part in ["a", "b\n", "c"] { try channel.write(part) }
            #expect(try received() == "")
            #expect(channel.unsentByteCount == 4)
            #expect(try settled() == "ab\nc")
        }
        #expect(calls.sends == 1)
    }

    // K4
    @Test func `a turn on a blocking channel is each write`() throws {
        channel.options.isBlocking = true
        try channel.write("a")
        #expect(try received() == "a")
        let alone = try LoneEnds()
        try alone.channel.write("b")
        #expect(try alone.peer?.receiveNow()?.text == "b")
    }

    // K4
    @Test func `a line is held until it is complete, and then all of it leaves`() throws {
        buffer(.line)
        try channel.write("a")
        try channel.write([0x62])
        #expect(try settled() == "")
        #expect(channel.unsentByteCount == 2)
        try channel.write("c\nd")
        #expect(try received() == "abc\nd")
        try channel.write([0x65, 0x0A, 0x66])
        #expect(try received() == "e\nf")
        try channel.print("g", 1)
        #expect(try received() == "g 1\n")
        #expect(channel.unsentByteCount == 0)
    }

    // K4
    @Test(arguments: [LineTranslation.auto, .cr, .crlf, .lf])
    func `a line is complete whatever stands for its end`(translation: LineTranslation) throws {
        buffer(.line)
        channel.options.text.outputTranslation = translation
        try channel.write("a")
        try channel.writeLine()
        let end = translation == .lf ? "\n" : translation == .cr ? "\r" : "\r\n"
        #expect(try received() == "a" + end)
        try channel.write("b\nc")
        #expect(try received() == "b" + end + "c")
    }

    // K4
    @Test func `a line is complete by its characters, not by its bytes`() throws {
        buffer(.line)
        channel.options.text.encoding = .utf16BigEndian
        try channel.write("\u{10A}\u{A00}")
        #expect(try settled() == "")
        #expect(channel.unsentByteCount == 4)
        try channel.write("\n")
        reactor.settle()
        #expect(try ends.peer?.receiveNow() == [1, 10, 10, 0, 0, 10])
    }

    // K4
    @Test func `a line that fills the buffer leaves in whole buffers`() throws {
        buffer(.line, 4)
        try channel.write("abcdef")
        #expect(try received() == "abcd")
        #expect(channel.unsentByteCount == 2)
        try channel.write("\n")
        #expect(try received() == "ef\n")
    }

    // K4, W24
    @Test func `a full buffer is sent whole, and the rest is held`() throws {
        buffer(.full, 10)
        try channel.write(String(repeating: "x", count: 25))
        #expect(try settled().utf8.count == 20)
        #expect(channel.unsentByteCount == 5)
        try channel.write([1, 2, 3, 4])
        #expect(try settled() == "")
        try channel.write([5])
        #expect(try settled().utf8.count == 10)
        #expect(channel.unsentByteCount == 0)
    }

    // K4
    @Test func `line feeds mean nothing to a full buffer`() throws {
        buffer(.full)
        try channel.writeLine("a")
        try channel.write([0x0A])
        #expect(try settled() == "")
        try channel.flush()
        #expect(try received() == "a\n\n")
    }

    // K4
    @Test func `the smallest buffer holds nothing`() throws {
        buffer(.full, 1)
        try channel.write("abc")
        #expect(try received() == "abc")
    }

    // K4
    @Test(arguments: [Buffering.none, .line, .turn])
    func `changing the mode sends nothing by itself`(mode: Buffering) throws {
        buffer(.full)
        try channel.write("held\n")
        channel.options.buffering = mode
        #expect(try settled() == "")
        #expect(channel.unsentByteCount == 5)
        try channel.write("more\n")
        #expect(try settled() == "held\nmore\n")
    }

    // K4
    @Test func `changing to a smaller buffer sends nothing by itself`() throws {
        buffer(.full)
        try channel.write("abcdef")
        channel.options.bufferByteCount = 4
        #expect(try settled() == "")
        try channel.write("g")
        #expect(try settled() == "abcd")
        #expect(channel.unsentByteCount == 3)
    }

    // K4
    @Test func `what a turn collected precedes what is held after it`() throws {
        try channel.write("turn ")
        buffer(.full)
        try channel.write("held")
        #expect(try settled() == "turn ")
        try channel.flush()
        #expect(try received() == "held")
    }

    // K4
    @Test(arguments: Buffering.allCases)
    func `flush sends what is held, and nothing where nothing is`(mode: Buffering) throws {
        buffer(mode)
        try channel.flush()
        try channel.write("held")
        try channel.flush()
        #expect(channel.unsentByteCount == 0)
        #expect(try received() == "held")
        try channel.flush()
        #expect(try settled() == "")
    }

    // K4
    @Test func `no write leaves where the text can't be encoded`() throws {
        buffer(.full)
        channel.options.text.encoding = .ascii
        try channel.write("ok")
        #expect(throws: ChannelError.self) { try channel.write("a\u{E9}") }
        #expect(throws: ChannelError.self) { try channel.writeLine("\u{E9}") }
        #expect(channel.unsentByteCount == 2)
        try channel.flush()
        #expect(try received() == "ok")
    }

    // K28
    @Test(arguments: [Buffering.line, .full])
    func `what is held does not hold back the writable handler`(mode: Buffering) throws {
        buffer(mode)
        let calls = Box(0)
        try channel.write("held")
        channel.onWritable { channel in
            calls.value += 1
            if calls.value == 3 { channel.onWritable(nil) }
        }
        reactor.expect("it is called over and over") { calls.value == 3 }
        #expect(try settled() == "")
        #expect(channel.unsentByteCount == 4)
    }

    // K4, A23
    @Test(arguments: [Buffering.line, .full])
    func `what is held goes out before the close`(mode: Buffering) throws {
        buffer(mode)
        try channel.write("held")
        channel.close()
        #expect(try ends.receiveAll().text == "held")
        #expect(ends.endReasons == [.local])
    }

    // K4
    @Test(arguments: [Buffering.line, .full])
    func `what is held goes out before the end of one direction`(mode: Buffering) throws {
        buffer(mode)
        try channel.write("held")
        try channel.closeWriting()
        #expect(channel.unsentByteCount == 0)
        #expect(try ends.receiveAll().text == "held")
        #expect(channel.status == .halfClosed)
    }

    // K4
    @Test func `what is held is dropped when the connection is cut`() throws {
        buffer(.full)
        try channel.write("held")
        channel.abort()
        #expect(throws: SocketError.self) { try ends.peer?.receiveNow() }
    }

    // W24
    @Test func `the answer to a line tells that the peer is gone`() throws {
        channel.options.isBlocking = true
        buffer(.line)
        ends.peer = nil
        try channel.writeLine("question")
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
    }

    // K5
    @Test func `a smaller buffer holds less from then on`() throws {
        channel.options.buffering = .full
        try channel.write("abc")
        channel.options.bufferByteCount = 2
        try channel.write("d")
        #expect(try ends.receive(4).text == "abcd")
    }
}
