// SPDX-License-Identifier: Apache-2.0
//
// What the end of a reactor does to all that is on it: nothing stays behind, and nothing holds it up
// (K23).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct EndingReactors {
    /// A connection of which only the peer is left: its reactor has ended.
    private func leftBehind(
        _ options: ChannelOptions = .init(), _ use: (ConnectionEnds) throws -> Void
    ) throws -> Socket {
        let ends = try ConnectionEnds(on: Reactor(), options: options)
        try use(ends)
        guard let peer = ends.peer.take() else { throw Mishap() }
        return peer
    }

    /// AddressSanitizer would see whatever it touches of its reactor.
    @Test func `a channel that has closed may outlive its reactor`() throws {
        let channel: Channel
        do {
            let ends = try ConnectionEnds(on: Reactor())
            channel = ends.channel
            channel.abort()
            ends.reactor.settle()
            #expect(channel.reactorOrNil === ends.reactor)
        }
        #expect(channel.reactorOrNil == nil)
        channel.close()
        channel.abort()
        channel.onBytes { _, _ in }
        channel.onClose { _, _ in }
        channel.pauseReading()
        channel.resumeReading()
        channel.options.idleTimeout = .seconds(1)
        #expect(throws: SocketError.self) { try channel.write([1]) }
        #expect(throws: SocketError.self) { try channel.read { _ in } }
        #expect(channel.status == .closed)
    }

    // K23
    @Test func `what hangs on a reactor goes with it`() throws {
        let before = openDescriptorCount()
        let kept = Box<[Channel]>([])
        do {
            let reactor = try Reactor()
            let server = try Server(on: reactor, at: [.loopback(port: 0), .loopback(port: 0)]) {
                channel, _ in
                kept.value.append(channel)
            }
            let client = try Client(on: reactor).open(server.address)
            client.onBytes { _, _ in }
            reactor.expect("it is in") { kept.value.count == 1 && client.status == .open }
            kept.value.append(client)
            #expect(openDescriptorCount() > before)
        }
        #expect(openDescriptorCount() == before)
        for channel in kept.value {
            #expect(channel.status == .closed)
            #expect(channel.endReason == .drained)
            #expect(channel.unsentByteCount == 0)
        }
    }

    // K23, N14
    @Test func `output that nobody takes does not hold the end up`() throws {
        let clock = ContinuousClock()
        let begin = clock.now
        let peer = try leftBehind { ends in
            try ends.fill()
            #expect(ends.channel.unsentByteCount > 0)
        }
        #expect(begin.duration(to: clock.now) < .seconds(10))
        _ = try peer.receiveNow()
    }

    // K23
    @Test(arguments: [Buffering.none, .line, .full, .turn])
    func `what was written to a blocking channel goes out at the end`(by way: Buffering) throws {
        var options = ChannelOptions()
        options.buffering = way
        options.isBlocking = true
        let peer = try leftBehind(options) { ends in try ends.channel.write("the rest") }
        #expect(try peer.receiveNow()?.text == "the rest")
        #expect(try peer.receiveNow() == nil)
    }
}
