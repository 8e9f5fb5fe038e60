// SPDX-License-Identifier: Apache-2.0
//
// Has the parts do what is theirs, in quiet and under attack in turn, and keeps what they tell.

import BenchmarkSupport
import Glibc
import Sluice

/// How large everything is, and how long it takes.
struct Plan {
    /// How often each attack is made.
    var rounds = 3
    /// How long is measured without an attack, and with one.
    var quietMilliseconds = 5_000
    var attackMilliseconds = 12_000
    /// How long the server lets clients take.
    var patienceMilliseconds = 4_000
    /// How long attackers take to visit each connection that they hold: several times, before the
    /// server's patience ends.
    var circuitMilliseconds: Int { patienceMilliseconds / 2 }
    /// The honest clients' connections, and messages a second on all of them together.
    var honestConnections = 50
    var honestRate = 1_000
    var slowLorisConnections = 15_000
    var stoppedReaders = 5_000
    /// How many connections of a flood stay.
    var floodConnections = 10_000
    /// How many connections garbage comes on.
    var stormConnections = 256
    /// How many addresses floods and garbage come from.
    var floodSources = 20
    /// How long each of a newcomer's connecting and having an answer may take.
    var newcomerMilliseconds = 2_000
    /// For how long an attack may go on that has not shown by then what it is made for.
    var extraMilliseconds = 0
    /// Whether attackers have only what nobody else wants of their core.
    var attackersGiveWay = true
    /// The server's core, and that of all others; none where they are not kept apart.
    var cores = Cores.allowed.count > 1 ? Array(Cores.allowed.prefix(2)) : []
    /// Whether the time that passes says anything.
    var isFullSize = true

    /// What `make attacks` does.
    static let full = Plan()

    /// What a test does, beside many others: nothing in it may depend on how fast things go.
    static let small: Plan = {
        var plan = Plan()
        plan.rounds = 1
        plan.quietMilliseconds = 300
        plan.attackMilliseconds = 1_200
        plan.patienceMilliseconds = 2_000
        plan.newcomerMilliseconds = 10_000
        plan.extraMilliseconds = 30_000
        plan.attackersGiveWay = false
        plan.isFullSize = false
        plan.honestRate = 500
        plan.slowLorisConnections = 300
        plan.stoppedReaders = 100
        plan.floodConnections = 200
        plan.stormConnections = 32
        plan.floodSources = 2
        plan.cores = []
        return plan
    }()

    /// How many connections an attack holds at most.
    func connections(of attack: Attack) -> Int {
        switch attack {
        case .slowLoris: slowLorisConnections
        case .stoppedReaders: stoppedReaders
        case .connectAndLeave, .connectAndStay, .halfOpen, .resets: floodConnections
        case .garbage, .endlessLines: stormConnections
        }
    }
}

/// What one pair of quiet and attack has shown.
struct Round {
    /// What the honest clients measured in quiet.
    let quiet: Figures
    /// What they measured under attack.
    let attacked: Figures
    /// What the server saw of the attack.
    let server: Figures
    /// What the attackers did.
    let attackers: Figures
    /// The part of its core that the server used under attack.
    let processorShare: Double
    /// The most that the kernel held for all connections of the machine under attack.
    let kernelByteCount: Int
}

/// What an attack has shown.
struct Outcome {
    let attack: Attack
    var rounds: [Round] = []
    /// The server's resident set before the first attack, and the largest it has been.
    var residentByteCountBefore = 0
    var highestResidentByteCount = 0
    /// How many clients each service of the server has at most.
    var connectionLimit = 0
    /// Whether server and honest clients ran before all other programs.
    var goesFirst = false
}

/// Starts the parts and has them play.
final class Conductor {
    private let plan: Plan
    private let reactor: Reactor

    private static let serverCore = 0
    private static let clientCore = 1
    private static let samplingInterval = Duration.milliseconds(200)

    init(_ plan: Plan, _ reactor: Reactor) {
        self.plan = plan
        self.reactor = reactor
    }

    /// Makes the attacks, each on a server of its own.
    func run(_ attacks: [Attack]) throws -> [Outcome] {
        try attacks.map { attack in try run(attack) }
    }

    private func run(_ attack: Attack) throws -> Outcome {
        var outcome = Outcome(attack: attack)
        let server = try start(
            "server", ["--patience", "\(plan.patienceMilliseconds)"],
            on: Self.serverCore)
        let clients = try start(
            "clients",
            [
                "--lines", "\(server.ready["lines"])",
                "--connections", "\(plan.honestConnections)", "--rate", "\(plan.honestRate)",
                "--limit", "\(plan.newcomerMilliseconds)",
            ], on: Self.clientCore)
        outcome.connectionLimit = server.ready["connection limit"]
        outcome.goesFirst = [server, clients].allSatisfy { $0.ready["goes first"] == 1 }
        outcome.residentByteCountBefore = try ProcessSample(of: server.processID).residentByteCount
        for round in 1...plan.rounds {
            if isatty(STDERR_FILENO) == 1 {
                Words.own.complain("\(attack.title), round \(round) of \(plan.rounds)")
            }
            outcome.rounds.append(try play(attack, server, clients))
        }
        outcome.highestResidentByteCount =
            try ProcessSample(of: server.processID).highestResidentByteCount
        return outcome
    }

    private func start(_ role: String, _ arguments: [String], on place: Int) throws -> RoleProcess {
        let core = plan.cores.indices.contains(place) ? plan.cores[place] : nil
        return try RoleProcess(role, arguments, core: core, on: reactor)
    }
}

// MARK: - One round

extension Conductor {
    private func play(
        _ attack: Attack, _ server: RoleProcess, _ clients: RoleProcess
    ) throws -> Round {
        let quiet = try measure(clients, plan.quietMilliseconds)
        let round = try endure(attack, server, clients, quiet)
        try settle(server)
        return round
    }

    /// One attack; the attackers are gone at its end.
    private func endure(
        _ attack: Attack, _ server: RoleProcess, _ clients: RoleProcess, _ quiet: Figures
    ) throws -> Round {
        _ = try server.ask(.mark)
        let before = try ProcessSample(of: server.processID)
        let start = MonotonicClock.now
        var kernelByteCount = ProcessSample.kernelByteCount
        let sampling = reactor.every(Self.samplingInterval) {
            kernelByteCount = max(kernelByteCount, ProcessSample.kernelByteCount)
        }
        defer { sampling.cancel() }
        let attackers = try startAttackers(attack, server)
        let attacked = try measure(clients, plan.attackMilliseconds)
        try prolong(attack, server, attackers)
        let after = try ProcessSample(of: server.processID)
        let elapsed = MonotonicClock.now - start
        let seen = try server.ask(.tell)
        let used = Double(after.processorNanoseconds - before.processorNanoseconds)
        return Round(
            quiet: quiet, attacked: attacked, server: seen, attackers: try attackers.ask(.stop),
            processorShare: used / Double(elapsed), kernelByteCount: kernelByteCount)
    }

    /// Lets an attack go on until it has shown what it is made for, or the time for that is up.
    private func prolong(
        _ attack: Attack, _ server: RoleProcess, _ attackers: RoleProcess
    ) throws {
        let deadline = MonotonicClock.now + plan.extraMilliseconds * 1_000_000
        while MonotonicClock.now < deadline {
            let seen = try server.ask(.tell)
            let count =
                attack.isHeld
                ? seen["attackers at once"] : try attackers.ask(.tell)["opened"]
            if attack.limitsMet(in: seen) > 0, count >= plan.connections(of: attack) { return }
            pause()
        }
    }

    private func pause() {
        var isOver = false
        reactor.after(Self.samplingInterval) { isOver = true }
        reactor.run(until: { isOver })
    }

    private func startAttackers(_ attack: Attack, _ server: RoleProcess) throws -> RoleProcess {
        let manners = plan.attackersGiveWay ? ["--gives-way"] : []
        return try start(
            "attackers",
            manners + [
                "--attack", attack.rawValue, "--lines", "\(server.ready["lines"])",
                "--bytes", "\(server.ready["bytes"])",
                "--generator", "\(server.ready["generator"])",
                "--connections", "\(plan.connections(of: attack))",
                "--circuit", "\(plan.circuitMilliseconds)", "--sources", "\(plan.floodSources)",
            ], on: Self.clientCore)
    }

    private func measure(_ clients: RoleProcess, _ milliseconds: Int) throws -> Figures {
        try clients.ask(
            .measure(milliseconds), within: .milliseconds(milliseconds) + .seconds(60))
    }

    /// Waits until the server has only its honest clients left.
    private func settle(_ server: RoleProcess) throws {
        let deadline = MonotonicClock.now + 60_000_000_000
        while try server.ask(.tell)["open"] > plan.honestConnections {
            guard MonotonicClock.now < deadline else {
                throw Fault.failed("the server still has the attackers' connections")
            }
            pause()
        }
    }
}
