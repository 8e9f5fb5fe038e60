// SPDX-License-Identifier: Apache-2.0
//
// A server as a service: a graceful shutdown drains it, a cancellation too.

import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Sluice
import SluiceServiceLifecycle
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct RunningAsService {
    @Test func `a graceful shutdown waits for connections, and lets nobody in`() async throws {
        let group = try ReactorGroup(count: 2)
        let place = SharedValue<SocketAddress?>(nil)
        let service = ServerService(
            on: group, at: [.loopback(port: 0)],
            onListening: { addresses in place.change { $0 = addresses[0] } },
            handler: { connection in
                for try await line in connection.lines { try await connection.writeLine(line) }
            })
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await service.run() }
                let executor = group.executors[0]
                while place.value == nil { try await executor.sleep(for: .milliseconds(1)) }
                let address = try #require(place.value)
                let client = try await Connection.connect(to: .address(address), on: executor)
                try await client.writeLine("before")
                let before = try await client.readLine()
                #expect(before == "before")
                trigger.triggerGracefulShutdown()
                await expectRefused(address, on: executor)
                // The connection that was there goes on to its own end.
                try await client.writeLine("after")
                let after = try await client.readLine()
                #expect(after == "after")
                await client.close()
                try await tasks.waitForAll()
            }
        }
        await group.stop()
    }

    /// Connects until nobody listens any more: the shutdown comes by another thread.
    private func expectRefused(
        _ address: SocketAddress, on executor: Reactor.Executor
    ) async {
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            guard
                let client = try? await Connection.connect(to: .address(address), on: executor)
            else { return }
            await client.close()
        }
        Issue.record("it still listens")
    }

    @Test func `a service whose address is taken fails with why`() async throws {
        let group = try ReactorGroup(count: 1)
        let first = try await ServerGroup(on: group, at: [.loopback(port: 0)])
        let address = first.addresses[0]
        let service = ServerService(on: group, at: [address]) { _ in }
        var configuration = ServiceGroupConfiguration(
            services: [.init(service: service)], logger: Logger(label: "test"))
        configuration.logger.logLevel = .critical
        let services = ServiceGroup(configuration: configuration)
        let error = SocketError(.bind, .addressInUse, at: address)
        await #expect(throws: error) { try await services.run() }
        first.close()
        await group.stop()
    }
}
