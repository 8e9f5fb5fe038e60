// SPDX-License-Identifier: Apache-2.0
//
// How fast the connections of a load are opened.
// A value that decides and does nothing else: it knows neither a socket nor a clock.

/// Spreads connects over a time, with a bound on those under way.
struct ConnectRamp {
    /// So many failures before the first success are taken for a target that is not there.
    private static let mostFailures = 16

    private let count: Int
    private let nanoseconds: UInt64
    /// More at once could overflow the listener's backlog, and lost handshakes cost seconds.
    private let mostPending: Int
    private(set) var started = 0
    private(set) var pending = 0
    private(set) var succeeded = 0
    private var isGivenUp = false

    init(count: Int, over duration: Duration, atOnce: Int) {
        self.count = count
        nanoseconds = duration.wholeNanoseconds
        mostPending = atOnce
    }

    /// Whether every connect has been started, or will never be, and has its verdict.
    var isDone: Bool { pending == 0 && (started == count || isHopeless) }

    private var isHopeless: Bool {
        isGivenUp || (succeeded == 0 && started - pending >= Self.mostFailures)
    }

    /// How many connects to start now; they count as started and pending.
    mutating func start(at elapsed: UInt64, atMost limit: Int = .max) -> Int {
        if isHopeless { return 0 }
        let room = max(0, min(limit, mostPending - pending, due(at: elapsed) - started))
        started += room
        pending += room
        return room
    }

    /// One of the pending connects has come to its verdict.
    mutating func ended(successfully: Bool) {
        pending -= 1
        if successfully { succeeded += 1 }
    }

    /// No more are started.
    mutating func giveUp() { isGivenUp = true }

    private func due(at elapsed: UInt64) -> Int {
        if elapsed >= nanoseconds { return count }
        // The first one leaves at once, the last one just before the end of the ramp.
        return min(count, Int(Double(count) * Double(elapsed) / Double(nanoseconds)) + 1)
    }
}
