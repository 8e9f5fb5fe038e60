// SPDX-License-Identifier: Apache-2.0
//
// Broadcasts to more receivers than one turn has: in memory once, in batches, in their order.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct BroadcastingToMany {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    // MARK: Memory

    @Test func `a message that hundreds wait for is in memory once`() throws {
        let pairs = try PairedChannels(300, on: reactor, room: 8_192)
        let group = ChannelGroup(of: pairs)
        let message = [UInt8](repeating: 0x6d, count: 1_000_000)
        let before = residentByteCount()
        let result = group.result(of: message, on: reactor)
        #expect(result == BroadcastResult(queued: 300))
        // A copy for each would be 300 MB.
        #expect(residentByteCount() - before < 50_000_000)
        #expect(reactor.bufferedByteCount == message.count + 300 * 40)
        #expect(pairs.heldByteCount > 290_000_000)
        for place in 0..<3 { #expect(try pairs.receive(message.count, at: place) == message) }
        #expect(reactor.bufferedByteCount == message.count + 297 * 40)
        for channel in pairs.channels.dropLast() { channel.abort() }
        #expect(reactor.bufferedByteCount == message.count + 40)
        pairs.channels[299].abort()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `several messages count once each, for as long as anybody waits for them`() throws {
        let pairs = try PairedChannels(20, on: reactor, room: 8_192)
        let group = ChannelGroup(of: pairs)
        for _ in 0..<3 {
            let message = [UInt8](repeating: 1, count: 20_000)
            group.broadcast(message)
        }
        let own = reactor.bufferedByteCount - 60_000
        #expect(own <= 60 * 40)
        #expect(try pairs.receiveAll() == Array(repeating: 60_000, count: 20))
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `what a channel that moves waits for goes along, and counts there in full`() throws {
        let other = try Reactor()
        let pairs = try PairedChannels(2, on: reactor, room: 8_192)
        let message = (0..<500_000).map { UInt8(truncatingIfNeeded: $0) }
        ChannelGroup(of: pairs).broadcast(message)
        let moved = try Channel(attaching: pairs.channels[0].detach(), on: other)
        #expect(reactor.bufferedByteCount == message.count + 40)
        #expect(other.bufferedByteCount == moved.unsentByteCount)
        var received = try pairs.receiveNow(0)
        let limit = ContinuousClock.now + .seconds(20)
        while received.count < message.count, ContinuousClock.now < limit {
            other.runPending()
            received += try pairs.receiveNow(0)
        }
        #expect(received == message)
        #expect(other.bufferedByteCount == 0)
        #expect(try pairs.receive(message.count, at: 1) == message)
        #expect(reactor.bufferedByteCount == 0)
        moved.close()
    }

    @Test func `those that hold most of what is shared make room, until it goes`() throws {
        let pairs = try PairedChannels(50, on: reactor, room: 8_192)
        reactor.bufferLimit = BufferLimit(byteCount: 300_000)
        let group = ChannelGroup(of: pairs)
        for _ in 0..<2 { group.broadcast([UInt8](repeating: 2, count: 100_000), to: .queue) }
        reactor.settle()
        #expect(pairs.reasons.allSatisfy { $0 == nil })
        reactor.bufferLimit = BufferLimit()
        #expect(reactor.bufferedByteCount == 200_000 + 100 * 40)
        // These have read both: only the third waits in them.
        for place in 0..<5 { #expect(try pairs.receive(200_000, at: place).count == 200_000) }
        let third = [UInt8](repeating: 3, count: 150_000)
        group.broadcast(third, to: .queue)
        // All wait for the third, and these for a share of the others besides.
        reactor.bufferLimit = BufferLimit(byteCount: 300_000)
        reactor.settle()
        #expect(pairs.reasons[..<5].allSatisfy { $0 == nil })
        #expect(pairs.reasons[5...].allSatisfy { $0 == .limit(.reactorBuffers) })
        #expect(reactor.bufferedByteCount == 150_000 + 5 * 40)
        for place in 0..<5 { #expect(try pairs.receive(third.count, at: place) == third) }
    }

    // MARK: Batches

    /// More than two turns' receivers, which take 5,200 descriptors.
    private static let manyCount = 2_600

    private func many() throws -> PairedChannels {
        DescriptorLimit.raise()
        return try PairedChannels(Self.manyCount, on: reactor)
    }

    @Test func `thousands get it in several turns, each broadcast in its order`() throws {
        let pairs = try many()
        let group = ChannelGroup(of: pairs)
        let results = Box<[BroadcastResult]>([])
        let first = Array("first ".utf8)
        group.broadcast(first) { results.value.append($0) }
        // The first batch has it now, the others wait for their turn.
        var counts: [Int] = []
        for place in pairs.channels.indices where place == 0 || place % 1_023 == 0 {
            counts.append(try pairs.receiveNow(place).count)
        }
        #expect(counts == [6, 6, 0])
        group.broadcast(Array("second ".utf8)) { results.value.append($0) }
        reactor.broadcast(Array("third".utf8), to: .end) { results.value.append($0) }
        #expect(results.value.isEmpty)
        reactor.expect("all are done") { results.value.count == 3 }
        #expect(
            results.value == Array(repeating: BroadcastResult(sent: Self.manyCount), count: 3))
        for place in pairs.channels.indices {
            let heard = try pairs.receiveNow(place).text
            let hadFirst = place == 0 || place == 1_023
            #expect(heard == (hadFirst ? "second third" : "first second third"))
        }
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `others have their turn between the batches`() throws {
        let pairs = try many()
        // Each is reported writable once, some at a time.
        reactor.settle()
        let order = Box<[String]>([])
        pairs.channels[0].onBytes { _, bytes in order.value.append(bytes.text) }
        try pairs.send("request", to: 0)
        ChannelGroup(of: pairs).broadcast([1]) { _ in order.value.append("broadcast") }
        reactor.expect("both") { order.value.count == 2 }
        #expect(order.value == ["request", "broadcast"])
    }

    @Test func `members that close before their turn are skipped`() throws {
        let pairs = try many()
        let group = ChannelGroup(of: pairs)
        let result = Box<BroadcastResult?>(nil)
        group.broadcast([1]) { result.value = $0 }
        for channel in pairs.channels[2_000...] { channel.close() }
        for channel in pairs.channels[..<100] { channel.close() }
        #expect(group.count == 1_900)
        reactor.expect("it is told") { result.value != nil }
        #expect(result.value == BroadcastResult(sent: 2_000, skipped: 600))
        #expect(try pairs.receiveNow(1_999) == [1])
    }

    @Test func `who joins after the call does not get it, and who leaves does`() throws {
        let pairs = try many()
        let group = ChannelGroup(on: reactor)
        for channel in pairs.channels.dropLast() { group.insert(channel) }
        group.broadcast([1])
        group.insert(pairs.channels[Self.manyCount - 1])
        group.remove(pairs.channels[Self.manyCount - 2])
        reactor.settle()
        #expect(try pairs.receiveNow(Self.manyCount - 1).isEmpty)
        #expect(try pairs.receiveNow(Self.manyCount - 2) == [1])
    }

    @Test func `what is broadcast when 64 are under way is skipped by all, at once`() throws {
        let pairs = try many()
        let group = ChannelGroup(of: pairs)
        let results = Box<[BroadcastResult]>([])
        for number in 0..<100 {
            group.broadcast([UInt8(number)]) { results.value.append($0) }
        }
        // The call has brought none of them to the last.
        #expect(try pairs.receiveNow(Self.manyCount - 1).isEmpty)
        reactor.expect("all are told") { results.value.count == 100 }
        let sent = BroadcastResult(sent: Self.manyCount)
        let skipped = BroadcastResult(skipped: Self.manyCount)
        #expect(results.value.count { $0 == sent } == 64)
        #expect(results.value.count { $0 == skipped } == 36)
        #expect(try pairs.receiveNow(Self.manyCount - 1) == (0..<64).map { UInt8($0) })
        #expect(group.result(of: [1], on: reactor) == sent)
    }

    @Test func `of what is under way 16 MiB may wait, and a first one of any size`() throws {
        let pairs = try many()
        let group = ChannelGroup(of: pairs)
        let results = Box<[BroadcastResult]>([])
        for channel in pairs.channels { try channel.closeWriting() }
        for count in [17_000_000, 1] {
            let message = [UInt8](repeating: 1, count: count)
            group.broadcast(message) { results.value.append($0) }
        }
        #expect(reactor.bufferedByteCount == 17_000_000)
        reactor.expect("both are told") { results.value.count == 2 }
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `what waits for its batches counts, and ends with the reactor`() throws {
        var brief: Reactor? = try Reactor()
        DescriptorLimit.raise()
        let pairs = try PairedChannels(1_500, on: try #require(brief))
        let account = try #require(brief).buffers
        ChannelGroup(of: pairs).broadcast([UInt8](repeating: 1, count: 1_000)) { _ in
            Issue.record("it was told")
        }
        #expect(account.byteCount == 1_000)
        _ = consume pairs
        brief = nil
        #expect(account.byteCount == 0)
    }

    @Test func `a completion may broadcast again, and close everything`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        let group = ChannelGroup(of: pairs)
        let isDone = Box(false)
        group.broadcast([1]) { _ in
            group.broadcast([2]) { _ in
                for channel in pairs.channels { channel.close() }
                group.broadcast([3]) { result in
                    #expect(result == BroadcastResult())
                    isDone.value = true
                }
            }
        }
        reactor.expect("the last is told") { isDone.value }
        #expect(try pairs.receiveNow(2) == [1, 2])
    }

    // MARK: Several reactors

    @Test(arguments: [ServingOptions.Distribution.handOver, .reusePort])
    func `all connections of a group of servers get it`(
        distribution: ServingOptions.Distribution
    ) async throws {
        let group = try ReactorGroup(count: 3)
        var options = ServingOptions()
        options.distribution = distribution
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let before = await server.broadcast([1])
        #expect(before == BroadcastResult())
        let begun = Tally()
        let run = Task {
            try await server.run(onAccept: { channel, _ in
                begun.add(1)
                channel.onBytes { _, _ in }
            })
        }
        var clients: [Connection] = []
        for _ in 0..<30 {
            clients.append(
                try await .connect(to: .address(server.addresses[0]), on: group.leastLoaded))
        }
        try await group.executors[0].expect("all have begun") { begun.value == 30 }
        let first = await server.broadcast(Array("to all\n".utf8))
        let second = await server.broadcast(Array("and again\n".utf8), to: .queue)
        #expect(first == BroadcastResult(sent: 30))
        #expect(second == BroadcastResult(sent: 30))
        for client in clients {
            let (one, other) = (try await client.readLine(), try await client.readLine())
            #expect(one == "to all")
            #expect(other == "and again")
            await client.close()
        }
        server.close()
        try await run.value
        let after = await server.broadcast([1])
        #expect(after == BroadcastResult())
        await group.stop()
        let late = await server.broadcast([1])
        #expect(late == BroadcastResult())
    }
}
