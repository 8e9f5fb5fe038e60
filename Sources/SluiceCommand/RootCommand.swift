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
        abstract: "Servers, loads, connections, files and names, on the Sluice networking library.",
        discussion: """
            `serve` and `load` measure a network and what stands in it; `connect` is for a person \
            to talk through, `send` and `receive` bring a file over and show that it is the same, \
            and `resolve` tells what names stand for.
            """,
        subcommands: [
            ServeCommand.self, LoadCommand.self, LoadWorkerCommand.self, ConnectCommand.self,
            SendCommand.self, ReceiveCommand.self, ResolveCommand.self,
        ])

    static func main() {
        StandardStreams.openClosed()
        // A reader of our output that goes away is an error of the write, not the end of the
        // process.
        signal(SIGPIPE, SIG_IGN)
        main(nil)
    }
}
