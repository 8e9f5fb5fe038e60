// SPDX-License-Identifier: Apache-2.0
//
// A datagram channel for async code: an actor whose executor is the channel's own reactor.

/// A datagram that async code has received.
public struct Datagram: Hashable, Sendable {
    /// Its bytes; there may be none.
    public let bytes: [UInt8]
    /// Who sent it, and what came with it.
    public let info: DatagramInfo

    /// Who sent it.
    public var sender: SocketAddress { info.sender }
}

/// A datagram socket that async code receives from and sends by: an actor on its reactor's own
/// thread.
///
/// One task receives at a time; a second is refused with `.busy`. Any number may send. Cancelling a
/// task ends its wait with `.cancelled` and closes nothing; ``within(_:_:)`` gives waits a deadline.
public actor AsyncDatagramChannel: ReactorActor {
    /// Runs what is isolated to the channel: its reactor's.
    public nonisolated let executor: Reactor.Executor
    // Unsafe: a channel is not Sendable, but only what is isolated to this actor reaches it, and
    // that runs on the thread of the channel's reactor. Whoever made this had the channel, and so
    // was on that thread, too.
    nonisolated(unsafe) let channel: DatagramChannel
    private let receiving: Waiter
    /// Those who wait for room, each with a wait of its own.
    private var draining: [Waiter] = []
    /// What came in a batch and was not taken: at most one batch, then the channel pauses.
    private var received: ArraySlice<Datagram> = []
    private var isReceiving = false
    /// An error of the network's, for who sends or receives next.
    private var failure: DatagramError?
    /// One that a loop has passed over.
    private var kept: DatagramError?

    /// So many wait here; more stay in the kernel.
    private static let most = 64

    /// Takes a datagram channel over: its handlers are replaced, and nobody else should use it from
    /// now on.
    ///
    /// To be called where the channel is, on its reactor's thread.
    ///
    /// - Throws: ``SocketError`` with `.badDescriptor` for a channel that is closed.
    public static func adopting(
        _ channel: DatagramChannel
    ) throws(SocketError) -> AsyncDatagramChannel {
        guard channel.isOpen, let reactor = channel.reactor else {
            throw SocketError(.perform, .badDescriptor)
        }
        // Unsafe: see `channel`; the actor runs on this very thread.
        nonisolated(unsafe) let channel = channel
        let made = AsyncDatagramChannel(channel, reactor.executor)
        made.onSameReactor { $0.begin() }
        return made
    }

    /// Opens a socket at an address, on the reactor of `executor`.
    ///
    /// - Throws: ``SocketError``, as ``DatagramChannel/init(on:at:options:)``; with `.cancelled`
    ///   after the reactor has ended.
    public static func open(
        at address: SocketAddress, on executor: Reactor.Executor,
        options: DatagramOptions = .init()
    ) async throws(SocketError) -> AsyncDatagramChannel {
        try await executor.open { (reactor) throws(SocketError) in
            try DatagramChannel(on: reactor, at: address, options: options)
        }
    }

    /// Opens a socket that sends to one peer and hears it alone, on the reactor of `executor`.
    ///
    /// - Throws: ``SocketError``, as ``DatagramChannel/init(on:connectedTo:from:options:)``; with
    ///   `.cancelled` after the reactor has ended.
    public static func open(
        connectedTo peer: SocketAddress, from local: SocketAddress? = nil,
        on executor: Reactor.Executor, options: DatagramOptions = .init()
    ) async throws(SocketError) -> AsyncDatagramChannel {
        try await executor.open { (reactor) throws(SocketError) in
            try DatagramChannel(on: reactor, connectedTo: peer, from: local, options: options)
        }
    }

    private init(_ channel: DatagramChannel, _ executor: Reactor.Executor) {
        self.executor = executor
        self.channel = channel
        receiving = Waiter(on: executor)
        executor.countActors(1)
    }

    deinit {
        executor.countActors(-1)
        // Without it nobody could receive, send or close. Unsafe: nobody else has the channel, and
        // it goes to the thread that it belongs to.
        nonisolated(unsafe) let channel = channel
        executor.performEnding { channel.close() }
    }

    private func begin() {
        // Weak: the channel must not keep alive whose end closes it.
        channel.onDatagram { [weak self] _, bytes, info in
            let datagram = Datagram(bytes: bytes.withUnsafeBytes { Array($0) }, info: info)
            self?.onSameReactor { $0.take(datagram) }
        }
        channel.onError { [weak self] _, error in self?.onSameReactor { $0.failed(error) } }
        channel.onDrained { [weak self] _ in self?.onSameReactor { $0.wakeSenders() } }
        channel.onClose { [weak self] _ in self?.onSameReactor { $0.closed() } }
        channel.endHook = { [weak self] in self?.onSameReactor { $0.closed() } }
        channel.resumeReceiving()
    }

    private func take(_ datagram: Datagram) {
        received.append(datagram)
        if received.count >= Self.most { channel.pauseReceiving() }
        receiving.resume()
    }

    private func failed(_ error: DatagramError) {
        failure = error
        receiving.resume()
    }

    private func closed() {
        receiving.resume()
        wakeSenders()
    }

    private func wakeSenders() {
        for waiter in draining { waiter.resume() }
    }

    /// The reactor's executor.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }
}

// MARK: - Receiving

extension AsyncDatagramChannel {
    /// Waits for a datagram and takes it.
    ///
    /// - Throws: ``DatagramError`` with operation `.read`: `.busy` where another task receives,
    ///   `.cancelled`, `.timedOut`, `.badDescriptor` once the channel is closed; or what the network
    ///   has answered to an earlier datagram, once.
    public func receive() async throws(DatagramError) -> Datagram {
        switch try await arrival() {
        case .datagram(let datagram): return datagram
        case .failure(let error): throw error
        case .end: throw DatagramError(SocketError(.read, .badDescriptor))
        }
    }

    /// What a receiver may meet.
    fileprivate enum Arrival: Sendable {
        case datagram(Datagram)
        /// What became of a datagram of ours.
        case failure(DatagramError)
        /// The channel is closed.
        case end
    }

    /// Waits for a datagram, an error of the network's, or the end.
    fileprivate func arrival() async throws(DatagramError) -> Arrival {
        if isReceiving { throw DatagramError(SocketError(.read, .busy)) }
        while true {
            if let datagram = received.popFirst() {
                if received.isEmpty { resume() }
                return .datagram(datagram)
            }
            if let error = failure.take() { return .failure(error) }
            if !channel.isOpen { return .end }
            isReceiving = true
            let outcome = await receiving.wait {
                received.isEmpty && failure == nil && channel.isOpen
            }
            isReceiving = false
            try check(outcome, .read)
        }
    }

    private func resume() {
        received = []
        if channel.isPaused { channel.resumeReceiving() }
    }

    private func check(
        _ outcome: Waiter.Outcome, _ operation: SocketError.Operation
    ) throws(DatagramError) {
        switch outcome {
        case .ready: return
        case .cancelled: throw DatagramError(SocketError(operation, .cancelled))
        case .timedOut: throw DatagramError(SocketError(operation, .timedOut))
        }
    }

    /// Datagrams as they come, until the channel is closed or the task is cancelled.
    ///
    /// What the network has answered to those that were sent ends no loop: it is left to
    /// ``takeError()``. A client that waits for an answer had better use ``receive()``, which tells it
    /// at once.
    public nonisolated var datagrams: Datagrams { Datagrams(channel: self) }

    /// The datagrams of a channel, as they come.
    public struct Datagrams: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// A datagram.
        public typealias Element = Datagram
        /// Why it ended early.
        public typealias Failure = DatagramError

        let channel: AsyncDatagramChannel

        /// The iterator of one receiver.
        public func makeAsyncIterator() -> Datagrams { self }

        /// The next datagram; `nil` once the channel is closed.
        ///
        /// - Throws: ``DatagramError`` with operation `.read`: `.busy`, `.cancelled` or `.timedOut`.
        public func next(
            isolation: isolated (any Actor)?
        ) async throws(DatagramError) -> Datagram? {
            while true {
                switch try await channel.arrival() {
                case .datagram(let datagram): return datagram
                case .failure(let error): await channel.keep(error)
                case .end: return nil
                }
            }
        }
    }

    private func keep(_ error: DatagramError) { kept = error }

    /// Takes the last thing that the network has answered to a datagram that did not arrive; the next
    /// call gives `nil`.
    public func takeError() -> DatagramError? {
        let last = failure ?? kept
        failure = nil
        kept = nil
        return last
    }
}

// MARK: - Sending

extension AsyncDatagramChannel {
    /// Sends a datagram at the end of the turn, as ``DatagramChannel/send(_:to:)-(RawSpan,_)``.
    ///
    /// Datagrams of one turn leave together: those that a task sends on the channel's own reactor, as
    /// with `Task(executorPreference: channel.executor)` or in ``with(_:)``. From a task elsewhere each
    /// is a turn of its own.
    ///
    /// - Throws: ``SocketError``, as there.
    @discardableResult
    public func send(
        _ bytes: [UInt8], to address: SocketAddress? = nil
    ) throws(SocketError) -> DatagramSendResult {
        try channel.send(bytes, to: address)
    }

    /// Waits until all that had to wait has gone to the kernel, or the channel is closed.
    ///
    /// Any number of tasks may wait so.
    ///
    /// - Throws: ``DatagramError`` with operation `.write`: `.cancelled` or `.timedOut`.
    public func waitForRoom() async throws(DatagramError) {
        if channel.unsent.isEmpty { return }
        let waiter = Waiter(on: executor)
        draining.append(waiter)
        defer { draining.removeAll { $0 === waiter } }
        while channel.isOpen, !channel.unsent.isEmpty {
            let outcome = await waiter.wait { channel.isOpen && !channel.unsent.isEmpty }
            try check(outcome, .write)
        }
    }

    /// Gives the waits of `body` a deadline: one that is not over when `limit` has passed fails with
    /// `.timedOut`, as does each later one.
    public nonisolated(nonsending) func within<Result>(
        _ limit: Duration, _ body: () async throws -> Result
    ) async throws -> Result {
        try await executor.within(limit, body)
    }

    /// Closes at once, as ``DatagramChannel/close()``; a task that waits is told.
    public func close() { channel.close() }

    /// Runs `body` with the channel underneath, for what has no async form: options, groups,
    /// connecting.
    public func with<Result: Sendable, Failure: Error>(
        _ body: @Sendable (DatagramChannel) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(channel)
    }
}

// MARK: - What may be asked

extension AsyncDatagramChannel {
    /// This side's address.
    ///
    /// - Throws: ``SocketError``, as ``DatagramChannel/localAddress``.
    public var localAddress: SocketAddress {
        get throws(SocketError) { try channel.localAddress }
    }

    /// What the channel has done.
    public var counters: DatagramCounters { channel.counters }

    /// Whether it is open.
    public var isOpen: Bool { channel.isOpen }
}

extension Reactor.Executor {
    /// Makes a channel on the reactor's thread.
    fileprivate func open(
        _ make: @escaping @Sendable (Reactor) throws(SocketError) -> DatagramChannel
    ) async throws(SocketError) -> AsyncDatagramChannel {
        let result = await withTaskExecutorPreference(self) { await opened(make) }
        return try result.get()
    }

    @concurrent
    private func opened(
        _ make: @Sendable (Reactor) throws(SocketError) -> DatagramChannel
    ) async -> Result<AsyncDatagramChannel, SocketError> {
        do throws(SocketError) {
            guard let reactor else { throw SocketError(.create, .cancelled) }
            return .success(try .adopting(try make(reactor)))
        } catch {
            return .failure(error)
        }
    }
}
