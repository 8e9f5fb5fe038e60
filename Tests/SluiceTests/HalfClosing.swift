// SPDX-License-Identifier: Apache-2.0
//
// Ending one direction of a channel while the other goes on (N1, W27).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HalfClosing: ConnectionSuite {
    let ends: ConnectionEnds

    // W27
    @Test func `the peer of a closed writing side meets the end and may still answer`() throws {
        let answer = Box("")
        channel.onReadable { channel in try channel.read { answer.value += $0.text } }
        try channel.write(text: "question")
        try channel.closeWriting()
        #expect(try ends.receiveAll().text == "question")
        #expect(channel.status == .halfClosed)
        try ends.peer?.sendAll("answer")
        reactor.expect("the answer comes") { answer.value == "answer" }
        #expect(ends.endReasons == [])
    }

    @Test func `what was queued goes out before the end`() throws {
        let filled = try ends.fill()
        try channel.write(text: "tail")
        try channel.closeWriting()
        #expect(channel.unsentByteCount > 0)
        let received = try ends.receiveAll()
        #expect(received.count == filled + 4)
        #expect(Array(received.suffix(4)).text == "tail")
    }

    @Test func `writing is refused at once although the queue still goes out`() throws {
        try ends.fill()
        try channel.closeWriting()
        let error = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(error == SocketError(.write, .shutDown, at: channel.peerAddress))
    }

    @Test func `the writable handler goes with the writing side`() throws {
        let calls = Box(0)
        channel.onWritable { _ in calls.value += 1 }
        try channel.closeWriting()
        #expect(channel.handled == [])
        reactor.settle()
        #expect(calls.value == 0)
    }

    // N1
    @Test func `closing the writing side twice names the shut-down`() throws {
        try channel.closeWriting()
        let error = #expect(throws: SocketError.self) { try channel.closeWriting() }
        #expect(error == SocketError(.shutDown, .shutDown, at: channel.peerAddress))
    }

    // N1
    @Test func `half-closing a closed channel names the bad descriptor`() {
        channel.close()
        let writing = #expect(throws: SocketError.self) { try channel.closeWriting() }
        #expect(writing == SocketError(.shutDown, .badDescriptor, at: channel.peerAddress))
        let reading = #expect(throws: SocketError.self) { try channel.closeReading() }
        #expect(reading == writing)
    }

    @Test func `closing the reading side refuses to read and drops what was left`() throws {
        try ends.peer?.sendAll("left")
        try channel.parse { _ in 0 }
        try channel.closeReading()
        #expect(channel.unreadByteCount == 0)
        #expect(channel.status == .halfClosed)
        let error = #expect(throws: SocketError.self) { try channel.read { _ in } }
        #expect(error == SocketError(.read, .shutDown, at: channel.peerAddress))
    }

    @Test func `closing the reading side twice names the shut-down`() throws {
        try channel.closeReading()
        let error = #expect(throws: SocketError.self) { try channel.closeReading() }
        #expect(error == SocketError(.shutDown, .shutDown, at: channel.peerAddress))
    }

    @Test func `no handler is called after the reading side was closed`() throws {
        let calls = Box(0)
        channel.onReadable { _ in calls.value += 1 }
        try channel.closeReading()
        #expect(channel.handled == [])
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `closing the reading side is not the peer's close`() throws {
        let calls = Box(0)
        channel.onPeerClosed { _ in calls.value += 1 }
        try channel.closeReading()
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `writing goes on after the reading side was closed`() throws {
        try channel.closeReading()
        try channel.write(text: "still here")
        #expect(try ends.receive(10).text == "still here")
    }

    // N1
    @Test(arguments: [true, false])
    func `with both sides closed the channel is`(writingFirst: Bool) throws {
        if writingFirst { try channel.closeWriting() }
        try channel.closeReading()
        if !writingFirst { try channel.closeWriting() }
        #expect(channel.status == .closed)
        reactor.settle()
        #expect(ends.endReasons == [.local])
        #expect(try ends.peer?.receiveNow() == nil)
    }

    @Test func `with both sides closed the queue goes out before the channel closes`() throws {
        let filled = try ends.fill()
        try channel.closeWriting()
        try channel.closeReading()
        #expect(channel.status == .halfClosed)
        #expect(try ends.receiveAll().count == filled)
        reactor.expect("the channel closes") { ends.endReasons == [.local] }
    }

    // W25
    @Test func `a peer that has closed its writing side is told apart from an open one`() throws {
        #expect(channel.status == .open)
        try ends.peer?.shutDown(.writing)
        reactor.settle()
        #expect(channel.status == .peerClosed)
        #expect(channel.endReason == nil)
    }

    @Test func `the peer's end and a closed writing side leave closing to the program`() throws {
        channel.onBytes { _, _ in }
        channel.onInputEnd { channel in try channel.closeWriting() }
        try ends.peer?.shutDown(.writing)
        #expect(try ends.receiveAll() == [])
        #expect(ends.endReasons == [])
        channel.close()
        reactor.settle()
        #expect(ends.endReasons == [.finished])
    }
}
