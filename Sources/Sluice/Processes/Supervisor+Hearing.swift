// SPDX-License-Identifier: Apache-2.0
//
// What a supervisor hears of its workers, in their own words and by their ends, and what it tells
// of it.

internal import CSystemCalls

extension Supervisor {
    /// - Returns: whether it is a worker's.
    func heard(_ message: WorkerMessage, from processID: Int32) -> Bool {
        guard let number = numbers[processID], let worker = supervised[number] else { return false }
        if let status = message.status { worker.status = status }
        if let figures = message.figures { worker.figures = figures }
        let now = csystem_monotonic_nanoseconds()
        if message.isAlive { supervision.fed(number, at: now) }
        var steps: [Supervision.Step] = []
        // One that has ended since does not serve.
        if message.isReady, worker.process.isRunning {
            steps += supervision.ready(number, at: now)
        }
        if message.isStopping { steps += supervision.stopping(number, at: now) }
        take(steps)
        return true
    }

    func ended(_ number: Int, _ end: ProcessEnd) {
        // Its last words may not have been read yet.
        inbox.readAll()
        let last = report(on: number, as: .ended)
        guard let worker = supervised.removeValue(forKey: number), let last else { return }
        numbers[worker.process.processID] = nil
        worker.figures.connections = 0
        endedFigures.add(worker.figures)
        tell(.ended(last, end))
        take(
            supervision.ended(number, .process(end), at: csystem_monotonic_nanoseconds()))
    }

    func report(on number: Int, as state: WorkerReport.State? = nil) -> WorkerReport? {
        guard let worker = supervised[number], let life = supervision.workers[number] else {
            return nil
        }
        return WorkerReport(
            slot: life.slot, processID: worker.process.processID, state: state ?? life.told,
            generation: life.generation, restarts: supervision.places[life.slot].restarts,
            figures: worker.figures, status: worker.status)
    }

    func translate(_ notice: Supervision.Notice) {
        switch notice {
        case .ready(let number): tell(number) { .ready($0) }
        case .late(let number): tell(number) { .late($0) }
        case .silent(let number): tell(number) { .silent($0) }
        case .unwilling(let number): tell(number) { .unwilling($0) }
        case .restarting(let slot, let wait): tell(.restarting(slot: slot, after: wait))
        case .serving(let generation): tell(.serving(generation: generation))
        case .reloadWaits: tell(.reloadWaits)
        case .draining:
            // Who comes now is refused at once, when the workers let go as well.
            sockets.close()
            tell(.draining)
        }
    }

    private func tell(_ number: Int, _ event: (WorkerReport) -> SupervisorEvent) {
        if let report = report(on: number) { tell(event(report)) }
    }

    func tell(_ event: SupervisorEvent) {
        observer?(event)
        onEvent?(event)
    }
}
