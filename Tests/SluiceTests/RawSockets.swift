// SPDX-License-Identifier: Apache-2.0
//
// The BSD calls one by one on bare sockets, without a reactor.
// On loopback every answer is there at once, so nothing has to be waited for.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct RawSockets {
    // MARK: Opening

    // P21, P27
    @Test func `port 0 has the kernel choose a port`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.bind(to: .loopback(port: 0))
        let bound = try socket.localAddress
        #expect(bound.ipAddress == .loopback)
        #expect(bound.port ?? 0 >= 1_024)
    }

    // P5, P6, P21, X10
    @Test func `a port that is taken is refused`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let second = try Socket(for: address)
        #expect(throws: SocketError(.bind, .addressInUse, at: address)) {
            try second.bind(to: address)
        }
    }

    // P5, P21
    @Test func `an address that is not this machine's is refused`() throws {
        let foreign = SocketAddress.ip(.v4(0xC000_0201), port: 0)
        let socket = try Socket(for: foreign)
        #expect(throws: SocketError(.bind, .addressNotAvailable, at: foreign)) {
            try socket.bind(to: foreign)
        }
    }

    // P3
    @Test func `an address of another family is refused`() throws {
        let socket = try Socket(for: .ip(.loopback6, port: 0))
        let error = #expect(throws: SocketError.self) { try socket.bind(to: .loopback(port: 0)) }
        #expect(error?.operation == .bind)
    }

    // P29, N38
    @Test(arguments: [-5, 0, 1, Int.max])
    func `any backlog is taken`(backlog: Int) throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.listen(backlog: backlog)
        let client = try Socket.connecting(to: .loopback(port: try listener.localAddress.port ?? 0))
        let isThere = try listener.accept() != nil
        #expect(isThere)
        _ = client.number
    }

    // MARK: Connecting and accepting

    // P20, P35
    @Test func `accepting gives nothing where nobody waits`() throws {
        let listener = try Socket.listening()
        let isNobody = try listener.accept() == nil
        #expect(isNobody)
    }

    // P20, P39
    @Test func `clients are accepted in the order in which they came`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let first = try Socket.connecting(to: address)
        let second = try Socket.connecting(to: address)
        let own = [try first.localAddress, try second.localAddress]
        let accepted = [try listener.accept()?.peer, try listener.accept()?.peer]
        #expect(accepted == own)
    }

    // P20
    @Test func `accepting on a socket that does not listen is an error`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.accept, .invalidArgument)) { _ = try socket.accept() }
    }

    // P23, N35
    @Test func `a connect that nobody answers is refused`() throws {
        let unused = try Socket(for: .loopback(port: 0))
        try unused.bind(to: .loopback(port: 0))
        let address = try unused.localAddress
        let client = try Socket(for: address)
        let result = try client.connect(to: address)
        let verdict = try client.get(.pendingError)
        #expect(result == .inProgress)
        #expect(verdict == .connectionRefused)
    }

    // P2, P23, P26
    @Test func `a Unix connect is there at once`() throws {
        let name = SocketAddress.abstract(name: Array("sluice raw \(getpid())".utf8))
        let listener = try Socket(for: name)
        try listener.bind(to: name)
        try listener.listen(backlog: 1)
        let client = try Socket(for: name)
        let result = try client.connect(to: name)
        #expect(result == .connected)
        let peer = try client.peerAddress
        #expect(peer == name)
        let accepted = try listener.accept()?.peer
        #expect(accepted == .unnamed)
    }

    // P23, P24
    @Test func `a socket that is connected can't connect again`() throws {
        let ends = try TCPEnds()
        let address = try ends.client.peerAddress
        // The first call after the handshake learns that it succeeded.
        _ = try? ends.client.connect(to: address)
        #expect(throws: SocketError(.connect, .isConnected, at: address)) {
            _ = try ends.client.connect(to: address)
        }
    }

    // P26
    @Test func `a socket without a peer has no peer's address`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.name, .notConnected)) { _ = try socket.peerAddress }
    }

    // MARK: Reading

    // P31, P38, N25
    @Test func `reading gives what is there, up to the room`() throws {
        let ends = try TCPEnds()
        try ends.client.sendAll("hello")
        let first = try read(ends.server, room: 3)
        let second = try read(ends.server, room: 3)
        #expect(first.result == .bytes(3))
        #expect(first.bytes.text == "hel")
        #expect(second.result == .bytes(2))
        #expect(second.bytes.text == "lo")
    }

    // P31, P35
    @Test func `reading where nothing waits would block`() throws {
        let ends = try TCPEnds()
        let read = try read(ends.server, room: 3)
        #expect(read.result == .wouldBlock)
    }

    // P31
    @Test func `the end of the stream is told again and again`() throws {
        let ends = try TCPEnds()
        try ends.client.shutDown(.writing)
        for _ in 0..<3 {
            let read = try read(ends.server, room: 3)
            #expect(read.result == .endOfStream)
        }
    }

    // P22, P31
    @Test func `what was sent before the end is read before the end`() throws {
        let ends = try TCPEnds()
        try ends.client.sendAll("last")
        try ends.client.shutDown(.writing)
        let first = try read(ends.server, room: 9)
        let second = try read(ends.server, room: 9)
        #expect(first.bytes.text == "last")
        #expect(second.result == .endOfStream)
    }

    @Test func `no room at all is not the end of the stream`() throws {
        let ends = try TCPEnds()
        try ends.client.sendAll("x")
        // Room for bytes, but none in it: a span with an address and no length.
        var storage: [UInt8] = []
        storage.reserveCapacity(4)
        var span = storage.mutableSpan
        var none = span.mutableBytes
        let result = try ends.server.receive(into: &none)
        #expect(result != .endOfStream)
        let count = try ends.server.unreadByteCount
        #expect(count == 1)
    }

    // N35
    @Test func `a reset is an error of reading`() throws {
        let ends = try TCPEnds()
        try ends.client.resetOnClose()
        let server = try ends.closingClient()
        #expect(throws: SocketError(.read, .connectionReset)) { _ = try read(server, room: 3) }
    }

    @Test func `the kernel counts what waits to be read`() throws {
        let ends = try TCPEnds()
        let before = try ends.server.unreadByteCount
        try ends.client.sendAll("hello")
        let between = try ends.server.unreadByteCount
        _ = try read(ends.server, room: 2)
        let after = try ends.server.unreadByteCount
        #expect([before, between, after] == [0, 5, 3])
    }

    // MARK: Writing

    // P33, P35, P38
    @Test func `writing takes what fits and then would block`() throws {
        let ends = try TCPEnds()
        let chunk = [UInt8](repeating: 7, count: 65_536)
        var sent = 0
        while case .bytes(let count) = try ends.client.send(chunk.span.bytes) {
            sent += count
        }
        #expect(sent > 0)
        let again = try ends.client.send(chunk.span.bytes)
        #expect(again == .wouldBlock)
        var received = 0
        while let bytes = try ends.server.receiveNow(), !bytes.isEmpty {
            received += bytes.count
            if bytes.contains(where: { $0 != 7 }) { Issue.record("a byte was changed") }
        }
        #expect(received > 0)
        let resumed = try ends.client.send(chunk.span.bytes)
        #expect(resumed != .wouldBlock)
    }

    @Test func `writing nothing sends nothing`() throws {
        let ends = try TCPEnds()
        let none: [UInt8] = []
        let result = try ends.client.send(none.span.bytes)
        let count = try ends.server.unreadByteCount
        #expect(result == .bytes(0))
        #expect(count == 0)
    }

    // W23
    @Test func `writing to a peer that is gone throws and raises no signal`() throws {
        var pair = try Socket.makePair()
        try Socket.taken(from: &pair.second).close()
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .brokenPipe)) {
            _ = try pair.first.send(byte.span.bytes)
        }
    }

    // W23
    @Test func `writing to a connection that the peer has cut throws and raises no signal`() throws
    {
        let ends = try TCPEnds()
        try ends.client.resetOnClose()
        let server = try ends.closingClient()
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .connectionReset)) {
            _ = try server.send(byte.span.bytes)
        }
        #expect(throws: SocketError(.write, .brokenPipe)) {
            _ = try server.send(byte.span.bytes)
        }
    }

    // P33
    @Test func `writing before there is a connection throws`() throws {
        let socket = try Socket(for: .unnamed)
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .notConnected)) { _ = try socket.send(byte.span.bytes) }
    }

    // MARK: Shutting down

    // P37, N39
    @Test func `after the writing side is shut the other way still works`() throws {
        let ends = try TCPEnds()
        try ends.client.shutDown(.writing)
        try ends.server.sendAll("answer")
        let answer = try ends.client.receiveNow()
        #expect(answer?.text == "answer")
    }

    // P37, N39
    @Test func `writing after the writing side was shut throws`() throws {
        let ends = try TCPEnds()
        try ends.client.shutDown(.writing)
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .brokenPipe)) {
            _ = try ends.client.send(byte.span.bytes)
        }
    }

    // P37, N39
    @Test func `after the reading side is shut reading is at its end`() throws {
        let ends = try TCPEnds()
        try ends.client.shutDown(.reading)
        let read = try read(ends.client, room: 3)
        #expect(read.result == .endOfStream)
        try ends.client.sendAll("still")
        let other = try ends.server.receiveNow()
        #expect(other?.text == "still")
    }

    // P37, N39
    @Test func `both sides can be shut at once`() throws {
        let ends = try TCPEnds()
        try ends.client.shutDown(.both)
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .brokenPipe)) {
            _ = try ends.client.send(byte.span.bytes)
        }
        let own = try read(ends.client, room: 3)
        let others = try read(ends.server, room: 3)
        #expect(own.result == .endOfStream)
        #expect(others.result == .endOfStream)
    }

    // P37
    @Test func `shutting down without a connection throws`() throws {
        let socket = try Socket(for: .loopback(port: 0))
        #expect(throws: SocketError(.shutDown, .notConnected)) { try socket.shutDown(.writing) }
    }
}

private func read(
    _ socket: borrowing Socket, room: Int
) throws(SocketError) -> (result: ReadResult, bytes: [UInt8]) {
    var storage = [UInt8](repeating: 0, count: room)
    var span = storage.mutableSpan
    var free = span.mutableBytes
    let result = try socket.receive(into: &free)
    if case .bytes(let count) = result { return (result, Array(storage[..<count])) }
    return (result, [])
}
