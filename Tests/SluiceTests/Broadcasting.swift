// SPDX-License-Identifier: Apache-2.0
//
// One message for many channels: who gets it, in what order, and what becomes of slow receivers.

import Glibc
import TestSupport
import Testing

@testable import Sluice

extension BroadcastResult {
    init(sent: Int = 0, queued: Int = 0, skipped: Int = 0, ended: Int = 0) {
        self.init()
        self.sent = sent
        self.queued = queued
        self.skipped = skipped
        self.ended = ended
    }
}

extension ChannelGroup {
    /// A group of all channels of some pairs.
    convenience init(of pairs: PairedChannels) {
        self.init(on: pairs.reactor)
        for channel in pairs.channels { insert(channel) }
    }

    /// Broadcasts, and runs the reactor until the result is told.
    func result(
        of bytes: [UInt8], to slow: SlowReceiverPolicy = .skip, on reactor: Reactor
    ) -> BroadcastResult {
        let result = Box<BroadcastResult?>(nil)
        broadcast(bytes, to: slow) { result.value = $0 }
        #expect(result.value == nil)
        reactor.expect("the result is told") { result.value != nil }
        return result.value ?? BroadcastResult()
    }
}

@Suite(.countingDescriptors)
struct Broadcasting {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    // MARK: Receivers

    @Test func `every member gets it, and nobody else`() throws {
        let pairs = try PairedChannels(10, on: reactor)
        let group = ChannelGroup(on: reactor)
        for channel in pairs.channels[..<8] { #expect(group.insert(channel)) }
        #expect(!group.insert(pairs.channels[0]))
        #expect(group.remove(pairs.channels[3]))
        #expect(!group.remove(pairs.channels[3]))
        #expect(group.count == 7)
        #expect(group.contains(pairs.channels[7]))
        #expect(!group.contains(pairs.channels[3]))
        #expect(group.result(of: bytes("hello"), on: reactor) == BroadcastResult(sent: 7))
        for place in 0..<10 {
            let heard = try pairs.receiveNow(place).text
            #expect(heard == (place < 8 && place != 3 ? "hello" : ""))
        }
        #expect(pairs.channels[0].counters.writes == 1)
        #expect(pairs.channels[0].counters.bytesSent == 5)
    }

    @Test func `it has gone out when the call returns, without a queue for anybody`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        ChannelGroup(of: pairs).broadcast(bytes("now"))
        for place in 0..<3 {
            #expect(try pairs.receiveNow(place).text == "now")
            #expect(pairs.channels[place].output == nil)
        }
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `all that are open on a reactor or of a server get it`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        let server = try reactor.listen()
        let other = try reactor.listen()
        let clients = try [server, server, other].map {
            HeldSocket(try Socket.connecting(to: $0.address))
        }
        reactor.expect("all are there") {
            server.connectionCount == 2 && other.connectionCount == 1
        }
        let results = Box<[BroadcastResult]>([])
        server.broadcast(bytes("server ")) { results.value.append($0) }
        reactor.broadcast(bytes("reactor")) { results.value.append($0) }
        reactor.expect("the results") { results.value.count == 2 }
        #expect(results.value == [BroadcastResult(sent: 2), BroadcastResult(sent: 5)])
        let heard = try clients.map { try $0.socket.receive(upTo: 64, within: .seconds(20)).text }
        #expect(heard == ["server reactor", "server reactor", "reactor"])
        #expect(try pairs.receiveNow(0).text == "reactor")
        server.close()
        other.close()
    }

    @Test func `an empty message counts as sent, and one for nobody is told too`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        try pairs.fill(0)
        let group = ChannelGroup(of: pairs)
        #expect(group.result(of: [], on: reactor) == BroadcastResult(sent: 3))
        let empty = ChannelGroup(on: reactor)
        #expect(empty.count == 0)
        #expect(empty.result(of: bytes("x"), on: reactor) == BroadcastResult())
    }

    @Test func `those that do not write any more are skipped`() throws {
        let pairs = try PairedChannels(6, on: reactor)
        let group = ChannelGroup(of: pairs)
        try pairs.fill(0)
        pairs.channels[0].close()
        #expect(pairs.channels[0].status == .closing)
        try pairs.channels[1].closeWriting()
        pairs.channels[2].abort()
        try pairs.channels[3].copy(to: pairs.channels[4]) { _ in }
        #expect(group.count == 4)
        #expect(!group.contains(pairs.channels[0]))
        #expect(!group.insert(pairs.channels[2]))
        let result = group.result(of: bytes("x"), on: reactor)
        #expect(result == BroadcastResult(sent: 2, skipped: 2))
        #expect(try pairs.receiveNow(1).isEmpty)
        #expect(try pairs.receiveNow(3).text == "x")
        #expect(try pairs.receiveNow(4).isEmpty)
        #expect(try pairs.receiveNow(5).text == "x")
    }

    @Test func `one whose peer is gone is skipped, and the others get it`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        pairs.closePeer(1)
        let result = ChannelGroup(of: pairs).result(of: bytes("x"), on: reactor)
        #expect(result == BroadcastResult(sent: 2, skipped: 1))
        #expect(try pairs.receiveNow(0).text == "x")
        #expect(try pairs.receiveNow(2).text == "x")
    }

    @Test func `one that connects gets it when it is connected`() throws {
        let listener = try Socket.listening()
        let channel = try Client(on: reactor).open(try listener.localAddress)
        let group = ChannelGroup(on: reactor)
        group.insert(channel)
        #expect(group.result(of: bytes("early"), on: reactor).skipped == 0)
        reactor.expect("it goes out") { channel.unsentByteCount == 0 && channel.status == .open }
        let peer = try listener.accept(within: .seconds(20)).intoSocket()
        #expect(try peer.receive(upTo: 64, within: .seconds(20)).text == "early")
        channel.close()
    }

    @Test func `a channel of another reactor is no member`() throws {
        let pairs = try PairedChannels(1, on: try Reactor())
        #expect(!ChannelGroup(on: reactor).insert(pairs.channels[0]))
    }

    @Test func `closed members are forgotten, and freed`() throws {
        let group = ChannelGroup(on: reactor)
        weak var one: Channel?
        for number in 0..<500 {
            let pairs = try PairedChannels(1, on: reactor)
            group.insert(pairs.channels[0])
            if number == 0 { one = pairs.channels[0] }
            pairs.channels[0].abort()
            reactor.settle(passes: 2)
        }
        #expect(one == nil)
        #expect(group.count == 0)
    }

    // MARK: Slow receivers

    /// Two channels, the first of which is above its mark, and what its peer has to read.
    private func oneSlow(
        _ options: ChannelOptions = .init()
    ) throws -> (pairs: PairedChannels, count: Int) {
        let pairs = try PairedChannels(2, on: reactor, options: options, room: 8_192)
        let filled = try pairs.fill(0)
        try pairs.channels[0].write([UInt8](repeating: 0x67, count: 100_000))
        return (pairs, filled + 100_000)
    }

    @Test func `a slow one is skipped, and gets the next when it has read`() throws {
        let (pairs, count) = try oneSlow()
        let group = ChannelGroup(of: pairs)
        #expect(
            group.result(of: bytes("lost"), on: reactor) == BroadcastResult(sent: 1, skipped: 1))
        #expect(try pairs.receive(count, at: 0).count == count)
        #expect(group.result(of: bytes("next"), on: reactor) == BroadcastResult(sent: 2))
        #expect(try pairs.receiveNow(0).text == "next")
        #expect(try pairs.receiveNow(1).text == "lostnext")
    }

    @Test func `a slow one ends, where that is asked for`() throws {
        let (pairs, _) = try oneSlow()
        let result = ChannelGroup(of: pairs).result(of: bytes("x"), to: .end, on: reactor)
        #expect(result == BroadcastResult(sent: 1, ended: 1))
        #expect(pairs.reasons == [.limit(.output), nil])
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `a slow one gets it later, where that is asked for, up to its limit`() throws {
        var options = ChannelOptions()
        options.outputLimit = 300_000
        let (pairs, count) = try oneSlow(options)
        let group = ChannelGroup(of: pairs)
        let piece = [UInt8](repeating: 0x68, count: 100_000)
        var queued = 0
        while queued < 10, group.result(of: piece, to: .queue, on: reactor).skipped == 0 {
            queued += 1
            _ = try pairs.receiveNow(1)
            try pairs.relieve(1)
        }
        #expect(queued == 1)
        let received = try pairs.receive(count + queued * piece.count, at: 0)
        #expect(received.suffix(queued * piece.count).allSatisfy { $0 == 0x68 })
        _ = try pairs.receiveAll()
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `many small ones make a receiver slow as much as large ones`() throws {
        let pairs = try PairedChannels(1, on: reactor, room: 8_192)
        try pairs.fill(0)
        let group = ChannelGroup(of: pairs)
        var queued = 0
        while queued < 10_000, group.result(of: [1], on: reactor).queued == 1 { queued += 1 }
        #expect(queued > 1_000)
        #expect(queued < 65_536 / 40)
        #expect(reactor.bufferedByteCount <= 65_536 + 41)
    }

    @Test func `above the reactor's limit nothing is queued behind what waits`() throws {
        let pairs = try PairedChannels(2, on: reactor, room: 8_192)
        try pairs.fill(0)
        reactor.bufferLimit = BufferLimit(byteCount: 0, policy: .pause)
        let result = ChannelGroup(of: pairs).result(of: bytes("x"), to: .queue, on: reactor)
        #expect(result == BroadcastResult(sent: 1, skipped: 1))
    }

    @Test func `a blocking member is not waited for`() throws {
        let pairs = try PairedChannels(1, on: reactor, room: 8_192)
        pairs.channels[0].options.isBlocking = true
        let message = [UInt8](repeating: 1, count: 1_000_000)
        let result = ChannelGroup(of: pairs).result(of: message, on: reactor)
        #expect(result == BroadcastResult(queued: 1))
        #expect(try pairs.receive(message.count, at: 0).count == message.count)
    }

    @Test func `one whose sending has a rate gets it by that`() throws {
        var options = ChannelOptions()
        options.sendRate = ByteRate(bytesPerSecond: 1_000_000, burst: 100)
        let pairs = try PairedChannels(1, on: reactor, options: options)
        try pairs.channels[0].write("before ")
        let result = ChannelGroup(of: pairs).result(of: bytes("behind"), on: reactor)
        #expect(result == BroadcastResult(queued: 1))
        #expect(try pairs.receive(13, at: 0).text == "before behind")
    }

    // MARK: Order

    @Test func `it comes behind what was written before, and before what is written then`() throws {
        let pairs = try PairedChannels(3, on: reactor)
        let group = ChannelGroup(of: pairs)
        reactor.haveTurn {
            // The first collects, the others queue for the end of the turn.
            for channel in pairs.channels { try channel.write("one ") }
            group.broadcast(bytes("two "))
            for channel in pairs.channels { try channel.write("three ") }
            group.broadcast(bytes("four"))
        }
        for place in 0..<3 { #expect(try pairs.receiveNow(place).text == "one two three four") }
    }

    @Test func `the order holds where everything waits as well`() throws {
        let pairs = try PairedChannels(1, on: reactor, room: 8_192)
        let group = ChannelGroup(of: pairs)
        let count = try pairs.fill(0)
        var expected = ""
        for number in 0..<100 {
            try pairs.channels[0].write("w\(number) ")
            group.broadcast(bytes("b\(number) "))
            expected += "w\(number) b\(number) "
        }
        let received = try pairs.receive(count + expected.utf8.count, at: 0)
        #expect(Array(received.dropFirst(count)).text == expected)
    }

    @Test(arguments: [Buffering.none, .line, .full])
    func `what a buffer holds back goes out before it`(buffering: Buffering) throws {
        var options = ChannelOptions()
        options.buffering = buffering
        let pairs = try PairedChannels(1, on: reactor, options: options)
        try pairs.channels[0].write("held ")
        ChannelGroup(of: pairs).broadcast(bytes("message "))
        try pairs.channels[0].write("after")
        try pairs.channels[0].flush()
        #expect(try pairs.receiveNow(0).text == "held message after")
    }
}
