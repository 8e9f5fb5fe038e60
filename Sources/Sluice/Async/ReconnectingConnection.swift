// SPDX-License-Identifier: Apache-2.0
//
// A connection that comes again, for tasks: each connection in turn, or each state.

internal import Synchronization

/// Why a task does not get what it waits for from a ``ReconnectingConnection``.
public enum ReconnectingError: Error, Hashable, Sendable {
    /// It has reached a limit, and makes no more attempts.
    case gaveUp(ReconnectingStop)
    /// The wait has ended: operation `.wait` with `.cancelled` when the task was cancelled or the
    /// reactor has ended, `.timedOut` when a deadline passed first, `.busy` where another task
    /// waits.
    case wait(SocketError)
}

extension ReconnectingError: CustomStringConvertible {
    /// One sentence.
    public var description: String {
        switch self {
        case .gaveUp(let reason): reason.description
        case .wait(let error): error.description
        }
    }
}

/// Keeps one connection to an endpoint, as ``ReconnectingClient``, for tasks.
///
/// It begins at once. It ends with ``stop()``, at a limit, when nobody holds it any more, with the
/// reactor, or when a task that waits for ``connections`` or ``states`` is cancelled.
public final class ReconnectingConnection: @unchecked Sendable {
    // Unchecked: what is neither constant nor atomic is touched on the executor's thread alone; the
    // deinit has no other user left.

    /// Where a connection is, for tasks: connected to an address.
    public typealias State = ReconnectingState<SocketAddress>

    /// How many states are kept for a task that does not look; older ones are dropped.
    public static let stateLimit = 64

    /// Where it connects to.
    public let endpoint: Endpoint
    /// What its connections are on.
    public let executor: Reactor.Executor
    private let options: ReconnectingOptions
    private let unsentHandler: (@Sendable ([UnsentMessage]) -> Void)?
    private var client: ReconnectingClient?
    private let connectionWaiter: Waiter
    private let stateWaiter: Waiter
    private var untold: [State] = []
    /// The connection that no task was given yet.
    private var fresh: Connection?
    /// Whether the program has asked for ``connections``.
    private let isAskedFor = Atomic(false)
    /// The one that a task was given last.
    private var given: Channel?
    private var end: ReconnectingStop?

    /// Begins to connect.
    ///
    /// `onUnsent` is called on the reactor's thread with messages that were taken and are not sent,
    /// as ``ReconnectingClient/onUnsent(_:)``.
    public init(
        to endpoint: Endpoint, on executor: Reactor.Executor,
        options: ReconnectingOptions = .init(),
        onUnsent: (@Sendable ([UnsentMessage]) -> Void)? = nil
    ) {
        self.endpoint = endpoint
        self.executor = executor
        self.options = options
        unsentHandler = onUnsent
        connectionWaiter = Waiter(on: executor)
        stateWaiter = Waiter(on: executor)
        executor.performEnding { [weak self] in self?.begin() }
    }

    deinit {
        // Unsafe: nobody else has it, and it goes to the thread that it belongs to.
        nonisolated(unsafe) let client = client
        executor.performEnding { client?.stop() }
    }

    /// The connections, one after the other.
    ///
    /// Once the program has asked for them, one that the peer closes waits to be taken, with what
    /// the peer has sent, and another follows when that one is closed: who asks goes on to ask, or
    /// stops the whole. Where nobody has asked, it is closed with the peer.
    public var connections: Connections {
        isAskedFor.store(true, ordering: .releasing)
        return Connections(source: self)
    }

    /// The states, each once and in order.
    public var states: States { States(source: self) }

    /// Where it is now.
    public var state: State {
        get async { await withTaskExecutorPreference(executor) { await self.currentState() } }
    }

    /// Sends a message, as ``ReconnectingClient/send(_:)``; waits while the connection's queue is
    /// above the high mark.
    ///
    /// - Returns: ``ReconnectingClient/Sending/aboveMark`` where the wait has ended too early: the
    ///   message is given all the same.
    public func send(_ message: [UInt8]) async -> ReconnectingClient.Sending {
        await withTaskExecutorPreference(executor) { await self.give(message) }
    }

    /// Ends the wait that is under way: the next attempt begins at once.
    public func reconnectNow() { executor.performEnding { [self] in client?.reconnectNow() } }

    /// Ends it, as ``ReconnectingClient/stop()``; ``connections`` and ``states`` come to their end
    /// when the connection is closed.
    public func stop() { executor.performEnding { [self] in client?.stop() } }

    /// Ends it, and cuts the connection.
    public func abort() { executor.performEnding { [self] in client?.abort() } }
}

// MARK: - What tasks wait for

extension ReconnectingConnection {
    /// Connections, one after the other; one task waits at a time.
    public struct Connections: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// A connection that is open.
        public typealias Element = Connection
        /// Why there is no further one.
        public typealias Failure = ReconnectingError

        fileprivate let source: ReconnectingConnection

        /// The iterator of one waiting task.
        public func makeAsyncIterator() -> Connections { self }

        /// Closes the connection that was given before, if it is open, and waits for the next one;
        /// `nil` after ``ReconnectingConnection/stop()``.
        ///
        /// - Throws: ``ReconnectingError``. A wait that is cancelled stops the whole.
        public func next(
            isolation: isolated (any Actor)?
        ) async throws(ReconnectingError) -> Connection? {
            let source = source
            let result = await withTaskExecutorPreference(source.executor) {
                await source.nextConnection()
            }
            return try result.get()
        }
    }

    /// States, each once and in order; one task waits at a time.
    ///
    /// Of those that nobody looked at the newest ``ReconnectingConnection/stateLimit`` are kept.
    public struct States: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// Where it is.
        public typealias Element = ReconnectingState<SocketAddress>
        /// Why a wait ended early.
        public typealias Failure = ReconnectingError

        fileprivate let source: ReconnectingConnection

        /// The iterator of one waiting task.
        public func makeAsyncIterator() -> States { self }

        /// Waits for the next state; `nil` after ``ReconnectingState/stopped(_:)``.
        ///
        /// - Throws: ``ReconnectingError/wait(_:)``. A wait that is cancelled stops the whole.
        public func next(
            isolation: isolated (any Actor)?
        ) async throws(ReconnectingError) -> ReconnectingState<SocketAddress>? {
            let source = source
            let result = await withTaskExecutorPreference(source.executor) {
                await source.nextState()
            }
            return try result.get()
        }
    }

    @concurrent
    private func nextConnection() async -> Result<Connection?, ReconnectingError> {
        if connectionWaiter.isWaiting { return .failure(.wait(SocketError(.wait, .busy))) }
        given.take()?.close()
        while true {
            if let connection = fresh.take(), connection.channel.state.phase == .open {
                given = connection.channel
                return .success(connection)
            }
            if let end { return end == .asked ? .success(nil) : .failure(.gaveUp(end)) }
            let outcome = await executor.wait(connectionWaiter) { fresh == nil && end == nil }
            if let error = error(outcome) { return .failure(error) }
        }
    }

    @concurrent
    private func nextState() async -> Result<State?, ReconnectingError> {
        if stateWaiter.isWaiting { return .failure(.wait(SocketError(.wait, .busy))) }
        while untold.isEmpty {
            if end != nil { return .success(nil) }
            let outcome = await executor.wait(stateWaiter) { untold.isEmpty && end == nil }
            if let error = error(outcome) { return .failure(error) }
        }
        return .success(untold.removeFirst())
    }

    private func error(_ outcome: Waiter.Outcome) -> ReconnectingError? {
        switch outcome {
        case .ready: return nil
        case .timedOut: return .wait(SocketError(.wait, .timedOut))
        case .cancelled:
            client?.stop()
            return .wait(SocketError(.wait, .cancelled))
        }
    }

    @concurrent
    private func currentState() async -> State {
        client.map { Self.told($0.state) } ?? .stopped(.notStarted)
    }

    @concurrent
    private func give(_ message: [UInt8]) async -> ReconnectingClient.Sending {
        guard let client, executor.reactor != nil else { return .refused(.notConnected) }
        let result = client.send(message)
        guard result == .aboveMark, let channel = client.channel else { return result }
        while channel.isAboveMark {
            let outcome = await channel.wait(for: .room, on: executor) { channel.isAboveMark }
            if outcome != .ready { return result }
        }
        return .given
    }
}

// MARK: - What the client tells

extension ReconnectingConnection {
    private func begin() {
        guard let reactor = executor.reactor else { return }
        let client = ReconnectingClient(on: reactor, to: endpoint, options: options)
        client.onState { [weak self] in self?.changed(to: $0) }
        client.onConnected { [weak self] in try self?.connected($0) }
        client.onUnsent(unsentHandler)
        client.start()
        self.client = client
    }

    private func connected(_ channel: Channel) throws {
        // At once: what the peer sends before a task comes is kept for it.
        fresh = try .adopting(channel)
        channel.onPeerClosed { [weak self] channel in
            let isAwaited = self?.isAskedFor.load(ordering: .acquiring) == true
            // Else nobody would ever meet the end.
            if !isAwaited { channel.close(because: .finished) }
        }
        connectionWaiter.resume()
    }

    private func changed(to state: ReconnectingClient.State) {
        switch state {
        case .connecting, .connected: break
        case .waiting: forgetChannels()
        case .stopped(let reason):
            forgetChannels()
            end = reason
            connectionWaiter.resume()
        }
        untold.append(Self.told(state))
        if untold.count > Self.stateLimit { untold.removeFirst() }
        stateWaiter.resume()
    }

    /// They have ended.
    private func forgetChannels() {
        fresh = nil
        given = nil
    }

    private static func told(_ state: ReconnectingClient.State) -> State {
        switch state {
        case .connecting(let attempt): .connecting(attempt: attempt)
        case .connected(let channel): .connected(channel.peerAddress)
        case .waiting(let delay, let loss): .waiting(delay, after: loss)
        case .stopped(let reason): .stopped(reason)
        }
    }
}
