// SPDX-License-Identifier: Apache-2.0
//
// One call that serves, drains on a signal, and says how the process should end.
// The signals are the user's own two, so a mistake ends no test run by a usual one.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ServingToTheEnd {
    // MARK: One reactor

    /// Serves one client until it is in and a signal has come.
    private func serve(
        within limit: Duration = .seconds(60), at first: @escaping (Channel, Reactor) -> Void
    ) throws -> (DrainResult, client: HeldSocket) {
        let reactor = try Reactor()
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) {
            [unowned reactor] channel, _ in
            first(channel, reactor)
            reactor.after(.zero) { raiseNow(SIGUSR1) }
        }
        let client = HeldSocket(try Socket.connecting(to: server.address))
        let rescue = reactor.after(.seconds(20)) { [unowned reactor] in
            Issue.record("nobody ended it")
            reactor.stop()
        }
        let result = try reactor.serve([server], drainingOn: [.user1, .user2], within: limit)
        rescue.cancel()
        server.close()
        expectFreeSignals()
        return (result, client)
    }

    /// Another reactor may watch again.
    private func expectFreeSignals() {
        do {
            try Reactor().onSignal(.user1) {}.end()
        } catch {
            Issue.record(error)
        }
    }

    @Test func `connections that end when they are told make a good end`() throws {
        let (result, client) = try serve { channel, _ in channel.onDraining { $0.close() } }
        #expect(result == DrainResult(closedCount: 0, isInterrupted: false))
        #expect(result.exitStatus == 0)
        #expect(try client.socket.receiveNow() == nil)
    }

    @Test func `connections that are left at the limit are closed, and make it 75`() throws {
        // Time enough to be told.
        let (result, client) = try serve(within: .milliseconds(200)) { channel, _ in
            channel.onBytes { _, _ in }
            channel.onDraining { try $0.write(text: "bye") }
        }
        #expect(result == DrainResult(closedCount: 1, isInterrupted: false))
        #expect(result.exitStatus == 75)
        #expect(try client.socket.receiveNow()?.text == "bye")
        #expect(try client.socket.receiveNow() == nil)
    }

    @Test func `a second signal cuts off what is left, and makes it 130`() throws {
        let reasons = Box<[EndReason]>([])
        let (result, client) = try serve { channel, _ in
            channel.onClose { reasons.value.append($1) }
            channel.onDraining { _ in raiseNow(SIGUSR2) }
        }
        #expect(result == DrainResult(closedCount: 1, isInterrupted: true))
        #expect(result.exitStatus == 130)
        #expect(reasons.value == [.drained])
        var code: ErrorCode?
        do { _ = try client.socket.receiveNow() } catch { code = (error as? SocketError)?.code }
        #expect(code == .connectionReset)
    }

    @Test func `what closes but does not get on is cut off, too`() throws {
        let (result, client) = try serve { channel, reactor in
            channel.onDraining { [unowned reactor] channel in
                channel.options.outputLimit = 100_000_000
                try channel.write([UInt8](repeating: 1, count: 50_000_000))
                channel.close()
                reactor.after(.milliseconds(5)) { raiseNow(SIGUSR1) }
            }
        }
        #expect(result == DrainResult(closedCount: 1, isInterrupted: true))
        withExtendedLifetime(client) {}
    }

    @Test func `stopping before a signal drains nothing`() throws {
        let reactor = try Reactor()
        let server = try reactor.listen()
        reactor.after(.zero) { [unowned reactor] in reactor.stop() }
        let result = try reactor.serve([server], drainingOn: [.user1])
        #expect(result == DrainResult(closedCount: 0, isInterrupted: false))
        #expect(server.isListening)
        server.close()
        expectFreeSignals()
    }

    @Test func `stopping in a drain leaves what is open, and counts it`() throws {
        let (result, client) = try serve { channel, reactor in
            channel.onDraining { [unowned reactor] _ in reactor.stop() }
        }
        #expect(result == DrainResult(closedCount: 1, isInterrupted: false))
        #expect(result.exitStatus == 75)
        withExtendedLifetime(client) {}
    }

    @Test func `several servers drain at once, and their numbers add up`() throws {
        let reactor = try Reactor()
        let servers = try (0..<3).map { _ in try reactor.listen() }
        let clients = try servers.map { HeldSocket(try Socket.connecting(to: $0.address)) }
        reactor.expect("all are in") { servers.allSatisfy { $0.connectionCount == 1 } }
        reactor.after(.zero) { raiseNow(SIGUSR1) }
        let result = try reactor.serve(
            servers, drainingOn: [.user1], within: .milliseconds(10))
        #expect(result == DrainResult(closedCount: 3, isInterrupted: false))
        #expect(servers.allSatisfy { !$0.isListening })
        withExtendedLifetime(clients) {}
    }

    @Test func `a drain of no servers ends in a later turn`() throws {
        let reactor = try Reactor()
        let results = Box<[DrainResult]>([])
        reactor.drain([], within: .seconds(60)) { results.value.append($0) }
        #expect(results.value == [])
        reactor.expect("it ends") { results.value.map(\.exitStatus) == [0] }
        reactor.after(.zero) { raiseNow(SIGUSR1) }
        let result = try reactor.serve([], drainingOn: [.user1])
        #expect(result.exitStatus == 0)
    }

    @Test func `signals that can't be watched are refused, and none is kept`() throws {
        let reactor = try Reactor()
        let server = try reactor.listen()
        #expect(throws: SocketError(.watch, .invalidArgument)) {
            _ = try reactor.serve([server], drainingOn: [.user1, Signal(rawValue: SIGKILL)])
        }
        expectFreeSignals()
        let other = try Reactor()
        let watch = try other.onSignal(.user1) {}
        #expect(throws: SocketError(.watch, .busy)) {
            _ = try reactor.serve([server], drainingOn: [.user1])
        }
        watch.end()
        server.close()
    }

    // MARK: Groups

    private typealias Wait = () async throws -> Void

    /// Serves twenty clients, each with a handler, until `end` has ended it, which may wait until
    /// all are told; the run itself is under a deadline.
    private func serveGroup(
        within limit: Duration = .seconds(600), drainLimit: Duration = .seconds(600),
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void,
        end: (Task<DrainResult, any Error>, _ allAreTold: Wait) async throws -> Void
    ) async throws -> DrainResult {
        let group = try ReactorGroup(count: 2)
        let executor = group.executors[0]
        var options = ServingOptions()
        options.drainLimit = drainLimit
        options.onError = { _, _ in }
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let (begun, told) = (Tally(), Tally())
        let run = Task {
            try await executor.within(limit) {
                try await server.run(drainingOn: [.user1, .user2], on: executor) { connection in
                    connection.onDraining { _ in told.add(1) }
                    begun.add(1)
                    try await handler(connection)
                }
            }
        }
        var clients: [Connection] = []
        for _ in 0..<20 {
            clients.append(
                try await .connect(to: .address(server.addresses[0]), on: group.leastLoaded))
        }
        try await executor.expect("all have begun") { begun.value == 20 }
        try await end(run) { try await executor.expect("all are told") { told.value == 20 } }
        let result = try await run.value
        expectFreeSignals()
        let error = SocketError(.accept, .busy)
        await #expect(throws: error) {
            _ = try await server.run(drainingOn: [.user1], on: executor) { _ in }
        }
        expectFreeSignals()
        for client in clients { await client.close() }
        await group.stop()
        return result
    }

    @Test func `a group whose connections end in time makes a good end`() async throws {
        let result = try await serveGroup { connection in
            while !connection.isDraining {
                try await connection.executor.sleep(for: .milliseconds(1))
            }
        } end: { _, _ in
            raiseNow(SIGUSR1)
        }
        #expect(result == DrainResult(closedCount: 0, isInterrupted: false))
    }

    @Test func `a group closes at its limit what is left, and says how many`() async throws {
        let result = try await serveGroup(drainLimit: .milliseconds(20)) { connection in
            _ = try await connection.read()
        } end: { _, _ in
            raiseNow(SIGUSR1)
        }
        #expect(result == DrainResult(closedCount: 20, isInterrupted: false))
        #expect(result.exitStatus == 75)
    }

    @Test func `a second signal cuts a group off, with its tasks`() async throws {
        let result = try await serveGroup { connection in
            try await connection.executor.sleep(for: .seconds(600))
        } end: { _, allAreTold in
            raiseNow(SIGUSR1)
            try await allAreTold()
            raiseNow(SIGUSR1)
        }
        #expect(result == DrainResult(closedCount: 20, isInterrupted: true))
        #expect(result.exitStatus == 130)
    }

    @Test func `signals cut a group off also where a deadline has begun its drain`() async throws {
        // Time enough for all to be let in.
        let result = try await serveGroup(
            within: .milliseconds(500), drainLimit: .seconds(20)
        ) { connection in
            try await connection.executor.sleep(for: .seconds(600))
        } end: { _, allAreTold in
            try await allAreTold()
            // Of one kind they might count as one.
            raiseNow(SIGUSR1)
            raiseNow(SIGUSR2)
        }
        #expect(result == DrainResult(closedCount: 20, isInterrupted: true))
    }

    @Test func `a group whose task is cancelled drains as at a signal`() async throws {
        // Time enough for all to be told, which is waited for.
        let result = try await serveGroup(drainLimit: .milliseconds(500)) { connection in
            _ = try await connection.read()
        } end: { run, allAreTold in
            run.cancel()
            try await allAreTold()
        }
        #expect(result == DrainResult(closedCount: 20, isInterrupted: false))
    }
}
