// SPDX-License-Identifier: Apache-2.0
//
// A reactor whose channels hold too much: who makes room, what is refused, and who loses nothing.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct MakingRoom {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    /// Channels with full kernel buffers that hold so many bytes each besides.
    private func holding(_ counts: [Int]) throws -> PairedChannels {
        let pairs = try PairedChannels(counts.count, on: reactor, room: 8_192)
        for (place, count) in counts.enumerated() {
            try pairs.fill(place)
            try pairs.channels[place].write(bytes(count))
        }
        reactor.settle()
        return pairs
    }

    private func code(_ body: () throws(SocketError) -> Void) -> ErrorCode? {
        do throws(SocketError) { try body() } catch { return error.code }
        return nil
    }

    // MARK: The setting

    @Test func `there is no limit to begin with, and it may be changed`() throws {
        #expect(reactor.bufferLimit == BufferLimit())
        #expect(reactor.bufferLimit.byteCount == .max)
        #expect(reactor.bufferLimit.policy == .end)
        reactor.bufferLimit = BufferLimit(byteCount: 4_096, policy: .pause)
        #expect(reactor.bufferLimit == BufferLimit(byteCount: 4_096, policy: .pause))
        reactor.bufferLimit = BufferLimit(byteCount: -5)
        let pairs = try PairedChannels(1, on: reactor)
        try pairs.channels[0].write("nothing of this is held")
        reactor.settle()
        #expect(pairs.reasons == [nil])
        #expect(try pairs.receiveNow(0).text == "nothing of this is held")
    }

    // MARK: Ending

    @Test func `those that hold most end, the largest first, down to seven eighths`() throws {
        let pairs = try holding([100_000, 400_000, 200_000, 300_000, 50_000])
        let held = pairs.heldByteCount
        // Two have to go: the largest alone leaves more than seven eighths.
        let limit = held - 350_000
        reactor.bufferLimit = BufferLimit(byteCount: limit)
        reactor.settle()
        let ended = EndReason.limit(.reactorBuffers)
        #expect(pairs.reasons == [nil, ended, nil, ended, nil])
        #expect(reactor.bufferedByteCount <= limit - limit / 8)
        #expect(reactor.bufferedByteCount == pairs.heldByteCount)
    }

    @Test func `at the limit itself nobody ends`() throws {
        let pairs = try holding([100_000, 400_000])
        reactor.bufferLimit = BufferLimit(byteCount: pairs.heldByteCount)
        reactor.settle()
        #expect(pairs.reasons == [nil, nil])
        #expect(code { () throws(SocketError) in try pairs.channels[0].write([1]) } == nil)
        reactor.settle()
        #expect(pairs.reasons == [nil, .limit(.reactorBuffers)])
    }

    @Test func `one that has closed and still sends makes room as well`() throws {
        let pairs = try holding([400_000, 100_000])
        pairs.channels[0].close()
        reactor.settle()
        reactor.bufferLimit = BufferLimit(byteCount: 200_000)
        reactor.settle()
        #expect(pairs.reasons == [.limit(.reactorBuffers), nil])
    }

    @Test func `one that keeps its input makes room, and those that consume theirs live on`()
        throws
    {
        let pairs = try PairedChannels(3, on: reactor)
        let consumed = Box(0)
        for channel in pairs.channels[..<2] { channel.onReadable { try $0.parse { _ in 0 } } }
        pairs.channels[2].onBytes { _, bytes in consumed.value += bytes.byteCount }
        reactor.bufferLimit = BufferLimit(byteCount: 100_000)
        let piece = String(repeating: "x", count: 20_000)
        for _ in 0..<4 {
            try pairs.send(piece, to: 0)
            reactor.settle()
        }
        #expect(pairs.reasons == [nil, nil, nil])
        for _ in 0..<3 {
            try pairs.send(piece, to: 2)
            reactor.settle()
        }
        for _ in 0..<2 {
            try pairs.send(piece, to: 1)
            reactor.settle()
        }
        #expect(pairs.reasons == [.limit(.reactorBuffers), nil, nil])
        #expect(reactor.bufferedByteCount == 40_000)
        #expect(consumed.value == 60_000)
    }

    @Test func `a handler that writes to many slow readers without end stays within the limit`()
        throws
    {
        let limit = 1_000_000
        reactor.bufferLimit = BufferLimit(byteCount: limit)
        let pairs = try PairedChannels(60, on: reactor, room: 8_192)
        let highest = Box(0)
        let refused = Box(0)
        let piece = bytes(40_000)
        reactor.haveTurn { [reactor] in
            for _ in 0..<20 {
                for channel in pairs.channels where channel.status == .open {
                    do { try channel.write(piece) } catch { refused.value += 1 }
                    highest.value = max(highest.value, reactor.bufferedByteCount)
                }
            }
        }
        #expect(highest.value > limit / 2)
        #expect(highest.value <= limit + piece.count)
        #expect(reactor.bufferedByteCount <= limit)
        #expect(pairs.reasons.contains(.limit(.reactorBuffers)))
    }

    @Test func `who writes is not ended in the middle of its own write`() throws {
        reactor.bufferLimit = BufferLimit(byteCount: 500_000)
        let pairs = try PairedChannels(1, on: reactor, room: 8_192)
        let status = Box(Channel.Status.closed)
        reactor.haveTurn {
            try pairs.channels[0].write(bytes(1_000_000))
            status.value = pairs.channels[0].status
        }
        #expect(status.value == .open)
        #expect(pairs.reasons == [.limit(.reactorBuffers)])
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `what the kernel takes at the end of a turn ends nobody`() throws {
        reactor.bufferLimit = BufferLimit(byteCount: 100_000)
        let pairs = try PairedChannels(200, on: reactor)
        reactor.haveTurn {
            for channel in pairs.channels {
                try channel.write(bytes(3_000))
                try channel.write(bytes(500))
            }
        }
        #expect(pairs.reasons.allSatisfy { $0 == nil })
        for place in pairs.channels.indices {
            #expect(try pairs.receiveNow(place).count == 3_500)
        }
    }

    @Test func `what is held back for a full buffer goes out rather than being refused`() throws {
        var options = ChannelOptions()
        options.buffering = .full
        let pairs = try PairedChannels(40, on: reactor, options: options)
        reactor.bufferLimit = BufferLimit(byteCount: 60_000)
        reactor.haveTurn {
            for channel in pairs.channels {
                try channel.write(bytes(2_000))
                try channel.write(bytes(10))
            }
        }
        #expect(pairs.reasons.allSatisfy { $0 == nil })
        #expect(reactor.bufferedByteCount > 0)
        #expect(reactor.bufferedByteCount <= 60_000)
    }

    // MARK: Refusing

    @Test(arguments: BufferLimit.Policy.allCases)
    func `above the limit, a write behind what waits is refused, or with a pause the next one`(
        policy: BufferLimit.Policy
    ) throws {
        let pairs = try holding([300_000, 1_000, 0])
        let (free, filled) = (pairs.channels[2], pairs.channels[1])
        try pairs.relieve(2)
        _ = try pairs.receiveNow(2)
        let codes = Box<[ErrorCode?]>([])
        reactor.haveTurn { [reactor] in
            reactor.bufferLimit = BufferLimit(byteCount: 200_000, policy: policy)
            for channel in [filled, free] {
                codes.value.append(code { () throws(SocketError) in try channel.write([1]) })
                codes.value.append(code { () throws(SocketError) in try channel.write([2]) })
            }
        }
        let first: ErrorCode? = policy == .end ? .noBufferSpace : nil
        #expect(codes.value == [first, .noBufferSpace, nil, nil])
        #expect(try pairs.receiveNow(2).suffix(2) == [1, 2])
        // The other has made room, or the peer has to.
        if policy == .pause { _ = try pairs.receive(300_000, at: 0) }
        reactor.settle()
        #expect(code { () throws(SocketError) in try filled.write([1]) } == nil)
    }

    @Test func `a line that goes over the limit is taken whole or not at all`() throws {
        reactor.bufferLimit = BufferLimit(byteCount: 50_000, policy: .pause)
        let pairs = try PairedChannels(1, on: reactor, room: 8_192)
        let channel = pairs.channels[0]
        let line = String(repeating: "l", count: 300_000)
        try channel.writeLine(line)
        #expect(reactor.bufferedByteCount > 50_000)
        var refusal: ChannelError?
        do throws(ChannelError) { try channel.writeLine("one more") } catch { refusal = error }
        #expect(refusal == .socket(SocketError(.write, .noBufferSpace, at: channel.peerAddress)))
        let received = try pairs.receive(300_001, at: 0)
        #expect(received.count == 300_001)
        #expect(received.last == UInt8(ascii: "\n"))
        try channel.writeLine("one more")
        #expect(try pairs.receive(9, at: 0).text == "one more\n")
    }

    @Test func `with a pause each channel adds one write at most, and loses nothing`() throws {
        let limit = 500_000
        reactor.bufferLimit = BufferLimit(byteCount: limit, policy: .pause)
        let pairs = try PairedChannels(30, on: reactor, room: 8_192)
        let piece = bytes(30_000)
        let taken = Box(Array(repeating: 0, count: 30))
        reactor.haveTurn {
            for _ in 0..<40 {
                for (place, channel) in pairs.channels.enumerated() {
                    do { try channel.write(piece) } catch { continue }
                    taken.value[place] += piece.count
                }
            }
        }
        #expect(reactor.bufferedByteCount <= limit + 31 * piece.count)
        #expect(try pairs.receiveAll() == taken.value)
        #expect(pairs.reasons.allSatisfy { $0 == nil })
        #expect(reactor.bufferedByteCount == 0)
    }

    // MARK: Pausing

    @Test func `those that hold most are read no more until there is room`() throws {
        let pairs = try holding([400_000, 1_000])
        let heard = Box(["", ""])
        for (place, channel) in pairs.channels.enumerated() {
            channel.options.pausesReadingAboveMark = false
            channel.onBytes { _, bytes in heard.value[place] += bytes.text }
        }
        reactor.bufferLimit = BufferLimit(byteCount: 300_000, policy: .pause)
        reactor.settle()
        for place in 0...1 { try pairs.send("hello", to: place) }
        reactor.settle()
        #expect(heard.value == ["", "hello"])
        _ = try pairs.receive(300_000, at: 0)
        reactor.settle()
        #expect(heard.value == ["hello", "hello"])
        #expect(pairs.reasons == [nil, nil])
    }

    @Test func `the pause of the program's own stays when there is room`() throws {
        let pairs = try holding([400_000])
        let heard = Box("")
        pairs.channels[0].options.pausesReadingAboveMark = false
        pairs.channels[0].onBytes { _, bytes in heard.value += bytes.text }
        reactor.bufferLimit = BufferLimit(byteCount: 300_000, policy: .pause)
        reactor.settle()
        pairs.channels[0].pauseReading()
        try pairs.send("hello", to: 0)
        _ = try pairs.receive(300_000, at: 0)
        reactor.settle()
        #expect(heard.value == "")
        pairs.channels[0].resumeReading()
        reactor.settle()
        #expect(heard.value == "hello")
    }

    @Test(arguments: [BufferLimit(), BufferLimit(byteCount: 10_000_000, policy: .pause)])
    func `a higher limit lets those go on that were paused`(limit: BufferLimit) throws {
        let pairs = try holding([400_000])
        let heard = Box("")
        pairs.channels[0].options.pausesReadingAboveMark = false
        pairs.channels[0].onBytes { _, bytes in heard.value += bytes.text }
        reactor.bufferLimit = BufferLimit(byteCount: 300_000, policy: .pause)
        reactor.settle()
        try pairs.send("hello", to: 0)
        reactor.settle()
        #expect(heard.value == "")
        reactor.bufferLimit = limit
        reactor.settle()
        #expect(heard.value == "hello")
    }

    @Test func `an eighth above the limit nothing more is kept, and all is read later`() throws {
        let limit = 400_000
        reactor.bufferLimit = BufferLimit(byteCount: limit, policy: .pause)
        let pairs = try PairedChannels(20, on: reactor)
        let wanted = Box(200_000)
        let consumed = Box(0)
        for channel in pairs.channels {
            channel.onReadable { channel in
                try channel.parse { bytes in
                    if bytes.byteCount < wanted.value { return 0 }
                    consumed.value += bytes.byteCount
                    return bytes.byteCount
                }
            }
        }
        let piece = bytes(10_000)
        var sent = 0
        for _ in 0..<15 {
            for place in pairs.channels.indices {
                if case .bytes(let count)? = try pairs.peers[place]?.socket.send(piece.span.bytes) {
                    sent += count
                }
            }
            reactor.settle()
        }
        #expect(reactor.bufferedByteCount > limit)
        // Each adds one read at most from there on.
        #expect(reactor.bufferedByteCount <= limit + limit / 8 + 20 * piece.count)
        #expect(sent > 2_000_000)
        #expect(reactor.bufferedByteCount == pairs.heldByteCount)
        // Only with room do the paused ones read on: here the program takes what some have.
        wanted.value = 1
        for channel in pairs.channels[..<18] {
            try channel.parse { bytes in
                consumed.value += bytes.byteCount
                return bytes.byteCount
            }
        }
        reactor.settle(passes: 100)
        #expect(consumed.value == sent)
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `a task that reads is paused as well, and goes on`() throws {
        reactor.bufferLimit = BufferLimit(byteCount: 20_000, policy: .pause)
        let pairs = try PairedChannels(2, on: reactor)
        let done = Tally()
        for channel in pairs.channels {
            let connection = try Connection.adopting(channel)
            Task(executorPreference: reactor.executor) {
                do { _ = try await connection.read(exactly: 50_000) } catch { Issue.record(error) }
                done.add(1)
            }
        }
        reactor.settle()
        for place in 0...1 { try pairs.send(String(repeating: "b", count: 25_000), to: place) }
        reactor.settle()
        #expect(reactor.bufferedByteCount == 50_000)
        for place in 0...1 { try pairs.send(String(repeating: "e", count: 25_000), to: place) }
        reactor.settle()
        #expect(reactor.bufferedByteCount == 50_000)
        #expect(done.value == 0)
        reactor.bufferLimit = BufferLimit()
        reactor.expect("both have all") { done.value == 2 }
        #expect(reactor.bufferedByteCount == 0)
    }
}
