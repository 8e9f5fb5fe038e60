// SPDX-License-Identifier: Apache-2.0
//
// The phases in their order. Each is timed here, from the order to the last worker's word, and its
// errors are counted: what the clients have met, what the servers have, and what was not done in time.

import BenchmarkSupport
import Glibc
import Sluice
import SluiceReport

extension Conductor {
    /// - Throws: ``Fault``.
    func doPhases() throws(Fault) {
        let empty = try snapshot()
        try measured("open") { () throws(Fault) in try open() }
        try measured("settle") { () throws(Fault) in try settle() }
        try measured("idle") { () throws(Fault) in try idle() }
        try measured("memory") { () throws(Fault) in
            let now = try snapshot()
            record { $0.memory = now.growth(since: empty, for: $0.held) }
            return results.held
        }
        try measured("echo") { () throws(Fault) in
            try haveClients("echo", results.held) { _ in ControlLine(.echo) }
        }
        try measured("broadcast") { () throws(Fault) in try broadcast() }
        let used = try snapshot()
        record { $0.memoryAfterTraffic = used.growth(since: empty, for: $0.held) }
        try measured("churn") { () throws(Fault) in try churn() }
        try measured("close") { () throws(Fault) in try close() }
    }

    /// Times a phase and counts its errors.
    ///
    /// - Parameter phase: does it, and gives for how many connections it was done.
    private func measured(_ name: String, _ phase: () throws(Fault) -> Int) throws(Fault) {
        let before = crew.tally.total
        let start = ContinuousClock.now
        let count = try phase()
        let time = ContinuousClock.now - start
        // What the servers have met is still to be heard of.
        _ = try countConnections()
        let errors = crew.tally.total - before
        record { results in
            results.phases.append(
                PhaseResult(name: name, time: time, count: count, errors: errors))
            results.errors = crew.tally.kinds
        }
        let seconds = NumberText.fixed(time / .seconds(1), digits: 2)
        Words.own.complain(
            "\(name): \(NumberText.grouped(count)) in \(seconds) s, \(errors) errors")
    }

    /// Gives all clients an order and waits until each has done it.
    ///
    /// - Returns: for how many connections it was done.
    private func haveClients(
        _ phase: String, _ goal: Int, _ order: (Worker) -> ControlLine
    ) throws(Fault) -> Int {
        for client in crew.clients { client.tell(order(client)) }
        return try awaitClients(phase, goal)
    }

    private func awaitClients(_ phase: String, _ goal: Int) throws(Fault) -> Int {
        showProgress(of: phase, to: goal)
        defer { hideProgress() }
        let isDone = { [crew] in crew.clients.allSatisfy { $0.done != nil } }
        if try !wait(within: settings.phaseLimit, until: isDone) {
            for client in crew.clients where client.done == nil { client.tell(ControlLine(.stop)) }
            guard try wait(within: Self.patience, until: isDone) else { throw .late(phase) }
        }
        return crew.clients.reduce(0) { $0 + ($1.done ?? 0) }
    }

    /// Asks the servers how many connections they hold.
    private func countConnections() throws(Fault) -> Int {
        for server in crew.servers { server.tell(ControlLine(.count)) }
        let hasAll = { [crew] in crew.servers.allSatisfy { $0.count != nil } }
        guard try wait(within: Self.patience, until: hasAll) else { throw .late("a count") }
        return crew.servers.reduce(0) { $0 + ($1.count ?? 0) }
    }

    /// Waits until the servers hold so many connections.
    ///
    /// - Returns: how many they hold then, or when the time is up.
    private func awaitConnections(_ goal: Int) throws(Fault) -> Int {
        let deadline = ContinuousClock.now + Self.patience
        var count = try countConnections()
        while count != goal, ContinuousClock.now < deadline {
            try pause(.milliseconds(100))
            count = try countConnections()
        }
        return count
    }

    private func snapshot() throws(Fault) -> MemorySnapshot {
        // What a server's first answer takes is none of its connections'.
        _ = try countConnections()
        return MemorySnapshot(
            servers: crew.servers.map(\.processID), clients: crew.clients.map(\.processID))
    }
}

// MARK: - One phase each

extension Conductor {
    private func open() throws(Fault) -> Int {
        let start = ContinuousClock.now
        let count = try haveClients("open", settings.connections) { client in
            ControlLine(.open, settings.share(of: client.number))
        }
        record {
            $0.opened = count
            $0.openBegin = start
        }
        return count
    }

    /// A connection is open for its client before a server has accepted it.
    private func settle() throws(Fault) -> Int {
        let opened = results.opened
        let count = try awaitConnections(opened)
        record { $0.openTime = ContinuousClock.now - $0.openBegin }
        if count != opened { crew.note("open, and held by no server", abs(opened - count)) }
        let full = crew.servers.filter(\.isFull)
        if !full.isEmpty { crew.note("a server is full", full.count) }
        record { $0.held = min(opened, count) }
        try pause(settings.rest)
        return results.held
    }

    private func idle() throws(Fault) -> Int {
        let clients = crew.clients.map(\.processID)
        let servers = crew.servers.map(\.processID)
        let own = [getpid()]
        let clientsBefore = ProcessFigures.processorTime(of: clients)
        let serversBefore = ProcessFigures.processorTime(of: servers)
        // This process supervises the servers. What it takes to ask is not the connections' affair.
        let ownBefore = ProcessFigures.processorTime(of: own)
        let start = ContinuousClock.now
        try pause(settings.idleTime)
        let time = ContinuousClock.now - start
        let ownUsed = ProcessFigures.processorTime(of: own) - ownBefore
        let serversUsed = ProcessFigures.processorTime(of: servers) - serversBefore
        let clientsUsed = ProcessFigures.processorTime(of: clients) - clientsBefore
        record {
            $0.idleShare = (serversUsed + ownUsed) / time
            $0.clientsIdleShare = clientsUsed / time
        }
        return results.held
    }

    /// The servers send some at a time: see ``Settings/broadcasters``.
    private func broadcast() throws(Fault) -> Int {
        for client in crew.clients { client.tell(ControlLine(.listen)) }
        let isReady = { [crew] in crew.clients.allSatisfy { $0.isReady } }
        guard try wait(within: Self.patience, until: isReady) else { throw .late("listening") }
        let start = ContinuousClock.now
        let order = ControlLine(.broadcast, settings.broadcastByteCount)
        var waiting = crew.servers[...]
        var sending: [Worker] = []
        let haveSent = { [settings] in
            sending.removeAll { $0.done != nil }
            while sending.count < settings.broadcasters, let next = waiting.popFirst() {
                next.tell(order)
                sending.append(next)
            }
            return sending.isEmpty
        }
        if try !wait(within: settings.phaseLimit, until: haveSent) {
            crew.note("a server has not sent in time", sending.count + waiting.count)
        }
        let count = try awaitClients("broadcast", results.held)
        record { $0.broadcastTime = ContinuousClock.now - start }
        return count
    }

    private func churn() throws(Fault) -> Int {
        let share = { [settings] (client: Worker) in
            settings.churned(of: settings.share(of: client.number))
        }
        let goal = crew.clients.reduce(0) { $0 + share($1) }
        let time = Int(settings.churnTime / .milliseconds(1))
        let count = try haveClients("churn", goal) { ControlLine(.churn, share($0), time) }
        let held = try awaitConnections(results.held)
        if held != results.held {
            crew.note("after the churn, not held by a server", abs(results.held - held))
        }
        return count
    }

    private func close() throws(Fault) -> Int {
        let count = try haveClients("close", results.held) { _ in ControlLine(.close) }
        let left = try awaitConnections(0)
        if left > 0 { crew.note("not closed by a server", left) }
        return count
    }
}
