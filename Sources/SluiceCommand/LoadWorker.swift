// SPDX-License-Identifier: Apache-2.0
//
// One worker of a load, a process or a thread, seen from where it was started.

import Glibc
import Sluice
import SluiceLoad
import SluiceText

/// A worker: what it was told, and what it has reported.
final class LoadWorker {
    /// Which part of the load it carries.
    let share: Share
    /// How far it has come.
    private(set) var phase = LoadRun.Phase.idle
    /// What it has measured so far.
    private(set) var result = LoadResult()
    /// Whether its line has come to an end.
    private(set) var isGone = false
    /// Whether it has gone before its report.
    var isLost: Bool { isGone && phase != .ended }
    /// Called when the phase has changed, and when the worker is gone.
    var onChange: () -> Void = {}

    private let channel: Channel
    /// `nil` for one that is a thread of this process.
    private let process: WorkerProcess?

    /// Starts a worker in a process of its own.
    ///
    /// - Throws: ``SocketError`` when its process or its line can't be made.
    init(_ share: Share, arguments: [String], on reactor: Reactor) throws(SocketError) {
        self.share = share
        let pair = try Socket.makePair()
        let words = ["load-worker", "--share", "\(share)"] + arguments
        process = try WorkerProcess(arguments: words, input: pair.second)
        channel = try Channel(adopting: pair.first, on: reactor)
        listen()
    }

    /// Starts a worker on another thread's reactor.
    ///
    /// - Throws: ``SocketError`` when its line can't be made, or the other reactor has ended.
    init(
        _ share: Share, of workload: Workload, by worker: Reactor.Handle, on reactor: Reactor
    ) throws(SocketError) {
        self.share = share
        process = nil
        let pair = try Socket.makePair()
        channel = try Channel(adopting: pair.first, on: reactor)
        let line = Locked<Socket?>(pair.second)
        try worker.perform { there in
            var taken: Socket?
            line.withLock { swap(&taken, &$0) }
            guard let socket = taken.take() else { return }
            let channel = try Channel(adopting: socket, on: there)
            WorkerLoad(
                workload.share(share.index, of: share.count), toldBy: channel, on: there
            ).run()
        }
        listen()
    }

    private func listen() {
        LineReader.start(on: channel) { [unowned self] in self.heard($0) }
        channel.onClose { [unowned self] _, _ in
            self.isGone = true
            self.onChange()
        }
    }

    /// Tells the worker what to do; one that is gone is told nothing.
    func say(_ order: WorkerOrder) {
        // A worker that is gone is noticed by the end of its line.
        _ = try? channel.write(Array("\(order.rawValue)\n".utf8))
    }

    private func heard(_ line: String) {
        guard let phase = PhaseLine.phase(in: line) else {
            // A line that no result writes carries nothing that is missed.
            _ = result.read(line: line)
            return
        }
        self.phase = phase
        onChange()
    }
}
