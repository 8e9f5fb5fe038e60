// SPDX-License-Identifier: Apache-2.0
//
// Datagrams that the kernel refuses: each is told once and counted once, and the others of its
// batch go. Who is told may send, close and flush without disturbing anybody's datagrams.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramFailures {
    let reactor: Reactor
    let receiver: HeldSocket
    let address: SocketAddress

    init() throws {
        reactor = try Reactor()
        receiver = HeldSocket(try .datagrams())
        address = try receiver.socket.localAddress
    }

    private func numbers(_ range: Range<Int>) -> [String] { range.map(String.init) }

    /// Where nobody is any more.
    private func deadName() throws -> SocketAddress {
        let socket = try Socket.datagrams(at: .unnamed)
        return try socket.localAddress
    }

    private func expectOne(
        _ errors: [DatagramError], _ code: ErrorCode, at address: SocketAddress,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            errors.map(\.error) == [SocketError(.write, code, at: address)],
            sourceLocation: sourceLocation)
        #expect(errors.allSatisfy { $0.origin == .call }, sourceLocation: sourceLocation)
    }

    // MARK: One bad datagram

    @Test func `a Unix name where nobody is costs its own datagram alone`() throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        let dead = try deadName()
        let sender = try DatagramRecord(on: reactor, at: .unnamed)
        let there = try heard.address
        for (text, place) in [("a", there), ("bad", dead), ("b", there)] {
            try sender.channel.send(text: text, to: place)
        }
        reactor.expect("the others come") { heard.count == 2 }
        #expect(heard.texts == ["a", "b"])
        expectOne(sender.errors, .connectionRefused, at: dead)
        var counters = sender.channel.counters
        counters.sends = 0
        var expected = DatagramCounters()
        expected.datagramsSent = 2
        expected.bytesSent = 2
        expected.datagramsDropped = 1
        expected.errors = 1
        #expect(counters == expected)
    }

    // The kernel answers each call so, before anything is sent.
    @Test(arguments: [
        (SocketAddress.loopback6(port: 9), ErrorCode.addressFamilyNotSupported),
        (.loopback(port: 0), .invalidArgument),
        (.ip(.v4(0x7FFF_FFFF), port: 9), .permissionDenied),
    ])
    func `an address that a socket can't send to is told once`(
        bad: SocketAddress, code: ErrorCode
    ) throws {
        let sender = try DatagramRecord(on: reactor)
        for place in [address, bad, address] { try sender.channel.send(text: "x", to: place) }
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == ["x", "x"])
        expectOne(sender.errors, code, at: bad)
        #expect(sender.channel.counters.datagramsDropped == 1)
        #expect(sender.channel.counters.errors == 1)
    }

    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `IPv4 can't be reached by IPv6 alone, which is told once`() throws {
        let sender = try DatagramRecord(on: reactor, at: .ip(.any6, port: 0))
        try sender.channel.send(text: "x", to: address)
        reactor.settle()
        expectOne(sender.errors, .networkUnreachable, at: address)
    }

    @Test func `an error of this call and one of the network in one batch are both told`() throws {
        let sender = try DatagramRecord(on: reactor)
        let refused = try SocketAddress.deaf()
        let forbidden = SocketAddress.ip(.v4(0x7FFF_FFFF), port: 9)
        for place in [refused, forbidden, address] {
            try sender.channel.send(text: "x", to: place)
        }
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == ["x"])
        let told = Set(sender.errors.map(\.error))
        #expect(
            told == [
                SocketError(.write, .connectionRefused, at: refused),
                SocketError(.write, .permissionDenied, at: forbidden),
            ])
        #expect(sender.errors.count == 2)
        #expect(sender.channel.counters.errors == 2)
    }

    // MARK: Failing calls

    @Test(arguments: [
        ErrorCode.notPermitted, .noMemory, .invalidArgument, .permissionDenied, .networkUnreachable,
        .hostUnreachable, .messageTooLong,
    ])
    func `a datagram that the kernel keeps refusing is told once, and dropped`(
        code: ErrorCode
    ) throws {
        let sender = try DatagramRecord(on: reactor)
        var isFirst = true
        try SystemCall.intercepting(
            { call in
                guard call == .sendMessages else { return nil }
                return isFirst ? .failure(code) : nil
            },
            {
                // Nothing else is in the batch, so that each call is about this one.
                try sender.channel.send(text: "bad", to: address)
                sender.channel.flush()
                isFirst = false
                try sender.channel.send(text: "good", to: address)
                sender.channel.flush()
            })
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == ["good"])
        expectOne(sender.errors, code, at: address)
        #expect(sender.channel.counters.datagramsDropped == 1)
        #expect(sender.channel.counters.errors == 1)
    }

    @Test func `what an interface has no room for is counted, and told to nobody`() throws {
        let sender = try DatagramRecord(on: reactor)
        for number in 0..<3 { try sender.channel.send(text: "\(number)", to: address) }
        let answers = Answers(.failure(.noBufferSpace), to: [.sendMessages]) { $0 == 1 }
        answers.give { reactor.settle() }
        #expect(try receiver.socket.receiveTexts() == ["1", "2"])
        #expect(sender.errors.isEmpty)
        #expect(sender.channel.counters.datagramsDropped == 1)
        #expect(sender.channel.counters.errors == 1)
    }

    @Test func `an interrupted call is made again`() throws {
        let sender = try DatagramRecord(on: reactor)
        for number in 0..<3 { try sender.channel.send(text: "\(number)", to: address) }
        let answers = Answers(.failure(.interrupted), to: [.sendMessages]) { $0 <= 3 }
        answers.give { reactor.settle() }
        #expect(try receiver.socket.receiveTexts() == numbers(0..<3))
        #expect(sender.errors.isEmpty)
    }

    /// The kernel tells by any call what has become of earlier datagrams.
    @Test func `a call that fails for an earlier datagram is made again`() throws {
        let sender = try DatagramRecord(on: reactor)
        for number in 0..<3 { try sender.channel.send(text: "\(number)", to: address) }
        let answers = Answers(.failure(.connectionRefused), to: [.sendMessages]) { $0 == 1 }
        answers.give { reactor.settle() }
        #expect(try receiver.socket.receiveTexts() == numbers(0..<3))
        #expect(sender.errors.map(\.error.code) == [.connectionRefused])
        #expect(sender.channel.counters.datagramsDropped == 0)
    }

    @Test func `each datagram of a batch that fails is told, in order`() throws {
        let sender = try DatagramRecord(on: reactor)
        let places = (1...5).map { SocketAddress.loopback(port: $0) }
        for place in places { try sender.channel.send(text: "x", to: place) }
        SystemCall.failing(.sendMessages, with: .notPermitted) { reactor.settle() }
        #expect(sender.errors.compactMap(\.error.address) == places)
        #expect(sender.channel.counters.datagramsDropped == 5)
        #expect(sender.channel.counters.errors == 5)
        #expect(sender.channel.unsentByteCount == 0)
    }

    // MARK: What who is told may do

    @Test func `a channel that closes when it is told of the first one tells no other`() throws {
        let channel = try DatagramChannel(on: reactor, connectedTo: address)
        var (told, closed) = (0, 0)
        channel.onError { channel, _ in
            told += 1
            channel.close()
        }
        channel.onClose { _ in closed += 1 }
        for _ in 0..<5 { try channel.send(text: "x") }
        SystemCall.failing(.sendMessages, with: .notPermitted) { reactor.settle() }
        #expect(told == 1)
        #expect(closed == 1)
        #expect(channel.counters.datagramsDropped == 5)
    }

    @Test func `what fails while the channel closes is counted, and nobody is told any more`()
        throws
    {
        let channel = try DatagramChannel(on: reactor, connectedTo: address)
        channel.onError { _, error in Issue.record(error) }
        try channel.send(text: "bad")
        Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 == 1 }.give { channel.close() }
        reactor.settle()
        let counters = channel.counters
        #expect(counters.datagramsDropped == 1)
        #expect(counters.errors == 1)
        #expect(try receiver.socket.receiveTexts() == [])
        #expect(channel.unsentByteCount == 0)
    }

    /// All channels of a reactor collect in one place, and the first one's failure comes up while
    /// the second one sends.
    @Test func `what is sent on being told of a failure leaves by its own channel`() throws {
        let first = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let second = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let address = address
        first.onError { channel, _ in
            do { try channel.send(text: "first", to: address) } catch { Issue.record(error) }
        }
        try first.send(text: "bad", to: address)
        try Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 == 1 }.give {
            _ = try second.send(text: "second", to: address)
            reactor.settle()
        }
        var found: Set<String> = []
        while let datagram = try receiver.socket.receiveDatagram() {
            found.insert("\(datagram.bytes.text) \(datagram.sender ?? .unnamed)")
        }
        let expected = ["first \(try first.localAddress)", "second \(try second.localAddress)"]
        #expect(found == Set(expected))
        #expect(first.counters.datagramsSent == 1)
        #expect(second.counters.datagramsSent == 1)
    }

    @Test func `what was queued leaves by its own channel, too`() throws {
        let first = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let second = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let address = address
        first.onError { channel, _ in
            do { try channel.send(text: "first", to: address) } catch { Issue.record(error) }
        }
        try SystemCall.failing(.sendMessages, with: .wouldBlock) {
            _ = try second.send(text: "second", to: address)
            second.flush()
        }
        try first.send(text: "bad", to: address)
        Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 == 1 }.give {
            second.sendQueue()
        }
        reactor.settle()
        var found: Set<String> = []
        while let datagram = try receiver.socket.receiveDatagram() {
            found.insert("\(datagram.bytes.text) \(datagram.sender ?? .unnamed)")
        }
        let expected = ["first \(try first.localAddress)", "second \(try second.localAddress)"]
        #expect(found == Set(expected))
    }

    @Test func `a whole batch may be sent on being told of a failure`() throws {
        let channel = try DatagramChannel(on: reactor, connectedTo: address)
        channel.onError { channel, _ in
            do {
                for number in 100..<164 { try channel.send(text: "\(number)") }
            } catch {
                Issue.record(error)
            }
        }
        try Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 == 1 }.give {
            // The last one finds the place full.
            for number in 0..<65 { try channel.send(text: "\(number)") }
            reactor.settle()
        }
        let texts = try receiver.socket.receiveTexts()
        #expect(Set(texts) == Set(numbers(1..<65) + numbers(100..<164)))
        #expect(texts.count == 128)
    }

    @Test func `a channel that another's failure closes sends nothing more, and says so`() throws {
        let first = try DatagramChannel(on: reactor, connectedTo: address)
        let second = try DatagramChannel(on: reactor, connectedTo: address)
        first.onError { _, _ in second.close() }
        try first.send(text: "bad")
        var result: DatagramSendResult?
        Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 == 1 }.give {
            do throws(SocketError) {
                result = try second.send(text: "second")
            } catch {
                #expect(error.code == .badDescriptor)
            }
        }
        reactor.settle()
        #expect(!second.isOpen)
        #expect(second.unsentByteCount == 0)
        let counters = second.counters
        let counted = counters.datagramsSent + counters.datagramsDropped
        #expect(counted == (result == nil ? 0 : 1))
        #expect(try receiver.socket.receiveTexts().count == Int(counters.datagramsSent))
    }

    @Test func `who is told may run the reactor`() throws {
        let channel = try DatagramChannel(on: reactor, connectedTo: address)
        var told = 0
        channel.onError { [unowned reactor = reactor] channel, _ in
            told += 1
            do { try channel.send(text: "\(told)") } catch { Issue.record(error) }
            reactor.settle(passes: 3)
        }
        for _ in 0..<3 { try channel.send(text: "bad") }
        Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 <= 3 }.give { reactor.settle() }
        #expect(told == 3)
        #expect(try receiver.socket.receiveTexts() == ["1", "2", "3"])
    }
}
