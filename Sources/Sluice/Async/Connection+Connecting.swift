// SPDX-License-Identifier: Apache-2.0
//
// Clients in tasks: connections that are opened, and those that end with the code that uses them.

extension Connection {
    /// Connects; the connection is on the reactor of `executor`.
    ///
    /// As ``Client/connect(to:_:)-(Endpoint,_)``, within ``ClientOptions/timeout``.
    ///
    /// - Throws: ``ConnectError``; where the task was cancelled, a deadline passed or the reactor
    ///   ended, its cause is `.refused` with `.cancelled` or `.timedOut`.
    public static func connect(
        to endpoint: Endpoint, on executor: Reactor.Executor, options: ClientOptions = .init()
    ) async throws(ConnectError) -> Connection {
        // It counts before there is a channel: many that begin at once spread over a group.
        executor.countChannels(1)
        let result = await withTaskExecutorPreference(executor) {
            await executor.connect(to: endpoint, options)
        }
        return try result.get()
    }

    /// Connects, runs `body` with the connection, on its reactor's thread, and closes it.
    ///
    /// - Throws: ``ConnectError``, as ``connect(to:on:options:)``, or what `body` throws.
    public static func connect<Result: Sendable>(
        to endpoint: Endpoint, on executor: Reactor.Executor, options: ClientOptions = .init(),
        _ body: @Sendable (isolated Connection) async throws -> Result
    ) async throws -> Result {
        let connection = try await connect(to: endpoint, on: executor, options: options)
        return try await connection.finishing(body)
    }

    private func finishing<Result: Sendable>(
        _ body: @Sendable (isolated Connection) async throws -> Result
    ) async throws -> Result {
        defer { close() }
        return try await body(self)
    }
}

extension Reactor.Executor {
    @concurrent
    fileprivate func connect(
        to endpoint: Endpoint, _ options: ClientOptions
    ) async -> Result<Connection, ConnectError> {
        let waiter = Waiter(on: self)
        var isCounted = true
        defer { if isCounted { countChannels(-1) } }
        var result: Result<Connection, ConnectError>?
        var attempt: ConnectAttempt?
        let failed = { (error: SocketError) in
            Result<Connection, ConnectError>.failure(
                ConnectError(endpoint: endpoint, cause: .refused(error), attempts: []))
        }
        let outcome = await wait(waiter) {
            do throws(SocketError) {
                guard let reactor else { throw SocketError(.connect, .cancelled) }
                attempt = try Client(on: reactor, options: options).connect(to: endpoint) {
                    verdict in
                    result = verdict.flatMap { channel in
                        do throws(SocketError) {
                            return .success(try .adopting(channel))
                        } catch {
                            return failed(error)
                        }
                    }
                    waiter.resume()
                }
                // Its channel counts now, but not while a name is looked up.
                if endpoint.numericAddress != nil {
                    countChannels(-1)
                    isCounted = false
                }
            } catch {
                result = failed(error)
            }
            return result == nil
        }
        if let result { return result }
        attempt?.cancel()
        return failed(SocketError(.connect, outcome == .timedOut ? .timedOut : .cancelled))
    }
}
