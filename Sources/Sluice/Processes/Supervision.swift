// SPDX-License-Identifier: Apache-2.0
//
// The life of a supervisor as a pure value: it is told what happened and answers what to do. It
// knows no process and no clock, so every race of starts, reloads and ends is tested without
// either.

/// Which workers there are, which are to be started, and which are to end.
struct Supervision {
    enum Phase: Equatable {
        case idle, running, draining, ended
    }

    /// What the supervisor must do now, in order.
    enum Step: Equatable {
        /// Ask what each place of a new generation is to run, and say what came of it.
        case prepare(generation: Int)
        /// Start a worker.
        case launch(Int, slot: Int, generation: Int)
        /// Ask a worker to end.
        case terminate(Int)
        case kill(Int)
        case tell(Notice)
        /// A reload is over; with an error where the new generation was given up.
        case finishReload(generation: Int, ReloadError?)
        /// No worker is left, and none will be.
        case finish(SupervisorResult)
    }

    /// What is worth telling; workers are named by their numbers.
    enum Notice: Equatable {
        case ready(Int)
        case late(Int)
        case silent(Int)
        case unwilling(Int)
        case restarting(slot: Int, after: Duration)
        case serving(generation: Int)
        case reloadWaits
        case draining
    }

    /// A place for a worker.
    struct Place {
        /// The one that serves, or will.
        var current: Int?
        /// The one that takes its place when its whole generation is ready.
        var candidate: Int?
        /// How often one was started again.
        var restarts = 0
        var restart: RestartPlan
        /// Whether no worker is there, but those that end.
        var isEmpty: Bool { current == nil && candidate == nil }
    }

    private(set) var phase = Phase.idle
    /// The generation that serves, or will; 0 before the start.
    private(set) var generation = 0
    private(set) var workers: [Int: WorkerLife] = [:]
    private(set) var places: [Place]
    private var reloading: Int?
    /// Another reload follows the one that is under way, or waits for room.
    private var reloadsAgain = false
    private var lastGeneration = 0
    private var lastWorker = 0
    /// The generation that was told to serve.
    private var told = 0
    private var cutCount = 0
    private var isInterrupted = false
    private let startLimit: UInt64
    private let drainLimit: UInt64
    private let stableAfter: UInt64
    private let watchdog: UInt64?

    /// How much longer than it was told a worker may take to end.
    static let grace = Duration.seconds(1)
    /// So many generations may drain beside the one that serves: each has a process a place.
    static let drainingLimit = 4

    init(_ options: SupervisorOptions) {
        places = (0..<options.workerCount).map { _ in Place(restart: RestartPlan(options)) }
        startLimit = options.startLimit.nanoseconds
        drainLimit = options.drainLimit.nanoseconds &+ Self.grace.nanoseconds
        stableAfter = options.stableAfter.nanoseconds
        watchdog = options.watchdog?.nanoseconds
    }

    /// Whether a new generation gets ready.
    var isReloading: Bool { reloading != nil }

    /// The generation that a reload makes that is asked for now.
    var nextGeneration: Int { lastGeneration + 1 }

    /// Whether a whole generation was ready, so that there is one that serves.
    var hasServed: Bool { told > 0 }

    /// When ``timePassed(at:)`` has something to do, in nanoseconds; `nil` for never.
    var nextTime: UInt64? {
        let limits = workers.values.lazy.compactMap(\.limit)
        let restarts = places.lazy.compactMap(\.restart.due)
        return [limits.min(), restarts.min()].compactMap(\.self).min()
    }
}

// MARK: - What is asked

extension Supervision {
    mutating func start(at now: UInt64) -> [Step] {
        guard phase == .idle else { return [] }
        phase = .running
        generation = 1
        lastGeneration = 1
        return places.indices.map { begin($0, at: now) }
    }

    mutating func reload() -> [Step] {
        guard phase == .running else { return [] }
        if isReloading || !hasRoom {
            if reloadsAgain { return [] }
            reloadsAgain = true
            return [.tell(.reloadWaits)]
        }
        lastGeneration += 1
        reloading = lastGeneration
        return [.prepare(generation: lastGeneration)]
    }

    /// All places of a new generation know what they run.
    mutating func prepared(_ generation: Int, at now: UInt64) -> [Step] {
        guard reloading == generation else { return [] }
        return places.indices.map { slot in
            let (number, step) = add(slot, generation, at: now)
            places[slot].candidate = number
            return step
        }
    }

    /// What a new generation is to run can't be told.
    mutating func refused(_ generation: Int, _ reason: String, at now: UInt64) -> [Step] {
        guard reloading == generation else { return [] }
        return failReload(.refused(reason), at: now)
    }

    mutating func drain(at now: UInt64) -> [Step] {
        switch phase {
        case .draining, .ended: return []
        case .idle: return finish()
        case .running: break
        }
        phase = .draining
        var steps: [Step] = [.tell(.draining)]
        if let failed = reloading ?? (reloadsAgain ? nextGeneration : nil) {
            reloading = nil
            reloadsAgain = false
            steps.append(.finishReload(generation: failed, .draining))
        }
        for slot in places.indices {
            places[slot].current = nil
            places[slot].candidate = nil
            places[slot].restart.due = nil
        }
        for number in workers.keys.sorted() { steps += end(number, at: now) }
        return workers.isEmpty ? steps + finish() : steps
    }

    mutating func endAtOnce(at now: UInt64) -> [Step] {
        guard phase != .ended else { return [] }
        isInterrupted = true
        var steps = drain(at: now)
        for number in workers.keys.sorted() where workers[number]?.state != .killed {
            steps.append(kill(number))
        }
        return steps
    }
}

// MARK: - What happened

extension Supervision {
    mutating func ready(_ number: Int, at now: UInt64) -> [Step] {
        guard let worker = workers[number], case .starting = worker.state else { return [] }
        let silence = silentFrom(now)
        workers[number]?.becomeReady(at: now, silentFrom: silence)
        let steps: [Step] = [.tell(.ready(number))]
        if places[worker.slot].candidate == number {
            return places.allSatisfy { isReady($0.candidate) } ? steps + commit(at: now) : steps
        }
        return steps + tellServing()
    }

    /// A worker says that it is alive.
    mutating func fed(_ number: Int, at now: UInt64) {
        let silence = silentFrom(now)
        workers[number]?.feed(silentFrom: silence)
    }

    /// A worker says that it comes to its end, unasked: its place gets another at once, and a new
    /// generation that it belongs to is given up.
    mutating func stopping(_ number: Int, at now: UInt64) -> [Step] {
        guard phase == .running, let worker = workers[number], worker.isReady else { return [] }
        let place = places[worker.slot]
        guard place.current == number || place.candidate == number else { return [] }
        workers[number]?.drain(until: now &+ drainLimit)
        if place.current == number { return replace(worker, at: now) }
        return failReload(.stopping(slot: worker.slot), at: now)
    }

    mutating func ended(_ number: Int, _ ending: WorkerEnding, at now: UInt64) -> [Step] {
        guard let worker = workers.removeValue(forKey: number) else { return [] }
        if phase == .draining {
            if !ending.isOrderly(worker) { cutCount += 1 }
            return workers.isEmpty ? finish() : []
        }
        var steps: [Step] = []
        if places[worker.slot].candidate == number {
            places[worker.slot].candidate = nil
            steps = failReload(ending.reloadError(worker.slot), at: now)
        } else if places[worker.slot].current == number {
            steps = replace(worker, at: now)
        }
        return steps + reloadAgain()
    }

    /// This process was itself too late to hear its workers: those whose time is over have some
    /// more, as if they had been heard now.
    mutating func excuse(at now: UInt64) {
        let silence = silentFrom(now)
        for number in workers.keys {
            workers[number]?.excuse(at: now, until: now &+ startLimit, silentFrom: silence)
        }
    }

    /// Looks at all limits, and starts what has waited long enough.
    mutating func timePassed(at now: UInt64) -> [Step] {
        var steps: [Step] = []
        for number in workers.keys.sorted() {
            switch workers[number]?.lateness(at: now) {
            case nil: break
            case .start: steps += late(number, at: now)
            case .silence: steps += [.tell(.silent(number)), kill(number)]
            case .drain: steps += [.tell(.unwilling(number)), kill(number)]
            }
        }
        for slot in places.indices {
            guard let due = places[slot].restart.due, due <= now else { continue }
            places[slot].restart.due = nil
            steps.append(begin(slot, at: now))
        }
        return steps
    }
}

// MARK: - Parts

extension Supervision {
    private func isReady(_ number: Int?) -> Bool {
        number.flatMap { workers[$0] }?.isReady ?? false
    }

    private func silentFrom(_ now: UInt64) -> UInt64? { watchdog.map { now &+ $0 } }

    /// A worker that is to serve in its place at once.
    private mutating func begin(_ slot: Int, at now: UInt64) -> Step {
        let (number, step) = add(slot, generation, at: now)
        places[slot].current = number
        return step
    }

    private mutating func add(
        _ slot: Int, _ generation: Int, at now: UInt64
    ) -> (number: Int, step: Step) {
        lastWorker += 1
        workers[lastWorker] = WorkerLife(
            slot: slot, generation: generation, until: now &+ startLimit)
        return (lastWorker, .launch(lastWorker, slot: slot, generation: generation))
    }

    /// The worker of a place has gone: another comes, at once or after a wait.
    private mutating func replace(_ worker: WorkerLife, at now: UInt64) -> [Step] {
        let slot = worker.slot
        if worker.wasReady(for: stableAfter, at: now) { places[slot].restart.reset() }
        places[slot].current = nil
        places[slot].restarts += 1
        let wait = places[slot].restart.next()
        if wait == .zero { return [begin(slot, at: now)] }
        places[slot].restart.due = now &+ wait.nanoseconds
        return [.tell(.restarting(slot: slot, after: wait))]
    }

    private mutating func kill(_ number: Int) -> Step {
        workers[number]?.kill()
        return .kill(number)
    }

    /// Asks a worker to end, where nobody has.
    private mutating func end(_ number: Int, at now: UInt64) -> [Step] {
        guard workers[number]?.isEnding == false else { return [] }
        workers[number]?.drain(until: now &+ drainLimit)
        return [.terminate(number)]
    }

    /// A worker was not ready in time.
    private mutating func late(_ number: Int, at now: UInt64) -> [Step] {
        guard let slot = workers[number]?.slot else { return [] }
        let steps: [Step] = [.tell(.late(number))]
        guard places[slot].candidate == number else { return steps + [kill(number)] }
        return steps + failReload(.late(slot: slot), at: now)
    }

    /// The whole new generation is ready: it takes over.
    private mutating func commit(at now: UInt64) -> [Step] {
        guard let new = reloading else { return [] }
        generation = new
        var old: [Int] = []
        for slot in places.indices {
            if let number = places[slot].current { old.append(number) }
            places[slot].current = places[slot].candidate
            places[slot].candidate = nil
            places[slot].restart.reset()
        }
        var steps: [Step] = []
        for number in old { steps += end(number, at: now) }
        return steps + tellServing() + finishReload(nil)
    }

    /// The new generation is given up.
    private mutating func failReload(_ error: ReloadError, at now: UInt64) -> [Step] {
        var steps: [Step] = []
        for slot in places.indices {
            if let number = places[slot].candidate { steps += end(number, at: now) }
            places[slot].candidate = nil
        }
        return steps + finishReload(error)
    }

    private mutating func finishReload(_ error: ReloadError?) -> [Step] {
        guard let over = reloading.take() else { return [] }
        return [.finishReload(generation: over, error)] + reloadAgain()
    }

    /// Begins the reload that has waited, where there is one and nothing is in its way.
    private mutating func reloadAgain() -> [Step] {
        guard reloadsAgain, !isReloading, hasRoom else { return [] }
        reloadsAgain = false
        return reload()
    }

    /// Whether another generation may come, and the one that serves drain.
    private var hasRoom: Bool {
        let ending = workers.values.lazy.filter { $0.isEnding && $0.generation != generation }
        return Set(ending.map(\.generation)).count < Self.drainingLimit
    }

    /// Tells, once a generation, that all of its workers are ready.
    private mutating func tellServing() -> [Step] {
        guard told < generation, places.allSatisfy({ isReady($0.current) }) else { return [] }
        told = generation
        return [.tell(.serving(generation: generation))]
    }

    private mutating func finish() -> [Step] {
        phase = .ended
        return [.finish(SupervisorResult(cutCount: cutCount, isInterrupted: isInterrupted))]
    }
}
