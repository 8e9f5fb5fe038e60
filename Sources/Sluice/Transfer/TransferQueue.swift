// SPDX-License-Identifier: Apache-2.0
//
// Transfers one after the other, in the order in which they came.
// One that fails is told to whoever wanted it, and the next has its turn.

/// Transfers that wait for one another: copies to channels, transmitters and receivers.
///
/// Each begins when the one before it has ended, in whatever way, and each has a completion of its
/// own. The reactor keeps a queue alive while it is busy. In tasks a loop does the same.
///
/// Source: tcllib's transfer::copy::queue(n), where a failure loses all that waits behind it.
public final class TransferQueue {
    /// How many transfers wait at most, beside the one under way; 1 or more.
    public let limit: Int
    /// Called when a transfer was added, when one begins or has ended, and after ``cancelAll()``;
    /// it may ask and change the queue.
    public var onStatus: ((TransferQueue) -> Void)?

    private let link: ReactorLink
    private var waiting = LinkedQueue<Entry>()
    private var current: Current?
    /// Whether a turn is on its way in which the next one begins.
    private var isComing = false

    /// A transfer that waits.
    private struct Entry {
        /// Begins it, and says how it is ended.
        let begin: (TransferQueue, Current) throws(TransferError) -> () -> Void
        let completion: (TransferResult) -> Void
    }

    /// The transfer under way.
    private final class Current {
        let completion: (TransferResult) -> Void
        var cancel: () -> Void = {}

        init(_ completion: @escaping (TransferResult) -> Void) { self.completion = completion }
    }

    /// An empty queue.
    public init(on reactor: Reactor, limit: Int = 1_024) {
        link = reactor.link
        self.limit = max(1, limit)
    }

    /// How many transfers wait, without the one under way.
    public var pendingCount: Int { waiting.count }

    /// Whether a transfer is under way, or waits.
    public var isBusy: Bool { current != nil || !waiting.isEmpty }

    /// Adds a copy to a channel, as ``Channel/copy(from:options:progress:completion:)``.
    ///
    /// `completion` is called once, in a later turn; what that call throws is told there, too, and
    /// so is that a channel was closed. Not after ``cancelAll()``, or the reactor's end.
    ///
    /// - Throws: ``TransferError``: `.tooManyWaiting`, or `.cancelled` after the reactor has ended.
    public func add(
        _ source: TransferSource, to channel: Channel, options: CopyOptions = .init(),
        progress: ((CopyCounts) -> Void)? = nil,
        completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) {
        try add(completion) { queue, current throws(TransferError) in
            let copy = try channel.copy(from: source, options: options, progress: progress) {
                queue.ended(current, $0)
            }
            // What holds the copy is the channel, until it is over.
            copy.onStop = { [unowned copy] in queue.stopped(current, copy, source, channel) }
            if !copy.isUnderWay { queue.stopped(current, copy, source, channel) }
            return { [weak copy] in
                copy?.onStop = nil
                copy?.stop()
            }
        }
    }

    /// Adds a run of a transmitter, as ``Transmitter/start(progress:_:)``.
    ///
    /// `completion` is as that of ``add(_:to:options:progress:completion:)``; it is not called for
    /// a run that is cancelled.
    ///
    /// - Throws: ``TransferError``, as ``add(_:to:options:progress:completion:)``.
    public func add(
        _ transmitter: Transmitter, progress: ((CopyCounts) -> Void)? = nil,
        completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) {
        try add(transmitter.run, progress, completion)
    }

    /// Adds a run of a receiver, as ``Receiver/start(progress:_:)``.
    ///
    /// `completion` is as that of ``add(_:to:options:progress:completion:)``; it is not called for
    /// a run that is cancelled.
    ///
    /// - Throws: ``TransferError``, as ``add(_:to:options:progress:completion:)``.
    public func add(
        _ receiver: Receiver, progress: ((CopyCounts) -> Void)? = nil,
        completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) {
        try add(receiver.run, progress, completion)
    }

    /// Ends the transfer under way, and drops those that wait; nobody is told but ``onStatus``.
    public func cancelAll() {
        let (ended, dropped) = (current, waiting)
        current = nil
        waiting = LinkedQueue()
        ended?.cancel()
        withExtendedLifetime(dropped) {}
        onStatus?(self)
    }
}

/// Queues stay on their reactor's thread.
@available(*, unavailable)
extension TransferQueue: Sendable {}

// MARK: - One after the other

extension TransferQueue {
    private func add(
        _ run: TransferRun, _ progress: ((CopyCounts) -> Void)?,
        _ completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) {
        try add(completion) { queue, current throws(TransferError) in
            _ = try run.start(progress) { queue.ended(current, $0) }
            // Whoever holds it may cancel it.
            run.onCancel = { queue.ended(current, nil) }
            return { [weak run] in
                run?.onCancel = nil
                run?.cancel()
            }
        }
    }

    private func add(
        _ completion: @escaping (TransferResult) -> Void,
        _ begin: @escaping (TransferQueue, Current) throws(TransferError) -> () -> Void
    ) throws(TransferError) {
        if waiting.count >= limit { throw .tooManyWaiting(limit: limit) }
        if link.reactor == nil { throw .cancelled }
        _ = waiting.append(Entry(begin: begin, completion: completion))
        goOn()
        onStatus?(self)
    }

    /// Has the next one begin in a later turn.
    private func goOn() {
        guard !isComing, current == nil, !waiting.isEmpty else { return }
        isComing = true
        link.reactor?.after(.zero) { [self] in
            isComing = false
            beginNext()
        }
    }

    private func beginNext() {
        guard current == nil, let next = waiting.popFirst() else { return }
        let beginning = Current(next.completion)
        current = beginning
        do throws(TransferError) {
            beginning.cancel = try next.begin(self, beginning)
        } catch {
            return ended(beginning, TransferResult(error: error))
        }
        onStatus?(self)
    }

    /// The transfer under way has ended; the next one begins whatever came of it.
    private func ended(_ transfer: Current, _ result: TransferResult?) {
        guard current === transfer else { return }
        current = nil
        transfer.cancel = {}
        goOn()
        if let result { transfer.completion(result) }
        onStatus?(self)
    }

    /// A copy ended without a result, as one of its channels was closed.
    private func stopped(
        _ transfer: Current, _ copy: ChannelCopy, _ source: TransferSource, _ channel: Channel
    ) {
        link.reactor?.after(.zero) { [self] in
            let result = copy.stopped(from: source.channel, to: channel)
            ended(transfer, result.transferred(promised: nil))
        }
    }
}
