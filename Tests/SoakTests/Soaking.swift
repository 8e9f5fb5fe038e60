// SPDX-License-Identifier: Apache-2.0
//
// Many connections that live as connections do, for as long as one likes: `make soak` lets thousands
// of them go on for minutes, the tests a few for seconds.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// A number that the environment gives.
private func number(_ name: String, initially value: Int) -> Int {
    getenv(name).flatMap { Int(String(cString: $0)) } ?? value
}

@Suite(.countingDescriptors)
struct Soaking {
    private let seconds = max(2, number("SOAK_SECONDS", initially: 3))
    private let clientCount = number("SOAK_CONNECTIONS", initially: 200)
    /// How long whoever is at work may take when the time is over.
    private static let endLimit = Duration.seconds(90)

    /// What is counted on the way.
    private struct Counts: Sendable {
        let connected = Tally()
        let steps = Tally()
        let broken = Tally()
        let pressed = Tally()
        let begun = Tally()
        let ended = Tally()
        let lost = Tally()
    }

    @Test func `nothing fails, and nothing is left`() async throws {
        let counts = Counts()
        let group = try ReactorGroup(count: 2)
        try await soak(group, .handOver, seconds, endsAbruptly: false, counts)
        #expect(counts.begun.value >= counts.connected.value)
        #expect(counts.connected.value >= clientCount)
        #expect(counts.pressed.value > 0, "nobody had to wait for a slow reader")
        await group.stop()
        #expect(counts.begun.value == counts.ended.value)
        #expect(group.executors.map(\.actorCount) == [0, 0])
    }

    @Test func `a run that is cancelled in the middle of it all leaves nothing`() async throws {
        for _ in 0..<max(3, seconds / 20) {
            let counts = Counts()
            let group = try ReactorGroup(count: 2)
            try await soak(group, .reusePort, 1, endsAbruptly: true, counts)
            #expect(counts.connected.value >= clientCount)
            await group.stop()
            #expect(counts.begun.value == counts.ended.value)
            #expect(group.executors.map(\.actorCount) == [0, 0])
        }
    }

    /// Has clients and handlers talk on both reactors until the time is over, and waits for all of
    /// them.
    ///
    /// - Parameter endsAbruptly: the server ends first, in the middle of the conversations.
    private func soak(
        _ group: ReactorGroup, _ distribution: ServingOptions.Distribution, _ seconds: Int,
        endsAbruptly: Bool, _ counts: Counts
    ) async throws {
        var options = ServingOptions()
        options.distribution = distribution
        if endsAbruptly { options.drainLimit = .milliseconds(100) }
        options.onError = { error, _ in
            counts.lost.add(1)
            // Past the drain limit whatever a handler waits for is cancelled.
            if !isOfClient(error), !endsAbruptly { Issue.record("a handler failed: \(error)") }
        }
        // A port of the client's rests for a minute after an orderly end, for each address that it
        // went to.
        let addresses = (1...16).map { SocketAddress.ip(.v4(0x7F00_0000 + $0), port: 0) }
        let server = try await ServerGroup(on: group, at: addresses, options: options)
        let run = Task {
            try await server.run { connection in
                counts.begun.add(1)
                defer { counts.ended.add(1) }
                try await serve(connection, counts.pressed)
            }
        }
        let isOver = Flag()
        let clients = Task {
            await withTaskGroup(of: Void.self) { tasks in
                for client in 0..<clientCount {
                    let executor = group.executors[client % 2]
                    tasks.addTask(executorPreference: executor) {
                        await talk(
                            client, server.addresses, executor, isOver,
                            endsAbruptly: endsAbruptly, counts)
                    }
                }
            }
        }
        // Apart from those that may be stuck.
        let clock = try ReactorGroup(count: 1)
        try await watch(group, seconds, clock, counts)
        isOver.set()
        let guardian = Task {
            try await clock.executors[0].sleep(for: Self.endLimit)
            Issue.record(
                "tasks are stuck: \(counts.begun.value - counts.ended.value) of the server")
            fflush(nil)
            // Waits that nobody ends would have this test hang.
            abort()
        }
        if endsAbruptly {
            run.cancel()
            try await run.value
            #expect(counts.begun.value == counts.ended.value, "tasks outlive the run")
        }
        await clients.value
        run.cancel()
        try await run.value
        guardian.cancel()
        await clock.stop()
    }

    /// Waits for the time to pass, and says now and then how things are.
    private func watch(
        _ group: ReactorGroup, _ seconds: Int, _ clock: ReactorGroup, _ counts: Counts
    ) async throws {
        var early = 0
        for second in 1...seconds {
            try await clock.executors[0].sleep(for: .seconds(1))
            let memory = residentByteCount()
            if second == max(1, seconds / 3) { early = memory }
            if second % 30 == 0 || second == seconds {
                print(
                    "soak: \(second) s, \(counts.connected.value) connections,",
                    "\(counts.steps.value) steps, \(counts.broken.value) broken off,",
                    "\(counts.pressed.value) waits for slow readers,",
                    "\(counts.lost.value) handlers lost their client,",
                    "\(group.executors.map(\.connectionCount)) open, \(memory / 1_024) KiB")
                fflush(nil)
            }
        }
        // Chance has more or fewer wait in mid-message; a leak of all that comes would be gigabytes.
        if seconds >= 60 { #expect(residentByteCount() < early + early / 2) }
    }

    /// One client: a conversation after the other, until the time is over.
    private func talk(
        _ client: Int, _ addresses: [SocketAddress], _ executor: Reactor.Executor, _ isOver: Flag,
        endsAbruptly: Bool, _ counts: Counts
    ) async {
        var seed = UInt64(client) << 32
        while !isOver.isSet {
            seed += 1
            let address = addresses[(client + Int(truncatingIfNeeded: seed)) % addresses.count]
            var conversation = Conversation(
                seed: seed, done: counts.steps, broken: counts.broken,
                serverMayEnd: endsAbruptly ? isOver : Flag())
            let patience = conversation.patience()
            let begun = conversation
            let task = Task(executorPreference: executor) {
                var conversation = begun
                try await conversation.connectInVain(to: address, on: executor)
                let connected = conversation
                try await Connection.connect(to: .address(address), on: executor) { connection in
                    counts.connected.add(1)
                    var conversation = connected
                    try await conversation.run(connection)
                }
            }
            do {
                if let patience {
                    try await executor.sleep(for: patience)
                    task.cancel()
                }
                try await task.value
            } catch {
                if patience != nil, isCancellation(error) { continue }
                // The server has ended before its clients.
                if endsAbruptly, isOver.isSet { continue }
                Issue.record("client \(client), conversation \(seed & 0xFFFF_FFFF): \(error)")
                return
            }
        }
    }
}

/// Whether a wait ended because its task was cancelled.
private func isCancellation(_ error: any Error) -> Bool {
    switch error {
    case ChannelError.socket(let error), let error as SocketError: error.code == .cancelled
    case let error as ConnectError:
        if case .refused(let cause) = error.cause { cause.code == .cancelled } else { false }
    default: false
    }
}

/// Whether a handler may meet this when its client resets the connection or ends in mid-message.
private func isOfClient(_ error: any Error) -> Bool {
    switch error {
    case ChannelError.endOfInput: true
    case ChannelError.socket(let error), let error as SocketError:
        [.connectionReset, .brokenPipe].contains(error.code)
    default: false
    }
}
