// SPDX-License-Identifier: Apache-2.0
//
// Bytes given to handlers as they come: floods and ends, pauses, changes of handlers, fairness.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Delivering: ConnectionSuite {
    let ends: ConnectionEnds

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
