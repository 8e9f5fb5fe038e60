// SPDX-License-Identifier: Apache-2.0
//
// Reading messages that come in parts: what a parser leaves waits for more.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Parsing: ConnectionSuite {
    let ends: ConnectionEnds

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
        #expect(try channel.readOnce() == "c")
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
        #expect(try channel.readOnce() == "tail")
        #expect(try channel.read { _ in } == .endOfStream)
    }

    @Test func `a parser that takes one message a call is called for each that is there`() throws {
        let messages = Box<[String]>([])
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            try channel.parse { bytes in
                let text = bytes.text
                guard let end = text.utf8.firstIndex(of: 10) else { return 0 }
                messages.value.append(String(text[..<end]))
                return text.utf8.distance(from: text.startIndex, to: end) + 1
            }
        }
        try ends.peer?.sendAll("a\nbb\n\nc\nrest")
        reactor.settle()
        #expect(messages.value == ["a", "bb", "", "c"])
        #expect(calls.value == 5, "it looks once at what is incomplete")
        #expect(channel.unreadByteCount == 4)
    }

    @Test func `what a parser left behind a message counts for a handler installed later`() throws {
        try ends.peer?.sendAll("message and rest")
        #expect(try channel.parse { _ in 8 } == .bytes(8))
        let text = Box("")
        channel.onReadable { channel in try channel.read { text.value += $0.text } }
        reactor.settle()
        #expect(text.value == "and rest")
    }

    @Test func `a parser of a blocking channel does not wait before what it left`() throws {
        channel.options.isBlocking = true
        try ends.peer?.sendAll("1234")
        try withoutWaiting { () throws in
            for _ in 0..<2 { #expect(try channel.parse { _ in 2 } == .bytes(2)) }
        }
        #expect(channel.unreadByteCount == 0)
    }

    @Test func `a handler of a blocking channel is not called for what it has taken`() throws {
        channel.options.isBlocking = true
        let text = Box("")
        channel.onReadable { channel in
            repeat {
                try channel.parse { bytes in
                    text.value += bytes.text.prefix(2)
                    return min(2, bytes.byteCount)
                }
            } while channel.unreadByteCount > 0
        }
        try ends.peer?.sendAll("a\nb\n")
        try withoutWaiting { () throws in
            reactor.expect("both come") { text.value == "a\nb\n" }
            reactor.settle()
        }
        // A handler that had failed for want of a wait would be gone.
        try ends.peer?.sendAll("c\n")
        reactor.expect("it goes on") { text.value == "a\nb\nc\n" }
    }

    @Test func `a parser that stops reading keeps nothing`() throws {
        try ends.peer?.sendAll("1234")
        try channel.parse { _ in
            try channel.closeReading()
            return 0
        }
        #expect(channel.unreadByteCount == 0)
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test(arguments: [100, 16_384, 70_000, 1_000_000])
    func `a parser that takes one of many messages is not over its limit`(limit: Int) throws {
        let ends = try UnixEnds(on: reactor)
        ends.channel.options.inputLimit = limit
        let count = Box(0)
        let most = Box(0)
        ends.channel.onReadable { channel in
            try channel.parse { bytes in
                count.value += 1
                most.value = max(most.value, bytes.byteCount)
                return min(bytes.byteCount, 10)
            }
        }
        try ends.peer?.sendAll(String(repeating: "0123456789", count: 12_000))
        reactor.expect("all messages come") { count.value == 12_000 || !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [])
        #expect(most.value <= Reactor.scratchByteCount)
    }

    @Test func `a parser that throws leaves what it was given`() throws {
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
}
