// SPDX-License-Identifier: Apache-2.0
//
// A whole supervising process in one call: signals in, messages to the service manager out.

extension Supervisor {
    /// Supervises until the end, and gives the status for exit(3).
    ///
    /// It starts the workers; a signal of `reload` starts a new generation; one of `drain` has all
    /// workers end, and a second one kills them; ``SupervisorOptions/forwarded`` go to the workers.
    /// `notifier` is told when the first generation is ready, of reloads, of the end, and, where it
    /// wants to hear it, that this process is alive. Events are told all the while. Where the
    /// reactor is stopped before, all workers are killed.
    ///
    /// - Returns: ``SupervisorResult/exitStatus``.
    /// - Throws: ``SocketError``, as ``Reactor/onSignal(_:_:)``; nothing was started then.
    @available(
        *, noasync, message: "it blocks the thread: tasks run on a reactor that runs elsewhere"
    )
    public func run(
        reloadingOn reload: [Signal] = [.hangUp],
        drainingOn drain: [Signal] = [.interrupt, .terminate],
        telling notifier: ServiceNotifier? = .fromEnvironment()
    ) throws(SocketError) -> CInt {
        guard let reactor = link.reactor else { throw SocketError(.watch, .cancelled) }
        let watches = try watch(reload, drain)
        defer { for watch in watches { watch.end() } }
        observer = notifier.map { notifier in { [weak self] in self?.tell($0, to: notifier) } }
        defer { observer = nil }
        let feeding = notifier.flatMap { reactor.feedWatchdog(by: $0) }
        defer { feeding?.cancel() }
        start()
        if !reactor.run(until: { result != nil }) {
            endAtOnce()
            // Inside a run that is stopped as well this one ends at once.
            if !reactor.run(until: { result != nil }) { awaitEnds() }
        }
        return result?.exitStatus ?? 130
    }

    private func watch(
        _ reload: [Signal], _ drain: [Signal]
    ) throws(SocketError) -> [SignalAction] {
        var actions: [Signal: (Supervisor) -> Void] = [:]
        for signal in options.forwarded { actions[signal] = { $0.signal(signal) } }
        for signal in reload { actions[signal] = { $0.reload() } }
        for signal in drain { actions[signal] = { $0.endsSoon ? $0.endAtOnce() : $0.drain() } }
        var watches: [SignalAction] = []
        do throws(SocketError) {
            for (signal, action) in actions {
                let watch = try link.reactor?.watch(signal) { [weak self] in
                    if let self { action(self) }
                }
                if let watch { watches.append(watch) }
            }
        } catch {
            for watch in watches { watch.end() }
            throw error
        }
        return watches
    }

    /// Tells a service manager what concerns it.
    private func tell(_ event: SupervisorEvent, to notifier: ServiceNotifier) {
        let states: [ServiceState]
        switch event {
        case .serving(let generation):
            states = [.ready, .status("generation \(generation) serves")]
        // Before a generation serves there is nothing that it could be ready with again.
        case .reloading where supervision.hasServed: states = [.reloading]
        // It is as ready as it was.
        case .reloadFailed(_, .draining): return
        case .reloadFailed(_, let error):
            let status = ServiceState.status("reload failed: \(error)")
            states = supervision.hasServed ? [.ready, status] : [status]
        case .draining: states = [.stopping]
        default: return
        }
        _ = link.reactor?.attempt { try notifier.notify(states) }
    }
}
