// SPDX-License-Identifier: Apache-2.0
//
// Structured serving: a server on each reactor of a group, a task for each connection, and one call
// that ends only when all of them have.

import SluiceText

/// How a group of servers serves.
public struct ServingOptions: Sendable {
    /// How its servers are opened and what their connections are like.
    ///
    /// ``ServerOptions/maximumConnections`` holds for all of them together, in equal shares.
    public var server = ServerOptions()
    /// How long connections may go on after the end was asked for; then they are closed, and their
    /// handlers' tasks cancelled.
    ///
    /// Initially 5 s.
    public var drainLimit = Duration.seconds(5)
    /// Called with what a handler threw and the peer of its connection, on the connection's thread.
    ///
    /// Initially `nil`: it goes to ``Reactor/onError``.
    public var onError: (@Sendable (any Error, SocketAddress) -> Void)?

    /// The initial values.
    public init() {}
}

/// A server on each reactor of a group, at the same addresses.
///
/// The kernel spreads the connections over the reactors (`SO_REUSEPORT`); each stays on the one that
/// accepted it. Unix sockets are served by the first reactor alone.
public final class ServerGroup: Sendable {
    /// Where it listens, with real ports in place of 0.
    public let addresses: [SocketAddress]
    private let parts: [ServingPart]
    private let isTaken = Locked(false)

    /// Listens at all of `addresses`, or at none; clients wait in the backlog until ``run(_:)``.
    ///
    /// - Throws: ``SocketError``, as ``Server/init(on:at:options:onAccept:)``.
    public init(
        on group: ReactorGroup, at addresses: [SocketAddress], options: ServingOptions = .init()
    ) async throws(SocketError) {
        var options = options
        let count = group.count
        let limit = options.server.maximumConnections
        options.server.maximumConnections = limit / count + (limit % count > 0 ? 1 : 0)
        if count > 1 { options.server.listener.reusePort = true }
        var parts: [ServingPart] = []
        var places = addresses
        var listening: [SocketAddress] = []
        for executor in group.executors {
            let part = ServingPart(on: executor, options)
            do throws(SocketError) {
                let found = try await part.listen(at: places)
                if parts.isEmpty { places = found.filter { $0.ipAddress != nil } }
                parts.append(part)
                if parts.count == 1 { listening = found }
            } catch {
                for part in parts { part.close() }
                throw error
            }
        }
        self.parts = parts
        self.addresses = listening
    }

    deinit { close() }

    /// Serves until the task is cancelled, or ``close()`` or the group's end; then waits for the
    /// connections, within ``ServingOptions/drainLimit``.
    ///
    /// `handler` runs for each connection in a task of its own, on the connection's thread. Its end
    /// closes the connection: what was written still goes out. When this returns no task of a
    /// handler is left.
    ///
    /// - Throws: ``SocketError`` with operation `.accept` and `.busy` for a second call.
    public func run(
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) async throws(SocketError) {
        let wasTaken = isTaken.withLock { isTaken in
            defer { isTaken = true }
            return isTaken
        }
        if wasTaken { throw SocketError(.accept, .busy) }
        await withTaskGroup(of: Void.self) { group in
            for part in parts {
                group.addTask(executorPreference: part.executor) { await part.serve(handler) }
            }
        }
    }

    /// Ends ``run(_:)`` as a cancellation does; without a run, stops listening.
    public func close() { for part in parts { part.close() } }
}

/// What of a group of servers is on one reactor.
private final class ServingPart: @unchecked Sendable {
    // Unchecked: all but `executor` and `options` is touched on the reactor's thread alone.

    let executor: Reactor.Executor
    private let options: ServingOptions
    private let ending: Waiter
    private let finishing: Waiter
    private var server: Server?
    private var handler: (@Sendable (isolated Connection) async throws -> Void)?
    private struct Handling {
        let connection: Connection
        /// `nil` for one that begins just now.
        var task: Task<Void, Never>?
    }

    private var tasks: [UInt64: Handling] = [:]
    private var lastTask: UInt64 = 0
    private var isClosed = false
    private var isDrained = false
    /// When the tasks that are left are cancelled.
    private var limit: Timer?

    init(on executor: Reactor.Executor, _ options: ServingOptions) {
        self.executor = executor
        self.options = options
        ending = Waiter(on: executor)
        finishing = Waiter(on: executor)
    }

    func listen(at addresses: [SocketAddress]) async throws(SocketError) -> [SocketAddress] {
        let result = await withTaskExecutorPreference(executor) { await open(at: addresses) }
        return try result.get()
    }

    @concurrent
    private func open(at addresses: [SocketAddress]) async -> Result<[SocketAddress], SocketError> {
        do throws(SocketError) {
            guard let reactor = executor.reactor else { throw SocketError(.create, .cancelled) }
            let server = try Server(on: reactor, at: addresses, options: options.server) {
                [unowned self] channel, _ in try self.begin(channel)
            }
            server.hold()
            self.server = server
            return .success(server.addresses)
        } catch {
            return .failure(error)
        }
    }

    /// Ends a run that is under way, or makes sure that none begins.
    func close() {
        executor.performEnding { [self] in
            isClosed = true
            ending.resume()
            if handler == nil {
                server?.close()
                server = nil
            }
        }
    }

    @concurrent
    func serve(_ handler: @escaping @Sendable (isolated Connection) async throws -> Void) async {
        guard !isClosed, let server else { return }
        self.handler = handler
        _ = await executor.wait(ending) { server.letGo() }
        drain(server)
        while !isDrained, executor.reactor != nil { await executor.waitUncancelled(finishing) }
        // Also where the reactor has ended: every wait on it has failed, and the last task tells.
        while !tasks.isEmpty { await finishing.waitUncancelled() }
        limit?.cancel()
        self.server = nil
        self.handler = nil
    }

    private func drain(_ server: Server) {
        guard let reactor = executor.reactor else { return }
        server.drain(within: options.drainLimit) { [self] _ in
            isDrained = true
            finishing.resume()
        }
        limit = reactor.after(options.drainLimit) { [weak self] in
            for handling in self?.tasks.values.map(\.self) ?? [] {
                handling.task?.cancel()
                handling.connection.assumeIsolated { $0.handlerWasCancelled() }
            }
        }
    }

    private func begin(_ channel: Channel) throws {
        guard let handler else { return channel.close() }
        let connection = try Connection.adopting(channel)
        lastTask += 1
        let number = lastTask
        tasks[number] = Handling(connection: connection)
        let task = Task.immediate(executorPreference: executor) { [self] in
            await connection.run(handler, options.onError)
            tasks.removeValue(forKey: number)
            if tasks.isEmpty { finishing.resume() }
        }
        // It may have come to its end already.
        tasks[number]?.task = task
    }
}
