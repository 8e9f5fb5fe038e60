// SPDX-License-Identifier: Apache-2.0
//
// What `sluice serve --processes` tells: where it listens when it serves, that it has reloaded, what
// goes wrong with the processes, and in a line of JSON what they do. Who does not read that must not
// hold up those who are looked after: what can't be written at once is left out.

import Glibc
import Sluice
import SluiceReport

/// Listens to a supervisor and tells of it.
final class ServeLog {
    private unowned let supervisor: Supervisor
    private var isListening = false
    private var isDraining = false

    /// Begins to listen.
    init(of supervisor: Supervisor) {
        self.supervisor = supervisor
        // The supervisor keeps this object by that, and not the other way round.
        supervisor.onEvent = { self.heard($0) }
    }

    private func heard(_ event: SupervisorEvent) {
        switch event {
        case .serving where !isListening:
            isListening = true
            for address in supervisor.addresses {
                StandardStreams.offer("listening on \(address)", to: STDOUT_FILENO)
            }
        case .serving(let generation): tell("reloaded: generation \(generation) serves")
        case .draining: isDraining = true
        // At the end it is no news that they go.
        case .ended(_, .exited(0)): break
        case .ended where isDraining: break
        case .reloadWaits: tell("a reload waits for the end of an earlier one")
        default:
            if let sentence = Self.sentence(for: event) { tell(sentence) }
        }
    }

    private func tell(_ sentence: String) {
        StandardStreams.offer("sluice: \(sentence)", to: STDERR_FILENO)
    }

    /// What goes wrong, in words; `nil` for what goes well.
    static func sentence(for event: SupervisorEvent) -> String? {
        switch event {
        case .startFailed(let slot, let reason): "process \(slot) could not be started: \(reason)"
        case .late(let worker): "\(name(of: worker)) was not ready in time"
        case .silent(let worker): "\(name(of: worker)) says no more that it is alive"
        case .unwilling(let worker): "\(name(of: worker)) did not end in time, and is killed"
        case .ended(let worker, let end): "\(name(of: worker)) \(words(for: end))"
        case .reloadFailed(_, let error):
            reason(for: error).map { "\($0); what served before goes on" }
        case .started, .ready, .restarting, .serving, .reloadWaits, .reloading, .draining,
            .finished:
            nil
        }
    }

    private static func reason(for error: ReloadError) -> String? {
        switch error {
        case .refused(let text): text
        case .startFailed(let slot, let reason): "process \(slot) could not be started: \(reason)"
        case .ended(let slot, let end): "process \(slot) \(words(for: end)) before it was ready"
        case .stopping(let slot): "process \(slot) came to its end before all were ready"
        case .late(let slot): "process \(slot) was not ready in time"
        case .draining, .notStarted: nil
        }
    }

    private static func words(for end: ProcessEnd) -> String {
        if case .killed = end { "was \(end)" } else { "\(end)" }
    }

    private static func name(of worker: WorkerReport) -> String {
        "process \(worker.slot)" + (worker.processID.map { " (\($0))" } ?? "")
    }
}

// MARK: - Reports

extension ServeLog {
    /// Tells what all processes do, in a line on standard error.
    func report() {
        let line = Self.line(
            generation: supervisor.generation, supervisor.workers, sum: supervisor.figures)
        StandardStreams.offer(line, to: STDERR_FILENO)
    }

    /// The line; without what each process does where that would not go out whole.
    static func line(
        generation: Int, _ workers: [WorkerReport], sum: WorkerFigures
    ) -> String {
        let line = text(generation, .array(workers.map(json)), sum)
        if line.utf8.count < StandardStreams.offeredByteCount { return line }
        return text(generation, .null, sum)
    }

    private static func text(
        _ generation: Int, _ processes: JSONValue, _ sum: WorkerFigures
    ) -> String {
        let first = [("generation", JSONValue.integer(generation)), ("processes", processes)]
        return "\(JSONValue.object(first + members(of: sum)))"
    }

    private static func json(of worker: WorkerReport) -> JSONValue {
        .object(
            [
                ("slot", .integer(worker.slot)),
                ("pid", worker.processID.map { .integer(Int($0)) } ?? .null),
                ("state", .string(worker.state.rawValue)),
                ("generation", .integer(worker.generation)),
                ("restarts", .integer(worker.restarts)),
            ] + members(of: worker.figures))
    }

    /// Only the reasons that there were.
    private static func json(of refusals: RefusalCounters) -> JSONValue {
        .object(
            RefusalReason.allCases.filter { refusals[$0] > 0 }
                .map { ($0.rawValue, .integer(Int(clamping: refusals[$0]))) })
    }

    private static func members(of figures: WorkerFigures) -> [(String, JSONValue)] {
        [
            ("connections", .integer(Int(clamping: figures.connections))),
            ("accepted", .integer(Int(clamping: figures.accepted))),
            ("refused", .integer(Int(clamping: figures.refused))),
            ("refusals", json(of: figures.refusals)),
            ("bytes_received", .integer(Int(clamping: figures.bytesReceived))),
            ("bytes_sent", .integer(Int(clamping: figures.bytesSent))),
        ]
    }
}
