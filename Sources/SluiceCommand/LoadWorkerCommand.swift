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
    var share: LoadShare

    @OptionGroup var options: LoadOptions

    func run() throws {
        try reportingFaults {
            // Whoever interrupts the load interrupts its first process, which tells the others.
            signal(SIGINT, SIG_IGN)
            signal(SIGTERM, SIG_IGN)
            DescriptorLimit.raise()
            let reactor = try Reactor()
            let line = Socket(adopting: Descriptor(adopting: STDIN_FILENO))
            let channel = try Channel(adopting: line, on: reactor)
            let load = LoadRun(options.workload.share(share.index, of: share.count), on: reactor)
            run(load, toldBy: channel, on: reactor)
        }
    }

    private func run(_ load: LoadRun, toldBy channel: Channel, on reactor: Reactor) {
        var isReleased = false
        LineReader.start(on: channel) { line in
            switch WorkerOrder(rawValue: line) {
            case .connect: load.connect()
            case .begin: load.begin()
            case .stop: load.stop()
            case .close: isReleased = true
            case nil: break
            }
        }
        channel.onClose { _, _ in
            isReleased = true
            load.close()
        }
        load.onPhase = { phase in report(load, to: channel, entering: phase) }
        let ticking = reactor.every(.seconds(1)) { report(load, to: channel) }
        load.run()
        ticking.cancel()
        reactor.run(until: { isReleased })
        load.close()
        channel.close()
    }

    /// Sends the counts and, at the end, the latencies, which are many.
    private func report(_ load: LoadRun, to channel: Channel, entering phase: LoadRun.Phase? = nil)
    {
        var lines = load.result.lines
        if phase != .ended { lines.removeLast() }
        if let phase { lines.append(PhaseLine.line(phase)) }
        let text = lines.map { $0 + "\n" }.joined()
        // Where nobody listens any more the channel's end is what counts.
        _ = try? channel.write(Array(text.utf8))
    }
}
