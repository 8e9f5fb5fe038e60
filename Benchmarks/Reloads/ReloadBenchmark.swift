// SPDX-License-Identifier: Apache-2.0
//
// Reloads and killed workers under load, and what clients lose by them: `make reloads`.
// One program plays every part, each in a process of its own.

import ArgumentParser
import BenchmarkSupport
import Glibc
import Sluice

/// The command line's root.
@main
struct ReloadBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reloads",
        abstract: "Reload and kill workers under load, and count what clients lose by it.",
        subcommands: [ConductCommand.self, WorkerCommand.self, ClientsCommand.self],
        defaultSubcommand: ConductCommand.self)
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
        let report: Report
        do {
            report = try Conductor(plan).run()
        } catch Fault.interrupted {
            throw ExitCode(130)
        } catch {
            Words.complain("\(error)")
            throw ExitCode(70)
        }
        print(json ? report.json : report.section)
        let missed = report.limits.filter(\.isMissed)
        for limit in missed { Words.complain("missed: \(limit.text)") }
        if !missed.isEmpty { throw ExitCode(99) }
    }
}

/// Why there is nothing to report.
enum Fault: Error, CustomStringConvertible {
    /// A signal has ended it.
    case interrupted
    /// Something did not happen in time.
    case late(String)
    /// Something has failed.
    case failed(String)

    var description: String {
        switch self {
        case .interrupted: "interrupted"
        case .late(let what): "not in time: \(what)"
        case .failed(let what): what
        }
    }
}

/// What is said to people.
enum Words {
    /// Writes a line to standard error.
    static func complain(_ line: String) {
        let bytes = Array("reloads: \(line)\n".utf8)
        // Where standard error is gone nobody can be told.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
