// SPDX-License-Identifier: Apache-2.0
//
// Servers that wait for one client after the other, and clients that wait for their connection.
// What a client or its network does wrong is passed over; what this side lacks is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct WaitingServers {
    // A1, A5, A20
    @Test func `a client that is there already is accepted at once`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        #expect(server.address.port != 0)
        let client = try Channel.connected(to: server.address)
        let channel = try withoutWaiting { () throws in try server.accept() }
        #expect(channel.peerAddress == (try client.localAddress))
        #expect(channel.options.isBlocking)
        #expect(channel.status == .open)
        try channel.writeLine("welcome")
        #expect(try client.readLine() == "welcome")
        channel.close()
        client.close()
    }

    // A21
    @Test func `accepting waits for a client`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let address = server.address
        let thread = OtherThread {
            do {
                let client = try Channel.connected(to: address)
                try client.writeLine("here I am")
                client.close()
            } catch {
                Issue.record(error)
            }
        }
        let channel = try server.accept(options: .alore)
        #expect(channel.options.text.encoding == .latin1)
        #expect(try channel.readLine() == "here I am")
        channel.close()
        thread.join()
    }

    // A21
    @Test(arguments: [
        ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET, EPERM,
        ETIMEDOUT, ENOPROTOOPT, EINTR, EAGAIN,
    ])
    func `a failure of the network is passed over`(_ number: CInt) throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let client = try Channel.connected(to: server.address)
        let answers = Answers(
            .failure(ErrorCode(rawValue: number)), to: [.accept], where: { $0 <= 3 })
        let channel = try answers.give { () throws(SocketError) in try server.accept() }
        #expect(answers.count == 4)
        #expect(channel.status == .open)
        channel.close()
        client.close()
    }

    // A21
    @Test(arguments: [EMFILE, ENFILE, ENOMEM, ENOBUFS])
    func `a lack of this side is told, and the client waits on`(_ number: CInt) throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let client = try Channel.connected(to: server.address)
        let code = ErrorCode(rawValue: number)
        SystemCall.failing(.accept, with: code) {
            #expect(throws: SocketError(.accept, code, at: server.address)) {
                try server.accept()
            }
        }
        try server.accept().close()
        client.close()
    }

    // A21
    @Test func `a client that has gone again is no harm`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        do {
            let gone = try Socket.connecting(to: server.address)
            try gone.resetOnClose()
        }
        let client = try Channel.connected(to: server.address)
        let address = try client.localAddress
        var channel = try server.accept()
        if channel.peerAddress != address {
            #expect(try channel.readLine() == nil)
            channel.close()
            channel = try server.accept()
        }
        #expect(channel.peerAddress == address)
        channel.close()
        client.close()
    }

    // A20
    @Test func `a second server on the port is refused`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let refused = SocketError(.bind, .addressInUse, at: server.address)
        #expect(throws: refused) { _ = try ServerSocket(at: server.address) }
        let port = try #require(server.address.port)
        #expect(throws: SocketError(.bind, .addressInUse, at: .any(port: port))) {
            _ = try ServerSocket(at: .any(port: port))
        }
    }

    // A20, A22
    @Test func `the port of a server that has closed can be taken at once`() throws {
        var server = try ServerSocket(at: .loopback(port: 0))
        let address = server.address
        let client = try Channel.connected(to: address)
        let channel = try server.accept()
        server.close()
        channel.close()
        #expect(try client.readLine() == nil)
        client.close()
        let next = try ServerSocket(at: address)
        let other = try Channel.connected(to: address)
        try next.accept().close()
        other.close()
    }

    // A20
    @Test func `a server on all interfaces is found on each`() throws {
        let server = try ServerSocket(at: .any(port: 0))
        let port = try #require(server.address.port)
        let client = try Channel.connected(to: .loopback(port: port))
        let channel = try server.accept()
        #expect(try channel.localAddress == .loopback(port: port))
        channel.close()
        client.close()
    }

    // A22
    @Test func `a server may be closed again, and accepts no more`() throws {
        var server = try ServerSocket(at: .loopback(port: 0))
        let address = server.address
        let client = try Channel.connected(to: address)
        let channel = try server.accept()
        server.close()
        server.close()
        #expect(server.address == address)
        let closed = SocketError(.accept, .badDescriptor, at: address)
        do {
            try server.accept().close()
            wrongly()
        } catch {
            #expect(error == closed)
        }
        #expect(throws: ConnectError.self) { try Channel.connected(to: address) }
        try channel.writeLine("still here")
        #expect(try client.readLine() == "still here")
        channel.close()
        client.close()
    }

    // A22
    @Test func `the file of a Unix server goes with it`() throws {
        let path = "/tmp/sluice-waiting-\(getpid())"
        var server = try ServerSocket(at: .unix(path: path))
        let client = try Channel.connected(to: .unix(path: path))
        let channel = try server.accept()
        #expect(access(path, F_OK) == 0)
        server.close()
        #expect(access(path, F_OK) != 0)
        try client.writeLine("hello")
        #expect(try channel.readLine() == "hello")
        channel.close()
        client.close()
    }

    // T23, W18
    @Test func `a client connects before anybody accepts, and its line waits`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let client = try Channel.connected(to: server.address)
        #expect(client.status == .open)
        try client.writeLine("hello")
        let error = SocketError(.watch, .noMemory, at: server.address)
        withoutWaiting {
            #expect(throws: ChannelError.socket(error)) { try client.readLine() }
        }
        let channel = try server.accept()
        #expect(try channel.readLine() == "hello")
        try channel.writeLine("greeting")
        #expect(try client.readLine() == "greeting")
        channel.close()
        client.close()
    }

    // T23, W18
    @Test func `a line waits until the server's reactor runs`() throws {
        let address = SharedAddress()
        let thread = OtherThread {
            do {
                let client = try Channel.connected(to: address.waited())
                #expect(try client.readLine() == "greeting")
                client.close()
            } catch {
                Issue.record(error)
            }
        }
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            try channel.writeLine("greeting")
            channel.close()
        }
        address.set(server.address)
        reactor.expect("the client has come and gone") {
            server.counters.accepted == 1 && server.connectionCount == 0
        }
        server.close()
        thread.join()
    }
}

/// An address that one thread waits for until another knows it.
final class SharedAddress: Sendable {
    private let port = Tally()

    func set(_ address: SocketAddress) { port.add(Int(address.port ?? 0)) }

    func waited() -> SocketAddress {
        while port.value == 0 { sched_yield() }
        return .loopback(port: UInt16(port.value))
    }
}
