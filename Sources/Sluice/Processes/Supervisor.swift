// SPDX-License-Identifier: Apache-2.0
//
// A parent of worker processes: it opens the sockets, starts the workers, starts those anew that
// end, and puts new ones in the place of old ones while nobody is refused.

internal import CSystemCalls

/// Starts and watches worker processes that serve the same addresses.
///
/// It holds the listening sockets and never accepts. A worker finds its sockets with
/// ``InheritedSockets/fromEnvironment()``, says ``ServiceState/ready`` to
/// ``ServiceNotifier/fromEnvironment()``, and ends on `SIGTERM` when its connections have; a
/// program of any other make does so by sd_listen_fds(3) and sd_notify(3). Only the worker's own
/// process is heard, none that it has started.
///
/// A worker that ends by itself is started again: at once the first time, and then after waits that
/// grow. Meanwhile its clients wait in the backlog. All processes of a supervisor are killed where
/// it ends, and where this process does, if ``ProcessLaunch/endsWithParent`` says so.
public final class Supervisor {
    let link: ReactorLink
    let options: SupervisorOptions
    let sockets: SupervisedSockets
    let inbox: NotifySocket
    private let ask: (Int) throws -> ProcessLaunch
    var supervision: Supervision
    var supervised: [Int: Supervised] = [:]
    /// The worker that has a process.
    var numbers: [Int32: Int] = [:]
    /// What each generation that has workers, or may get some, was given for each of its places.
    private var launches: [Int: [Int: ProcessLaunch]] = [:]
    /// What workers have done that have ended.
    var endedFigures = WorkerFigures()
    private var timer: Timer?
    private var timerDue: UInt64?
    /// Whether this process was too late itself when it looked at the limits last.
    private var wasLate = false
    /// Steps that are not taken yet; who takes them takes those of nested calls, too.
    private var steps: [Supervision.Step] = []
    private var isTakingSteps = false
    /// By the generation that is made for them.
    private var reloadCompletions: [Int: [(Result<Int, ReloadError>) -> Void]] = [:]
    private var drainCompletions: [(SupervisorResult) -> Void] = []
    /// Whether it was asked to end.
    var endsSoon: Bool { supervision.phase == .draining || supervision.phase == .ended }
    /// How it has ended; `nil` before.
    public private(set) var result: SupervisorResult?
    /// Called with each event, before ``onEvent``.
    var observer: ((SupervisorEvent) -> Void)?

    /// Called with everything that happens, on the reactor's thread.
    ///
    /// Initially `nil`.
    public var onEvent: ((SupervisorEvent) -> Void)?

    /// Where its workers listen, with real ports in place of 0; without sockets that have no
    /// stream.
    public var addresses: [SocketAddress] { sockets.addresses }

    /// Listens at all of `addresses`, or at none; clients wait in the backlog until ``start()`` and
    /// the workers are there.
    ///
    /// `launch` is asked what to start, with the place of the worker: once for each place at the
    /// start, and anew at each ``reload(_:)``. A worker that has ended is started again with what
    /// its generation was given; where `launch` throws at the start, it is asked again after a
    /// wait. The supervisor adds the sockets and its own `NOTIFY_SOCKET` to the environment: a path
    /// below `TMPDIR`, or `/tmp`, that this user and root alone can reach; where none can be made,
    /// an abstract name. A worker that takes on another user says that it is ready before it does.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.setOption`, `.bind`, such as
    ///   `.addressInUse`, `.listen`, `.name` or `.watch`.
    public convenience init(
        on reactor: Reactor, at addresses: [SocketAddress], options: SupervisorOptions = .init(),
        launch: @escaping (Int) throws -> ProcessLaunch
    ) throws(SocketError) {
        let options = options.inRange
        try self.init(reactor, try SupervisedSockets(at: addresses, options), options, launch)
    }

    /// Has workers share the sockets that somebody else has opened, such as a service manager: all
    /// that are left in `sockets`, with their names.
    ///
    /// Those of streams listen from now on, where they did not; all others are handed on as they
    /// are. Else as ``init(on:at:options:launch:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt`, `.setOption`, `.listen`, `.name`,
    ///   `.create` or `.watch`; the sockets are closed then.
    public convenience init(
        on reactor: Reactor, adopting sockets: consuming InheritedSockets,
        options: SupervisorOptions = .init(), launch: @escaping (Int) throws -> ProcessLaunch
    ) throws(SocketError) {
        let options = options.inRange
        let sockets = try SupervisedSockets(adopting: sockets, options)
        try self.init(reactor, sockets, options, launch)
    }

    private init(
        _ reactor: Reactor, _ sockets: SupervisedSockets, _ options: SupervisorOptions,
        _ launch: @escaping (Int) throws -> ProcessLaunch
    ) throws(SocketError) {
        link = reactor.link
        self.options = options
        self.sockets = sockets
        ask = launch
        supervision = Supervision(options)
        inbox = try NotifySocket(on: reactor)
        inbox.onMessage = { [weak self] in self?.heard($0, from: $1) ?? false }
    }

    deinit {
        timer?.cancel()
        // The reactor takes their ends.
        for worker in supervised.values {
            worker.process.onExit(nil)
            worker.process.signal(.kill)
        }
    }

    // MARK: What it is asked

    /// Starts the workers; does nothing where it was started before.
    public func start() {
        take(supervision.start(at: csystem_monotonic_nanoseconds()))
    }

    /// Starts a new generation of workers on the same sockets; when all of them are ready the old
    /// ones are asked to end, by `SIGTERM`.
    ///
    /// Where one of the new ones can't be started, ends, or is not ready within
    /// ``SupervisorOptions/startLimit``, the new ones are asked to end and the old ones go on. A
    /// reload during a reload waits for its end, and one while four generations drain for the end
    /// of one of these; several that wait are one.
    ///
    /// - Parameter completion: called once, with the generation that serves now, or why it is still
    ///   the old one.
    public func reload(_ completion: ((Result<Int, ReloadError>) -> Void)? = nil) {
        switch supervision.phase {
        case .idle: completion?(.failure(.notStarted))
        case .draining, .ended: completion?(.failure(.draining))
        case .running:
            if let completion {
                reloadCompletions[supervision.nextGeneration, default: []].append(completion)
            }
            take(supervision.reload())
        }
    }

    /// Asks all workers to end, by `SIGTERM`; those that have not within
    /// ``SupervisorOptions/drainLimit`` and a second are killed.
    ///
    /// The sockets listen no more once the last worker has let go of them; who waits to be accepted
    /// then is reset. Draining again keeps the first limit.
    ///
    /// - Parameter completion: called once, when all have ended.
    public func drain(_ completion: ((SupervisorResult) -> Void)? = nil) {
        onEnd(completion)
        take(supervision.drain(at: csystem_monotonic_nanoseconds()))
    }

    /// Kills all workers, also where they drain.
    ///
    /// - Parameter completion: called once, when all have ended.
    public func endAtOnce(_ completion: ((SupervisorResult) -> Void)? = nil) {
        onEnd(completion)
        take(supervision.endAtOnce(at: csystem_monotonic_nanoseconds()))
    }

    /// Waits for workers that were killed, without the reactor.
    func awaitEnds() {
        for (number, worker) in supervised.sorted(by: { $0.key < $1.key }) {
            ended(number, worker.process.killAndWait())
        }
    }

    private func onEnd(_ completion: ((SupervisorResult) -> Void)?) {
        guard let completion else { return }
        if let result { completion(result) } else { drainCompletions.append(completion) }
    }

    /// Sends a signal to all workers that are ready.
    public func signal(_ signal: Signal) {
        for (number, worker) in supervised where supervision.workers[number]?.isReady == true {
            worker.process.signal(signal)
        }
    }

    // MARK: What it tells

    /// The workers, by place and then by age: a place whose worker is yet to be started again has
    /// one without a process.
    public var workers: [WorkerReport] {
        var reports = supervised.keys.compactMap { number in
            report(on: number).map { (number: number, report: $0) }
        }
        for (slot, place) in supervision.places.enumerated() where place.isEmpty {
            let report = WorkerReport(
                slot: slot, processID: nil, state: .ended, generation: generation,
                restarts: place.restarts, figures: WorkerFigures(), status: "")
            // Younger than all that still drain.
            reports.append((number: .max, report: report))
        }
        return reports.sorted { ($0.report.slot, $0.number) < ($1.report.slot, $1.number) }
            .map(\.report)
    }

    /// The generation that serves; 0 before the start.
    public var generation: Int { supervision.generation }

    /// What all workers have done, also those that have ended; the open connections are those of
    /// the workers that are there.
    public var figures: WorkerFigures {
        var sum = endedFigures
        for worker in supervised.values { sum.add(worker.figures) }
        return sum
    }

    /// How many messages were passed over: of processes that are no workers, too long, or no text.
    public var ignoredMessageCount: UInt64 { inbox.ignoredCount }
}

/// Supervisors stay on their reactor's thread.
@available(*, unavailable)
extension Supervisor: Sendable {}

// MARK: - Doing what was decided

/// A worker's process, and what it has told.
final class Supervised {
    let process: ChildProcess
    var figures = WorkerFigures()
    var status = ""

    init(_ process: ChildProcess) { self.process = process }
}

extension Supervisor {
    /// Takes steps in the order in which they were decided, also those that come of them.
    func take(_ more: [Supervision.Step]) {
        steps += more
        if isTakingSteps { return }
        isTakingSteps = true
        while !steps.isEmpty { take(steps.removeFirst()) }
        isTakingSteps = false
        arm()
    }

    private func take(_ step: Supervision.Step) {
        switch step {
        case .prepare(let generation): prepare(generation)
        case .launch(let number, let slot, let generation): launch(number, slot, generation)
        case .terminate(let number): supervised[number]?.process.signal(.terminate)
        case .kill(let number): supervised[number]?.process.signal(.kill)
        case .tell(let notice): translate(notice)
        case .finishReload(let generation, let error): finishReload(generation, error)
        case .finish(let result): finish(result)
        }
    }

    private func prepare(_ generation: Int) {
        tell(.reloading(generation: generation))
        var asked: [Int: ProcessLaunch] = [:]
        do {
            for slot in supervision.places.indices { asked[slot] = try ask(slot) }
        } catch {
            return take(
                supervision.refused(generation, "\(error)", at: csystem_monotonic_nanoseconds()))
        }
        launches[generation] = asked
        take(supervision.prepared(generation, at: csystem_monotonic_nanoseconds()))
    }

    private func launch(_ number: Int, _ slot: Int, _ generation: Int) {
        guard let reactor = link.reactor else { return }
        do {
            let launch = try launches[generation]?[slot] ?? ask(slot)
            launches[generation, default: [:]][slot] = launch
            let (passed, names) = sockets.passed(to: slot)
            let process = try ChildProcess(
                on: reactor, launch, passing: passed, named: names, adding: variables)
            process.onExit { [weak self] end in self?.ended(number, end) }
            supervised[number] = Supervised(process)
            numbers[process.processID] = number
            if let report = report(on: number) { tell(.started(report)) }
            // The kernel keeps some ten messages: while many are started the first ones are heard.
            inbox.readAll()
        } catch {
            let reason = "\(error)"
            tell(.startFailed(slot: slot, reason: reason))
            take(
                supervision.ended(
                    number, .notStarted(reason), at: csystem_monotonic_nanoseconds()))
        }
    }

    /// What a worker has in its environment beside what its launch says.
    private var variables: [String: String?] {
        let interval = options.watchdog.map { "\(max(1, $0.nanoseconds / 1_000))" }
        return ["NOTIFY_SOCKET": inbox.name, "WATCHDOG_USEC": interval, "WATCHDOG_PID": nil]
    }

    private func finishReload(_ generation: Int, _ error: ReloadError?) {
        // Of old generations none is started again.
        launches = launches.filter { $0.key == supervision.generation }
        if let error { tell(.reloadFailed(generation: generation, error)) }
        // Those that wait for the next reload wait in vain where there will be none.
        let over = reloadCompletions.keys.filter { $0 <= generation || error == .draining }
        let completions = over.sorted().compactMap { reloadCompletions.removeValue(forKey: $0) }
        for completion in completions.joined() {
            completion(error.map { .failure($0) } ?? .success(supervision.generation))
        }
    }

    private func finish(_ result: SupervisorResult) {
        self.result = result
        sockets.close()
        inbox.close()
        tell(.finished(result))
        let completions = drainCompletions
        drainCompletions = []
        for completion in completions { completion(result) }
    }

    private func arm() {
        let due = supervision.nextTime
        if due == timerDue { return }
        timerDue = due
        timer?.cancel()
        guard let due else { return }
        let now = csystem_monotonic_nanoseconds()
        timer = link.reactor?.after(Duration(nanoseconds: due > now ? due - now : 0)) {
            [weak self] in
            guard let self else { return }
            timerDue = nil
            timePassed(due)
        }
    }

    private func timePassed(_ due: UInt64) {
        // Timers have their turn before what is there to be read: what a worker has said by now
        // counts.
        inbox.readAll()
        let now = csystem_monotonic_nanoseconds()
        let isLate = now > due &+ Self.patience.nanoseconds
        // Workers that were not heard, as this process stood still, found no room for more. Not
        // again and again: a supervisor that is always late must kill as well.
        if isLate, !wasLate { supervision.excuse(at: now) }
        wasLate = isLate
        take(supervision.timePassed(at: now))
    }

    /// How late a timer may be before the limits of workers are put off.
    private static let patience = Duration.milliseconds(100)
}
