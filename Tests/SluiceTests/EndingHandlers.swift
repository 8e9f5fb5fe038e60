// SPDX-License-Identifier: Apache-2.0
//
// When handlers are called no more: after the close of their channel, by others or by themselves,
// and after they have thrown (K25, K26).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct EndingHandlers: ConnectionSuite {
    let ends: ConnectionEnds

    /// Collects what handlers throw.
    private func collectErrors() -> Box<[String]> {
        let errors = Box<[String]>([])
        reactor.onError = { error, channel in
            errors.value.append(
                "\(error is Mishap ? "mishap" : "\(error)") \(channel?.status ?? .open)")
        }
        return errors
    }

    // MARK: K25, handlers end with the channel

    // K25
    @Test func `handlers vanish at the close`() throws {
        let calls = Box(0)
        channel.onReadable { _ in calls.value += 1 }
        channel.onWritable { _ in calls.value += 1 }
        channel.onPeerClosed { _ in calls.value += 1 }
        try ends.peer?.sendAll("x")
        ends.peer = nil
        channel.close()
        #expect(channel.handled == [])
        reactor.settle()
        #expect(calls.value == 0)
    }

    // K25
    @Test func `handlers vanish although output still goes out`() throws {
        let calls = Box(0)
        try ends.fill()
        channel.onReadable { _ in calls.value += 1 }
        channel.onWritable { _ in calls.value += 1 }
        channel.onDrained { _ in calls.value += 1 }
        channel.close()
        #expect(channel.status == .closing)
        #expect(channel.handled == [])
        try ends.peer?.sendAll("x")
        _ = try ends.receiveAll()
        #expect(calls.value == 0)
    }

    @Test func `no handler can be installed on a closed channel`() {
        channel.close()
        channel.onReadable { _ in }
        channel.onBytes { _, _ in }
        channel.onWritable { _ in }
        channel.onPeerClosed { _ in }
        #expect(channel.handled == [])
    }

    // K25
    @Test func `an event that was found before its channel was closed does not arrive`() throws {
        let others = try ConnectionEnds(on: reactor)
        let calls = Box(0)
        for (mine, other) in [(channel, others.channel), (others.channel, channel)] {
            mine.onReadable { _ in
                calls.value += 1
                other.close()
                try mine.read { _ in }
            }
        }
        try ends.peer?.sendAll("x")
        try others.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == 1)
    }

    // K25
    @Test func `a new channel with the number of a closed one gets none of its events`() throws {
        let others = try ConnectionEnds(on: reactor)
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let calls = Box(0)
        let stale = Box(0)
        let successor = Box<Channel?>(nil)
        for (mine, other) in [(ends, others), (others, ends)] {
            mine.channel.onReadable { [unowned reactor, unowned other] channel in
                calls.value += 1
                try channel.read { _ in }
                let number = other.channel.socket?.number
                other.channel.abort()
                let new = try Channel(adopting: .connecting(to: address), on: reactor)
                #expect(new.socket?.number == number)
                new.onReadable { _ in stale.value += 1 }
                successor.value = new
            }
        }
        try ends.peer?.sendAll("x")
        try others.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == 1)
        #expect(stale.value == 0)
        successor.value?.close()
    }

    // MARK: K26, handlers that throw

    // K26
    @Test func `a readable handler that throws is taken away and the writable one stays`() throws {
        let errors = collectErrors()
        let writable = Box(0)
        channel.onWritable { _ in writable.value += 1 }
        channel.onReadable { _ in throw Mishap() }
        try ends.peer?.sendAll("x")
        reactor.expect("the error is told") { !errors.value.isEmpty }
        #expect(channel.handled == .writable)
        let before = writable.value
        reactor.settle()
        #expect(errors.value == ["mishap open"])
        #expect(writable.value > before)
    }

    @Test func `a channel whose only handler threw closes when its peer goes`() throws {
        let errors = collectErrors()
        channel.onReadable { _ in throw Mishap() }
        try ends.peer?.sendAll("x")
        reactor.expect("the error is told") { !errors.value.isEmpty }
        reactor.settle()
        #expect(channel.status == .open)
        ends.peer = nil
        reactor.expect("it closes") { channel.status == .closed }
    }

    @Test func `a channel whose only handler throws after its peer has gone closes`() throws {
        let errors = collectErrors()
        ends.peer = nil
        channel.onReadable { channel in
            try channel.read { _ in }
            throw Mishap()
        }
        reactor.expect("it closes") { channel.status == .closed }
        #expect(errors.value == ["mishap peerClosed"])
    }

    // K26
    @Test func `a writable handler that throws is taken away and the readable one stays`() throws {
        let errors = collectErrors()
        let text = Box("")
        channel.onReadable { channel in try channel.read { text.value += $0.text } }
        channel.onWritable { _ in throw Mishap() }
        reactor.expect("the error is told") { !errors.value.isEmpty }
        #expect(channel.handled == .readable)
        try ends.peer?.sendAll("x")
        reactor.expect("the other handler is called") { text.value == "x" }
        #expect(errors.value == ["mishap open"])
    }

    // K26
    @Test func `the error of a handler that has closed its channel is told as well`() throws {
        let errors = collectErrors()
        channel.onReadable { channel in
            channel.close()
            throw Mishap()
        }
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(errors.value.count == 1)
        #expect(errors.value.first?.hasPrefix("mishap") == true)
        #expect(ends.endReasons == [.local])
    }

    @Test func `an onBytes handler that throws closes its channel`() throws {
        let errors = collectErrors()
        channel.onBytes { _, _ in throw Mishap() }
        try ends.peer?.sendAll("x")
        reactor.expect("the channel closes") { ends.endReasons == [.local] }
        #expect(errors.value == ["mishap open"])
    }

    @Test func `an onDrained handler that throws is taken away and the rest stays`() throws {
        let errors = collectErrors()
        var options = channel.options
        options.highWaterMark = 1
        options.lowWaterMark = 0
        channel.options = options
        channel.onDrained { _ in throw Mishap() }
        channel.onReadable { _ in }
        for _ in 0..<2 {
            _ = try ends.receive(ends.fill())
            reactor.settle()
        }
        #expect(errors.value.count == 1)
        #expect(channel.handled == .readable)
    }

    // MARK: Closing from inside

    @Test func `a handler may close its own channel`() throws {
        let order = Box("")
        channel.onWritable { _ in order.value += "w" }
        channel.onReadable { channel in
            order.value += "r"
            channel.close()
        }
        try ends.peer?.sendAll("x")
        reactor.runPending()
        reactor.settle()
        #expect(order.value == "r")
        #expect(ends.endReasons == [.local])
    }

    @Test func `an onBytes handler may close its own channel before more is delivered`() throws {
        let calls = Box(0)
        channel.onBytes { channel, _ in
            calls.value += 1
            channel.close()
        }
        let flood = [UInt8](repeating: 7, count: 200_000)
        guard case .bytes(let count)? = try ends.peer?.send(flood.span.bytes) else { return }
        #expect(count > Reactor.scratchByteCount)
        reactor.settle()
        #expect(calls.value == 1)
        #expect(ends.endReasons == [.local])
    }

    @Test func `a handler may run the reactor and its channel be closed meanwhile`() throws {
        let order = Box("")
        channel.onReadable { [unowned reactor] channel in
            try channel.read { _ in }
            order.value += "("
            reactor.run(until: { channel.status == .closed })
            order.value += ")"
        }
        reactor.after(.milliseconds(1)) { [unowned ends] in
            order.value += "close"
            ends.channel.close()
        }
        try ends.peer?.sendAll("x")
        reactor.expect("both have run") { order.value == "(close)" }
        #expect(channel.handled == [])
    }
}
