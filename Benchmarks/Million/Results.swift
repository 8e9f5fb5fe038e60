// SPDX-License-Identifier: Apache-2.0
//
// What a run has measured, what it is judged by, and both as one JSON object.

import BenchmarkSupport
import SluiceReport

/// How a phase went.
struct PhaseResult {
    let name: String
    let time: Duration
    /// For how many connections it was done.
    let count: Int
    let errors: Int

    var seconds: Double { time / .seconds(1) }
}

/// All that a run has measured.
struct Results {
    let settings: Settings
    var phases: [PhaseResult] = []
    /// Connections that the clients have opened.
    var opened = 0
    /// Connections that clients and servers held at once.
    var held = 0
    /// When all are open, and nothing has gone over them.
    var memory = ConnectionMemory()
    /// After the echo and the broadcast.
    var memoryAfterTraffic = ConnectionMemory()
    /// When the order to open them was given.
    var openBegin = ContinuousClock.now
    /// From the order to open until the servers have them all.
    var openTime = Duration.zero
    /// The processor time of all servers and of the process that supervises them while all
    /// connections are idle, in cores.
    var idleShare = 0.0
    /// That of all clients.
    var clientsIdleShare = 0.0
    /// From the first server's order to the last client's last byte.
    var broadcastTime = Duration.zero
    /// How often what has failed.
    var errors: [String: Int] = [:]

    init(_ settings: Settings) { self.settings = settings }

    var errorCount: Int { errors.values.reduce(0, +) }

    func phase(_ name: String) -> PhaseResult? { phases.first { $0.name == name } }

    /// What the run is judged by.
    var limits: [Limit] {
        let isFull = settings.isFullSize
        let memoryText = "user memory of a connection in its server"
        return [
            Limit(
                "connections held at once", Double(held), ">=", Double(settings.expected)),
            Limit("errors in all phases", Double(errorCount), "=", 0),
            Limit(
                "opened, until the servers have them all, in, s", openTime / .seconds(1), "<=",
                settings.openLimit ?? 60, digits: 1,
                isJudged: isFull || settings.openLimit != nil),
            Limit("\(memoryText), B", memory.server, "<=", 600, isJudged: isFull),
            Limit(
                "\(memoryText), after traffic, B", memoryAfterTraffic.server, "<=", 600,
                isJudged: isFull),
            Limit(
                "CPU of all servers and their supervisor while idle, % of a core",
                idleShare * 100, "<", 1, digits: 3, isJudged: isFull),
            Limit(
                "broadcast to all in, s", broadcastTime / .seconds(1), "<=", 15, digits: 1,
                isJudged: isFull),
        ]
    }

    var missedLimits: [Limit] { limits.filter(\.isMissed) }
}

// MARK: - JSON

extension Results {
    /// All of it as one object.
    var json: JSONValue {
        .object([
            ("connections", .integer(settings.connections)),
            ("servers", .integer(settings.servers)),
            ("clients", .integer(settings.clients)),
            ("bounded_by", .string(settings.shortage?.resource ?? "")),
            ("opened", .integer(opened)),
            ("held", .integer(held)),
            ("phases", .array(phases.map(\.json))),
            ("memory_per_connection", memory.json),
            ("memory_per_connection_after_traffic", memoryAfterTraffic.json),
            ("open_seconds", .number(openTime / .seconds(1))),
            ("idle_cpu_percent", .number(idleShare * 100)),
            ("idle_cpu_percent_of_clients", .number(clientsIdleShare * 100)),
            ("broadcast_seconds", .number(broadcastTime / .seconds(1))),
            ("error_count", .integer(errorCount)),
            (
                "errors",
                .object(errors.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })
            ),
            ("missed", .array(missedLimits.map { .string($0.text) })),
        ])
    }
}

extension PhaseResult {
    fileprivate var json: JSONValue {
        .object([
            ("name", .string(name)), ("seconds", .number(seconds)),
            ("connections", .integer(count)), ("errors", .integer(errors)),
        ])
    }
}

extension ConnectionMemory {
    fileprivate var json: JSONValue {
        .object([
            ("server", .number(server)), ("client", .number(client)), ("kernel", .number(kernel)),
        ])
    }
}
