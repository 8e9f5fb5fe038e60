// SPDX-License-Identifier: Apache-2.0
//
// Ending a server in order: its channels get their time, and are then closed.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Draining {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    @Test func `a drain of no channels ends in a later turn`() throws {
        let left = Box<[Int]>([])
        let server = try reactor.listen()
        server.drain(within: .seconds(60)) { left.value.append($0) }
        #expect(left.value == [])
        #expect(!server.isListening)
        reactor.expect("the drain ends") { left.value == [0] }
    }

    @Test func `a drain waits for the channels to end by themselves`() throws {
        let left = Box<[Int]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onBytes { _, _ in }
        }
        var peer: Socket? = try Socket.connecting(to: server.address)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        server.drain(within: .seconds(60)) { left.value.append($0) }
        reactor.settle()
        #expect(left.value == [])
        try peer?.shutDown(.writing)
        reactor.expect("the drain ends") { left.value == [0] }
        peer = nil
    }

    @Test func `a drain closes at its limit what is left, and says how many`() throws {
        let left = Box<[Int]>([])
        let reasons = Box<[EndReason]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onClose { reasons.value.append($1) }
        }
        let first = try Socket.connecting(to: server.address)
        let second = try Socket.connecting(to: server.address)
        reactor.expect("both are in") { server.connectionCount == 2 }
        server.drain(within: .milliseconds(10)) { left.value.append($0) }
        reactor.expect("the drain ends") { !left.value.isEmpty }
        reactor.settle()
        #expect(left.value == [2])
        #expect(reasons.value == [.drained, .drained])
        #expect(try first.receiveNow() == nil)
        #expect(try second.receiveNow() == nil)
    }

    @Test func `a drain is told in a turn of its own`() throws {
        let order = Box("")
        let channels = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channels.value.append(channel)
        }
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        server.drain(within: .seconds(60)) { _ in order.value += "drained" }
        for channel in channels.value { channel.close() }
        channels.value = []
        order.value += "closed "
        reactor.expect("the drain ends") { order.value == "closed drained" }
        #expect(try peer.receiveNow() == nil)
    }

    @Test func `a second drain is told as well, also after the first has ended`() throws {
        let calls = Box<[String]>([])
        let server = try reactor.listen()
        server.drain(within: .seconds(60)) { _ in calls.value.append("first") }
        server.drain(within: .seconds(60)) { _ in calls.value.append("second") }
        reactor.expect("both end") { calls.value == ["first", "second"] }
        server.drain(within: .seconds(60)) { _ in calls.value.append("third") }
        reactor.expect("the last ends too") { calls.value.count == 3 }
        reactor.settle()
        #expect(calls.value == ["first", "second", "third"])
    }
}
