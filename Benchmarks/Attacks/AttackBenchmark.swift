// SPDX-License-Identifier: Apache-2.0
//
// A server that is attacked, and how its honest clients fare meanwhile: `make attacks`.
// One program plays every part, each in a process of its own.

import ArgumentParser
import BenchmarkSupport
import SluiceReport

/// The command line's root.
@main
struct AttackBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attacks",
        abstract: "Attack a server, and measure what its honest clients notice of it.",
        subcommands: [
            ConductCommand.self, ServerCommand.self, ClientsCommand.self, AttackersCommand.self,
        ],
        defaultSubcommand: ConductCommand.self)
}

extension Words {
    /// The benchmark's.
    static let own = Words(of: "attacks")
}

/// Starts the others, and reports.
struct ConductCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conduct", abstract: "Run all attacks, one after the other.",
        usage: "Scripts/attacks.sh [<options>]",
        discussion: """
            Prints a section of Benchmarks/RESULTS.md. Exit status: 0 well; 70 a fault of our own; \
            99 the honest clients noticed more than they may, an attack was not what it is meant \
            to be, or memory is over its bound.
            """)

    @Flag(help: "Some hundreds of connections, a second each; only faults count.")
    var small = false

    @Flag(help: "Print one JSON object in place of the section.")
    var json = false

    @Option(help: "How often each attack is made. (default: 3; with --small 1)")
    var rounds: Int?

    @Option(help: "Only the attacks with this text in their names, such as 'loris'.")
    var only: String?

    func validate() throws {
        if let rounds, !(1...100).contains(rounds) {
            throw ValidationError("--rounds is 1 to 100")
        }
        if attacks.isEmpty {
            let names = Attack.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--only wants a part of one of these names: \(names)")
        }
    }

    func run() throws {
        do {
            var plan = small ? Plan.small : Plan.full
            plan.rounds = rounds ?? plan.rounds
            // What conducts the attacks stays off the server's core.
            if !plan.cores.isEmpty { Cores.keepThisThread(on: 1) }
            let conductor = Conductor(plan, try Reactors.make())
            let report = Report(plan: plan, outcomes: try conductor.run(attacks))
            Words.own.say(json ? report.json.description : report.section)
            for sentence in report.missed { Words.own.complain(sentence) }
            if !small, !report.missed.isEmpty { throw ExitCode(99) }
        } catch let code as ExitCode {
            throw code
        } catch {
            Words.own.complain("\(error)")
            throw ExitCode(70)
        }
    }

    private var attacks: [Attack] {
        Attack.allCases.filter { attack in only.map { attack.rawValue.contains($0) } ?? true }
    }
}
