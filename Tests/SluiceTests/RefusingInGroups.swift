// SPDX-License-Identifier: Apache-2.0
//
// Limits on sources and rates that hold for all servers of a group together.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct RefusingInGroups {
    private typealias Distribution = ServingOptions.Distribution

    /// A group that sends lines back, and where its clients are.
    private struct Serving: Sendable {
        let group: ReactorGroup
        let server: ServerGroup
        let others: ReactorGroup
        let run: Task<Void, any Error>

        init(
            _ count: Int, _ distribution: Distribution,
            _ change: (inout ServerOptions) -> Void
        ) async throws {
            var options = ServingOptions()
            options.distribution = distribution
            change(&options.server)
            group = try ReactorGroup(count: count)
            others = try ReactorGroup(count: 1)
            let server = try await ServerGroup(
                on: group, at: [.loopback(port: 0)], options: options)
            self.server = server
            run = Task { try await server.run { try await echo($0) } }
        }

        /// Connects from an address of this machine; `nil` where the connection is turned away.
        func client(from source: IPAddress) async throws -> Connection? {
            let client = try await connection(from: source)
            do throws(ChannelError) {
                try await client.writeLine("hello")
                if try await client.readLine() == "hello" { return client }
            } catch {
                // One that is refused before it has spoken may be reset.
                guard case .socket = error else { throw error }
            }
            await client.close()
            return nil
        }

        func connection(from source: IPAddress) async throws -> Connection {
            var options = ClientOptions()
            options.localAddress = source
            return try await .connect(
                to: .address(server.addresses[0]), on: others.executors[0], options: options)
        }

        /// Connects again and again, until one is let in.
        func patientClient(from source: IPAddress) async throws -> Connection {
            for _ in 0..<5_000 {
                if let client = try await client(from: source) { return client }
                try await others.executors[0].sleep(for: .milliseconds(1))
            }
            throw Mishap()
        }

        func end(_ clients: [Connection?]) async throws {
            for client in clients { await client?.close() }
            server.close()
            try await run.value
            await group.stop()
            await others.stop()
        }
    }

    @Test(arguments: [ServingOptions.Distribution.handOver, .reusePort])
    func `an address has its limit, whichever reactors its connections are on`(
        distribution: ServingOptions.Distribution
    ) async throws {
        let serving = try await Serving(3, distribution) { $0.admission.maximumPerAddress = 2 }
        let (source, neighbour) = (IPAddress.local(9, 1), IPAddress.local(9, 2))
        var clients: [Connection?] = []
        for _ in 0..<2 {
            clients.append(try await serving.client(from: source))
            clients.append(try await serving.client(from: neighbour))
        }
        #expect(clients.count { $0 != nil } == 4)
        for _ in 0..<10 {
            let further = try await serving.client(from: source)
            #expect(further == nil)
        }
        await clients[0]?.close()
        clients.append(try await serving.patientClient(from: source))
        let further = try await serving.client(from: source)
        #expect(further == nil)
        try await serving.end(clients)
    }

    @Test(arguments: [
        (ServingOptions.Distribution.handOver, 2), (ServingOptions.Distribution.reusePort, 1),
    ])
    func `at the connection limit of a group clients are refused`(
        distribution: ServingOptions.Distribution, count: Int
    ) async throws {
        let serving = try await Serving(count, distribution) { options in
            options.maximumConnections = 2
            options.admission.whenFull = .refuse
        }
        var clients: [Connection?] = []
        for _ in 0..<2 { clients.append(try await serving.client(from: .local(9, 1))) }
        #expect(clients.count { $0 != nil } == 2)
        let further = try await serving.client(from: .local(9, 2))
        #expect(further == nil)
        await clients[0]?.close()
        clients.append(try await serving.patientClient(from: .local(9, 2)))
        try await serving.end(clients)
    }

    @Test(arguments: [ServingOptions.Distribution.handOver, .reusePort])
    func `all reactors together let clients in no faster than the rate`(
        distribution: ServingOptions.Distribution
    ) async throws {
        let serving = try await Serving(2, distribution) { options in
            options.admission.rate = ConnectionRate(perSecond: 100, burst: 2)
        }
        let start = ContinuousClock.now
        let answers = try await ask(serving.server.addresses[0], 8, on: serving.others)
        #expect(Set(answers) == Set((0..<8).map { "\($0)" }))
        // Two at once, and one more where two reactors accept.
        #expect(ContinuousClock.now - start >= .milliseconds(49))
        try await serving.end([])
    }

    @Test func `what has ended with a reactor counts no more for those that go on`() async throws {
        let serving = try await Serving(2, .handOver) { $0.admission.maximumPerAddress = 2 }
        let source = IPAddress.local(9, 1)
        // One for each reactor.
        let first = try await serving.client(from: source)
        let second = try #require(try await serving.client(from: source))
        let third = try await serving.client(from: source)
        #expect(third == nil)
        serving.group.handles[1].stop()
        let end = try await second.readLine()
        #expect(end == nil)
        let fourth = try await serving.patientClient(from: source)
        try await serving.end([first, second, fourth])
    }

    @Test func `a connection that was lost on its way to a reactor counts no more`() async throws {
        let serving = try await Serving(2, .handOver) { $0.admission.maximumPerAddress = 2 }
        let source = IPAddress.local(9, 1)
        let first = try await serving.client(from: source)
        // The second reactor is about to end, and takes no more mail.
        let isOver = Flag()
        try serving.group.handles[1].perform { _ in while !isOver.isSet { sched_yield() } }
        serving.group.handles[1].stop()
        let second = try await serving.connection(from: source)
        let third = try await serving.client(from: source)
        #expect(third == nil)
        isOver.set()
        let end = try await second.readLine()
        #expect(end == nil)
        let fourth = try await serving.patientClient(from: source)
        try await serving.end([first, second, fourth])
    }
}
