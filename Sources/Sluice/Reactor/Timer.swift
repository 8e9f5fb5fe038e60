// SPDX-License-Identifier: Apache-2.0
//
// One-shot and repeating timers, as Tcl's `after`.
// A timer is a name: it may be copied, and cancelling what is gone does nothing.

internal import CSystemCalls

/// A timer of a reactor, to cancel it by.
public struct Timer {
    let action: TimerAction

    /// Whether it will still fire.
    public var isPending: Bool { action.isPending }

    /// Makes sure that the timer does not fire any more; one that is gone stays gone.
    ///
    /// Also inside its own handler, and for timers that are due in the same turn.
    public func cancel() { action.cancel() }
}

/// Timers stay on their reactor's thread.
@available(*, unavailable)
extension Timer: Sendable {}

/// A timer's handler, and where it is in the reactor's wheel.
final class TimerAction: DeadlineOwner {
    private let link: ReactorLink
    private var reactor: Reactor? { link.reactor }
    private var key = Deadlines.Key.none
    private var handler: (() throws -> Void)?
    private let interval: UInt64?
    private var due: UInt64

    init(
        _ reactor: Reactor, at due: UInt64, every interval: UInt64?,
        _ handler: @escaping () throws -> Void
    ) {
        link = reactor.link
        self.due = due
        self.interval = interval
        self.handler = handler
        key = reactor.deadlines.insert(self, at: due)
    }

    var isPending: Bool { handler != nil && link.reactor != nil }

    func cancel() {
        // Taken out first: its end may end what it held, and that cancel this timer again.
        _ = handler.take()
        reactor?.deadlines.remove(key)
    }

    /// Lets go of the handler: what it captured may hold this timer in turn.
    func deadlineDropped() { _ = handler.take() }

    func deadlinePassed() {
        guard let reactor, let handler else { return }
        if interval == nil { _ = self.handler.take() }
        _ = reactor.attempt { try handler() }
        guard let interval, self.handler != nil else { return }
        // Times that were missed are skipped, so a long turn is not followed by a burst.
        let now = csystem_monotonic_nanoseconds()
        let missed = now > due ? (now - due) / interval : 0
        due += (missed + 1) * interval
        key = reactor.deadlines.insert(self, at: due)
    }
}

extension Reactor {
    /// Calls `handler` once, when `delay` has passed; a negative delay is none.
    ///
    /// A timer that is pending keeps its handler, and what that captured, alive: also a captured
    /// reactor. Never early, and late by the handlers that run before it and at most 131 us of
    /// rounding.
    @discardableResult
    public func after(_ delay: Duration, _ handler: @escaping () throws -> Void) -> Timer {
        let due = csystem_monotonic_nanoseconds() &+ delay.nanoseconds
        return Timer(action: TimerAction(self, at: due, every: nil, handler))
    }

    /// Calls `handler` each time `interval` has passed, until it is cancelled.
    ///
    /// The times are fixed beforehand and do not drift; those that a long turn has missed are
    /// skipped.
    ///
    /// - Precondition: `interval` is positive.
    @discardableResult
    public func every(_ interval: Duration, _ handler: @escaping () throws -> Void) -> Timer {
        precondition(interval > .zero, "a timer needs a positive interval")
        let step = max(1, interval.nanoseconds)
        let due = csystem_monotonic_nanoseconds() &+ step
        return Timer(action: TimerAction(self, at: due, every: step, handler))
    }
}

extension Duration {
    /// Whole nanoseconds: 0 for a negative time, and at most about 146 years.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 1 << 32 else { return 1 << 62 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    init(nanoseconds: UInt64) {
        self = .nanoseconds(Int64(clamping: nanoseconds))
    }
}
