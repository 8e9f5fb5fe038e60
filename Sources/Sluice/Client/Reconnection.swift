// SPDX-License-Identifier: Apache-2.0
//
// The life of a reconnecting client as a pure value: it is told what happened and answers what to
// do. It knows no socket and no clock, so every race of its ends is tested without either.

/// Where a reconnecting client is, and what comes next.
struct Reconnection {
    enum Phase: Equatable {
        /// Nothing is under way.
        case stopped
        /// An attempt is under way.
        case connecting
        /// There is a connection, since a time in nanoseconds.
        case connected(since: UInt64)
        /// A wait is under way, and an attempt follows.
        case waiting
        /// Asked to stop; the connection is closed, and what was written still goes out.
        case closing(startsAgain: Bool)
    }

    /// What the client must do now.
    enum Step: Equatable {
        /// Begin an attempt.
        case connect(attempt: Int)
        /// Say when there has been no connection for so long.
        case limit(Duration)
        /// Wait, and say when that is over.
        case wait(Duration, after: ConnectionLoss)
        /// Close the connection, and say when it has ended.
        case close
        /// Give up whatever is under way.
        case stop(ReconnectingStop)
    }

    private(set) var phase = Phase.stopped
    private var attempts = 0
    private var lastLoss: ConnectionLoss?
    private var backOff: BackOff
    private let stableAfter: UInt64
    private let mostAttempts: Int
    private let longestTime: Duration?

    init(
        _ options: ReconnectingOptions,
        drawing generator: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        backOff = BackOff(options, drawing: generator)
        stableAfter = options.stableAfter.nanoseconds
        mostAttempts = max(1, options.mostAttempts ?? .max)
        longestTime = options.longestTimeWithoutConnection
    }

    // MARK: What the program asks

    mutating func start() -> [Step] {
        switch phase {
        case .connecting, .connected, .waiting: return []
        case .closing:
            phase = .closing(startsAgain: true)
            return []
        case .stopped:
            countFromTheBeginning()
            lastLoss = nil
            return limit + connect()
        }
    }

    mutating func stop() -> [Step] {
        switch phase {
        case .stopped: return []
        case .connecting, .waiting: return stop(because: .asked)
        case .connected:
            phase = .closing(startsAgain: false)
            return [.close]
        case .closing:
            phase = .closing(startsAgain: false)
            return []
        }
    }

    // MARK: What happened

    /// - Returns: whether the connection is wanted.
    mutating func attemptSucceeded(at now: UInt64) -> Bool {
        guard phase == .connecting else { return false }
        phase = .connected(since: now)
        return true
    }

    mutating func attemptFailed(_ error: ConnectError) -> [Step] {
        guard phase == .connecting else { return [] }
        return wait(after: .failed(error))
    }

    mutating func connectionEnded(_ reason: EndReason, at now: UInt64) -> [Step] {
        switch phase {
        case .stopped, .connecting, .waiting: return []
        case .closing(let startsAgain):
            let steps = stop(because: .asked)
            return startsAgain ? steps + start() : steps
        case .connected(let start):
            if now >= start, now - start >= stableAfter { countFromTheBeginning() }
            let steps = wait(after: .ended(reason))
            return phase == .waiting ? limit + steps : steps
        }
    }

    /// The wait is over, or is to be.
    mutating func waitIsOver() -> [Step] {
        guard phase == .waiting else { return [] }
        return connect()
    }

    /// There was no connection for as long as there may be none.
    mutating func timeIsUp() -> [Step] {
        guard phase == .connecting || phase == .waiting, let longestTime else { return [] }
        return stop(because: .tooLongWithoutConnection(longestTime, after: lastLoss))
    }

    // MARK: Parts

    private mutating func countFromTheBeginning() {
        attempts = 0
        backOff.reset()
    }

    private var limit: [Step] { longestTime.map { [.limit($0)] } ?? [] }

    private mutating func connect() -> [Step] {
        phase = .connecting
        attempts += 1
        return [.connect(attempt: attempts)]
    }

    private mutating func wait(after loss: ConnectionLoss) -> [Step] {
        lastLoss = loss
        if attempts >= mostAttempts {
            return stop(because: .tooManyAttempts(attempts, after: loss))
        }
        phase = .waiting
        return [.wait(backOff.next(), after: loss)]
    }

    private mutating func stop(because reason: ReconnectingStop) -> [Step] {
        phase = .stopped
        return [.stop(reason)]
    }
}
