// SPDX-License-Identifier: Apache-2.0
//
// Reading from a channel on request: spans, storage, and how the end is told.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Reading: ConnectionSuite {
    let ends: ConnectionEnds

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
        #expect(try channel.readOnce() == "last")
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
        try ends.peer?.sendAll("x")
        #expect(throws: Mishap.self) { try channel.read { _ in throw Mishap() } }
    }
}
