// SPDX-License-Identifier: Apache-2.0
//
// Measures Sluice and its peers side by side and writes what came of it.
// Every contestant is measured in every round, so a machine that drifts drifts for all of them.

import Foundation

@main
struct Compare {
    static func main() throws {
        let arguments = try Arguments(CommandLine.arguments.dropFirst())
        let scenarios = try arguments.scenarios()
        var results = Results()
        for round in 1...arguments.rounds {
            for scenario in scenarios {
                for contestant in scenario.contestants {
                    Progress.write(
                        "round \(round)/\(arguments.rounds), \(scenario.name), \(contestant.name)")
                    let report = try Measurement.run(scenario, contestant, arguments)
                    results.add(report, scenario, contestant)
                }
            }
        }
        if arguments.only == nil {
            try writePage(results, arguments)
        } else {
            Progress.end()
            let page = Page(
                results: results, arguments: arguments, memory: [], lines: "", states: "")
            print(page.excerpt(scenarios))
        }
        let missed = Budget.all.filter { $0.isMissed(in: results) == true }
        for budget in missed { print("missed: \(budget.text)") }
    }

    private static func writePage(_ results: Results, _ arguments: Arguments) throws {
        let memory = try MemoryCycle.all(arguments)
        Progress.write("lines")
        let lines = try Measurement.output(of: "count-lines")
        Progress.write("states")
        let states = try Measurement.output(of: "connection-states")
        Progress.end()
        let page = Page(
            results: results, arguments: arguments, memory: memory, lines: lines, states: states,
            kept: KeptSections.text(ofPageAt: arguments.output))
        try page.text().write(to: arguments.output, atomically: true, encoding: .utf8)
        print("wrote \(arguments.output.path)")
    }
}

/// What the command line says.
struct Arguments {
    var sluice = URL(fileURLWithPath: ".build/release/sluice")
    var output = URL(fileURLWithPath: "Benchmarks/RESULTS.md")
    var rounds = 3
    var seconds = 4
    /// A part of the names of the only scenarios to measure; their tables are printed, and the page
    /// stays as it is.
    var only: String?

    init(_ words: ArraySlice<String>) throws {
        var words = words
        while let name = words.popFirst() {
            guard let value = words.popFirst() else { throw Failure("\(name) wants a value") }
            switch name {
            case "--sluice": sluice = URL(fileURLWithPath: value)
            case "--output": output = URL(fileURLWithPath: value)
            case "--rounds": rounds = try Self.number(value, name)
            case "--only": only = value
            case "--seconds": seconds = try Self.number(value, name)
            default: throw Failure("unknown option \(name)")
            }
        }
    }

    /// What is to be measured, which is one scenario or more.
    func scenarios() throws -> [Scenario] {
        let all = Scenario.all(seconds: seconds)
        guard let only else { return all }
        let chosen = all.filter { $0.name.contains(only) }
        guard !chosen.isEmpty else {
            let names = all.map(\.name).joined(separator: "; ")
            throw Failure("--only wants a part of one of these names: \(names)")
        }
        return chosen
    }

    private static func number(_ text: String, _ name: String) throws -> Int {
        guard let value = Int(text), (1...100).contains(value) else {
            throw Failure("\(name) wants a number from 1 to 100")
        }
        return value
    }
}

/// Why the comparison could not be made.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One line on a terminal that says what is being measured.
enum Progress {
    static func write(_ text: String) {
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    static func end() { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
}
