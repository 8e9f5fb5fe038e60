// SPDX-License-Identifier: Apache-2.0
//
// Tasks that receive and send datagrams: each wait ends by what it waits for, by a cancellation, by
// a deadline or by an end, and what has come stays until it is taken.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramsInTasks {
    let reactor: Reactor
    /// What the actor has, to look at.
    let bare: DatagramChannel
    let channel: AsyncDatagramChannel
    let address: SocketAddress
    let peer: HeldSocket

    init() throws {
        reactor = try Reactor()
        bare = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        address = try bare.localAddress
        channel = try .adopting(bare)
        peer = HeldSocket(try .datagrams())
    }

    /// Runs `body` in a task on the reactor, and has the test fail where it throws.
    @discardableResult
    private func start(
        _ done: Flag = Flag(), _ body: @escaping @Sendable () async throws -> Void
    ) -> Task<Void, Never> {
        Task(executorPreference: reactor.executor) {
            do { try await body() } catch { Issue.record(error) }
            done.set()
        }
    }

    private func send(_ numbers: Range<Int>) throws {
        for number in numbers { try peer.socket.send("\(number)", to: address) }
    }

    // MARK: Receiving

    // P32
    @Test func `a task waits for a datagram, and takes it with its sender`() throws {
        let (channel, sender, done) = (channel, try peer.socket.localAddress, Flag())
        start(done) {
            let first = try await channel.receive()
            #expect(first.bytes.text == "0")
            #expect(first.sender == sender)
            let second = try await channel.receive()
            #expect(second.bytes.text == "1")
            #expect(!second.info.isTruncated)
        }
        for number in 0..<2 {
            reactor.settle()
            #expect(!done.isSet)
            try send(number..<number + 1)
        }
        reactor.expect("the end") { done.isSet }
    }

    // P32, P34, N40
    @Test func `a loop takes what comes and answers it`() throws {
        let channel = channel
        let done = Flag()
        start(done) {
            for try await datagram in channel.datagrams {
                try await channel.send(datagram.bytes, to: datagram.sender)
            }
        }
        reactor.settle()
        try send(0..<20)
        reactor.expect("all are answered") { bare.counters.datagramsSent == 20 }
        #expect(try peer.socket.receiveTexts() == (0..<20).map(String.init))
        #expect(bare.counters.sends == 1)
        #expect(!done.isSet)
        bare.close()
        reactor.expect("closing ends the loop") { done.isSet }
    }

    @Test func `more than one batch waits for whoever takes it, in order`() throws {
        try send(0..<400)
        reactor.settle()
        #expect(bare.isPaused)
        #expect(bare.counters.datagramsReceived <= 128)
        #expect(reactor.turnCount() < 5)
        let (channel, done, numbers) = (channel, Flag(), Log())
        start(done) {
            for _ in 0..<500 {
                let datagram = try await channel.receive()
                numbers.append(Int(datagram.bytes.text) ?? -1)
            }
        }
        reactor.expect("all are taken") { numbers.count == 400 }
        #expect(!bare.isPaused)
        try send(400..<500)
        reactor.expect("the end") { done.isSet }
        #expect(numbers.entries == Array(0..<500))
    }

    @Test func `a second receiver is refused, and the first goes on`() throws {
        let (channel, done, refused) = (channel, Flag(), Flag())
        start(done) {
            let datagram = try await channel.receive()
            #expect(datagram.bytes.text == "0")
        }
        reactor.settle()
        start(refused) {
            let busy = DatagramError(SocketError(.read, .busy))
            await #expect(throws: busy) { try await channel.receive() }
            await #expect(throws: busy) { for try await _ in channel.datagrams { wrongly() } }
        }
        reactor.expect("the refusals") { refused.isSet }
        #expect(!done.isSet)
        try send(0..<1)
        reactor.expect("the end") { done.isSet }
    }

    // MARK: Ends of a wait

    @Test func `a cancelled wait ends at once, and closes and loses nothing`() throws {
        let (channel, done) = (channel, Flag())
        let task = start(done) {
            let cancelled = DatagramError(SocketError(.read, .cancelled))
            await #expect(throws: cancelled) { try await channel.receive() }
            await #expect(throws: cancelled) { for try await _ in channel.datagrams { wrongly() } }
        }
        reactor.settle()
        // Both at once: the wait may end by either, and the datagram stays.
        try send(0..<1)
        task.cancel()
        reactor.expect("the end") { done.isSet }
        #expect(bare.isOpen)
        let later = Flag()
        start(later) {
            let datagram = try await channel.receive()
            #expect(datagram.bytes.text == "0")
        }
        reactor.expect("it is there") { later.isSet }
    }

    @Test func `a deadline ends a wait, and the channel goes on`() throws {
        let (channel, done, late) = (channel, Flag(), Flag())
        start(done) {
            let timedOut = DatagramError(SocketError(.read, .timedOut))
            await #expect(throws: timedOut) {
                try await channel.within(.milliseconds(10)) { try await channel.receive() }
            }
            late.set()
            let datagram = try await channel.receive()
            #expect(datagram.bytes.text == "0")
        }
        reactor.expect("the deadline") { late.isSet }
        try send(0..<1)
        reactor.expect("the end") { done.isSet }
    }

    @Test func `closing ends a wait, behind what had come`() throws {
        let (channel, done) = (channel, Flag())
        try send(0..<3)
        reactor.settle()
        start(done) {
            await channel.close()
            for number in 0..<3 {
                let datagram = try await channel.receive()
                #expect(datagram.bytes.text == "\(number)")
            }
            let closed = DatagramError(SocketError(.read, .badDescriptor))
            await #expect(throws: closed) { try await channel.receive() }
            for try await _ in channel.datagrams { wrongly() }
            try await channel.waitForRoom()
            await #expect(throws: SocketError(.write, .badDescriptor)) {
                try await channel.send([1])
            }
            #expect(await !channel.isOpen)
        }
        reactor.expect("the end") { done.isSet }
    }

    @Test func `closing wakes who waits`() throws {
        let (channel, done) = (channel, Flag())
        start(done) {
            let closed = DatagramError(SocketError(.read, .badDescriptor))
            await #expect(throws: closed) { try await channel.receive() }
        }
        reactor.settle()
        start { await channel.close() }
        reactor.expect("the end") { done.isSet }
    }

    @Test func `the reactor's end ends every wait`() throws {
        let (received, looped, roomed) = (Flag(), Flag(), Flag())
        let full = try Socket.datagrams(at: .unnamed)
        let fullAddress = try full.localAddress
        do {
            let reactor = try Reactor()
            let first = try AsyncDatagramChannel.adopting(
                DatagramChannel(on: reactor, at: .loopback(port: 0)))
            let second = try AsyncDatagramChannel.adopting(
                DatagramChannel(on: reactor, connectedTo: fullAddress))
            Task(executorPreference: reactor.executor) {
                await #expect(throws: DatagramError.self) { try await first.receive() }
                received.set()
            }
            Task(executorPreference: reactor.executor) {
                // Closed or cancelled: either ends it.
                do {
                    for _ in 0..<300 { try await second.send([1]) }
                    try await second.waitForRoom()
                } catch {}
                roomed.set()
            }
            Task(executorPreference: reactor.executor) {
                // Closed or cancelled: either ends it.
                do { for try await _ in second.datagrams { wrongly() } } catch {}
                looped.set()
            }
            reactor.settle()
            #expect(!received.isSet && !looped.isSet && !roomed.isSet)
        }
        #expect(received.isSet)
        #expect(looped.isSet)
        #expect(roomed.isSet)
        let sent = try full.receiveTexts()
        #expect(sent.count < 300)
    }

    @Test func `a channel that nobody has any more is closed`() throws {
        let bare = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        let before = openDescriptorCount()
        do { _ = try AsyncDatagramChannel.adopting(bare) }
        reactor.settle()
        #expect(!bare.isOpen)
        #expect(openDescriptorCount() == before - 1)
    }

    // MARK: Sending

    // P34
    @Test func `many tasks may send, and what a turn sends leaves together`() throws {
        let (channel, place, sent) = (channel, try peer.socket.localAddress, Tally())
        for task in 0..<20 {
            start {
                for number in 0..<10 {
                    let result = try await channel.send(Array("\(task) \(number)".utf8), to: place)
                    #expect(result == .accepted)
                    sent.add(1)
                }
            }
        }
        reactor.expect("all are sent") { sent.value == 200 }
        reactor.settle()
        let expected = (0..<20).flatMap { task in (0..<10).map { "\(task) \($0)" } }
        #expect(try peer.socket.receiveTexts().sorted() == expected.sorted())
        #expect(bare.counters.sends <= 20)
    }

    @Test func `any number of tasks may wait for room`() throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        heard.channel.pauseReceiving()
        let bare = try DatagramChannel(on: reactor, connectedTo: heard.address)
        let channel = try AsyncDatagramChannel.adopting(bare)
        let (done, ended) = (Flag(), Flag())
        start(done) {
            for number in 0..<300 { try await channel.send(Array("\(number)".utf8)) }
            try await channel.waitForRoom()
        }
        reactor.settle()
        #expect(bare.unsentByteCount > 0)
        start(ended) { try await channel.waitForRoom() }
        reactor.settle()
        #expect(!done.isSet && !ended.isSet)
        heard.channel.resumeReceiving()
        reactor.expect("there is room") { done.isSet && ended.isSet }
        #expect(bare.unsentByteCount == 0)
        reactor.expect("all come") { heard.count == 300 }
        #expect(heard.texts == (0..<300).map(String.init))
    }

    @Test func `a wait for room may be cancelled, or have a deadline`() throws {
        let full = try Socket.datagrams(at: .unnamed)
        let channel = try AsyncDatagramChannel.adopting(
            DatagramChannel(on: reactor, connectedTo: full.localAddress))
        let (done, waits) = (Flag(), Flag())
        let task = start(done) {
            for _ in 0..<300 { try await channel.send([1]) }
            await #expect(throws: DatagramError(SocketError(.write, .timedOut))) {
                try await channel.within(.milliseconds(5)) { try await channel.waitForRoom() }
            }
            waits.set()
            await #expect(throws: DatagramError(SocketError(.write, .cancelled))) {
                try await channel.waitForRoom()
            }
        }
        reactor.expect("the deadline") { waits.isSet }
        task.cancel()
        reactor.expect("the end") { done.isSet }
        let sent = try full.receiveTexts()
        #expect(sent.count < 300)
    }

    // MARK: Adopting

    @Test func `a closed channel is not adopted`() throws {
        bare.close()
        #expect(throws: SocketError(.perform, .badDescriptor)) {
            _ = try AsyncDatagramChannel.adopting(bare)
        }
    }

    @Test func `a paused channel is adopted and goes on`() throws {
        let bare = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        bare.pauseReceiving()
        try peer.socket.send("a", to: try bare.localAddress)
        let channel = try AsyncDatagramChannel.adopting(bare)
        let done = Flag()
        start(done) {
            let datagram = try await channel.receive()
            #expect(datagram.bytes.text == "a")
        }
        reactor.settle()
        #expect(done.isSet)
    }
}

@Suite(.countingDescriptors)
struct OpeningDatagramsInTasks {
    @Test func `any task opens channels, on any reactor`() async throws {
        let group = try ReactorGroup(count: 2)
        let first = try await AsyncDatagramChannel.open(
            at: .loopback(port: 0), on: group.executors[0])
        let place = try await first.localAddress
        let second = try await AsyncDatagramChannel.open(
            connectedTo: place, on: group.executors[1])
        try await second.send(Array("question".utf8))
        let question = try await first.receive()
        #expect(question.bytes.text == "question")
        try await first.send(Array("answer".utf8), to: question.sender)
        let answer = try await second.receive()
        #expect(answer.bytes.text == "answer")
        #expect(answer.sender == place)
        #expect(await second.counters.datagramsSent == 1)
        let peerAddress = await second.with { $0.peerAddress }
        #expect(peerAddress == place)
        await #expect(throws: SocketError(.bind, .addressInUse, at: place)) {
            _ = try await AsyncDatagramChannel.open(at: place, on: group.executors[1])
        }
        await group.stop()
        await #expect(throws: SocketError(.create, .cancelled)) {
            _ = try await AsyncDatagramChannel.open(
                at: .loopback(port: 0), on: group.executors[0])
        }
        #expect(await !first.isOpen)
    }
}
