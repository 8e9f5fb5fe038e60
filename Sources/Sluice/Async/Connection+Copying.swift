// SPDX-License-Identifier: Apache-2.0
//
// Copies and files for async code: each call returns when all of it has gone.

extension Connection {
    /// Copies what this connection reads to another of the same reactor, up to the end of the input.
    ///
    /// It moves text by the settings of both sides, as ``Channel/copy(to:limit:progress:completion:)``;
    /// bytes pass untouched with ``ChannelOptions/binary``. Two of them, the other way round, make a
    /// relay.
    ///
    /// - Parameters:
    ///   - other: the connection to write to.
    ///   - limit: how many characters to read, or bytes where they pass untouched; `nil` for all.
    ///   - progress: called after each piece.
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``, from either side; `.socket` with `.busy` where another task reads
    ///   or another copy goes on, with `.invalidArgument` where the connections are on two reactors,
    ///   with `.cancelled` or `.timedOut`: what was moved has been moved; with `.badDescriptor` where
    ///   this program closed one of them meanwhile.
    @discardableResult
    public func copy(
        to other: Connection, limit: Int? = nil, progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(ChannelError) -> CopyCounts {
        guard other.executor === executor else {
            throw .socket(SocketError(.perform, .invalidArgument, at: other.peerAddress))
        }
        // Unsafe: the other connection's thread is this very one.
        nonisolated(unsafe) let sink = other.channel
        return try await moving { completion throws(ChannelError) in
            try channel.copy(to: sink, limit: limit, progress: progress, completion: completion)
        }
    }

    /// Writes what this connection reads into a file, which is made or emptied first.
    ///
    /// As ``Channel/receiveFile(_:limit:as:progress:completion:)``.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``, as ``copy(to:limit:progress:)``, or `.file`.
    @discardableResult
    public func receiveFile(
        _ path: String, limit: Int? = nil, as text: TextOptions? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(ChannelError) -> CopyCounts {
        try await moving { completion throws(ChannelError) in
            try channel.receiveFile(
                path, limit: limit, as: text, progress: progress, completion: completion)
        }
    }

    /// Sends a part of a file by sendfile(2), behind what was written before, and waits until it has
    /// gone.
    ///
    /// As ``Channel/sendFile(_:from:count:progress:completion:)``.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``, as ``copy(to:limit:progress:)``, or `.file`. After `.cancelled` and
    ///   `.timedOut` the file goes on.
    @discardableResult
    public func sendFile(
        _ path: String, from offset: Int = 0, count: Int? = nil,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(ChannelError) -> CopyCounts {
        var result: CopyResult?
        let waiter = Waiter(on: executor)
        try channel.sendFile(path, from: offset, count: count, progress: progress) {
            result = $0
            waiter.resume()
        }
        // A channel that closes tells nobody of its files.
        let outcome = await channel.wait(waiter, for: .closed) {
            result == nil && channel.status != .closed
        }
        return try counts(of: result, outcome)
    }

    /// Sends a part of a file as text, and waits until it has gone.
    ///
    /// As ``Channel/sendFile(_:from:count:as:progress:completion:)``.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``, as ``copy(to:limit:progress:)``, or `.file`.
    @discardableResult
    public func sendFile(
        _ path: String, from offset: Int = 0, count: Int? = nil, as text: TextOptions,
        progress: (@Sendable (CopyCounts) -> Void)? = nil
    ) async throws(ChannelError) -> CopyCounts {
        try await moving(reads: false) { completion throws(ChannelError) in
            try channel.sendFile(
                path, from: offset, count: count, as: text, progress: progress,
                completion: completion)
        }
    }

    private func moving(
        reads: Bool = true,
        _ begin: (@escaping (CopyResult) -> Void) throws(ChannelError) -> ChannelCopy
    ) async throws(ChannelError) -> CopyCounts {
        if reads, reader != .nobody {
            throw .socket(SocketError(.read, .busy, at: peerAddress))
        }
        let (result, _, outcome) = try await following(begin)
        return try counts(of: result, outcome)
    }

    /// Begins a copy, and waits until it has told its result or has stopped; where the wait ends
    /// before, it is stopped.
    func following<Result, Failure: Error>(
        _ begin: (@escaping (Result) -> Void) throws(Failure) -> ChannelCopy
    ) async throws(Failure) -> (result: Result?, copy: ChannelCopy, outcome: Waiter.Outcome) {
        var result: Result?
        let waiter = Waiter(on: executor)
        let copy = try begin {
            result = $0
            waiter.resume()
        }
        copy.onStop = { waiter.resume() }
        var outcome = Waiter.Outcome.ready
        if copy.isUnderWay { outcome = await executor.wait(waiter) { copy.isUnderWay } }
        copy.onStop = nil
        copy.stop()
        return (result, copy, outcome)
    }

    private func counts(
        of result: CopyResult?, _ outcome: Waiter.Outcome
    ) throws(ChannelError) -> CopyCounts {
        if let result {
            if let error = result.error { throw error }
            return result.counts
        }
        do throws(SocketError) { try check(outcome, .read) } catch { throw .socket(error) }
        throw .socket(SocketError(.read, .badDescriptor, at: peerAddress))
    }
}
