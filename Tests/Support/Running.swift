// SPDX-License-Identifier: Apache-2.0
//
// Runs a reactor until something has happened, and fails the test instead of hanging it.

public import Sluice
public import Testing

extension Reactor {
    /// Runs until `condition` holds; records an issue and stops when that takes longer than 20 s.
    public func expect(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: () -> Bool
    ) {
        let guardian = after(.seconds(20)) { self.stop() }
        let holds = run(until: condition)
        guardian.cancel()
        #expect(holds, what, sourceLocation: sourceLocation)
    }

    /// Runs until somebody stops it; the test fails, and does not hang, where nobody does.
    public func runToStop() {
        let rescue = after(.seconds(20)) {
            Issue.record("nobody stopped the run")
            self.stop()
        }
        run()
        rescue.cancel()
    }

    /// How many turns are taken in some passes: few where nothing happens, one a pass where
    /// something spins.
    public func turnCount(passes: Int = 20) -> Int {
        var ticks = 0
        var questions = 0
        func tick() {
            ticks += 1
            if ticks < passes { after(.zero) { tick() } }
        }
        after(.zero) { tick() }
        run {
            questions += 1
            return ticks == passes
        }
        // It asks once beforehand, and once behind each tick.
        return questions - ticks - 1
    }

    /// Handles everything that is ready, and what becomes ready by it, a bounded number of times.
    public func settle(passes: Int = 20) {
        for _ in 0..<passes { runPending() }
    }
}

extension Reactor {
    /// Does something in a turn of its own, and then all that follows from it at once.
    public func haveTurn(_ body: @escaping () throws -> Void) {
        let isDone = Box(false)
        after(.zero) {
            defer { isDone.value = true }
            try body()
        }
        expect("the turn") { isDone.value }
        settle()
    }
}

extension Reactor.Executor {
    /// Waits until `condition` holds; records an issue and goes on when that takes more than 20 s.
    public nonisolated(nonsending) func expect(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: () -> Bool
    ) async throws(SocketError) {
        let limit = ContinuousClock.now + .seconds(20)
        var holds = condition()
        while !holds, ContinuousClock.now < limit {
            try await sleep(for: .milliseconds(1))
            holds = condition()
        }
        #expect(holds, what, sourceLocation: sourceLocation)
    }
}

/// A place that a handler may write to and the test reads.
public final class Box<Value> {
    /// What was written last.
    public var value: Value

    /// A place that holds `value` to begin with.
    public init(_ value: Value) { self.value = value }
}

/// Lets time pass as a handler does that has much to do.
public func letTimePass(_ time: Duration) {
    let end = SuspendingClock.now.advanced(by: time)
    while SuspendingClock.now < end {}
}
