// SPDX-License-Identifier: Apache-2.0
//
// `sluice load`: puts a load on a server and reports what it measured.

import ArgumentParser
import Sluice
import SluiceLoad

/// `sluice load`.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Put a load on an echo server and report rates, latencies and errors.",
        discussion: """
            Times are 500us, 20ms, 10s, 2m or 1h; a bare number is seconds.

            With udp:// each connection is a socket, and each request a datagram with a number at \
            its front, by which its answer is known. A request that is not answered within \
            --datagram-timeout is an error, `lost` or what the network has said, and another one \
            takes its place; answers that come later, or twice, are passed over.

            Exit status: 0 well, 69 no connection, all of them lost or no request answered, 99 a \
            threshold missed, 130 interrupted after the report.
            """)

    @OptionGroup var options: LoadOptions

    func run() throws {
        try reportingFaults {
            DescriptorLimit.raise()
            let reactor = try Reactor()
            try LoadSession(options, on: reactor, engine: engine(on: reactor)).run()
        }
    }

    private func engine(on reactor: Reactor) throws -> any LoadEngine {
        if options.workers > 1 {
            return try WorkerGroup(threads: options.workers, of: options.workload, on: reactor)
        }
        if options.processes == 1 { return LoadRun(options.workload, on: reactor) }
        // After the program's name and `load` come the options, which the workers read as well.
        let arguments = Array(CommandLine.arguments.dropFirst(2))
        return try WorkerGroup(processes: options.processes, arguments: arguments, on: reactor)
    }
}
