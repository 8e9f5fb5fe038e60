// SPDX-License-Identifier: Apache-2.0
//
// How many connections and handlers a group of servers has at once.

import SluiceText
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LimitingServers {
    @Test(arguments: [ServingOptions.Distribution.reusePort, .handOver])
    func `a limit on connections has further clients wait`(
        distribution: ServingOptions.Distribution
    ) async throws {
        var options = ServingOptions()
        options.server.maximumConnections = 2
        try await expectTwoAtOnce(distribution, options) { connection in try await echo(connection)
        }
    }

    @Test(arguments: [ServingOptions.Distribution.reusePort, .handOver])
    func `a limit on handlers has further clients wait, though connections have closed`(
        distribution: ServingOptions.Distribution
    ) async throws {
        var options = ServingOptions()
        options.maximumHandlers = 2
        try await expectTwoAtOnce(distribution, options) { connection in
            try await echo(connection)
            connection.abort()
            // No longer a connection, still a handler.
            try await connection.executor.sleep(for: .milliseconds(20))
        }
    }

    /// Has 40 clients ask; of their handlers never more than two are under way.
    private func expectTwoAtOnce(
        _ distribution: ServingOptions.Distribution, _ options: ServingOptions,
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) async throws {
        // The kernel may give every client to one of several listeners, and then one waits for all.
        let reactors = distribution == .handOver ? 3 : 1
        let most = try await mostAtOnce(of: 40, reactors, distribution, options) {
            connection, crowd in
            // The first one waits for the second.
            while crowd.most < 2 {
                try await connection.executor.sleep(for: .milliseconds(1))
            }
            try await handler(connection)
        }
        #expect(most == 2)
    }

    // With a shared port each reactor has a share of the limit, and some have none.
    @Test(arguments: [1, 2, 5], [ServingOptions.Distribution.reusePort, .handOver])
    func `fewer connections than reactors are as many as were asked for`(
        limit: Int, distribution: ServingOptions.Distribution
    ) async throws {
        var options = ServingOptions()
        options.server.maximumConnections = limit
        let most = try await mostAtOnce(of: 60, 4, distribution, options) { connection, _ in
            try await echo(connection)
        }
        #expect(most <= limit)
    }

    /// Has so many clients ask, expects that each is answered, and says how many of their handlers were
    /// under way at most.
    private func mostAtOnce(
        of count: Int, _ reactors: Int, _ distribution: ServingOptions.Distribution,
        _ options: ServingOptions,
        _ handler: @escaping @Sendable (isolated Connection, Crowding) async throws -> Void
    ) async throws -> Int {
        let group = try ReactorGroup(count: reactors)
        var options = options
        options.distribution = distribution
        let server = try await ServerGroup(on: group, at: [.loopback(port: 0)], options: options)
        let crowd = Crowding()
        let run = Task {
            try await server.run { connection in
                crowd.enter()
                defer { crowd.leave() }
                try await handler(connection, crowd)
            }
        }
        let answers = try await ask(server.addresses[0], count, on: group)
        #expect(answers.count == count)
        #expect(Set(answers) == Set((0..<count).map { "\($0)" }))
        run.cancel()
        try await run.value
        await group.stop()
        return crowd.most
    }
}

/// How many are in at once.
private final class Crowding: Sendable {
    private let counts = Locked((now: 0, most: 0))

    /// The most that there were.
    var most: Int { counts.withLock { $0.most } }

    func enter() {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }

    func leave() { counts.withLock { $0.now -= 1 } }
}
