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
    private let capacity: ServingCapacity
    /// Who may come in and how fast: one for all parts.
    private let admission: AdmissionControl?
    /// Those to which this one hands connections: they end when nothing can come any more.
    private(set) var followers: [ServingPart] = []
    private var isFollower = false
    private let ending: Waiter
    private let finishing: Waiter
    /// Among which a connection that was accepted here finds its place.
    private let places: Locked<[Place]> = Locked([])
    /// How many connections were placed here and are not closed.
    private let load = Atomic(0)
    /// How many of them have become channels.
    private var channelCount = 0

    private(set) var server: Server?
    private var handling: Handling?
    private var tasks: [UInt64: Running] = [:]
    private var lastTask: UInt64 = 0
    private var isClosed = false
    /// No further connection is let in.
    private var isEnding = false
    private var isDrained = false
    private var isPastLimit = false
    /// How many connections the drain had to close.
    private var closedCount = 0
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
        _ capacity: ServingCapacity, _ admission: AdmissionControl?
    ) {
        self.executor = executor
        self.handle = handle
        self.options = options
        self.capacity = capacity
        self.admission = admission
        ending = Waiter(on: executor)
        finishing = Waiter(on: executor)
    }

    /// A part for each reactor; where sockets are handed over the first one accepts for all.
    static func parts(on group: ReactorGroup, _ options: ServingOptions) -> [ServingPart] {
        let isShared = options.distribution == .handOver
        let one = ServingCapacity(options)
        let admission = AdmissionControl(options.server.admission)
        var inner = options
        inner.server.maximumConnections = .max
        if !isShared, group.count > 1 { inner.server.listener.reusePort = true }
        let parts = group.executors.indices.map { index in
            ServingPart(
                on: group.executors[index], group.handles[index], inner,
                isShared ? one : ServingCapacity(options, share: index, of: group.count), admission)
        }
        for (index, part) in parts.enumerated() {
            if !isShared || index == 0 { part.capacity.accepts(with: part) }
            part.places.withLock { $0 = (isShared ? parts : [part]).map { Place(part: $0) } }
            part.isFollower = isShared && index > 0
        }
        if isShared { parts.first?.followers = Array(parts.dropFirst()) }
        return parts
    }

    // MARK: Listening and ending

    /// Whether the limits leave it anything to accept.
    var hasShare: Bool { capacity.hasShare }

    /// Listens at addresses, or where there are some with sockets of others, which are taken out.
    func listen(
        at addresses: [SocketAddress], adopting sockets: Locked<InheritedSockets?>? = nil
    ) async throws(SocketError) -> [SocketAddress] {
        let result = await withTaskExecutorPreference(executor) {
            await open(at: addresses, adopting: sockets)
        }
        return try result.get()
    }

    @concurrent
    private func open(
        at addresses: [SocketAddress], adopting sockets: Locked<InheritedSockets?>?
    ) async -> Result<[SocketAddress], SocketError> {
        do throws(SocketError) {
            guard let reactor = executor.reactor else { throw SocketError(.create, .cancelled) }
            let onAccept: (Channel, SocketAddress) throws -> Void = { [weak self] channel, peer in
                guard let self else { return channel.close() }
                try begin(channel, peer)
            }
            let server =
                if let sockets = sockets?.withLock({ $0.take() }) {
                    try Server(
                        on: reactor, adopting: sockets, options: options.server, onAccept: onAccept)
                } else {
                    try Server(
                        on: reactor, at: addresses, options: options.server, onAccept: onAccept)
                }
            server.place = { [weak self] socket, peer in try self?.place(socket, peer) }
            server.onRelease = { [weak self] in self?.released() }
            server.admission = admission
            server.hasRoom = { [capacity] in capacity.hasRoom }
            server.hold()
            self.server = server
            return .success(server.addresses)
        } catch {
            return .failure(error)
        }
    }

    /// What `body` finds on the part's own thread; `nil` where the reactor or the server has gone.
    @concurrent
    func asked<Answer: Sendable>(_ body: @Sendable (Reactor, Server) -> Answer) async -> Answer? {
        guard let server, let reactor = executor.reactor else { return nil }
        return body(reactor, server)
    }

    /// Says what is to be done with connections, before any of the group accepts one.
    func prepare(_ handling: Handling) async {
        await withTaskExecutorPreference(executor) { await take(handling) }
    }

    @concurrent
    private func take(_ handling: Handling) async { self.handling = handling }

    /// Ends a run that is under way, or makes sure that none begins; then that of the followers.
    func close() {
        executor.performEnding { [self] in
            isClosed = true
            ending.resume()
            if handling == nil {
                server?.close()
                server = nil
                closeFollowers()
            }
        }
    }

    /// Their mail is in order: all connections that were handed over come before the end.
    private func closeFollowers() { for part in followers { part.close() } }

    /// Serves until ``close()``, the task's cancellation or the reactor's end, and then drains.
    ///
    /// A cancellation ends a follower by way of the one that accepts.
    ///
    /// - Returns: how many connections had to be closed at the end.
    @concurrent
    func serve() async -> Int {
        guard let server else { return endedEarly() }
        if isFollower {
            while !isClosed, executor.reactor != nil {
                await executor.waitUncancelled(ending) { !isClosed }
            }
        } else {
            _ = await executor.wait(ending) {
                if !isClosed { server.letGo() }
                return !isClosed
            }
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
        // What the reactor took with it had no time of its own.
        closedCount += channelCount
        forgetChannels()
        self.server = nil
        handling = nil
        return closedCount
    }

    /// Nothing to serve: where this is the one that accepts, nobody gets a connection.
    private func endedEarly() -> Int {
        closeFollowers()
        return 0
    }

    private var isOver: Bool { isDrained && tasks.isEmpty }

    private func drain(_ server: Server) {
        // Before nothing is let in any more: it accepts who waits.
        server.drain(within: options.drainLimit) { [self] count in
            closedCount = count
            isDrained = true
            finishing.resume()
        }
        isEnding = true
        closeFollowers()
        guard let reactor = executor.reactor else { return }
        limit = reactor.after(options.drainLimit) { [weak self] in
            self?.cancelTasks()
        }
    }

    /// Ends a drain at once: what is left is cut off, and its tasks are cancelled.
    func cutOff() {
        executor.performEnding { [self] in
            server?.cutOffChannels()
            cancelTasks()
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
        if capacity.connectionBegan() { server?.hold() }
        var part = leastLoaded
        part.changeLoad(by: 1)
        let parcel = Parcel(socket, from: peer, to: part)
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

    /// A connection that was placed here did not get here.
    fileprivate func lost(_ peer: SocketAddress) {
        admission?.leave(peer)
        failed()
    }

    /// A connection that was placed here did not become a channel.
    private func failed() {
        load.subtract(1, ordering: .relaxed)
        capacity.connectionEnded()
        capacity.handlerEnded()
    }

    /// A connection that was placed here goes elsewhere, or the other way round.
    fileprivate func changeLoad(by change: Int) { load.add(change, ordering: .relaxed) }

    /// A channel has released its descriptor.
    private func released() {
        channelCount -= 1
        load.subtract(1, ordering: .relaxed)
        capacity.connectionEnded()
        if case .channel = handling { capacity.handlerEnded() }
    }

    /// Channels that end with the reactor do not tell.
    private func forgetChannels() { while channelCount > 0 { released() } }

    /// There is room again: accepts, if it is serving.
    func goOn() {
        if handling != nil, !isClosed, !capacity.isFull { server?.letGo() }
    }

    private func begin(_ channel: Channel, _ peer: SocketAddress) throws {
        switch handling {
        case .channel(let onAccept): try onAccept(channel, peer)
        case .task(let handler):
            let connection: Connection
            do throws(SocketError) { connection = try .adopting(channel) } catch {
                capacity.handlerEnded()
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
        let task = Task.immediateDetached(executorPreference: executor) { [self] in
            await connection.run(handler, options.onError)
            tasks.removeValue(forKey: number)
            capacity.handlerEnded()
            if tasks.isEmpty { finishing.resume() }
        }
        // It may have come to its end already.
        tasks[number]?.task = task
        if isPastLimit { tasks[number]?.cancel() }
    }
}

/// A socket on its way to a part; one that does not get there has failed.
private final class Parcel: Sendable {
    private struct Content: ~Copyable {
        var socket: Socket?
        var part: ServingPart
    }

    private let content: Locked<Content>
    private let peer: SocketAddress

    init(_ socket: consuming Socket, from peer: SocketAddress, to part: ServingPart) {
        content = Locked(Content(socket: consume socket, part: part))
        self.peer = peer
    }

    deinit { content.withLock { if $0.socket != nil { $0.part.lost(peer) } } }

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
