// SPDX-License-Identifier: Apache-2.0
//
// A load that several workers share, processes or threads: they get ready apart, start together, and report. A
// worker that goes away early is a fault of the load and never a reason to wait: the others go on.

import Sluice
import SluiceLoad

/// The workers of a load.
final class WorkerGroup: LoadEngine {
    var onPhase: (LoadRun.Phase) -> Void = { _ in }
    private(set) var fault: String?

    private let reactor: Reactor
    private var workers: [LoadWorker] = []
    /// On which the workers are that are threads.
    private var threads: ReactorGroup?
    private var phase = LoadRun.Phase.idle

    /// How long workers may take to exit before they are ended.
    private static let patience = Duration.seconds(2)

    /// What all workers have measured so far.
    var result: LoadResult {
        var sum = LoadResult()
        for worker in workers { sum.add(worker.result) }
        sum.isCutShort = workers.allSatisfy(\.result.isCutShort)
        let lost = workers.count(where: \.isLost)
        if lost > 0 { sum.errors[.workerLost] = lost }
        return sum
    }

    /// Starts worker processes.
    ///
    /// - Parameter arguments: what each worker gets on its command line after its share.
    /// - Throws: ``SocketError`` when a process or its line can't be made.
    init(processes count: Int, arguments: [String], on reactor: Reactor) throws(SocketError) {
        self.reactor = reactor
        for index in 0..<count {
            let share = Share(index: index, count: count)
            add(try LoadWorker(share, arguments: arguments, on: reactor))
        }
    }

    /// Starts worker threads.
    ///
    /// - Throws: ``SocketError`` when a thread or its line can't be made.
    init(threads count: Int, of workload: Workload, on reactor: Reactor) throws(SocketError) {
        self.reactor = reactor
        let threads = try ReactorGroup(count: count)
        self.threads = threads
        for (index, handle) in threads.handles.enumerated() {
            let share = Share(index: index, count: count)
            add(try LoadWorker(share, of: workload, by: handle, on: reactor))
        }
    }

    private func add(_ worker: LoadWorker) {
        worker.onChange = { [unowned self] in self.workersChanged() }
        workers.append(worker)
    }

    func connect() {
        enter(.connecting)
        tellAll(.connect)
    }

    func begin() { tellAll(.begin) }

    func stop() { tellAll(.stop) }

    func run() {
        reactor.run(until: { phase == .ended })
    }

    func close() {
        tellAll(.close)
        var isLate = false
        let timer = reactor.after(Self.patience) { isLate = true }
        reactor.run(until: { isLate || workers.allSatisfy(\.isGone) })
        timer.cancel()
    }

    private func tellAll(_ order: WorkerOrder) {
        for worker in workers { worker.say(order) }
    }
}

extension LoadErrorKind {
    /// A worker process has gone before its report.
    static let workerLost = Self(rawValue: "worker lost")
}

// MARK: - The phases

extension WorkerGroup {
    /// The group is as far as its slowest worker; those that have ended already hold nobody up.
    private func workersChanged() {
        guard phase != .ended else { return }
        if let lost = workers.first(where: \.isLost) {
            fault = "worker \(lost.share) has ended early"
        }
        let working = workers.filter { !$0.isGone && $0.phase != .ended }
        guard let slowest = working.map(\.phase.rawValue).min() else { return end() }
        while phase.rawValue < slowest, let next = LoadRun.Phase(rawValue: phase.rawValue + 1) {
            enter(next)
        }
    }

    /// All workers have ended; whoever samples the end of the measuring is told of it first.
    private func end() {
        if phase == .measuring { enter(.settling) }
        enter(.ended)
    }

    private func enter(_ next: LoadRun.Phase) {
        phase = next
        onPhase(next)
    }
}
