// SPDX-License-Identifier: Apache-2.0
//
// What channels keep of their input in the sum of their reactor: it stays while somebody looks at
// it, goes when nobody can read it any more, and room is looked for seldom.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CountingInput {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func makePairs(_ count: Int) throws -> PairedChannels {
        try PairedChannels(count, on: reactor, room: 8_192)
    }

    /// Has a parser keep so many bytes, which come in pieces of 5,000.
    private func keep(_ byteCount: Int, at place: Int, of pairs: PairedChannels) throws {
        pairs.channels[place].onReadable { try $0.parse { _ in 0 } }
        for _ in 0..<byteCount / 5_000 {
            try pairs.send(String(repeating: "x", count: 5_000), to: place)
            reactor.settle()
        }
        #expect(pairs.channels[place].unreadByteCount == byteCount)
    }

    /// Two channels keep 105,000 bytes together, and neither of them much alone.
    private func keepMuch() throws -> PairedChannels {
        let pairs = try makePairs(2)
        try keep(60_000, at: 0, of: pairs)
        try keep(45_000, at: 1, of: pairs)
        return pairs
    }

    /// Counts how often room is looked for, and makes none.
    private final class Witness: BufferRelief {
        var lookCount = 0

        func turnEnded(on reactor: Reactor) {
            lookCount += 1
            reactor.buffers.relieved()
        }

        func makeRoom(on reactor: Reactor, sparing writer: AnyObject) {
            reactor.buffers.relieved()
        }
    }

    // MARK: Closing

    @Test func `what a closed channel has not read is not kept until all is sent`() throws {
        let pairs = try makePairs(1)
        let channel = pairs.channels[0]
        channel.onReadable { try $0.parse { _ in 0 } }
        try pairs.send("unread", to: 0)
        reactor.settle()
        try pairs.fill(0)
        channel.close()
        reactor.settle()
        #expect(channel.state.phase == .draining)
        #expect(channel.unreadByteCount == 0)
        #expect(channel.unsentByteCount > 0)
        #expect(reactor.bufferedByteCount == channel.unsentByteCount)
    }

    @Test func `nor while it only hears its peer out`() throws {
        let pairs = try makePairs(1)
        let channel = pairs.channels[0]
        channel.onReadable { try $0.parse { _ in 0 } }
        try pairs.send("unread", to: 0)
        try channel.write("answer")
        reactor.settle()
        #expect(try pairs.receiveNow(0).text == "answer")
        #expect(reactor.bufferedByteCount == 6)
        channel.pauseReading()
        try pairs.send("more", to: 0)
        channel.close()
        #expect(channel.state.phase == .discarding)
        #expect(reactor.bufferedByteCount == 0)
        pairs.closePeer(0)
        reactor.expect("it has ended") { pairs.reasons == [.local] }
    }

    @Test func `a line handler that closes leaves no line behind`() throws {
        let pairs = try makePairs(1)
        let lines = Box<[String]>([])
        pairs.channels[0].onLine { channel, line in
            lines.value.append(line)
            channel.close()
        }
        try pairs.send("on", to: 0)
        reactor.settle()
        try pairs.fill(0)
        try pairs.send("e\ntwo\nthree", to: 0)
        reactor.settle()
        #expect(lines.value == ["one"])
        #expect(pairs.channels[0].state.phase == .draining)
        #expect(reactor.bufferedByteCount == pairs.channels[0].unsentByteCount)
    }

    @Test func `a connection that was closed has nothing left to read`() throws {
        let pairs = try makePairs(1)
        try pairs.fill(0)
        let connection = try Connection.adopting(pairs.channels[0])
        try pairs.send("line\nrest", to: 0)
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            do { _ = try await connection.readLine() } catch { Issue.record(error) }
            let before = await connection.unreadByteCount
            #expect(before == 4)
            await connection.close()
            let after = await connection.unreadByteCount
            #expect(after == 0)
            let error = await #expect(throws: SocketError.self) {
                _ = try await connection.read()
            }
            #expect(error?.code == .badDescriptor)
            done.set()
        }
        reactor.expect("the task is told") { done.isSet }
        #expect(reactor.bufferedByteCount == pairs.channels[0].unsentByteCount)
    }

    // MARK: Looking

    /// A way to consume the beginning of what is kept.
    enum Consuming: CaseIterable, Sendable {
        case parsing, reading
    }

    @Test(arguments: Consuming.allCases)
    func `who consumes a little lets nobody go before there is room`(way: Consuming) throws {
        let pairs = try keepMuch()
        reactor.bufferLimit = BufferLimit(byteCount: 100_000, policy: .pause)
        reactor.settle()
        #expect(pairs.channels.map(\.isPausedByLimit) == [true, false])
        switch way {
        case .parsing:
            try pairs.send("x", to: 1)
            try pairs.channels[1].parse { _ in 10_001 }
        case .reading:
            try pairs.channels[1].read(upTo: 10_000) { _ in }
        }
        reactor.settle()
        #expect(reactor.bufferedByteCount == 95_000)
        #expect(reactor.buffers.isOver)
        #expect(pairs.channels.map(\.isPausedByLimit) == [true, false])
    }

    @Test func `while a parser looks at what it kept the pause goes on`() throws {
        let pairs = try keepMuch()
        reactor.bufferLimit = BufferLimit(byteCount: 100_000, policy: .pause)
        reactor.settle()
        try pairs.send("x", to: 1)
        var wasPausing = false
        var counted = 0
        try pairs.channels[1].parse { _ in
            wasPausing = reactor.buffers.isPausing
            counted = reactor.bufferedByteCount
            return 0
        }
        #expect(wasPausing)
        #expect(counted == 105_000)
        #expect(reactor.bufferedByteCount == 105_001)
    }

    @Test func `a look at what is kept has nobody look for room`() throws {
        let pairs = try keepMuch()
        let witness = Witness()
        reactor.buffers.set(limit: 100_000, stops: false, relief: witness)
        reactor.settle()
        #expect(witness.lookCount == 1)
        for _ in 0..<10 {
            try pairs.send("x", to: 1)
            reactor.settle()
        }
        #expect(reactor.bufferedByteCount == 105_010)
        #expect(witness.lookCount == 1)
    }

    /// What a parser does to its own channel.
    enum Deed: CaseIterable, Sendable {
        case closing, aborting, closingReading, throwing

        func happen(to channel: Channel) throws {
            switch self {
            case .closing: channel.close()
            case .aborting: channel.abort()
            case .closingReading: try channel.closeReading()
            case .throwing: throw Mishap()
            }
        }
    }

    @Test(arguments: Deed.allCases)
    func `whatever a parser does to its channel, the sum is exact`(deed: Deed) throws {
        let pairs = try makePairs(2)
        try pairs.fill(0)
        for place in 0...1 { try keep(50_000, at: place, of: pairs) }
        try pairs.send("x", to: 0)
        let channel = pairs.channels[0]
        do {
            try channel.parse { _ in
                try deed.happen(to: channel)
                return 10
            }
            #expect(deed != .throwing)
        } catch is Mishap {
            #expect(deed == .throwing)
        }
        #expect(channel.unreadByteCount == (deed == .throwing ? 50_001 : 0))
        #expect(reactor.bufferedByteCount == pairs.heldByteCount)
        reactor.settle()
        #expect(reactor.bufferedByteCount == pairs.heldByteCount)
    }

    @Test func `a channel that moves while it is read leaves no count behind`() throws {
        let pairs = try makePairs(1)
        try keep(50_000, at: 0, of: pairs)
        let channel = pairs.channels[0]
        let detached = Box<DetachedChannel?>(nil)
        try channel.read { _ in detached.value = try channel.detach() }
        #expect(reactor.bufferedByteCount == 0)
        let other = try Reactor()
        let moved = try Channel(attaching: try #require(detached.value), on: other)
        #expect(other.bufferedByteCount == 0)
        moved.abort()
        reactor.settle()
        #expect(pairs.reasons == [.moved])
    }

    // MARK: Looking for room

    @Test func `the more is held, the less often room is looked for`() {
        let account = reactor.buffers
        let witness = Witness()
        account.set(limit: 1_000, stops: true, relief: witness)
        for _ in 0..<2_000 {
            account.add(65_536)
            reactor.runPending()
        }
        #expect(witness.lookCount > 10)
        #expect(witness.lookCount < 100)
        account.add(-2_000 * 65_536)
    }
}
