// SPDX-License-Identifier: Apache-2.0
//
// Listeners and servers on sockets that somebody else has opened and bound.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct AdoptingListeners {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func serve(
        _ socket: consuming Socket, _ options: ServerOptions = .init()
    ) throws -> Server {
        try Server(on: reactor, adopting: socket, options: options) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
    }

    // P17, N30
    @Test(arguments: [false, true])
    func `a socket that is bound is served, whether it listens yet or not`(
        isListening: Bool
    ) throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.bind(to: .loopback(port: 0))
        let address = try socket.localAddress
        if isListening { try socket.listen() }
        let server = try serve(socket)
        #expect(server.addresses == [address])
        let client = try Socket.connecting(to: address)
        try client.sendAll("hello")
        reactor.expect("it is answered") { (try? client.unreadByteCount) == 5 }
        server.close()
    }

    @Test func `one that nobody has bound tells the port that it gets`() throws {
        let server = try serve(try Socket(for: .loopback(port: 0)))
        #expect(server.addresses.first?.port ?? 0 != 0)
        server.close()
    }

    @Test(arguments: [true, false])
    func `what is accepted sends small segments at once, if that is wanted`(
        noDelay: Bool
    ) throws {
        var options = ServerOptions()
        options.listener.noDelay = noDelay
        let found = Box<Bool?>(nil)
        let server = try Server(
            on: reactor, adopting: try Socket.listening(), options: options
        ) { channel, _ in found.value = try channel.get(.noDelay) }
        let client = try Socket.connecting(to: server.addresses[0])
        reactor.expect("it is accepted") { found.value != nil }
        #expect(found.value == noDelay)
        _ = client.number
        server.close()
    }

    @Test(arguments: [SocketKind.datagram, .sequentialPacket])
    func `what carries no stream is refused, and closed`(kind: SocketKind) throws {
        let socket = try Socket(for: .unnamed, kind: kind)
        try socket.bind(to: .unnamed)
        let address = try socket.localAddress
        do {
            _ = try serve(socket)
            Issue.record("it is served")
        } catch {
            #expect(error as? SocketError == SocketError(.adopt, .wrongProtocolKind, at: address))
        }
    }

    // P41
    @Test func `a path's file stays when the server ends, for it is not the server's`() throws {
        let folder = try TemporaryFolder()
        let address = SocketAddress.unix(path: folder["socket"])
        let socket = try Socket(for: address)
        try socket.bind(to: address)
        let server = try serve(socket)
        server.close()
        #expect(access(folder["socket"], F_OK) == 0)
    }
}
