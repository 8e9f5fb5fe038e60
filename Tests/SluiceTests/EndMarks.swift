// SPDX-License-Identifier: Apache-2.0
//
// Characters that end the input, and the one that is written when the output closes.
// A mark is not the end of the connection: what is behind it can still be read as bytes.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct EndMarks: ConnectionSuite {
    let ends: ConnectionEnds

    static func makeEnds() throws -> ConnectionEnds {
        var options = ChannelOptions()
        options.text.inputEndMark = "\u{1A}"
        return try ConnectionEnds(on: Reactor(), options: options)
    }

    /// Writes `text`, and a mark at the end, with `finish`.
    private func expectMark(
        _ expected: [UInt8], finishing finish: (Channel) throws -> Void
    ) throws {
        channel.options.text.outputEndMark = "\u{4}"
        try finish(channel)
        #expect(try ends.receiveAll() == expected)
    }

    // K7
    @Test func `the mark ends the text, and neither it nor what follows is text`() throws {
        try ends.peer?.sendAll("abc\u{1A}def\n")
        #expect(try channel.readText() == "abc")
        #expect(channel.isAtEnd && !channel.isBlocked)
        #expect(channel.status == .open)
        #expect(try channel.readText() == "")
        #expect(channel.isAtEnd)
    }

    // K7
    @Test func `lines end at the mark, and a tail before it is a line`() throws {
        try ends.peer?.sendAll("a\nb\u{1A}c\n")
        #expect(try channel.readLine() == "a")
        #expect(!channel.isAtEnd)
        #expect(try channel.readLine() == "b")
        #expect(channel.isAtEnd, "the end made it a line")
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        #expect(!channel.isBlocked)
    }

    // K7
    @Test func `a mark behind a line's end makes no line of nothing`() throws {
        try ends.peer?.sendAll("a\n\u{1A}")
        #expect(try channel.readLine() == "a")
        #expect(!channel.isAtEnd)
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
    }

    // K7
    @Test func `the end is sticky, whatever comes later`() throws {
        try ends.peer?.sendAll("\u{1A}")
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        try ends.peer?.sendAll("more\n")
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        #expect(try channel.read(characters: 1) == "")
        #expect(channel.isAtEnd)
        #expect(try !channel.hasMore())
    }

    // K7
    @Test func `what is behind the mark, and the mark, can be read as bytes`() throws {
        try ends.peer?.sendAll("abc\u{1A}de")
        #expect(try channel.readText() == "abc")
        #expect(channel.unreadByteCount == 3)
        #expect(try channel.readOnce() == "\u{1A}de")
        try ends.peer?.sendAll("f")
        #expect(try channel.readOnce() == "f")
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
    }

    // K7
    @Test func `a mark ends text wherever the bytes are cut`() throws {
        let bytes = Array("a\r\n\u{E9}b\u{1A}c\r\n".utf8)
        for cut in 0...bytes.count {
            let ends = try Self.makeEnds()
            var lines: [String] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                _ = try ends.peer?.send(Array(part).span.bytes)
                while let line = try ends.channel.readLine() { lines.append(line) }
            }
            #expect(lines == ["a", "\u{E9}b"], "cut at \(cut)")
            #expect(ends.channel.isAtEnd)
            let rest = try ends.channel.readOnce() + ends.channel.readOnce()
            #expect(rest == "\u{1A}c\r\n", "cut at \(cut)")
            ends.channel.close()
            ends.reactor.settle()
        }
    }

    // K7
    @Test(arguments: [LineTranslation.auto, .cr, .crlf, .lf])
    func `a mark may stand behind half a line's end`(translation: LineTranslation) throws {
        channel.options.text.inputTranslation = translation
        try ends.peer?.sendAll("a\r\u{1A}\n")
        let isEnd = translation == .auto || translation == .cr
        #expect(try channel.readText() == (isEnd ? "a\n" : "a\r"))
        #expect(channel.isAtEnd)
        #expect(try channel.readOnce() == "\u{1A}\n")
    }

    // K7
    @Test func `a blocking channel does not wait behind the mark`() throws {
        let alone = try LoneEnds(options: channel.options)
        try alone.peer?.sendAll("a\nb\u{1A}")
        #expect(try alone.channel.readLine() == "a")
        #expect(try alone.channel.read(characters: 100) == "b")
        #expect(alone.channel.isAtEnd)
        #expect(try alone.channel.readLine() == nil)
        #expect(try !alone.channel.hasMore())
        #expect(try alone.channel.readText() == "")
    }

    // K7
    @Test func `lines to a handler end at the mark, at once`() throws {
        let lines = Box<[String]>([])
        let ended = Box(0)
        channel.onLine { _, line in lines.value.append(line) }
        channel.onInputEnd { _ in ended.value += 1 }
        try ends.peer?.sendAll("a\nb\u{1A}c\n")
        reactor.expect("the end is told") { ended.value == 1 }
        #expect(lines.value == ["a", "b"])
        try ends.peer?.sendAll("d\n")
        reactor.settle()
        #expect(lines.value == ["a", "b"])
        #expect(ended.value == 1)
        #expect(channel.status == .open)
    }

    // K7
    @Test(arguments: ["", "b"])
    func `a mark in a piece of its own ends a handler's lines`(tail: String) throws {
        let lines = Box<[String]>([])
        let ended = Box(0)
        channel.onLine { _, line in lines.value.append(line) }
        channel.onInputEnd { _ in ended.value += 1 }
        try ends.peer?.sendAll("a\n" + tail)
        reactor.settle()
        try ends.peer?.sendAll("\u{1A}")
        reactor.expect("the end is told") { ended.value == 1 }
        #expect(lines.value == (tail.isEmpty ? ["a"] : ["a", "b"]))
    }

    // K7
    @Test func `without a handler for it the mark closes the channel`() throws {
        channel.onLine { _, _ in }
        try ends.peer?.sendAll("a\n\u{1A}")
        reactor.expect("it closes") { !ends.endReasons.isEmpty }
    }

    // K7
    @Test func `the output's mark is written once, when the channel closes`() throws {
        try expectMark([0x61, 4]) { channel in
            try channel.write("a")
            channel.close()
            channel.close()
        }
    }

    // K7
    @Test func `the mark follows what is held and what is queued`() throws {
        try expectMark([0x61, 0x62, 4]) { channel in
            channel.options.buffering = .full
            try channel.write("a")
            try channel.write([0x62])
            channel.close()
        }
    }

    // K7
    @Test func `the mark follows all that the kernel did not take`() throws {
        channel.options.text.outputEndMark = "\u{4}"
        let filled = try ends.fill()
        channel.close()
        let received = try ends.receiveAll()
        #expect(received.count == filled + 1)
        #expect(received.last == 4)
    }

    // K7
    @Test func `a channel that wrote nothing writes its mark`() throws {
        try expectMark([4]) { $0.close() }
    }

    // K7
    @Test func `the mark is written when one direction closes, and not again`() throws {
        try expectMark([0x61, 4]) { channel in
            channel.options.buffering = .full
            try channel.write("a")
            try channel.closeWriting()
            channel.options.text.outputEndMark = "\u{5}"
            channel.close()
        }
    }

    // K7
    @Test func `closing the reading side writes no mark, and the close then does`() throws {
        try expectMark([4]) { channel in
            try channel.closeReading()
            #expect(try ends.receive(0) == [])
            channel.close()
        }
    }

    // K7
    @Test func `the mark is what was set last`() throws {
        try expectMark([0x61, 5]) { channel in
            try channel.write("a")
            channel.options.text.outputEndMark = "\u{5}"
            channel.close()
        }
    }

    // K7
    @Test func `a mark that was taken away is not written`() throws {
        try expectMark([0x61]) { channel in
            try channel.write("a")
            channel.options.text.outputEndMark = nil
            channel.close()
        }
    }

    // K7
    @Test func `the mark is a character of the encoding`() throws {
        try expectMark([0, 0x61, 0, 4]) { channel in
            channel.options.text.encoding = .utf16BigEndian
            try channel.write("a")
            channel.close()
        }
    }

    // K7
    @Test func `a full queue leaves room for the mark`() throws {
        try expectMark([0x61, 0x62, 0x63, 4]) { channel in
            channel.options.buffering = .full
            channel.options.outputLimit = 3
            try channel.write("abc")
            channel.close()
        }
    }

    // K7, K34
    @Test func `closing the sink of a copy writes its mark`() throws {
        let source = try ConnectionEnds(on: reactor)
        try expectMark([4]) { channel in
            _ = try source.channel.copy(to: channel) { _ in wrongly() }
            try source.peer?.sendAll("a")
            #expect(try ends.receive(1) == [0x61])
            channel.close()
        }
        source.channel.close()
        reactor.settle()
    }

    // K7
    @Test func `a cut connection gets no mark`() throws {
        channel.options.text.outputEndMark = "\u{4}"
        channel.abort()
        #expect(throws: SocketError.self) { try ends.peer?.receiveNow() }
    }

    // K7
    @Test func `a channel alone writes its mark`() throws {
        for isHalf in [true, false] {
            let alone = try LoneEnds()
            alone.channel.options.text.outputEndMark = "\u{4}"
            try alone.channel.write("a")
            if isHalf { try alone.channel.closeWriting() }
            alone.channel.close()
            #expect(try alone.received() == "a\u{4}")
            #expect(try alone.peer?.receiveNow() == nil)
        }
    }

    // K7
    @Test func `what is no ASCII character is no mark`() throws {
        channel.options.text.inputEndMark = "\u{E9}"
        try expectMark([]) { channel in
            channel.options.text.outputEndMark = "\0"
            try ends.peer?.sendAll("a\u{E9}b\n")
            #expect(try channel.readLine() == "a\u{E9}b")
            channel.close()
        }
    }

    // MARK: Bytes behind the mark

    // K7
    @Test(arguments: ["", "he"])
    func `who reads bytes behind the mark gets them all, and the end`(beginning: String) throws {
        let received = Box("")
        let told = Box(0)
        channel.onLine { channel, line in
            #expect(line == "head")
            channel.onBytes { _, bytes in received.value += bytes.text }
            channel.onInputEnd { _ in told.value += 1 }
        }
        if !beginning.isEmpty {
            try ends.peer?.sendAll(beginning)
            reactor.settle()
        }
        try ends.peer?.sendAll("\("head".dropFirst(beginning.count))\u{1A}raw")
        reactor.settle()
        #expect(received.value == "\u{1A}raw")
        #expect(told.value == 0)
        ends.peer = nil
        reactor.expect("the end is told") { told.value == 1 }
        #expect(channel.status == .peerClosed)
    }

    // K7
    @Test func `who was told of the mark is told of the end behind it`() throws {
        let told = Box<[String]>([])
        channel.onLine { _, _ in }
        channel.onInputEnd { channel in
            told.value.append("mark")
            channel.onBytes { _, bytes in told.value.append(bytes.text) }
            channel.onInputEnd { _ in told.value.append("end") }
        }
        try ends.peer?.sendAll("head\u{1A}raw")
        ends.peer = nil
        reactor.expect("both are told") { told.value.last == "end" }
        #expect(told.value == ["mark", "\u{1A}raw", "end"])
    }
}
