// SPDX-License-Identifier: Apache-2.0
//
// Channels that are there before their connection is: what waits for it, and what does not.
// The outcome is told once, and what was written goes out even after a close.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct WaitingToConnect {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// An address of the loopback interface where nobody listens.
    private func unusedAddress() throws -> SocketAddress {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.bind(to: .loopback(port: 0))
        return try socket.localAddress
    }

    private func open(_ address: SocketAddress, isBlocking: Bool) throws -> Channel {
        var options = ClientOptions()
        options.channel.isBlocking = isBlocking
        return try Client(on: reactor, options: options).open(address)
    }

    /// Accepts the connection that was made, and says what came over it.
    private func received(by listener: borrowing Socket) throws -> String {
        var text = ""
        var socket: Socket?
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            reactor.runPending()
            if socket == nil, var accepted = try listener.accept() {
                socket = try .taken(from: &accepted.socket)
            }
            if socket == nil { continue }
            guard let bytes = try socket?.receiveNow() else { return text }
            text += bytes.text
        }
        Issue.record("the peer did not meet the end of its input")
        return text
    }

    // T11
    @Test func `a read waits for the connection, then for the line`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let thread = OtherThread {
            do {
                let channel = try server.accept()
                try channel.writeLine("welcome")
                channel.close()
            } catch {
                Issue.record(error)
            }
        }
        let channel = try open(server.address, isBlocking: true)
        #expect(channel.status == .connecting)
        #expect(try channel.readLine() == "welcome")
        channel.close()
        thread.join()
    }

    // T11
    @Test func `no handler runs while a channel waits for its connection`() throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: true)
        let other = try DrivenEnds(on: reactor)
        try other.send("data")
        let calls = Box(0)
        other.channel.onReadable { channel in
            calls.value += 1
            channel.onReadable(nil)
        }
        channel.onWritable { channel in
            calls.value += 1
            channel.onWritable(nil)
        }
        channel.onDrained { _ in calls.value += 1 }
        reactor.after(.zero) { calls.value += 1 }
        reactor.handle.performOrFail { _ in }
        channel.options.highWaterMark = 0
        try channel.write("x")
        try channel.flush()
        #expect(channel.status == .open)
        #expect(channel.unsentByteCount == 0)
        #expect(calls.value == 0)
        reactor.expect("the handlers run later") { calls.value >= 3 }
        channel.close()
        other.channel.close()
    }

    // T11
    @Test(arguments: [0, 1, 2])
    func `a wait for a connection that is refused tells so once`(_ way: Int) throws {
        let address = try unusedAddress()
        let channel = try open(address, isBlocking: true)
        let refused = SocketError(.connect, .connectionRefused, at: address)
        switch way {
        case 0: #expect(throws: ChannelError.socket(refused)) { try channel.readLine() }
        case 1: #expect(throws: refused) { try channel.flush() }
        default: #expect(throws: ChannelError.socket(refused)) { try channel.write("x") }
        }
        #expect(channel.status == .failed)
        #expect(channel.endReason == .failed(refused))
        #expect(channel.takeError() == nil)
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        let broken = SocketError(.write, .brokenPipe, at: address)
        #expect(throws: ChannelError.socket(broken)) { try channel.write("x") }
        channel.close()
        #expect(channel.status == .closed)
    }

    // T12
    @Test func `a channel that does not wait is blocked until it is connected`() throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: false)
        try withoutWaiting { () throws in
            #expect(try channel.readLine() == nil)
            #expect(channel.isBlocked)
            #expect(!channel.isAtEnd)
            try channel.writeLine("queued")
            try channel.flush()
        }
        #expect(channel.status == .connecting)
        #expect(channel.unsentByteCount == 7)
        reactor.expect("it is connected and sends") { channel.unsentByteCount == 0 }
        #expect(channel.status == .open)
        channel.close()
        #expect(try received(by: listener) == "queued\n")
    }

    // T12
    @Test(arguments: [Buffering.turn, .full, .line, .none])
    func `what was queued goes out though the channel was closed`(_ buffering: Buffering) throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: false)
        channel.options.buffering = buffering
        try channel.write("last words")
        withoutWaiting { channel.close() }
        #expect(channel.status != .closed)
        #expect(try received(by: listener) == "last words")
        reactor.expect("it is closed") { channel.status == .closed }
    }

    // T11, T12
    @Test func `what was queued goes out before a blocking close returns`() throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: false)
        try channel.write("last words")
        channel.options.isBlocking = true
        channel.close()
        #expect(channel.status == .closed)
        #expect(try received(by: listener) == "last words")
    }

    // T11
    @Test func `nothing waits to close a channel that has nothing to send`() throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: true)
        let calls = CallCount()
        calls.count { channel.close() }
        #expect(calls.of(.poll) == 0)
        #expect(channel.status == .closed)
    }

    // T12
    @Test func `a refused connection is told once to a channel that does not wait`() throws {
        let address = try unusedAddress()
        let channel = try open(address, isBlocking: false)
        #expect(try channel.readLine() == nil)
        reactor.expect("it is decided") { channel.status != .connecting }
        let refused = SocketError(.connect, .connectionRefused, at: address)
        #expect(channel.status == .failed)
        #expect(throws: ChannelError.socket(refused)) { try channel.readLine() }
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        #expect(channel.takeError() == nil)
        channel.close()
    }

    // T12
    @Test func `a close before a connection is refused just ends the channel`() throws {
        let address = try unusedAddress()
        let channel = try open(address, isBlocking: false)
        let reasons = Box<[EndReason]>([])
        channel.onClose { reasons.value.append($1) }
        try channel.write("never read")
        channel.close()
        reactor.expect("it is closed") { !reasons.value.isEmpty }
        #expect(reasons.value.count == 1)
        #expect(channel.status == .closed)
    }

    // N3
    @Test func `a connecting channel has no names yet, and says that it is connecting`() throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: false)
        #expect(try channel.configuration(of: "-connecting") == "1")
        #expect(try channel.configuration(of: "-sockname") == "")
        #expect(try channel.configuration(of: "-peername") == "")
        reactor.expect("it is connected") { channel.status == .open }
        #expect(try channel.configuration(of: "-connecting") == "0")
        #expect(try channel.configuration(of: "-sockname") != "")
        #expect(try channel.configuration(of: "-peername") != "")
        channel.close()
    }

    // N3
    @Test func `asking for the error of a connection moves it on without a reactor's turn`() throws
    {
        let address = try unusedAddress()
        let channel = try open(address, isBlocking: false)
        let error = try #require(self.error(of: channel))
        #expect(error == SocketError(.connect, .connectionRefused, at: address))
        #expect(channel.status == .failed)
        #expect(channel.takeError() == nil)
        reactor.settle()
        #expect(channel.status == .failed)
        #expect(channel.endReason == .failed(error))
        channel.close()
    }

    // N3
    @Test func `asking for the error of a connection that is there finds it open`() throws {
        let listener = try Socket.listening()
        let channel = try open(listener.localAddress, isBlocking: false)
        #expect(error(of: channel) == nil)
        #expect(channel.status == .open)
        channel.close()
    }

    /// Asks again and again until the kernel has decided.
    private func error(of channel: Channel) -> SocketError? {
        for _ in 0..<1_000 {
            if let error = channel.takeError() { return error }
            sched_yield()
        }
        return nil
    }
}
