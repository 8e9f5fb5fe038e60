// SPDX-License-Identifier: Apache-2.0
//
// What clients have lost: a section of the page of results, or one JSON object.

import BenchmarkSupport
import SluiceReport

/// What clients have seen in a while.
struct Phase {
    let name: String
    let seconds: Double
    let counts: Counts
}

/// A worker that was killed.
struct Kill {
    /// How many of the kept connections were with it.
    let keptCount: Int
    /// How long it took until a client had an answer of a worker that was not there before.
    let milliseconds: Double
}

/// The phases, and what they have shown.
struct Report {
    let plan: Plan
    let quiet: Phase
    let reloading: Phase
    let killing: Phase
    let kills: [Kill]

    private var phases: [Phase] { [quiet, reloading, killing] }

    /// What may be, beside what was.
    var limits: [Limit] {
        let nothing = { (text: String, figure: Figure, phases: [Phase]) in
            Limit(text, Double(phases.reduce(0) { $0 + $1.counts[figure] }), "=", 0)
        }
        let orderly = [quiet, reloading]
        var limits = [
            nothing("connects refused, in all phases", .refused, phases),
            nothing("newcomers left out, in all phases", .unbegun, phases),
            nothing("wrong answers, in all phases", .wrong, phases),
            nothing("connections reset, in quiet and reloads", .reset, orderly),
            nothing("connections ended without notice, in quiet and reloads", .ended, orderly),
            nothing("messages lost, in quiet and reloads", .lost, orderly),
            nothing("connections cut of workers that nobody has killed", .foreign, phases),
        ]
        if let slowest = kills.map(\.milliseconds).max() {
            let text = "from a kill to a new worker's first answer, at most, ms"
            limits.append(Limit(text, slowest, "<", 1_000, digits: 1))
        }
        return limits
    }

    /// One JSON object.
    var json: String {
        let phases = phases.map { phase in
            JSONValue.object(
                [("name", .string(phase.name)), ("seconds", .number(phase.seconds))]
                    + Figure.allCases.map { ($0.rawValue, .integer(phase.counts[$0])) })
        }
        let kills = kills.map { kill in
            JSONValue.object([
                ("kept", .integer(kill.keptCount)), ("milliseconds", .number(kill.milliseconds)),
            ])
        }
        let missed = limits.filter(\.isMissed).map { JSONValue.string($0.text) }
        return JSONValue.object([
            ("missed", .array(missed)), ("phases", .array(phases)), ("kills", .array(kills)),
        ]).description
    }

    /// The section, without its marks.
    var section: String {
        """
        ## Reloads and killed workers

        \(plan.workers) worker processes under a `Supervisor`, with \(NumberText.grouped(plan.kept)) connections that stay and send a message a
        second each, and \(NumberText.grouped(plan.rate)) new ones a second that connect, have one message answered and leave.

        \(limitTable)

        \(phaseTable)

        - Quiet; \(plan.reloads) reloads, each begun 100 ms after the one before was complete; a worker killed (`kill -9`) each
          second, \(plan.kills) times.
        - Open model: connects and messages are due at fixed times, whatever the workers do. All clients are one process on
          the same machine.
        - A worker that drains says so to its clients; those that stay have their last answer, leave and connect again.
        - Of the kept connections \(kills.reduce(0) { $0 + $1.keptCount }) were with the killed workers, and \(killing.counts[.keptCut]) were cut; of all connections
          \(killing.counts[.unknown]) were cut before their worker had said who it is.
        - From each kill to a new worker's first answer, in ms: \(times).
        """
    }

    private var times: String {
        let times = kills.map { NumberText.fixed($0.milliseconds, digits: 1) }
        return times.isEmpty ? "-" : times.joined(separator: ", ")
    }

    private var limitTable: String {
        TableText.table(
            ["", "limit", "measured", "met"],
            limits.map { limit in
                [
                    limit.text, "\(limit.sign) \(NumberText.grouped(Int(limit.bound)))",
                    NumberText.fixed(limit.measured, digits: limit.digits),
                    limit.isMet ? "yes" : "**no**",
                ]
            })
    }

    private var phaseTable: String {
        let rows: [(text: String, figure: Figure)] = [
            ("connections made", .made), ("of these in place of kept ones", .reconnected),
            ("messages sent", .messages), ("messages answered", .answered),
            ("connects refused", .refused), ("connections reset", .reset),
            ("connections ended without notice", .ended), ("messages lost", .lost),
            ("wrong answers", .wrong),
        ]
        let seconds = ["seconds"] + phases.map { NumberText.fixed($0.seconds, digits: 1) }
        return TableText.table(
            ["", "quiet", "\(plan.reloads) reloads", "\(plan.kills) kills"],
            [seconds]
                + rows.map { row in
                    [row.text] + phases.map { NumberText.grouped($0.counts[row.figure]) }
                })
    }
}
