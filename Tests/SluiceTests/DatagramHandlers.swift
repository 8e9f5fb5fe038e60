// SPDX-License-Identifier: Apache-2.0
//
// What handlers of a datagram channel may do in the middle of a batch: close, pause, throw, send,
// give way to another, and run the reactor. Nothing is lost by it, told twice or out of order.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct DatagramHandlers {
    let reactor: Reactor
    let channel: DatagramChannel
    let peer: HeldSocket
    /// What the channel's handlers were told, in order.
    let texts = Box<[String]>([])

    init() throws {
        reactor = try Reactor()
        channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        peer = HeldSocket(try .datagrams())
    }

    /// Sends the numbers from `first` on, one a datagram.
    private func send(_ numbers: Range<Int>) throws {
        let address = try channel.localAddress
        for number in numbers { try peer.socket.send("\(number)", to: address) }
    }

    /// Notes what comes, and then does more with the channel and the count of what has come.
    private func hear(_ more: @escaping (DatagramChannel, Int) throws -> Void = { _, _ in }) {
        // Not the suite: it has the reactor, and that has the handler.
        let texts = texts
        channel.onDatagram { channel, bytes, _ in
            let text = bytes.text
            texts.value.append(text)
            defer {
                let after = bytes.text
                #expect(after == text, "what is lent stays until the handler returns")
            }
            try more(channel, texts.value.count)
        }
    }

    private func expectAll(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        reactor.expect("all come", sourceLocation: sourceLocation) { texts.value.count >= count }
        reactor.settle()
        #expect(texts.value == (0..<count).map(String.init), sourceLocation: sourceLocation)
    }

    // MARK: Closing

    @Test func `closing inside the handler ends it all, and is told once`() throws {
        var closeCount = 0
        channel.onClose { channel in
            closeCount += 1
            #expect(!channel.isOpen)
            channel.close()
        }
        hear { channel, _ in
            channel.close()
            channel.close()
        }
        try send(0..<5)
        reactor.settle()
        #expect(texts.value == ["0"])
        #expect(closeCount == 1)
    }

    // N40
    @Test func `throwing after closing is told all the same`() throws {
        var errors = 0
        reactor.onError = { error, _ in errors += error is Mishap ? 1 : 0 }
        channel.onDatagram { channel, _, _ in
            channel.close()
            throw Mishap()
        }
        try send(0..<3)
        reactor.settle()
        #expect(errors == 1)
    }

    @Test func `closing another channel takes back what it was to be told`() throws {
        let other = try DatagramRecord(on: reactor)
        let channel = channel
        channel.onDatagram { _, _, _ in other.channel.close() }
        other.channel.onDatagram { _, _, _ in channel.close() }
        try send(0..<1)
        try peer.socket.send("x", to: try other.address)
        reactor.settle()
        #expect(channel.isOpen != other.channel.isOpen)
    }

    @Test func `what was held back goes with a channel that closes`() throws {
        hear { channel, _ in channel.pauseReceiving() }
        try send(0..<5)
        reactor.settle()
        channel.close()
        channel.resumeReceiving()
        reactor.settle()
        #expect(texts.value == ["0"])
    }

    @Test func `a channel that closes lets go of its handlers`() throws {
        weak var held: Box<Int>?
        do {
            let box = Box(0)
            held = box
            channel.onDatagram { _, _, _ in box.value += 1 }
            channel.onError { _, _ in box.value += 1 }
            channel.onDrained { _ in box.value += 1 }
            channel.onClose { _ in box.value += 1 }
        }
        #expect(held != nil)
        channel.close()
        #expect(held == nil)
    }

    // MARK: Pausing

    @Test func `the rest of a batch waits until receiving goes on, in order`() throws {
        hear { channel, count in
            if count == 3 { channel.pauseReceiving() }
        }
        try send(0..<20)
        reactor.settle()
        #expect(texts.value == ["0", "1", "2"])
        #expect(reactor.turnCount() < 5)
        try send(20..<40)
        reactor.settle()
        #expect(texts.value.count == 3)
        channel.resumeReceiving()
        #expect(texts.value.count == 3, "nobody is called in the middle of a call")
        expectAll(40)
        #expect(channel.counters.datagramsReceived == 40)
    }

    @Test func `one at a time is a way to receive, too`() throws {
        hear { channel, _ in channel.pauseReceiving() }
        try send(0..<40)
        for count in 1...40 {
            reactor.settle(passes: 3)
            #expect(texts.value.count == count)
            channel.resumeReceiving()
        }
        expectAll(40)
    }

    @Test func `pausing and going on in one handler changes nothing`() throws {
        hear { channel, _ in
            channel.pauseReceiving()
            channel.resumeReceiving()
        }
        try send(0..<40)
        expectAll(40)
    }

    // MARK: Throwing

    // N40
    @Test func `what a handler throws is told, and the next datagram comes all the same`() throws {
        let errors = Box<[String]>([])
        reactor.onError = { error, _ in errors.value.append("\(error)") }
        hear { _, _ in throw Mishap() }
        try send(0..<5)
        expectAll(5)
        #expect(errors.value == Array(repeating: "Mishap()", count: 5))
    }

    @Test func `a handler that pauses and throws loses nothing`() throws {
        reactor.onError = { _, _ in }
        hear { channel, _ in
            channel.pauseReceiving()
            throw Mishap()
        }
        try send(0..<3)
        for _ in 0..<3 {
            reactor.settle(passes: 3)
            channel.resumeReceiving()
        }
        expectAll(3)
    }

    // MARK: Giving way

    @Test func `another handler takes over in the middle of a batch`() throws {
        let texts = texts
        hear { channel, _ in
            channel.onDatagram { _, bytes, _ in texts.value.append("new " + bytes.text) }
        }
        try send(0..<3)
        reactor.expect("all come") { texts.value.count == 3 }
        #expect(texts.value == ["0", "new 1", "new 2"])
    }

    @Test func `a handler that goes leaves the rest to the next one`() throws {
        hear { channel, _ in channel.onDatagram(nil) }
        try send(0..<40)
        reactor.settle()
        #expect(texts.value == ["0"])
        #expect(reactor.turnCount() < 5)
        hear()
        #expect(texts.value == ["0"], "nobody is called in the middle of a call")
        expectAll(40)
    }

    @Test func `a handler that comes to a paused channel waits`() throws {
        hear { channel, _ in
            channel.pauseReceiving()
            channel.onDatagram(nil)
        }
        try send(0..<3)
        reactor.settle()
        hear()
        reactor.settle()
        #expect(texts.value == ["0"])
        channel.resumeReceiving()
        expectAll(3)
    }

    // MARK: Running the reactor

    /// Has the handler of the first datagram run the reactor until `count` have come in all.
    private func runInside(until count: Int) -> Box<Bool?> {
        let result = Box<Bool?>(nil)
        // Unowned: a reactor that a handler holds would hold that handler.
        let texts = texts
        hear { [unowned reactor = reactor] _, place in
            guard place == 1 else { return }
            var isLate = false
            let limit = reactor.after(.seconds(2)) { isLate = true }
            reactor.run { isLate || texts.value.count >= count }
            limit.cancel()
            result.value = !isLate
        }
        return result
    }

    @Test func `a handler may wait for the rest of its own batch`() throws {
        let hasCome = runInside(until: 5)
        try send(0..<5)
        expectAll(5)
        #expect(hasCome.value == true, "the rest of the batch came only after the handler")
    }

    @Test func `what comes meanwhile is told behind the rest of the batch`() throws {
        let hasCome = runInside(until: 80)
        // More than one batch, so that the inner run finds some in the kernel.
        try send(0..<80)
        expectAll(80)
        #expect(hasCome.value == true)
    }

    @Test func `a run inside a run inside a handler keeps the order`() throws {
        hear { [unowned reactor = reactor] _, count in
            if count < 5 { reactor.runPending() }
        }
        try send(0..<40)
        expectAll(40)
    }

    @Test func `an inner run that pauses holds the outer batch, too`() throws {
        hear { [unowned reactor = reactor] channel, count in
            if count > 1 { return }
            reactor.runPending()
            channel.pauseReceiving()
        }
        try send(0..<40)
        reactor.settle()
        let count = texts.value.count
        reactor.settle()
        #expect(texts.value.count == count)
        channel.resumeReceiving()
        expectAll(40)
    }

    @Test func `a channel may be closed by an inner run`() throws {
        hear { [unowned reactor = reactor] channel, _ in
            reactor.after(.zero) { channel.close() }
            reactor.run { !channel.isOpen }
        }
        try send(0..<40)
        reactor.settle()
        #expect(texts.value.first == "0")
        #expect(!channel.isOpen)
    }

    // MARK: Sending

    // N40
    @Test func `answers to a batch leave together`() throws {
        channel.onDatagram { channel, bytes, info in try channel.send(bytes, to: info.sender) }
        try send(0..<20)
        reactor.expect("all are answered") { channel.counters.datagramsSent == 20 }
        #expect(channel.counters.sends == 1)
        #expect(try peer.socket.receiveTexts() == (0..<20).map(String.init))
    }

    @Test func `what is sent before an inner run goes with it`() throws {
        let (peer, texts) = (peer, texts)
        channel.onDatagram { [unowned reactor = reactor] channel, bytes, info in
            try channel.send(bytes, to: info.sender)
            reactor.runPending()
            texts.value += try peer.socket.receiveTexts()
        }
        try send(0..<1)
        expectAll(1)
    }

    @Test func `a last word is sent by a channel that closes`() throws {
        channel.onDatagram { channel, bytes, info in
            try channel.send(bytes, to: info.sender)
            channel.close()
        }
        try send(0..<1)
        reactor.settle()
        #expect(try peer.socket.receiveTexts() == ["0"])
    }

    // MARK: Watching

    @Test func `a socket that can't be watched is told and closed`() throws {
        var errors: [String] = []
        reactor.onError = { error, _ in errors.append("\(error)") }
        var closeCount = 0
        channel.onClose { _ in closeCount += 1 }
        SystemCall.failing(.watch, with: .noMemory) { channel.onDatagram { _, _, _ in wrongly() } }
        #expect(errors == ["watch: Cannot allocate memory"])
        #expect(closeCount == 1)
        #expect(!channel.isOpen)
    }

    @Test func `the end of a replaced handler may close the channel`() throws {
        final class Closing {
            let channel: DatagramChannel
            init(_ channel: DatagramChannel) { self.channel = channel }
            deinit { channel.close() }
        }
        func hold(_ closing: Closing) {}
        for place in 0..<4 {
            let channel = try DatagramChannel(on: reactor, at: .loopback(port: 0))
            var closing: Closing? = Closing(channel)
            if let closing {
                switch place {
                case 0: channel.onError { _, _ in hold(closing) }
                case 1: channel.onDrained { _ in hold(closing) }
                case 2: channel.onClose { _ in hold(closing) }
                default: channel.onDatagram { _, _, _ in hold(closing) }
                }
            }
            closing = nil
            #expect(channel.isOpen)
            channel.onError(nil)
            channel.onDrained(nil)
            channel.onClose(nil)
            channel.onDatagram(nil)
            #expect(!channel.isOpen)
        }
    }
}
