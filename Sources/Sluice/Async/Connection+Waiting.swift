// SPDX-License-Identifier: Apache-2.0
//
// How a task waits for a connection: for input, for room, for an end; and for how long.

extension Connection {
    /// Waits until there may be something to read: bytes, the end of the input or an error.
    @inline(never)
    func waitForInput() async throws(SocketError) {
        try refuseReader()
        // What has ended already is told by the read that follows.
        guard channel.canAwaitInput else { return }
        let outcome: Waiter.Outcome
        if waitsAsHandler {
            outcome = await withUnsafeContinuation { beginHandlerWait($0) }
        } else {
            reader = .another
            outcome = await reading.wait {
                channel.arrange()
                return channel.canAwaitInput
            }
        }
        reader = .nobody
        if outcome != .ready { try check(outcome, .read) }
    }

    /// Whether another task or a copy reads.
    @inline(__always)
    var isBeingRead: Bool { reader != .nobody || channel.isCopySource }

    /// Has nobody read while somebody else does: it would take what that one has seen.
    @inline(never)
    func refuseReader() throws(SocketError) {
        if isBeingRead { throw SocketError(.read, .busy, at: peerAddress) }
    }

    /// Whether the running task is the handler's and has no deadline: then its cancellation is
    /// looked after already.
    @inline(__always)
    var waitsAsHandler: Bool {
        handlerTask != nil && !Deadline.isAny && handlerTask == TaskIdentity.current
            && !Task.isCancelled
    }

    @inline(__always)
    func beginHandlerWait(_ continuation: UnsafeContinuation<Waiter.Outcome, Never>) {
        reader = .handler
        reading.begin(continuation)
        // Its one word is the task's address. A task that is gone does no harm: it is a hint.
        channel.waitingTask = unsafeBitCast(continuation, to: UnsafeRawPointer.self)
        channel.arrange()
        if !channel.canAwaitInput { reading.resume() }
    }

    /// The handler's task was cancelled: its wait ends, and later ones do not begin.
    func handlerWasCancelled() {
        // Another task that reads looks after itself: it is woken, finds nothing and waits again.
        reading.resume(reader == .handler ? .cancelled : .ready)
    }

    /// Waits until the output, if it has been above the high mark, is down to the low one, or nothing
    /// can go any more.
    ///
    /// - Throws: ``SocketError`` with operation `.write`: `.cancelled` or `.timedOut`.
    public func waitForRoom() async throws(SocketError) {
        try await wait(for: .room, .write) { channel.isAboveMark }
    }

    /// Waits for something of the channel, again and again while it is needed.
    func wait(
        for awaited: Awaited, _ operation: SocketError.Operation, while isNeeded: () -> Bool
    ) async throws(SocketError) {
        while isNeeded() {
            try check(await channel.wait(for: awaited, on: executor, isNeeded), operation)
        }
    }

    func check(
        _ outcome: Waiter.Outcome, _ operation: SocketError.Operation
    )
        throws(SocketError)
    {
        switch outcome {
        case .ready: return
        case .cancelled: throw SocketError(operation, .cancelled, at: peerAddress)
        case .timedOut: throw SocketError(operation, .timedOut, at: peerAddress)
        }
    }

    /// Waits until the peer has closed its writing side or is gone, also when nobody reads.
    ///
    /// - Throws: ``SocketError`` with operation `.read`: `.cancelled` or `.timedOut`.
    public func peerClosed() async throws(SocketError) {
        try await wait(for: .peerClosed, .read) {
            [.connecting, .open, .halfClosed].contains(channel.status) && !channel.hasPeerClosed
                && !channel.state.isCloseAsked
        }
    }

    /// Waits until the connection has released its descriptor.
    ///
    /// - Returns: why it ended.
    /// - Throws: ``SocketError`` with operation `.close`: `.cancelled` or `.timedOut`.
    @discardableResult
    public func closed() async throws(SocketError) -> EndReason {
        try await wait(for: .closed, .close) { channel.status != .closed }
        return channel.endReason ?? .local
    }

    /// Gives the waits of `body` a deadline: one that is not over when `limit` has passed fails with
    /// `.timedOut`, as does each later one.
    ///
    /// Nothing is closed, and nothing that has come is lost. Deadlines may stand in one another: the
    /// inner one holds, no longer than the outer one.
    public nonisolated(nonsending) func within<Result>(
        _ limit: Duration, _ body: () async throws -> Result
    ) async throws -> Result {
        try await executor.within(limit, body)
    }
}

/// Which task one is, as long as it lives.
struct TaskIdentity: Equatable {
    private let address: UInt

    /// The running task's; 0 where there is none.
    @inline(__always)
    static var current: TaskIdentity {
        // A task is one reference, and none is nil: only its address is looked at.
        withUnsafeCurrentTask { TaskIdentity(address: unsafeBitCast($0, to: UInt.self)) }
    }
}
