// SPDX-License-Identifier: Apache-2.0
//
// A reactor whose channels hold too much, and pause: who is asked for nothing more and loses
// nothing, who goes on at once when there is room, and whose time passes meanwhile.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct PausingReaders {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    private func makePairs(_ count: Int) throws -> PairedChannels {
        try PairedChannels(count, on: reactor, room: 8_192)
    }

    /// Has the first channel hold more than all may, for a peer that does not read.
    private func exceed(_ pairs: PairedChannels, by excess: Int = 1_000) throws {
        try pairs.fill(0)
        try pairs.channels[0].write(bytes(2_000_000))
        reactor.settle()
        let limit = pairs.heldByteCount - excess
        reactor.bufferLimit = BufferLimit(byteCount: limit, policy: .pause)
        reactor.settle()
        #expect(reactor.buffers.isOver)
    }

    // MARK: Answering

    /// A way to send back what comes.
    enum Echo: CaseIterable, Sendable {
        case bytes, lines, task

        func begin(on channel: Channel) throws {
            switch self {
            case .bytes: channel.onBytes { channel, bytes in try channel.write(bytes) }
            case .lines: channel.onLine { channel, line in try channel.writeLine(line) }
            case .task:
                let connection = try Connection.adopting(channel)
                Task(executorPreference: connection.executor) {
                    do { try await Self.sendBack(on: connection) } catch { Issue.record(error) }
                }
            }
        }

        private static func sendBack(on connection: isolated Connection) async throws {
            var result = WriteResult.accepted
            while try await connection.read({ result = try connection.write($0) }) {
                if result == .aboveMark { try await connection.waitForRoom() }
            }
        }
    }

    @Test(arguments: Echo.allCases)
    func `an echo to a slow reader ends nobody, and gives everything back`(echo: Echo) throws {
        let pairs = try makePairs(2)
        try exceed(pairs)
        try echo.begin(on: pairs.channels[1])
        let piece = Array(String(repeating: "a line\n", count: 600).utf8)
        var sent = 0
        for _ in 0..<40 {
            if case .bytes(let count)? = try pairs.peers[1]?.socket.send(piece.span.bytes) {
                sent += count
            }
            reactor.settle()
        }
        try #require(pairs.channels[1].status == .open)
        #expect(sent > 50_000)
        #expect(try pairs.receive(sent, at: 1).count == sent)
        #expect(reactor.buffers.isOver)
        #expect(pairs.reasons == [nil, nil])
        pairs.closePeer(1)
        reactor.expect("the echo ends") { pairs.reasons[1] != nil }
    }

    @Test func `output from before ends nobody who is answered, and is sent before more is read`()
        throws
    {
        let pairs = try makePairs(2)
        let filled = try pairs.fill(1)
        try exceed(pairs)
        let heard = Box("")
        pairs.channels[1].onBytes { channel, bytes in
            heard.value += bytes.text
            try channel.write(bytes)
        }
        for text in ["one ", "two "] {
            try pairs.send(text, to: 1)
            reactor.settle()
        }
        #expect(heard.value == "one ")
        let received = try pairs.receive(filled + 8, at: 1)
        #expect(Array(received.suffix(8)).text == "one two ")
        #expect(reactor.buffers.isOver)
    }

    @Test(arguments: [1_000, 1_000_000])
    func `lines that were read already wait for the output alone`(excess: Int) throws {
        let pairs = try makePairs(2)
        let filled = try pairs.fill(1)
        // Far above the limit nobody may keep what it reads.
        try exceed(pairs, by: excess)
        let lines = Box<[String]>([])
        pairs.channels[1].onLine { channel, line in
            lines.value.append(line)
            try channel.writeLine(line)
        }
        try pairs.send("one\ntwo\nthree\n", to: 1)
        reactor.settle()
        #expect(lines.value == ["one"])
        _ = try pairs.receive(filled + 14, at: 1)
        #expect(lines.value == ["one", "two", "three"])
        #expect(reactor.buffers.isOver)
    }

    @Test func `with room again it goes on, though nothing of its own has gone`() throws {
        let pairs = try makePairs(2)
        try pairs.fill(1)
        pairs.channels[1].options.lowWaterMark = 60_000
        try exceed(pairs)
        let heard = Box("")
        let drains = Box(0)
        pairs.channels[1].onBytes { channel, bytes in
            heard.value += bytes.text
            try channel.write(bytes)
        }
        pairs.channels[1].onDrained { _ in drains.value += 1 }
        for text in ["one ", "two "] {
            try pairs.send(text, to: 1)
            reactor.settle()
        }
        #expect(heard.value == "one ")
        #expect(drains.value == 0)
        _ = try pairs.receive(1_000_000, at: 0)
        reactor.settle()
        #expect(!reactor.buffers.isOver)
        #expect(heard.value == "one two ")
        #expect(drains.value == 1)
    }

    @Test func `one of the largest that has sent everything is read on, whatever others hold`()
        throws
    {
        let pairs = try makePairs(2)
        try pairs.channels[1].write(bytes(1_500_000))
        try exceed(pairs, by: 2_000_000)
        let heard = Box("")
        pairs.channels[1].onBytes { _, bytes in heard.value += bytes.text }
        try pairs.send("hello", to: 1)
        reactor.settle()
        #expect(heard.value == "")
        _ = try pairs.receive(1_500_000, at: 1)
        reactor.settle()
        #expect(heard.value == "hello")
        #expect(reactor.buffers.isOver)
    }

    @Test func `one that moves to a reactor with room goes on there`() throws {
        let other = try Reactor()
        let pairs = try makePairs(2)
        try pairs.fill(1)
        pairs.channels[1].options.lowWaterMark = 60_000
        try exceed(pairs)
        #expect(try pairs.channels[1].write([1]) == .aboveMark)
        let moved = try Channel(attaching: pairs.channels[1].detach(), on: other)
        let heard = Box("")
        moved.onBytes { _, bytes in heard.value += bytes.text }
        try pairs.send("hello", to: 1)
        other.settle()
        #expect(heard.value == "hello")
        moved.abort()
    }

    // MARK: Tasks

    @Test func `tasks that write wait for room, and lose nothing`() throws {
        let pairs = try makePairs(2)
        let filled = try pairs.fill(1)
        try exceed(pairs)
        let connection = try Connection.adopting(pairs.channels[1])
        let done = Tally()
        let piece = bytes(10_000)
        let line = String(repeating: "l", count: 9_999)
        for writesLines in [false, true] {
            Task(executorPreference: reactor.executor) {
                do {
                    for _ in 0..<20 {
                        if writesLines {
                            try await connection.writeLine(line)
                        } else {
                            try await connection.write(piece)
                        }
                    }
                } catch {
                    Issue.record(error)
                }
                done.add(1)
            }
        }
        reactor.settle()
        #expect(pairs.channels[1].unsentByteCount < 40_000)
        #expect(done.value == 0)
        let count = filled + 400_000
        #expect(try pairs.receive(count, at: 1).count == count)
        reactor.expect("both have written all") { done.value == 2 }
        #expect(reactor.buffers.isOver)
    }

    @Test func `a write that waits for room has a deadline, and then was not taken`() throws {
        let pairs = try makePairs(2)
        try pairs.fill(1)
        try exceed(pairs)
        #expect(try pairs.channels[1].write([1]) == .aboveMark)
        let unsent = pairs.channels[1].unsentByteCount
        let connection = try Connection.adopting(pairs.channels[1])
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            let error = await #expect(throws: SocketError.self) {
                try await connection.within(.milliseconds(20)) { try await connection.write([2]) }
            }
            #expect(error?.code == .noBufferSpace)
            done.set()
        }
        reactor.expect("the deadline") { done.isSet }
        #expect(pairs.channels[1].unsentByteCount == unsent)
    }

    @Test(arguments: [false, true])
    func `a task that asks while it is paused waits until there is room`(readsLine: Bool) throws {
        let pairs = try makePairs(1)
        try exceed(pairs)
        let connection = try Connection.adopting(pairs.channels[0])
        try pairs.send("hello\n", to: 0)
        // The peer reads some, so the channel has turns meanwhile.
        _ = try pairs.receive(50_000, at: 0)
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            do {
                if readsLine {
                    _ = try await connection.readLine()
                } else {
                    _ = try await connection.read()
                }
            } catch {
                Issue.record(error)
            }
            done.set()
        }
        reactor.settle()
        #expect(reactor.buffers.isOver)
        #expect(!done.isSet)
        _ = try pairs.receive(1_000_000, at: 0)
        reactor.expect("it has read") { done.isSet }
    }

    private static func readFrame(_ connection: isolated Connection) async throws -> [UInt8]? {
        var rule = DelimiterFraming([0x3B])
        return try await connection.read(by: &rule)
    }

    @Test func `a paused task consumes what was read already, and adds nothing to it`() throws {
        let pairs = try makePairs(1)
        let connection = try Connection.adopting(pairs.channels[0])
        let frames = SharedValue<[String]>([])
        func readOne() {
            Task(executorPreference: reactor.executor) {
                do {
                    let frame = try await Self.readFrame(connection) ?? []
                    frames.change { $0.append(frame.text) }
                } catch {
                    Issue.record(error)
                }
            }
        }
        try pairs.send("one;two;", to: 0)
        readOne()
        reactor.expect("the first is read") { frames.value == ["one"] }
        try exceed(pairs)
        try pairs.send("three;", to: 0)
        _ = try pairs.receive(50_000, at: 0)
        readOne()
        reactor.expect("the second is read") { frames.value == ["one", "two"] }
        #expect(reactor.buffers.isOver)
        #expect(pairs.channels[0].unreadByteCount == 0)
        _ = try pairs.receive(1_000_000, at: 0)
        readOne()
        reactor.expect("the third is read") { frames.value == ["one", "two", "three"] }
    }

    @Test func `a paused task whose peer is gone is told`() throws {
        let pairs = try makePairs(1)
        reactor.bufferLimit = BufferLimit(byteCount: 10_000, policy: .pause)
        let connection = try Connection.adopting(pairs.channels[0])
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            let error = await #expect(throws: ChannelError.self) {
                try await connection.read(exactly: 50_000)
            }
            let told = SocketError(.write, .brokenPipe, at: connection.peerAddress)
            #expect(error == .socket(told))
            done.set()
        }
        reactor.settle()
        try pairs.send(String(repeating: "x", count: 20_000), to: 0)
        reactor.settle()
        #expect(pairs.channels[0].flags.contains(.pausedByLimit))
        pairs.closePeer(0)
        try pairs.channels[0].write("nobody gets this")
        reactor.expect("the task is told") { done.isSet }
    }

    // MARK: Times

    private func makePairs(_ count: Int, messageTimeout: Duration) throws -> PairedChannels {
        var options = ChannelOptions()
        options.messageTimeout = messageTimeout
        return try PairedChannels(count, on: reactor, options: options)
    }

    @Test func `messages that are not completed in time make room for others`() throws {
        let pairs = try makePairs(3, messageTimeout: .milliseconds(200))
        pairs.channels[2].options.messageTimeout = nil
        let lines = Box<[String]>([])
        for channel in pairs.channels { channel.onLine { _, line in lines.value.append(line) } }
        reactor.bufferLimit = BufferLimit(byteCount: 20_000, policy: .pause)
        try pairs.send(String(repeating: "x", count: 20_000), to: 0)
        try pairs.send(String(repeating: "x", count: 25_000), to: 1)
        reactor.settle()
        for text in ["hel", "lo\n"] {
            try pairs.send(text, to: 2)
            reactor.settle()
        }
        #expect(pairs.channels.allSatisfy { $0.flags.contains(.pausedByLimit) })
        #expect(lines.value == [])
        reactor.expect("the third is read on") { lines.value == ["hello"] }
        reactor.settle()
        #expect(pairs.reasons == [.timedOut(.message), .timedOut(.message), nil])
    }

    @Test func `while the program pauses as well, no message is over its time`() throws {
        let pairs = try makePairs(1, messageTimeout: .milliseconds(100))
        pairs.channels[0].onLine { _, _ in }
        try pairs.send(String(repeating: "x", count: 20_000), to: 0)
        reactor.settle()
        pairs.channels[0].pauseReading()
        reactor.bufferLimit = BufferLimit(byteCount: 10_000, policy: .pause)
        let isOver = Box(false)
        reactor.after(.milliseconds(300)) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
        #expect(pairs.reasons == [nil])
        pairs.channels[0].resumeReading()
        reactor.expect("it is ended") { pairs.reasons == [.timedOut(.message)] }
    }
}
