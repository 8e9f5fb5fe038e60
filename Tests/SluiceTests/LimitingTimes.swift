// SPDX-License-Identifier: Apache-2.0
//
// Ending channels whose peers take their time: who says nothing, sends a message byte by byte, does
// not read, or never leaves. And letting those be who behave.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LimitingTimes {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func connect(_ edit: (inout ChannelOptions) -> Void) throws -> UnixEnds {
        var options = ChannelOptions()
        edit(&options)
        return try UnixEnds(on: reactor, options: options)
    }

    /// Runs a reactor for a while.
    private func pass(_ time: Duration, on reactor: Reactor) {
        let isOver = Box(false)
        reactor.after(time) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
    }

    /// Has the peer send one piece after the other, for as long as the channel is open.
    private func send(_ pieces: [String], to ends: UnixEnds, every interval: Duration) -> Timer {
        let sent = Box(0)
        return reactor.every(interval) { [unowned ends] in
            guard ends.channel.status == .open else { return }
            try ends.peer?.sendAll(pieces[sent.value % pieces.count])
            sent.value += 1
        }
    }

    private func expectEnd(_ ends: UnixEnds, _ limit: EndReason.Timeout) {
        reactor.expect("the channel is closed") { !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [.timedOut(limit)])
    }

    // MARK: The first byte

    @Test func `a client that says nothing is ended`() throws {
        let start = ContinuousClock.now
        let ends = try connect { $0.firstByteTimeout = .milliseconds(30) }
        ends.channel.onBytes { _, _ in }
        try ends.channel.write(text: "welcome")
        expectEnd(ends, .firstByte)
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test(arguments: [true, false])
    func `a client that has said something stays, read or not`(isRead: Bool) throws {
        let ends = try connect { $0.firstByteTimeout = .milliseconds(20) }
        if isRead { ends.channel.onBytes { _, _ in } }
        try ends.peer?.sendAll("x")
        pass(.milliseconds(60), on: reactor)
        #expect(ends.channel.status == .open)
    }

    @Test func `a client that only listens has ended its side, and stays`() throws {
        let ends = try connect { $0.firstByteTimeout = .milliseconds(200) }
        let hasEnded = Box(false)
        ends.channel.onBytes { _, _ in }
        ends.channel.onInputEnd { _ in hasEnded.value = true }
        try ends.peer?.shutDown(.writing)
        reactor.expect("the end is told") { hasEnded.value }
        pass(.milliseconds(300), on: reactor)
        #expect(ends.channel.status != .closed)
    }

    // MARK: Messages

    @Test(arguments: MessageReader.allCases)
    func `a message that comes byte by byte is ended`(reader: MessageReader) throws {
        let start = ContinuousClock.now
        let ends = try connect { $0.messageTimeout = .milliseconds(50) }
        reader.install(on: ends.channel, Box(0))
        let timer = send(["x"], to: ends, every: .milliseconds(5))
        expectEnd(ends, .message)
        #expect(ContinuousClock.now - start >= .milliseconds(50))
        timer.cancel()
    }

    @Test(arguments: MessageReader.allCases)
    func `a silent peer between two messages stays`(reader: MessageReader) throws {
        let ends = try connect { $0.messageTimeout = .milliseconds(20) }
        let count = Box(0)
        reader.install(on: ends.channel, count)
        try ends.peer?.sendAll("abcd\n")
        pass(.milliseconds(60), on: reactor)
        #expect(ends.channel.status == .open)
        #expect(count.value == 1)
    }

    @Test(arguments: MessageReader.allCases)
    func `a busy peer whose messages come in time stays`(reader: MessageReader) throws {
        let ends = try connect { $0.messageTimeout = .milliseconds(150) }
        let count = Box(0)
        reader.install(on: ends.channel, count)
        let timer = send(["ab", "cd\n"], to: ends, every: .milliseconds(10))
        reactor.expect("twenty messages come") { count.value >= 20 || !ends.endReasons.isEmpty }
        timer.cancel()
        #expect(ends.endReasons == [])
    }

    @Test(arguments: MessageReader.allCases)
    func `each whole message begins the time anew for what stands behind it`(
        reader: MessageReader
    ) throws {
        let ends = try connect { $0.messageTimeout = .milliseconds(150) }
        let count = Box(0)
        reader.install(on: ends.channel, count)
        // What is read always ends in the middle of the next message.
        try ends.peer?.sendAll("ab")
        let timer = send(["cd\nab"], to: ends, every: .milliseconds(20))
        reactor.expect("twenty messages come") { count.value >= 20 || !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [])
        timer.cancel()
        expectEnd(ends, .message)
    }

    @Test func `time in which the program does not read does not count`() throws {
        let ends = try connect { $0.messageTimeout = .milliseconds(40) }
        let count = Box(0)
        MessageReader.parsing.install(on: ends.channel, count)
        try ends.peer?.sendAll("ab")
        reactor.expect("half a message is there") { ends.channel.unreadByteCount == 2 }
        ends.channel.pauseReading()
        try ends.peer?.sendAll("cd\nab")
        pass(.milliseconds(120), on: reactor)
        #expect(ends.channel.status == .open)
        ends.channel.resumeReading()
        reactor.expect("the message is read") { count.value == 1 }
        expectEnd(ends, .message)
    }

    @Test func `a message whose rest came while another's turn was long is read`() throws {
        let ends = try connect { $0.messageTimeout = .milliseconds(20) }
        let count = Box(0)
        MessageReader.parsing.install(on: ends.channel, count)
        try ends.peer?.sendAll("ab")
        reactor.expect("half a message is there") { ends.channel.unreadByteCount == 2 }
        reactor.after(.zero) { [unowned ends] in
            poll(nil, 0, 60)
            try ends.peer?.sendAll("cd\n")
        }
        reactor.expect("it is decided") { count.value == 1 || !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [])
    }

    @Test func `a message that was ended by word has no time`() throws {
        let ends = try connect { $0.messageTimeout = .milliseconds(20) }
        ends.channel.beginMessage()
        ends.channel.endMessage()
        ends.channel.onBytes { _, _ in }
        pass(.milliseconds(60), on: reactor)
        #expect(ends.channel.status == .open)
        ends.channel.beginMessage()
        expectEnd(ends, .message)
    }

    // MARK: Output

    @Test func `a peer that reads nothing is ended, and what waits is dropped`() throws {
        let start = ContinuousClock.now
        let ends = try connect { $0.writeProgressTimeout = .milliseconds(40) }
        try ends.channel.write([UInt8](repeating: 1, count: 4_000_000))
        expectEnd(ends, .writeProgress)
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        #expect(ends.channel.status == .closed)
    }

    @Test(arguments: [1, 8_000_000])
    func `a peer that reads too little now and then is ended`(enough: Int) throws {
        let ends = try connect {
            $0.writeProgressTimeout = .milliseconds(50)
            $0.writeProgressByteCount = enough
        }
        try ends.channel.write([UInt8](repeating: 1, count: 8_000_000))
        let timer = reactor.every(.milliseconds(5)) { [unowned ends] in
            guard ends.endReasons.isEmpty else { return }
            // A byte at a time the kernel takes nothing more for.
            if enough > 1 { _ = try ends.peer?.receiveNow() } else { try ends.receiveByte() }
        }
        expectEnd(ends, .writeProgress)
        timer.cancel()
    }

    @Test func `a peer that reads steadily stays, also when all has gone`() throws {
        let ends = try connect { $0.writeProgressTimeout = .milliseconds(150) }
        try ends.channel.write([UInt8](repeating: 1, count: 4_000_000))
        let received = Box(0)
        let timer = reactor.every(.milliseconds(5)) { [unowned ends] in
            received.value += try ends.peer?.receiveNow()?.count ?? 0
        }
        reactor.expect("all comes") { received.value == 4_000_000 || !ends.endReasons.isEmpty }
        timer.cancel()
        pass(.milliseconds(200), on: reactor)
        #expect(ends.endReasons == [])
        // Which does not hold back what is written next.
        try ends.channel.write([UInt8](repeating: 1, count: 4_000_000))
        expectEnd(ends, .writeProgress)
    }

    @Test func `a handler that waits for room counts as output, and one that has it does not`()
        throws
    {
        let idle = try connect { $0.writeProgressTimeout = .milliseconds(30) }
        idle.channel.onWritable { _ in }
        pass(.milliseconds(90), on: reactor)
        #expect(idle.endReasons == [])
        // Each write leaves nothing in the channel, until the kernel's buffer is full.
        idle.channel.onWritable { channel in try channel.write([1]) }
        expectEnd(idle, .writeProgress)
    }

    // MARK: Lifetime

    @Test func `a busy channel is ended at the end of its life`() throws {
        let start = ContinuousClock.now
        let ends = try connect {
            $0.lifetime = .milliseconds(60)
            $0.idleTimeout = .milliseconds(500)
        }
        ends.channel.onBytes { channel, bytes in try channel.write(bytes) }
        let timer = send(["x"], to: ends, every: .milliseconds(5))
        expectEnd(ends, .lifetime)
        #expect(ContinuousClock.now - start >= .milliseconds(60))
        timer.cancel()
    }

    @Test func `what was written before the end of a life still goes out`() throws {
        let ends = try connect { $0.lifetime = .milliseconds(20) }
        try ends.channel.write([UInt8](repeating: 1, count: 1_000_000))
        reactor.expect("its life is over") { ends.channel.status == .closing }
        let received = Box(0)
        let timer = reactor.every(.milliseconds(1)) { [unowned ends] in
            received.value += try ends.peer?.receiveNow()?.count ?? 0
        }
        reactor.expect("all comes") { received.value == 1_000_000 }
        timer.cancel()
        expectEnd(ends, .lifetime)
    }

    // MARK: Several limits, and other ones

    @Test func `the limit that passes first ends the channel`() throws {
        let ends = try connect {
            $0.idleTimeout = .milliseconds(20)
            $0.firstByteTimeout = .seconds(60)
            $0.messageTimeout = .seconds(60)
            $0.writeProgressTimeout = .seconds(60)
            $0.lifetime = .seconds(60)
        }
        MessageReader.parsing.install(on: ends.channel, Box(0))
        expectEnd(ends, .idle)
    }

    @Test func `limits may be set later`() throws {
        let silent = try connect { _ in }
        silent.channel.options.firstByteTimeout = .milliseconds(10)
        expectEnd(silent, .firstByte)

        let slow = try connect { _ in }
        MessageReader.parsing.install(on: slow.channel, Box(0))
        try slow.peer?.sendAll("ab")
        reactor.expect("half a message is there") { slow.channel.unreadByteCount == 2 }
        slow.channel.options.messageTimeout = .milliseconds(10)
        expectEnd(slow, .message)

        let full = try connect { _ in }
        try full.channel.write([UInt8](repeating: 1, count: 4_000_000))
        reactor.settle()
        full.channel.options.writeProgressTimeout = .milliseconds(10)
        expectEnd(full, .writeProgress)

        let old = try connect { _ in }
        pass(.milliseconds(20), on: reactor)
        old.channel.options.lifetime = .milliseconds(10)
        expectEnd(old, .lifetime)
    }

    @Test func `limits may be taken away`() throws {
        let ends = try connect {
            $0.firstByteTimeout = .milliseconds(200)
            $0.messageTimeout = .milliseconds(200)
            $0.writeProgressTimeout = .milliseconds(200)
            $0.lifetime = .milliseconds(200)
        }
        MessageReader.parsing.install(on: ends.channel, Box(0))
        try ends.channel.write([UInt8](repeating: 1, count: 4_000_000))
        try ends.peer?.sendAll("ab")
        reactor.runPending()
        ends.channel.options = ChannelOptions()
        pass(.milliseconds(300), on: reactor)
        #expect(ends.endReasons == [])
    }

    @Test func `a blocking channel has the idle limit only`() throws {
        let ends = try connect {
            $0.isBlocking = true
            $0.lifetime = .milliseconds(10)
            $0.firstByteTimeout = .milliseconds(10)
        }
        pass(.milliseconds(30), on: reactor)
        #expect(ends.channel.status == .open)
        ends.channel.options.isBlocking = false
        expectEnd(ends, .lifetime)
    }

    // MARK: Another reactor

    @Test func `a channel that moves takes its life along`() throws {
        let other = try Reactor()
        let ends = try connect { $0.lifetime = .milliseconds(300) }
        pass(.milliseconds(20), on: reactor)
        let moved = try Channel(attaching: ends.channel.detach(), on: other)
        let reasons = Box<[EndReason]>([])
        moved.onClose { reasons.value.append($1) }
        #expect(moved.age >= .milliseconds(20))
        other.expect("its life is over") { reasons.value == [.timedOut(.lifetime)] }
    }

    @Test func `a message that was begun goes on on another reactor, and is ended there`() throws {
        let other = try Reactor()
        let ends = try connect { $0.messageTimeout = .milliseconds(40) }
        MessageReader.parsing.install(on: ends.channel, Box(0))
        try ends.peer?.sendAll("ab")
        reactor.expect("half a message is there") { ends.channel.unreadByteCount == 2 }
        let detached = try ends.channel.detach()
        // On the way nobody reads.
        pass(.milliseconds(80), on: other)
        let moved = try Channel(attaching: detached, on: other)
        let reasons = Box<[EndReason]>([])
        let count = Box(0)
        moved.onClose { reasons.value.append($1) }
        MessageReader.parsing.install(on: moved, count)
        try ends.peer?.sendAll("cd\nab")
        other.expect("the message is read") { count.value == 1 || !reasons.value.isEmpty }
        #expect(count.value == 1)
        other.expect("the next is ended") { reasons.value == [.timedOut(.message)] }
    }

    @Test func `output that waits is looked after on another reactor`() throws {
        let other = try Reactor()
        let ends = try connect { $0.writeProgressTimeout = .milliseconds(200) }
        try ends.channel.write([UInt8](repeating: 1, count: 4_000_000))
        reactor.runPending()
        let detached = try ends.channel.detach()
        pass(.milliseconds(300), on: other)
        let moved = try Channel(attaching: detached, on: other)
        let reasons = Box<[EndReason]>([])
        moved.onClose { reasons.value.append($1) }
        other.runPending()
        #expect(reasons.value == [])
        other.expect("it is ended") { reasons.value == [.timedOut(.writeProgress)] }
    }

    // MARK: The wheel

    @Test func `a limit that passes in a long letter ends its channel once`() throws {
        let ends = try connect { $0.idleTimeout = .milliseconds(20) }
        reactor.handle.performOrFail { reactor in
            // The pass's time is read before the limit, and the wheel's behind it.
            _ = reactor.now
            poll(nil, 0, 40)
        }
        expectEnd(ends, .idle)
        reactor.settle()
        #expect(ends.endReasons.count == 1)
    }
}

extension UnixEnds {
    /// Has the peer read one byte.
    fileprivate func receiveByte() throws {
        var storage: [UInt8] = [0]
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        _ = try peer?.receive(into: &bytes)
    }
}
