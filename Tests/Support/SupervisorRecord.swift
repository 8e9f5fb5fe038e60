// SPDX-License-Identifier: Apache-2.0
//
// What a supervisor has told, in order.

public import Sluice
import Testing

/// The events of a supervisor.
public final class SupervisorRecord {
    /// All events, in order.
    public private(set) var events: [SupervisorEvent] = []

    /// Records what `supervisor` tells from now on.
    public init(of supervisor: Supervisor) {
        supervisor.onEvent = { [weak self] in self?.events.append($0) }
    }

    /// Whether this was told.
    public func has(_ event: SupervisorEvent) -> Bool { events.contains(event) }

    /// The processes that have ended, and how.
    public var ends: [(process: Int32, end: ProcessEnd)] {
        events.compactMap { event in
            guard case .ended(let report, let end) = event, let process = report.processID else {
                return nil
            }
            return (process, end)
        }
    }

    /// The waits before restarts.
    public var waits: [Duration] {
        events.compactMap { if case .restarting(_, let wait) = $0 { wait } else { nil } }
    }
}

extension Supervisor {
    /// The processes of its workers.
    public var processes: Set<Int32> { Set(workers.compactMap(\.processID)) }

    /// Whether all of its places have a worker that is ready, and no other is left.
    public func isWhole(_ count: Int) -> Bool {
        workers.count == count && workers.allSatisfy { $0.state == .ready }
    }
}

extension Reactor {
    /// A supervisor that is not started, of workers in Python unless said otherwise.
    public func supervisor(
        _ count: Int = 2, at addresses: [SocketAddress] = [.loopback(port: 0)],
        _ edit: (inout SupervisorOptions) -> Void = { _ in },
        launch: @escaping (Int) throws -> ProcessLaunch = { _ in PythonWorker.launch() }
    ) throws -> Supervisor {
        var options = SupervisorOptions()
        options.workerCount = count
        edit(&options)
        return try Supervisor(on: self, at: addresses, options: options, launch: launch)
    }

    /// Starts a supervisor, and waits until all of its workers are ready.
    public func start(_ supervisor: Supervisor, _ count: Int = 2) {
        supervisor.start()
        expect("all workers are ready") { supervisor.isWhole(count) }
    }
}
