// SPDX-License-Identifier: Apache-2.0
//
// Connectors in tasks: one call for an active partner, two for a passive one, whose port has to be
// told to the other side in between.

extension Connector {
    /// Connects to the partner, or waits for it, and gives the connection; it is on the reactor of
    /// `executor`.
    ///
    /// A passive connector whose port the kernel picks takes
    /// ``listening(_:on:opening:)``: here nobody learns the port.
    ///
    /// - Throws: ``ConnectorError``, as ``connect(_:)`` and its completion. `.cancelled` when the
    ///   task is cancelled or the reactor ends, `.timedOut` also when a deadline of the task's
    ///   passes; what was opened is closed then.
    public static func connect(
        _ options: ConnectorOptions, on executor: Reactor.Executor,
        opening: any ConnectorOpening & Sendable = PlainOpening()
    ) async throws(ConnectorError) -> Connection {
        let result = await withTaskExecutorPreference(executor) {
            await executor.connection(options, opening)
        }
        return try result.get()
    }

    /// Listens for the partner, on the reactor of `executor`, whatever
    /// ``ConnectorOptions/mode`` says.
    ///
    /// - Throws: ``ConnectorError``: `.socket`, such as with a port that is in use, or `.cancelled`
    ///   when the reactor has ended.
    public static func listening(
        _ options: ConnectorOptions, on executor: Reactor.Executor,
        opening: any ConnectorOpening & Sendable = PlainOpening()
    ) async throws(ConnectorError) -> ListeningConnector {
        let result = await withTaskExecutorPreference(executor) {
            await executor.listening(options, opening)
        }
        return try result.get()
    }
}

/// A passive connector that listens, for tasks.
///
/// It waits for its partner from the beginning, and keeps the connection for
/// ``connection()``; ``ConnectorOptions/timeLimit`` holds from the beginning, too. Where nobody
/// holds it any more it closes what is open.
public actor ListeningConnector {
    /// Runs what is isolated to it: its reactor's.
    public nonisolated let executor: Reactor.Executor
    /// The port that it listens at, for the partner to be told.
    public nonisolated let port: UInt16
    // Unsafe: neither is Sendable, but only what is isolated to this actor reaches them, and that
    // runs on the thread of the connector's reactor. Whoever made them was on that thread, too.
    nonisolated(unsafe) private let connector: Connector
    nonisolated(unsafe) private let outcome: ConnectorOutcome
    private var isTaken = false

    fileprivate init(
        _ connector: Connector, _ outcome: ConnectorOutcome, _ executor: Reactor.Executor
    ) {
        self.executor = executor
        self.connector = connector
        self.outcome = outcome
        port = connector.port ?? 0
    }

    deinit {
        // Unsafe: nobody else has them, and they go to the thread that they belong to.
        nonisolated(unsafe) let (connector, outcome) = (connector, outcome)
        executor.performEnding {
            connector.cancel()
            outcome.drop()
        }
    }

    /// Waits for the partner, and gives the connection.
    ///
    /// - Throws: ``ConnectorError``, as the completion of ``Connector/connect(_:)``;
    ///   `.alreadyConnecting` for a second call, since there is one connection. `.cancelled` when
    ///   the task is cancelled, the reactor ends or ``close()`` is called, `.timedOut` also when a
    ///   deadline of the task's passes; what was opened is closed then.
    public func connection() async throws(ConnectorError) -> Connection {
        if isTaken { throw .alreadyConnecting }
        isTaken = true
        return try await outcome.connection(from: connector)
    }

    /// Ends it: nobody is waited for any more, and a connection that nobody has taken is closed.
    ///
    /// Closing again does nothing.
    public func close() {
        connector.cancel()
        outcome.drop()
    }

    /// The reactor's executor.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }
}

/// What comes of a connector's run, until a task takes it; it stays on the reactor's thread.
private final class ConnectorOutcome {
    private let waiter: Waiter
    private var result: Result<Channel, ConnectorError>?

    init(_ waiter: Waiter) { self.waiter = waiter }

    /// Begins the run.
    func begin(_ connector: Connector) throws(ConnectorError) {
        try connector.connect { [self] in
            result = $0
            waiter.resume()
        }
    }

    /// Waits for the end of the run; where the wait ends before, so does the run.
    func connection(
        from connector: Connector, isolation: isolated (any Actor)? = #isolation
    ) async throws(ConnectorError) -> Connection {
        let ended = await waiter.executor.wait(waiter) { result == nil && connector.isConnecting }
        guard let result = result.take() else {
            connector.cancel()
            throw ended == .timedOut ? .timedOut : .cancelled
        }
        let channel = try result.get()
        do throws(SocketError) {
            return try .adopting(channel)
        } catch {
            throw .socket(error)
        }
    }

    /// Closes a channel that nobody has taken, and ends the wait for one.
    func drop() {
        if case .success(let channel) = result.take() { channel.close() }
        waiter.resume(.cancelled)
    }
}

extension Reactor.Executor {
    @concurrent
    fileprivate func connection(
        _ options: ConnectorOptions, _ opening: any ConnectorOpening & Sendable
    ) async -> Result<Connection, ConnectorError> {
        let outcome = ConnectorOutcome(Waiter(on: self))
        do throws(ConnectorError) {
            let connector = try begin(options, opening, outcome)
            return .success(try await outcome.connection(from: connector))
        } catch {
            return .failure(error)
        }
    }

    /// A function of its own: a task that holds the reactor while it waits would keep it alive.
    private func begin(
        _ options: ConnectorOptions, _ opening: any ConnectorOpening, _ outcome: ConnectorOutcome
    ) throws(ConnectorError) -> Connector {
        guard let reactor else { throw .cancelled }
        let connector = Connector(on: reactor, options: options, opening: opening)
        try outcome.begin(connector)
        return connector
    }

    @concurrent
    fileprivate func listening(
        _ options: ConnectorOptions, _ opening: any ConnectorOpening & Sendable
    ) async -> Result<ListeningConnector, ConnectorError> {
        var options = options
        options.mode = .passive
        // Unsafe: the actor runs on this very thread.
        nonisolated(unsafe) let outcome = ConnectorOutcome(Waiter(on: self))
        do throws(ConnectorError) {
            nonisolated(unsafe) let connector = try begin(options, opening, outcome)
            return .success(ListeningConnector(connector, outcome, self))
        } catch {
            return .failure(error)
        }
    }
}
