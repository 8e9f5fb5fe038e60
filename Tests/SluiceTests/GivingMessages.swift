// SPDX-License-Identifier: Apache-2.0
//
// Which messages the connection of a client that connects again takes: none before the
// conversation is opened, none without a limit, and none behind the end of the output.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct GivingMessages {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func end(_ record: ReconnectingRecord) {
        record.client.stop()
        reactor.expect("the last state") { record.states.last == "stopped" }
    }

    @Test func `nothing overtakes what opens the conversation`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        let early = Box<ReconnectingClient.Sending?>(nil)
        record.whenState = { state in
            if state == "connected" { early.value = record.client.send(Array("early ".utf8)) }
        }
        record.whenConnected = { channel in
            try channel.write("hello ")
            #expect(record.client.send(Array("one ".utf8)) == .given)
            try channel.write("two ")
        }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        #expect(early.value == .refused(.notConnected))
        #expect(record.client.send(Array("three".utf8)) == .given)
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 19).text == "hello one two three")
        end(record)
        #expect(record.unsent.isEmpty)
        record.whenState = { _ in }
        record.whenConnected = { _ in }
    }

    @Test func `messages that the kernel has are forgotten without a turn of the reactor's`()
        throws
    {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let channel = try #require(record.channels.first)
        try peer.accept()
        for number in 0..<100 {
            #expect(record.client.send([UInt8(number)]) == .given)
            #expect(record.client.handover.count == 1)
            try channel.flush()
        }
        for _ in 0..<100 { #expect(record.client.send([]) == .given) }
        #expect(record.client.handover.count <= 1)
        #expect(try peer.receive(reactor, upTo: 100) == (0..<100).map { UInt8($0) })
        #expect(record.client.unsentMessageCount == 0)
        end(record)
        #expect(record.unsent.isEmpty)
    }

    @Test(arguments: [ReconnectingOptions.UnsentMessages.report, .keep])
    func `a connection takes no messages without a limit`(
        what: ReconnectingOptions.UnsentMessages
    ) throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.whatToDoWithUnsent = what
        }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let channel = try #require(record.channels.first)
        try channel.set(.sendBufferByteCount, to: 32_768)
        try channel.write([UInt8](repeating: 0, count: 1_000_000))
        var taken = 0
        while taken < Handover.limit, record.client.send([1]) == .aboveMark { taken += 1 }
        #expect(taken == Handover.limit)
        #expect(record.client.send([2]) == (what == .keep ? .queued : .refused(.limit)))
        try peer.accept()
        let count = 1_000_000 + taken + (what == .keep ? 1 : 0)
        #expect(try peer.receive(reactor, upTo: count).last == (what == .keep ? 2 : 1))
        #expect(record.client.unsentMessageCount == 0)
        #expect(record.client.send([3]) == .given)
        end(record)
        #expect(record.unsent.isEmpty)
    }

    @Test func `what is kept behind the end of the output waits for the next connection`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address) {
            $0.whatToDoWithUnsent = .keep
        }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        try peer.accept()
        try #require(record.channels.first).closeWriting()
        #expect(record.client.send(Array("hello".utf8)) == .queued)
        #expect(record.client.tending?.isPending != true)
        peer.close()
        reactor.expect("a connection") { record.channels.count == 2 }
        try peer.accept()
        #expect(try peer.receive(reactor, upTo: 5).text == "hello")
        end(record)
        #expect(record.unsent.isEmpty)
    }
}
