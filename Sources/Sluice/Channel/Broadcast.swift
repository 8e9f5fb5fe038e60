// SPDX-License-Identifier: Apache-2.0
//
// One message for many channels: what may be asked, what has become of it, and the order in which a
// reactor brings such messages to their receivers.

/// What happens to a receiver that is slow.
///
/// Slow is one whose unsent output is above ``ChannelOptions/highWaterMark``, where each message
/// that it shares with others counts 40 bytes more than it has.
public enum SlowReceiverPolicy: String, CaseIterable, Hashable, Sendable {
    /// It does not get this message.
    case skip
    /// It ends with ``EndReason/Limit/output``: what waits for it is dropped, and its peer sees a
    /// reset.
    case end
    /// The message waits for it behind the others, up to ``ChannelOptions/outputLimit``; beyond
    /// that it does not get it.
    case queue
}

/// What has become of a broadcast: each receiver is in one of the numbers.
public struct BroadcastResult: Hashable, Sendable {
    /// For how many receivers the kernel has taken all of it at once.
    public var sent = 0
    /// For how many it waits, or a part of it.
    public var queued = 0
    /// How many do not get it: slow ones, those with closed writing or a copy into them, those
    /// that were closed or failed meanwhile, those for whom it would go over a limit, and all
    /// whose turn had not come when too much was under way.
    public var skipped = 0
    /// How many have ended because they were slow.
    public var ended = 0

    /// No receivers.
    public init() {}

    /// The numbers of both.
    static func + (one: Self, other: Self) -> Self {
        var sum = one
        sum.sent += other.sent
        sum.queued += other.queued
        sum.skipped += other.skipped
        sum.ended += other.ended
        return sum
    }
}

extension Reactor {
    /// Sends `bytes` to all channels that are open on this reactor, as
    /// ``ChannelGroup/broadcast(_:to:_:)``.
    public func broadcast(
        _ bytes: [UInt8], to slow: SlowReceiverPolicy = .skip,
        _ completion: ((BroadcastResult) -> Void)? = nil
    ) {
        broadcast(bytes, among: channels.filter { $0.state.phase == .open }, slow, completion)
    }

    func broadcast(
        _ bytes: [UInt8], among receivers: [Channel], _ slow: SlowReceiverPolicy,
        _ completion: ((BroadcastResult) -> Void)?
    ) {
        broadcasts.begin(
            Broadcast(SharedBytes(bytes, buffers), receivers, slow, completion), on: self)
    }

    /// The broadcasts that are under way.
    var broadcasts: Broadcasts { attachment { Broadcasts() } }
}

/// A message on its way to its receivers.
private final class Broadcast {
    /// `nil` when nobody more gets it.
    private var message: SharedBytes?
    private let receivers: [Channel]
    private var next = 0
    private let slow: SlowReceiverPolicy
    private(set) var result = BroadcastResult()
    let completion: ((BroadcastResult) -> Void)?

    init(
        _ message: SharedBytes, _ receivers: [Channel], _ slow: SlowReceiverPolicy,
        _ completion: ((BroadcastResult) -> Void)?
    ) {
        self.message = message
        self.receivers = receivers
        self.slow = slow
        self.completion = completion
        message.isUnderWay = true
    }

    /// Whether every receiver has had its turn.
    var isDone: Bool { next == receivers.count }

    /// How many bytes are still to be brought to somebody.
    var byteCount: Int { message?.bytes.count ?? 0 }

    /// How many of them count for the reactor.
    var countedByteCount: Int { message?.isCounted == true ? byteCount : 0 }

    /// It waits for a turn, and its bytes count meanwhile.
    func count() { message?.countOnce() }

    /// Brings it to some receivers more.
    ///
    /// Who observes the reactor may come back here by way of it, so that each receiver is passed
    /// before it takes anything.
    ///
    /// - Returns: to how many.
    func goOn(upTo limit: Int, on reactor: Reactor) -> Int {
        let start = next
        while let message, next < receivers.count, next - start < limit {
            let receiver = receivers[next]
            next += 1
            switch receiver.take(message, ifSlow: slow, on: reactor) {
            case .sent: result.sent += 1
            case .queued: result.queued += 1
            case .skipped: result.skipped += 1
            case .ended: result.ended += 1
            }
        }
        let count = next - start
        if isDone { letGo() }
        return count
    }

    /// All who have not had their turn do not get it.
    func skipRest() {
        result.skipped += receivers.count - next
        next = receivers.count
        letGo()
    }

    /// From now on it is only in the queues of those who wait for it.
    private func letGo() {
        message?.isUnderWay = false
        message = nil
    }
}

/// The broadcasts of a reactor that are under way, in their order.
final class Broadcasts: Resident {
    var residentIndex = -1
    private var waiting: [Broadcast] = []
    /// What is to be told.
    private var finished: [() -> Void] = []
    private var isEnqueued = false
    /// The oldest is brought to receivers just now.
    private var isGoingOn = false

    /// How many receivers one turn has.
    private static let receiversPerTurn = 1_024
    /// How many messages wait at most, and how many bytes of them.
    private static let limit = 64
    private static let byteLimit = 16_777_216

    /// The first receivers have their turn now, where no other broadcast is under way.
    fileprivate func begin(_ broadcast: Broadcast, on reactor: Reactor) {
        if hasRoom(for: broadcast.byteCount) {
            waiting.append(broadcast)
            if waiting.count == 1 { _ = goOn(upTo: Self.receiversPerTurn, on: reactor) }
            broadcast.count()
        } else {
            broadcast.skipRest()
            finish(broadcast)
        }
        enqueue(on: reactor)
    }

    private func hasRoom(for byteCount: Int) -> Bool {
        if waiting.isEmpty { return true }
        let waitingByteCount = waiting.reduce(0) { $0 + $1.byteCount }
        return waiting.count < Self.limit && waitingByteCount + byteCount <= Self.byteLimit
    }

    /// Brings the oldest to some receivers more; to be called where nobody does so already.
    ///
    /// - Returns: to how many.
    private func goOn(upTo limit: Int, on reactor: Reactor) -> Int {
        let oldest = waiting[0]
        isGoingOn = true
        let count = oldest.goOn(upTo: limit, on: reactor)
        isGoingOn = false
        if oldest.isDone {
            waiting.removeFirst()
            finish(oldest)
        }
        return count
    }

    private func finish(_ broadcast: Broadcast) {
        guard let completion = broadcast.completion else { return }
        finished.append { [result = broadcast.result] in completion(result) }
    }

    private func enqueue(on reactor: Reactor) {
        // Whoever goes on comes by here afterwards.
        if isEnqueued || isGoingOn || (waiting.isEmpty && finished.isEmpty) { return }
        isEnqueued = true
        reactor.enqueue(self)
    }

    func takeTurn(on reactor: Reactor) {
        isEnqueued = false
        var budget = Self.receiversPerTurn
        while budget > 0, !isGoingOn, !waiting.isEmpty {
            budget -= goOn(upTo: budget, on: reactor)
        }
        // What they do may come here again.
        let told = finished
        finished = []
        enqueue(on: reactor)
        for tell in told { tell() }
    }

    func reactorEnded() {}
}

extension Broadcasts {
    /// How many bytes are held for broadcasts: no channel's end gives them back.
    var countedByteCount: Int { waiting.reduce(0) { $0 + $1.countedByteCount } }

    /// Has the newest skip the rest of their receivers, and then those before them, until enough
    /// is given back.
    func makeRoom(until isEnough: () -> Bool) {
        for broadcast in waiting.reversed() {
            if isEnough() { return }
            broadcast.skipRest()
        }
    }
}
