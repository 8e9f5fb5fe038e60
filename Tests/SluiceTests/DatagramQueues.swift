// SPDX-License-Identifier: Apache-2.0
//
// What may wait for the kernel, and which datagram is given up where that is too much: the queue
// alone, and the channel that has it.

import TestSupport
import Testing

@testable import Sluice

@Suite struct DatagramQueues {
    private func datagram(_ number: Int, size: Int = 10) -> UnsentDatagram {
        UnsentDatagram(
            bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size),
            address: .loopback(port: UInt16(truncatingIfNeeded: number)))
    }

    /// Takes all out and gives the numbers.
    private func drain(_ queue: inout DatagramQueue) -> [UInt16] {
        var numbers: [UInt16] = []
        while let datagram = queue.popFirst() { numbers.append(datagram.address?.port ?? 0) }
        return numbers
    }

    @Test func `what came first goes first`() {
        var queue = DatagramQueue()
        #expect(queue.isEmpty)
        let none = queue.popFirst()
        #expect(none == nil)
        for number in 0..<1_000 {
            let dropped = queue.append(datagram(number), limit: .max, .newest)
            #expect(dropped == 0)
        }
        #expect(queue.count == 1_000)
        #expect(queue.byteCount == 10_000)
        #expect(drain(&queue) == Array(0..<1_000))
        #expect(queue.isEmpty)
        #expect(queue.byteCount == 0)
    }

    @Test func `the newest is given up, or as many of the oldest as it takes`() {
        var newest = DatagramQueue()
        var oldest = DatagramQueue()
        for number in 0..<10 {
            let dropped = newest.append(datagram(number), limit: 100, .newest)
            #expect(dropped == 0, "the limit itself is not too much")
            _ = oldest.append(datagram(number), limit: 100, .oldest)
        }
        let dropped = newest.append(datagram(10, size: 1), limit: 100, .newest)
        #expect(dropped == 1)
        let fits = newest.append(datagram(11, size: 0), limit: 100, .newest)
        #expect(fits == 0)
        #expect(drain(&newest) == Array(0..<10) + [11])
        let two = oldest.append(datagram(10, size: 11), limit: 100, .oldest)
        #expect(two == 2)
        #expect(oldest.byteCount == 91)
        let all = oldest.append(datagram(11, size: 100), limit: 100, .oldest)
        #expect(all == 9)
        #expect(drain(&oldest) == [11])
    }

    @Test(arguments: [DatagramOptions.DropPolicy.newest, .oldest])
    func `one that never fits leaves the others`(policy: DatagramOptions.DropPolicy) {
        var queue = DatagramQueue()
        _ = queue.append(datagram(0), limit: 100, policy)
        for limit in [100, 0, -1, .min] {
            let dropped = queue.append(datagram(1, size: 101), limit: limit, policy)
            #expect(dropped == 1)
        }
        #expect(drain(&queue) == [0])
    }

    /// Each takes memory of its own, although it has no bytes.
    @Test func `empty ones have a limit as well`() {
        var queue = DatagramQueue()
        for number in 0..<20_000 {
            _ = queue.append(datagram(number, size: 0), limit: 1_000, .newest)
        }
        #expect(queue.count < 10_000)
    }

    @Test func `what was taken out and not sent is first again`() {
        var queue = DatagramQueue()
        for number in 0..<300 { _ = queue.append(datagram(number), limit: .max, .newest) }
        var taken: [UnsentDatagram] = []
        for _ in 0..<280 {
            if let datagram = queue.popFirst() { taken.append(datagram) }
        }
        queue.putBack(Array(taken[200...]))
        #expect(queue.count == 100)
        #expect(queue.byteCount == 1_000)
        #expect(drain(&queue) == Array(200..<300))
        queue.putBack([datagram(7), datagram(8)])
        queue.putBack([])
        #expect(queue.count == 2)
        #expect(drain(&queue) == [7, 8])
    }

    @Test func `it is a list at whose ends things come and go`() {
        var lottery = Lottery(seed: 32)
        var queue = DatagramQueue()
        var model: [Int] = []
        var next = 0
        for _ in 0..<2_000 {
            switch Int.random(in: 0..<5, using: &lottery) {
            case 0, 1:
                for _ in 0..<Int.random(in: 0..<40, using: &lottery) {
                    _ = queue.append(datagram(next), limit: .max, .newest)
                    model.append(next)
                    next += 1
                }
            case 2, 3:
                for _ in 0..<Int.random(in: 0..<50, using: &lottery) {
                    let port = queue.popFirst()?.address?.port
                    let number = model.isEmpty ? nil : model.removeFirst()
                    #expect(port == number.map { UInt16(truncatingIfNeeded: $0) })
                }
            default:
                let count = Int.random(in: 0..<64, using: &lottery)
                let taken = (0..<count).compactMap { _ in queue.popFirst() }
                let lost = min(taken.count, Int.random(in: 0..<3, using: &lottery))
                queue.putBack(Array(taken[lost...]))
                model.removeFirst(lost)
            }
            #expect(queue.count == model.count)
            #expect(queue.byteCount == 10 * model.count)
        }
        #expect(next > 10_000)
    }
}

@Suite(.countingDescriptors)
struct DatagramLimits {
    let reactor: Reactor
    let receiver: HeldSocket

    init() throws {
        reactor = try Reactor()
        receiver = HeldSocket(try .datagrams())
    }

    private func open(
        _ limit: Int, _ policy: DatagramOptions.DropPolicy = .newest
    ) throws -> DatagramChannel {
        var options = DatagramOptions()
        options.outputLimit = limit
        options.dropPolicy = policy
        return try DatagramChannel(
            on: reactor, connectedTo: receiver.socket.localAddress, options: options)
    }

    /// Sends the numbers, of two digits each, while the kernel has no room.
    private func send(
        _ numbers: Range<Int>, by channel: DatagramChannel
    ) throws -> [DatagramSendResult] {
        try Answers(.failure(.wouldBlock), to: [.sendMessages]).give {
            let results = try numbers.map { try channel.send(text: "\($0)") }
            channel.flush()
            return results
        }
    }

    @Test(arguments: [
        (DatagramOptions.DropPolicy.newest, 10..<30), (DatagramOptions.DropPolicy.oldest, 15..<35),
    ])
    func `what is too much is given up, and counted`(
        policy: DatagramOptions.DropPolicy, left: Range<Int>
    ) throws {
        let channel = try open(40, policy)
        let results = try send(10..<35, by: channel)
        #expect(results.last == .dropped)
        #expect(results.filter { $0 == .dropped }.count == 5)
        #expect(results.prefix(20).allSatisfy { $0 != .dropped })
        #expect(channel.unsentByteCount == 40)
        #expect(channel.counters.datagramsDropped == 5)
        reactor.expect("the rest goes") { channel.unsentByteCount == 0 }
        #expect(try receiver.socket.receiveTexts() == left.map(String.init))
        #expect(channel.counters.datagramsSent == 20)
        #expect(channel.counters.datagramsDropped == 5)
        #expect(try channel.send(text: "after") == .accepted)
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == ["after"])
    }

    @Test func `more than the limit goes while the kernel takes it`() throws {
        let channel = try open(40)
        for number in 10..<99 { #expect(try channel.send(text: "\(number)") == .accepted) }
        reactor.settle()
        #expect(try receiver.socket.receiveTexts() == (10..<99).map(String.init))
        #expect(channel.counters.datagramsDropped == 0)
    }

    @Test func `one that is longer than the limit goes while the kernel takes it`() throws {
        for limit in [40, 0, -1] {
            let channel = try open(limit)
            let text = String(repeating: "x", count: 41)
            #expect(try channel.send(text: text) == .accepted)
            reactor.settle()
            #expect(try receiver.socket.receiveTexts() == [text])
            #expect(channel.counters.datagramsDropped == 0)
        }
    }

    @Test func `empty ones have a limit as well`() throws {
        let channel = try open(1_000)
        _ = try Answers(.failure(.wouldBlock), to: [.sendMessages]).give {
            try (0..<20_000).map { _ in try channel.send([]) }
        }
        #expect(channel.counters.datagramsDropped > 10_000)
        channel.close()
    }
}
