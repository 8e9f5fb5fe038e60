// SPDX-License-Identifier: Apache-2.0
//
// Channels that wait by themselves: without a reactor, or on one and blocking.
// The peer is a thread of its own, or has done its part before.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// A client on a thread of its own, and the channel that was accepted from it.
func withClient(
    options: ChannelOptions = .init(), _ client: @escaping @Sendable (Channel) throws -> Void,
    serving body: (Channel) throws -> Void
) throws {
    let server = try ServerSocket(at: .loopback(port: 0))
    let address = server.address
    let thread = OtherThread {
        do {
            let channel = try Channel.connected(to: address)
            try client(channel)
            channel.close()
        } catch {
            Issue.record(error)
        }
    }
    defer { thread.join() }
    let channel = try server.accept(options: options)
    // Whatever happens, the client must not wait for ever.
    defer { channel.close() }
    try body(channel)
}

extension Channel {
    /// Reads bytes to the end, and says how many came.
    func countToEnd() throws -> Int {
        var count = 0
        while case .bytes(let more) = try read({ _ in }) { count += more }
        return count
    }
}

@Suite(.countingDescriptors)
struct BlockingChannels {
    // K3, T29
    @Test func `a read waits for its line`() throws {
        try withClient { (client) throws in
            for piece in ["he", "l", "lo\r", "\nnext", "\n"] { try client.write(piece) }
        } serving: { (channel) throws in
            #expect(try channel.readLine() == "hello")
            #expect(try channel.readLine() == "next")
            #expect(!channel.isBlocked)
            #expect(try channel.readLine() == nil)
            #expect(channel.isAtEnd)
        }
    }

    // K3, A8
    @Test func `a read waits until it has all its characters`() throws {
        try withClient { (client) throws in
            for piece in ["a", "€", "bc", "d"] { try client.write(piece) }
        } serving: { (channel) throws in
            #expect(try channel.read(characters: 4) == "a€bc")
            #expect(try channel.read(characters: 4) == "d")
            #expect(channel.isAtEnd)
        }
    }

    // K3
    @Test func `a read of bytes waits for some`() throws {
        try withClient {
            try $0.write("x")
        } serving: { (channel) throws in
            #expect(try channel.readBytes(upTo: 100) == [0x78])
            #expect(try channel.readBytes(upTo: 100) == [])
            #expect(channel.isAtEnd)
        }
    }

    // A12
    @Test func `whether more comes is waited for`() throws {
        try withClient { (client) throws in
            #expect(try client.readLine() == "go on")
            try client.write("x")
            #expect(try client.readLine() == "stop")
        } serving: { (channel) throws in
            try channel.writeLine("go on")
            #expect(try channel.hasMore())
            #expect(try channel.read(characters: 1) == "x")
            try channel.writeLine("stop")
            #expect(try !channel.hasMore())
        }
    }

    // K13
    @Test func `a write waits for a slow reader`() throws {
        let count = Tally()
        let pieces = 100
        try withClient { (client) throws in
            while case .bytes(let more) = try client.read(upTo: 5_000, { _ in }) { count.add(more) }
        } serving: { (channel) throws in
            let piece = [UInt8](repeating: 1, count: 50_000)
            for _ in 0..<pieces {
                #expect(try channel.write(piece) == .accepted)
                #expect(channel.unsentByteCount == 0)
            }
        }
        #expect(count.value == pieces * 50_000)
    }

    // K13, K14, K20
    @Test func `what was queued waits no more once the channel blocks`() throws {
        let ends = try ConnectionEnds(on: Reactor())
        let channel = ends.channel
        channel.onDrained { _ in wrongly() }
        channel.onWritable { _ in wrongly() }
        ends.reactor.after(.zero) { wrongly() }
        let count = try ends.fill()
        channel.options.highWaterMark = 10
        channel.options.lowWaterMark = 0
        #expect(try channel.writeLine("and a line of text") == .aboveMark)
        channel.options.isBlocking = true
        let received = Tally()
        let reader = try ReadingThread(ends, received)
        try channel.flush()
        #expect(channel.unsentByteCount == 0)
        channel.close()
        #expect(channel.status == .closed)
        reader.join()
        #expect(received.value == count + 19)
    }

    // K20
    @Test(arguments: [false, true])
    func `a close waits until everything is delivered`(_ isHeldBack: Bool) throws {
        let count = Tally()
        var options = ChannelOptions()
        options.buffering = isHeldBack ? .full : .none
        options.bufferByteCount = 1_048_576
        try withClient(options: options) {
            count.add(try $0.countToEnd())
        } serving: { (channel) throws in
            for _ in 0..<60 { try channel.write([UInt8](repeating: 1, count: 50_000)) }
            #expect((channel.unsentByteCount > 0) == isHeldBack)
            channel.close()
            #expect(channel.status == .closed)
            #expect(channel.endReason == .local)
            #expect(channel.unsentByteCount == 0)
        }
        #expect(count.value == 3_000_000)
    }

    // K20
    @Test func `a close on a reactor waits until everything is delivered`() throws {
        let ends = try ConnectionEnds(on: Reactor())
        let count = try ends.fill()
        ends.channel.options.isBlocking = true
        let received = Tally()
        let reader = try ReadingThread(ends, received)
        ends.channel.close()
        #expect(ends.channel.status == .closed)
        reader.join()
        #expect(received.value == count)
        ends.reactor.settle()
        #expect(ends.endReasons == [.local])
    }

    // K20
    @Test func `a close waits no longer than it may linger`() throws {
        let ends = try ConnectionEnds(on: Reactor())
        try ends.fill()
        ends.channel.options.isBlocking = true
        ends.channel.options.lingerLimit = .milliseconds(20)
        ends.channel.close()
        ends.reactor.expect("the channel gives up") { ends.endReasons == [.timedOut(.linger)] }
    }

    // K20
    @Test func `a channel that stands alone lingers no longer than it may`() throws {
        var options = ChannelOptions()
        options.buffering = .full
        options.bufferByteCount = 1_048_576
        options.lingerLimit = .milliseconds(20)
        let ends = try DrivenEnds(.alone, options: options)
        try ends.channel.write([UInt8](repeating: 1, count: 1_000_000))
        ends.channel.close()
        #expect(ends.channel.status == .closed)
        #expect(ends.channel.endReason == .timedOut(.linger))
    }

    // K20
    @Test(arguments: [Driving.blocking, .alone])
    func `unread input at a close resets nothing`(_ driving: Driving) throws {
        var options = ChannelOptions()
        options.lingerLimit = .milliseconds(20)
        options.isBlocking = true
        let reactor = try Reactor()
        let channel: Channel
        let peer: Socket
        if driving == .alone {
            let server = try ServerSocket(at: .loopback(port: 0))
            peer = try Socket.connecting(to: server.address)
            channel = try server.accept(options: options)
        } else {
            let ends = try ConnectionEnds(on: reactor, options: options)
            guard let socket = ends.peer.take() else { throw Mishap() }
            peer = socket
            channel = ends.channel
        }
        try peer.sendAll("a request that nobody reads")
        try channel.write("answer")
        channel.close()
        #expect(channel.status == .closed)
        #expect(try peer.receiveNow()?.text == "answer")
        #expect(try peer.receiveNow() == nil)
    }
}

/// A thread that reads a connection's peer to its end.
final class ReadingThread {
    private let thread: OtherThread

    init(_ ends: ConnectionEnds, _ count: Tally) throws {
        guard let socket = ends.peer.take() else { throw Mishap() }
        let number = socket.release().release()
        thread = OtherThread {
            let descriptor = Descriptor(adopting: number)
            var bytes = [UInt8](repeating: 0, count: 10_000)
            while true {
                var question = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
                if poll(&question, 1, 20_000) != 1 { break }
                let more = read(descriptor.number, &bytes, bytes.count)
                if more <= 0 { break }
                count.add(more)
            }
        }
    }

    func join() { thread.join() }
}
