// SPDX-License-Identifier: Apache-2.0
//
// Transfers one after the other: order, failures in between, limits, what may be done from inside
// (N53).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct QueueingTransfers {
    let ends: ConnectionEnds
    let folder: TemporaryFolder
    let queue: TransferQueue
    var reactor: Reactor { ends.reactor }

    init() throws {
        ends = try ConnectionEnds(on: Reactor(), options: .binary)
        folder = try TemporaryFolder()
        queue = TransferQueue(on: ends.reactor)
    }

    /// Adds a copy to the channel, and notes its end with a number.
    private func add(
        _ source: TransferSource, _ number: Int, to ended: Box<[Int]>, told: Told = Told()
    ) throws(TransferError) {
        try queue.add(source, to: ends.channel) { result in
            ended.value.append(number)
            told.end(result)
        }
    }

    private func waitUntilIdle(sourceLocation: SourceLocation = #_sourceLocation) {
        reactor.expect("nothing is left", sourceLocation: sourceLocation) { !queue.isBusy }
        reactor.settle()
    }

    // N53
    @Test func `transfers go in the order in which they came`() throws {
        let ended = Box<[Int]>([])
        let path = try folder.write(Array("two ".utf8))
        let source = try ConnectionEnds(on: reactor, options: .binary)
        try source.peer?.sendAll("four")
        try add(.text("one "), 1, to: ended)
        try add(.file(path), 2, to: ended)
        try add(.bytes(Array("three ".utf8)), 3, to: ended)
        try add(.channel(source.channel, size: 4), 4, to: ended)
        #expect(queue.pendingCount == 4)
        #expect(queue.isBusy)
        #expect(ended.value.isEmpty)
        waitUntilIdle()
        #expect(ended.value == [1, 2, 3, 4])
        #expect(queue.pendingCount == 0)
        #expect(try ends.receive(18).text == "one two three four")
    }

    // N53
    @Test func `each has its own progress and its own result`() throws {
        let told = [Told(), Told()]
        for (number, one) in told.enumerated() {
            let bytes = [UInt8](repeating: 1, count: number + 1)
            try queue.add(
                .bytes(bytes), to: ends.channel, progress: one.piece, completion: one.end)
        }
        waitUntilIdle()
        told[0].expect(1)
        told[1].expect(2)
        #expect(told.map(\.steps) == [[1], [2]])
    }

    // N53
    @Test func `one that fails loses none of the others`() throws {
        let ended = Box<[Int]>([])
        let told = Told()
        let gone = folder["gone"]
        let source = try ConnectionEnds(on: reactor, options: .binary)
        try source.peer?.sendAll("on")
        try source.peer?.shutDown(.writing)
        try add(.text("a"), 1, to: ended, told: told)
        try add(.file(gone), 2, to: ended, told: told)
        try add(.bytes([1], size: 2), 3, to: ended, told: told)
        try add(.channel(source.channel, size: 5), 4, to: ended, told: told)
        try add(.text("z"), 5, to: ended, told: told)
        waitUntilIdle()
        #expect(ended.value == [1, 2, 3, 4, 5])
        #expect(
            told.results.map(\.error) == [
                nil, .source(.file(path: gone, .noEntry)), .notEnough(asked: 2, there: 1),
                .cutShort(promised: 5, came: 2), nil,
            ])
        #expect(try ends.receive(4).text == "aonz")
    }

    // N53
    @Test func `where the channel itself fails, each is told`() throws {
        let ended = Box<[Int]>([])
        let told = Told()
        for number in 1...3 { try add(.text("x"), number, to: ended, told: told) }
        ends.channel.close()
        waitUntilIdle()
        #expect(ended.value == [1, 2, 3])
        let closed = SocketError(.write, .badDescriptor, at: ends.channel.peerAddress)
        for result in told.results { #expect(result.error == .destination(.socket(closed))) }
    }

    // N53
    @Test(arguments: ["source", "sink"])
    func `a channel that is closed in the middle of a copy is told`(end: String) throws {
        let told = Told()
        let source = try ConnectionEnds(on: reactor, options: .binary)
        try queue.add(.channel(source.channel), to: ends.channel, completion: told.end)
        try source.peer?.sendAll("abc")
        #expect(try ends.receive(3).text == "abc")
        if end == "source" { source.channel.close() } else { ends.channel.close() }
        waitUntilIdle()
        let read = SocketError(.read, .badDescriptor, at: source.channel.peerAddress)
        let write = SocketError(.write, .badDescriptor, at: ends.channel.peerAddress)
        told.expect(3, end == "source" ? .source(.socket(read)) : .destination(.socket(write)))
    }

    // N53
    @Test func `a transfer may be added from inside a completion`() throws {
        let ended = Box<[Int]>([])
        let (queue, channel) = (queue, ends.channel)
        func addNext(_ number: Int) {
            let error = refusal { () throws(TransferError) in
                try queue.add(.text("\(number)"), to: channel) { _ in
                    ended.value.append(number)
                    if number < 5 { addNext(number + 1) }
                }
            }
            #expect(error == nil)
        }
        addNext(1)
        waitUntilIdle()
        #expect(ended.value == [1, 2, 3, 4, 5])
        #expect(try ends.receive(5).text == "12345")
    }

    // N53
    @Test func `the state is told whenever it changes`() throws {
        let states = Box<[String]>([])
        queue.onStatus = { queue in
            states.value.append("\(queue.pendingCount) \(queue.isBusy)")
        }
        try queue.add(.text("a"), to: ends.channel) { _ in states.value.append("first") }
        try queue.add(.text("b"), to: ends.channel) { _ in states.value.append("second") }
        waitUntilIdle()
        #expect(
            states.value == [
                "1 true", "2 true", "1 true", "first", "1 true", "0 true", "second", "0 false",
            ])
    }

    // N53
    @Test func `more than the limit do not wait`() throws {
        let queue = TransferQueue(on: reactor, limit: 2)
        let told = Told()
        try queue.add(.text("a"), to: ends.channel, completion: told.end)
        try queue.add(.text("b"), to: ends.channel, completion: told.end)
        let error = refusal { () throws(TransferError) in
            try queue.add(.text("c"), to: ends.channel) { _ in wrongly() }
        }
        #expect(error == .tooManyWaiting(limit: 2))
        reactor.expect("both") { told.results.count == 2 }
        try queue.add(.text("d"), to: ends.channel, completion: told.end)
        reactor.expect("the third") { told.results.count == 3 }
        #expect(try ends.receive(3).text == "abd")
        #expect(TransferQueue(on: reactor, limit: -5).limit == 1)
    }

    // N53
    @Test func `all may be cancelled, and the queue goes on`() throws {
        let source = try ConnectionEnds(on: reactor, options: .binary)
        let told = Told()
        let (queue, channel) = (queue, ends.channel)
        try queue.add(.channel(source.channel), to: channel) { _ in wrongly() }
        for _ in 0..<3 { try queue.add(.text("x"), to: channel) { _ in wrongly() } }
        reactor.expect("the first is under way") { queue.pendingCount == 3 }
        var states: [Bool] = []
        queue.onStatus = { states.append($0.isBusy) }
        queue.cancelAll()
        #expect(states == [false])
        #expect(!queue.isBusy)
        queue.onStatus = nil
        try queue.add(.text("y"), to: channel, completion: told.end)
        waitUntilIdle()
        told.expect(1)
        #expect(try ends.receive(1).text == "y")
        queue.cancelAll()
        #expect(source.channel.status == .open)
    }

    // N53
    @Test func `all may be cancelled from inside`() throws {
        let (queue, channel) = (queue, ends.channel)
        let ended = Box<[Int]>([])
        try queue.add(.text("a"), to: channel) { _ in
            ended.value.append(1)
            queue.cancelAll()
        }
        try queue.add(.text("b"), to: channel) { _ in wrongly() }
        waitUntilIdle()
        #expect(ended.value == [1])
        var isFirst = true
        queue.onStatus = { queue in
            // Once: what is told of it comes here again.
            if queue.isBusy, queue.pendingCount == 0, isFirst {
                isFirst = false
                queue.cancelAll()
            }
        }
        try queue.add(.text("c"), to: channel) { _ in wrongly() }
        waitUntilIdle()
        queue.onStatus = nil
    }

    // N53, N52
    @Test func `transmitters and receivers wait for one another, too`() throws {
        let path = try folder.write(pattern(50_000))
        let receivers = (0..<3).map {
            TransferEnd(on: reactor, receiving: .file(folder["copy\($0)"]), .waiting)
        }
        let ended = Box<[Int]>([])
        for (number, receiver) in receivers.enumerated() {
            try receiver.start()
            let transmitter = Transmitter(
                on: reactor, source: .file(path), options: .going(to: receiver.port))
            try queue.add(transmitter) { result in
                #expect(result.error == nil)
                #expect(result.counts.read == 50_000)
                ended.value.append(number)
            }
        }
        waitUntilIdle()
        #expect(ended.value == [0, 1, 2])
        for (number, receiver) in receivers.enumerated() {
            receiver.waitForEnd()
            #expect(isSame(path, folder["copy\(number)"]))
        }
    }

    // N53, N52
    @Test func `a run that is cancelled, busy or refused gives way to the next`() throws {
        let (queue, channel) = (queue, ends.channel)
        let waiting = Receiver(on: reactor, destination: .bytes(upTo: 1), options: .waiting)
        let busy = Receiver(on: reactor, destination: .bytes(upTo: 1), options: .waiting)
        try busy.start { _ in wrongly() }
        let lost = Transmitter(
            on: reactor, source: .file(folder["gone"]), options: .going(to: nil))
        let told = Told()
        try queue.add(waiting) { _ in wrongly() }
        try queue.add(busy, completion: told.end)
        try queue.add(lost, completion: told.end)
        try queue.add(.text("x"), to: channel, completion: told.end)
        reactor.expect("the first one waits") { waiting.port != nil }
        #expect(queue.pendingCount == 3)
        waiting.cancel()
        waitUntilIdle()
        let gone = TransferError.source(.file(path: folder["gone"], .noEntry))
        #expect(told.results.map(\.error) == [.busy, gone, nil])
        #expect(busy.isBusy)
        busy.cancel()
    }

    // N53
    @Test func `cancelling all ends a run that waits`() throws {
        let waiting = Receiver(on: reactor, destination: .bytes(upTo: 1), options: .waiting)
        let (queue, open) = (queue, openDescriptorCount())
        try queue.add(waiting) { _ in wrongly() }
        reactor.expect("it waits") { waiting.port != nil }
        queue.cancelAll()
        reactor.settle()
        #expect(!waiting.isBusy)
        #expect(openDescriptorCount() == open)
    }

    // N53
    @Test func `a queue that nobody holds goes on`() throws {
        let told = Told()
        do {
            let queue = TransferQueue(on: reactor)
            for _ in 0..<3 {
                try queue.add(.bytes(pattern(100_000)), to: ends.channel, completion: told.end)
            }
        }
        expectSame(
            try ends.receive(300_000), pattern(100_000) + pattern(100_000) + pattern(100_000))
        reactor.expect("all ends") { told.results.count == 3 }
    }

    // N53
    @Test func `the end of the reactor ends a queue without a word`() throws {
        weak var ended: TransferQueue?
        let kept: TransferQueue
        do {
            let other = try ConnectionEnds(on: Reactor(), smallBuffers: true)
            let queue = TransferQueue(on: other.reactor)
            kept = TransferQueue(on: other.reactor)
            ended = queue
            for _ in 0..<3 {
                try queue.add(.bytes(pattern(3_000_000)), to: other.channel) { _ in wrongly() }
            }
            other.reactor.expect("it is held back") { other.channel.unsentByteCount > 0 }
        }
        #expect(ended == nil)
        let refused = refusal { () throws(TransferError) in
            try kept.add(.text("x"), to: ends.channel) { _ in wrongly() }
        }
        #expect(refused == .cancelled)
    }
}
