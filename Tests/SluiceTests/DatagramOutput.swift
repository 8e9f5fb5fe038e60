// SPDX-License-Identifier: Apache-2.0
//
// How datagrams go: together at the end of the turn, or queued while the kernel takes no more, and
// in order all the time. Failures of single ones have a file of their own.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramOutput {
    let reactor: Reactor
    let receiver: HeldSocket
    let address: SocketAddress

    init() throws {
        reactor = try Reactor()
        receiver = HeldSocket(try .datagrams())
        address = try receiver.socket.localAddress
    }

    private func open() throws -> DatagramChannel {
        try DatagramChannel(on: reactor, connectedTo: address)
    }

    private func numbers(_ range: Range<Int>) -> [String] { range.map(String.init) }

    @discardableResult
    private func send(
        _ range: Range<Int>, by channel: DatagramChannel
    ) throws -> [DatagramSendResult] {
        try range.map { try channel.send(text: "\($0)") }
    }

    /// The kernel has no room for datagrams while `body` runs.
    private func whileFull<Result>(_ body: () throws -> Result) throws -> Result {
        try Answers(.failure(.wouldBlock), to: [.sendMessages]).give(body)
    }

    // MARK: One call a turn

    // P34
    @Test func `what a turn sends leaves in one call at its end`() throws {
        let channel = try open()
        let results = try send(10..<74, by: channel)
        #expect(results.allSatisfy { $0 == .accepted })
        #expect(channel.counters.sends == 0)
        #expect(channel.unsentByteCount == 128)
        #expect(try receiver.socket.receiveTexts() == [])
        reactor.runPending()
        #expect(channel.counters.sends == 1)
        #expect(channel.counters.datagramsSent == 64)
        #expect(channel.unsentByteCount == 0)
        #expect(try receiver.socket.receiveTexts() == numbers(10..<74))
    }

    @Test func `more than 64 leave in more calls`() throws {
        let channel = try open()
        try send(0..<200, by: channel)
        #expect(channel.counters.sends == 3)
        reactor.runPending()
        #expect(channel.counters.sends == 4)
        #expect(try receiver.socket.receiveTexts() == numbers(0..<200))
    }

    @Test func `long ones leave in as many calls as they need`() throws {
        let heard = try DatagramRecord(on: reactor)
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        let contents = (0..<5).map { [UInt8](repeating: $0, count: 60_000) }
        for content in contents { try channel.send(content) }
        reactor.expect("all come") { heard.count == 5 }
        #expect(heard.contents.map(\.first) == contents.map(\.first))
        #expect(heard.contents.allSatisfy { $0.count == 60_000 })
        #expect(channel.counters.sends == 3)
    }

    @Test func `flushing hands it over now`() throws {
        let channel = try open()
        channel.flush()
        try send(0..<3, by: channel)
        channel.flush()
        #expect(try receiver.socket.receiveTexts() == numbers(0..<3))
        channel.flush()
        reactor.runPending()
        #expect(channel.counters.sends == 1)
    }

    @Test func `what a handler sends leaves when it returns`() throws {
        let channel = try open()
        let receiver = receiver
        var seen: [[String]] = []
        reactor.after(.zero) {
            try channel.send(text: "a")
            seen.append(try receiver.socket.receiveTexts())
        }
        reactor.after(.zero) { seen.append(try receiver.socket.receiveTexts()) }
        reactor.expect("both are called") { seen.count == 2 }
        #expect(seen == [[], ["a"]])
    }

    @Test func `several channels may send in one turn, and each stays itself`() throws {
        let channels = try (0..<3).map { _ in
            try DatagramChannel(on: reactor, at: .loopback(port: 0))
        }
        var expected: [String] = []
        for number in 0..<30 {
            let channel = channels[number % 3]
            try channel.send(text: "\(number)", to: address)
            expected.append("\(number) \(try channel.localAddress)")
        }
        reactor.runPending()
        var found: [String] = []
        while let datagram = try receiver.socket.receiveDatagram() {
            found.append("\(datagram.bytes.text) \(datagram.sender ?? .unnamed)")
        }
        #expect(found == expected)
        #expect(channels.map(\.counters.datagramsSent) == [10, 10, 10])
    }

    @Test func `closing sends what was collected`() throws {
        let channel = try open()
        try send(0..<5, by: channel)
        channel.close()
        #expect(try receiver.socket.receiveTexts() == numbers(0..<5))
        #expect(channel.counters.datagramsDropped == 0)
        reactor.settle()
    }

    // MARK: What is refused at once

    // P34
    @Test func `what can't be sent is refused at once`() throws {
        let channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        #expect(throws: SocketError(.write, .destinationRequired)) { try channel.send([1]) }
        #expect(throws: SocketError(.write, .messageTooLong, at: address)) {
            try channel.send([UInt8](repeating: 1, count: 65_536), to: address)
        }
        let none = SocketAddress.unix(path: "")
        #expect(throws: SocketError(.write, .invalidArgument, at: none)) {
            try channel.send([1], to: none)
        }
        let long = SocketAddress.unix(path: String(repeating: "x", count: 108))
        #expect(throws: SocketError(.write, .nameTooLong, at: long)) {
            try channel.send([1], to: long)
        }
        try whileFull {
            try channel.send([1], to: address)
            channel.flush()
            #expect(throws: SocketError(.write, .nameTooLong, at: long)) {
                try channel.send([1], to: long)
            }
        }
        reactor.settle()
        #expect(channel.counters.datagramsSent == 1)
        #expect(channel.counters.datagramsDropped == 0)
    }

    // MARK: A full kernel

    @Test func `what a full Unix peer does not take waits without spinning`() throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        heard.channel.pauseReceiving()
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        var drained = 0
        channel.onDrained { _ in drained += 1 }
        for number in 0..<300 { try channel.send(text: "\(number)") }
        channel.flush()
        #expect(channel.unsentByteCount > 0)
        #expect(try channel.send(text: "300") == .queued)
        let count = CallCount()
        let turns = count.count { reactor.turnCount() }
        #expect(turns < 5, "the kernel says that there is room, and takes nothing")
        #expect(count.of(.sendMessages) < 5)
        #expect(drained == 0)
        heard.channel.resumeReceiving()
        reactor.expect("all come") { heard.count == 301 }
        reactor.expect("that is told") { drained == 1 }
        #expect(heard.texts == numbers(0..<301))
        #expect(channel.counters.datagramsSent == 301)
        #expect(channel.counters.datagramsDropped == 0)
        #expect(channel.unsentByteCount == 0)
    }

    /// The kernel does not say when it reads again.
    @Test(arguments: [1, 70_000])
    func `a named Unix peer that reads nothing holds up nobody else`(size: Int) throws {
        let idle = try DatagramRecord(on: reactor, at: .unnamed)
        idle.channel.pauseReceiving()
        let busy = try DatagramRecord(on: reactor, at: .unnamed)
        let sender = try DatagramRecord(on: reactor, at: .unnamed)
        let (idleAddress, busyAddress) = (try idle.address, try busy.address)
        let content = [UInt8](repeating: 0x78, count: size)
        for _ in 0..<2 {
            for _ in 0..<30 { try sender.channel.send(content, to: idleAddress) }
            if size == 1 { try sender.channel.send(text: "busy", to: busyAddress) }
            sender.channel.flush()
        }
        reactor.settle()
        let counters = sender.channel.counters
        #expect(busy.texts == (size == 1 ? ["busy", "busy"] : []))
        #expect(sender.errors.count > 20)
        let full = SocketError(.write, .wouldBlock, at: idleAddress)
        #expect(sender.errors.allSatisfy { $0.error == full && $0.origin == .call })
        #expect(counters.datagramsDropped == UInt64(sender.errors.count))
        #expect(counters.datagramsSent + counters.datagramsDropped == 60 + UInt64(busy.count))
        #expect(sender.channel.unsentByteCount == 0)
        #expect(reactor.turnCount() < 5)
        idle.channel.resumeReceiving()
        reactor.expect("it reads what it has") { idle.count + sender.errors.count == 60 }
    }

    @Test func `a long Unix datagram waits for room as well`() throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        heard.channel.pauseReceiving()
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        let long = [UInt8](repeating: 0x78, count: 70_000)
        for number in 0..<10 {
            try channel.send(text: "\(number)")
            try channel.send(long)
        }
        #expect(channel.unsentByteCount > 300_000)
        heard.channel.resumeReceiving()
        reactor.expect("all come") { heard.count == 20 }
        let texts = heard.texts
        #expect(stride(from: 0, to: 20, by: 2).map { texts[$0] } == numbers(0..<10))
        #expect(channel.counters.datagramsSent == 20)
        #expect(channel.counters.bytesSent == 10 * 70_000 + 10)
    }

    @Test func `the order is kept before, in and behind the queue`() throws {
        let channel = try open()
        var drained = 0
        channel.onDrained { _ in drained += 1 }
        try send(0..<10, by: channel)
        try whileFull {
            channel.flush()
            let results = try send(10..<20, by: channel)
            #expect(results.allSatisfy { $0 == .queued })
            reactor.settle()
        }
        #expect(drained == 0)
        try send(20..<100, by: channel)
        #expect(channel.unsentByteCount == 190)
        reactor.expect("all go") { channel.unsentByteCount == 0 }
        try send(100..<110, by: channel)
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == numbers(0..<110))
        #expect(drained == 1)
    }

    @Test func `a kernel that is full in the middle of a batch gets the rest later`() throws {
        let channel = try open()
        try send(0..<60, by: channel)
        var calls = 0
        SystemCall.intercepting(
            { call in
                guard call == .sendMessages else { return nil }
                calls += 1
                return calls % 2 == 0 ? .failure(.wouldBlock) : .atMost(7)
            }, { reactor.settle(passes: 30) })
        #expect(calls > 8)
        #expect(try receiver.socket.receiveTexts() == numbers(0..<60))
        #expect(channel.counters.datagramsSent == 60)
    }

    @Test(arguments: [1, 5, 63])
    func `calls that take a part of a batch are followed by others`(most: Int) throws {
        let channel = try open()
        try send(0..<64, by: channel)
        Answers(.atMost(most), to: [.sendMessages]).give { reactor.settle() }
        #expect(channel.counters.sends == UInt64((64 + most - 1) / most))
        #expect(try receiver.socket.receiveTexts() == numbers(0..<64))
    }

    @Test func `closing gives the queue up, and counts it`() throws {
        let channel = try open()
        try whileFull {
            try send(0..<10, by: channel)
            channel.flush()
            try send(10..<15, by: channel)
            channel.close()
        }
        #expect(channel.counters.datagramsDropped == 15)
        #expect(channel.unsentByteCount == 0)
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == [])
    }

    @Test func `the peer stays while datagrams wait for it`() throws {
        let channel = try open()
        let other = SocketAddress.loopback(port: 9)
        try whileFull {
            try channel.send(text: "a")
            #expect(throws: SocketError(.connect, .busy, at: other)) {
                try channel.connect(to: other)
            }
        }
        #expect(channel.peerAddress == address)
        reactor.expect("it goes") { channel.unsentByteCount == 0 }
        try channel.connect(to: other)
        #expect(try receiver.socket.receiveTexts() == ["a"])
    }

    // MARK: Being told of room

    @Test func `who is told of room may send, flush and fill the kernel again`() throws {
        let channel = try open()
        var rounds = 0
        channel.onDrained { channel in
            rounds += 1
            if rounds == 3 { return }
            try Answers(.failure(.wouldBlock), to: [.sendMessages]).give {
                _ = try channel.send(text: "\(rounds)")
                channel.flush()
            }
        }
        try whileFull {
            try send(0..<1, by: channel)
            channel.flush()
        }
        reactor.expect("all go") { rounds == 3 }
        #expect(try receiver.socket.receiveTexts() == numbers(0..<3))
    }

    @Test func `what the handler throws is told`() throws {
        let channel = try open()
        var errors = 0
        reactor.onError = { error, _ in errors += error is Mishap ? 1 : 0 }
        channel.onDrained { _ in throw Mishap() }
        try whileFull {
            try send(0..<1, by: channel)
            channel.flush()
        }
        reactor.expect("it is told") { errors == 1 }
        #expect(channel.isOpen)
    }

    @Test func `a channel may be closed by who is told of room`() throws {
        let channel = try open()
        channel.onDrained { $0.close() }
        try whileFull {
            try send(0..<1, by: channel)
            channel.flush()
        }
        reactor.expect("it closes") { !channel.isOpen }
        #expect(try receiver.socket.receiveTexts() == ["0"])
    }
}
