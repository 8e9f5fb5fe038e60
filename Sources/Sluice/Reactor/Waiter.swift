// SPDX-License-Identifier: Apache-2.0
//
// One task that waits for one thing on a reactor, and the ways in which its wait ends.

/// A place where one task at a time waits, on one reactor.
final class Waiter: @unchecked Sendable {
    // Unchecked: everything but `executor` is touched on the executor's thread alone.

    /// About as much as a waiter takes.
    static let byteCount: CInt = 64

    /// How a wait has ended.
    enum Outcome: Sendable {
        /// What it waited for has come.
        case ready
        /// Its task was cancelled, or the reactor has ended.
        case cancelled
        /// Its deadline has passed.
        case timedOut
    }

    let executor: Reactor.Executor
    private var continuation: UnsafeContinuation<Outcome, Never>?
    private var ticket: UInt64 = 0
    /// The wait with this ticket has ended before it began.
    private var early: (ticket: UInt64, outcome: Outcome)?

    init(on executor: Reactor.Executor) { self.executor = executor }

    /// Whether a task waits.
    var isWaiting: Bool { continuation != nil }

    /// Waits; `begin` is called once the wait can be ended, and says whether there is still anything
    /// to wait for: each call on the way may suspend, and what was to come may have come meanwhile.
    ///
    /// Must be called on the executor's thread, and by one task at a time.
    func wait(
        isolation: isolated (any Actor)? = #isolation, _ begin: () -> Bool
    ) async -> Outcome {
        ticket &+= 1
        let mine = ticket
        let deadline = Deadline.isAny ? Deadline.current : nil
        deadline?.add(self, mine)
        defer { deadline?.remove(self, mine) }
        return await withTaskCancellationHandler {
            // A closure is isolated as its function is only where it captures what says so.
            _ = isolation
            return await withUnsafeContinuation(isolation: isolation) { continuation in
                if let early, early.ticket == mine {
                    continuation.resume(returning: early.outcome)
                } else {
                    self.continuation = continuation
                    if !begin() { resume() }
                }
            }
        } onCancel: {
            executor.endWait(of: self, mine, .cancelled)
        }
    }

    /// Begins a wait of a task whose cancellation and deadline its caller looks after.
    @inline(__always)
    func begin(_ continuation: UnsafeContinuation<Outcome, Never>) {
        ticket &+= 1
        self.continuation = continuation
    }

    /// Waits as ``wait(isolation:_:)``, for nothing but ``resume(_:)``.
    func waitUncancelled(
        isolation: isolated (any Actor)? = #isolation, _ begin: () -> Bool
    ) async {
        _ = await withUnsafeContinuation { continuation in
            self.begin(continuation)
            if !begin() { resume() }
        }
    }

    /// What the task waits for has come.
    @inline(__always)
    func resume(_ outcome: Outcome = .ready) {
        continuation.take()?.resume(returning: outcome)
    }

    /// Ends the wait with this ticket, if it is not over.
    func end(_ ended: UInt64, _ outcome: Outcome) {
        guard ended == ticket else { return }
        if continuation == nil { early = (ended, outcome) } else { resume(outcome) }
    }
}

extension Reactor.Executor {
    /// Ends a wait, from any thread.
    func endWait(of waiter: Waiter, _ ticket: UInt64, _ outcome: Waiter.Outcome) {
        performEnding { waiter.end(ticket, outcome) }
    }
}
