// SPDX-License-Identifier: Apache-2.0
//
// The command `sluice`: a server to try, a load to put on it, and a person's connection.
// Every part keeps its exit statuses: 0 well, 64 wrong usage, 69 no connection, 70 our own fault.

import ArgumentParser
import Glibc

/// The command line's root.
@main
struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "A server, a load and a connection, on the Sluice networking library.",
        subcommands: [
            ServeCommand.self, LoadCommand.self, LoadWorkerCommand.self, ConnectCommand.self,
        ])

    static func main() {
        StandardStreams.openClosed()
        // A reader of our output that goes away is an error of the write, not the end of the
        // process.
        signal(SIGPIPE, SIG_IGN)
        main(nil)
    }
}
