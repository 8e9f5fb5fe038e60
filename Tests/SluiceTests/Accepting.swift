// SPDX-License-Identifier: Apache-2.0
//
// Listening and accepting: addresses, limits, whom to let in, orderly ends (T13 to T23, W11, N5).

import Glibc
import TestSupport
import Testing

@testable import Sluice

private struct Mishap: Error {}

/// Whether this machine has an IPv6 loopback address.
private let hasIPv6: Bool = {
    let address = SocketAddress.ip(.loopback6, port: 0)
    do {
        try Socket(for: address).bind(to: address)
        return true
    } catch {
        return false
    }
}()

extension Server {
    /// Its first address.
    fileprivate var address: SocketAddress { addresses.first ?? .unnamed }
}

@Suite(.countingDescriptors)
struct Accepting {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func listen(
        at addresses: [SocketAddress] = [.loopback(port: 0)], options: ServerOptions = .init()
    ) throws -> Server {
        try Server(on: reactor, at: addresses, options: options) { _, _ in }
    }

    // MARK: Addresses

    @Test func `port 0 becomes a real port`() throws {
        let server = try listen()
        #expect(server.address.ipAddress == .loopback)
        #expect(server.address.port != 0)
        server.close()
    }

    @Test func `nothing is accepted before the reactor runs`() throws {
        let server = try listen()
        let peer = try Socket.connecting(to: server.address)
        #expect(server.counters.accepted == 0)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        server.close()
    }

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

    @Test func `a server listens at several addresses, in the order given`() throws {
        let other = SocketAddress.ip(.v4(0x7F00_0002), port: 0)
        let server = try listen(at: [.loopback(port: 0), other])
        #expect(server.addresses.map(\.ipAddress) == [.loopback, .v4(0x7F00_0002)])
        let first = try Socket.connecting(to: server.addresses[0])
        let second = try Socket.connecting(to: server.addresses[1])
        reactor.expect("both clients are in") { server.connectionCount == 2 }
        #expect(try first.receiveNow() == [])
        #expect(try second.receiveNow() == [])
        server.close()
    }

    @Test func `a server that fails at one address listens at none`() throws {
        let first = try listen()
        let any = SocketAddress.ip(.v4(0x7F00_0002), port: 0)
        let error = #expect(throws: SocketError.self) {
            try listen(at: [any, first.address])
        }
        #expect(error == SocketError(.bind, .addressInUse, at: first.address))
        first.close()
    }

    @Test(.enabled(if: hasIPv6))
    func `both families can share one port`() throws {
        var options = ServerOptions()
        options.samePort = true
        let server = try listen(at: [.any(port: 0), .ip(.any6, port: 0)], options: options)
        #expect(server.addresses.count == 2)
        #expect(server.addresses[0].port == server.addresses[1].port)
        server.close()
    }

    @Test(.enabled(if: hasIPv6))
    func `a shared port that is taken in the other family is given up for another`() throws {
        var options = ServerOptions()
        options.samePort = true
        let answers = Answers(.failure(.addressInUse), to: [.bind]) { $0 == 2 }
        let server = try answers.give {
            try listen(at: [.any(port: 0), .ip(.any6, port: 0)], options: options)
        }
        #expect(answers.count == 4)
        #expect(server.addresses.count == 2)
        #expect(server.addresses[0].port == server.addresses[1].port)
        server.close()
    }

    @Test(.enabled(if: hasIPv6))
    func `a shared port is given up after ten tries`() throws {
        var options = ServerOptions()
        options.samePort = true
        let answers = Answers(.failure(.addressInUse), to: [.bind]) { $0.isMultiple(of: 2) }
        let error = #expect(throws: SocketError.self) {
            try answers.give {
                _ = try listen(at: [.any(port: 0), .ip(.any6, port: 0)], options: options)
            }
        }
        #expect(error?.code == .addressInUse)
        #expect(answers.count == 20)
    }

    @Test(.enabled(if: hasIPv6))
    func `a dual-stack listener tells IPv4 clients as IPv4`() throws {
        var options = ServerOptions()
        options.listener.acceptsBothFamilies = true
        let seen = Box<[IPAddress?]>([])
        let server = try Server(on: reactor, at: [.ip(.any6, port: 0)], options: options) {
            _, peer in seen.value.append(peer.ipAddress)
        }
        let port = server.address.port ?? 0
        let four = try Socket.connecting(to: .loopback(port: port))
        reactor.expect("the IPv4 client is in") { server.connectionCount == 1 }
        let six = try Socket.connecting(to: .ip(.loopback6, port: port))
        reactor.expect("the IPv6 client is in") { server.connectionCount == 2 }
        #expect(seen.value == [.loopback, .loopback6])
        #expect(try four.receiveNow() == [])
        #expect(try six.receiveNow() == [])
        server.close()
    }

    @Test(.enabled(if: hasIPv6))
    func `a listener at the IPv6 wildcard leaves IPv4 alone unless asked`() throws {
        let server = try listen(at: [.ip(.any6, port: 0)])
        let address = SocketAddress.loopback(port: server.address.port ?? 0)
        let listener = try Socket(for: address)
        #expect(throws: Never.self) { try listener.bind(to: address) }
        server.close()
    }

    // MARK: Exclusive and shared ports (W11, X10)

    @Test func `a second listener is told that the address is in use`() throws {
        let first = try listen()
        let error = #expect(throws: SocketError.self) { try listen(at: [first.address]) }
        #expect(error == SocketError(.bind, .addressInUse, at: first.address))
        first.close()
    }

    @Test func `a port is shared when both ask for it`() throws {
        var options = ServerOptions()
        options.listener.reusePort = true
        let first = try listen(options: options)
        let second = try listen(at: [first.address], options: options)
        #expect(second.address == first.address)
        first.close()
        let peer = try Socket.connecting(to: second.address)
        reactor.expect("the other takes the client") { second.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        second.close()
    }

    @Test func `a port whose connections linger can be taken again`() throws {
        let first = try listen()
        let address = first.address
        let peer = try Socket.connecting(to: address)
        reactor.expect("the client is in") { first.connectionCount == 1 }
        first.close()
        first.closeChannels()
        reactor.settle()
        #expect(try peer.receiveNow() == nil)
        try listen(at: [address]).close()
    }

    // MARK: Whom to let in

    @Test func `only allowed clients come in`() throws {
        var options = ServerOptions()
        options.allowed = [AddressRange(.v4(0x0A00_0000), prefixLength: 8)]
        let server = try listen(options: options)
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
        let server = try listen(options: options)
        let bad = try Socket.connecting(to: server.address)
        let good = try Socket(for: server.address)
        try good.bind(to: .ip(.v4(0x7F00_0002), port: 0))
        _ = try good.connect(to: server.address)
        reactor.expect("both are decided") {
            server.counters == ServerCounters(accepted: 1, refused: 1)
        }
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
        let server = try listen(options: options)
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

    // MARK: Callbacks

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
        try listen(at: [address]).close()
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

    // MARK: Unix sockets

    private func temporaryPath() -> String { "/tmp/sluice-\(getpid())-accepting.socket" }

    @Test func `a listener at a path accepts, and removes its file when closed`() throws {
        let path = temporaryPath()
        let server = try listen(at: [.unix(path: path)])
        #expect(server.address == .unix(path: path))
        #expect(access(path, F_OK) == 0)
        let peer = try Socket.connecting(to: .unix(path: path))
        reactor.expect("the client is in") { server.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        server.close()
        #expect(access(path, F_OK) != 0)
    }

    @Test func `a path that is taken is in use, and its file is left alone`() throws {
        let path = temporaryPath()
        let server = try listen(at: [.unix(path: path)])
        let error = #expect(throws: SocketError.self) { try listen(at: [.unix(path: path)]) }
        #expect(error == SocketError(.bind, .addressInUse, at: .unix(path: path)))
        #expect(access(path, F_OK) == 0)
        server.close()
    }

    @Test func `a listener that fails after it was bound leaves no file`() throws {
        let path = temporaryPath()
        let error = #expect(throws: SocketError.self) {
            try SystemCall.failing(.listen, with: .addressInUse) {
                _ = try listen(at: [.unix(path: path)])
            }
        }
        #expect(error == SocketError(.listen, .addressInUse, at: .unix(path: path)))
        #expect(access(path, F_OK) != 0)
    }

    @Test func `a listener at an abstract name accepts`() throws {
        let name = SocketAddress.abstract(name: Array("sluice-\(getpid())-accepting".utf8))
        let server = try listen(at: [name])
        #expect(server.address == name)
        let peer = try Socket.connecting(to: name)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        server.close()
    }

    // MARK: Draining

    @Test func `a drain of no channels ends in a later turn`() throws {
        let left = Box<[Int]>([])
        let server = try listen()
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
        let server = try listen()
        server.drain(within: .seconds(60)) { _ in calls.value.append("first") }
        server.drain(within: .seconds(60)) { _ in calls.value.append("second") }
        reactor.expect("both end") { calls.value == ["first", "second"] }
        server.drain(within: .seconds(60)) { _ in calls.value.append("third") }
        reactor.expect("the last ends too") { calls.value.count == 3 }
        reactor.settle()
        #expect(calls.value == ["first", "second", "third"])
    }
}

/// A socket in an array.
final class HeldSocket {
    let socket: Socket
    init(_ socket: consuming Socket) { self.socket = socket }
}
