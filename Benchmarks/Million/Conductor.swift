// SPDX-License-Identifier: Apache-2.0
//
// Starts the servers and the clients, has them do one phase after the other, and ends them. All
// waiting has a limit, and ends at a signal or where a worker is lost.

import BenchmarkSupport
import Glibc
import Sluice
import SluiceReport

/// One run of the benchmark.
final class Conductor {
    let settings: Settings
    let crew: Crew
    private(set) var results: Results

    private let reactor: Reactor
    private let ports = SystemLimits.current.ports
    private var supervisor: Supervisor?
    private var clients: [ChildProcess] = []
    private var endedClients = 0
    private var isInterrupted = false
    private var progress: Timer?

    /// How long workers may take to start, and to answer what is no work.
    static let patience = Duration.seconds(60)
    /// How long they may take to end before they are killed.
    ///
    /// It takes the kernel a while to close 20,000 sockets of each.
    private static let endLimit = Duration.seconds(30)

    /// - Throws: ``SocketError``.
    init(_ settings: Settings) throws(SocketError) {
        self.settings = settings
        results = Results(settings)
        reactor = try Reactor()
        crew = try Crew(on: reactor)
    }

    /// - Throws: ``Fault`` or ``SocketError``.
    func run() throws -> Results {
        let note = { self.isInterrupted = true }
        let interrupt = try reactor.onSignal(.interrupt, note)
        let terminate = try reactor.onSignal(.terminate, note)
        let hangUp = try reactor.onSignal(.hangUp, note)
        let outcome = Result {
            try start()
            try doPhases()
        }
        end()
        interrupt.end()
        terminate.end()
        hangUp.end()
        try outcome.get()
        return results
    }

    // MARK: Waiting

    /// Handles events until something holds.
    ///
    /// - Returns: whether it does; else the time is up.
    /// - Throws: ``Fault``.
    func wait(within limit: Duration, until condition: () -> Bool) throws(Fault) -> Bool {
        var isLate = false
        var holds = condition()
        let timer = reactor.after(limit) { isLate = true }
        defer { timer.cancel() }
        reactor.run(until: {
            holds = condition()
            return holds || isLate || isInterrupted || crew.lost != nil
        })
        if isInterrupted { throw .interrupted }
        if let lost = crew.lost { throw .lost(lost) }
        return holds
    }

    /// Lets time pass.
    func pause(_ time: Duration) throws(Fault) {
        _ = try wait(within: time) { false }
    }

    /// Says every other second how far the clients are.
    func showProgress(of phase: String, to goal: Int) {
        let start = ContinuousClock.now
        progress = reactor.every(.seconds(2)) { [crew] in
            let count = NumberText.grouped(crew.clients.reduce(0) { $0 + $1.lastCount })
            let time = NumberText.fixed((ContinuousClock.now - start) / .seconds(1), digits: 0)
            Words.own.complain("\(phase): \(count) of \(NumberText.grouped(goal)) after \(time) s")
            for client in crew.clients where client.done == nil { client.tell(ControlLine(.count)) }
        }
    }

    func hideProgress() { progress?.cancel() }

    func record(_ change: (inout Results) -> Void) { change(&results) }
}

// MARK: - Processes

extension Conductor {
    private func start() throws {
        Words.own.complain(
            "\(settings.servers) servers, \(settings.clients) clients, "
                + "\(NumberText.grouped(settings.connections)) connections")
        let target = try startServers()
        try expect("the servers' start") { crew.servers.count == settings.servers }
        for number in 0..<settings.clients { try startClient(number, target) }
        try expect("the clients' start") { crew.clients.count == settings.clients }
    }

    private func expect(_ what: String, until condition: () -> Bool) throws {
        guard try wait(within: Self.patience, until: condition) else { throw Fault.late(what) }
    }

    /// - Returns: where they listen.
    private func startServers() throws -> SocketAddress {
        var options = SupervisorOptions()
        options.workerCount = settings.servers
        options.startLimit = Self.patience
        options.drainLimit = Self.endLimit
        let control = crew.name
        let supervisor = try Supervisor(
            on: reactor, at: [.loopback(port: 0)], options: options
        ) { slot in
            Self.launch("server", ["--control", control, "--number", "\(slot)"])
        }
        self.supervisor = supervisor
        supervisor.onEvent = { [crew] event in
            switch event {
            case .startFailed(let slot, let reason): crew.lose("server \(slot) (\(reason))")
            case .ended(let report, let end): crew.lose("server \(report.slot) (\(end))")
            default: break
            }
        }
        guard let address = supervisor.addresses.first else { throw Fault.late("a port") }
        supervisor.start()
        return address
    }

    private func startClient(_ number: Int, _ target: SocketAddress) throws {
        var arguments = [
            "--control", crew.name, "--number", "\(number)", "--target", "\(target)",
            "--under-way", "\(settings.underWay)",
            "--broadcast-size", "\(settings.broadcastByteCount)",
        ]
        for source in settings.sources(of: number, ports: ports) {
            arguments += ["--source", source]
        }
        let process = try ChildProcess(on: reactor, Self.launch("client", arguments))
        process.onExit { [unowned self] end in
            self.endedClients += 1
            self.crew.lose("client \(number) (\(end))")
        }
        clients.append(process)
    }

    /// This program again, in another role; it ends where this process does.
    private static func launch(_ role: String, _ arguments: [String]) -> ProcessLaunch {
        ProcessLaunch(arguments: [role] + arguments)
    }

    /// Ends all workers: by the supervisor, by the end of their lines, and after a while by force.
    private func end() {
        hideProgress()
        var isDrained = supervisor == nil
        // First of all: then nobody is started again.
        supervisor?.drain { _ in isDrained = true }
        crew.letGo()
        var isLate = false
        let limits = [
            reactor.after(Self.endLimit) { for client in self.clients { client.signal(.kill) } },
            reactor.after(Self.endLimit + Self.endLimit) { isLate = true },
        ]
        reactor.run(until: { isLate || (isDrained && endedClients == clients.count) })
        for limit in limits { limit.cancel() }
    }
}
