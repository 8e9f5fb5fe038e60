// SPDX-License-Identifier: Apache-2.0
//
// `sluice load-worker`: a share of a load in a process of its own, which `sluice load` starts.
// Its standard input is a socket: orders come in, and phases and results go out.

import ArgumentParser
import Glibc
import Sluice
import SluiceLoad

/// The hidden `sluice load-worker`.
struct LoadWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load-worker", abstract: "Carry a share of a load.", shouldDisplay: false)

    @Option(help: "Which share, such as 0/4.")
    var share: Share

    @OptionGroup var options: LoadOptions

    func run() throws {
        try reportingFaults {
            // Whoever interrupts the load interrupts its first process, which tells the others.
            signal(SIGINT, SIG_IGN)
            signal(SIGTERM, SIG_IGN)
            DescriptorLimit.raise()
            let reactor = try Reactor()
            let line = try Socket(adoptingNumber: STDIN_FILENO)
            let channel = try Channel(adopting: line, on: reactor)
            let share = options.workload.share(share.index, of: share.count)
            WorkerLoad(share, toldBy: channel, on: reactor).run()
        }
    }
}
