// SPDX-License-Identifier: Apache-2.0
//
// The servers of `sluice serve --workers`: one on each of several threads, for the same clients.

import Sluice
import SluiceText

/// A group of servers, seen from the main thread's reactor.
final class WorkerServers {
    private let group: ReactorGroup
    private let server: ServerGroup
    private var completion: () -> Void = {}

    /// Where they listen.
    var addresses: [SocketAddress] { server.addresses }
    /// The threads' reactors.
    var handles: [Reactor.Handle] { group.handles }

    /// Opens them.
    init(
        count: Int, at places: consuming ServePlaces, options: ServingOptions, _ main: Reactor
    ) throws(SocketError) {
        group = try ReactorGroup(count: count)
        let opened = Locked<Result<ServerGroup, SocketError>?>(nil)
        let given = Given(places)
        Task(executorPreference: main.executor) { [group] in
            let result = await given.open(on: group, options)
            opened.withLock { $0 = result }
        }
        main.run(until: { opened.withLock { $0 != nil } })
        server = try opened.withLock { $0 ?? .failure(SocketError(.listen, .cancelled)) }.get()
    }

    /// Places on their way into a task, which can't take what has one owner by itself.
    private final class Given: Sendable {
        private let places: Locked<ServePlaces?>

        init(_ places: consuming ServePlaces) { self.places = Locked(places) }

        func open(
            on group: ReactorGroup, _ options: ServingOptions
        ) async -> Result<ServerGroup, SocketError> {
            do throws(SocketError) {
                switch take() {
                case .none: throw SocketError(.listen, .cancelled)
                case .some(.addresses(let addresses)):
                    return .success(
                        try await ServerGroup(on: group, at: addresses, options: options))
                case .some(.sockets(let sockets)):
                    return .success(
                        try await ServerGroup(on: group, adopting: sockets, options: options))
                }
            } catch {
                return .failure(error)
            }
        }

        private func take() -> ServePlaces? {
            places.withLock { places in
                var taken: ServePlaces?
                swap(&taken, &places)
                return taken
            }
        }
    }

    /// Begins to serve, in the background.
    func serve(_ service: SimpleService, _ style: ServeStyle, _ main: Reactor) {
        for handle in group.handles {
            // Fails only where the reactor has ended.
            try? handle.perform { $0.onError = complain }
        }
        let done = main.reference(to: self)
        Task(executorPreference: main.executor) { [server] in
            // Fails only for a second run.
            switch style {
            case .async: try? await server.run(service.handler)
            case .callback, .lines:
                try? await server.run(onAccept: { channel, _ in try service.serve(channel, style) })
            }
            try? done.perform { $0.completion() }
        }
    }

    /// Drains all of them; `completion` runs on the main thread.
    func drain(_ completion: @escaping () -> Void) {
        self.completion = completion
        server.close()
    }

    /// Ends the threads.
    func stop() { group.stopAndWait() }
}

// MARK: - Figures

extension WorkerServers {
    /// Tells again and again what all of them have done together.
    func report(by notifier: ServiceNotifier, every interval: Duration, _ main: Reactor) {
        let parts = handles.map { handle in
            let part = Locked(WorkerFigures())
            // Fails only where the reactor has ended.
            try? handle.perform { Self.keep(part, upToDate: $0, every: interval) }
            return part
        }
        let line = NotifyLine(to: notifier)
        main.every(interval) {
            var sum = WorkerFigures()
            for part in parts { sum.add(part.withLock { $0 }) }
            // Where there is no room for it now, the next one has all of it.
            _ = try line.tell([.figures(sum)])
        }
    }

    /// Notes on a thread what its reactor does.
    private static func keep(
        _ part: Locked<WorkerFigures>, upToDate reactor: Reactor, every interval: Duration
    ) {
        var accepted: UInt64 = 0
        var refusals = RefusalCounters()
        reactor.observe { observation in
            switch observation {
            case .accepted: accepted += 1
            case .refused(_, let reason): refusals[reason] += 1
            default: break
            }
        }
        // The reactor keeps its timers, which must not keep it.
        reactor.every(interval) { [unowned reactor] in
            var figures = WorkerFigures(of: reactor, [])
            figures.connections = UInt64(clamping: reactor.counters.channelCount)
            (figures.accepted, figures.refused) = (accepted, refusals.sum)
            figures.refusals = refusals
            part.withLock { $0 = figures }
        }
    }
}
