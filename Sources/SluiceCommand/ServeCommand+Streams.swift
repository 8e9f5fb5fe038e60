// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve` in one process, with one thread or several: from the first client to the last.

import ArgumentParser
import Glibc
import Sluice

extension ServeCommand {
    /// Serves streams until a signal ends that.
    func serveStreams() throws {
        if processes.asProcess != nil { Self.becomeWorker() }
        let places = try places()
        let reactor = try Reactor()
        service.prepare()
        if workers == 1 {
            let server = try open(places, reactor)
            if let limit = bufferLimit(ofThread: 0) { reactor.bufferLimit = limit }
            report { notifier, interval in
                reactor.report([server], by: notifier, every: interval)
            }
            try serve(at: server.addresses, reactor) { stop in
                server.drain(within: drainLimit) { _ in stop() }
            }
        } else {
            let servers = try WorkerServers(
                count: workers, at: places, options: groupOptions, reactor)
            servers.serve(service, style, reactor)
            for (index, handle) in servers.handles.enumerated() {
                guard let limit = bufferLimit(ofThread: index) else { break }
                // Fails only where the reactor has ended.
                try? handle.perform { $0.bufferLimit = limit }
            }
            report { notifier, interval in
                servers.report(by: notifier, every: interval, reactor)
            }
            try serve(at: servers.addresses, reactor) { stop in servers.drain(stop) }
            servers.stop()
        }
    }

    /// Has one of several processes leave reloading to the first one, and take the program's name.
    ///
    /// A signal to all of them must not end it; and its name is not what it was started by.
    /// Source: `/proc/pid/comm`, proc(5).
    private static func becomeWorker() {
        signal(SIGHUP, SIG_IGN)
        guard let name = fopen("/proc/self/comm", "we") else { return }
        fputs("sluice", name)
        fclose(name)
    }

    /// Opens a server on the main thread's reactor.
    private func open(
        _ places: consuming ServePlaces, _ reactor: Reactor
    ) throws(SocketError) -> Server {
        reactor.onError = complain
        let options = serverOptions
        let serve = { [service, style] (channel: Channel, _: SocketAddress) throws -> Void in
            try service.serve(channel, style)
        }
        switch consume places {
        case .addresses(let addresses) where style == .async:
            return try Server(
                on: reactor, at: addresses, options: options, handler: service.handler)
        case .addresses(let addresses):
            return try Server(on: reactor, at: addresses, options: options, onAccept: serve)
        case .sockets(let sockets):
            if style == .async {
                return try Server(
                    on: reactor, adopting: sockets, options: options, handler: service.handler)
            }
            return try Server(on: reactor, adopting: sockets, options: options, onAccept: serve)
        }
    }

    /// Has a process that others look after tell what it does, where somebody wants to know.
    private func report(_ begin: (ServiceNotifier, Duration) -> Void) {
        guard processes.asProcess != nil, let interval = processes.report?.duration,
            let notifier = ServiceNotifier.fromEnvironment()
        else { return }
        // Twice as often as it is shown, so that what is shown is not old.
        begin(notifier, min(interval / 2, .seconds(1)))
    }

    /// Serves until a signal has it drain, and a second one end at once.
    ///
    /// One of several processes takes all signals as one: it may get that of a service manager or a
    /// terminal and then its supervisor's, which kills those that are to end at once.
    func serve(
        at addresses: [SocketAddress], _ reactor: Reactor,
        _ drain: @escaping (_ stop: @escaping () -> Void) -> Void
    ) throws(SocketError) {
        let notifier = ServiceNotifier.fromEnvironment()
        var signals = 0
        let end = {
            signals += 1
            if signals > 1 {
                if processes.asProcess == nil { reactor.stop() }
                return
            }
            tell(notifier, .stopping)
            drain { reactor.stop() }
        }
        let interrupt = try reactor.onSignal(.interrupt, end)
        let terminate = try reactor.onSignal(.terminate, end)
        // The first of several processes tells where they listen.
        if processes.asProcess == nil {
            for address in addresses { StandardStreams.say("listening on \(address)") }
        }
        if let notifier {
            Self.tellReady(NotifyLine(to: notifier), reactor, while: { signals == 0 })
        }
        let watchdog = notifier.flatMap { reactor.feedWatchdog(by: $0) }
        reactor.run()
        watchdog?.cancel()
        interrupt.end()
        terminate.end()
    }
}

extension ServeCommand {
    /// How long a service manager, or a supervisor, that had no room for a message is left alone.
    private static let pause = Duration.milliseconds(100)

    /// Tells that it serves, again until there is room for that.
    ///
    /// Who is not heard may be ended as one that was never ready. Nobody waits for it meanwhile.
    ///
    /// - Parameter isTrue: asked before each time; the end may begin before there is room.
    private static func tellReady(
        _ line: NotifyLine, _ reactor: Reactor, while isTrue: @escaping () -> Bool
    ) {
        guard isTrue() else { return }
        do throws(SocketError) {
            if try line.tell([.ready]) { return }
            reactor.after(pause) { tellReady(line, reactor, while: isTrue) }
        } catch {
            StandardStreams.complain("\(error)")
        }
    }
}

/// Tells a service manager something; one that can't be reached is told of and holds up nobody.
private func tell(_ notifier: ServiceNotifier?, _ state: ServiceState) {
    do throws(SocketError) {
        try notifier?.notify(state)
    } catch {
        StandardStreams.complain("\(error)")
    }
}
