// SPDX-License-Identifier: Apache-2.0
//
// What the network answers to datagrams that did not arrive: who says so and about which address,
// each once, without an end of the channel and without a spinning reactor.

import TestSupport
import Testing

@testable import Sluice

private let loopbacks: [IPAddress] =
    SocketAddress.hasLoopback6 ? [.loopback, .loopback6] : [.loopback]

@Suite(.countingDescriptors)
struct DatagramErrors {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Sends to a place, by a channel that is connected to it or to nobody, and keeps what is told.
    private func sender(
        to place: SocketAddress, isConnected: Bool, options: DatagramOptions = .init()
    ) throws -> DatagramRecord {
        if isConnected {
            return try DatagramRecord(on: reactor, connectedTo: place, options: options)
        }
        let own = SocketAddress.ip(place.ipAddress ?? .loopback, port: 0)
        return try DatagramRecord(on: reactor, at: own, options: options)
    }

    // MARK: Refused ports

    @Test(arguments: loopbacks, [true, false])
    func `a refused port is told with the address, and by whom`(
        ip: IPAddress, isConnected: Bool
    ) throws {
        let refused = try SocketAddress.deaf(ip)
        let sender = try sender(to: refused, isConnected: isConnected)
        try sender.channel.send(text: "x", to: isConnected ? nil : refused)
        reactor.expect("it is told") { !sender.errors.isEmpty }
        reactor.settle()
        #expect(sender.errors.count == 1)
        let error = sender.errors[0]
        #expect(error.error == SocketError(.write, .connectionRefused, at: refused))
        #expect(error.origin == (ip.isIPv6 ? .icmp6 : .icmp))
        #expect(error.offender == .ip(ip, port: 0))
        #expect([error.icmpType, error.icmpCode] == (ip.isIPv6 ? [1, 4] : [3, 3]))
        #expect(error.pathByteCount == nil)
        let protocolName = ip.isIPv6 ? "icmp6" : "icmp"
        #expect(
            error.description
                == "write \(refused): Connection refused (\(protocolName) from \(ip))")
        #expect(sender.channel.counters.errors == 1)
        #expect(sender.channel.counters.datagramsSent == 1)
        #expect(sender.channel.counters.datagramsDropped == 0)
        #expect(sender.channel.isOpen)
        #expect(reactor.turnCount() < 5)
    }

    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"), arguments: loopbacks)
    func `a socket for both families is told IPv4 as such`(ip: IPAddress) throws {
        var options = DatagramOptions()
        options.acceptsBothFamilies = true
        let refused = try SocketAddress.deaf(ip)
        let sender = try DatagramRecord(on: reactor, at: .ip(.any6, port: 0), options: options)
        for isConnected in [false, true] {
            if isConnected { try sender.channel.connect(to: refused) }
            try sender.channel.send(text: "x", to: isConnected ? nil : refused)
            let count = isConnected ? 2 : 1
            reactor.expect("it is told") { sender.errors.count == count }
        }
        for error in sender.errors {
            #expect(error.error == SocketError(.write, .connectionRefused, at: refused))
            #expect(error.offender == .ip(ip, port: 0))
            #expect(error.origin == (ip.isIPv6 ? .icmp6 : .icmp))
        }
    }

    @Test func `each of several is told once, in order`() throws {
        let sender = try DatagramRecord(on: reactor)
        let places = try (0..<5).map { _ in try SocketAddress.deaf() }
        for place in places { try sender.channel.send(text: "x", to: place) }
        reactor.expect("all are told") { sender.errors.count >= 5 }
        reactor.settle()
        #expect(sender.errors.compactMap(\.error.address) == places)
        #expect(sender.errors.allSatisfy { $0.error.code == .connectionRefused })
        #expect(sender.channel.counters.errors == 5)
    }

    @Test(arguments: [true, false])
    func `hundreds are told once each, whenever they are sent`(isConnected: Bool) throws {
        let refused = try SocketAddress.deaf()
        let sender = try sender(to: refused, isConnected: isConnected)
        for _ in 0..<200 { try sender.channel.send(text: "x", to: isConnected ? nil : refused) }
        for _ in 0..<10 {
            try sender.channel.send(text: "x", to: isConnected ? nil : refused)
            sender.channel.flush()
        }
        reactor.expect("all are told") { sender.errors.count >= 210 }
        reactor.settle()
        #expect(sender.errors.count == 210)
        let expected = SocketError(.write, .connectionRefused, at: refused)
        #expect(sender.errors.allSatisfy { $0.error == expected && $0.origin == .icmp })
        #expect(sender.channel.counters.datagramsSent == 210)
        #expect(sender.channel.counters.datagramsDropped == 0)
    }

    // MARK: What else is sent

    @Test(arguments: [true, false], [true, false])
    func `what is sent right behind a refused one is not lost`(
        isConnected: Bool, reportsErrors: Bool
    ) throws {
        var options = DatagramOptions()
        options.reportsErrors = reportsErrors
        let place = try SocketAddress.deaf()
        let sender = try sender(to: place, isConnected: isConnected, options: options)
        try sender.channel.send(text: "lost", to: isConnected ? nil : place)
        sender.channel.flush()
        let receiver = try Socket.datagrams(at: place)
        for text in ["a", "b"] {
            try sender.channel.send(text: text, to: isConnected ? nil : place)
        }
        reactor.settle()
        #expect(try receiver.receiveTexts() == ["a", "b"])
        #expect(sender.channel.counters.datagramsSent == 3)
        #expect(sender.channel.counters.datagramsDropped == 0)
        if reportsErrors { #expect(sender.errors.count == 1) }
    }

    @Test func `others of the batch arrive, and what comes meanwhile is heard`() throws {
        let sender = try DatagramRecord(on: reactor)
        let receiver = try Socket.datagrams()
        let (refused, place) = (try SocketAddress.deaf(), try receiver.localAddress)
        for number in 0..<50 {
            try sender.channel.send(text: "\(number)", to: number % 2 == 0 ? refused : place)
            try receiver.send("\(number)", to: try sender.address)
        }
        reactor.expect("all is told") { sender.errors.count >= 25 && sender.count == 50 }
        reactor.settle()
        #expect(try receiver.receiveTexts() == stride(from: 1, to: 50, by: 2).map { "\($0)" })
        #expect(sender.texts == (0..<50).map { "\($0)" })
        #expect(sender.errors.count == 25)
    }

    // MARK: Who is told

    @Test func `where nobody asks for them they are counted, and spin nothing`() throws {
        let channel = try DatagramChannel(on: reactor, connectedTo: SocketAddress.deaf())
        channel.onDatagram { _, _, _ in wrongly() }
        try channel.send(text: "x")
        reactor.expect("it is counted") { channel.counters.errors == 1 }
        #expect(reactor.turnCount() < 5)
        #expect(channel.isOpen)
    }

    @Test func `a channel that only sends is told as well`() throws {
        let channel = try DatagramChannel(on: reactor, connectedTo: SocketAddress.deaf())
        var errors: [DatagramError] = []
        channel.onError { errors.append($1) }
        try channel.send(text: "x")
        reactor.settle()
        #expect(errors.map(\.error.code) == [.connectionRefused])
        #expect(reactor.turnCount() < 5)
    }

    @Test func `a channel that has paused is told as well`() throws {
        let sender = try DatagramRecord(on: reactor, connectedTo: SocketAddress.deaf())
        sender.channel.pauseReceiving()
        try sender.channel.send(text: "x")
        reactor.settle()
        #expect(reactor.turnCount() < 5)
        #expect(sender.errors.map(\.error.code) == [.connectionRefused])
        sender.channel.resumeReceiving()
        reactor.settle()
        #expect(sender.errors.count == 1)
    }

    @Test func `who does not want to hear of it does not`() throws {
        var options = DatagramOptions()
        options.reportsErrors = false
        let refused = try SocketAddress.deaf()
        let sender = try sender(to: refused, isConnected: false, options: options)
        for _ in 0..<3 { try sender.channel.send(text: "x", to: refused) }
        reactor.settle()
        #expect(sender.errors.isEmpty)
        #expect(sender.channel.counters.errors == 0)
        #expect(sender.channel.counters.datagramsSent == 3)
        #expect(reactor.turnCount() < 5)
    }

    /// The kernel tells a connected socket all the same, without particulars.
    @Test func `a connected channel goes on although it does not want to hear of it`() throws {
        var options = DatagramOptions()
        options.reportsErrors = false
        let sender = try sender(to: .deaf(), isConnected: true, options: options)
        for _ in 0..<3 {
            try sender.channel.send(text: "x")
            reactor.settle()
        }
        #expect(sender.errors.allSatisfy { $0.origin == .call && $0.offender == nil })
        #expect(sender.channel.counters.datagramsSent == 3)
        #expect(sender.channel.isOpen)
        #expect(reactor.turnCount() < 5)
    }

    @Test func `who is told of the first of many may close`() throws {
        let channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        var told = 0
        channel.onDatagram { _, _, _ in }
        channel.onError { channel, _ in
            told += 1
            channel.close()
        }
        for _ in 0..<5 { try channel.send(text: "x", to: try SocketAddress.deaf()) }
        reactor.settle()
        #expect(told == 1)
        #expect(!channel.isOpen)
    }

    @Test func `who answers each error with another datagram starves nobody`() throws {
        let channel = try DatagramChannel(on: reactor, connectedTo: SocketAddress.deaf())
        var told = 0
        channel.onDatagram { _, _, _ in }
        channel.onError { channel, _ in
            told += 1
            do { try channel.send(text: "x") } catch { Issue.record(error) }
            channel.flush()
        }
        // With two under way each one's sending meets the answer to the other.
        for _ in 0..<2 { try channel.send(text: "x") }
        var isDone = false
        reactor.after(.milliseconds(20)) { isDone = true }
        reactor.expect("the timer fires") { isDone }
        #expect(told > 1)
        channel.close()
    }

    // MARK: Too long

    @Test(arguments: [true, false], [65_508, 65_535])
    func `a datagram too long for IPv4 is told once, with its address and the room there is`(
        isConnected: Bool, size: Int
    ) throws {
        let heard = try DatagramRecord(on: reactor)
        let place = try heard.address
        let sender = try sender(to: place, isConnected: isConnected)
        let to = isConnected ? nil : place
        try sender.channel.send(text: "before", to: to)
        #expect(try sender.channel.send(pattern(size), to: to) == .accepted)
        try sender.channel.send(text: "behind", to: to)
        reactor.expect("the others come") { heard.count == 2 }
        reactor.settle()
        #expect(heard.texts == ["before", "behind"])
        #expect(sender.errors.map(\.error) == [SocketError(.write, .messageTooLong, at: place)])
        #expect(sender.errors.map(\.origin) == [.local])
        #expect(sender.errors.map(\.pathByteCount) == [65_535])
        #expect(sender.channel.counters.errors == 1)
        #expect(sender.channel.counters.datagramsDropped == 1)
        #expect(sender.channel.counters.datagramsSent == 2)
        #expect(reactor.turnCount() < 5)
    }

    // MARK: What the kernel writes

    /// An entry of the queue of errors, as C's `struct sock_extended_err`.
    private func entry(
        _ code: UInt32, origin: UInt8, information: UInt32 = 0, offender: [UInt8] = []
    ) -> [UInt8] {
        let codeBytes = withUnsafeBytes(of: code) { Array($0) }
        let informationBytes = withUnsafeBytes(of: information) { Array($0) }
        return codeBytes + [origin, 5, 6, 0] + informationBytes + [0, 0, 0, 0] + offender
    }

    @Test func `an entry is read as far as it goes`() {
        let place = SocketAddress.loopback(port: 9)
        let offender: [UInt8] = [2, 0, 0, 0, 192, 0, 2, 1] + [UInt8](repeating: 0, count: 8)
        let whole = entry(113, origin: 2, offender: offender)
        for count in 0...whole.count {
            let item = AncillaryItem(level: 0, type: 11, data: Array(whole.prefix(count)))
            let error = DatagramError(item, destination: place)
            #expect((error == nil) == (count < 16))
            guard let error else { continue }
            #expect(error.error == SocketError(.write, .hostUnreachable, at: place))
            #expect([error.icmpType, error.icmpCode] == [5, 6])
            let isWhole = count == whole.count
            #expect(error.offender == (isWhole ? .ip(.v4(0xC000_0201), port: 0) : nil))
        }
        for (level, type) in [(0, 12), (1, 11), (41, 11), (6, 25)] as [(CInt, CInt)] {
            let item = AncillaryItem(level: level, type: type, data: whole)
            #expect(DatagramError(item, destination: nil) == nil)
        }
    }

    @Test(arguments: [
        (UInt8(1), DatagramError.Origin.local), (2, .icmp), (3, .icmp6), (0, .other(0)),
        (4, .other(4)), (255, .other(255)),
    ])
    func `whoever says so is told, also one that is not known yet`(
        number: UInt8, origin: DatagramError.Origin
    ) {
        let data = entry(.max, origin: number, information: .max)
        let item = AncillaryItem(level: 41, type: 25, data: data)
        let error = DatagramError(item, destination: nil)
        #expect(error?.origin == origin)
        #expect(error?.error.code.rawValue == -1)
        #expect(error?.pathByteCount == nil)
        let long = AncillaryItem(level: 41, type: 25, data: entry(90, origin: 1, information: .max))
        #expect(DatagramError(long, destination: nil)?.pathByteCount == 4_294_967_295)
    }
}
