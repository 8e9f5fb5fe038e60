// SPDX-License-Identifier: Apache-2.0
//
// Reactors on several threads, and how connections get to them.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// The name of the thread that asks, as the system shows it.
private func threadName() -> String {
    guard let file = fopen("/proc/thread-self/comm", "r") else { return "" }
    defer { fclose(file) }
    return String(decoding: AnyIterator { UInt8(exactly: getc(file)) }.dropLast(), as: UTF8.self)
}

/// On how many cores this thread may run.
private func coreCountOfThread() -> Int { ReactorGroup.coreCount }

@Suite(.countingDescriptors)
struct SpreadingConnections {
    @Test func `every reactor has a thread of its own, with a name`() async throws {
        let group = try ReactorGroup(count: 3, isPinned: true)
        let threads = Log()
        var names: [String] = []
        for executor in group.executors {
            let name = await Task(executorPreference: executor) {
                #expect(executor.isCurrent)
                threads.append(Int(pthread_self()))
                return threadName()
            }.value
            names.append(name)
        }
        #expect(names == ["reactor-0", "reactor-1", "reactor-2"])
        #expect(Set(threads.entries).count == 3)
        await group.stop()
        await group.stop()
    }

    @Test func `connections come to all reactors alike`() async throws {
        let group = try ReactorGroup(count: 3)
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let threads = Log()
        let run = Task {
            try await server.run { connection in
                threads.append(Int(pthread_self()))
                try await echo(connection)
            }
        }
        // Each stays open until all are there, so the fewest are where the next one goes.
        var clients: [Connection] = []
        for _ in 0..<30 {
            let client = try await Connection.connect(
                to: .address(server.addresses[0]), on: group.executors[0])
            try await client.writeLine("hello")
            let line = try await client.readLine()
            #expect(line == "hello")
            clients.append(client)
        }
        let shares = Dictionary(grouping: threads.entries, by: \.self).values.map(\.count)
        #expect(shares == [10, 10, 10])
        for client in clients { await client.close() }
        run.cancel()
        try await run.value
        await group.stop()
    }

    @Test func `where another reactor has ended connections stay with those that are left`()
        async throws
    {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = .handOver
        options.server.maximumConnections = 3
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let run = Task { try await server.run { try await echo($0) } }
        let other = try ReactorGroup(count: 1)
        func client() async throws -> Connection {
            let client = try await Connection.connect(
                to: .address(server.addresses[0]), on: other.executors[0])
            try await client.writeLine("hello")
            let line = try await client.readLine()
            #expect(line == "hello")
            return client
        }
        // The first goes to the first reactor, and the second to the second one.
        var clients = [try await client(), try await client()]
        group.handles[1].stop()
        let lost = try await clients[1].readLine()
        #expect(lost == nil)
        // What the limit says is free again.
        clients.append(try await client())
        clients.append(try await client())
        for client in clients { await client.close() }
        server.close()
        try await run.value
        await group.stop()
        await other.stop()
    }

    @Test func `where the accepting reactor has ended a run ends`() async throws {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = .handOver
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let run = Task { try await server.run { try await echo($0) } }
        group.handles[0].stop()
        try await run.value
        await group.stop()
    }

    @Test func `with a port that is shared, connections come to more than one reactor`()
        async throws
    {
        let group = try ReactorGroup(count: 2)
        var options = ServingOptions()
        options.distribution = .reusePort
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let threads = Log()
        let run = Task {
            try await server.run { connection in
                threads.append(Int(pthread_self()))
                try await echo(connection)
            }
        }
        // The kernel chooses by addresses and ports: that it chooses one for all of 64 does not happen
        // within 10,000,000,000 years of tests.
        _ = try await ask(server.addresses[0], 64, on: group)
        #expect(Set(threads.entries).count == 2)
        run.cancel()
        try await run.value
        await group.stop()
    }

    @Test func `clients go to the reactor with the fewest connections, from the first moment`()
        async throws
    {
        let group = try ReactorGroup(count: 3)
        let other = try ReactorGroup(count: 1)
        // Channels without a task count as much as connections do.
        let server = try await ServerGroup(on: other, at: [.loopback(port: 0)])
        let run = Task {
            try await server.run(onAccept: { channel, _ in
                channel.onBytes { channel, bytes in try channel.write(bytes) }
            })
        }
        // Nobody connects before all have chosen.
        let haveChosen = Flag()
        for handle in group.handles {
            try handle.perform { _ in while !haveChosen.isSet { sched_yield() } }
        }
        let clients = try await withThrowingTaskGroup(of: Connection.self) { tasks in
            for _ in 0..<30 {
                let executor = group.leastLoaded
                let connecting = Task.immediate {
                    try await Connection.connect(to: .address(server.addresses[0]), on: executor)
                }
                // Answered, it has been accepted.
                tasks.addTask {
                    let client = try await connecting.value
                    try await client.writeLine("hello")
                    let line = try await client.readLine()
                    #expect(line == "hello")
                    return client
                }
            }
            haveChosen.set()
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        #expect(group.executors.map(\.connectionCount) == [10, 10, 10])
        #expect(other.executors[0].connectionCount == 30)
        for client in clients { await client.close() }
        server.close()
        try await run.value
        await group.stop()
        #expect(group.executors.map(\.connectionCount) == [0, 0, 0])
        await other.stop()
    }

    @Test func `a pinned reactor stays on one core`() async throws {
        let group = try ReactorGroup(count: 2, isPinned: true)
        for executor in group.executors {
            let cores = await Task(executorPreference: executor) { coreCountOfThread() }.value
            #expect(cores == 1)
        }
        await group.stop()
        let free = try ReactorGroup(count: 1)
        let cores = await Task(executorPreference: free.executors[0]) { coreCountOfThread() }.value
        #expect(cores == ReactorGroup.coreCount)
        await free.stop()
    }
}
