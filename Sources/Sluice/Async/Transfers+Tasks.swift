// SPDX-License-Identifier: Apache-2.0
//
// Transfers in tasks: each call returns when all has been moved. Where the task is cancelled or a
// deadline of its passes, the transfer ends with it.

extension Transmitter {
    /// Sends a source to a partner over a connection of its own, on the reactor of `executor`.
    ///
    /// As ``start(progress:_:)``.
    ///
    /// - Parameters:
    ///   - source: what to send, such as `.file("/etc/hosts")`.
    ///   - options: where the partner is, or where to wait for it.
    ///   - executor: whose reactor the connection is on.
    ///   - opening: how connections become open channels, such as by TLS.
    ///   - listening: called with the port that a passive one waits at, for the partner to be told.
    ///   - progress: called as blocks go out.
    /// - Returns: what was moved.
    /// - Throws: ``TransferError``, as ``start(progress:_:)`` and its completion; `.cancelled` when
    ///   the task is cancelled or the reactor ends, `.timedOut` when a deadline of the task's
    ///   passes: the connection is reset then.
    @discardableResult
    public static func send(
        _ source: sending TransferSource, options: TransferOptions, on executor: Reactor.Executor,
        opening: any ConnectorOpening & Sendable = PlainOpening(),
        listening: (@Sendable (UInt16) -> Void)? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> CopyCounts {
        let transfer = AwaitedTransfer(
            .sending(source), options, opening, listening, progress, on: executor)
        return try await transfer.result().counts
    }

    /// Sends to a partner, or to the one that comes where `host` is empty.
    ///
    /// As ``send(_:options:on:opening:listening:progress:)``.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``TransferError``, as that.
    @discardableResult
    public static func send(
        _ source: sending TransferSource, to host: String, port: UInt16,
        on executor: Reactor.Executor, listening: (@Sendable (UInt16) -> Void)? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> CopyCounts {
        try await send(
            source, options: TransferOptions(host: host, port: port), on: executor,
            listening: listening, progress: progress)
    }
}

extension Receiver {
    /// Fills a destination from a partner over a connection of its own, on the reactor of
    /// `executor`.
    ///
    /// As ``start(progress:_:)``. Memory is filled by
    /// ``receive(upTo:size:options:on:opening:listening:progress:)``.
    ///
    /// - Parameters:
    ///   - destination: where it goes, such as `.file("/tmp/hosts")`.
    ///   - options: where the partner is, or where to wait for it.
    ///   - executor: whose reactor the connection is on.
    ///   - opening: how connections become open channels, such as by TLS.
    ///   - listening: called with the port that a passive one waits at, for the partner to be told.
    ///   - progress: called after each block.
    /// - Returns: what was moved.
    /// - Throws: ``TransferError``, as ``start(progress:_:)`` and its completion; `.cancelled` when
    ///   the task is cancelled or the reactor ends, `.timedOut` when a deadline of the task's
    ///   passes: the connection is reset then.
    @discardableResult
    public static func receive(
        into destination: sending TransferDestination, options: TransferOptions,
        on executor: Reactor.Executor,
        opening: any ConnectorOpening & Sendable = PlainOpening(),
        listening: (@Sendable (UInt16) -> Void)? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> CopyCounts {
        let transfer = AwaitedTransfer(
            .receiving(destination), options, opening, listening, progress, on: executor)
        return try await transfer.result().counts
    }

    /// Receives from a partner, or from the one that comes where `host` is empty.
    ///
    /// As ``receive(into:options:on:opening:listening:progress:)``.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``TransferError``, as that.
    @discardableResult
    public static func receive(
        into destination: sending TransferDestination, from host: String, port: UInt16,
        on executor: Reactor.Executor, listening: (@Sendable (UInt16) -> Void)? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> CopyCounts {
        try await receive(
            into: destination, options: TransferOptions(host: host, port: port), on: executor,
            listening: listening, progress: progress)
    }

    /// Receives bytes into memory, as ``receive(into:options:on:opening:listening:progress:)``.
    ///
    /// At most `limit` bytes may come, and `size` must, or all that do where it is `nil`.
    ///
    /// - Returns: the bytes.
    /// - Throws: ``TransferError``, as that.
    public static func receive(
        upTo limit: Int, size: Int? = nil, options: TransferOptions,
        on executor: Reactor.Executor,
        opening: any ConnectorOpening & Sendable = PlainOpening(),
        listening: (@Sendable (UInt16) -> Void)? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> [UInt8] {
        let transfer = AwaitedTransfer(
            .receiving(.bytes(upTo: limit, size: size)), options, opening, listening, progress,
            on: executor)
        return try await transfer.result().bytes
    }
}

extension Connection {
    /// Copies a source to this connection, and waits until all of it has gone.
    ///
    /// As ``Channel/copy(from:options:progress:completion:)``. A channel as the source is on the
    /// same reactor; ``copy(to:limit:progress:)`` copies from one connection to another.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``TransferError``; `.cancelled` or `.timedOut` where the task was cancelled or a
    ///   deadline passed: what was moved has been moved.
    @discardableResult
    public func copy(
        from source: sending TransferSource, options: CopyOptions = .init(),
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> CopyCounts {
        // Unsafe: it was given away by whoever made it, and its thread is this very one.
        nonisolated(unsafe) let source = source
        return try await transferring { completion throws(TransferError) in
            try channel.copy(
                from: source, options: options, progress: progress, completion: completion)
        } stopped: {
            $0.stopped(from: source.channel, to: channel)
        }
    }

    /// Copies what this connection reads to a destination, and waits until all of it is there.
    ///
    /// As ``Channel/copy(to:options:progress:completion:)``. A channel as the destination is on the
    /// same reactor. What goes into memory is not told: reading does that.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``TransferError``; `.source` with `.busy` where another task reads; `.cancelled`
    ///   or `.timedOut` where the task was cancelled or a deadline passed: what was moved has been
    ///   moved.
    @discardableResult
    public func copy(
        to destination: sending TransferDestination, options: CopyOptions = .init(),
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(TransferError) -> CopyCounts {
        if reader != .nobody {
            throw .source(.socket(SocketError(.read, .busy, at: peerAddress)))
        }
        // Unsafe: it was given away by whoever made it, and its thread is this very one.
        nonisolated(unsafe) let destination = destination
        return try await transferring { completion throws(TransferError) in
            try channel.copy(
                to: destination, options: options, progress: progress, completion: completion)
        } stopped: {
            $0.stopped(from: channel, to: destination.channel)
        }
    }

    /// - Parameter stopped: what a copy that told nothing has come to.
    private func transferring(
        _ begin: (@escaping (TransferResult) -> Void) throws(TransferError) -> ChannelCopy,
        stopped: (ChannelCopy) -> CopyResult
    ) async throws(TransferError) -> CopyCounts {
        let (result, copy, outcome) = try await following(begin)
        let end = result ?? stopped(copy).transferred(promised: nil)
        if result == nil, outcome == .cancelled { throw .cancelled }
        if result == nil, outcome == .timedOut { throw .timedOut }
        if let error = end.error { throw error }
        return end.counts
    }
}

/// A transfer that a task waits for; what it has is used on its reactor's thread alone.
private struct AwaitedTransfer: @unchecked Sendable {
    // Unchecked: the source or destination was given away by whoever made it, and goes to the
    // thread of the reactor with this value.
    let way: TransferRun.Way
    let options: TransferOptions
    let opening: any ConnectorOpening & Sendable
    let listening: (@Sendable (UInt16) -> Void)?
    let progress: (@Sendable (CopyCounts) -> Void)?
    let executor: Reactor.Executor

    init(
        _ way: TransferRun.Way, _ options: TransferOptions,
        _ opening: any ConnectorOpening & Sendable, _ listening: (@Sendable (UInt16) -> Void)?,
        _ progress: (@Sendable (CopyCounts) -> Void)?, on executor: Reactor.Executor
    ) {
        self.way = way
        self.options = options
        self.opening = opening
        self.listening = listening
        self.progress = progress
        self.executor = executor
    }

    func result() async throws(TransferError) -> TransferResult {
        let result = await withTaskExecutorPreference(executor) { await run() }
        if let error = result.error { throw error }
        return result
    }

    @concurrent
    private func run() async -> TransferResult {
        let waiter = Waiter(on: executor)
        var result: TransferResult?
        var run: TransferRun?
        let outcome = await executor.wait(waiter) {
            do throws(TransferError) {
                run = try begin {
                    result = $0
                    waiter.resume()
                }
            } catch {
                result = TransferResult(error: error)
            }
            return result == nil
        }
        if let result { return result }
        run?.cancel()
        return TransferResult(error: outcome == .timedOut ? .timedOut : .cancelled)
    }

    /// A function of its own: a task that holds the reactor while it waits would keep it alive.
    private func begin(
        _ completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) -> TransferRun {
        guard let reactor = executor.reactor else { throw .cancelled }
        let run = TransferRun(on: reactor, way, options, opening)
        let port = try run.start(progress, completion)
        if let port { listening?(port) }
        return run
    }
}
