// SPDX-License-Identifier: Apache-2.0
//
// A time limit for the waits of a task, kept by a reactor's wheel.

internal import CSystemCalls
import SluiceText
internal import Synchronization

/// A moment by which the waits of a task must have ended, and those of its children.
final class Deadline: Sendable {
    /// The one that the running task is under.
    @TaskLocal static var current: Deadline?

    private struct State {
        var hasPassed = false
        /// What it was for has ended; a task that was begun there may live on.
        var isOver = false
        var waits: [(waiter: Waiter, ticket: UInt64)] = []
    }

    /// How many there are: to ask a task for its own costs more than to wait.
    private static let count = Atomic(0)

    /// Whether any task is under one.
    static var isAny: Bool { count.load(ordering: .relaxed) > 0 }

    /// In nanoseconds of the monotonic clock.
    let due: UInt64
    private let outer: Deadline?
    private let state = Locked(State())

    init(at due: UInt64, within outer: Deadline?) {
        self.due = due
        self.outer = outer
        Self.count.add(1, ordering: .relaxed)
    }

    /// It holds no longer.
    func end() {
        state.withLock { $0.isOver = true }
        Self.count.subtract(1, ordering: .relaxed)
    }

    /// Takes a wait on, and has those around it do so: which one passes first, or ends, may change.
    func add(_ waiter: Waiter, _ ticket: UInt64) {
        let hasPassed = state.withLock { state in
            if state.isOver { return false }
            if !state.hasPassed { state.waits.append((waiter, ticket)) }
            return state.hasPassed
        }
        if hasPassed { waiter.executor.endWait(of: waiter, ticket, .timedOut) }
        outer?.add(waiter, ticket)
    }

    func remove(_ waiter: Waiter, _ ticket: UInt64) {
        outer?.remove(waiter, ticket)
        state.withLock { $0.waits.removeAll { $0.waiter === waiter && $0.ticket == ticket } }
    }

    /// Ends all waits that are under it, now and later.
    func pass() {
        let waits = state.withLock { state -> [(waiter: Waiter, ticket: UInt64)] in
            if state.isOver { return [] }
            state.hasPassed = true
            return state.waits
        }
        for wait in waits { wait.waiter.executor.endWait(of: wait.waiter, wait.ticket, .timedOut) }
    }
}

/// A deadline's timer, which belongs to the reactor's thread.
private final class DeadlineTimer: @unchecked Sendable {
    // Unchecked: touched on the reactor's thread alone.
    var timer: Timer?
}

extension Reactor.Executor {
    /// Gives the waits of `body` a deadline: one that is not over when `limit` has passed fails with
    /// `.timedOut`, as does each later one.
    ///
    /// It holds for everything that waits on a reactor, this one or another. Deadlines may stand in
    /// one another: the inner one holds, no longer than the outer one.
    public nonisolated(nonsending) func within<Result>(
        _ limit: Duration, _ body: () async throws -> Result
    ) async throws -> Result {
        let due = csystem_monotonic_nanoseconds() &+ limit.nanoseconds
        let deadline = Deadline(at: due, within: Deadline.current)
        let timer = DeadlineTimer()
        performEnding { [self] in
            let now = csystem_monotonic_nanoseconds()
            let rest = Duration(nanoseconds: deadline.due > now ? deadline.due - now : 0)
            timer.timer = reactor?.after(rest) { deadline.pass() }
        }
        defer {
            deadline.end()
            performEnding { timer.timer?.cancel() }
        }
        return try await Deadline.$current.withValue(deadline) { try await body() }
    }

    /// Waits on the reactor's wheel; tasks of the reactor stay on its thread.
    ///
    /// - Throws: ``SocketError`` with operation `.wait`: `.cancelled` when the task is cancelled or
    ///   the reactor ends, `.timedOut` when a deadline passes first.
    public func sleep(for duration: Duration) async throws(SocketError) {
        try await sleep(until: csystem_monotonic_nanoseconds() &+ duration.nanoseconds)
    }

    /// Waits as ``sleep(for:)``, until a time of the monotonic clock, in nanoseconds.
    func sleep(until due: UInt64) async throws(SocketError) {
        let outcome = await withTaskExecutorPreference(self) { await self.wait(until: due) }
        switch outcome {
        case .ready: return
        case .cancelled: throw SocketError(.wait, .cancelled)
        case .timedOut: throw SocketError(.wait, .timedOut)
        }
    }

    @concurrent
    private func wait(until due: UInt64) async -> Waiter.Outcome {
        let sleep = Sleep(Waiter(on: self))
        var key = Deadlines.Key.none
        // A task that sleeps does not keep its reactor alive.
        let outcome = await wait(sleep.waiter) {
            key = reactor?.deadlines.insert(sleep, at: due) ?? .none
            return true
        }
        if outcome != .ready { reactor?.deadlines.remove(key) }
        return outcome
    }
}

/// A task that waits for a time.
private final class Sleep: DeadlineOwner {
    let waiter: Waiter

    init(_ waiter: Waiter) { self.waiter = waiter }

    func deadlinePassed() { waiter.resume() }
}
