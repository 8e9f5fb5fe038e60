// SPDX-License-Identifier: Apache-2.0
//
// A share of a load where it is carried: orders come in over a channel, and phases and results go out.

import Sluice
import SluiceLoad

/// A load that is told what to do by a channel; the channel's end is the load's.
final class WorkerLoad {
    private let load: LoadRun
    private let channel: Channel
    private let reactor: Reactor
    private var ticking: Timer?
    private var isReleased = false

    /// Begins to listen.
    init(_ workload: Workload, toldBy channel: Channel, on reactor: Reactor) {
        load = LoadRun(workload, on: reactor)
        self.channel = channel
        self.reactor = reactor
        // The channel's handlers keep this object until they have told of the channel's end.
        LineReader.start(on: channel) { line in self.heard(line) }
        channel.onClose { _, _ in
            self.isReleased = true
            self.load.close()
        }
        load.onPhase = { [unowned self] phase in report(entering: phase) }
        ticking = reactor.every(.seconds(1)) { [unowned self] in report() }
    }

    /// Drives the reactor until the channel says that all is over, or has ended.
    func run() {
        load.run()
        ticking?.cancel()
        reactor.run(until: { isReleased })
        load.close()
        channel.close()
    }

    private func heard(_ line: String) {
        switch WorkerOrder(rawValue: line) {
        case .connect: load.connect()
        case .begin: load.begin()
        case .stop: load.stop()
        case .close: isReleased = true
        case nil: break
        }
    }

    /// Sends the counts and, at the end, the latencies, which are many.
    private func report(entering phase: LoadRun.Phase? = nil) {
        var lines = load.result.lines
        if phase != .ended { lines.removeLast() }
        if let phase { lines.append(PhaseLine.line(phase)) }
        let text = lines.map { $0 + "\n" }.joined()
        // Where nobody listens any more the channel's end is what counts.
        _ = try? channel.write(Array(text.utf8))
    }
}
