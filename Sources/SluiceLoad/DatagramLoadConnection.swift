// SPDX-License-Identifier: Apache-2.0
//
// One socket of a load by datagrams: it sends numbered requests, matches the answers by their
// numbers, and goes on without those that are lost.
// Nothing here allocates for a datagram that is answered.

internal import Sluice

/// An open, connected datagram socket of a run.
final class DatagramLoadConnection {
    private let run: LoadRun
    private var channel: DatagramChannel
    /// Where the run's list holds this connection.
    var index: Int

    private var requests: RequestTable
    /// When the requests of an open load were due that wait for a place.
    private var waiting = TimestampRing(capacity: 1)
    /// Whether an answer has ever come here.
    private var isAnswered = false
    /// What the network has said since the last answer: why requests are lost.
    private var failure: LoadErrorKind?

    init(_ channel: DatagramChannel, of run: LoadRun, index: Int) {
        self.channel = channel
        self.run = run
        self.index = index
        requests = RequestTable(capacity: run.workload.pipeline)
    }

    /// Whether no answer is waited for.
    var isSettled: Bool { requests.isEmpty && waiting.isEmpty }

    /// Installs the handlers, which keep this object until the channel closes.
    func start() {
        channel.onDatagram { _, bytes, _ in self.receive(bytes) }
        channel.onError { _, error in self.heard(error) }
        channel.onClose { _ in self.run.lost(.datagrams(self), .closed) }
    }

    /// Goes on by another socket: what is under way is sent again.
    func move(to next: DatagramChannel) {
        close()
        channel = next
        failure = nil
        start()
        let now = MonotonicClock.now
        for due in requests.removeAll() { send(due: due, at: now) }
    }

    /// Fills the pipeline for the first time.
    func sendFirst() {
        if channel.isOpen { refill(at: MonotonicClock.now) }
    }

    /// Sends a request of an open load, or has it wait for its turn.
    func enqueue(due: UInt64) {
        if waiting.isEmpty, !requests.isFull {
            send(due: due, at: MonotonicClock.now)
        } else if waiting.count < LoadRun.queueLimit {
            waiting.append(due)
        } else {
            run.dropped(due: due)
        }
    }

    /// How many requests under way were due since an instant; they are forgotten.
    func unansweredCount(since instant: UInt64) -> Int {
        requests.removeAll().count { $0 >= instant }
    }

    /// How many requests that wait for a place were due since an instant; they are forgotten.
    func unsentCount(since instant: UInt64) -> Int {
        var count = 0
        while let due = waiting.popFirst() { count += due >= instant ? 1 : 0 }
        return count
    }

    /// Gives requests up that were sent at an instant or before it; others take their places.
    func giveUp(sentUpTo instant: UInt64, at now: UInt64) {
        let lost = requests.removeAll(sentUpTo: instant)
        if lost.isEmpty { return }
        for due in lost { run.datagramFailed(due: due, failure ?? .lost) }
        goOn(at: now)
    }

    func close() {
        channel.onClose(nil)
        channel.close()
    }
}

// MARK: - The hot path

extension DatagramLoadConnection {
    private func receive(_ bytes: RawSpan) {
        let now = MonotonicClock.now
        let number = RequestPattern.number(of: bytes)
        let isWhole = run.pattern.matchesBehindNumber(bytes)
        if let due = requests.remove(number) {
            if isWhole {
                countAnswer(bytes.byteCount, due: due, at: now)
            } else {
                run.datagramFailed(due: due, .wrongAnswer)
            }
        } else if isWhole, requests.hasGiven(number) {
            return  // Late, or a second time.
        } else if isAnswered {
            // Whose answer it was meant to be nobody can tell, and the right one may still come.
            return run.datagramFailed(due: now, .wrongAnswer)
        } else if let due = requests.removeOldest() {
            // A peer that echoes nothing: no right answer would ever make room.
            run.datagramFailed(due: due, .wrongAnswer)
        } else {
            return
        }
        goOn(at: now)
    }

    @inline(__always)
    private func countAnswer(_ byteCount: Int, due: UInt64, at now: UInt64) {
        isAnswered = true
        run.isAnswered = true
        if failure != nil { failure = nil }
        if run.isCounting { run.result.bytesReceived &+= byteCount }
        run.answered(due: due, at: now)
    }

    /// Sends in the place that has come free.
    ///
    /// All that a turn sends leaves at its end, in one call.
    private func goOn(at now: UInt64) {
        if run.pace == nil {
            if run.isSending { refill(at: now) }
        } else {
            while !requests.isFull, let due = waiting.popFirst() { send(due: due, at: now) }
        }
        if isSettled, run.phase == .settling { run.oneSettled() }
    }

    private func refill(at now: UInt64) {
        while !requests.isFull { send(due: now, at: now) }
    }

    private func send(due: UInt64, at now: UInt64) {
        guard let number = requests.add(due: due, at: now) else { return }
        RequestPattern.setNumber(number, of: &run.request)
        // What can't be sent is lost, as it may be anywhere on its way, and is counted then.
        guard let fate = try? channel.send(run.request), fate != .dropped else { return }
        if run.isCounting { run.result.bytesSent &+= run.request.count }
    }
}

// MARK: - What the network says

extension DatagramLoadConnection {
    /// Which request an error is about is not known: it tells why those are lost that are.
    ///
    /// Where nobody has answered any socket yet nobody is there, as with a refused connect.
    private func heard(_ error: DatagramError) {
        let kind = LoadErrorKind(error.error.code)
        failure = kind
        guard !run.isAnswered, Self.isOfNobody(error.error.code), !run.moveOn() else { return }
        run.result.connectFailure = run.result.connectFailure ?? "\(error.error)"
        close()
        run.lost(.datagrams(self), kind)
    }

    private static func isOfNobody(_ code: ErrorCode) -> Bool {
        [.connectionRefused, .hostUnreachable, .networkUnreachable].contains(code)
    }
}
