// SPDX-License-Identifier: Apache-2.0
//
// Clients that wait for their connection: by name or number, within their time, from where they
// say. What each address answered is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct WaitingClients {
    /// An address of the loopback interface where nobody listens.
    private func unusedAddress() throws -> SocketAddress {
        let socket = try Socket(for: .loopback(port: 0))
        try socket.bind(to: .loopback(port: 0))
        return try socket.localAddress
    }

    private func failure(
        of endpoint: Endpoint, options: ClientOptions = .init()
    ) throws -> ConnectError {
        try #require(
            #expect(throws: ConnectError.self) {
                try Channel.connected(to: endpoint, options: options)
            })
    }

    // A2, N21
    @Test(arguments: ["localhost", "127.0.0.1"])
    func `a client connects to a name or a number`(_ name: String) throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let port = try #require(server.address.port)
        let client = try Channel.connected(to: .host(name, port: port))
        #expect(client.peerAddress == server.address)
        #expect(client.status == .open)
        #expect(try client.get(.noDelay))
        let channel = try server.accept()
        channel.close()
        #expect(try client.readLine() == nil)
        client.close()
    }

    // A2, N21
    @Test func `a refused client is told who refused`() throws {
        let address = try unusedAddress()
        let refused = SocketError(.connect, .connectionRefused, at: address)
        let error = try failure(of: .address(address))
        #expect(error.cause == .refused(refused))
        #expect(error.attempts == [refused])
        #expect(error.endpoint == .address(address))
        #expect("\(error)" == "connect \(address): Connection refused")
    }

    // A2
    @Test func `every address of a name is tried, and each answer is told`() throws {
        let port = try #require(try unusedAddress().port)
        let addresses = try HostName.addresses(of: "localhost")
        let error = try failure(of: .host("localhost", port: port))
        #expect(
            error.attempts
                == addresses.map {
                    SocketError(.connect, .connectionRefused, at: .ip($0, port: port))
                })
    }

    // A2, A19
    @Test func `a name that nobody knows is told as such`() throws {
        let error = try failure(of: .host("nobody.invalid", port: 80))
        guard case .unresolved(let reason) = error.cause else {
            Issue.record(error)
            return
        }
        #expect(reason.name == "nobody.invalid")
        #expect(error.attempts == [])
    }

    // A2
    @Test func `a peer that does not answer costs no more than the time limit`() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 0)
        let address = try listener.localAddress
        var fillers: [HeldSocket] = []
        for _ in 0..<3 { fillers.append(HeldSocket(try .connecting(to: address))) }
        var options = ClientOptions()
        options.timeout = .milliseconds(30)
        let error = try failure(of: .address(address), options: options)
        #expect(error.cause == .timedOut)
        #expect(error.attempts == [SocketError(.connect, .timedOut, at: address)])
        #expect("\(error)" == "connect \(address): Connection timed out")
        withExtendedLifetime(fillers) {}
    }

    // A2
    @Test func `a Unix listener with a full backlog is waited for, within the time limit`() throws {
        let address = SocketAddress.abstract(name: Array("sluice-\(getpid())-waited".utf8))
        let listener = try Socket(for: address)
        try listener.bind(to: address)
        try listener.listen(backlog: 0)
        var fillers: [HeldSocket] = []
        // Where the queue is full, the rest of the fillers fail.
        for _ in 0..<10 {
            guard let filler = try? Socket.connecting(to: address) else { break }
            fillers.append(HeldSocket(filler))
        }
        var options = ClientOptions()
        options.timeout = .milliseconds(30)
        let error = try failure(of: .address(address), options: options)
        #expect(error.cause == .timedOut)
        withExtendedLifetime(fillers) {}
    }

    // A2
    @Test func `a client connects from the address that it is told to`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        var options = ClientOptions()
        options.localAddress = IPAddress("127.0.0.7")
        let client = try Channel.connected(to: server.address, options: options)
        #expect(try client.localAddress.ipAddress == options.localAddress)
        client.close()
        try server.accept().close()
        options.localAddress = IPAddress("192.0.2.1")
        let error = try failure(of: .address(server.address), options: options)
        #expect(error.attempts.first?.operation == .bind)
        #expect(error.attempts.first?.code == .addressNotAvailable)
    }

    // A2
    @Test func `a signal does not end the wait for a connection`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let answers = Answers(.failure(.interrupted), to: [.poll], where: { $0 < 4 })
        let client = try answers.give { () throws in try Channel.connected(to: server.address) }
        #expect(client.status == .open)
        client.close()
        try server.accept().close()
    }

    // A2
    @Test(arguments: [SystemCall.createSocket, .connect, .setOption])
    func `a call that fails is told, and nothing stays open`(_ call: SystemCall) throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let error = try SystemCall.failing(call, with: .noMemory) { () throws in
            try failure(of: .address(server.address))
        }
        #expect(error.attempts.count == 1)
        #expect(error.attempts.first?.code == .noMemory)
    }

    // A14, A15
    @Test func `a closed client still knows whom it was connected to`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let client = try Channel.connected(to: server.address)
        client.close()
        client.close()
        #expect(client.peerAddress == server.address)
        #expect(client.peerAddress.port == server.address.port)
        let closed = SocketError(.read, .badDescriptor, at: server.address)
        #expect(throws: ChannelError.socket(closed)) { try client.readLine() }
        try server.accept().close()
    }
}
