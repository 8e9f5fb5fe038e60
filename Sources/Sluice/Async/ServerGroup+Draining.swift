// SPDX-License-Identifier: Apache-2.0
//
// Serving to the end on many reactors, in one call: signals begin the drain.

extension ServerGroup {
    /// Serves as ``run(_:)`` until a signal comes, and drains then.
    ///
    /// The first of `signals` ends the run as ``close()`` does: connections are told
    /// (``Connection/onDraining(_:)``) and have ``ServingOptions/drainLimit``. A second one cuts
    /// off what is left, and cancels the handlers' tasks. Cancelling this task, a deadline that
    /// passes and ``close()`` begin the drain, too. When this returns the signals do again what
    /// they did before, so that the program ends with ``DrainResult/exitStatus``.
    ///
    /// - Parameters:
    ///   - signals: what has it drain.
    ///   - executor: whose reactor watches them: one that runs, such as the first of the group.
    ///   - handler: runs for each connection.
    /// - Throws: ``SocketError``, as ``run(_:)``, or with operation `.watch`, as
    ///   ``Reactor/Executor/signals(_:)``; nothing was served then.
    public func run(
        drainingOn signals: [Signal], on executor: Reactor.Executor,
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) async throws(SocketError) -> DrainResult {
        try await serve(.task(handler), drainingOn: signals, on: executor)
    }

    /// Serves as ``run(drainingOn:on:_:)``, with handlers of channels in place of tasks.
    ///
    /// - Throws: ``SocketError``, as ``run(drainingOn:on:_:)``.
    public func run(
        drainingOn signals: [Signal], on executor: Reactor.Executor,
        onAccept: @escaping @Sendable (Channel, SocketAddress) throws -> Void
    ) async throws(SocketError) -> DrainResult {
        try await serve(.channel(onAccept), drainingOn: signals, on: executor)
    }

    private func serve(
        _ handling: ServingPart.Handling, drainingOn signals: [Signal],
        on executor: Reactor.Executor
    ) async throws(SocketError) -> DrainResult {
        let came = try await executor.watch(signals)
        // Detached: a deadline of the caller's begins the drain, in which signals still count.
        let ending = Task.detached(executorPreference: executor) { await self.end(by: came) }
        let served: Result<Int, SocketError>
        do throws(SocketError) {
            served = .success(try await serve(handling))
        } catch {
            served = .failure(error)
        }
        ending.cancel()
        let isInterrupted = await ending.value
        await came.end()
        return DrainResult(closedCount: try served.get(), isInterrupted: isInterrupted)
    }

    /// Begins the drain at the first signal, and ends it at the second.
    ///
    /// - Returns: whether there was a second one.
    private func end(by signals: Reactor.Executor.Signals) async -> Bool {
        // Only the end of the wait, or of the reactor, is thrown: no signal comes any more.
        guard (try? await signals.next(isolation: nil)) != nil else { return false }
        close()
        guard (try? await signals.next(isolation: nil)) != nil else { return false }
        cutOff()
        return true
    }
}
