// SPDX-License-Identifier: Apache-2.0
//
// What a run has open, seen from the run: a stream or a socket of datagrams.
// Neither a protocol nor a superclass, so that a request of an open load costs a branch and no
// dynamic call.

/// One of the connections of a run.
enum OpenConnection {
    case stream(LoadConnection)
    case datagrams(DatagramLoadConnection)

    /// Where the run's list holds it.
    var index: Int {
        get {
            switch self {
            case .stream(let connection): connection.index
            case .datagrams(let connection): connection.index
            }
        }
        nonmutating set {
            switch self {
            case .stream(let connection): connection.index = newValue
            case .datagrams(let connection): connection.index = newValue
            }
        }
    }

    /// Whether no answer is waited for.
    var isSettled: Bool {
        switch self {
        case .stream(let connection): connection.isSettled
        case .datagrams(let connection): connection.isSettled
        }
    }

    /// Fills the pipeline for the first time.
    func sendFirst() {
        switch self {
        case .stream(let connection): connection.sendFirst()
        case .datagrams(let connection): connection.sendFirst()
        }
    }

    /// Sends a request of an open load, or has it wait for its turn.
    @inline(__always)
    func enqueue(due: UInt64) {
        switch self {
        case .stream(let connection): connection.enqueue(due: due)
        case .datagrams(let connection): connection.enqueue(due: due)
        }
    }

    /// How many requests since an instant have no answer; they are forgotten.
    func unansweredCount(since instant: UInt64) -> Int {
        switch self {
        case .stream(let connection): connection.unansweredCount(since: instant)
        case .datagrams(let connection): connection.unansweredCount(since: instant)
        }
    }

    /// How many requests since an instant have not left; they are forgotten.
    ///
    /// A stream's count as unanswered.
    func unsentCount(since instant: UInt64) -> Int {
        guard case .datagrams(let connection) = self else { return 0 }
        return connection.unsentCount(since: instant)
    }

    /// Gives datagrams up that were sent at an instant or before it; a stream loses none.
    func giveUp(sentUpTo instant: UInt64, at now: UInt64) {
        guard case .datagrams(let connection) = self else { return }
        connection.giveUp(sentUpTo: instant, at: now)
    }

    func close() {
        switch self {
        case .stream(let connection): connection.close()
        case .datagrams(let connection): connection.close()
        }
    }
}
