// SPDX-License-Identifier: Apache-2.0
//
// Who makes room where channels share what they hold, and where very many have to.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct EndingTheLargest {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private let ended = EndReason.limit(.reactorBuffers)

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    private func filled(_ count: Int) throws -> PairedChannels {
        let pairs = try PairedChannels(count, on: reactor, room: 8_192)
        for place in 0..<count { try pairs.fill(place) }
        return pairs
    }

    // MARK: What is shared

    @Test func `who waits for what all wait for is not the largest`() throws {
        let pairs = try filled(51)
        try pairs.channels[50].write(bytes(300_000))
        let group = ChannelGroup(on: reactor)
        for channel in pairs.channels.dropLast() { group.insert(channel) }
        group.broadcast(bytes(400_000), to: .queue)
        reactor.settle()
        #expect(reactor.bufferedByteCount > 700_000)
        reactor.bufferLimit = BufferLimit(byteCount: reactor.bufferedByteCount - 1)
        reactor.settle()
        #expect(pairs.reasons[..<50].allSatisfy { $0 == nil })
        #expect(pairs.reasons[50] == ended)
    }

    @Test func `who alone waits for a message holds all of it`() throws {
        let pairs = try filled(3)
        let group = ChannelGroup(of: pairs)
        group.broadcast(bytes(400_000), to: .queue)
        try pairs.channels[0].write(bytes(200_000))
        for place in 0..<2 { try pairs.relieve(place, to: 200_000) }
        try pairs.relieve(1)
        try pairs.relieve(0, to: 150_000)
        reactor.bufferLimit = BufferLimit(byteCount: 400_000)
        reactor.settle()
        #expect(pairs.reasons == [nil, nil, ended])
    }

    @Test func `a broadcast that is under way ends nobody: the rest skips it`() throws {
        DescriptorLimit.raise()
        let pairs = try PairedChannels(1_500, on: reactor)
        try pairs.fill(0)
        try pairs.channels[0].write(bytes(10_000))
        reactor.settle()
        let result = Box<BroadcastResult?>(nil)
        let before = reactor.bufferedByteCount
        reactor.bufferLimit = BufferLimit(byteCount: before + 50_000)
        for channel in pairs.channels[..<1_024] { try channel.closeWriting() }
        ChannelGroup(of: pairs).broadcast(bytes(100_000)) { result.value = $0 }
        #expect(reactor.bufferedByteCount == before + 100_000)
        reactor.buffers.turnEnded(reactor)
        reactor.expect("it is told") { result.value != nil }
        #expect(result.value == BroadcastResult(skipped: 1_500))
        #expect(pairs.reasons.allSatisfy { $0 == nil })
        #expect(reactor.bufferedByteCount == before)
    }

    // MARK: Many

    @Test func `many end in several turns`() throws {
        DescriptorLimit.raise()
        let pairs = try PairedChannels(600, on: reactor)
        for (place, channel) in pairs.channels.enumerated() {
            channel.onReadable { try $0.parse { _ in 0 } }
            try pairs.send("kept", to: place)
        }
        reactor.expect("all keep it") { reactor.bufferedByteCount == 2_400 }
        reactor.bufferLimit = BufferLimit(byteCount: 0)
        reactor.runPending()
        let open = pairs.channels.count { $0.status == .open }
        #expect(open > 0)
        #expect(open <= 600 - 256)
        reactor.expect("all have ended") { pairs.reasons.allSatisfy { $0 == ended } }
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `a limit above what is left spares those that hold least`() throws {
        DescriptorLimit.raise()
        let pairs = try PairedChannels(700, on: reactor)
        for (place, channel) in pairs.channels.enumerated() {
            channel.onReadable { try $0.parse { _ in 0 } }
            try pairs.send(String(repeating: "k", count: place < 600 ? 1_000 : 10), to: place)
        }
        reactor.expect("all keep it") { reactor.bufferedByteCount == 601_000 }
        reactor.bufferLimit = BufferLimit(byteCount: 8_000)
        reactor.expect("it is enough") { reactor.bufferedByteCount <= 7_000 }
        reactor.settle()
        #expect(pairs.reasons.count { $0 == nil } == 106)
        #expect(pairs.reasons[600...].allSatisfy { $0 == nil })
    }

    @Test func `a server cuts many off in several turns`() throws {
        DescriptorLimit.raise()
        let server = try reactor.listen()
        var clients: [HeldSocket] = []
        for _ in 0..<600 {
            clients.append(HeldSocket(try .connecting(to: server.address)))
            reactor.runPending()
        }
        reactor.expect("all are there") { server.connectionCount == 600 }
        let closedCount = Box<Int?>(nil)
        server.drain(within: .seconds(20)) { closedCount.value = $0 }
        server.cutOffChannels()
        #expect(server.connectionCount == 600 - 256)
        reactor.expect("all are gone") { closedCount.value != nil }
        #expect(closedCount.value == 600)
        withExtendedLifetime(clients) {}
    }

    // MARK: Pausing

    @Test func `who keeps input is paused before who has much to send`() throws {
        let pairs = try filled(2)
        let heard = Box("")
        pairs.channels[0].options.pausesReadingAboveMark = false
        pairs.channels[0].onBytes { _, bytes in heard.value += bytes.text }
        try pairs.channels[0].write(bytes(200_000))
        pairs.channels[1].onReadable { try $0.parse { _ in 0 } }
        try pairs.send(String(repeating: "k", count: 50_000), to: 1)
        reactor.settle()
        let held = reactor.bufferedByteCount
        reactor.bufferLimit = BufferLimit(byteCount: held - 1_000, policy: .pause)
        reactor.settle()
        try pairs.send("hello", to: 0)
        reactor.settle()
        #expect(heard.value == "hello")
        #expect(pairs.channels[1].flags.contains(.pausedByLimit))
        #expect(pairs.reasons == [nil, nil])
    }

    // MARK: Looking for room

    /// Makes none.
    private final class NoRelief: BufferRelief {
        func turnEnded(on reactor: Reactor) {}
        func makeRoom(on reactor: Reactor, sparing writer: AnyObject) {}
    }

    @Test func `above a tiny limit room is looked for once in 64 KiB`() {
        let account = reactor.buffers
        account.set(limit: 100, stops: false, relief: NoRelief())
        var lookCount = 0
        for _ in 0..<10_000 {
            account.add(10)
            if account.isUrgent {
                lookCount += 1
                account.relieved()
            }
        }
        #expect(lookCount == 2)
        account.add(-100_000)
        #expect(!account.isOver)
    }
}
