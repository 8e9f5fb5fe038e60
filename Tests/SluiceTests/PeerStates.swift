// SPDX-License-Identifier: Apache-2.0
//
// What a channel knows of its peer without reading: its state, the notice of the peer's going, and
// the error that waits (W21, W22, W25, W26).

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// A channel that stands alone, and the bare socket at its other end.
final class LoneTCPEnds {
    let channel: Channel
    private var socket: HeldSocket?

    init(options: ChannelOptions = .init()) throws {
        let listener = try Socket.listening()
        channel = try Channel(
            blocking: .connecting(to: listener.localAddress), options: options)
        guard var accepted = try listener.accept() else {
            throw SocketError(.accept, .wouldBlock)
        }
        socket = HeldSocket(try .taken(from: &accepted.socket))
    }

    /// The other side; `nil` once the peer has closed.
    var peer: HeldSocket? { socket }

    /// The peer closes.
    func closePeer() { socket = nil }

    /// The peer closes, with a reset.
    func resetByPeer() throws {
        try socket?.socket.resetOnClose()
        socket = nil
    }
}

@Suite(.countingDescriptors)
struct PeerStates: ConnectionSuite {
    let ends: ConnectionEnds

    // MARK: State

    // W25
    @Test func `a peer that has closed is seen without reading`() throws {
        #expect(channel.status == .open)
        try ends.peer?.sendAll("unread")
        ends.peer = nil
        reactor.settle()
        #expect(channel.status == .peerClosed)
        #expect(channel.endReason == nil)
        #expect(channel.counters.reads == 0)
        #expect(try channel.readOnce() == "unread")
        #expect(channel.status == .peerClosed)
    }

    // W25
    @Test func `each way to end has its own state`() throws {
        try channel.closeWriting()
        #expect(channel.status == .halfClosed)
        try ends.peer?.shutDown(.writing)
        reactor.settle()
        #expect(channel.status == .halfClosed)
        channel.close()
        #expect(channel.status == .closed)
    }

    // W25
    @Test func `a peer that has cut the connection is seen without reading`() throws {
        try ends.resetByPeer()
        reactor.settle()
        #expect(channel.status == .failed)
        #expect(channel.endReason == .reset)
        #expect(channel.counters.reads == 0)
    }

    // W25
    @Test func `a blocking channel on a reactor tells its states as others do`() throws {
        channel.options.isBlocking = true
        ends.peer = nil
        reactor.settle()
        #expect(channel.status == .peerClosed)
        try channel.closeWriting()
        #expect(channel.status == .halfClosed)
    }

    // W25
    @Test func `a channel that stands alone tells that its peer has closed, without reading`()
        throws
    {
        let lone = try LoneTCPEnds()
        #expect(lone.channel.status == .open)
        try lone.peer?.socket.sendAll("unread")
        #expect(lone.channel.status == .open)
        lone.closePeer()
        #expect(lone.channel.status == .peerClosed)
        #expect(try lone.channel.readText() == "unread")
        #expect(lone.channel.status == .peerClosed)
        lone.channel.close()
    }

    // W25
    @Test func `a channel that stands alone tells that it was cut, without reading`() throws {
        let lone = try LoneTCPEnds()
        try lone.resetByPeer()
        #expect(lone.channel.status == .failed)
        lone.channel.close()
    }

    // W25
    @Test func `a channel that stands alone tells its other states`() throws {
        let lone = try LoneTCPEnds()
        try lone.channel.closeWriting()
        #expect(lone.channel.status == .halfClosed)
        #expect(try lone.peer?.socket.receiveNow() == nil)
        lone.channel.close()
        #expect(lone.channel.status == .closed)
        let failing = try LoneTCPEnds()
        try failing.resetByPeer()
        #expect(throws: SocketError.self) { try failing.channel.write([1]) }
        #expect(failing.channel.status == .failed)
        #expect(failing.channel.endReason == .reset)
        failing.channel.close()
    }

    // MARK: Notice

    // W21
    @Test func `the notice comes though nobody reads and bytes are left unread`() throws {
        let calls = Box(0)
        channel.onPeerClosed { channel in
            calls.value += 1
            #expect(channel.status == .peerClosed)
        }
        try ends.peer?.sendAll("unread")
        reactor.settle()
        #expect(calls.value == 0)
        try ends.peer?.shutDown(.writing)
        reactor.settle()
        #expect(calls.value == 1)
        #expect(channel.counters.bytesReceived == 0)
        #expect(try channel.readOnce() == "unread")
        reactor.settle()
        #expect(calls.value == 1)
    }

    // W21
    @Test func `the notice comes to a blocking channel whose reactor runs`() throws {
        let calls = Box(0)
        channel.options.isBlocking = true
        channel.onPeerClosed { _ in calls.value += 1 }
        ends.peer = nil
        reactor.settle()
        #expect(calls.value == 1)
    }

    // W21
    @Test func `a notice that is asked for after the peer has gone comes as well`() throws {
        ends.peer = nil
        reactor.settle()
        #expect(channel.status == .peerClosed)
        let calls = Box(0)
        channel.onPeerClosed { _ in calls.value += 1 }
        #expect(calls.value == 0)
        reactor.settle()
        #expect(calls.value == 1)
    }

    // W21
    @Test func `a notice that is asked for after the end was read comes as well`() throws {
        ends.peer = nil
        #expect(try channel.read { _ in wrongly() } == .endOfStream)
        let calls = Box(0)
        channel.onPeerClosed { _ in calls.value += 1 }
        reactor.settle()
        #expect(calls.value == 1)
    }

    // W21
    @Test func `a notice that was taken away does not come`() throws {
        channel.onPeerClosed { _ in wrongly() }
        channel.onPeerClosed(nil)
        ends.peer = nil
        reactor.settle()
        #expect(channel.status == .peerClosed)
    }

    // W21
    @Test func `the notice comes to a writer whose channel is always writable`() throws {
        let calls = Box(0)
        channel.onWritable { _ in }
        channel.onPeerClosed { _ in calls.value += 1 }
        reactor.settle()
        ends.peer = nil
        reactor.settle()
        #expect(calls.value == 1)
    }

    // MARK: Writing on

    // W22
    @Test func `who writes to a peer that has closed is told by the state, then by an error`()
        throws
    {
        ends.peer = nil
        reactor.settle()
        #expect(channel.status == .peerClosed)
        #expect(try channel.write(text: "the kernel still takes this") == .accepted)
        try channel.flush()
        reactor.settle()
        #expect(channel.status == .failed)
        #expect(channel.endReason == .reset)
        #expect(throws: SocketError.self) { try channel.write(text: "no more") }
    }

    // W22
    @Test func `who writes and never reads is told by the notice`() throws {
        let calls = Box(0)
        channel.onPeerClosed { _ in calls.value += 1 }
        let piece = [UInt8](repeating: 1, count: 10_000)
        for _ in 0..<3 { try channel.write(piece) }
        reactor.settle()
        ends.peer = nil
        reactor.settle()
        #expect(calls.value == 1)
        #expect(channel.status != .open)
    }

    // MARK: The error that waits

    // W26
    @Test func `an error is told by takeError once, before the write that meets it`() throws {
        ends.peer = nil
        try channel.write(text: "first")
        try channel.flush()
        #expect(channel.takeError()?.code == .brokenPipe)
        #expect(channel.takeError() == nil)
        let second = #expect(throws: SocketError.self) {
            try channel.write(text: "second")
            try channel.flush()
        }
        #expect(second == SocketError(.write, .brokenPipe, at: channel.peerAddress))
    }

    // W26
    @Test func `an error that the reactor has met still waits to be taken, once`() throws {
        ends.peer = nil
        reactor.settle()
        try channel.write(text: "first")
        try channel.flush()
        reactor.settle()
        #expect(channel.status == .failed)
        let error = channel.takeError()
        #expect([.brokenPipe, .connectionReset].contains(error?.code))
        #expect(error?.address == channel.peerAddress)
        #expect(channel.takeError() == nil)
    }

    // W26
    @Test func `an error of a cut connection still waits to be taken, once`() throws {
        try ends.resetByPeer()
        reactor.settle()
        #expect(channel.status == .failed)
        #expect(channel.takeError()?.code == .connectionReset)
        #expect(channel.takeError() == nil)
    }

    // W26
    @Test func `an error that nobody has taken is told by the write that meets it, once`() throws {
        try ends.resetByPeer()
        let first = #expect(throws: SocketError.self) {
            try channel.write(text: "first")
            try channel.flush()
        }
        #expect(first == SocketError(.write, .connectionReset, at: channel.peerAddress))
        #expect(channel.takeError() == nil)
        let second = #expect(throws: SocketError.self) { try channel.write(text: "second") }
        #expect(second == SocketError(.write, .brokenPipe, at: channel.peerAddress))
    }

    // W26
    @Test func `a channel that stands alone tells its error once, and then at each write`() throws {
        let lone = try LoneTCPEnds()
        lone.closePeer()
        try lone.channel.write([1])
        #expect(lone.channel.takeError()?.code == .brokenPipe)
        #expect(lone.channel.takeError() == nil)
        for _ in 0..<2 {
            let error = #expect(throws: SocketError.self) { try lone.channel.write([1]) }
            #expect(error == SocketError(.write, .brokenPipe, at: lone.channel.peerAddress))
        }
        #expect(lone.channel.takeError() == nil)
        lone.channel.close()
    }
}
