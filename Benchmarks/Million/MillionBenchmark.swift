// SPDX-License-Identifier: Apache-2.0
//
// The million benchmark: one program with three roles. The one that is run conducts; it starts the
// servers and the clients, which are this program again.

import ArgumentParser
import BenchmarkSupport
import Glibc

/// The command line's root.
@main
struct MillionBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "million",
        abstract: "Holds very many connections at once, and measures what they cost.",
        subcommands: [RunCommand.self, ServerCommand.self, ClientCommand.self],
        defaultSubcommand: RunCommand.self)

    static func main() {
        // A reader of our output that goes away is an error of the write, not the end of the
        // process.
        signal(SIGPIPE, SIG_IGN)
        main(nil)
    }
}

extension Words {
    /// The benchmark's.
    static let own = Words(of: "million")
}
