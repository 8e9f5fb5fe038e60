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

    @Test func `a drain ends when the last channel has told of its end`() throws {
        let order = Box<[String]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onClose { _, _ in order.value.append("closed") }
            channel.onBytes { channel, _ in
                channel.abort()
                // A busy machine: whatever could be due by now is.
                letTimePass(.milliseconds(2))
            }
        }
        let client = HeldSocket(try Socket.connecting(to: server.address))
        reactor.expect("the client is in") { server.connectionCount == 1 }
        server.drain(within: .seconds(60)) { _ in order.value.append("drained") }
        try client.socket.sendAll("x")
        reactor.expect("the drain ends") { order.value.contains("drained") }
        #expect(order.value == ["closed", "drained"])
    }

    @Test func `clients that wait to be accepted are served`() throws {
        let left = Box<[Int]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            try channel.write("hello")
            channel.onBytes { _, _ in }
        }
        // More than one turn takes.
        let clients = try (0..<200).map { _ in
            let client = try Socket(for: server.address)
            try client.setBlocking(true)
            _ = try client.connect(to: server.address)
            return HeldSocket(client)
        }
        server.drain(within: .seconds(60)) { left.value.append($0) }
        #expect(server.connectionCount == 200)
        #expect(!server.isListening)
        for client in clients { try client.socket.shutDown(.writing) }
        reactor.expect("the drain ends") { left.value == [0] }
        var answers = 0
        for client in clients where try client.socket.receiveNow() == Array("hello".utf8) {
            answers += 1
        }
        #expect(answers == 200)
    }

    @Test func `a handler that drains at the first client does so once`() throws {
        let held = Box<Server?>(nil)
        let left = Box<[Int]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            held.value?.drain(within: .seconds(60)) { left.value.append($0) }
            channel.close()
        }
        held.value = server
        let clients = try (0..<3).map { _ in
            HeldSocket(try Socket.connecting(to: server.address))
        }
        server.drain(within: .seconds(60)) { left.value.append($0) }
        reactor.expect("the drain ends") { left.value == [0, 0] }
        #expect(server.counters.accepted == 1)
        withExtendedLifetime(clients) {}
        held.value = nil
    }

    @Test func `who waits at a socket of others is theirs`() throws {
        let socket = try Socket.listening()
        let mine = try socket.duplicate()
        let address = try socket.localAddress
        let server = try Server(on: reactor, adopting: mine) { _, _ in }
        let client = try Socket(for: address)
        try client.setBlocking(true)
        _ = try client.connect(to: address)
        server.drain(within: .seconds(60)) { _ in }
        #expect(server.counters.accepted == 0)
        let accepted = try socket.accept()
        let isThere = accepted != nil
        #expect(isThere)
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
