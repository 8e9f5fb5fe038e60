// SPDX-License-Identifier: Apache-2.0
//
// Reading from a channel: spans, storage, messages in parts, pushed bytes, pauses and fairness.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Fails the test: the place must not be reached.
func wrongly(_ place: SourceLocation = #_sourceLocation) {
    Issue.record("called, and should not have been", sourceLocation: place)
}

@Suite(.countingDescriptors)
struct Reading {
    let reactor: Reactor
    let ends: ConnectionEnds
    var channel: Channel { ends.channel }

    init() throws {
        reactor = try Reactor()
        ends = try ConnectionEnds(on: reactor)
    }

    /// Reads once, as text.
    private func read() throws -> String {
        let text = Box("")
        try channel.read { text.value = $0.text }
        return text.value
    }

    // MARK: On request

    @Test func `read lends the bytes that wait`() throws {
        try ends.peer?.sendAll("hello")
        let text = Box("")
        #expect(try channel.read { text.value = $0.text } == .bytes(5))
        #expect(text.value == "hello")
    }

    @Test func `read takes at most what was asked and leaves the rest`() throws {
        try ends.peer?.sendAll("hello")
        let texts = Box<[String]>([])
        #expect(try channel.read(upTo: 2) { texts.value.append($0.text) } == .bytes(2))
        #expect(try channel.read { texts.value.append($0.text) } == .bytes(3))
        #expect(texts.value == ["he", "llo"])
    }

    @Test func `read of nothing reads nothing`() throws {
        try ends.peer?.sendAll("hello")
        #expect(try channel.read(upTo: 0) { _ in wrongly() } == .bytes(0))
        #expect(try channel.read(upTo: -1) { _ in wrongly() } == .bytes(0))
        #expect(channel.counters.reads == 0)
    }

    @Test func `read fills the caller's storage`() throws {
        try ends.peer?.sendAll("hello")
        var storage = [UInt8](repeating: 0, count: 4)
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        #expect(try channel.read(into: &bytes) == .bytes(4))
        #expect(storage.text == "hell")
    }

    @Test func `read fills the caller's storage from what a parser left`() throws {
        try ends.peer?.sendAll("hello")
        try channel.parse { _ in 1 }
        var storage = [UInt8](repeating: 0, count: 2)
        var span = storage.mutableSpan
        var bytes = span.mutableBytes
        #expect(try channel.read(into: &bytes) == .bytes(2))
        #expect(storage.text == "el")
        #expect(channel.unreadByteCount == 2)
    }

    @Test func `read would block where nothing waits, and is not the end`() throws {
        #expect(try channel.read { _ in wrongly() } == .wouldBlock)
        #expect(channel.endReason == nil)
        #expect(channel.status == .open)
    }

    @Test func `an interrupted read is repeated`() throws {
        try ends.peer?.sendAll("x")
        let answers = Answers(.failure(.interrupted), to: [.receive]) { $0 <= 3 }
        let result = try answers.give { try channel.read { _ in } }
        #expect(result == .bytes(1))
        #expect(answers.count == 4)
    }

    @Test func `the peer's end is an end with the reason finished`() throws {
        try ends.peer?.sendAll("last")
        ends.peer = nil
        #expect(try read() == "last")
        #expect(channel.endReason == nil)
        #expect(try channel.read { _ in wrongly() } == .endOfStream)
        #expect(try channel.read { _ in wrongly() } == .endOfStream)
        #expect(channel.endReason == .finished)
        #expect(channel.status == .peerClosed)
    }

    @Test func `a reset is an end with the reason reset`() throws {
        try ends.resetByPeer()
        #expect(try channel.read { _ in wrongly() } == .endOfStream)
        #expect(channel.endReason == .reset)
        #expect(channel.status == .failed)
    }

    @Test func `another failure of a read is an end that names it`() throws {
        try ends.peer?.sendAll("x")
        let result = try SystemCall.failing(.receive, with: .timedOut) {
            try channel.read { _ in }
        }
        #expect(result == .endOfStream)
        let peer = channel.peerAddress
        #expect(channel.endReason == .failed(SocketError(.read, .timedOut, at: peer)))
    }

    @Test func `reading a closed channel names the bad descriptor and the peer`() {
        channel.close()
        let error = #expect(throws: SocketError.self) { try channel.read { _ in } }
        #expect(error == SocketError(.read, .badDescriptor, at: channel.peerAddress))
    }

    @Test func `what the reader throws comes out of read`() throws {
        struct Mishap: Error {}
        try ends.peer?.sendAll("x")
        #expect(throws: Mishap.self) { try channel.read { _ in throw Mishap() } }
    }

    // MARK: Messages in parts

    @Test func `a parser sees what it left together with what came since`() throws {
        let seen = Box<[String]>([])
        for part in ["a", "b", "c"] {
            try ends.peer?.sendAll(part)
            try channel.parse { bytes in
                seen.value.append(bytes.text)
                return bytes.byteCount == 3 ? 2 : 0
            }
        }
        #expect(seen.value == ["a", "ab", "abc"])
        #expect(channel.unreadByteCount == 1)
        #expect(try read() == "c")
    }

    @Test func `a parser is not called for the same bytes again`() throws {
        try ends.peer?.sendAll("a")
        try channel.parse { _ in 0 }
        #expect(
            try channel.parse { _ in
                Issue.record("called")
                return 0
            } == .wouldBlock)
    }

    @Test func `parse tells how much was consumed`() throws {
        try ends.peer?.sendAll("abc")
        #expect(try channel.parse { _ in 2 } == .bytes(2))
        try ends.peer?.sendAll("d")
        #expect(try channel.parse { _ in 2 } == .bytes(2))
        #expect(channel.unreadByteCount == 0)
    }

    @Test func `the tail of an incomplete message is there after the end`() throws {
        try ends.peer?.sendAll("tail")
        try channel.parse { _ in 0 }
        ends.peer = nil
        #expect(try channel.parse { _ in 0 } == .endOfStream)
        #expect(channel.unreadByteCount == 4)
        #expect(try read() == "tail")
        #expect(try channel.read { _ in } == .endOfStream)
    }

    @Test func `a parser that throws leaves what it was given`() throws {
        struct Mishap: Error {}
        try ends.peer?.sendAll("ab")
        #expect(throws: Mishap.self) { try channel.parse { _ in throw Mishap() } }
        try ends.peer?.sendAll("c")
        let text = Box("")
        try channel.parse { bytes in
            text.value = bytes.text
            return 0
        }
        #expect(text.value == "abc")
        try ends.peer?.sendAll("d")
        #expect(throws: Mishap.self) { try channel.parse { _ in throw Mishap() } }
        #expect(channel.unreadByteCount == 4)
    }

    @Test func `more unconsumed input than the limit closes the channel and says so`() throws {
        var options = channel.options
        options.inputLimit = 10
        channel.options = options
        try ends.peer?.sendAll("0123456789")
        try channel.parse { _ in 0 }
        try ends.peer?.sendAll("0")
        let error = #expect(throws: SocketError.self) { try channel.parse { _ in 0 } }
        #expect(error == SocketError(.read, .messageTooLong, at: channel.peerAddress))
        reactor.expect("the channel is closed") { ends.endReasons == [.limit(.input)] }
    }

    @Test func `bytes that are left in their turn for ever cost no memory`() throws {
        channel.onReadable { channel in
            if channel.unreadByteCount == 0 { try channel.parse { _ in 0 } }
            try channel.read(upTo: 1) { _ in }
            try channel.parse { _ in 0 }
            try channel.read(upTo: 1) { _ in }
        }
        let piece = [UInt8](repeating: 1, count: 60_000)
        func pass() throws {
            if channel.unreadByteCount < 10 { _ = try ends.peer?.send(piece.span.bytes) }
            reactor.runPending()
        }
        for _ in 0..<1_000 { try pass() }
        let before = virtualByteCount()
        for _ in 0..<300_000 { try pass() }
        #expect(virtualByteCount() - before < 4_000_000)
    }

    // MARK: Pushed bytes

    @Test func `a flood arrives whole and in order`() throws {
        let flood = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
        let received = Box<[UInt8]>([])
        channel.onBytes { _, bytes in received.value += bytes.array }
        var sent = 0
        while sent < flood.count {
            if case .bytes(let count)? = try ends.peer?.send(flood.span.bytes.extracting(sent...)) {
                sent += count
            }
            reactor.runPending()
        }
        reactor.expect("all is there") { received.value.count == flood.count }
        let isWhole = received.value == flood
        #expect(isWhole)
    }

    @Test func `without onInputEnd the end of the input closes the channel`() throws {
        let text = Box("")
        channel.onBytes { _, bytes in text.value += bytes.text }
        try ends.peer?.sendAll("bye")
        ends.peer = nil
        reactor.expect("the channel is closed") { ends.endReasons == [.finished] }
        #expect(text.value == "bye")
    }

    @Test func `onInputEnd is called once and keeps the channel open for writing`() throws {
        let calls = Box(0)
        channel.onBytes { _, _ in }
        channel.onInputEnd { channel in
            calls.value += 1
            try channel.write(text: "answer")
        }
        try ends.peer?.shutDown(.writing)
        #expect(try ends.receive(6).text == "answer")
        reactor.settle()
        #expect(calls.value == 1)
        #expect(channel.status == .peerClosed)
        #expect(ends.endReasons == [])
        channel.close()
        reactor.settle()
        #expect(ends.endReasons == [.finished])
    }

    @Test func `a reset closes a channel although it handles the end of its input`() throws {
        channel.onBytes { _, _ in }
        channel.onInputEnd { _ in wrongly() }
        try ends.resetByPeer()
        reactor.expect("the channel is closed") { ends.endReasons == [.reset] }
    }

    // MARK: Pauses

    @Test func `a paused channel delivers nothing until it is resumed`() throws {
        let text = Box("")
        channel.onBytes { _, bytes in text.value += bytes.text }
        channel.pauseReading()
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(text.value == "")
        channel.resumeReading()
        reactor.expect("the byte comes") { text.value == "x" }
    }

    @Test func `a handler that pauses its channel gets nothing more of a flood`() throws {
        let flood = [UInt8](repeating: 7, count: 200_000)
        let calls = Box(0)
        channel.onBytes { channel, _ in
            calls.value += 1
            channel.pauseReading()
        }
        _ = try ends.peer?.send(flood.span.bytes)
        reactor.settle()
        #expect(calls.value == 1)
        channel.resumeReading()
        reactor.settle()
        #expect(calls.value == 2)
    }

    @Test func `a handler that pauses on queued bytes gets nothing that came later`() throws {
        let texts = Box<[String]>([])
        try ends.peer?.sendAll("queued")
        try channel.parse { _ in 0 }
        try ends.peer?.sendAll("later")
        channel.onBytes { channel, bytes in
            texts.value.append(bytes.text)
            channel.pauseReading()
        }
        reactor.settle()
        #expect(texts.value == ["queued"])
        channel.resumeReading()
        reactor.settle()
        #expect(texts.value == ["queued", "later"])
    }

    @Test func `the end that came during a pause is told after it`() throws {
        channel.onBytes { _, _ in }
        channel.pauseReading()
        ends.peer = nil
        reactor.settle()
        #expect(ends.endReasons == [])
        channel.resumeReading()
        reactor.expect("the channel is closed") { ends.endReasons == [.finished] }
    }

    @Test func `a pause holds a readable handler back too`() throws {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            try channel.read { _ in }
        }
        channel.pauseReading()
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == 0)
        channel.resumeReading()
        reactor.settle()
        #expect(calls.value == 1)
    }

    // MARK: Changing handlers

    @Test func `a header can be parsed and the body that came with it be pushed`() throws {
        let header = Box("")
        let body = Box("")
        channel.onReadable { channel in
            try channel.parse { bytes in
                header.value = String(bytes.text.prefix(7))
                return 7
            }
            channel.onBytes { _, bytes in body.value += bytes.text }
        }
        try ends.peer?.sendAll("header\nbody")
        reactor.expect("the queued body is pushed") { body.value == "body" }
        try ends.peer?.sendAll(" and more")
        reactor.expect("the rest is pushed") { body.value == "body and more" }
        #expect(header.value == "header\n")
    }

    @Test func `bytes that were left are readable for a handler installed later`() throws {
        try ends.peer?.sendAll("header\nbody")
        try channel.read(upTo: 7) { _ in }
        let body = Box("")
        channel.onReadable { channel in try channel.read { body.value += $0.text } }
        reactor.expect("the rest comes") { body.value == "body" }
    }

    @Test func `a handler installed by another in a flood gets what follows`() throws {
        let flood = [UInt8](repeating: 7, count: 150_000)
        let first = Box(0)
        let second = Box(0)
        channel.onBytes { channel, _ in
            first.value += 1
            channel.onBytes { _, bytes in second.value += bytes.byteCount }
        }
        guard case .bytes(let count)? = try ends.peer?.send(flood.span.bytes) else { return }
        #expect(count > Reactor.scratchByteCount)
        reactor.settle()
        #expect(first.value == 1)
        #expect(second.value == count - Reactor.scratchByteCount)
    }

    @Test func `a handler that takes itself away in a flood gets nothing more`() throws {
        let flood = [UInt8](repeating: 7, count: 150_000)
        let calls = Box(0)
        channel.onBytes { channel, _ in
            calls.value += 1
            channel.onBytes(nil)
        }
        _ = try ends.peer?.send(flood.span.bytes)
        reactor.settle()
        #expect(calls.value == 1)
    }

    @Test func `a handler of bytes installed after the end closes the channel`() throws {
        ends.peer = nil
        #expect(try channel.read { _ in } == .endOfStream)
        channel.onBytes { _, _ in }
        reactor.expect("the channel is closed") { ends.endReasons == [.finished] }
    }

    // MARK: Fairness and nesting

    @Test func `a flood lets another channel be served in the same pass`() throws {
        var options = ChannelOptions()
        options.bytesPerTurn = 65_536
        channel.options = options
        let flooded = Box(0)
        let served = Box(0)
        channel.onBytes { _, bytes in flooded.value += bytes.byteCount }
        let other = try ConnectionEnds(on: reactor)
        other.channel.onBytes { _, bytes in served.value += bytes.byteCount }
        let flood = [UInt8](repeating: 7, count: 300_000)
        guard case .bytes(let count)? = try ends.peer?.send(flood.span.bytes) else { return }
        #expect(count > 65_536)
        try other.peer?.sendAll("x")
        reactor.runPending()
        #expect(flooded.value == 65_536)
        #expect(served.value == 1)
    }

    @Test func `a run inside a reader reads into memory of its own`() throws {
        let other = try ConnectionEnds(on: reactor)
        let inner = Box("")
        let outer = Box("")
        other.channel.onBytes { _, bytes in inner.value += bytes.text }
        try ends.peer?.sendAll("outer")
        try other.peer?.sendAll("inner")
        try channel.read { [unowned reactor] bytes in
            reactor.run(until: { inner.value == "inner" })
            outer.value = bytes.text
        }
        #expect(outer.value == "outer")
    }

    @Test func `a run inside a handler of bytes keeps its bytes valid`() throws {
        let texts = Box<[String]>([])
        channel.onBytes { [unowned reactor, unowned ends] _, bytes in
            let depth = texts.value.count
            texts.value.append("")
            if depth == 0 {
                try ends.peer?.sendAll("second")
                reactor.run(until: { texts.value.count == 2 })
            }
            texts.value[depth] = bytes.text
        }
        try ends.peer?.sendAll("first")
        reactor.expect("both are there") { texts.value == ["first", "second"] }
    }
}
