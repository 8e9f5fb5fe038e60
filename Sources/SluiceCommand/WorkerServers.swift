// SPDX-License-Identifier: Apache-2.0
//
// The servers of `sluice serve --workers`: one on each of several threads, at the same addresses.

import Sluice
import SluiceText

/// A server on each reactor of a group, seen from the main thread's reactor.
final class WorkerServers {
    private let group: ReactorGroup
    private let main: Reactor
    private var servers: [Reactor.Reference<Server>] = []
    /// Where they listen.
    private(set) var addresses: [SocketAddress] = []

    /// Opens them; a port that the kernel chose for the first is everybody's.
    ///
    /// - Parameter open: makes one server, on its reactor's thread.
    init(
        count: Int, at addresses: [SocketAddress], _ main: Reactor,
        _ open: @escaping @Sendable (Reactor, [SocketAddress]) throws(SocketError) -> Server
    ) throws(SocketError) {
        group = try ReactorGroup(count: count)
        self.main = main
        var places = addresses
        for handle in group.handles {
            let opened = try Self.ask(handle, main) { [places] reactor throws(SocketError) in
                let server = try open(reactor, places)
                return Opened(server: reactor.reference(to: server), addresses: server.addresses)
            }
            servers.append(opened.server)
            if servers.count > 1 { continue }
            self.addresses = opened.addresses
            // A Unix socket can't be shared.
            places = opened.addresses.filter { $0.ipAddress != nil }
        }
    }

    private struct Opened: Sendable {
        let server: Reactor.Reference<Server>
        let addresses: [SocketAddress]
    }

    /// Drains all of them, within a limit; `completion` runs on the main thread.
    func drain(within limit: Duration, _ completion: @escaping () -> Void) {
        let done = main.reference(to: Box(completion))
        let left = Locked(servers.count)
        for server in servers {
            do throws(SocketError) {
                try server.perform { server in
                    server.drain(within: limit) { _ in
                        let isLast = left.withLock { left in
                            left -= 1
                            return left == 0
                        }
                        // Where the main reactor has ended nobody waits.
                        if isLast { try? done.perform { $0.value() } }
                    }
                }
            } catch {
                return completion()  // The group has ended.
            }
        }
    }

    /// Ends the threads.
    func stop() { group.stop() }

    private final class Box {
        let value: () -> Void
        init(_ value: @escaping () -> Void) { self.value = value }
    }

    /// Has another reactor do something and waits for what comes of it.
    private static func ask<Answer: Sendable>(
        _ handle: Reactor.Handle, _ main: Reactor,
        _ body: @escaping @Sendable (Reactor) throws(SocketError) -> Answer
    ) throws(SocketError) -> Answer {
        let answer = Locked<Result<Answer, SocketError>?>(nil)
        let home = main.handle
        try handle.perform { reactor in
            let result: Result<Answer, SocketError>
            do throws(SocketError) {
                result = .success(try body(reactor))
            } catch {
                result = .failure(error)
            }
            answer.withLock { $0 = result }
            try home.perform { _ in }  // Wakes the main reactor.
        }
        main.run(until: { answer.withLock { $0 != nil } })
        return try answer.withLock { $0 ?? .failure(SocketError(.perform, .cancelled)) }.get()
    }
}
