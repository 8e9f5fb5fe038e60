// SPDX-License-Identifier: Apache-2.0
//
// A repeating timer for async code.

internal import CSystemCalls

extension Reactor.Executor {
    /// Ticks on the reactor's wheel, each time `interval` has passed since the call.
    ///
    /// The times are fixed beforehand and do not drift. Whoever is late gets one tick for all that
    /// were missed.
    ///
    /// - Precondition: `interval` is positive.
    public func ticks(every interval: Duration) -> Ticks {
        precondition(interval > .zero, "ticks need a positive interval")
        return Ticks(
            executor: self, interval: max(1, interval.nanoseconds),
            start: csystem_monotonic_nanoseconds())
    }

    /// The ticks of a repeating timer: each the number of intervals since the one before, so more
    /// than 1 for whoever was late.
    public struct Ticks: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// How many intervals have passed.
        public typealias Element = Int
        /// Why it ended early.
        public typealias Failure = SocketError

        let executor: Reactor.Executor
        let interval: UInt64
        let start: UInt64
        private var passed: UInt64 = 0

        init(executor: Reactor.Executor, interval: UInt64, start: UInt64) {
            self.executor = executor
            self.interval = interval
            self.start = start
        }

        /// The iterator of one waiting task.
        public func makeAsyncIterator() -> Ticks { self }

        /// Waits for the next tick; there is no last one.
        ///
        /// - Throws: ``SocketError``, as ``Reactor/Executor/sleep(for:)``.
        public mutating func next(
            isolation: isolated (any Actor)?
        ) async throws(SocketError) -> Int? {
            try await executor.sleep(until: start &+ (passed + 1) * interval)
            let now = (csystem_monotonic_nanoseconds() &- start) / interval
            defer { passed = now }
            return Int(now - passed)
        }
    }
}
