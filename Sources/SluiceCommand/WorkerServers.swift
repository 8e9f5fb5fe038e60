// SPDX-License-Identifier: Apache-2.0
//
// The servers of `sluice serve --workers`: one on each of several threads, at the same addresses.

import Sluice
import SluiceText

/// A group of servers, seen from the main thread's reactor.
final class WorkerServers {
    private let group: ReactorGroup
    private let server: ServerGroup
    private var completion: () -> Void = {}

    /// Where they listen.
    var addresses: [SocketAddress] { server.addresses }

    /// Opens them.
    init(
        count: Int, at addresses: [SocketAddress], options: ServingOptions, _ main: Reactor
    ) throws(SocketError) {
        group = try ReactorGroup(count: count)
        let opened = Locked<Result<ServerGroup, SocketError>?>(nil)
        Task(executorPreference: main.executor) { [group] in
            let result: Result<ServerGroup, SocketError>
            do throws(SocketError) {
                result = .success(try await ServerGroup(on: group, at: addresses, options: options))
            } catch {
                result = .failure(error)
            }
            opened.withLock { $0 = result }
        }
        main.run(until: { opened.withLock { $0 != nil } })
        server = try opened.withLock { $0 ?? .failure(SocketError(.listen, .cancelled)) }.get()
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
