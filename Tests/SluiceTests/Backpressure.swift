// SPDX-License-Identifier: Apache-2.0
//
// What happens when the peer takes less than is written: marks, pauses, and bounded memory.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Backpressure: ConnectionSuite {
    let ends: ConnectionEnds

    static func makeEnds() throws -> ConnectionEnds {
        var options = ChannelOptions()
        options.highWaterMark = 50_000
        options.lowWaterMark = 10_000
        return try ConnectionEnds(on: Reactor(), options: options, smallBuffers: true)
    }

    /// Sends as much as the kernel takes.
    private func flood() throws -> Int {
        let piece = [UInt8](repeating: 0x66, count: 8_192)
        var count = 0
        while case .bytes(let sent)? = try ends.peer?.send(piece.span.bytes) { count += sent }
        return count
    }

    /// The peer's 8 bytes are not read before it has taken `count` bytes itself.
    private func expectPause(until count: Int, _ received: Box<Int>) throws {
        try ends.peer?.sendAll("question")
        reactor.settle()
        #expect(received.value == 0)
        #expect(try ends.receive(count).count == count)
        reactor.expect("the question is read") { received.value == 8 }
    }

    @Test func `a write says when the queue is above the high mark`() throws {
        let filled = try ends.fill()
        let queued = channel.unsentByteCount
        let room = [UInt8](repeating: 1, count: 50_000 - queued)
        #expect(try channel.write(room) == .accepted)
        #expect(channel.unsentByteCount == 50_000)
        #expect(try channel.write([1]) == .aboveMark)
        #expect(try channel.write([1]) == .aboveMark)
        #expect(try ends.receive(filled + room.count + 2).count == filled + room.count + 2)
        #expect(try channel.write([1]) == .accepted)
    }

    @Test func `onDrained is called once for each rise, at the low mark`() throws {
        let levels = Box<[Int]>([])
        channel.onDrained { levels.value.append($0.unsentByteCount) }
        for round in 1...3 {
            var count = try ends.fill()
            let more = [UInt8](repeating: 1, count: 60_000)
            #expect(try channel.write(more) == .aboveMark)
            count += more.count
            reactor.settle()
            #expect(levels.value.count == round - 1)
            #expect(try ends.receive(count).count == count)
            reactor.settle()
            #expect(levels.value.count == round)
        }
        #expect(levels.value.allSatisfy { $0 <= 10_000 })
    }

    @Test func `onDrained is not called for a queue that stayed below the high mark`() throws {
        let calls = Box(0)
        channel.onDrained { _ in calls.value += 1 }
        var options = channel.options
        options.highWaterMark = 1_000_000
        channel.options = options
        let filled = try ends.fill()
        #expect(try ends.receive(filled).count == filled)
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `onDrained may write again`() throws {
        let rounds = Box(0)
        let piece = [UInt8](repeating: 1, count: 60_000)
        channel.onDrained { channel in
            rounds.value += 1
            if rounds.value < 5 { try channel.write(piece) }
        }
        let filled = try ends.fill()
        try channel.write(piece)
        let count = filled + 5 * piece.count
        #expect(try ends.receive(count).count == count)
        reactor.expect("the last drain is told") { rounds.value == 5 }
    }

    @Test func `reading pauses above the high mark and goes on below the low one`() throws {
        let received = Box(0)
        channel.onBytes { _, bytes in received.value += bytes.byteCount }
        let filled = try ends.fill()
        #expect(try channel.write([UInt8](repeating: 1, count: 60_000)) == .aboveMark)
        try expectPause(until: filled + 60_000, received)
    }

    @Test func `reading pauses too where the handler came after the rise`() throws {
        let received = Box(0)
        let filled = try ends.fill()
        #expect(try channel.write([UInt8](repeating: 1, count: 60_000)) == .aboveMark)
        channel.onBytes { _, bytes in received.value += bytes.byteCount }
        try expectPause(until: filled + 60_000, received)
    }

    @Test func `a readable handler is not held back by queued output`() throws {
        channel.onBytes { _, _ in }
        try ends.fill()
        #expect(try channel.write([UInt8](repeating: 1, count: 60_000)) == .aboveMark)
        let text = Box("")
        channel.onReadable { channel in try channel.read { text.value += $0.text } }
        try ends.peer?.sendAll("x")
        reactor.expect("the byte is read") { text.value == "x" }
    }

    @Test func `an echo to a peer that never reads holds no more than the mark and a read`() throws
    {
        let highest = Box(0)
        channel.onBytes { channel, bytes in
            try channel.write(bytes)
            highest.value = max(highest.value, channel.unsentByteCount)
        }
        var idle = 0
        while idle < 50 {
            idle = try flood() == 0 ? idle + 1 : 0
            reactor.runPending()
        }
        #expect(channel.unsentByteCount > 50_000)
        #expect(highest.value <= 50_000 + Reactor.scratchByteCount)
    }

    @Test func `an echo that was held back gives everything back in the end`() throws {
        channel.onBytes { channel, bytes in try channel.write(bytes) }
        var sent = 0
        var idle = 0
        while idle < 50 {
            let more = try flood()
            sent += more
            idle = more == 0 ? idle + 1 : 0
            reactor.runPending()
        }
        #expect(sent > 50_000)
        #expect(try ends.receive(sent).count == sent)
        #expect(channel.unsentByteCount == 0)
    }

    @Test func `a queue above the mark that is lost lets the end be told`() throws {
        channel.onBytes { _, _ in }
        try ends.fill()
        #expect(try channel.write([UInt8](repeating: 1, count: 60_000)) == .aboveMark)
        try ends.resetByPeer()
        reactor.expect("the channel closes") { ends.endReasons == [.reset] }
    }

    @Test func `lowering the marks while output is queued holds at once`() throws {
        let calls = Box(0)
        channel.onDrained { _ in calls.value += 1 }
        try ends.fill()
        #expect(try channel.write([UInt8](repeating: 1, count: 60_000)) == .aboveMark)
        var options = channel.options
        options.lowWaterMark = 1_000_000
        channel.options = options
        #expect(calls.value == 1)
    }

    @Test func `reading goes on when the program lets it, though the output is full`() throws {
        let received = Box(0)
        channel.onBytes { _, bytes in received.value += bytes.byteCount }
        let filled = try ends.fill()
        #expect(try channel.write([UInt8](repeating: 1, count: 60_000)) == .aboveMark)
        try ends.peer?.sendAll("question")
        reactor.settle()
        #expect(received.value == 0)
        channel.options.pausesReadingAboveMark = false
        reactor.expect("the question is read") { received.value == 8 }
        _ = try ends.receive(filled + 60_000)
    }
}
