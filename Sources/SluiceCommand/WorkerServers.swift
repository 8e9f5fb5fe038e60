// SPDX-License-Identifier: Apache-2.0
//
// The servers of `sluice serve --workers`: one on each of several threads, for the same clients.

import Sluice
import SluiceText

/// A group of servers, seen from the main thread's reactor.
final class WorkerServers {
    private let group: ReactorGroup
    private let server: ServerGroup
    /// The main thread's, which runs for as long as this is used.
    private unowned let main: Reactor
    private var completion: () -> Void = {}
    /// What each thread has done; nothing where nobody wants to know.
    private var parts: [Locked<WorkerFigures>] = []
    private var line: NotifyLine?
    /// How many threads have yet to note, at the end, what they have done.
    private var leftCount = 0

    /// Where they listen.
    var addresses: [SocketAddress] { server.addresses }
    /// The threads' reactors.
    var handles: [Reactor.Handle] { group.handles }

    /// Opens them.
    init(
        count: Int, at places: consuming ServePlaces, options: ServingOptions, _ main: Reactor
    ) throws(SocketError) {
        self.main = main
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
            try? done.perform { $0.ended(done) }
        }
    }

    /// Drains all of them; `completion` runs on the main thread, when what they have done is told.
    func drain(_ completion: @escaping () -> Void) {
        self.completion = completion
        server.close()
    }

    /// Ends the threads.
    func stop() { group.stopAndWait() }
}

// MARK: - Figures

extension WorkerServers {
    /// Tells again and again, and at the end of a drain, what all of them have done together.
    func report(by notifier: ServiceNotifier, every interval: Duration, _ main: Reactor) {
        parts = handles.map { handle in
            let part = Locked(WorkerFigures())
            // Fails only where the reactor has ended.
            try? handle.perform { Self.keep(part, upToDate: $0, every: interval) }
            return part
        }
        line = NotifyLine(to: notifier)
        // Where there is no room for it now, the next one has all of it.
        main.every(interval) { [unowned self] in _ = try tellSum() }
    }

    /// - Returns: whether there was room for it.
    private func tellSum() throws(SocketError) -> Bool {
        var sum = WorkerFigures()
        for part in parts { sum.add(part.withLock { $0 }) }
        return try line?.tell([.figures(sum)]) ?? true
    }

    /// The last client has gone: the threads note what they have done since they noted it last.
    private func ended(_ main: Reactor.Reference<WorkerServers>) {
        leftCount = parts.count
        if parts.isEmpty { return completion() }
        for (handle, part) in zip(handles, parts) {
            do throws(SocketError) {
                try handle.perform { reactor in
                    Self.note(reactor, in: part)
                    try main.perform { $0.noted() }
                }
            } catch {
                // Its reactor has ended.
                noted()
            }
        }
    }

    private func noted() {
        leftCount -= 1
        if leftCount == 0 { tellLast(attempts: 50) }
    }

    /// After it there is no next one: where many workers end at once the room is waited for.
    private func tellLast(attempts: Int) {
        do throws(SocketError) {
            let isTold = try tellSum()
            if !isTold, attempts > 1 {
                main.after(.milliseconds(10)) { self.tellLast(attempts: attempts - 1) }
                return
            }
        } catch {
            complain(error, nil)
        }
        completion()
    }

    /// Notes on a thread what its reactor does: who comes, as it happens, and the rest from time to
    /// time.
    private static func keep(
        _ part: Locked<WorkerFigures>, upToDate reactor: Reactor, every interval: Duration
    ) {
        reactor.observe { observation in
            switch observation {
            case .accepted: part.withLock { $0.accepted += 1 }
            case .refused(_, let reason):
                part.withLock {
                    $0.refused += 1
                    $0.refusals[reason] += 1
                }
            default: break
            }
        }
        // The reactor keeps its timers, which must not keep it.
        reactor.every(interval) { [unowned reactor] in note(reactor, in: part) }
    }

    /// Notes how much a reactor has to do, and has done.
    private static func note(_ reactor: Reactor, in part: Locked<WorkerFigures>) {
        let counters = reactor.counters
        part.withLock { figures in
            figures.connections = UInt64(clamping: counters.channelCount)
            figures.bytesReceived = counters.bytesReceived
            figures.bytesSent = counters.bytesSent
        }
    }
}
