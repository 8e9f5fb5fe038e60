// SPDX-License-Identifier: Apache-2.0
//
// Reactors on several threads, servers spread over them, and the one call that serves to the end.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ServingGroups {
    /// Sends a line each through a connection of its own and reads the answers.
    private func ask(
        _ address: SocketAddress, _ count: Int, on group: ReactorGroup
    ) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self) { tasks in
            for number in 0..<count {
                tasks.addTask {
                    try await Connection.connect(
                        to: .address(address), on: group.leastLoaded
                    ) { connection in
                        try await connection.writeLine("\(number)")
                        return try await connection.readLine() ?? "nothing"
                    }
                }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
    }

    private func echo(_ connection: isolated Connection) async throws {
        for try await line in connection.lines { try await connection.writeLine(line) }
    }

    @Test func `every reactor has a thread of its own`() async throws {
        let group = try ReactorGroup(count: 3, isPinned: true)
        let threads = Log()
        for executor in group.executors {
            await Task(executorPreference: executor) {
                #expect(executor.isCurrent)
                threads.append(Int(pthread_self()))
            }.value
        }
        #expect(Set(threads.entries).count == 3)
        group.stop()
        group.stop()
    }

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
        group.stop()
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
        group.stop()
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
        group.stop()
    }

    @Test func `a second run is refused`() async throws {
        let group = try ReactorGroup(count: 1)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        server.close()
        try await server.run { _ in }
        let error = SocketError(.accept, .busy)
        await #expect(throws: error) { try await server.run { _ in } }
        group.stop()
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
        group.stop()
        try await run.value
        #expect(ended.value == 1)
        other.stop()
    }

    @Test func `an error of a handler goes to the hook with the peer`() async throws {
        let group = try ReactorGroup(count: 1)
        let told = Tally()
        var options = ServingOptions()
        options.onError = { error, peer in if error is Mishap, peer.port != nil { told.add(1) } }
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let run = Task { try await server.run { _ in throw Mishap() } }
        let client = try await Connection.connect(
            to: .address(server.addresses[0]), on: group.executors[0])
        let bytes = try await client.read()
        #expect(bytes.isEmpty)
        #expect(told.value == 1)
        await client.close()
        run.cancel()
        try await run.value
        group.stop()
    }

    @Test func `a refused connection is told`() async throws {
        let group = try ReactorGroup(count: 1)
        let address: SocketAddress
        do { address = try ServerSocket(at: .loopback(port: 0)).address }
        let error = await #expect(throws: ConnectError.self) {
            _ = try await Connection.connect(to: .address(address), on: group.executors[0])
        }
        #expect(error?.cause == .refused(SocketError(.connect, .connectionRefused, at: address)))
        group.stop()
    }
}
