// SPDX-License-Identifier: Apache-2.0
//
// What a datagram channel receives: none and very long ones, many at once, what comes beside the
// bytes, and how much of it one turn takes.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramInput {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    // MARK: Sizes

    // P32, N25
    @Test func `a datagram may be empty, and ends nothing`() throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        for text in ["", "a", "", ""] { try sender.send(text: text) }
        reactor.expect("all come") { heard.count == 4 }
        #expect(heard.texts == ["", "a", "", ""])
        #expect(heard.channel.isOpen)
        #expect(heard.channel.counters.bytesReceived == 1)
        #expect(sender.counters.datagramsSent == 4)
    }

    @Test(arguments: [1_472, 9_000, 65_506, 65_507])
    func `long datagrams come whole, up to the longest of IPv4`(size: Int) throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try sender.send(pattern(size))
        reactor.expect("it comes") { heard.count == 1 }
        expectSame(heard.contents[0], pattern(size))
        #expect(heard.infos[0].isTruncated == false)
    }

    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `IPv6 has room for 65,527 bytes`() throws {
        let heard = try DatagramRecord(on: reactor, at: .loopback6(port: 0))
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try sender.send(pattern(65_527))
        reactor.expect("it comes") { heard.count == 1 }
        expectSame(heard.contents[0], pattern(65_527))
    }

    // N25
    @Test(arguments: [65_535, 65_536, 65_537, 100_000])
    func `a Unix datagram longer than 65,536 bytes loses its end, and says so`(size: Int) throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        #expect(try sender.send(pattern(size)) == .accepted)
        try sender.send(text: "next")
        reactor.expect("both come") { heard.count == 2 }
        expectSame(heard.contents[0], Array(pattern(size).prefix(65_536)))
        #expect(heard.infos.map(\.isTruncated) == [size > 65_536, false])
        #expect(heard.texts[1] == "next")
    }

    // MARK: Many at once

    @Test func `hundreds come in one turn, in order`() throws {
        var options = DatagramOptions()
        options.datagramsPerTurn = 1_000
        let heard = try DatagramRecord(on: reactor, options: options)
        let peer = try Socket.datagrams()
        let address = try heard.address
        for number in 0..<400 { try peer.send("\(number)", to: address) }
        reactor.runPending()
        #expect(heard.texts == (0..<400).map(String.init))
        // 12 full batches, and one that is not full and so the last.
        #expect(heard.channel.counters.receives == 13)
    }

    @Test(arguments: [1, 8, 32, 40])
    func `one turn takes no more than its limit`(most: Int) throws {
        var options = DatagramOptions()
        options.datagramsPerTurn = most
        let heard = try DatagramRecord(on: reactor, options: options)
        let peer = try Socket.datagrams()
        let address = try heard.address
        for number in 0..<100 { try peer.send("\(number)", to: address) }
        var before = 0
        for _ in 0..<200 where heard.count < 100 {
            reactor.runPending()
            #expect(heard.count - before <= most)
            before = heard.count
        }
        #expect(heard.texts == (0..<100).map(String.init))
    }

    @Test func `a flood on one channel leaves others their turn`() throws {
        var options = DatagramOptions()
        options.datagramsPerTurn = 32
        let flooded = try DatagramRecord(on: reactor, options: options)
        let other = try DatagramRecord(on: reactor)
        let peer = try Socket.datagrams()
        for _ in 0..<400 { try peer.send("x", to: try flooded.address) }
        try peer.send("y", to: try other.address)
        reactor.runPending()
        #expect(other.texts == ["y"])
        #expect(flooded.count < 400)
        reactor.expect("all come") { flooded.count == 400 }
    }

    @Test func `what comes before there is a handler waits in the kernel`() throws {
        let channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let peer = try Socket.datagrams()
        let address = try channel.localAddress
        try peer.send("a", to: address)
        #expect(reactor.turnCount() < 5)
        #expect(channel.counters == DatagramCounters())
        let heard = DatagramRecord(channel)
        reactor.expect("it comes") { heard.texts == ["a"] }
    }

    @Test func `what finds no room in the kernel is lost, and the rest in order`() throws {
        var options = DatagramOptions()
        options.receiveBufferByteCount = 0
        let heard = try DatagramRecord(on: reactor, options: options)
        let peer = try Socket.datagrams()
        let address = try heard.address
        for number in 0..<100 { try peer.send("\(number)", to: address) }
        reactor.settle()
        #expect((1..<100).contains(heard.count))
        #expect(heard.texts == (0..<heard.count).map(String.init))
        try peer.send("after", to: address)
        reactor.expect("it hears on") { heard.texts.last == "after" }
    }

    // MARK: Failing calls

    @Test func `an interrupted call is made again`() throws {
        let heard = try DatagramRecord(on: reactor)
        try Socket.datagrams().send("a", to: try heard.address)
        let answers = Answers(.failure(.interrupted), to: [.receiveMessages]) { $0 <= 3 }
        answers.give { _ = reactor.runPending() }
        #expect(heard.texts == ["a"])
        #expect(heard.errors.isEmpty)
    }

    @Test func `a call that fails is told, and neither ends the channel nor spins`() throws {
        let heard = try DatagramRecord(on: reactor)
        try Socket.datagrams().send("a", to: try heard.address)
        let answers = Answers(.failure(.noMemory), to: [.receiveMessages])
        answers.give { _ = reactor.runPending() }
        #expect((1...32).contains(answers.count))
        #expect(heard.errors.count == answers.count)
        let error = heard.errors.first
        #expect(error?.error == SocketError(.read, .noMemory))
        #expect(error?.origin == .call)
        #expect(error?.description == "read: Cannot allocate memory")
        #expect(heard.channel.isOpen)
        reactor.expect("it goes on") { heard.texts == ["a"] }
    }

    @Test func `a batch that was made smaller loses nothing`() throws {
        let heard = try DatagramRecord(on: reactor)
        let peer = try Socket.datagrams()
        let address = try heard.address
        for number in 0..<70 { try peer.send("\(number)", to: address) }
        Answers(.atMost(3), to: [.receiveMessages]).give { reactor.settle(passes: 40) }
        #expect(heard.texts == (0..<70).map(String.init))
    }

    // MARK: Beside the bytes

    // N25
    @Test func `what was asked for comes beside the bytes, where there is room`() throws {
        var options = DatagramOptions()
        options.ancillaryByteCount = 64
        let heard = try DatagramRecord(on: reactor, options: options)
        try heard.channel.set(.ipv4ReceivesHopLimit, to: true)
        let roomless = try DatagramRecord(on: reactor)
        try roomless.channel.set(.ipv4ReceivesHopLimit, to: true)
        let peer = try Socket.datagrams()
        for hops in [7, 9] {
            try peer.set(.ipv4HopLimit, to: hops)
            for record in [heard, roomless] { try peer.send("a", to: try record.address) }
        }
        reactor.expect("all come") { heard.count == 2 && roomless.count == 2 }
        #expect(heard.infos.map { $0.items.map(\.hopLimit) } == [[7], [9]])
        #expect(roomless.infos.map(\.items) == [[], []])
    }

    // The suite counts the descriptors.
    @Test(arguments: [0, 24, 256, 100_000, -1])
    func `descriptors that a stranger passes are closed`(room: Int) throws {
        var options = DatagramOptions()
        options.ancillaryByteCount = room
        let heard = try DatagramRecord(on: reactor, at: .unnamed, options: options)
        let peer = try Socket(for: .unnamed, kind: .datagram)
        for _ in 0..<5 {
            let passed = try Socket.datagrams().release()
            let result = try peer.send(
                ([1] as [UInt8]).span.bytes, passing: passed, to: try heard.address)
            #expect(result == .bytes(1))
        }
        reactor.expect("all come") { heard.count == 5 }
        #expect(heard.infos.allSatisfy { $0.items.isEmpty })
    }

    // MARK: Counting

    @Test func `a channel counts what it does`() throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        #expect(heard.channel.counters == DatagramCounters())
        for text in ["a", "bc", "def"] { try sender.send(text: text) }
        reactor.expect("all come") { heard.count == 3 }
        var sent = DatagramCounters()
        sent.datagramsSent = 3
        sent.bytesSent = 6
        sent.sends = 1
        #expect(sender.counters == sent)
        var received = DatagramCounters()
        received.datagramsReceived = 3
        received.bytesReceived = 6
        received.receives = 1
        #expect(heard.channel.counters == received)
        heard.channel.close()
        #expect(heard.channel.counters == received)
    }

    @Test func `it is on the reactor's list of what is open`() throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try sender.send(text: "abc")
        reactor.expect("it comes") { heard.count == 1 }
        let list = reactor.openSockets()
        let (own, peer) = (try sender.localAddress, try heard.address)
        #expect(list.map(\.kind) == [.datagrams, .datagrams])
        #expect(list.map(\.localAddress) == [peer, own])
        #expect(list.map(\.peerAddress) == [nil, peer])
        #expect(list.map(\.counters.bytesReceived) == [3, 0])
        #expect(list.map(\.counters.writes) == [0, 1])
        sender.close()
        heard.channel.close()
        #expect(reactor.openSockets().isEmpty)
    }

    // N40
    @Test func `sockets of one user share a port, each sender's datagrams at one of them`() throws {
        var options = DatagramOptions()
        options.reusePort = true
        let first = try DatagramRecord(on: reactor, options: options)
        let address = try first.address
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try DatagramChannel(on: reactor, at: address)
        }
        let second = try DatagramRecord(on: reactor, at: address, options: options)
        for _ in 0..<16 {
            let peer = try Socket.datagrams()
            for _ in 0..<3 { try peer.send("x", to: address) }
        }
        reactor.expect("all come") { first.count + second.count == 48 }
        #expect(Set(first.senders).isDisjoint(with: second.senders))
    }

    @Test func `too little room for what comes beside a datagram is told`() throws {
        var options = DatagramOptions()
        options.ancillaryByteCount = 24
        let heard = try DatagramRecord(on: reactor, options: options)
        try heard.channel.set(.ipv4ReceivesHopLimit, to: true)
        try heard.channel.set(.ipv4ReceivesPacketInfo, to: true)
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try sender.send(text: "a")
        reactor.expect("it comes") { heard.count == 1 }
        #expect(heard.infos[0].isAncillaryTruncated)
        #expect(!heard.infos[0].isTruncated)
    }
}
