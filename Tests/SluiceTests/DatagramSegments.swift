// SPDX-License-Identifier: Apache-2.0
//
// Many datagrams in one piece of memory: cut up by the kernel, or here where it can't, on the way
// out; joined by the kernel on the way in. Whoever receives sees none of it.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramSegments {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// What is to arrive; one empty datagram where there is nothing to cut.
    private func pieces(_ bytes: [UInt8], every size: Int) -> [[UInt8]] {
        if bytes.isEmpty { return [[]] }
        return stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
    }

    @discardableResult
    private func send(
        _ bytes: [UInt8], every size: Int, by channel: DatagramChannel,
        to address: SocketAddress? = nil
    ) throws -> DatagramSendResult {
        try channel.send(bytes.span.bytes, to: address, segmentedEvery: size)
    }

    /// The kernel does not cut for `channel`, for as long as the channel asks it to.
    private func withoutCutting<Result>(
        for channel: DatagramChannel, _ code: ErrorCode, _ body: () throws -> Result
    ) throws -> Result {
        try SystemCall.intercepting(
            { $0 == .sendMessages && channel.cutsSegments ? .failure(code) : nil }, body)
    }

    // MARK: Cutting

    @Test(arguments: [
        (1_050, 100), (1_000, 100), (100, 100), (99, 100), (0, 5), (1, 1), (300, 1), (6_401, 100),
        (130_000, 1_400), (65_001, 32_500), (50_001, 50_000), (65_507, 65_507),
    ])
    func `datagrams arrive one by one with their sizes`(count: Int, size: Int) throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramRecord(on: reactor, connectedTo: heard.address)
        let bytes = pattern(count)
        let expected = pieces(bytes, every: size)
        let result = try send(bytes, every: size, by: sender.channel)
        #expect(result == .accepted)
        reactor.expect("all come") { heard.count == expected.count }
        #expect(heard.contents.map(\.count) == expected.map(\.count))
        expectSame(heard.contents.flatMap(\.self), bytes)
        #expect(sender.channel.counters.datagramsSent == UInt64(expected.count))
        #expect(sender.channel.counters.bytesSent == UInt64(count))
        #expect(sender.errors.isEmpty)
    }

    @Test(arguments: SocketAddress.hasLoopback6 ? [IPAddress.loopback, .loopback6] : [.loopback])
    func `they go to any address, of either family`(ip: IPAddress) throws {
        let heard = try DatagramRecord(on: reactor, at: .ip(ip, port: 0))
        let channel = try DatagramChannel(on: reactor, at: .ip(ip, port: 0))
        try send(pattern(1_050), every: 100, by: channel, to: heard.address)
        reactor.expect("all come") { heard.count == 11 }
        #expect(heard.contents == pieces(pattern(1_050), every: 100))
        #expect(channel.counters.sends == 1)
    }

    @Test(arguments: [0, -1, .min, 65_536, .max])
    func `a length that none may have is refused`(size: Int) throws {
        let channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let address = SocketAddress.loopback(port: 9)
        #expect(throws: SocketError(.write, .invalidArgument, at: address)) {
            try send([1, 2], every: size, by: channel, to: address)
        }
        #expect(channel.unsentByteCount == 0)
    }

    @Test func `Unix datagrams are cut here`() throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try send(pattern(1_050), every: 100, by: channel)
        reactor.expect("all come") { heard.count == 11 }
        #expect(heard.contents == pieces(pattern(1_050), every: 100))
        #expect(channel.counters.datagramsSent == 11)
    }

    // MARK: Where the kernel can't

    @Test func `where the kernel can't cut it is done here`() throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramRecord(on: reactor, connectedTo: heard.address)
        let expected = pieces(pattern(1_050), every: 100)
        try withoutCutting(for: sender.channel, .inputOutput) {
            for round in 1...2 {
                let result = try send(pattern(1_050), every: 100, by: sender.channel)
                #expect(result == .accepted)
                reactor.expect("all come") { heard.count == round * expected.count }
            }
        }
        #expect(heard.contents == expected + expected)
        #expect(!sender.channel.cutsSegments)
        #expect(sender.errors.isEmpty)
        #expect(sender.channel.counters.datagramsSent == 22)
        #expect(sender.channel.counters.datagramsDropped == 0)
        #expect(sender.channel.counters.errors == 0)
    }

    /// Newer kernels refuse to cut what is longer than the path's packets; alone it goes in
    /// fragments.
    @Test func `datagrams too long for the path to be cut go by themselves`() throws {
        let heard = try DatagramRecord(on: reactor)
        let sender = try DatagramRecord(on: reactor, connectedTo: heard.address)
        try send(pattern(1_050), every: 100, by: sender.channel)
        let answers = Answers(.failure(.messageTooLong), to: [.sendMessages]) { $0 <= 2 }
        answers.give { reactor.settle() }
        #expect(heard.contents == pieces(pattern(1_050), every: 100))
        #expect(sender.channel.counters.datagramsDropped == 0)
    }

    @Test func `what is cut here keeps its place among the others`() throws {
        let heard = try DatagramRecord(on: reactor)
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try channel.send(text: "before")
        // The kernel sends what stands before the one that it refuses.
        channel.flush()
        try withoutCutting(for: channel, .inputOutput) {
            try send(pattern(250), every: 100, by: channel)
            try channel.send(text: "behind")
            try send(pattern(150), every: 100, by: channel)
            try channel.send(text: "last")
            reactor.expect("all come") { heard.count == 8 }
        }
        let expected =
            [Array("before".utf8)] + pieces(pattern(250), every: 100) + [Array("behind".utf8)]
            + pieces(pattern(150), every: 100) + [Array("last".utf8)]
        #expect(heard.contents == expected)
    }

    @Test func `a kernel that can't cut and is full afterwards changes no order`() throws {
        let heard = try DatagramRecord(on: reactor)
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try send(pattern(250), every: 100, by: channel)
        try channel.send(text: "behind")
        var calls = 0
        SystemCall.intercepting(
            { call in
                guard call == .sendMessages else { return nil }
                calls += 1
                if calls == 1 { return .failure(.inputOutput) }
                return calls == 2 ? .failure(.wouldBlock) : nil
            }, { reactor.settle() })
        #expect(heard.contents == pieces(pattern(250), every: 100) + [Array("behind".utf8)])
    }

    @Test func `closing sends what has to be cut here as well`() throws {
        let heard = try DatagramRecord(on: reactor)
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try withoutCutting(for: channel, .inputOutput) {
            try send(pattern(250), every: 100, by: channel)
            channel.close()
        }
        reactor.settle()
        #expect(heard.contents == pieces(pattern(250), every: 100))
        #expect(channel.counters.datagramsDropped == 0)
    }

    // MARK: Counting

    @Test func `each datagram counts, also of what is refused or given up`() throws {
        let refused = try DatagramRecord(on: reactor, connectedTo: .loopback(port: 9))
        try send(pattern(1_050), every: 100, by: refused.channel)
        Answers(.failure(.notPermitted), to: [.sendMessages]) { $0 == 1 }.give { reactor.settle() }
        #expect(refused.errors.map(\.error.code) == [.notPermitted])
        #expect(refused.channel.counters.datagramsDropped == 11)

        var options = DatagramOptions()
        options.outputLimit = 2_000
        let full = try DatagramChannel(
            on: reactor, connectedTo: .loopback(port: 9), options: options)
        let results = try Answers(.failure(.wouldBlock), to: [.sendMessages]).give {
            try (0..<2).map { _ in try send(pattern(1_050), every: 100, by: full) }
        }
        #expect(results == [.accepted, .dropped])
        #expect(full.counters.datagramsDropped == 11)
        full.close()
        #expect(full.counters.datagramsSent + full.counters.datagramsDropped == 22)
    }

    @Test func `what waits is cut when it goes`() throws {
        let heard = try DatagramRecord(on: reactor)
        let channel = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try SystemCall.failing(.sendMessages, with: .wouldBlock) {
            try send(pattern(1_050), every: 100, by: channel)
            channel.flush()
            let result = try send(pattern(250), every: 100, by: channel)
            #expect(result == .queued)
        }
        reactor.expect("all come") { heard.count == 14 }
        #expect(
            heard.contents == pieces(pattern(1_050), every: 100) + pieces(pattern(250), every: 100))
    }

    // MARK: Joining

    /// A channel whose kernel joins what comes, and one that sends to it.
    private func joining(
        _ change: (inout DatagramOptions) -> Void = { _ in }
    ) throws -> (heard: DatagramRecord, sender: DatagramChannel) {
        var options = DatagramOptions()
        options.joinsInput = true
        change(&options)
        let heard = try DatagramRecord(on: reactor, options: options)
        return (heard, try DatagramChannel(on: reactor, connectedTo: heard.address))
    }

    @Test(arguments: [(1_050, 100), (1_000, 100), (6_400, 100), (60_000, 1_400), (10, 1)])
    func `what the kernel has joined is told one by one`(count: Int, size: Int) throws {
        let (heard, sender) = try joining()
        let expected = pieces(pattern(count), every: size)
        try sender.send(text: "first")
        try send(pattern(count), every: size, by: sender)
        try sender.send(text: "last")
        reactor.expect("all come") { heard.count == expected.count + 2 }
        #expect(heard.contents == [Array("first".utf8)] + expected + [Array("last".utf8)])
        #expect(heard.infos.allSatisfy { $0.items.isEmpty && !$0.isTruncated })
        let own = try sender.localAddress
        #expect(Set(heard.senders) == [own])
        #expect(heard.channel.counters.datagramsReceived == UInt64(expected.count + 2))
        #expect(heard.channel.counters.bytesReceived == UInt64(count + 9))
    }

    @Test func `what else came with them comes with each`() throws {
        let (heard, sender) = try joining { $0.ancillaryByteCount = 64 }
        try heard.channel.set(.ipv4ReceivesHopLimit, to: true)
        try sender.set(.ipv4HopLimit, to: 5)
        try send(pattern(300), every: 100, by: sender)
        reactor.expect("all come") { heard.count == 3 }
        #expect(heard.infos.map { $0.items.map(\.hopLimit) } == [[5], [5], [5]])
    }

    @Test func `pausing in their middle holds the rest`() throws {
        let (heard, sender) = try joining()
        let contents = Box<[[UInt8]]>([])
        heard.channel.onDatagram { channel, bytes, _ in
            contents.value.append(bytes.array)
            if contents.value.count == 3 { channel.pauseReceiving() }
        }
        try send(pattern(1_050), every: 100, by: sender)
        reactor.settle()
        #expect(contents.value.count == 3)
        heard.channel.resumeReceiving()
        reactor.expect("the rest comes") { contents.value.count == 11 }
        #expect(contents.value == pieces(pattern(1_050), every: 100))
    }

    @Test func `closing in their middle ends it all`() throws {
        let (heard, sender) = try joining()
        let count = Box(0)
        heard.channel.onDatagram { channel, _, _ in
            count.value += 1
            channel.close()
        }
        try send(pattern(1_050), every: 100, by: sender)
        reactor.settle()
        #expect(count.value == 1)
    }

    @Test func `a kernel that can't join is as good`() throws {
        var options = DatagramOptions()
        options.joinsInput = true
        // Nothing else is set.
        options.receiveBufferByteCount = nil
        options.reportsErrors = false
        let heard = try SystemCall.failing(.setOption, with: .noProtocolOption) {
            try DatagramRecord(on: reactor, options: options)
        }
        let sender = try DatagramChannel(on: reactor, connectedTo: heard.address)
        try send(pattern(1_050), every: 100, by: sender)
        reactor.expect("all come") { heard.count == 11 }
        #expect(heard.contents == pieces(pattern(1_050), every: 100))
    }
}
