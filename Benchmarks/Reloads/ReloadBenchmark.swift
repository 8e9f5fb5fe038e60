// SPDX-License-Identifier: Apache-2.0
//
// Reloads and killed workers under load, and what clients lose by them: `make reloads`.
// One program plays every part, each in a process of its own.

import ArgumentParser
import BenchmarkSupport

/// The command line's root.
@main
struct ReloadBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reloads",
        abstract: "Reload and kill workers under load, and count what clients lose by it.",
        subcommands: [ConductCommand.self, WorkerCommand.self, ClientsCommand.self],
        defaultSubcommand: ConductCommand.self)
}

extension Words {
    /// The benchmark's.
    static let own = Words(of: "reloads")
}

/// How large everything is.
struct Plan {
    var workers = 4
    /// Connections that stay; each sends a message a second.
    var kept = 2_000
    /// Connections that come and go in a second.
    var rate = 2_000
    var reloads = 100
    var kills = 10
    var quietSeconds = 3.0
}

/// Supervises the workers, and reports.
struct ConductCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conduct", abstract: "Serve in quiet, reload, kill.",
        usage: "Scripts/reloads.sh [<options>]",
        discussion: """
            Prints a section of Benchmarks/RESULTS.md. Exit status: 0 well; 70 a fault of our own; \
            99 clients lost more than they may; 130 interrupted.
            """)

    @Option(help: "How many processes serve.")
    var workers = Plan().workers
    @Option(help: "How many connections stay.")
    var kept = Plan().kept
    @Option(help: "How many connections come and go in a second.")
    var rate = Plan().rate
    @Option(help: "How often all workers are replaced.")
    var reloads = Plan().reloads
    @Option(help: "How often a worker is killed, one each second.")
    var kills = Plan().kills
    @Option(help: "Seconds of quiet at the beginning.")
    var seconds = Plan().quietSeconds
    @Flag(help: "Print one JSON object in place of the section.")
    var json = false

    func validate() throws {
        guard (1...64).contains(workers), (1...10_000).contains(kept), (1...10_000).contains(rate)
        else {
            throw ValidationError("workers are 1 to 64, --kept and --rate 1 to 10,000")
        }
        guard (0...10_000).contains(reloads), (0...1_000).contains(kills),
            (0...3_600).contains(seconds)
        else {
            throw ValidationError("--reloads is 0 to 10,000, --kills to 1,000, --seconds to 3,600")
        }
    }

    func run() throws {
        let plan = Plan(
            workers: workers, kept: kept, rate: rate, reloads: reloads, kills: kills,
            quietSeconds: seconds)
        let status = Words.own.report {
            let report = try Conductor(plan).run()
            return (json ? report.json : report.section, report.limits)
        }
        throw ExitCode(status)
    }
}
