// SPDX-License-Identifier: Apache-2.0
//
// Servers on the reactors of a group, and the one call that serves to the end.

import Glibc
import SluiceText
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ServingGroups {
    @Test(arguments: [0, -1, 1_025])
    func `a group of no sensible size is refused`(count: Int) {
        let error = SocketError(.create, .invalidArgument)
        #expect(throws: error) { _ = try ReactorGroup(count: count) }
    }

    @Test func `a group that can't have its descriptors leaves nothing`() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var low = limit
        low.rlim_cur = rlim_t(openDescriptorCount() + 10)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &low)
        defer { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        let error = #expect(throws: SocketError.self) { _ = try ReactorGroup(count: 50) }
        #expect(error?.code == .tooManyOpenFiles)
    }

    @Test(arguments: [1, 2, 4])
    func `a server on all reactors serves, and a cancelled run leaves no task`(
        count: Int
    ) async throws {
        let group = try ReactorGroup(count: count)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let ended = Tally()
        let run = Task {
            try await server.run { connection in
                defer { ended.add(1) }
                try await echo(connection)
            }
        }
        let answers = try await ask(server.addresses[0], 200, on: group)
        #expect(Set(answers) == Set((0..<200).map { "\($0)" }))
        run.cancel()
        try await run.value
        #expect(ended.value == 200)
        await group.stop()
    }

    @Test func `a run that is closed waits for its connections, and cancels after its limit`()
        async throws
    {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.drainLimit = .milliseconds(20)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let begun = Tally()
        let ended = Tally()
        let run = Task {
            try await server.run { connection in
                begun.add(1)
                defer { ended.add(1) }
                // Closing ends the first wait, and only a cancellation the second.
                _ = try? await connection.read()
                try await connection.executor.sleep(for: .seconds(600))
            }
        }
        var clients: [Connection] = []
        for _ in 0..<20 {
            clients.append(
                try await .connect(to: .address(server.addresses[0]), on: group.leastLoaded))
        }
        while begun.value < 20 { try await group.executors[0].sleep(for: .milliseconds(1)) }
        server.close()
        try await run.value
        #expect(ended.value == 20)
        for client in clients { await client.close() }
        await group.stop()
    }

    @Test func `clients wait in the backlog until somebody serves`() async throws {
        let group = try ReactorGroup(count: 1)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let client = try await Connection.connect(
            to: .address(server.addresses[0]), on: group.executors[0])
        try await client.writeLine("hello")
        let run = Task { try await server.run { try await echo($0) } }
        let line = try await client.readLine()
        #expect(line == "hello")
        await client.close()
        server.close()
        try await run.value
        await group.stop()
    }

    @Test func `a second run is refused`() async throws {
        let group = try ReactorGroup(count: 1)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        server.close()
        try await server.run { _ in }
        let error = SocketError(.accept, .busy)
        await #expect(throws: error) { try await server.run { _ in } }
        await group.stop()
    }

    @Test func `the group's end ends a run`() async throws {
        let group = try ReactorGroup(count: 2)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let ended = Tally()
        let run = Task {
            try await server.run { connection in
                defer { ended.add(1) }
                try await echo(connection)
            }
        }
        let other = try ReactorGroup(count: 1)
        let client = try await Connection.connect(
            to: .address(server.addresses[0]), on: other.executors[0])
        try await client.writeLine("hello")
        let line = try await client.readLine()
        #expect(line == "hello")
        await group.stop()
        try await run.value
        #expect(ended.value == 1)
        await other.stop()
    }

    /// Their connections may have gone, so that the run has nothing more to drain.
    @Test(arguments: [false, true])
    func `handlers that wait for something elsewhere end with their reactor's run`(
        isDrained: Bool
    ) async throws {
        let group = try ReactorGroup(count: 2)
        let other = try ReactorGroup(count: 1)
        var options = ServingOptions()
        options.drainLimit = .seconds(600)
        options.onError = { error, _ in
            #expect(error as? SocketError == SocketError(.wait, .cancelled))
        }
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let begun = Tally()
        let run = Task {
            try await server.run { connection in
                // Once its client knows that it is connected.
                try await connection.writeLine("welcome")
                begun.add(1)
                if isDrained { _ = try await connection.readLine() }
                if isDrained { connection.abort() }
                // On a reactor that goes on.
                try await other.executors[0].sleep(for: .seconds(600))
            }
        }
        var clients: [Connection] = []
        for _ in 0..<4 {
            clients.append(
                try await Connection.connect(
                    to: .address(server.addresses[0]), on: other.executors[0]))
        }
        while begun.value < 4 { try await other.executors[0].sleep(for: .milliseconds(1)) }
        if isDrained {
            for client in clients { try await client.writeLine("thanks") }
            server.close()
            // Behind what that has begun.
            for handle in group.handles { try handle.perform { _ in } }
            try await other.executors[0].sleep(for: .milliseconds(20))
        }
        await group.stop()
        try await run.value
        for client in clients { await client.close() }
        await other.stop()
    }

    // N40
    @Test func `an error of a handler goes to the hook with its connection`() async throws {
        let group = try ReactorGroup(count: 1)
        let told = Tally()
        var options = ServingOptions()
        options.onError = { error, connection in
            // It is still open: the hook may say goodbye.
            if error is Mishap, connection.status == .open {
                told.add(1)
                _ = try? connection.write(([0x21] as [UInt8]).span.bytes)
            }
        }
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let run = Task { try await server.run { _ in throw Mishap() } }
        let client = try await Connection.connect(
            to: .address(server.addresses[0]), on: group.executors[0])
        let bytes = try await client.read()
        #expect(bytes == [0x21])
        #expect(told.value == 1)
        await client.close()
        run.cancel()
        try await run.value
        await group.stop()
    }

    // P41, N40
    @Test(arguments: [ServingOptions.Distribution.reusePort, .handOver])
    func `channels with handlers are served in place of tasks`(
        distribution: ServingOptions.Distribution
    ) async throws {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = distribution
        options.server.maximumConnections = 10
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let run = Task {
            try await server.run(onAccept: { channel, _ in
                channel.onBytes { channel, bytes in try channel.write(bytes) }
            })
        }
        let answers = try await ask(server.addresses[0], 100, on: group)
        #expect(Set(answers) == Set((0..<100).map { "\($0)" }))
        server.close()
        try await run.value
        await group.stop()
    }

    @Test(arguments: [ServingOptions.Distribution.reusePort, .handOver])
    func `clients that come while a run ends are served or closed, and none is left`(
        distribution: ServingOptions.Distribution
    ) async throws {
        let other = try ReactorGroup(count: 1)
        for round in 0..<20 {
            let group = try ReactorGroup(count: 3)
            var options = ServingOptions()
            options.distribution = distribution
            options.drainLimit = .milliseconds(round % 3)
            options.onError = { _, _ in }
            let server = try await ServerGroup(
                on: group, at: [.loopback(port: 0)], options: options)
            let run = Task { try await server.run { try await echo($0) } }
            await withTaskGroup(of: Void.self) { tasks in
                for number in 0..<30 {
                    tasks.addTask {
                        guard
                            let client = try? await Connection.connect(
                                to: .address(server.addresses[0]), on: other.executors[0])
                        else { return }
                        if number == 10 + round { server.close() }
                        await expectEnd(of: client)
                        await client.close()
                    }
                }
            }
            try await run.value
            await group.stop()
        }
        await other.stop()
    }

    /// Talks until the other side ends the connection.
    ///
    /// Who only listens may wait for ever: where the end of a listener meets the last step of a
    /// connection's beginning, the kernel forgets the connection without a word.
    private func expectEnd(of client: Connection) async {
        for _ in 0..<1_000 {
            do {
                try await client.write([0x2E])
                let bytes = try await client.within(.milliseconds(10)) { try await client.read() }
                if bytes.isEmpty { return }
                try await client.executor.sleep(for: .milliseconds(10))
            } catch let error as SocketError where error.code == .timedOut {
                continue
            } catch {
                return
            }
        }
        Issue.record("a connection is left")
    }

    // N40
    @Test func `stopping from async code waits for the threads`() async throws {
        let group = try ReactorGroup(count: 2)
        let ended = Tally()
        let tasks = group.executors.map { executor in
            Task(executorPreference: executor) {
                try? await executor.sleep(for: .seconds(600))
                ended.add(1)
            }
        }
        await group.stop()
        #expect(ended.value == 2)
        for task in tasks { await task.value }
        await group.stop()
    }

    @Test func `a refused connection is told`() async throws {
        let group = try ReactorGroup(count: 1)
        let address: SocketAddress
        do { address = try ServerSocket(at: .loopback(port: 0)).address }
        let error = await #expect(throws: ConnectError.self) {
            _ = try await Connection.connect(to: .address(address), on: group.executors[0])
        }
        #expect(error?.cause == .refused(SocketError(.connect, .connectionRefused, at: address)))
        await group.stop()
    }
}
