// SPDX-License-Identifier: Apache-2.0
//
// Messages over connections that come and go: none is sent twice, and none that was not sent is
// lost without a word (W31).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HandingUnsentBack {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func message(_ number: Int, count: Int = 10_000) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: count)
    }

    private func end(_ record: ReconnectingRecord) {
        record.client.stop()
        reactor.expect("the last state") { record.states.last == "stopped" }
    }

    // MARK: Places

    @Test func `messages that end where the kernel is are forgotten`() {
        var handover = Handover()
        handover.add([1, 2, 3], behind: 10)
        handover.add([4, 5], behind: 13)
        handover.add([6], behind: 20)
        #expect(handover.count == 3)
        handover.sent(12)
        #expect(handover.count == 3)
        handover.sent(15)
        #expect(handover.count == 1)
        handover.sent(21)
        #expect(handover.isEmpty)
        #expect(handover.end(after: 21) == [])
    }

    @Test func `at the end each message is whole, cut or untouched`() {
        var handover = Handover()
        handover.add([1, 2, 3], behind: 0)
        handover.add([4, 5, 6], behind: 3)
        handover.add([7, 8], behind: 6)
        handover.add([], behind: 8)
        #expect(
            handover.end(after: 4) == [
                UnsentMessage([4, 5, 6], handedOver: 1), UnsentMessage([7, 8], handedOver: 0),
                UnsentMessage([], handedOver: 0),
            ])
        #expect(handover.isEmpty)
    }

    @Test func `a message that was not taken leaves no trace`() {
        var handover = Handover()
        handover.takeBack()
        handover.add([1], behind: 0)
        handover.add([2], behind: 1)
        handover.takeBack()
        #expect(handover.end(after: 0) == [UnsentMessage([1], handedOver: 0)])
    }

    @Test func `behind a file that may be shorter nothing is sure but the bounds`() {
        var handover = Handover()
        handover.add([1, 2, 3, 4], behind: 100, doubtful: 50)
        handover.add([5], behind: 104, doubtful: 500)
        var other = handover
        #expect(other.end(after: 104) == [UnsentMessage([5], handedOver: 1)])
        other = handover
        #expect(
            other.end(after: 52) == [
                UnsentMessage([1, 2, 3, 4], handedOver: 2), UnsentMessage([5], handedOver: 1),
            ])
        #expect(handover.end(after: 50).first == UnsentMessage([1, 2, 3, 4], handedOver: 0))
    }

    @Test func `long runs of messages come out in order`() {
        var handover = Handover()
        var place: UInt64 = 0
        for number in 0..<10_000 {
            handover.add([UInt8(truncatingIfNeeded: number), 0], behind: place)
            place += 2
            if place > 1_000 { handover.sent(place - 1_000) }
        }
        let left = handover.end(after: place - 500)
        #expect(left.count == 250)
        #expect(left.map(\.bytes) == (9_750..<10_000).map { [UInt8(truncatingIfNeeded: $0), 0] })
    }

    @Test func `there is a limit to the messages that wait`() {
        var handover = Handover()
        while !handover.isFull { handover.add([0], behind: UInt64(handover.count)) }
        #expect(handover.count == Handover.limit)
        handover.sent(1)
        #expect(!handover.isFull)
    }

    // MARK: Reported

    // W31
    @Test func `messages go to the connection, and without one they are refused`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        #expect(record.client.send([1]) == .refused(.notConnected))
        record.client.start()
        #expect(record.client.send([1]) == .refused(.notConnected))
        reactor.expect("a connection") { record.channels.count == 1 }
        #expect(record.client.send(Array("hello ".utf8)) == .given)
        #expect(record.client.send(Array("world".utf8)) == .given)
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 11).text == "hello world")
        #expect(record.client.unsentMessageCount == 0)
        end(record)
        #expect(record.client.send([1]) == .refused(.notConnected))
        #expect(record.unsent.isEmpty)
    }

    // W31
    @Test func `what a lost connection has not sent is handed back, once`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        record.whenConnected = { try $0.set(.sendBufferByteCount, to: 32_768) }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let messages = (0..<100).map { message($0) }
        for message in messages {
            let result = record.client.send(message)
            #expect(result == .given || result == .aboveMark)
        }
        reactor.settle()
        try peer.accept()
        let received = try peer.receiveNow()
        try peer.reset()
        reactor.expect("the loss") { record.losses.count == 1 }
        #expect(record.losses == [.ended(.reset)])
        let sent = Int(try #require(record.channels.first).counters.bytesSent)
        #expect(sent >= received.count && sent < 1_000_000)
        // All that the kernel does not have, in order; of the first a part may be gone.
        let untouched = (sent + 9_999) / 10_000
        let whole = record.unsent.filter { $0.handedOverByteCount == 0 }
        #expect(whole.map(\.bytes) == Array(messages[untouched...]))
        let cut = record.unsent.filter { $0.handedOverByteCount > 0 }
        #expect(cut.map(\.handedOverByteCount) == (sent % 10_000 == 0 ? [] : [sent % 10_000]))
        #expect(record.unsent.map(\.bytes) == Array(messages[(sent / 10_000)...]))
        // The next connection gets nothing of it.
        reactor.expect("a connection") { record.channels.count == 2 }
        #expect(record.client.send([0xFF]) == .given)
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 1) == [0xFF])
        let count = record.unsent.count
        end(record)
        #expect(record.unsent.count == count)
        record.whenConnected = { _ in }
    }

    @Test func `what the program writes itself does not put messages out of place`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let channel = try #require(record.channels.first)
        try channel.set(.sendBufferByteCount, to: 32_768)
        try channel.write(message(0, count: 1_000_000))
        #expect(record.client.send([1, 2, 3]) == .aboveMark)
        try channel.write([0])
        #expect(record.client.send([4]) == .aboveMark)
        reactor.settle()
        record.client.abort()
        reactor.expect("the last state") { record.states.last == "stopped" }
        #expect(
            record.unsent == [
                UnsentMessage([1, 2, 3], handedOver: 0), UnsentMessage([4], handedOver: 0),
            ])
    }

    @Test func `a message that does not fit the channel is refused`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address) {
            $0.client.channel.outputLimit = 1_000
            $0.client.channel.isBlocking = true
        }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        #expect(record.channels.first?.options.isBlocking == false)
        let error = SocketError(.write, .noBufferSpace, at: server.address)
        #expect(record.client.send(message(1, count: 1_001)) == .refused(.socket(error)))
        #expect(record.client.send(message(1, count: 1_000)) == .given)
        end(record)
        #expect(record.unsent.isEmpty)
        server.close()
    }

    // MARK: Kept

    // W31
    @Test func `kept messages go out in order, behind what opens the conversation`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.whatToDoWithUnsent = .keep
        }
        record.whenConnected = { channel in
            #expect(record.client.send(Array("three ".utf8)) == .queued)
            try channel.write("hello ")
        }
        #expect(record.client.send([1]) == .refused(.notConnected))
        record.client.start()
        #expect(record.client.send(Array("one ".utf8)) == .queued)
        #expect(record.client.send(Array("two ".utf8)) == .queued)
        #expect(record.client.unsentMessageCount == 2)
        reactor.expect("a connection") { record.channels.count == 1 }
        #expect(record.client.send(Array("four".utf8)) == .given)
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 24).text == "hello one two three four")
        #expect(record.client.unsentMessageCount == 0)
        end(record)
        #expect(record.unsent.isEmpty)
        record.whenConnected = { _ in }
    }

    // W31
    @Test func `of a lost connection whole messages go to the next one, and cut ones to nobody`()
        throws
    {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.whatToDoWithUnsent = .keep
        }
        record.whenConnected = { try $0.set(.sendBufferByteCount, to: 32_768) }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let messages = (0..<100).map { message($0) }
        for message in messages { #expect(record.client.send(message) != .queued) }
        reactor.settle()
        try peer.accept()
        try peer.reset()
        reactor.expect("the loss") { record.losses.count == 1 }
        let sent = Int(try #require(record.channels.first).counters.bytesSent)
        let untouched = (sent + 9_999) / 10_000
        #expect(record.unsent.map(\.handedOverByteCount) == [sent % 10_000].filter { $0 > 0 })
        reactor.expect("a connection") { record.channels.count == 2 }
        try peer.accept()
        let rest = Array(messages[untouched...].joined())
        #expect(try peer.receive(reactor, upTo: rest.count) == rest)
        end(record)
        #expect(record.unsent.count <= 1)
        record.whenConnected = { _ in }
    }

    @Test func `what is kept has limits, and a stop hands it back`() throws {
        let address = try SocketAddress.unused()
        let record = ReconnectingRecord(on: reactor, to: address) {
            $0.whatToDoWithUnsent = .keep
            $0.keptMessageLimit = 3
            $0.keptByteLimit = 10
        }
        record.client.start()
        #expect(record.client.send(message(0, count: 11)) == .refused(.limit))
        #expect(record.client.send(message(1, count: 6)) == .queued)
        #expect(record.client.send(message(2, count: 5)) == .refused(.limit))
        #expect(record.client.send(message(3, count: 4)) == .queued)
        #expect(record.client.send([]) == .queued)
        #expect(record.client.send([]) == .refused(.limit))
        reactor.expect("refusals") { record.losses.count >= 2 }
        #expect(record.unsent.isEmpty)
        end(record)
        let kept = [message(1, count: 6), message(3, count: 4), []]
        #expect(record.unsent == kept.map { UnsentMessage($0, handedOver: 0) })
        #expect(record.client.unsentMessageCount == 0)
    }

    @Test func `of a lost connection no more is kept than the limits allow`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.firstDelay = .seconds(600)
            $0.whatToDoWithUnsent = .keep
            $0.keptByteLimit = 25_000
        }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let channel = try #require(record.channels.first)
        try channel.set(.sendBufferByteCount, to: 32_768)
        try channel.write(message(0, count: 1_000_000))
        let messages = (1...5).map { message($0) }
        for message in messages { #expect(record.client.send(message) == .aboveMark) }
        channel.abort()
        reactor.expect("the loss") { record.losses.count == 1 }
        #expect(record.client.unsentMessageCount == 2)
        #expect(record.unsent.map(\.bytes) == Array(messages[2...]))
        end(record)
        #expect(record.unsent.map(\.bytes) == Array(messages[2...] + messages[..<2]))
    }

    @Test func `what the channel has no room for is given to it later`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.whatToDoWithUnsent = .keep
            $0.client.channel.outputLimit = 100_000
        }
        record.whenConnected = { try $0.set(.sendBufferByteCount, to: 32_768) }
        record.client.start()
        let messages = (0..<100).map { message($0) }
        for message in messages { #expect(record.client.send(message) == .queued) }
        #expect(record.client.send(message(7, count: 40_000)) == .queued)
        reactor.expect("a connection") { record.channels.count == 1 }
        try peer.accept()
        let all = messages + [message(7, count: 40_000)]
        #expect(try peer.receive(reactor, upTo: 1_040_000) == Array(all.joined()))
        #expect(record.client.unsentMessageCount == 0)
        end(record)
        #expect(record.unsent.isEmpty)
        record.whenConnected = { _ in }
    }

    @Test func `a message that would never fit the channel is handed back, and others go on`()
        throws
    {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.whatToDoWithUnsent = .keep
            $0.client.channel.outputLimit = 1_000
        }
        record.client.start()
        #expect(record.client.send(message(1, count: 1_001)) == .queued)
        #expect(record.client.send(Array("hello".utf8)) == .queued)
        reactor.expect("a connection") { record.channels.count == 1 }
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 5).text == "hello")
        reactor.expect("it comes back") { !record.unsent.isEmpty }
        #expect(record.unsent == [UnsentMessage(message(1, count: 1_001), handedOver: 0)])
        end(record)
    }

    // W31
    @Test func `messages of a channel that moves elsewhere go with it`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.firstDelay = .seconds(600)
            $0.whatToDoWithUnsent = .keep
        }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        #expect(record.client.send(Array("hello".utf8)) == .given)
        let moved = try Channel(
            attaching: try #require(record.channels.first).detach(), on: reactor)
        reactor.expect("the loss") { record.losses == [.ended(.moved)] }
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 5).text == "hello")
        #expect(record.client.unsentMessageCount == 0)
        end(record)
        #expect(record.unsent.isEmpty)
        moved.close()
    }
}
