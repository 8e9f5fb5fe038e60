// SPDX-License-Identifier: Apache-2.0
//
// Writing to a channel: one system call a turn, order, partial writes, and what is refused.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Writing: ConnectionSuite {
    let ends: ConnectionEnds

    // MARK: One call a turn

    @Test func `all writes of one turn leave in one system call`() throws {
        let calls = CallCount()
        channel.onReadable { channel in
            try channel.read { _ in }
            for number in 0..<10 { try channel.write(text: "\(number)") }
            #expect(calls.sends == 0)
        }
        try ends.peer?.sendAll("x")
        calls.count { reactor.settle() }
        #expect(calls.sends == 1)
        #expect(try ends.receive(10).text == "0123456789")
    }

    @Test func `each turn has its own system call`() throws {
        let calls = CallCount()
        channel.onBytes { channel, bytes in try channel.write(bytes) }
        for _ in 0..<3 {
            try ends.peer?.sendAll("x")
            let answer = try calls.count { try ends.receive(1) }
            #expect(answer.text == "x")
        }
        #expect(calls.sends == 3)
    }

    @Test func `writes to other channels leave at the end of the turn in one call each`() throws {
        let others = try (0..<3).map { _ in try ConnectionEnds(on: reactor) }
        let channels = others.map(\.channel)
        let calls = CallCount()
        channel.onReadable { channel in
            try channel.read { _ in }
            for part in ["a", "b", "c"] {
                try channel.write(text: part)
                for other in channels { try other.write(text: part) }
            }
        }
        try ends.peer?.sendAll("x")
        calls.count { reactor.settle() }
        #expect(calls.sends == 4)
        for end in others + [ends] { #expect(try end.receive(3).text == "abc") }
    }

    @Test func `writes outside a run leave when the run begins`() throws {
        let calls = CallCount()
        try calls.count {
            try channel.write(text: "a")
            try channel.write(text: "b")
            #expect(calls.sends == 0)
            #expect(channel.unsentByteCount == 2)
            reactor.runPending()
        }
        #expect(calls.sends == 1)
        #expect(channel.unsentByteCount == 0)
        #expect(try ends.receive(2).text == "ab")
    }

    @Test func `what was written before a nested run does not wait for the handler's end`() throws {
        let got = Box("")
        channel.onReadable { [unowned reactor, unowned ends] channel in
            try channel.read { _ in }
            try channel.write(text: "now")
            reactor.runPending()
            got.value = try ends.peer?.receiveNow()?.text ?? ""
        }
        try ends.peer?.sendAll("x")
        reactor.expect("the handler has run") { got.value == "now" }
    }

    @Test func `flush sends at once`() throws {
        try channel.write(text: "a")
        try channel.flush()
        #expect(try ends.peer?.receiveNow() == Array("a".utf8))
        #expect(channel.unsentByteCount == 0)
    }

    @Test func `flush sends at once what waits behind another channel's output`() throws {
        let other = try ConnectionEnds(on: reactor)
        try other.channel.write(text: "first")
        try channel.write(text: "second")
        try channel.flush()
        #expect(try ends.peer?.receiveNow() == Array("second".utf8))
        #expect(try other.receive(5).text == "first")
    }

    @Test func `flush with nothing to send makes no system call`() throws {
        let calls = CallCount()
        try calls.count {
            try channel.write([UInt8]())
            try channel.flush()
            reactor.runPending()
        }
        #expect(calls.sends == 0)
    }

    @Test func `a large write leaves in one call with the small ones before it`() throws {
        let calls = CallCount()
        let large = pattern(30_000)
        try calls.count {
            try channel.write(text: "head")
            try channel.write(large)
        }
        #expect(calls.sends == 1)
        let received = try ends.receive(30_004)
        #expect(received.count == 30_004)
        let isWhole = received == Array("head".utf8) + large
        #expect(isWhole)
    }

    // MARK: Order

    @Test(arguments: [1, 777, 20_000, Int.max])
    func `order is kept among pieces of all sizes however little the kernel takes`(most: Int) throws
    {
        // A reader keeps the event level-triggered: the kernel itself is never full here.
        channel.onReadable { _ in }
        let sizes = [3, 17_000, 1, 16_384, 16_385, 5, 40_000, 2, 900, 70_000, 4]
        let scale = most == 1 ? 100 : 1
        let all = pattern(sizes.reduce(0) { $0 + max(1, $1 / scale) })
        var received: [UInt8] = []
        try Answers(.atMost(most), to: [.send, .sendVector]).give {
            var start = 0
            for (number, size) in sizes.enumerated() {
                let end = start + max(1, size / scale)
                if number.isMultiple(of: 2) {
                    try channel.write(Array(all[start..<end]))
                } else {
                    try channel.write(all.span.bytes.extracting(start..<end))
                }
                start = end
                if number == 6 { reactor.runPending() }
            }
            received = try ends.receive(all.count)
        }
        #expect(received.count == all.count)
        let isWhole = received == all
        #expect(isWhole)
    }

    @Test func `order is kept over turns while the kernel is full`() throws {
        let filled = try ends.fill()
        for number in 0..<200 {
            try channel.write(text: "[\(number)]")
            if number.isMultiple(of: 7) { reactor.runPending() }
        }
        let tail = (0..<200).map { "[\($0)]" }.joined()
        let received = try ends.receive(filled + tail.utf8.count)
        #expect(received.suffix(tail.utf8.count).map { $0 }.text == tail)
    }

    @Test func `a shared array is sent as it was when it was written`() throws {
        let filled = try ends.fill()
        var large = [UInt8](repeating: 1, count: 50_000)
        try channel.write(large)
        for index in large.indices { large[index] = 2 }
        let received = try ends.receive(filled + 50_000)
        #expect(!received.suffix(50_000).contains(2))
    }

    @Test func `bytes of a span may be overwritten after the write`() throws {
        let filled = try ends.fill()
        var memory = [UInt8](repeating: 1, count: 30_000)
        try channel.write(memory.span.bytes)
        for index in memory.indices { memory[index] = 2 }
        let received = try ends.receive(filled + 30_000)
        #expect(!received.suffix(30_000).contains(2))
    }

    // MARK: In the background

    @Test func `a queue of more than one turn's bytes goes out also when nobody reads`() throws {
        var options = channel.options
        options.bytesPerTurn = 1_500
        channel.options = options
        let all = pattern(60_000)
        var received: [UInt8] = []
        try Answers(.atMost(1_000), to: [.send, .sendVector]).give {
            try channel.write(all)
            received = try ends.receive(all.count)
        }
        #expect(received.count == all.count)
        let isWhole = received == all
        #expect(isWhole)
    }

    @Test func `a long queue takes turns with other channels`() throws {
        var options = channel.options
        options.bytesPerTurn = 1_000
        channel.options = options
        try Answers(.atMost(500), to: [.send, .sendVector]).give {
            try channel.write(pattern(50_000))
            reactor.runPending()
            let before = channel.unsentByteCount
            reactor.runPending()
            #expect(before - channel.unsentByteCount <= 1_500)
        }
        #expect(try ends.receive(50_000).count == 50_000)
        #expect(channel.unsentByteCount == 0)
    }

    @Test func `an interrupted send is repeated`() throws {
        let answers = Answers(.failure(.interrupted), to: [.send]) { $0 <= 3 }
        try answers.give {
            try channel.write(text: "x")
            try channel.flush()
        }
        #expect(answers.count == 4)
        #expect(try ends.receive(1).text == "x")
    }

    @Test func `a channel may be written to after the peer has closed its side`() throws {
        try ends.peer?.shutDown(.writing)
        #expect(try channel.read { _ in } == .endOfStream)
        try channel.write(text: "still here")
        #expect(try ends.receive(10).text == "still here")
    }

    // MARK: Refusals

    @Test func `writing to a closed channel names the bad descriptor and the peer`() {
        channel.close()
        let error = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(error == SocketError(.write, .badDescriptor, at: channel.peerAddress))
        let flushing = #expect(throws: SocketError.self) { try channel.flush() }
        #expect(flushing == error)
    }

    @Test func `writing while a closed channel sends its queue is refused`() throws {
        try ends.fill()
        channel.close()
        #expect(channel.status == .closing)
        let error = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(error?.code == .badDescriptor)
    }

    @Test func `writing after closing the writing side names the shut-down`() throws {
        try channel.closeWriting()
        let error = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(error == SocketError(.write, .shutDown, at: channel.peerAddress))
    }

    @Test func `a write over the output limit is refused whole`() throws {
        var options = channel.options
        options.outputLimit = 100_000
        channel.options = options
        let filled = try ends.fill()
        let queued = channel.unsentByteCount
        let over = [UInt8](repeating: 1, count: 100_001 - queued)
        let error = #expect(throws: SocketError.self) { try channel.write(over) }
        #expect(error == SocketError(.write, .noBufferSpace, at: channel.peerAddress))
        #expect(channel.unsentByteCount == queued)
        try channel.write(Array(over.dropLast()))
        #expect(channel.unsentByteCount == 100_000)
        #expect(try ends.receive(filled + over.count - 1).count == filled + over.count - 1)
    }

    @Test func `one write larger than the output limit is refused although nothing is queued`()
        throws
    {
        var options = channel.options
        options.outputLimit = 99
        channel.options = options
        let error = #expect(throws: SocketError.self) {
            try channel.write([UInt8](repeating: 1, count: 100))
        }
        #expect(error?.code == .noBufferSpace)
        #expect(channel.unsentByteCount == 0)
    }

    // MARK: Memory

    @Test func `a reactor gives the memory for its turns back`() throws {
        func useReactor() throws {
            let reactor = try Reactor()
            let ends = try ConnectionEnds(on: reactor)
            ends.channel.onBytes { channel, bytes in try channel.write(bytes) }
            try ends.peer?.sendAll("x")
            #expect(try ends.receive(1).text == "x")
        }
        for _ in 0..<5 { try useReactor() }
        let before = virtualByteCount()
        for _ in 0..<300 { try useReactor() }
        #expect(virtualByteCount() - before < 8_000_000)
    }
}
