// SPDX-License-Identifier: Apache-2.0
//
// Repeating timers for tasks: fixed times, and one tick for all that were missed.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Ticking {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Runs a task on the reactor to its end.
    private func run(_ body: @escaping @Sendable (Reactor.Executor) async throws -> Void) {
        let log = Log()
        let executor = reactor.executor
        Task(executorPreference: executor) {
            do { try await body(executor) } catch { Issue.record(error) }
            log.append(1)
        }
        reactor.expect("its end") { log.count == 1 }
    }

    @Test func `each tick comes when its interval has passed`() {
        run { executor in
            let start = ContinuousClock.now
            var passed = 0
            for try await count in executor.ticks(every: .milliseconds(2)) {
                passed += count
                #expect(ContinuousClock.now - start >= .milliseconds(2 * passed))
                if passed >= 10 { break }
            }
        }
    }

    @Test func `who is late gets one tick for all that were missed, and none is lost`() {
        run { executor in
            let start = SuspendingClock.now
            var ticks = executor.ticks(every: .milliseconds(1))
            let busy = SuspendingClock.now
            while SuspendingClock.now < busy.advanced(by: .milliseconds(20)) {}
            let missed = try await ticks.next(isolation: nil) ?? 0
            let late = SuspendingClock.now - start
            #expect(missed >= 20)
            #expect(missed <= Int(late / .milliseconds(1)))
        }
    }

    @Test func `a cancelled task's ticks end`() {
        run { executor in
            let ticking = Task(executorPreference: executor) {
                for try await _ in executor.ticks(every: .seconds(600)) {}
            }
            ticking.cancel()
            await #expect(throws: SocketError(.wait, .cancelled)) { try await ticking.value }
        }
    }

    @Test func `a deadline ends the wait for a tick`() {
        run { executor in
            await #expect(throws: SocketError(.wait, .timedOut)) {
                try await executor.within(.milliseconds(5)) {
                    for try await _ in executor.ticks(every: .seconds(600)) {}
                }
            }
        }
    }
}
