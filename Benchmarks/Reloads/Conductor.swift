// SPDX-License-Identifier: Apache-2.0
//
// Supervises the workers in its own process, has the clients call, and reloads and kills meanwhile.

import BenchmarkSupport
import Glibc
import Sluice

/// Has everybody play; who has not ended by then is killed at its end.
final class Conductor {
    private let plan: Plan
    private let reactor: Reactor
    private let supervisor: Supervisor
    private var clients: ChildProcess?
    private var line: Channel?
    private var isInterrupted = false
    private var isAlone = false
    /// What the clients have told last, until it is taken.
    private var counts: Counts?
    private var keptCount: Int?
    /// When each worker answered first.
    private var firstAnswers: [Int: Int] = [:]

    /// Workers begin to end on their own before.
    private static let drainLimit = Duration.seconds(6)
    private static let patience = Duration.seconds(60)
    private static let pauseAfterReload = Duration.milliseconds(100)
    private static let killInterval = Duration.seconds(1)

    init(_ plan: Plan) throws {
        self.plan = plan
        signal(SIGPIPE, SIG_IGN)
        reactor = try Reactor()
        var options = SupervisorOptions()
        options.workerCount = plan.workers
        options.drainLimit = Self.drainLimit
        supervisor = try Supervisor(on: reactor, at: [.loopback(port: 0)], options: options) { _ in
            ProcessLaunch(arguments: ["worker"])
        }
    }

    func run() throws -> Report {
        let interrupt = try reactor.onSignal(.interrupt) { [unowned self] in isInterrupted = true }
        let terminate = try reactor.onSignal(.terminate) { [unowned self] in isInterrupted = true }
        defer { endAtOnce() }
        let report = try play()
        interrupt.end()
        terminate.end()
        return report
    }

    private func play() throws -> Report {
        supervisor.start()
        try wait(for: "all workers") { self.areAllReady }
        try startClients()
        let opening = try nextCounts()
        var quiet = try phase("quiet") { try pause(.seconds(plan.quietSeconds)) }
        quiet = Phase(name: quiet.name, seconds: quiet.seconds, counts: opening + quiet.counts)
        let reloading = try phase("reloads") { try reload() }
        var kills: [Kill] = []
        let killing = try phase("kills") {
            for number in 0..<plan.kills { kills.append(try killWorker(number)) }
        }
        try end()
        return Report(
            plan: plan, quiet: quiet, reloading: reloading, killing: killing, kills: kills)
    }

    // MARK: The phases

    private func phase(_ name: String, _ body: () throws -> Void) throws -> Phase {
        Words.own.complain(name)
        let begin = MonotonicClock.now
        try say(Note(.go))
        try body()
        let seconds = Double(MonotonicClock.now - begin) / 1e9
        try say(Note(.rest))
        return Phase(name: name, seconds: seconds, counts: try nextCounts())
    }

    private func reload() throws {
        for _ in 0..<plan.reloads {
            var outcome: Result<Int, ReloadError>?
            supervisor.reload { outcome = $0 }
            try wait(for: "a reload") { outcome != nil }
            if case .failure(let error) = outcome { throw error }
            try pause(Self.pauseAfterReload)
        }
        try wait(for: "the end of all that was replaced") { self.areAllReady }
    }

    private func killWorker(_ number: Int) throws -> Kill {
        try wait(for: "all workers") { self.areAllReady }
        let processes = supervisor.workers.compactMap { $0.processID.map { Int($0) } }
        let victim = processes[number % processes.count]
        keptCount = nil
        try say(Note(.killing, [victim]))
        try wait(for: "the clients") { self.keptCount != nil }
        firstAnswers = [:]
        let newAnswer = { [unowned self] in
            firstAnswers.filter { !processes.contains($0.key) }.values.min()
        }
        let begin = MonotonicClock.now
        kill(pid_t(victim), SIGKILL)
        try wait(for: "an answer of a new worker") { newAnswer() != nil }
        let answered = newAnswer() ?? MonotonicClock.now
        let rest = Self.killInterval - .nanoseconds(MonotonicClock.now - begin)
        if rest > .zero { try pause(rest) }
        return Kill(keptCount: keptCount ?? 0, milliseconds: Double(answered - begin) / 1e6)
    }

    /// Whether each place has its worker, and nobody else is there.
    private var areAllReady: Bool {
        let workers = supervisor.workers
        return workers.count == plan.workers && workers.allSatisfy { $0.state == .ready }
    }

    private func end() throws {
        line?.onClose(nil)
        line?.close()
        var isOver = false
        supervisor.drain { _ in isOver = true }
        try wait(for: "the end of all processes") { isOver && self.clients?.isRunning != true }
    }

    /// Kills all that still run, and waits for their ends; after ``end()`` there is nobody.
    private func endAtOnce() {
        line?.onClose(nil)
        clients?.signal(.kill)
        supervisor.endAtOnce()
        var isLate = false
        let timer = reactor.after(Self.drainLimit) { isLate = true }
        defer { timer.cancel() }
        reactor.run(until: {
            isLate || supervisor.result != nil && clients?.isRunning != true
        })
    }

    // MARK: Waiting

    private func pause(_ time: Duration) throws {
        var isOver = false
        reactor.after(time) { isOver = true }
        try wait(for: "nothing", within: time + Self.patience) { isOver }
    }

    private func wait(
        for what: String, within limit: Duration = Conductor.patience, until condition: () -> Bool
    ) throws {
        var isLate = false
        let timer = reactor.after(limit) { isLate = true }
        defer { timer.cancel() }
        reactor.run(until: { condition() || isLate || isInterrupted || isAlone })
        if isInterrupted { throw Fault.interrupted }
        if isAlone { throw Fault.failed("the clients have gone") }
        if !condition() { throw Fault.late(what) }
    }
}

// MARK: - The clients

extension Conductor {
    private func startClients() throws {
        let pair = try Socket.makePair()
        var passed = PassedSockets()
        try passed.append(pair.second)
        let port = supervisor.addresses.first?.port ?? 0
        let launch = ProcessLaunch(arguments: [
            "clients", "--port", "\(port)", "--kept", "\(plan.kept)", "--rate", "\(plan.rate)",
        ])
        clients = try ChildProcess(on: reactor, launch, passing: passed)
        let line = try Channel(adopting: pair.first, on: reactor)
        line.onLine { [unowned self] _, text in
            if let note = Note(text: text) { heard(note) }
        }
        line.onClose { [unowned self] _, _ in isAlone = true }
        self.line = line
    }

    private func heard(_ note: Note) {
        switch note.word {
        case .counted: counts = Counts(note.numbers)
        case .kept: keptCount = note.numbers.first
        case .answered:
            guard note.numbers.count == 2 else { return }
            firstAnswers[note.numbers[0]] = note.numbers[1]
        case .go, .rest, .killing: break
        }
    }

    private func say(_ note: Note) throws { try line?.writeLine(note.text) }

    private func nextCounts() throws -> Counts {
        try wait(for: "the clients' counts") { self.counts != nil }
        return counts.take() ?? Counts()
    }
}
