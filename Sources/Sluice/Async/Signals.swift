// SPDX-License-Identifier: Apache-2.0
//
// Signals of the process for async code.

import SluiceText

extension Reactor.Executor {
    /// Watches signals; they are kept from now on, whether somebody waits or not.
    ///
    /// As ``Reactor/onSignal(_:_:)``: the watch ends with the last copy of what is returned, and one
    /// reactor of a process at a time may watch signals.
    ///
    /// - Throws: ``SocketError`` with operation `.watch`: `.busy` when another reactor watches
    ///   signals, `.invalidArgument` for one that can't be caught, `.cancelled` after the reactor has
    ///   ended.
    public func signals(_ signals: Signal...) async throws(SocketError) -> Signals {
        try await watch(signals)
    }

    func watch(_ signals: [Signal]) async throws(SocketError) -> Signals {
        let source = SignalSource(on: self)
        let result = await withTaskExecutorPreference(self) { await source.watch(signals) }
        try result.get()
        return Signals(source: source)
    }

    /// Signals as they come; those of one kind that come while nobody looks count as one.
    ///
    /// One task waits at a time.
    public struct Signals: AsyncSequence, AsyncIteratorProtocol, Sendable {
        /// The signal that came.
        public typealias Element = Signal
        /// Why it ended early.
        public typealias Failure = SocketError

        fileprivate let source: SignalSource

        /// The iterator of one waiting task.
        public func makeAsyncIterator() -> Signals { self }

        /// Waits for the next signal; there is no last one.
        ///
        /// - Throws: ``SocketError`` with operation `.wait`: `.cancelled` when the task is cancelled
        ///   or the reactor ends, `.timedOut` when a deadline passes first, `.busy` where another task
        ///   waits.
        public func next(isolation: isolated (any Actor)?) async throws(SocketError) -> Signal? {
            let source = source
            let result = await withTaskExecutorPreference(source.executor) {
                await source.next()
            }
            return try result.get()
        }

        /// Ends the watch now: when this returns the signals do again what they did before.
        func end() async {
            let source = source
            await withTaskExecutorPreference(source.executor) { await source.end() }
        }
    }
}

/// Signals that came and were not told yet.
private final class SignalSource: @unchecked Sendable {
    // Unchecked: all but the executor is touched on its thread alone.

    let executor: Reactor.Executor
    private let waiter: Waiter
    private var actions: [SignalAction] = []
    private var pending: [Signal] = []

    init(on executor: Reactor.Executor) {
        self.executor = executor
        waiter = Waiter(on: executor)
    }

    deinit {
        // Unsafe: nobody else has them, and they go to the thread that they belong to.
        nonisolated(unsafe) let actions = actions
        executor.performEnding { for action in actions { action.end() } }
    }

    @concurrent
    func watch(_ signals: [Signal]) async -> Result<Void, SocketError> {
        guard let reactor = executor.reactor else {
            return .failure(SocketError(.watch, .cancelled))
        }
        do throws(SocketError) {
            for signal in Set(signals) {
                actions.append(
                    try reactor.watch(signal) { [weak self] in
                        guard let self else { return }
                        if !pending.contains(signal) { pending.append(signal) }
                        waiter.resume()
                    })
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    @concurrent
    func end() async {
        for action in actions { action.end() }
        actions = []
    }

    @concurrent
    func next() async -> Result<Signal, SocketError> {
        while pending.isEmpty {
            if waiter.isWaiting { return .failure(SocketError(.wait, .busy)) }
            switch await executor.wait(waiter, { pending.isEmpty }) {
            case .ready: break
            case .cancelled: return .failure(SocketError(.wait, .cancelled))
            case .timedOut: return .failure(SocketError(.wait, .timedOut))
            }
        }
        return .success(pending.removeFirst())
    }
}
