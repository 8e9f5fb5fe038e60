// SPDX-License-Identifier: Apache-2.0
//
// Channels and connections that are told when their server begins to drain.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TellingOfDraining {
    let reactor: Reactor
    let channels = Box<[Channel]>([])
    let told = Box<[String]>([])

    init() throws { reactor = try Reactor() }

    /// A server that keeps its channels.
    private func listen(_ prepare: @escaping (Channel) -> Void = { _ in }) throws -> Server {
        try Server(on: reactor, at: [.loopback(port: 0)]) { [channels] channel, _ in
            channels.value.append(channel)
            prepare(channel)
        }
    }

    private func connect(_ count: Int = 1, to server: Server) throws -> [HeldSocket] {
        let before = server.connectionCount
        let clients = try (0..<count).map { _ in
            HeldSocket(try Socket.connecting(to: server.address))
        }
        reactor.expect("all are in") { server.connectionCount == before + count }
        return clients
    }

    @Test func `a channel is told once, in a turn of its own`() throws {
        let server = try listen { [told] channel in
            channel.onDraining { channel in told.value.append(channel.isDraining ? "yes" : "no") }
        }
        let clients = try connect(to: server)
        #expect(channels.value.map(\.isDraining) == [false])
        server.drain(within: .seconds(60)) { _ in }
        #expect(channels.value.map(\.isDraining) == [true])
        #expect(told.value == [])
        server.drain(within: .seconds(60)) { _ in }
        reactor.settle()
        #expect(told.value == ["yes"])
        #expect(channels.value.map(\.status) == [.open])
        withExtendedLifetime(clients) {}
    }

    @Test func `a channel that closes when it is told ends the drain`() throws {
        let server = try listen { channel in channel.onDraining { $0.close() } }
        let clients = try connect(3, to: server)
        let left = Box<[Int]>([])
        server.drain(within: .seconds(60)) { left.value.append($0) }
        reactor.expect("the drain ends") { left.value == [0] }
        #expect(channels.value.map(\.endReason) == [.local, .local, .local])
        withExtendedLifetime(clients) {}
    }

    @Test func `a handler that comes late is called in the next turn, once`() throws {
        let server = try listen()
        let clients = try connect(to: server)
        server.drain(within: .seconds(60)) { _ in }
        reactor.settle()
        let channel = try #require(channels.value.first)
        channel.onDraining { [told] _ in told.value.append("late") }
        #expect(told.value == [])
        reactor.settle()
        #expect(told.value == ["late"])
        channel.onDraining { [told] _ in told.value.append("later") }
        channel.onDraining(nil)
        reactor.settle()
        #expect(told.value == ["late"])
        withExtendedLifetime(clients) {}
    }

    @Test func `a handler that was taken away is not called`() throws {
        let server = try listen { [told] channel in
            channel.onDraining { _ in told.value.append("told") }
            channel.onDraining(nil)
        }
        let clients = try connect(to: server)
        server.drain(within: .seconds(60)) { _ in }
        reactor.settle()
        #expect(told.value == [])
        withExtendedLifetime(clients) {}
    }

    @Test func `what a handler throws is reported, and its channel goes on`() throws {
        let errors = Box<[SocketError?]>([])
        reactor.onError = { error, _ in errors.value.append(error as? SocketError) }
        let server = try listen { channel in
            channel.onDraining { _ in throw SocketError(.perform, .timedOut) }
        }
        let clients = try connect(to: server)
        server.drain(within: .seconds(60)) { _ in }
        reactor.settle()
        #expect(errors.value == [SocketError(.perform, .timedOut)])
        #expect(channels.value.map(\.status) == [.open])
        withExtendedLifetime(clients) {}
    }

    @Test func `a server that drains inside a handler tells behind it`() throws {
        let held = Box<Server?>(nil)
        let server = try listen { [told] channel in
            channel.onBytes { _, _ in
                held.value?.drain(within: .seconds(60)) { _ in }
                told.value.append("asked")
            }
            channel.onDraining { _ in told.value.append("told") }
        }
        held.value = server
        let clients = try connect(to: server)
        try clients[0].socket.sendAll("end")
        reactor.expect("it is told") { told.value == ["asked", "told"] }
        held.value = nil
    }

    @Test func `many are told in several turns`() throws {
        let server = try listen { [told] channel in
            channel.onDraining { _ in told.value.append("told") }
        }
        let clients = try connect(300, to: server)
        reactor.settle()
        server.drain(within: .seconds(60)) { _ in }
        #expect(channels.value.count { $0.isDraining } == 300)
        #expect(reactor.readyCount - reactor.nextReady == 256)
        reactor.expect("all are told") { told.value.count == 300 }
        for channel in channels.value { channel.close() }
        withExtendedLifetime(clients) {}
    }

    @Test func `one that has closed, and one of another server, are not told`() throws {
        let server = try listen { [told] channel in
            channel.onDraining { _ in told.value.append("told") }
        }
        let other = try listen { [told] channel in
            channel.onDraining { _ in told.value.append("other") }
        }
        let clients = try connect(to: server) + connect(to: other)
        server.drain(within: .seconds(60)) { _ in }
        channels.value[0].close()
        reactor.settle()
        #expect(told.value == [])
        #expect(!channels.value[1].isDraining)
        withExtendedLifetime(clients) {}
    }

    // MARK: Tasks

    @Test func `a connection is told on its thread, and may end the wait of its task`() throws {
        let log = Log()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { connection in
            connection.onDraining { connection in
                log.append(connection.isDraining ? 1 : 0)
                try connection.closeReading()
            }
            log.append(connection.isDraining ? 1 : 0)
            do {
                _ = try await connection.read()
            } catch let error as SocketError where error.code == .shutDown {
                log.append(2)
            }
        }
        let clients = try connect(2, to: server)
        let left = Box<[Int]>([])
        server.drain(within: .seconds(60)) { left.value.append($0) }
        reactor.expect("the drain ends") { left.value == [0] }
        #expect(log.entries.sorted() == [0, 0, 1, 1, 2, 2])
        withExtendedLifetime(clients) {}
    }

    @Test func `a connection that nobody holds is not kept by its handler`() throws {
        let server = try listen()
        let clients = try connect(to: server)
        let channel = try #require(channels.value.first)
        var connection: Connection? = try .adopting(channel)
        connection?.assumeIsolated { $0.onDraining { _ in } }
        connection = nil
        #expect(channel.status == .closed)
        withExtendedLifetime(clients) {}
    }

    // MARK: Groups

    @Test(arguments: [ServingOptions.Distribution.handOver, .reusePort], [true, false])
    func `a group of servers tells all of its connections`(
        distribution: ServingOptions.Distribution, inTasks: Bool
    ) async throws {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = distribution
        options.drainLimit = .seconds(600)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let begun = Tally()
        let told = Tally()
        let run = Task {
            if inTasks {
                try await server.run { connection in
                    connection.onDraining { connection in
                        told.add(1)
                        connection.close()
                    }
                    begun.add(1)
                    // Its end is what is waited for.
                    _ = try? await connection.read()
                }
            } else {
                try await server.run(onAccept: { channel, _ in
                    channel.onDraining { channel in
                        told.add(1)
                        channel.close()
                    }
                    begun.add(1)
                })
            }
        }
        var clients: [Connection] = []
        for _ in 0..<20 {
            clients.append(
                try await .connect(to: .address(server.addresses[0]), on: group.leastLoaded))
        }
        try await group.executors[0].expect("all have begun") { begun.value == 20 }
        server.close()
        try await run.value
        #expect(told.value == 20)
        for client in clients { await client.close() }
        await group.stop()
    }

    @Test(arguments: [true, false])
    func `connections on their way to another reactor are served, however it ends`(
        byClose: Bool
    ) async throws {
        let group = try ReactorGroup(count: 3)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let run = Task {
            try await server.run { connection in try await connection.writeLine("hello") }
        }
        let address = server.addresses[0]
        let first = try await Connection.connect(to: .address(address), on: group.leastLoaded)
        let line = try await first.readLine()
        #expect(line == "hello")
        let clients = try Self.connected(300, to: address)
        if byClose { server.close() } else { run.cancel() }
        try await run.value
        var served = 0
        for client in clients where (try? client.socket.receiveNow()) == Array("hello\n".utf8) {
            served += 1
        }
        #expect(served == 300)
        await first.close()
        await group.stop()
    }

    /// Clients whose connections the kernel has made.
    private static func connected(_ count: Int, to address: SocketAddress) throws -> [HeldSocket] {
        try (0..<count).map { _ in
            let client = try Socket(for: address)
            try client.setBlocking(true)
            _ = try client.connect(to: address)
            return HeldSocket(client)
        }
    }
}
