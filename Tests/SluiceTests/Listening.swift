// SPDX-License-Identifier: Apache-2.0
//
// Where a server listens: addresses, ports of its own and shared ones, Unix sockets (W11, X10).

import Glibc
import TestSupport
import Testing

@testable import Sluice

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

@Suite(.countingDescriptors)
struct Listening {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    // MARK: Addresses

    // T15, W14
    @Test func `port 0 becomes a real port`() throws {
        let server = try reactor.listen()
        #expect(server.address.ipAddress == .loopback)
        #expect(server.address.port != 0)
        server.close()
    }

    // T18
    @Test func `a server listens at several addresses, in the order given`() throws {
        let other = SocketAddress.ip(.v4(0x7F00_0002), port: 0)
        let server = try reactor.listen(at: [.loopback(port: 0), other])
        #expect(server.addresses.map(\.ipAddress) == [.loopback, .v4(0x7F00_0002)])
        let first = try Socket.connecting(to: server.addresses[0])
        let second = try Socket.connecting(to: server.addresses[1])
        reactor.expect("both clients are in") { server.connectionCount == 2 }
        #expect(try first.receiveNow() == [])
        #expect(try second.receiveNow() == [])
        server.close()
    }

    @Test func `a server that fails at one address listens at none`() throws {
        let first = try reactor.listen()
        let any = SocketAddress.ip(.v4(0x7F00_0002), port: 0)
        let error = #expect(throws: SocketError.self) {
            try reactor.listen(at: [any, first.address])
        }
        #expect(error == SocketError(.bind, .addressInUse, at: first.address))
        first.close()
    }

    // N2
    @Test(.enabled(if: hasIPv6))
    func `both families can share one port`() throws {
        var options = ServerOptions()
        options.samePort = true
        let server = try reactor.listen(at: [.any(port: 0), .ip(.any6, port: 0)], options: options)
        #expect(server.addresses.count == 2)
        #expect(server.addresses[0].port == server.addresses[1].port)
        server.close()
    }

    // N2
    @Test(.enabled(if: hasIPv6))
    func `a shared port that is taken in the other family is given up for another`() throws {
        var options = ServerOptions()
        options.samePort = true
        let answers = Answers(.failure(.addressInUse), to: [.bind]) { $0 == 2 }
        let server = try answers.give {
            try reactor.listen(at: [.any(port: 0), .ip(.any6, port: 0)], options: options)
        }
        #expect(answers.count == 4)
        #expect(server.addresses.count == 2)
        #expect(server.addresses[0].port == server.addresses[1].port)
        server.close()
    }

    // N2
    @Test(.enabled(if: hasIPv6))
    func `a shared port is given up after ten tries`() throws {
        var options = ServerOptions()
        options.samePort = true
        let answers = Answers(.failure(.addressInUse), to: [.bind]) { $0.isMultiple(of: 2) }
        let error = #expect(throws: SocketError.self) {
            try answers.give {
                _ = try reactor.listen(at: [.any(port: 0), .ip(.any6, port: 0)], options: options)
            }
        }
        #expect(error?.code == .addressInUse)
        #expect(answers.count == 20)
    }

    // N22
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

    // N22
    @Test(.enabled(if: hasIPv6))
    func `a listener at the IPv6 wildcard leaves IPv4 alone unless asked`() throws {
        // An IPv4 connection of somebody else may have the very port; it won't have each of these.
        let isFree = try (0..<10).contains { _ in
            let server = try reactor.listen(at: [.ip(.any6, port: 0)])
            defer { server.close() }
            let address = SocketAddress.loopback(port: server.address.port ?? 0)
            let listener = try Socket(for: address)
            return (try? listener.bind(to: address)) != nil
        }
        #expect(isFree)
    }

    // MARK: Exclusive and shared ports (W11, X10)

    // W11, W12, X10
    @Test func `a second listener is told that the address is in use`() throws {
        let first = try reactor.listen()
        let error = #expect(throws: SocketError.self) { try reactor.listen(at: [first.address]) }
        #expect(error == SocketError(.bind, .addressInUse, at: first.address))
        first.close()
    }

    // X10
    @Test func `a port is shared when both ask for it`() throws {
        var options = ServerOptions()
        options.listener.reusePort = true
        let first = try reactor.listen(options: options)
        let second = try reactor.listen(at: [first.address], options: options)
        #expect(second.address == first.address)
        first.close()
        let peer = try Socket.connecting(to: second.address)
        reactor.expect("the other takes the client") { second.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        second.close()
    }

    @Test func `a port whose connections linger can be taken again`() throws {
        let first = try reactor.listen()
        let address = first.address
        let peer = try Socket.connecting(to: address)
        reactor.expect("the client is in") { first.connectionCount == 1 }
        first.close()
        first.closeChannels()
        reactor.settle()
        #expect(try peer.receiveNow() == nil)
        try reactor.listen(at: [address]).close()
    }

    // MARK: Unix sockets

    private func temporaryPath() -> String { "/tmp/sluice-\(getpid())-listening.socket" }

    // T2, W20
    @Test func `a listener at a path accepts, and removes its file when closed`() throws {
        let path = temporaryPath()
        let server = try reactor.listen(at: [.unix(path: path)])
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
        let address = SocketAddress.unix(path: path)
        let server = try reactor.listen(at: [address])
        let error = #expect(throws: SocketError.self) { try reactor.listen(at: [address]) }
        #expect(error == SocketError(.bind, .addressInUse, at: address))
        #expect(access(path, F_OK) == 0)
        server.close()
    }

    @Test func `a listener that fails after it was bound leaves no file`() throws {
        let path = temporaryPath()
        let error = #expect(throws: SocketError.self) {
            try SystemCall.failing(.listen, with: .addressInUse) {
                _ = try reactor.listen(at: [.unix(path: path)])
            }
        }
        #expect(error == SocketError(.listen, .addressInUse, at: .unix(path: path)))
        #expect(access(path, F_OK) != 0)
    }

    // T2, W20
    @Test func `a listener at an abstract name accepts`() throws {
        let name = SocketAddress.abstract(name: Array("sluice-\(getpid())-listening".utf8))
        let server = try reactor.listen(at: [name])
        #expect(server.address == name)
        let peer = try Socket.connecting(to: name)
        reactor.expect("the client is in") { server.connectionCount == 1 }
        #expect(try peer.receiveNow() == [])
        server.close()
    }
}
