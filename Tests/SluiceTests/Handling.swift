// SPDX-License-Identifier: Apache-2.0
//
// The rules of handlers: when they are called, in which order, and when not any more (K24 to K30).
// Here is also the pair of ends that most tests of channels hold.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Both ends of a loopback connection: a channel, and the bare socket that a test moves by hand.
final class ConnectionEnds {
    let reactor: Reactor
    let channel: Channel
    var peer: Socket?
    /// The reason that the channel told, and how often it did.
    private(set) var endReasons: [EndReason] = []

    /// - Parameter smallBuffers: has the kernel hold only some kilobytes each way.
    init(
        on reactor: Reactor, options: ChannelOptions = .init(), smallBuffers: Bool = false
    ) throws {
        let any = SocketAddress.loopback(port: 0)
        let listener = try Socket(for: any)
        try listener.set(.noDelay, to: true)
        if smallBuffers { try listener.set(.sendBufferByteCount, to: 4_096) }
        try listener.bind(to: any)
        try listener.listen(backlog: 8)
        let address = try listener.localAddress
        let peer = try Socket(for: address)
        try peer.set(.noDelay, to: true)
        if smallBuffers { try peer.set(.receiveBufferByteCount, to: 4_096) }
        _ = try peer.connect(to: address)
        var tries = 0
        var accepted = try listener.accept()
        while accepted == nil, tries < 1_000_000 {
            sched_yield()
            tries += 1
            accepted = try listener.accept()
        }
        guard let socket = accepted.take()?.intoSocket() else {
            throw SocketError(.accept, .wouldBlock, at: address)
        }
        self.reactor = reactor
        self.peer = consume peer
        channel = try Channel(adopting: socket, on: reactor, options: options)
        channel.onClose { [weak self] _, reason in self?.endReasons.append(reason) }
    }

    /// The number of the channel's descriptor.
    var number: CInt? { channel.socket?.number }

    /// Runs the reactor until the peer has got this many bytes, or met the end of its input.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while bytes.count < count, ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try peer?.receiveNow() else { break }
            bytes += more
        }
        return bytes
    }

    /// Runs the reactor until the peer has met the end of its input, and gives what came before it.
    func receiveAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try peer?.receiveNow() else { return bytes }
            bytes += more
        }
        Issue.record("the peer did not meet the end of its input")
        return bytes
    }

    /// The peer closes, with a reset.
    func resetByPeer() throws {
        try peer?.resetOnClose()
        peer = nil
    }

    /// Fills the connection until bytes are queued in the channel.
    @discardableResult
    func fill() throws -> Int {
        let piece = [UInt8](repeating: 0x66, count: 20_000)
        var count = 0
        while channel.unsentByteCount == 0, count < 100_000_000 {
            try channel.write(piece)
            try channel.flush()
            count += piece.count
        }
        return count
    }
}

extension RawSpan {
    /// The bytes as UTF-8 text.
    var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    /// A copy.
    var array: [UInt8] { withUnsafeBytes { Array($0) } }
}

extension Channel {
    /// Writes a text.
    @discardableResult
    func write(text: String) throws(SocketError) -> WriteResult { try write(Array(text.utf8)) }
}

private struct Mishap: Error, Equatable {}

@Suite(.countingDescriptors)
struct Handling {
    let reactor: Reactor
    let ends: ConnectionEnds
    var channel: Channel { ends.channel }

    init() throws {
        reactor = try Reactor()
        ends = try ConnectionEnds(on: reactor)
    }

    /// Collects what handlers throw.
    private func collectErrors() -> Box<[String]> {
        let errors = Box<[String]>([])
        reactor.onError = { error, channel in
            errors.value.append(
                "\(error is Mishap ? "mishap" : "\(error)") \(channel?.status ?? .open)")
        }
        return errors
    }

    // MARK: K24, one of each

    @Test func `a channel is born without handlers`() {
        #expect(channel.handled == [])
    }

    @Test func `handled tells which handlers are installed`() {
        channel.onReadable { _ in }
        #expect(channel.handled == .readable)
        channel.onWritable { _ in }
        channel.onPeerClosed { _ in }
        #expect(channel.handled == [.readable, .writable, .peerClosed])
        channel.onReadable(nil)
        #expect(channel.handled == [.writable, .peerClosed])
        channel.onBytes { _, _ in }
        channel.onWritable(nil)
        channel.onPeerClosed(nil)
        #expect(channel.handled == .readable)
    }

    @Test func `a second readable handler replaces the first`() throws {
        let calls = Box("")
        channel.onReadable { _ in calls.value += "1" }
        channel.onReadable { channel in
            calls.value += "2"
            try channel.read { _ in }
        }
        try ends.peer?.sendAll("x")
        reactor.expect("the handler is called") { !calls.value.isEmpty }
        #expect(calls.value == "2")
    }

    @Test func `a second writable handler replaces the first`() {
        let calls = Box("")
        channel.onWritable { _ in calls.value += "1" }
        channel.onWritable { channel in
            calls.value += "2"
            channel.onWritable(nil)
        }
        reactor.settle()
        #expect(calls.value == "2")
    }

    @Test func `onBytes replaces onReadable`() throws {
        let calls = Box("")
        channel.onReadable { _ in calls.value += "readable" }
        channel.onBytes { _, bytes in calls.value += bytes.text }
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == "x")
    }

    @Test func `onReadable replaces onBytes`() throws {
        let calls = Box("")
        channel.onBytes { _, _ in calls.value += "bytes" }
        channel.onReadable { channel in try channel.read { calls.value += $0.text } }
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == "x")
    }

    @Test func `a handler that was taken away is not called`() throws {
        let calls = Box(0)
        channel.onReadable { _ in calls.value += 1 }
        channel.onWritable { _ in calls.value += 1 }
        channel.onReadable(nil)
        channel.onWritable(nil)
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `taking the readable handler away leaves the writable one`() throws {
        let calls = Box("")
        channel.onReadable { _ in calls.value += "r" }
        channel.onWritable { channel in
            calls.value += "w"
            channel.onWritable(nil)
        }
        channel.onReadable(nil)
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(calls.value == "w")
    }

    // MARK: K25, handlers end with the channel

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

    @Test func `a new channel with the number of a closed one gets none of its events`() throws {
        let others = try ConnectionEnds(on: reactor)
        let any = SocketAddress.loopback(port: 0)
        let listener = try Socket(for: any)
        try listener.bind(to: any)
        try listener.listen(backlog: 1)
        let address = try listener.localAddress
        let calls = Box(0)
        let stale = Box(0)
        let successor = Box<Channel?>(nil)
        for (mine, other) in [(ends, others), (others, ends)] {
            mine.channel.onReadable { [unowned reactor, unowned other] channel in
                calls.value += 1
                try channel.read { _ in }
                let number = other.number
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

    // MARK: K27, readable

    @Test func `a channel is readable for as long as bytes wait`() throws {
        let calls = Box(0)
        let text = Box("")
        channel.onReadable { channel in
            calls.value += 1
            if calls.value > 3 { try channel.read { text.value += $0.text } }
        }
        try ends.peer?.sendAll("abc")
        reactor.expect("the bytes are read") { text.value == "abc" }
        let before = calls.value
        reactor.settle()
        #expect(calls.value == before)
    }

    @Test func `bytes that were read and left count as readable`() throws {
        let text = Box("")
        channel.onReadable { channel in
            // The parser leaves all; reading one byte says that the rest is wanted after all.
            if channel.unreadByteCount == 0 { try channel.parse { _ in 0 } }
            try channel.read(upTo: 1) { text.value += $0.text }
        }
        try ends.peer?.sendAll("abc")
        reactor.settle()
        #expect(text.value == "abc")
    }

    @Test func `bytes that were left count as readable also after a read outside the handler`()
        throws
    {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            try channel.parse { _ in 0 }
        }
        try ends.peer?.sendAll("abc")
        reactor.settle()
        #expect(calls.value == 1)
        try channel.read(upTo: 1) { #expect($0.text == "a") }
        reactor.settle()
        #expect(calls.value == 2)
    }

    @Test func `an incomplete message keeps quiet until more bytes come`() throws {
        let seen = Box<[String]>([])
        channel.onReadable { channel in
            try channel.parse { bytes in
                seen.value.append(bytes.text)
                return bytes.text.hasSuffix("\n") ? bytes.byteCount : 0
            }
        }
        try ends.peer?.sendAll("he")
        reactor.settle()
        #expect(seen.value == ["he"])
        try ends.peer?.sendAll("llo\n")
        reactor.settle()
        #expect(seen.value == ["he", "hello\n"])
        #expect(channel.unreadByteCount == 0)
    }

    @Test func `a handler installed on an incomplete message is not called for it`() throws {
        try ends.peer?.sendAll("he")
        try channel.parse { _ in 0 }
        let calls = Box(0)
        channel.onReadable { _ in calls.value += 1 }
        reactor.settle()
        #expect(calls.value == 0)
    }

    @Test func `the end of the input is readable again and again until it is dealt with`() {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            let result = try channel.read { _ in }
            #expect(result == .endOfStream)
        }
        ends.peer = nil
        reactor.settle(passes: 10)
        #expect(calls.value >= 9)
        #expect(channel.status == .peerClosed)
    }

    @Test func `a reset is readable again and again until it is dealt with`() throws {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            let result = try channel.read { _ in }
            #expect(result == .endOfStream)
        }
        try ends.resetByPeer()
        reactor.settle(passes: 10)
        #expect(calls.value >= 9)
        #expect(channel.endReason == .reset)
    }

    @Test func `a failed write makes the channel readable`() throws {
        var told: [String] = []
        let calls = Box(0)
        try ends.resetByPeer()
        try channel.write(text: "lost")
        reactor.runPending()
        channel.onReadable { channel in
            calls.value += 1
            channel.onReadable(nil)
        }
        reactor.settle()
        #expect(calls.value == 1)
        do { try channel.read { _ in } } catch { told.append("\(error)") }
        #expect(told.count == 1)
    }

    // MARK: K28, writable

    @Test func `an idle channel is writable again and again`() {
        let calls = Box(0)
        channel.onWritable { _ in calls.value += 1 }
        reactor.settle(passes: 10)
        #expect(calls.value >= 9)
    }

    @Test func `the writable handler is held back while output is queued`() throws {
        let calls = Box(0)
        let count = try ends.fill()
        channel.onWritable { channel in
            calls.value += 1
            #expect(channel.unsentByteCount == 0)
        }
        reactor.settle()
        #expect(calls.value == 0)
        #expect(try ends.receive(count).count == count)
        reactor.expect("the channel is writable") { calls.value > 0 }
    }

    @Test func `an error makes the channel writable`() throws {
        let calls = Box(0)
        try ends.fill()
        channel.onWritable { channel in
            calls.value += 1
            channel.close()
        }
        try ends.resetByPeer()
        reactor.expect("the handler is called") { calls.value == 1 }
        reactor.settle()
        #expect(ends.endReasons == [.reset])
    }

    // MARK: K30, order

    @Test func `the newer handler runs first`() throws {
        for writableIsNewer in [true, false] {
            let order = Box("")
            let readable = { (channel: Channel) in
                order.value += "r"
                try channel.read { _ in }
                channel.onReadable(nil)
            }
            let writable = { (channel: Channel) in
                order.value += "w"
                channel.onWritable(nil)
            }
            if !writableIsNewer { channel.onWritable(writable) }
            channel.onReadable(readable)
            if writableIsNewer { channel.onWritable(writable) }
            try ends.peer?.sendAll("x")
            reactor.settle()
            #expect(order.value == (writableIsNewer ? "wr" : "rw"))
        }
    }

    @Test func `taking the other handler away from inside prevents it in the same pass`() throws {
        for writableIsNewer in [true, false] {
            let order = Box("")
            let readable = { (channel: Channel) in
                order.value += "r"
                channel.onWritable(nil)
                try channel.read { _ in }
            }
            let writable = { (channel: Channel) in
                order.value += "w"
                channel.onReadable(nil)
                channel.onWritable(nil)
            }
            if !writableIsNewer { channel.onWritable(writable) }
            channel.onReadable(readable)
            if writableIsNewer { channel.onWritable(writable) }
            try ends.peer?.sendAll("x")
            reactor.settle()
            #expect(order.value == (writableIsNewer ? "w" : "r"))
            try channel.read { _ in }
            channel.onReadable(nil)
        }
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
