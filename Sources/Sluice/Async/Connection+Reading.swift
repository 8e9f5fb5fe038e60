// SPDX-License-Identifier: Apache-2.0
//
// Reading bytes: lent, as arrays, exactly so many, or into the caller's storage.

extension Connection {
    /// Waits for bytes and lends them to `body`, at most `maximum` of them: they are valid until it
    /// returns.
    ///
    /// - Returns: whether there were bytes; `false` at the end of the input. A reset counts as the
    ///   end: ``endReason`` then is ``EndReason/reset``.
    /// - Throws: what `body` throws, or ``SocketError`` with operation `.read`: `.busy` where
    ///   another task reads, `.cancelled`, `.timedOut`, `.badDescriptor` on a closed connection,
    ///   `.shutDown` after ``closeReading()``, or the error of a write in the background, once.
    @discardableResult
    public func read(
        upTo maximum: Int = .max, _ body: (RawSpan) throws -> Void
    ) async throws -> Bool {
        if isBeingRead { try refuseReader() }
        channel.offerRest()
        while true {
            if channel.mayHaveInput {
                switch try channel.readAwaited(upTo: maximum, body) {
                case .bytes: return true
                case .endOfStream: return false
                case .wouldBlock: break
                }
            }
            // As waitForInput(), without a call: each costs a look at the task's executors.
            guard channel.canAwaitInput, waitsAsHandler else {
                try await waitApart()
                continue
            }
            let outcome = await withUnsafeContinuation { beginHandlerWait($0) }
            reader = .nobody
            if outcome != .ready { try fail(outcome) }
        }
    }

    // What these need does not stand in the frames of their callers, which each parked task holds.

    @inline(never)
    private func waitApart() async throws { try await waitForInput() }

    @inline(never)
    private func fail(_ outcome: Waiter.Outcome) throws { try check(outcome, .read) }

    /// Waits for bytes and takes them, at most `maximum`: empty at the end of the input.
    ///
    /// - Throws: ``SocketError``, as ``read(upTo:_:)``.
    public func read(
        upTo maximum: Int = Reactor.scratchByteCount
    ) async throws(SocketError)
        -> [UInt8]
    {
        var bytes: [UInt8] = []
        do {
            try await read(upTo: maximum) { span in bytes = span.withUnsafeBytes { Array($0) } }
            return bytes
        } catch {
            throw Self.socketError(error)
        }
    }

    /// Waits for bytes and copies them to the beginning of `storage`, as many as it holds.
    ///
    /// Nothing is allocated, so one array may serve a connection's whole life.
    ///
    /// - Returns: how many bytes there were; 0 at the end of the input, or where `storage` is empty.
    /// - Throws: ``SocketError``, as ``read(upTo:_:)``.
    public func read(into storage: inout [UInt8]) async throws(SocketError) -> Int {
        if storage.isEmpty {
            try refuseReader()
            return 0
        }
        var count = 0
        do {
            try await read(upTo: storage.count) { bytes in
                count = bytes.byteCount
                bytes.withUnsafeBytes { bytes in
                    storage.withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
                }
            }
            return count
        } catch {
            throw Self.socketError(error)
        }
    }

    /// Waits for exactly `count` bytes.
    ///
    /// - Throws: ``ChannelError``: `.endOfInput` where the input ends before: what came is still
    ///   unread. `.socket` with `.messageTooLong` for more than ``ChannelOptions/inputLimit``, with
    ///   `.invalidArgument` for a negative count, or as ``read(upTo:_:)``. What has come stays
    ///   unread then.
    public func read(exactly count: Int) async throws(ChannelError) -> [UInt8] {
        if count < 0 { throw .socket(SocketError(.read, .invalidArgument, at: peerAddress)) }
        if count > channel.options.inputLimit {
            throw .socket(SocketError(.read, .messageTooLong, at: peerAddress))
        }
        if count == 0 { return [] }
        var bytes: [UInt8]?
        do {
            while true {
                let result = try await parseOnce { (span) in
                    if span.byteCount < count { return 0 }
                    bytes = span.extracting(first: count).withUnsafeBytes { Array($0) }
                    return count
                }
                if let bytes { return bytes }
                if result == .endOfStream { throw ChannelError.endOfInput(peerAddress) }
            }
        } catch {
            throw Self.channelError(error)
        }
    }

    /// Offers `body` what is unread, each time with more, until it consumes something.
    ///
    /// - Returns: `.bytes`, or `.endOfStream` where no more comes.
    func parseOnce(_ body: (RawSpan) throws -> Int) async throws -> ReadResult {
        try refuseReader()
        channel.offerRest()
        while true {
            if channel.mayHaveInput {
                let result = try channel.parseAwaited(body)
                switch result {
                case .bytes(let count) where count > 0: return result
                case .endOfStream: return result
                // The kernel was not asked, or had as much as was asked for.
                case .bytes where channel.mayHaveInput: continue
                default: break
                }
            }
            try await waitForInput()
        }
    }

    /// Takes descriptors that the peer passes from now on, as ``Channel/receiveDescriptors(upTo:)``.
    public func receiveDescriptors(upTo limit: Int) { channel.receiveDescriptors(upTo: limit) }

    /// Takes the descriptor that has waited longest; `nil` where none waits.
    public func takeDescriptor() -> Descriptor? { channel.takeDescriptor() }

    /// Chunks of bytes as they come, to the end of the input.
    public nonisolated var chunks: Chunks { Chunks(connection: self) }

    /// The chunks of a connection, each an array that is not empty.
    public struct Chunks: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// A chunk.
        public typealias Element = [UInt8]
        /// Why it ended early.
        public typealias Failure = SocketError

        let connection: Connection

        /// The iterator of one reader.
        public func makeAsyncIterator() -> Chunks { self }

        /// The next chunk; `nil` at the end of the input.
        ///
        /// - Throws: ``SocketError``, as ``Connection/read(upTo:_:)``.
        public func next(
            isolation: isolated (any Actor)?
        ) async throws(SocketError) -> [UInt8]? {
            let bytes = try await connection.read()
            return bytes.isEmpty ? nil : bytes
        }
    }

    static func socketError(_ error: any Error) -> SocketError {
        // The methods that are called throw nothing else.
        error as? SocketError ?? SocketError(.read, .invalidArgument)
    }

    static func channelError(_ error: any Error) -> ChannelError {
        error as? ChannelError ?? .socket(socketError(error))
    }
}
