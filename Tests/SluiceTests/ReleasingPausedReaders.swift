// SPDX-License-Identifier: Apache-2.0
//
// A reactor whose channels hold too much, and pause: who is heard all the same, and whose pause
// ends before there is room again.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReleasingPausedReaders {
    let reactor: Reactor

    init() throws {
        reactor = try Reactor()
        reactor.bufferLimit = BufferLimit(byteCount: 20_000, policy: .pause)
    }

    private func makePairs(_ count: Int, messageTimeout: Duration) throws -> PairedChannels {
        var options = ChannelOptions()
        options.messageTimeout = messageTimeout
        return try PairedChannels(count, on: reactor, options: options)
    }

    private func sendPart(_ byteCount: Int, to place: Int, of pairs: PairedChannels) throws {
        try pairs.send(String(repeating: "x", count: byteCount), to: place)
        reactor.settle()
    }

    // MARK: Whole messages

    /// Who keeps what is no whole message, and answers each that is.
    enum Keeper: CaseIterable, Sendable {
        case lines, parser, task

        func begin(on channel: Channel) throws {
            switch self {
            case .lines: channel.onLine { channel, line in try channel.writeLine(line) }
            case .parser: channel.onReadable { channel in try Self.parse(channel) }
            case .task:
                let connection = try Connection.adopting(channel)
                Task(executorPreference: connection.executor) {
                    do { try await Self.answer(on: connection) } catch { Issue.record(error) }
                }
            }
        }

        private static func parse(_ channel: Channel) throws {
            var message: [UInt8] = []
            try channel.parse { bytes in
                if bytes.byteCount < 6 { return 0 }
                message = bytes.array
                return bytes.byteCount
            }
            if !message.isEmpty { try channel.write(message) }
        }

        private static func answer(on connection: isolated Connection) async throws {
            for _ in 0..<2 {
                let message = try await connection.read(exactly: 6)
                try await connection.write(message)
            }
        }
    }

    @Test(arguments: Keeper.allCases)
    func `who keeps nothing any more is read on, whatever others hold`(keeper: Keeper) throws {
        let pairs = try PairedChannels(2, on: reactor)
        try keeper.begin(on: pairs.channels[1])
        reactor.settle()
        try pairs.send("hel", to: 1)
        reactor.settle()
        try pairs.exceed()
        #expect(!pairs.channels[1].isPausedByLimit)
        for (text, answer) in [("lo\n", "hello\n"), ("again\n", "again\n")] {
            try pairs.send(text, to: 1)
            #expect(try pairs.receive(6, at: 1).text == answer)
            reactor.settle()
            #expect(!pairs.channels[1].isPausedByLimit)
        }
        #expect(reactor.buffers.isOver)
    }

    @Test func `who keeps a part is paused, and its line is made when there is room`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        let lines = Box<[String]>([])
        pairs.channels[1].onLine { _, line in lines.value.append(line) }
        try pairs.exceed()
        for text in ["hel", "lo\n"] {
            try pairs.send(text, to: 1)
            reactor.settle()
        }
        #expect(pairs.channels[1].isPausedByLimit)
        #expect(lines.value == [])
        pairs.closePeer(0)
        reactor.expect("it is read on") { lines.value == ["hello"] }
    }

    // MARK: Times

    @Test func `a line that comes in pieces is over its time, though a pause came in between`()
        throws
    {
        let pairs = try makePairs(2, messageTimeout: .milliseconds(200))
        for channel in pairs.channels { channel.onLine { _, _ in } }
        for byteCount in [3_000, 20_000] {
            for place in 0..<2 { try sendPart(byteCount, to: place, of: pairs) }
        }
        #expect(pairs.channels.allSatisfy { $0.isPausedByLimit })
        reactor.expect("both are ended") {
            pairs.reasons == [.timedOut(.message), .timedOut(.message)]
        }
        #expect(!reactor.buffers.isOver)
    }

    @Test func `the time in which the program pauses as well does not count`() throws {
        let pairs = try makePairs(1, messageTimeout: .milliseconds(400))
        pairs.channels[0].onLine { _, _ in }
        let begin = ContinuousClock.now
        try sendPart(25_000, to: 0, of: pairs)
        #expect(pairs.channels[0].isPausedByLimit)
        pairs.channels[0].pauseReading()
        let isOver = Box(false)
        reactor.after(.milliseconds(300)) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
        pairs.channels[0].resumeReading()
        reactor.expect("it is ended") { pairs.reasons == [.timedOut(.message)] }
        #expect(begin.duration(to: .now) > .milliseconds(600))
    }

    @Test func `a message that moves to a reactor without room is over its time there`() throws {
        let pairs = try makePairs(1, messageTimeout: .milliseconds(200))
        let other = try Reactor()
        other.bufferLimit = BufferLimit(byteCount: 0, policy: .pause)
        let holder = try PairedChannels(1, on: other)
        holder.channels[0].onLine { _, _ in }
        try holder.send("held", to: 0)
        other.settle()
        pairs.channels[0].onLine { _, _ in }
        try sendPart(1_000, to: 0, of: pairs)
        let moved = try Channel(attaching: pairs.channels[0].detach(), on: other)
        let reason = Box<EndReason?>(nil)
        moved.onClose { _, end in reason.value = end }
        moved.onLine { _, _ in }
        #expect(moved.isPausedByLimit)
        other.expect("it is ended") { reason.value == .timedOut(.message) }
    }

    // MARK: Ends

    @Test func `a paused client that has closed is heard to its end, and let go`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        let counts = Box<[Int]>([])
        pairs.channels[0].onLine { _, line in counts.value.append(line.utf8.count) }
        try sendPart(25_000, to: 0, of: pairs)
        #expect(pairs.channels[0].isPausedByLimit)
        try pairs.send("x\nrest", to: 0)
        reactor.settle()
        #expect(counts.value == [])
        pairs.closePeer(0)
        reactor.expect("it has ended") { pairs.reasons[0] != nil }
        #expect(counts.value == [25_001, 4])
        #expect(!reactor.buffers.isOver)
    }

    // MARK: Buffers

    @Test func `what only waits for its buffer to fill is sent, and holds nobody back`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        pairs.channels[0].options.buffering = .full
        try pairs.channels[0].write("hello")
        reactor.settle()
        #expect(try pairs.receiveNow(0) == [])
        reactor.bufferLimit = BufferLimit(byteCount: 0, policy: .pause)
        #expect(try pairs.receive(5, at: 0).text == "hello")
        reactor.settle()
        #expect(!pairs.channels[0].isPausedByLimit)
        #expect(!reactor.buffers.isOver)
    }
}

extension Channel {
    /// Whether the reactor's limit has it read no more.
    var isPausedByLimit: Bool { flags.contains(.pausedByLimit) }
}

extension PairedChannels {
    /// Has the first channel keep so much of a line that no other may keep anything, with a limit
    /// of 20,000 bytes.
    func exceed() throws {
        channels[0].onLine { _, _ in }
        try send(String(repeating: "x", count: 25_000), to: 0)
        reactor.settle()
        #expect(reactor.buffers.isStopped)
        #expect(channels[0].isPausedByLimit)
    }
}
