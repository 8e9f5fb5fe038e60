// SPDX-License-Identifier: Apache-2.0
//
// A task for each connection of a server: it begins in the accept itself, and its end closes the
// connection.

extension Server {
    /// Listens at all of `addresses`, or at none, and runs `handler` for each connection, in a task
    /// of its own on the reactor's thread.
    ///
    /// The handler's end closes its connection: what was written still goes out. What it throws goes
    /// to ``Reactor/onError`` with the connection's channel.
    ///
    /// - Throws: ``SocketError``, as ``init(on:at:options:onAccept:)``.
    public convenience init(
        on reactor: Reactor, at addresses: [SocketAddress], options: ServerOptions = .init(),
        handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) throws(SocketError) {
        try self.init(on: reactor, at: addresses, options: options) { channel, _ in
            try Connection.adopting(channel).begin(handler)
        }
    }

    /// Serves the clients of sockets that somebody else has opened and bound, in tasks as
    /// ``init(on:at:options:handler:)``.
    ///
    /// - Throws: ``SocketError``, as ``init(on:adopting:options:onAccept:)-(_,InheritedSockets,_,_)``.
    public convenience init(
        on reactor: Reactor, adopting sockets: consuming InheritedSockets,
        options: ServerOptions = .init(),
        handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) throws(SocketError) {
        try self.init(on: reactor, adopting: sockets, options: options) { channel, _ in
            try Connection.adopting(channel).begin(handler)
        }
    }
}

extension Connection {
    /// Runs a handler in a task of its own, which closes the connection at its end.
    nonisolated func begin(
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) {
        Task.immediateDetached(executorPreference: executor) { await self.run(handler, nil) }
    }

    /// Runs a handler, tells what it throws, and closes.
    ///
    /// All in one function, and without a cancellation handler: each takes memory for as long as the
    /// task lives. Whoever cancels the task calls ``handlerWasCancelled()``.
    func run(
        _ handler: @Sendable (isolated Connection) async throws -> Void,
        _ onError: (@Sendable (any Error, isolated Connection) -> Void)?
    ) async {
        handlerTask = TaskIdentity.current
        do { try await handler(self) } catch { report(error, onError) }
        handlerTask = nil
        close()
    }

    private func report(
        _ error: any Error, _ hook: (@Sendable (any Error, isolated Connection) -> Void)?
    ) {
        if let hook { return hook(error, self) }
        channel.reactorOrNil?.report(error, for: channel)
    }
}
