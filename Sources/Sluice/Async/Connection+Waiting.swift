// SPDX-License-Identifier: Apache-2.0
//
// How a task waits for a connection: for input, for room, for an end; and for how long.

extension Connection {
    /// Waits until there may be something to read: bytes, the end of the input or an error.
    @inline(never)
    func waitForInput() async throws(SocketError) {
        if reading.isWaiting { throw SocketError(.read, .busy, at: peerAddress) }
        // What has ended already is told by the read that follows.
        guard channel.canAwaitInput else { return }
        let outcome: Waiter.Outcome
        if waitsAsHandler {
            outcome = await withUnsafeContinuation { beginHandlerWait($0) }
            handlerReads = false
        } else {
            outcome = await reading.wait { channel.arrange() }
        }
        if outcome != .ready { try check(outcome, .read) }
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
        handlerReads = true
        reading.begin(continuation)
        channel.arrange()
    }

    /// The handler's task was cancelled: its wait ends, and later ones do not begin.
    func handlerWasCancelled() {
        // Another task that reads looks after itself: it is woken, finds nothing and waits again.
        reading.resume(handlerReads ? .cancelled : .ready)
    }

    /// Waits until the output is down to the low mark, or nothing can go any more.
    ///
    /// - Throws: ``SocketError`` with operation `.write`: `.cancelled` or `.timedOut`.
    public func waitForRoom() async throws(SocketError) {
        try check(await channel.wait(for: .room, on: executor), .write)
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
        while channel.status == .open || channel.status == .halfClosed {
            if channel.hasPeerClosed { return }
            try check(await channel.wait(for: .peerClosed, on: executor), .read)
        }
    }

    /// Waits until the connection has released its descriptor.
    ///
    /// - Returns: why it ended.
    /// - Throws: ``SocketError`` with operation `.close`: `.cancelled` or `.timedOut`.
    @discardableResult
    public func closed() async throws(SocketError) -> EndReason {
        while channel.status != .closed {
            try check(await channel.wait(for: .closed, on: executor), .close)
        }
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
