// SPDX-License-Identifier: Apache-2.0
//
// Who reaches a connection and how: actors of the same reactor at once, others by `await`, nobody by
// force; what it tells of itself; and the scope that ends it.

import TestSupport
import Testing

@testable import Sluice

/// An actor of a program's own, on a reactor.
private actor Room: ReactorActor {
    let executor: Reactor.Executor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(on executor: Reactor.Executor) { self.executor = executor }

    /// Tells everybody, and says how many bytes that made.
    func tell(_ text: String, _ guests: [Connection]) throws -> Int {
        for guest in guests {
            try guest.onSameReactor { _ = try $0.write(Array(text.utf8).span.bytes) }
        }
        return guests.count * text.utf8.count
    }
}

@Suite(.countingDescriptors)
struct ReachingConnections: ConnectionSuite {
    let ends: ConnectionEnds

    @Test func `an actor of the same reactor writes without waiting`() throws {
        let connection = try Connection.adopting(channel)
        let room = Room(on: reactor.executor)
        let count = Log()
        Task(executorPreference: reactor.executor) {
            count.append(try await room.tell("hello", [connection]))
        }
        #expect(try ends.receive(5) == Array("hello".utf8))
        #expect(count.entries == [5])
    }

    @Test func `force from another thread ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let group = try ReactorGroup(count: 1)
            let room = Room(on: group.executors[0])
            _ = room.onSameReactor { _ in 1 }
        }
    }

    @Test func `a connection tells of itself`() throws {
        let connection = try Connection.adopting(channel)
        let address = try channel.localAddress
        let done = Flag()
        try ends.peer?.sendAll("hello")
        Task(executorPreference: reactor.executor) {
            let text = try await connection.readText()
            #expect(text == "hello")
            try await connection.write("ok")
            try await connection.flush()
            #expect(await connection.counters.bytesReceived == 5)
            #expect(await connection.counters.bytesSent == 2)
            #expect(try await connection.localAddress == address)
            #expect(await connection.idleTime < .seconds(60))
            #expect(await connection.status == .open)
            await connection.change { $0.idleTimeout = .seconds(1) }
            #expect(await connection.options.idleTimeout == .seconds(1))
            await connection.close()
            #expect(await connection.endReason == .local)
            done.set()
        }
        reactor.expect("the task") { done.isSet }
    }

    @Test func `a copy stays on one reactor`() async throws {
        let group = try ReactorGroup(count: 2)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let run = Task { try await server.run { try await echo($0) } }
        var clients: [Connection] = []
        for executor in group.executors {
            clients.append(
                try await Connection.connect(to: .address(server.addresses[0]), on: executor))
        }
        let other = clients[1]
        let refusal = ChannelError.socket(
            SocketError(.perform, .invalidArgument, at: other.peerAddress))
        do throws(ChannelError) {
            try await clients[0].copy(to: other)
            Issue.record("a copy went to another reactor")
        } catch {
            #expect(error == refusal)
        }
        for client in clients { await client.close() }
        server.close()
        try await run.value
        await group.stop()
    }

    @Test func `a scope closes its connection, also where it throws`() async throws {
        struct Refusal: Error {}
        let group = try ReactorGroup(count: 1)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let ended = Tally()
        let run = Task {
            try await server.run { connection in
                try await echo(connection)
                ended.add(1)
            }
        }
        let kept = SharedValue<Connection?>(nil)
        await #expect(throws: Refusal.self) {
            try await Connection.connect(
                to: .address(server.addresses[0]), on: group.executors[0]
            ) { connection in
                kept.change { $0 = connection }
                throw Refusal()
            }
        }
        let reason = try await kept.value?.closed()
        #expect(reason == .local)
        server.close()
        try await run.value
        #expect(ended.value == 1)
        await group.stop()
    }
}
