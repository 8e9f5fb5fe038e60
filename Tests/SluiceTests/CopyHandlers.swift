// SPDX-License-Identifier: Apache-2.0
//
// What a copy lends itself of its ends and gives back: handlers, modes, pauses, buffers.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyHandlers {
    private static let blocking: ChannelOptions = {
        var options = ChannelOptions.binary
        options.isBlocking = true
        options.buffering = .full
        return options
    }()

    // K32
    @Test func `the source's readable handler rests during the copy and comes back`() throws {
        let ends = try CopyingEnds()
        let text = Box("")
        ends.from.onReadable { text.value += try $0.readText() }
        try ends.copy(limit: 3)
        try ends.send("abcdef")
        #expect(try ends.received() == "abc")
        ends.expectEnd(read: 3, written: 3)
        ends.reactor.settle()
        #expect(text.value == "def")
    }

    // K32
    @Test func `the source's byte handler comes back and is told of the end`() throws {
        let ends = try CopyingEnds()
        let events = Box<[String]>([])
        ends.from.onBytes { events.value.append($1.text) }
        ends.from.onInputEnd { _ in events.value.append("end") }
        try ends.copy(limit: 3)
        try ends.send("abcdef", isLast: true)
        ends.expectEnd(read: 3, written: 3)
        ends.reactor.settle()
        #expect(events.value == ["def", "end"])
    }

    // K32
    @Test func `the source's line handler may start a copy of what follows the line`() throws {
        let ends = try CopyingEnds()
        let lines = Box<[String]>([])
        ends.from.onLine { [unowned ends] _, line in
            lines.value.append(line)
            if line == "BODY" { try ends.copy(limit: 6) }
        }
        try ends.send("first\nBODY\nab\ncd\nlast\n")
        #expect(try ends.received() == "ab\ncd\n")
        ends.expectEnd(read: 6, written: 6)
        ends.reactor.settle()
        #expect(lines.value == ["first", "BODY", "last"])
    }

    // K32
    @Test func `a handler that is set during a copy begins after it`() throws {
        let ends = try CopyingEnds()
        let text = Box("")
        ends.from.onReadable { _ in wrongly() }
        try ends.copy(limit: 3)
        ends.from.onReadable { text.value += try $0.readText() }
        try ends.send("abcdef")
        ends.reactor.settle()
        #expect(text.value == "def")
        try ends.copy(limit: 3)
        ends.from.onReadable(nil)
        try ends.send("ghijkl")
        ends.reactor.settle()
        #expect(ends.from.handled == [])
        #expect(try ends.from.readText() == "jkl")
    }

    // K26, K32
    @Test func `a handler that starts a copy and throws does not come back`() throws {
        let ends = try CopyingEnds()
        let errors = Box(0)
        ends.reactor.onError = { _, _ in errors.value += 1 }
        ends.from.onReadable { [unowned ends] _ in
            try ends.copy(limit: 3)
            throw SocketError(.perform, .busy)
        }
        try ends.send("abcdef")
        ends.expectEnd(read: 3, written: 3)
        #expect(errors.value == 1)
        #expect(ends.from.handled == [])
        #expect(try ends.from.readText() == "def")
    }

    // K24
    @Test func `a copy is no handler`() throws {
        let ends = try CopyingEnds()
        try ends.copy()
        #expect(ends.from.handled == [])
        ends.from.onReadable { _ in }
        #expect(ends.from.handled == .readable)
    }

    // K26
    @Test func `a source that has lost its handler stays open while it is copied`() throws {
        let ends = try CopyingEnds()
        ends.reactor.onError = { _, _ in }
        ends.from.onReadable { [unowned ends] _ in
            try ends.copy()
            throw SocketError(.perform, .busy)
        }
        try ends.send("abc", isLast: true)
        ends.expectEnd(read: 3, written: 3)
        #expect(try ends.received() == "abc")
    }

    // K32
    @Test func `handlers come back after a copy that was stopped or whose sink was closed`() throws
    {
        let ends = try CopyingEnds()
        let text = Box("")
        ends.from.onReadable { text.value += try $0.readText() }
        try ends.copy().stop()
        try ends.send("one ")
        ends.reactor.settle()
        try ends.copy()
        ends.to.close()
        try ends.send("two")
        ends.reactor.settle()
        #expect(text.value == "one two")
    }

    // K32
    @Test func `the destination's handlers for its own input go on`() throws {
        let ends = try CopyingEnds()
        let text = Box("")
        ends.to.onBytes { text.value += $1.text }
        try ends.copy()
        try ends.sink.peer?.sendAll("in between")
        try ends.send("x")
        #expect(try ends.received() == "x")
        #expect(text.value == "in between")
    }

    // K32
    @Test func `the destination's writable handler rests during the copy`() throws {
        let ends = try CopyingEnds()
        let calls = Box(0)
        ends.to.onWritable { _ in calls.value += 1 }
        let copy = try ends.copy()
        ends.reactor.settle()
        #expect(calls.value == 0)
        copy.stop()
        ends.reactor.settle()
        #expect(calls.value > 0)
        ends.to.onWritable(nil)
    }

    // K32
    @Test func `a copy from a blocking channel does not block the reactor`() throws {
        let ends = try CopyingEnds(from: Self.blocking)
        // To wait is to poll; the call fails, so that this test does not hang.
        let polls = Answers(.failure(.noMemory), to: [.poll])
        try polls.give {
            try ends.copy(limit: 3)
            ends.reactor.settle()
            try ends.send("ab")
            #expect(try ends.received() == "ab")
            try ends.send("c")
            #expect(try ends.received() == "c")
        }
        ends.expectEnd(read: 3, written: 3)
        #expect(ends.from.options == Self.blocking)
    }

    // K32
    @Test func `a copy of text from a blocking channel does not block the reactor`() throws {
        var options = Self.blocking
        options.text.inputTranslation = .crlf
        let ends = try CopyingEnds(from: options)
        let polls = Answers(.failure(.noMemory), to: [.poll])
        try polls.give {
            try ends.copy(limit: 3)
            try ends.send("a\r\n")
            #expect(try ends.received() == "a\n")
            try ends.send("c")
            #expect(try ends.received() == "c")
        }
        ends.expectEnd(read: 3, written: 3)
    }

    // K32
    @Test func `a copy to a blocking channel does not block the reactor`() throws {
        let ends = try CopyingEnds(to: Self.blocking, smallBuffers: true)
        let all = pattern(500_000)
        let polls = Answers(.failure(.noMemory), to: [.poll])
        try polls.give {
            try ends.copy(limit: all.count)
            expectSame(try ends.exchange(all), all)
        }
        ends.expectEnd(read: all.count, written: all.count)
        #expect(ends.to.options == Self.blocking)
    }

    // K32
    @Test func `a paused source is not read until it is resumed`() throws {
        let ends = try CopyingEnds()
        ends.from.pauseReading()
        try ends.copy()
        try ends.send("abc")
        #expect(try ends.received() == "")
        ends.from.resumeReading()
        #expect(try ends.received() == "abc")
        ends.from.pauseReading()
        try ends.send("def")
        #expect(try ends.received() == "")
        ends.from.resumeReading()
        #expect(try ends.received() == "def")
    }

    // K32, K4
    @Test func `what the destination held back goes out before what is copied`() throws {
        let ends = try CopyingEnds(to: Self.held)
        try ends.to.write("held ")
        ends.reactor.settle()
        #expect(try ends.received() == "")
        try ends.copy(limit: 6)
        try ends.send("copied")
        #expect(try ends.received() == "held copied")
        ends.expectEnd(read: 6, written: 6)
        try ends.to.write("held again")
        #expect(try ends.received() == "")
        try ends.to.flush()
        #expect(try ends.received() == "held again")
    }

    private static let held: ChannelOptions = {
        var options = ChannelOptions.binary
        options.buffering = .full
        return options
    }()

    // K31, K4
    @Test(arguments: [0, 5])
    func `a copy of nothing ends also where the destination holds bytes back`(limit: Int) throws {
        let ends = try CopyingEnds(to: Self.held)
        try ends.to.write("held")
        try ends.source.peer?.shutDown(.writing)
        try ends.copy(limit: limit)
        ends.expectEnd(read: 0, written: 0)
    }

    // K31, K32
    @Test func `a copy that waits and a destination that holds bytes back keep the order`() throws {
        let ends = try CopyingEnds(to: Self.held)
        try ends.to.write("held ")
        try ends.send("copied", isLast: true)
        #expect(try ends.from.copy(to: ends.to).bytesWritten == 6)
        #expect(try ends.received() == "held copied")
    }
}
