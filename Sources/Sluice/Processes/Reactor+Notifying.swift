// SPDX-License-Identifier: Apache-2.0
//
// What a reactor tells a service manager or a supervisor again and again: that it is alive, and its
// figures.

extension Reactor {
    /// Tells that this reactor still turns, now and each time half of
    /// ``ServiceNotifier/watchdogInterval`` has passed; nothing where nobody wants to hear it.
    ///
    /// It has one descriptor, opened now, and never waits: where who is told has no room it tries
    /// again after a tenth of the time. What goes wrong is told to ``onError``, and it goes on.
    ///
    /// - Returns: the timer; `nil` where nobody wants to hear it.
    @discardableResult
    public func feedWatchdog(by notifier: ServiceNotifier) -> Timer? {
        guard let interval = notifier.watchdogInterval else { return nil }
        let notice = SteadyNotice(on: self, by: notifier, every: interval / 2) { _ in .watchdog }
        return notice.begin(on: self)
    }

    /// Tells what `servers` and the channels of this reactor have done: now, each time `interval`
    /// has passed, and when a drain of one of `servers` has ended.
    ///
    /// For a worker whose supervisor adds it up. It has one descriptor, opened now, and never
    /// waits: where who is told has no room it tries again after a tenth of the time. What goes
    /// wrong is told to ``onError``, and it goes on. An interval below 1 ms counts as 1 ms. The end
    /// of a server's drain is told by the last call that names the server.
    @discardableResult
    public func report(
        _ servers: [Server], by notifier: ServiceNotifier, every interval: Duration
    ) -> Timer {
        let notice = SteadyNotice(on: self, by: notifier, every: interval) { reactor in
            .figures(WorkerFigures(of: reactor, servers))
        }
        for server in servers { server.onDrained = { [weak notice] in notice?.send() } }
        return notice.begin(on: self)
    }
}

/// Something that is told again and again; its timer keeps it.
private final class SteadyNotice {
    private let link: ReactorLink
    private let line: NotifyLine
    private let interval: Duration
    private let state: (Reactor) -> ServiceState
    private var retry: Timer?

    init(
        on reactor: Reactor, by notifier: ServiceNotifier, every interval: Duration,
        _ state: @escaping (Reactor) -> ServiceState
    ) {
        link = reactor.link
        line = NotifyLine(to: notifier)
        self.interval = max(interval, .milliseconds(1))
        self.state = state
    }

    /// Tells it now, and from now on.
    func begin(on reactor: Reactor) -> Timer {
        send()
        return reactor.every(interval) { self.send() }
    }

    func send() {
        guard let reactor = link.reactor else { return }
        retry?.cancel()
        retry = nil
        _ = reactor.attempt {
            if try line.tell([state(reactor)]) { return }
            let wait = max(interval / 10, .milliseconds(1))
            retry = reactor.after(wait) { [weak self] in self?.send() }
        }
    }
}
