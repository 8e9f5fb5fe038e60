// SPDX-License-Identifier: Apache-2.0
//
// What is held for a line's end or a full buffer, beside marks, limits and a full kernel.
// Nobody may wait for bytes that do not leave by themselves.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HeldOutput: ConnectionSuite {
    let ends: ConnectionEnds

    static func makeEnds() throws -> ConnectionEnds {
        try ConnectionEnds(on: Reactor(), smallBuffers: true)
    }

    private func hold(marks: (low: Int, high: Int)) {
        channel.options.buffering = .full
        channel.options.bufferByteCount = 100_000
        channel.options.lowWaterMark = marks.low
        channel.options.highWaterMark = marks.high
    }

    // K4, K28
    @Test func `the kernel's room sends what is due, and not what is held`() throws {
        let filled = try ends.fill()
        hold(marks: (0, 1_000_000))
        try channel.write("held")
        #expect(try ends.receive(filled).count == filled)
        reactor.settle()
        #expect(channel.unsentByteCount == 4)
        #expect(try ends.peer?.receiveNow() == [])
        try channel.flush()
        #expect(try ends.receive(4).text == "held")
    }

    // K28
    @Test func `the writable handler waits for what is due, and not for what is held`() throws {
        let filled = try ends.fill()
        hold(marks: (0, 1_000_000))
        try channel.write("held")
        let calls = Box(0)
        channel.onWritable { channel in
            calls.value += 1
            channel.onWritable(nil)
        }
        reactor.settle()
        #expect(calls.value == 0)
        #expect(try ends.receive(filled).count == filled)
        reactor.expect("it is called") { calls.value == 1 }
        #expect(channel.unsentByteCount == 4)
    }

    // K4
    @Test func `whoever is told to wait is told to go on`() throws {
        let filled = try ends.fill()
        hold(marks: (2, 10))
        let drains = Box(0)
        channel.onDrained { _ in drains.value += 1 }
        #expect(try channel.write(String(repeating: "x", count: 200_020)) == .aboveMark)
        reactor.settle()
        #expect(drains.value == 0)
        #expect(try ends.receive(filled + 200_000).count == filled + 200_000)
        reactor.expect("it is drained") { drains.value == 1 }
        // What is held waits for the program, and not the program for it.
        #expect(channel.unsentByteCount == 20)
    }

    // K4
    @Test func `reading does not wait for what is held`() throws {
        hold(marks: (2, 10))
        let received = Box("")
        channel.onBytes { _, bytes in received.value += bytes.text }
        try channel.write(String(repeating: "x", count: 20))
        try ends.peer?.sendAll("more")
        reactor.expect("it is read") { received.value == "more" }
    }

    // K4
    @Test func `lines are read while an answer is held`() throws {
        hold(marks: (2, 10))
        let lines = Box<[String]>([])
        channel.onLine { channel, line in
            lines.value.append(line)
            try channel.writeLine("an answer to " + line)
        }
        try ends.peer?.sendAll("a\nb\nc\n")
        reactor.expect("all are read") { lines.value == ["a", "b", "c"] }
    }

    // K4
    @Test func `a mark that is lowered while bytes are held leaves nobody waiting`() throws {
        hold(marks: (2, 1_000))
        let drains = Box(0)
        channel.onDrained { _ in drains.value += 1 }
        #expect(try channel.write(String(repeating: "x", count: 20)) == .accepted)
        channel.options.highWaterMark = 10
        #expect(try channel.write("y") == .accepted)
        try channel.flush()
        #expect(try ends.receive(21).count == 21)
        #expect(drains.value == 0)
    }

    // K4
    @Test func `what is held counts for the limit, and a write over it is refused whole`() throws {
        hold(marks: (0, 1_000))
        channel.options.outputLimit = 100
        let piece = String(repeating: "x", count: 60)
        try channel.write(piece)
        let error = #expect(throws: ChannelError.self) { try channel.write(piece) }
        let peer = channel.peerAddress
        #expect(error == .socket(SocketError(.write, .noBufferSpace, at: peer)))
        #expect(channel.unsentByteCount == 60)
        try channel.write(String(repeating: "y", count: 40))
        try channel.flush()
        #expect(try ends.receive(100).count == 100)
        try channel.write(piece)
        #expect(channel.unsentByteCount == 60)
    }

    // K4
    @Test func `many pieces of any size arrive in order`() throws {
        hold(marks: (0, 10_000_000))
        channel.options.bufferByteCount = 777
        let bytes = pattern(50_000)
        var start = 0
        var size = 1
        while start < bytes.count {
            let end = min(bytes.count, start + size)
            if size % 2 == 0 {
                try channel.write(Array(bytes[start..<end]))
            } else {
                try bytes[start..<end].withUnsafeBytes { _ = try channel.write($0.bytes) }
            }
            #expect(channel.unsentByteCount >= end % 777)
            start = end
            size = size % 900 + 37
        }
        try channel.flush()
        expectSame(try ends.receive(bytes.count), bytes)
    }

    // K4
    @Test func `a short send keeps the order and what is held`() throws {
        hold(marks: (0, 10_000_000))
        channel.options.bufferByteCount = 10
        let answers = Answers(.atMost(3), to: [.send, .sendVector])
        try answers.give {
            try channel.write("0123456789abcdefghijKLM")
            reactor.settle()
            #expect(channel.unsentByteCount == 3)
            #expect(try ends.receive(20).text == "0123456789abcdefghij")
            try channel.flush()
            #expect(try ends.receive(3).text == "KLM")
        }
    }

    // K4
    @Test func `a blocking channel holds, too, and waits for what it sends`() throws {
        let alone = try LoneEnds()
        alone.channel.options.buffering = .full
        alone.channel.options.bufferByteCount = 10
        try alone.channel.write("0123456789abc")
        #expect(try alone.received() == "0123456789")
        #expect(alone.channel.unsentByteCount == 3)
        try alone.channel.flush()
        #expect(try alone.received() == "abc")
        alone.channel.options.buffering = .line
        try alone.channel.write("a")
        #expect(try alone.received() == "")
        try alone.channel.writeLine()
        #expect(try alone.received() == "a\n")
        try alone.channel.write("rest")
        alone.channel.close()
        #expect(try alone.received() == "rest")
        #expect(try alone.peer?.receiveNow() == nil)
    }

    // K4
    @Test func `closing the writing side of a channel alone sends what is held`() throws {
        let alone = try LoneEnds()
        alone.channel.options.buffering = .full
        try alone.channel.write("held")
        try alone.channel.closeWriting()
        #expect(try alone.received() == "held")
        #expect(try alone.peer?.receiveNow() == nil)
    }

    // K4
    @Test func `a failed write drops what is held, and is told by the next call`() throws {
        hold(marks: (0, 1_000))
        try channel.write("held")
        SystemCall.failing(.send, with: .hostUnreachable) {
            // Told here or later.
            try? channel.flush()
        }
        #expect(channel.unsentByteCount == 0)
        #expect(channel.status == .failed)
        channel.close()
        reactor.settle()
        #expect(try ends.peer?.receiveNow() == nil)
    }
}

/// A channel that stands alone, and the bare socket at its other end.
final class LoneEnds {
    let channel: Channel
    var peer: Socket?

    init(options: ChannelOptions = .init()) throws {
        var pair = try Socket.makePair()
        channel = try Channel(blocking: .taken(from: &pair.first), options: options)
        peer = try .taken(from: &pair.second)
    }

    /// What has come to the other end.
    func received() throws -> String { try peer?.receiveNow()?.text ?? "end" }
}
