// SPDX-License-Identifier: Apache-2.0
//
// Ending channels: flushing in the background, limits, resets, the one reason, the peer's going.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Closing: ConnectionSuite {
    let ends: ConnectionEnds

    // MARK: Flushing

    @Test func `a close sends what was written in the same turn`() throws {
        try channel.write(text: "last words")
        channel.close()
        #expect(try ends.receiveAll().text == "last words")
    }

    @Test func `a close returns at once and the queue goes out in the background`() throws {
        let filled = try ends.fill()
        channel.close()
        #expect(channel.status == .closing)
        #expect(channel.unsentByteCount > 0)
        #expect(try ends.receiveAll().count == filled)
        reactor.expect("the channel is closed") { ends.endReasons == [.local] }
        #expect(channel.status == .closed)
    }

    // T28
    @Test func `a close inside the accept callback sends what was written`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            try channel.write(text: "welcome and goodbye")
            channel.close()
        }
        let peer = try Socket.connecting(to: server.addresses[0])
        reactor.expect("the channel has come and gone") {
            server.counters.accepted == 1 && server.connectionCount == 0
        }
        #expect(try peer.receiveNow()?.text == "welcome and goodbye")
        #expect(try peer.receiveNow() == nil)
        server.close()
    }

    @Test func `a close with unread input does not lose the answer`() throws {
        try ends.peer?.sendAll("request that nobody reads")
        reactor.settle()
        try channel.write(text: "answer")
        channel.close()
        reactor.settle()
        #expect(try ends.peer?.receiveNow()?.text == "answer")
        #expect(try ends.peer?.receiveNow() == nil)
        ends.peer = nil
        reactor.expect("the channel is closed") { ends.endReasons == [.local] }
    }

    @Test func `input that comes while the queue goes out does not lose the rest`() throws {
        let filled = try ends.fill()
        channel.close()
        try ends.peer?.sendAll("too late")
        #expect(try ends.receiveAll().count == filled)
        ends.peer = nil
        reactor.expect("the channel is closed") { ends.endReasons == [.local] }
    }

    @Test func `a peer that never ends its input is left at the linger limit`() throws {
        var options = channel.options
        options.lingerLimit = .milliseconds(20)
        channel.options = options
        try ends.peer?.sendAll("request")
        try channel.write(text: "answer")
        channel.close()
        #expect(channel.status == .closing)
        reactor.expect("the channel is closed") { ends.endReasons == [.timedOut(.linger)] }
    }

    @Test func `what does not go out within the linger limit is dropped with a reset`() throws {
        var options = channel.options
        options.lingerLimit = .milliseconds(20)
        channel.options = options
        let filled = try ends.fill()
        channel.close()
        reactor.expect("the limit passes") { ends.endReasons == [.timedOut(.linger)] }
        var received = 0
        let error = #expect(throws: SocketError.self) {
            while let bytes = try ends.peer?.receiveNow() { received += bytes.count }
        }
        #expect(error?.code == .connectionReset)
        #expect(received < filled)
    }

    @Test func `closing twice is closing once`() throws {
        channel.close()
        channel.close()
        reactor.settle()
        channel.close()
        reactor.settle()
        #expect(ends.endReasons == [.local])
    }

    @Test func `an abort drops the queue and resets the connection`() throws {
        let filled = try ends.fill()
        channel.abort()
        #expect(channel.status == .closed)
        #expect(channel.unsentByteCount == 0)
        var received = 0
        let error = #expect(throws: SocketError.self) {
            while let bytes = try ends.peer?.receiveNow() { received += bytes.count }
        }
        #expect(error?.code == .connectionReset)
        #expect(received < filled)
        reactor.settle()
        #expect(ends.endReasons == [.local])
    }

    @Test func `an abort cuts a close short`() throws {
        try ends.fill()
        channel.close()
        #expect(channel.status == .closing)
        channel.abort()
        #expect(channel.status == .closed)
        reactor.settle()
        #expect(ends.endReasons == [.local])
    }

    @Test func `an abort drops what was written in the same turn`() throws {
        try channel.write(text: "never")
        channel.abort()
        #expect(throws: SocketError(.read, .connectionReset)) { try ends.receive(1) }
    }

    @Test func `onClose is called in a later turn than the close`() {
        channel.close()
        #expect(channel.status == .closed)
        #expect(ends.endReasons == [])
        reactor.runPending()
        #expect(ends.endReasons == [.local])
    }

    // MARK: The one reason

    @Test func `the peer's end is the reason finished`() {
        channel.onBytes { _, _ in }
        ends.peer = nil
        reactor.expect("the channel is closed") { ends.endReasons == [.finished] }
    }

    @Test func `the peer's reset is the reason reset`() throws {
        channel.onBytes { _, _ in }
        try ends.resetByPeer()
        reactor.expect("the channel is closed") { ends.endReasons == [.reset] }
    }

    @Test func `a failed read is the reason failed with its error`() throws {
        channel.onBytes { _, _ in }
        try ends.peer?.sendAll("x")
        SystemCall.failing(.receive, with: .noMemory) {
            reactor.settle()
        }
        let error = SocketError(.read, .noMemory, at: channel.peerAddress)
        #expect(ends.endReasons == [.failed(error)])
    }

    @Test func `a failed write is the reason failed with its error`() throws {
        channel.onBytes { _, _ in }
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        let error = SocketError(.write, .noMemory, at: channel.peerAddress)
        #expect(ends.endReasons == [.failed(error)])
    }

    @Test func `a server's drain is the reason drained`() throws {
        let reasons = Box<[EndReason]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onClose { reasons.value.append($1) }
        }
        let peer = try Socket.connecting(to: server.addresses[0])
        reactor.expect("the client is in") { server.connectionCount == 1 }
        server.close()
        #expect(server.closeChannels() == 1)
        reactor.settle()
        #expect(reasons.value == [.drained])
        #expect(try peer.receiveNow() == nil)
    }

    // K23
    @Test func `a channel whose reactor ends is drained`() throws {
        func orphan() throws -> Channel { try ConnectionEnds(on: Reactor()).channel }
        let channel = try orphan()
        #expect(channel.status == .closed)
        #expect(channel.endReason == .drained)
        let error = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(error?.code == .badDescriptor)
        channel.close()
        channel.abort()
        #expect(channel.endReason == .drained)
    }

    // MARK: Errors in the background (K21)

    // K21
    @Test func `an error in the background is told once by the next operation`() throws {
        try ends.fill()
        try ends.resetByPeer()
        reactor.settle()
        #expect(channel.status == .failed)
        #expect(channel.unsentByteCount == 0)
        let first = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(first?.address == channel.peerAddress)
        #expect([.connectionReset, .brokenPipe].contains(first?.code))
        let second = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(second == SocketError(.write, .brokenPipe, at: channel.peerAddress))
        channel.close()
        reactor.settle()
        #expect(ends.endReasons == [.reset])
    }

    // K21
    @Test func `an error in the background is told by a read as well`() throws {
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        let error = #expect(throws: SocketError.self) { try channel.read { _ in } }
        #expect(error == SocketError(.write, .noMemory, at: channel.peerAddress))
        #expect(throws: Never.self) { try channel.read { _ in } }
    }

    @Test func `takeError gives the error in the background once`() throws {
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        #expect(channel.takeError() == SocketError(.write, .noMemory, at: channel.peerAddress))
        #expect(channel.takeError() == nil)
    }

    @Test func `what the peer had sent before a failed write can still be read`() throws {
        try ends.peer?.sendAll("sent before")
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .brokenPipe) { reactor.settle() }
        #expect(channel.takeError()?.code == .brokenPipe)
        let text = Box("")
        try channel.read { text.value = $0.text }
        #expect(text.value == "sent before")
    }

    @Test func `an error while a closed channel sends its queue releases it`() throws {
        try ends.fill()
        channel.close()
        try ends.resetByPeer()
        reactor.expect("the channel is closed") { ends.endReasons.count == 1 }
        #expect(channel.status == .closed)
    }

    // MARK: The peer's going (W21 to W26)

    // W21
    @Test func `the peer's close is told without a reader`() {
        let calls = Box(0)
        channel.onPeerClosed { channel in
            calls.value += 1
            #expect(channel.status == .peerClosed)
        }
        ends.peer = nil
        reactor.settle()
        #expect(calls.value == 1)
        #expect(channel.handled == [])
    }

    // W21
    @Test func `the peer's close is told while reading is paused`() throws {
        let calls = Box(0)
        channel.onBytes { _, _ in wrongly() }
        channel.onPeerClosed { _ in calls.value += 1 }
        channel.pauseReading()
        try ends.peer?.sendAll("unread")
        ends.peer = nil
        reactor.settle()
        #expect(calls.value == 1)
    }

    @Test func `the peer's close is told once to a channel that reads`() throws {
        let calls = Box(0)
        channel.onBytes { _, _ in }
        channel.onInputEnd { _ in }
        channel.onPeerClosed { _ in calls.value += 1 }
        try ends.peer?.sendAll("x")
        try ends.peer?.shutDown(.writing)
        reactor.settle()
        #expect(calls.value == 1)
    }

    @Test func `a reset is told while reading is paused`() throws {
        let calls = Box(0)
        channel.onBytes { _, _ in }
        channel.onPeerClosed { _ in calls.value += 1 }
        channel.pauseReading()
        reactor.settle()
        try ends.resetByPeer()
        reactor.settle()
        #expect(calls.value == 1)
        #expect(channel.status == .failed)
        #expect(channel.endReason == .reset)
        channel.resumeReading()
        reactor.expect("the channel closes") { ends.endReasons == [.reset] }
    }

    @Test func `a reset is told without a reader and with output queued`() throws {
        let calls = Box(0)
        channel.onPeerClosed { _ in calls.value += 1 }
        try ends.fill()
        try ends.resetByPeer()
        reactor.settle()
        #expect(calls.value == 1)
        #expect(channel.endReason == .reset)
    }

    @Test func `a write to a peer that is gone closes a channel whose bytes are pushed`() throws {
        channel.onBytes { _, _ in }
        channel.pauseReading()
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .brokenPipe) { reactor.settle() }
        channel.resumeReading()
        ends.peer = nil
        reactor.expect("the channel closes") { ends.endReasons == [.reset] }
    }

    // W23
    @Test func `a broken connection raises no signal`() throws {
        try ends.resetByPeer()
        for _ in 0..<3 {
            // The first errors are told by the next write; what counts is that the process lives.
            _ = try? channel.write(text: "x")
            _ = try? channel.flush()
        }
        #expect(channel.status == .failed)
        #expect(channel.endReason == .reset)
    }

    // MARK: No spinning

    enum Situation: CaseIterable {
        case idle, peerClosedUnread, peerClosedPaused, peerClosedEndTold, resetUnread, resetPaused
        case queued, queuedAndPeerClosed, halfClosed, readingClosed, discarding
    }

    @Test(arguments: Situation.allCases)
    func `a channel with nothing to do does nothing`(in situation: Situation) throws {
        try arrange(situation)
        reactor.settle()
        let passes = Box(0)
        let calls = CallCount()
        let isOver = Box(false)
        reactor.after(.milliseconds(30)) { isOver.value = true }
        calls.count {
            reactor.expect("time passes") {
                passes.value += 1
                return isOver.value
            }
        }
        #expect(passes.value < 15)
        #expect(calls.all - calls.of(.read) < 5)
    }

    private func arrange(_ situation: Situation) throws {
        switch situation {
        case .idle: channel.onBytes { _, _ in }
        case .peerClosedUnread: ends.peer = nil
        case .peerClosedPaused:
            channel.onBytes { _, _ in }
            channel.pauseReading()
            try ends.peer?.sendAll("unread")
            ends.peer = nil
        case .peerClosedEndTold:
            channel.onBytes { _, _ in }
            channel.onInputEnd { _ in }
            ends.peer = nil
        case .resetUnread: try ends.resetByPeer()
        case .resetPaused:
            channel.onBytes { _, _ in }
            channel.pauseReading()
            try ends.resetByPeer()
        case .queued:
            channel.onBytes { _, _ in }
            channel.onWritable { _ in }
            try ends.fill()
        case .queuedAndPeerClosed:
            try ends.fill()
            try ends.peer?.shutDown(.writing)
        case .halfClosed:
            channel.onBytes { _, _ in }
            try channel.closeWriting()
        case .readingClosed: try channel.closeReading()
        case .discarding:
            try ends.peer?.sendAll("unread")
            try channel.write(text: "answer")
            channel.close()
        }
    }
}
