// SPDX-License-Identifier: Apache-2.0
//
// Where one worker is in its life, what of its life is limited, and when its place gets the next
// one. Values that decide and do nothing: they know no process and no clock.

/// A worker of a supervisor, from its start to its end.
struct WorkerLife: Equatable {
    enum State: Equatable {
        /// Its program runs; it must be ready by then.
        case starting(until: UInt64)
        /// It serves; where it is watched, it must say that it is alive by then.
        case ready(silentFrom: UInt64?)
        /// It was asked to end, or says that it does, and must have by then.
        case draining(until: UInt64)
        /// It was killed, and its end is to be told.
        case killed
    }

    let slot: Int
    let generation: Int
    private(set) var state: State
    /// When it got ready, in nanoseconds; `nil` where it did not.
    private(set) var readySince: UInt64?

    /// What its state is limited by.
    enum Lateness { case start, silence, drain }

    init(slot: Int, generation: Int, until limit: UInt64) {
        self.slot = slot
        self.generation = generation
        state = .starting(until: limit)
    }

    /// Whether it serves.
    var isReady: Bool { if case .ready = state { true } else { false } }

    /// Whether it was asked to end, or killed.
    var isEnding: Bool {
        switch state {
        case .starting, .ready: false
        case .draining, .killed: true
        }
    }

    /// When the state is over at the latest.
    var limit: UInt64? {
        switch state {
        case .starting(let limit), .draining(let limit): limit
        case .ready(let limit): limit
        case .killed: nil
        }
    }

    /// What it is too late with; `nil` where it is not.
    func lateness(at now: UInt64) -> Lateness? {
        guard let limit, limit <= now else { return nil }
        switch state {
        case .starting: return .start
        case .ready: return .silence
        case .draining: return .drain
        case .killed: return nil
        }
    }

    mutating func becomeReady(at now: UInt64, silentFrom limit: UInt64?) {
        readySince = now
        state = .ready(silentFrom: limit)
    }

    /// It is alive.
    mutating func feed(silentFrom limit: UInt64?) {
        if isReady { state = .ready(silentFrom: limit) }
    }

    /// It could not be heard: where its time is over, it begins again.
    mutating func excuse(at now: UInt64, until start: UInt64, silentFrom silence: UInt64?) {
        switch lateness(at: now) {
        case .start: state = .starting(until: start)
        case .silence: feed(silentFrom: silence)
        case .drain, nil: break
        }
    }

    mutating func drain(until limit: UInt64) { state = .draining(until: limit) }

    mutating func kill() { state = .killed }

    /// Whether it was ready for so long.
    func wasReady(for time: UInt64, at now: UInt64) -> Bool {
        guard let readySince, now >= readySince else { return false }
        return now - readySince >= time
    }
}

extension WorkerLife {
    /// What is told of it.
    var told: WorkerReport.State {
        switch state {
        case .starting: .starting
        case .ready: .ready
        case .draining, .killed: .draining
        }
    }
}

/// How a worker has ended, or why there was none.
enum WorkerEnding: Equatable {
    case process(ProcessEnd)
    case notStarted(String)

    /// Whether a worker that was asked to end did what it was asked.
    func isOrderly(_ worker: WorkerLife) -> Bool {
        switch self {
        case .notStarted, .process(.exited(0)): true
        // One that has never served has nothing to end.
        case .process: worker.readySince == nil && worker.state != .killed
        }
    }

    /// What it means to a reload.
    func reloadError(_ slot: Int) -> ReloadError {
        switch self {
        case .process(let end): .ended(slot: slot, end)
        case .notStarted(let reason): .startFailed(slot: slot, reason: reason)
        }
    }
}

/// When a place gets its next worker.
struct RestartPlan {
    private var backOff: BackOff
    private var isFirst = true
    /// When the next one is started; `nil` where none is to be.
    var due: UInt64?

    init(_ options: SupervisorOptions) {
        var waits = ReconnectingOptions()
        waits.firstDelay = options.firstRestartDelay
        waits.longestDelay = options.longestRestartDelay
        waits.factor = options.restartFactor
        waits.jitter = 0
        backOff = BackOff(waits, drawing: SystemRandomNumberGenerator())
    }

    /// How long the next one waits.
    mutating func next() -> Duration {
        if !isFirst { return backOff.next() }
        isFirst = false
        return .zero
    }

    /// All went well: begins with no wait again.
    mutating func reset() {
        isFirst = true
        due = nil
        backOff.reset()
    }
}
