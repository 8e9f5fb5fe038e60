// SPDX-License-Identifier: Apache-2.0
//
// Taking clients in: whom, how many, and what the callback may do.
// With Listening and Draining this is T13 to T23 and N5.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Accepting {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    // MARK: Callbacks

    // T23, W2
    @Test func `nothing is accepted before the reactor runs`() throws {
        let server = try reactor.listen()
        let peer = try Socket.connecting(to: server.address)
        #expect(server.counters.accepted == 0)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        server.close()
    }

    // T17
    @Test func `the callback gets the channel and the peer's numeric address`() throws {
        let seen = Box<[SocketAddress]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, peer in
            #expect(channel.status == .open)
            #expect(channel.peerAddress == peer)
            seen.value.append(peer)
        }
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        #expect(try seen.value == [peer.localAddress])
        server.close()
    }

    @Test func `a callback that throws closes only its own channel`() throws {
        let errors = Box(0)
        let reasons = Box<[EndReason]>([])
        reactor.onError = { error, channel in
            #expect(error is Mishap)
            #expect(channel != nil)
            errors.value += 1
        }
        let count = Box(0)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onClose { reasons.value.append($1) }
            count.value += 1
            if count.value == 1 { throw Mishap() }
        }
        let first = try Socket.connecting(to: server.address)
        let second = try Socket.connecting(to: server.address)
        reactor.expect("both were accepted") { server.counters.accepted == 2 }
        reactor.settle()
        #expect(errors.value == 1)
        #expect(reasons.value == [.local])
        #expect(server.connectionCount == 1)
        #expect(try first.receiveNow() == nil)
        #expect(try second.receiveNow() == [])
        server.close()
    }

    // T22
    @Test func `the server may be closed inside the callback and its channel lives on`() throws {
        let holder = Box<Server?>(nil)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            holder.value?.close()
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        holder.value = server
        let peer = try Socket.connecting(to: server.address)
        let late = try Socket.connecting(to: server.address)
        reactor.expect("the client is in") { server.counters.accepted == 1 }
        #expect(!server.isListening)
        try peer.sendAll("x")
        reactor.settle()
        #expect(try peer.receiveNow()?.text == "x")
        #expect(server.counters.accepted == 1)
        #expect(throws: SocketError(.read, .connectionReset)) { try late.receiveNow() }
        holder.value = nil
    }

    // T22
    @Test func `closing the server leaves its connections and frees the port`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        let address = server.address
        let peer = try Socket.connecting(to: address)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        server.close()
        server.close()
        #expect(!server.isListening)
        try peer.sendAll("x")
        reactor.settle()
        #expect(try peer.receiveNow()?.text == "x")
        #expect(server.connectionCount == 1)
        try reactor.listen(at: [address]).close()
    }

    @Test func `a listening server keeps accepting although the program forgot it`() throws {
        let count = Box(0)
        func address() throws -> SocketAddress {
            try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
                count.value += 1
                channel.close()
            }.address
        }
        let peer = try Socket.connecting(to: address())
        reactor.expect("the client is accepted") { count.value == 1 }
        #expect(try peer.receiveNow() == nil)
    }

    // MARK: Whom to let in

    @Test func `only allowed clients come in`() throws {
        var options = ServerOptions()
        options.allowed = [AddressRange(.v4(0x0A00_0000), prefixLength: 8)]
        let server = try reactor.listen(options: options)
        let peer = try Socket.connecting(to: server.address)
        reactor.expect("the client is turned away") { server.counters.refused == 1 }
        #expect(server.counters.accepted == 0)
        #expect(try peer.receiveNow() == nil)
        server.close()
    }

    @Test func `denied clients stay out although they are allowed`() throws {
        var options = ServerOptions()
        options.allowed = [AddressRange(.loopback, prefixLength: 8)]
        options.denied = [AddressRange(.loopback, prefixLength: 32)]
        let server = try reactor.listen(options: options)
        let bad = try Socket.connecting(to: server.address)
        let good = try Socket(for: server.address)
        try good.bind(to: .ip(.v4(0x7F00_0002), port: 0))
        _ = try good.connect(to: server.address)
        reactor.expect("both are decided") {
            server.counters.accepted == 1 && server.counters.refused == 1
        }
        #expect(server.counters.refusals[.denied] == 1)
        #expect(try bad.receiveNow() == nil)
        server.close()
    }

    // MARK: Limits

    @Test func `clients over the connection limit wait until one has gone`() throws {
        var options = ServerOptions()
        options.maximumConnections = 2
        let channels = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) {
            channel, _ in channels.value.append(channel)
        }
        let first = try Socket.connecting(to: server.address)
        let second = try Socket.connecting(to: server.address)
        let third = try Socket.connecting(to: server.address)
        reactor.settle()
        #expect(server.connectionCount == 2)
        #expect(server.counters.accepted == 2)
        channels.value.first?.close()
        reactor.expect("the third comes in") { server.counters.accepted == 3 }
        #expect(server.connectionCount == 2)
        #expect(try first.receiveNow() == nil)
        #expect(try second.receiveNow() == [])
        #expect(try third.receiveNow() == [])
        server.close()
        channels.value = []
    }

    @Test(arguments: [1, 3, 64])
    func `one turn takes no more clients than its limit`(most: Int) throws {
        var options = ServerOptions()
        options.listener.acceptsPerTurn = most
        let server = try reactor.listen(options: options)
        var peers: [HeldSocket] = []
        for _ in 0..<20 { peers.append(HeldSocket(try .connecting(to: server.address))) }
        var before = 0
        for _ in 0..<200 where server.connectionCount < 20 {
            reactor.runPending()
            #expect(server.connectionCount - before <= most)
            before = server.connectionCount
        }
        #expect(server.connectionCount == 20)
        #expect(peers.count == 20)
        server.close()
    }
}
