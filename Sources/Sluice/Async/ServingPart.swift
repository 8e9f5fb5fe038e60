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
    /// How many of them have become channels.
    private var channelCount = 0

    private var server: Server?
    private var handling: Handling?
    private var tasks: [UInt64: Running] = [:]
    private var lastTask: UInt64 = 0
    private var isClosed = false
    /// No further connection is let in.
    private var isEnding = false
    private var isDrained = false
    private var isPastLimit = false
    /// When the tasks that are left are cancelled.
    private var limit: Timer?

    private struct Running {
        let connection: Connection
        /// `nil` for one that begins just now.
        var task: Task<Void, Never>?

        func cancel() {
            task?.cancel()
            connection.assumeIsolated { $0.handlerWasCancelled() }
        }
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
        let one = Admission(options)
        var inner = options
        inner.server.maximumConnections = .max
        if !isShared, group.count > 1 { inner.server.listener.reusePort = true }
        let parts = group.executors.indices.map { index in
            ServingPart(
                on: group.executors[index], group.handles[index], inner,
                isShared ? one : Admission(options, share: index, of: group.count))
        }
        for (index, part) in parts.enumerated() {
            if !isShared || index == 0 { part.admission.accepts(with: part) }
            part.places.withLock { $0 = (isShared ? parts : [part]).map { Place(part: $0) } }
        }
        return parts
    }

    // MARK: Listening and ending

    /// Whether the limits leave it anything to accept.
    var hasShare: Bool { admission.hasShare }

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
        _ = await executor.wait(ending) {
            if !isClosed { server.letGo() }
            return !isClosed
        }
        drain(server)
        while !isOver, executor.reactor != nil {
            await executor.waitUncancelled(finishing) { !isOver }
        }
        // Where the reactor has ended nothing drains, and a task may wait for something elsewhere.
        if executor.reactor == nil { cancelTasks() }
        // The last task tells.
        while !tasks.isEmpty { await finishing.waitUncancelled { !tasks.isEmpty } }
        limit?.cancel()
        forgetChannels()
        self.server = nil
        handling = nil
    }

    private var isOver: Bool { isDrained && tasks.isEmpty }

    private func drain(_ server: Server) {
        isEnding = true
        guard let reactor = executor.reactor else { return }
        server.drain(within: options.drainLimit) { [self] _ in
            isDrained = true
            finishing.resume()
        }
        limit = reactor.after(options.drainLimit) { [weak self] in
            self?.cancelTasks()
        }
    }

    private func cancelTasks() {
        isPastLimit = true
        // Those that end at once take themselves out.
        for running in tasks.values.map(\.self) { running.cancel() }
    }

    // MARK: Connections

    /// A connection was accepted here: it goes to the part that has the fewest.
    private func place(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        if admission.connectionBegan() { server?.hold() }
        var part = leastLoaded
        part.changeLoad(by: 1)
        let parcel = Parcel(socket, to: part)
        while part !== self {
            do throws(SocketError) {
                return try part.handle.perform { [part] _ in try part.admit(parcel, peer) }
            } catch {
                // Any other error: too much mail.
                guard error.code == .cancelled else { throw error }
                // Its reactor has ended.
                places.withLock { $0.removeAll { $0.part === part } }
                part = leastLoaded
                parcel.move(to: part)
            }
        }
        try admit(parcel, peer)
    }

    private var leastLoaded: ServingPart {
        let place = places.withLock { places in
            places.min {
                $0.part.load.load(ordering: .relaxed) < $1.part.load.load(ordering: .relaxed)
            }
        }
        return place?.part ?? self
    }

    private func admit(_ parcel: Parcel, _ peer: SocketAddress) throws {
        // A connection may have been on its way when the run came to its end.
        guard let server, !isEnding, let socket = parcel.take() else { return }
        channelCount += 1
        do {
            try server.admit(socket, peer)
        } catch {
            channelCount -= 1
            failed()
            throw error
        }
    }

    /// A connection that was placed here did not become a channel.
    fileprivate func failed() {
        load.subtract(1, ordering: .relaxed)
        admission.connectionEnded()
        admission.handlerEnded()
    }

    /// A connection that was placed here goes elsewhere, or the other way round.
    fileprivate func changeLoad(by change: Int) { load.add(change, ordering: .relaxed) }

    /// A channel has released its descriptor.
    private func released() {
        channelCount -= 1
        load.subtract(1, ordering: .relaxed)
        admission.connectionEnded()
        if case .channel = handling { admission.handlerEnded() }
    }

    /// Channels that end with the reactor do not tell.
    private func forgetChannels() { while channelCount > 0 { released() } }

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
        case nil: break  // Nothing is let in before `prepare`, or after the end.
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
        if isPastLimit { tasks[number]?.cancel() }
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

    /// One share of several, which together are what the options say.
    init(_ options: ServingOptions, share: Int = 0, of count: Int = 1) {
        func part(of limit: Int) -> Int {
            let limit = max(1, limit)
            return limit / count + (share < limit % count ? 1 : 0)
        }
        maximumConnections = part(of: options.server.maximumConnections)
        maximumHandlers = part(of: options.maximumHandlers)
    }

    /// Whether there is anything to accept.
    var hasShare: Bool { maximumConnections > 0 && maximumHandlers > 0 }

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

/// A socket on its way to a part; one that does not get there has failed.
private final class Parcel: Sendable {
    private struct Content: ~Copyable {
        var socket: Socket?
        var part: ServingPart
    }

    private let content: Locked<Content>

    init(_ socket: consuming Socket, to part: ServingPart) {
        content = Locked(Content(socket: consume socket, part: part))
    }

    deinit { content.withLock { if $0.socket != nil { $0.part.failed() } } }

    /// Sends it to another part.
    func move(to part: ServingPart) {
        content.withLock { content in
            content.part.changeLoad(by: -1)
            part.changeLoad(by: 1)
            content.part = part
        }
    }

    func take() -> Socket? {
        content.withLock { content in
            var taken: Socket?
            swap(&taken, &content.socket)
            return taken
        }
    }
}
