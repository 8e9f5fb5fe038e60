// SPDX-License-Identifier: Apache-2.0
//
// Broadcasts that come while another one is being brought to its receivers: from who observes the
// reactor, and from handlers. Everybody gets each once, in the order of the calls.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct BroadcastingAgain {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Channels of which some, by their places, are slow: a broadcast may end them.
    private func connected(_ count: Int, slow: Set<Int>) throws -> PairedChannels {
        let pairs = try PairedChannels(count, on: reactor, room: 8_192)
        for place in slow {
            try pairs.fill(place)
            try pairs.channels[place].write([UInt8](repeating: 1, count: 100_000))
        }
        return pairs
    }

    /// Whenever a channel ends, the next of some messages is broadcast by who observes that.
    private func broadcast(_ messages: [String], to group: ChannelGroup) {
        let left = Box(messages)
        reactor.observe { observation in
            guard case .closed = observation, !left.value.isEmpty else { return }
            group.broadcast(Array(left.value.removeFirst().utf8))
        }
    }

    @Test func `one from who observes comes behind the one that is under way`() throws {
        let pairs = try connected(6, slow: [2])
        let group = ChannelGroup(of: pairs)
        broadcast(["two"], to: group)
        let result = group.result(of: Array("one ".utf8), to: .end, on: reactor)
        #expect(result == BroadcastResult(sent: 5, ended: 1))
        reactor.settle()
        for place in [0, 1, 3, 4, 5] { #expect(try pairs.receiveNow(place).text == "one two") }
    }

    @Test func `the first and the last receiver may be those that end`() throws {
        let pairs = try connected(4, slow: [0, 3])
        let group = ChannelGroup(of: pairs)
        broadcast(["two ", "three"], to: group)
        let result = group.result(of: Array("one ".utf8), to: .end, on: reactor)
        #expect(result == BroadcastResult(sent: 2, ended: 2))
        reactor.settle()
        for place in 1...2 { #expect(try pairs.receiveNow(place).text == "one two three") }
        #expect(reactor.bufferedByteCount == 0)
    }

    @Test func `each is told once, however they are nested`() throws {
        let pairs = try connected(40, slow: Set(0..<20))
        let group = ChannelGroup(of: pairs)
        let told = Box<[BroadcastResult]>([])
        let begun = Box(1)
        reactor.observe { observation in
            guard case .closed = observation else { return }
            begun.value += 1
            group.broadcast([2], to: .end) { told.value.append($0) }
        }
        group.broadcast([1], to: .end) { told.value.append($0) }
        reactor.expect("all are told") { told.value.count == 21 }
        reactor.settle()
        #expect(begun.value == 21)
        #expect(told.value.count == 21)
        for place in 20..<40 {
            #expect(try pairs.receiveNow(place) == [1] + [UInt8](repeating: 2, count: 20))
        }
    }

    @Test func `one from a turn's handler comes behind the batches that wait`() throws {
        DescriptorLimit.raise()
        let pairs = try PairedChannels(1_500, on: reactor)
        let group = ChannelGroup(of: pairs)
        reactor.haveTurn {
            group.broadcast(Array("one ".utf8)) { _ in group.broadcast(Array("three".utf8)) }
            group.broadcast(Array("two ".utf8))
        }
        for place in [0, 1_023, 1_024, 1_499] {
            #expect(try pairs.receiveNow(place).text == "one two three")
        }
    }
}
