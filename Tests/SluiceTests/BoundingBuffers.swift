// SPDX-License-Identifier: Apache-2.0
//
// How many bytes the channels of a reactor hold: the sum is exact, whatever way they come and go.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct BoundingBuffers {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func expectExact(
        _ pairs: PairedChannels, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let held = pairs.heldByteCount
        #expect(reactor.bufferedByteCount == held, sourceLocation: sourceLocation)
    }

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    // MARK: Output

    @Test func `a reactor whose channels hold nothing counts nothing`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        #expect(reactor.bufferedByteCount == 0)
        try pairs.channels[0].write("all of it goes out")
        reactor.settle()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `what waits for the end of the turn counts`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        for (place, channel) in pairs.channels.enumerated() {
            try channel.write(bytes(100 + place))
            expectExact(pairs)
        }
        #expect(reactor.bufferedByteCount == 303)
        reactor.runPending()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `what the kernel does not take counts, and less of it as the peer reads`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        for channel in pairs.channels { try channel.write(bytes(1_000_000)) }
        for _ in 0..<3 { try pairs.channels[1].write(bytes(5_000)) }
        expectExact(pairs)
        reactor.settle()
        expectExact(pairs)
        #expect(reactor.bufferedByteCount > 1_000_000)
        let limit = ContinuousClock.now + .seconds(20)
        while pairs.heldByteCount > 0, ContinuousClock.now < limit {
            _ = try pairs.receiveNow(0)
            _ = try pairs.receiveNow(1)
            reactor.runPending()
            expectExact(pairs)
        }
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test(arguments: Buffering.allCases)
    func `it is exact with every buffering`(buffering: Buffering) throws {
        var options = ChannelOptions()
        options.buffering = buffering
        let pairs = try PairedChannels(2, on: reactor, options: options)
        for round in 1...20 {
            for channel in pairs.channels {
                try channel.write(bytes(37 * round))
                try channel.writeLine("a line")
                expectExact(pairs)
            }
        }
        for _ in 0..<20 { try pairs.channels[0].write(bytes(50_000)) }
        expectExact(pairs)
        for channel in pairs.channels { try channel.flush() }
        expectExact(pairs)
        _ = try pairs.receiveAll()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `what a closed channel still sends counts until it has gone`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        try pairs.channels[0].write(bytes(1_000_000))
        pairs.channels[0].close()
        reactor.settle()
        #expect(reactor.bufferedByteCount > 500_000)
        expectExact(pairs)
        #expect(try pairs.receive(1_000_000, at: 0).count == 1_000_000)
        reactor.settle()
        #expect(reactor.bufferedByteCount == 0)
        #expect(pairs.reasons == [.local])
    }

    @Test func `an abort drops what waits, and the sum with it`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        for channel in pairs.channels { try channel.write(bytes(1_000_000)) }
        pairs.channels[0].abort()
        expectExact(pairs)
        #expect(reactor.bufferedByteCount > 500_000)
        pairs.channels[1].abort()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `a reset by the peer drops what waits, and the sum with it`() throws {
        let ends = try ConnectionEnds(on: reactor, smallBuffers: true)
        try ends.fill()
        #expect(reactor.bufferedByteCount == ends.channel.unsentByteCount)
        #expect(reactor.bufferedByteCount > 0)
        try ends.resetByPeer()
        reactor.settle()
        _ = try? ends.channel.write([1])  // The reset is told here, or was before.
        reactor.expect("nothing waits any more") { reactor.bufferedByteCount == 0 }
        ends.channel.close()
    }

    @Test func `what waits while a connection is made counts, and goes with its failure`() throws {
        let channel = try Client(on: reactor).open(try .unused())
        try channel.write(bytes(3_000))
        #expect(reactor.bufferedByteCount == 3_000)
        reactor.expect("it fails") { channel.status == .failed }
        #expect(reactor.bufferedByteCount == 0)
        channel.close()
    }

    @Test func `a file that waits takes no memory`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(bytes(2_000_000))
        let pairs = try PairedChannels(1, on: reactor)
        try pairs.channels[0].sendFile(path)
        #expect(pairs.channels[0].unsentByteCount > 1_000_000)
        #expect(reactor.bufferedByteCount == 0)
        try pairs.channels[0].write(bytes(500))
        reactor.settle()
        #expect(reactor.bufferedByteCount == 500)
        #expect(try pairs.receive(2_000_500, at: 0).count == 2_000_500)
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `bytes that descriptors go with count until they are sent`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        let filled = try pairs.fill(0)
        var list = DescriptorList()
        list.append(Descriptor(adopting: dup(STDERR_FILENO)))
        try pairs.channels[0].write(bytes(10), passing: list)
        expectExact(pairs)
        _ = try pairs.receive(filled + 10, at: 0)
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `a blocking channel counts as the others do`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        try pairs.channels[0].write(bytes(1_000))
        expectExact(pairs)
        pairs.channels[0].options.isBlocking = true
        try pairs.channels[0].write(bytes(1_000))
        #expect(reactor.bufferedByteCount == 0)
        pairs.channels[0].options.buffering = .full
        try pairs.channels[0].write(bytes(1_000))
        #expect(reactor.bufferedByteCount == 1_000)
        try pairs.channels[0].flush()
        #expect(reactor.bufferedByteCount == 0)
    }

    // MARK: Input

    @Test func `what a parser leaves counts until it is consumed`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        let wanted = Box(Int.max)
        for channel in pairs.channels {
            channel.onReadable { channel in
                try channel.parse { $0.byteCount >= wanted.value ? wanted.value : 0 }
            }
        }
        try pairs.send("half of ", to: 0)
        try pairs.send("another ", to: 1)
        reactor.settle()
        #expect(reactor.bufferedByteCount == 16)
        wanted.value = 10
        try pairs.send("it", to: 0)
        try pairs.send("one and", to: 1)
        reactor.settle()
        expectExact(pairs)
        #expect(reactor.bufferedByteCount == 5)
    }

    @Test func `an incomplete line counts, and what a pause leaves behind it`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        let lines = Box(0)
        pairs.channels[0].onLine { channel, _ in
            lines.value += 1
            if lines.value == 2 { channel.pauseReading() }
        }
        try pairs.send("one\nincompl", to: 0)
        reactor.settle()
        #expect(reactor.bufferedByteCount == 7)
        try pairs.send("ete\nthree\nfo", to: 0)
        reactor.settle()
        #expect(lines.value == 2)
        #expect(reactor.bufferedByteCount == 8)
        expectExact(pairs)
        pairs.channels[0].resumeReading()
        reactor.settle()
        #expect(reactor.bufferedByteCount == 2)
    }

    @Test func `what was read in part counts until it is read, or the reading side is closed`()
        throws
    {
        let pairs = try PairedChannels(2, on: reactor)
        for place in 0...1 {
            try pairs.send("0123456789", to: place)
            reactor.settle()
            _ = try pairs.channels[place].read(characters: 4)
            expectExact(pairs)
        }
        #expect(reactor.bufferedByteCount == 12)
        try pairs.channels[0].read { _ in }
        #expect(reactor.bufferedByteCount == 6)
        try pairs.channels[1].closeReading()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `closing with unread input takes it out of the sum`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        for channel in pairs.channels { channel.onReadable { try $0.parse { _ in 0 } } }
        for place in 0...1 { try pairs.send("unread", to: place) }
        reactor.settle()
        #expect(reactor.bufferedByteCount == 12)
        pairs.channels[0].close()
        reactor.settle()
        expectExact(pairs)
        pairs.channels[1].abort()
        #expect(pairs.channels.allSatisfy { $0.status == .closed })
        #expect(reactor.bufferedByteCount == 0)
    }

    // MARK: From one reactor to another

    @Test func `a channel that moves takes its bytes along`() throws {
        let other = try Reactor()
        let pairs = try PairedChannels(2, on: reactor)
        for channel in pairs.channels { channel.onReadable { try $0.parse { _ in 0 } } }
        try pairs.send("unread", to: 0)
        reactor.settle()
        try pairs.channels[0].write(bytes(1_000_000))
        try pairs.channels[1].write(bytes(400_000))
        let moving = pairs.channels[0].unsentByteCount
        let staying = pairs.channels[1].unsentByteCount
        #expect(reactor.bufferedByteCount == moving + 6 + staying)
        let detached = try pairs.channels[0].detach()
        #expect(reactor.bufferedByteCount == staying)
        #expect(other.bufferedByteCount == 0)
        let moved = try Channel(attaching: detached, on: other)
        #expect(moved.unreadByteCount == 6)
        #expect(other.bufferedByteCount == moved.unsentByteCount + 6)
        #expect(reactor.bufferedByteCount == staying)
        moved.abort()
        #expect(other.bufferedByteCount == 0)
    }

    @Test func `one that nobody takes is in no sum any more`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        try pairs.channels[0].write(bytes(1_000_000))
        var detached: DetachedChannel? = try pairs.channels[0].detach()
        #expect(reactor.bufferedByteCount == 0)
        withExtendedLifetime(detached) {}
        detached = nil
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `the end of a reactor takes along what waits`() throws {
        var brief: Reactor? = try Reactor()
        let account = try #require(brief).buffers
        let pairs = try PairedChannels(20, on: try #require(brief))
        for channel in pairs.channels { try channel.write(bytes(1_000_000)) }
        #expect(account.byteCount > 10_000_000)
        brief?.bufferLimit = BufferLimit(byteCount: 1_000)
        withExtendedLifetime(brief) {}
        _ = consume pairs
        brief = nil
        #expect(account.byteCount == 0)
    }
}
