// SPDX-License-Identifier: Apache-2.0
//
// What of a group of servers is on one reactor: its server, its tasks, and its share of the limits.

import SluiceText
internal import Synchronization

/// A server on one reactor of a group, and the tasks of its connections.
final class ServingPart: @unchecked Sendable {
    // Unchecked: all but the constants and `load` is touched on the reactor's thread alone.

    /// What is done with a connection.
    enum Handling: Sendable {
        case task(@Sendable (isolated Connection) async throws -> Void)
        case channel(@Sendable (Channel, SocketAddress) throws -> Void)
    }

    let executor: Reactor.Executor
    private let handle: Reactor.Handle
    private let options: ServingOptions
    private let admission: Admission
    private let ending: Waiter
    private let finishing: Waiter
    /// Among which a connection that was accepted here finds its place.
    private let places: Locked<[Place]> = Locked([])
    /// How many connections were placed here and are not closed.
    private let load = Atomic(0)

    private var server: Server?
    private var handling: Handling?
    private var tasks: [UInt64: Running] = [:]
    private var lastTask: UInt64 = 0
    private var isClosed = false
    private var isDrained = false
    /// When the tasks that are left are cancelled.
    private var limit: Timer?

    private struct Running {
        let connection: Connection
        /// `nil` for one that begins just now.
        var task: Task<Void, Never>?
    }

    /// A part, as others of its group have it: they must not keep one another.
    private struct Place: Sendable {
        unowned let part: ServingPart
    }

    private init(
        on executor: Reactor.Executor, _ handle: Reactor.Handle, _ options: ServingOptions,
        _ admission: Admission
    ) {
        self.executor = executor
        self.handle = handle
        self.options = options
        self.admission = admission
        ending = Waiter(on: executor)
        finishing = Waiter(on: executor)
    }

    /// A part for each reactor; where sockets are handed over the first one accepts for all.
    static func parts(on group: ReactorGroup, _ options: ServingOptions) -> [ServingPart] {
        let isShared = options.distribution == .handOver
        let shares = isShared ? 1 : group.count
        let one = Admission(options, shares: shares)
        var inner = options
        inner.server.maximumConnections = .max
        if !isShared, group.count > 1 { inner.server.listener.reusePort = true }
        let parts = group.executors.indices.map { index in
            ServingPart(
                on: group.executors[index], group.handles[index], inner,
                isShared ? one : Admission(options, shares: shares))
        }
        for (index, part) in parts.enumerated() {
            if !isShared || index == 0 { part.admission.accepts(with: part) }
            part.places.withLock { $0 = (isShared ? parts : [part]).map { Place(part: $0) } }
        }
        return parts
    }

    // MARK: Listening and ending

    func listen(at addresses: [SocketAddress]) async throws(SocketError) -> [SocketAddress] {
        let result = await withTaskExecutorPreference(executor) { await open(at: addresses) }
        return try result.get()
    }

    @concurrent
    private func open(at addresses: [SocketAddress]) async -> Result<[SocketAddress], SocketError> {
        do throws(SocketError) {
            guard let reactor = executor.reactor else { throw SocketError(.create, .cancelled) }
            let server = try Server(on: reactor, at: addresses, options: options.server) {
                [weak self] channel, peer in
                guard let self else { return channel.close() }
                try begin(channel, peer)
            }
            server.place = { [weak self] socket, peer in try self?.place(socket, peer) }
            server.onRelease = { [weak self] in self?.released() }
            server.hold()
            self.server = server
            return .success(server.addresses)
        } catch {
            return .failure(error)
        }
    }

    /// Says what is to be done with connections, before any of the group accepts one.
    func prepare(_ handling: Handling) async {
        await withTaskExecutorPreference(executor) { await take(handling) }
    }

    @concurrent
    private func take(_ handling: Handling) async { self.handling = handling }

    /// Ends a run that is under way, or makes sure that none begins.
    func close() {
        executor.performEnding { [self] in
            isClosed = true
            ending.resume()
            if handling == nil {
                server?.close()
                server = nil
            }
        }
    }

    /// Serves until ``close()``, the task's cancellation or the reactor's end, and then drains.
    @concurrent
    func serve() async {
        guard let server else { return }
        if !isClosed { _ = await executor.wait(ending) { server.letGo() } }
        drain(server)
        while !isDrained, executor.reactor != nil { await executor.waitUncancelled(finishing) }
        // Also where the reactor has ended: every wait on it has failed, and the last task tells.
        while !tasks.isEmpty { await finishing.waitUncancelled() }
        limit?.cancel()
        self.server = nil
        handling = nil
    }

    private func drain(_ server: Server) {
        guard let reactor = executor.reactor else { return }
        server.drain(within: options.drainLimit) { [self] _ in
            isDrained = true
            finishing.resume()
        }
        limit = reactor.after(options.drainLimit) { [weak self] in
            for running in self?.tasks.values.map(\.self) ?? [] {
                running.task?.cancel()
                running.connection.assumeIsolated { $0.handlerWasCancelled() }
            }
        }
    }

    // MARK: Connections

    /// A connection was accepted here: it goes to the part that has the fewest.
    private func place(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        if admission.connectionBegan() { server?.hold() }
        let place = places.withLock { places in
            places.min {
                $0.part.load.load(ordering: .relaxed) < $1.part.load.load(ordering: .relaxed)
            }
        }
        let part = place?.part ?? self
        part.load.add(1, ordering: .relaxed)
        do {
            if part === self { return try admit(socket, peer) }
            let parcel = Parcel(socket)
            try part.handle.perform { _ in
                guard let socket = parcel.take() else { return }
                do { try part.admit(socket, peer) } catch {
                    part.connectionFailed()
                    throw error
                }
            }
        } catch {
            part.connectionFailed()
            throw error
        }
    }

    private func admit(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        // A run may have come to its end while the connection was on its way.
        guard let server, handling != nil else { throw SocketError(.accept, .cancelled, at: peer) }
        try server.admit(socket, peer)
    }

    /// A connection could not become a channel.
    private func connectionFailed() {
        load.subtract(1, ordering: .relaxed)
        admission.connectionEnded()
        admission.handlerEnded()
    }

    /// A channel has released its descriptor.
    private func released() {
        load.subtract(1, ordering: .relaxed)
        admission.connectionEnded()
        if case .channel = handling { admission.handlerEnded() }
    }

    /// There is room again: accepts, if it is serving.
    func goOn() {
        if handling != nil, !isClosed, !admission.isFull { server?.letGo() }
    }

    private func begin(_ channel: Channel, _ peer: SocketAddress) throws {
        switch handling {
        case .channel(let onAccept): try onAccept(channel, peer)
        case .task(let handler):
            let connection: Connection
            do throws(SocketError) { connection = try .adopting(channel) } catch {
                admission.handlerEnded()
                throw error
            }
            begin(connection, handler)
        case nil: channel.close()
        }
    }

    private func begin(
        _ connection: Connection,
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) {
        lastTask += 1
        let number = lastTask
        tasks[number] = Running(connection: connection)
        let task = Task.immediate(executorPreference: executor) { [self] in
            await connection.run(handler, options.onError)
            tasks.removeValue(forKey: number)
            admission.handlerEnded()
            if tasks.isEmpty { finishing.resume() }
        }
        // It may have come to its end already.
        tasks[number]?.task = task
    }
}

/// How many connections and handlers there may be, for one accepting part and all that it places
/// connections on.
private final class Admission: Sendable {
    private let maximumConnections: Int
    private let maximumHandlers: Int
    private let connections = Atomic(0)
    private let handlers = Atomic(0)
    private let acceptor = Locked<Acceptor>(Acceptor())

    private struct Acceptor: Sendable {
        weak var part: ServingPart?
    }

    /// - Parameter shares: how many of them share what the options say.
    init(_ options: ServingOptions, shares: Int) {
        func share(_ limit: Int) -> Int {
            let limit = max(1, limit)
            return limit / shares + (limit % shares > 0 ? 1 : 0)
        }
        maximumConnections = share(options.server.maximumConnections)
        maximumHandlers = share(options.maximumHandlers)
    }

    func accepts(with part: ServingPart) { acceptor.withLock { $0.part = part } }

    var isFull: Bool {
        connections.load(ordering: .sequentiallyConsistent) >= maximumConnections
            || handlers.load(ordering: .sequentiallyConsistent) >= maximumHandlers
    }

    /// On the accepting thread.
    ///
    /// - Returns: whether it was the last one for now.
    func connectionBegan() -> Bool {
        connections.add(1, ordering: .sequentiallyConsistent)
        handlers.add(1, ordering: .sequentiallyConsistent)
        return isFull
    }

    func connectionEnded() { giveBack(connections, maximumConnections) }

    func handlerEnded() { giveBack(handlers, maximumHandlers) }

    private func giveBack(_ count: borrowing Atomic<Int>, _ maximum: Int) {
        let before = count.subtract(1, ordering: .sequentiallyConsistent).oldValue
        // Whoever held the acceptor back did so before, or sees the new count.
        guard before >= maximum, let part = acceptor.withLock({ $0.part }) else { return }
        part.executor.performEnding { part.goOn() }
    }
}

/// A socket on its way to another thread.
private final class Parcel: Sendable {
    private let socket: Locked<Socket?>

    init(_ socket: consuming Socket) { self.socket = Locked(consume socket) }

    func take() -> Socket? {
        socket.withLock { socket in
            var taken: Socket?
            swap(&taken, &socket)
            return taken
        }
    }
}
