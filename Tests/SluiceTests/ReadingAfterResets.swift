// SPDX-License-Identifier: Apache-2.0
//
// What a peer had sent before it cut the connection is not lost, whoever reads it and when.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReadingAfterResets {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// A channel whose peer has sent this and cut the connection, after the reactor has seen it.
    private func cut(_ text: String, _ prepare: (Channel) -> Void = { _ in }) throws -> Channel {
        var ends = try TCPEnds()
        let server = exchange(&ends.server, with: try Socket(for: .unnamed))
        let channel = try Channel(adopting: server, on: reactor)
        prepare(channel)
        try ends.client.sendAll(text)
        reactor.settle()
        try ends.client.resetOnClose()
        try ends.closeClient()
        reactor.settle()
        return channel
    }

    // K22, W21
    @Test func `lines are read by who asks for them later`() throws {
        let channel = try cut("one\ntwo")
        #expect(channel.status == .failed)
        #expect(try channel.readLine() == "one")
        #expect(try channel.readLine() == "two")
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        #expect(channel.endReason == .reset)
        channel.close()
    }

    // K22
    @Test func `bytes are given to a handler that is installed later`() throws {
        let channel = try cut("one")
        let received = Box("")
        channel.onBytes { _, bytes in received.value += bytes.text }
        reactor.settle()
        #expect(received.value == "one")
        #expect(channel.status == .closed)
    }

    // K22
    @Test func `lines are given when a pause is over`() throws {
        let lines = Box<[String]>([])
        let channel = try cut("one\ntwo\n") { channel in
            channel.onLine { lines.value.append($1) }
            channel.pauseReading()
        }
        #expect(lines.value.isEmpty)
        channel.resumeReading()
        reactor.settle()
        #expect(lines.value == ["one", "two"])
        #expect(channel.status == .closed)
    }

    @Test func `no more is kept than the limit of the input`() throws {
        let channel = try cut(String(repeating: "x", count: 100_000)) { channel in
            channel.options.inputLimit = 10_000
        }
        #expect((10_000...75_536).contains(channel.unreadByteCount))
        channel.close()
    }
}
