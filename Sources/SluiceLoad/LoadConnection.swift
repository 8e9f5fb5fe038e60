// SPDX-License-Identifier: Apache-2.0
//
// One connection of a load: it sends, compares the answers and notes how long they took.
// Nothing here allocates for a message, since this program also measures faster ones than itself.

internal import Sluice

/// An open connection of a run.
final class LoadConnection {
    private let run: LoadRun
    private let channel: Channel
    /// Where the run's list holds this connection.
    var index: Int

    /// When each unanswered request was sent or, in an open load, was due; the first ones are under
    /// way.
    private var times: TimestampRing
    private var inFlight = 0
    private var matched = 0

    init(_ channel: Channel, of run: LoadRun, index: Int) {
        self.channel = channel
        self.run = run
        self.index = index
        times = TimestampRing(capacity: run.workload.expectsAnswers ? run.workload.pipeline : 1)
    }

    /// Whether no answer is waited for.
    var isSettled: Bool { times.isEmpty }

    /// Installs what the kind of load needs; the handlers keep this object until the channel
    /// closes.
    func start() {
        switch run.workload.kind {
        case .closedLoop, .paced, .churn:
            channel.onBytes { _, bytes in self.receive(bytes) }
        case .receive:
            channel.onBytes { _, bytes in self.countReceived(bytes.byteCount) }
        case .hold:
            channel.onPeerClosed { channel in
                let error = channel.takeError()
                channel.close()
                self.run.lost(.stream(self), error.map { LoadErrorKind($0.code) } ?? .closed)
            }
            return
        }
        channel.onClose { _, reason in self.run.lost(.stream(self), LoadErrorKind(reason)) }
    }

    /// Fills the pipeline for the first time.
    func sendFirst() {
        guard channel.status == .open else { return }
        refill(at: MonotonicClock.now)
        flush()
    }

    /// Sends a request of an open load, or has it wait for its turn.
    func enqueue(due: UInt64) {
        guard times.count < run.workload.pipeline + LoadRun.queueLimit else {
            return run.dropped(due: due)
        }
        times.append(due)
        if inFlight < run.workload.pipeline {
            send()
            flush()
        }
    }

    /// How many requests since an instant have no answer; they are forgotten.
    func unansweredCount(since instant: UInt64) -> Int {
        var count = 0
        while let time = times.popFirst() { count += time >= instant ? 1 : 0 }
        return count
    }

    func close() {
        channel.onClose(nil)
        channel.close()
    }
}

// MARK: - The hot path

extension LoadConnection {
    private func receive(_ bytes: RawSpan) {
        let now = MonotonicClock.now
        guard let completed = run.pattern.completed(by: bytes, matched: &matched),
            completed < inFlight || (completed == inFlight && matched == 0)
        else { return giveUp() }
        countReceived(bytes.byteCount)
        for _ in 0..<completed {
            guard let due = times.popFirst() else { break }
            run.answered(due: due, at: now)
        }
        inFlight &-= completed
        if run.pace == nil {
            if run.isSending { refill(at: now) }
        } else {
            sendWaiting()
        }
        if times.isEmpty, run.phase == .settling { run.oneSettled() }
    }

    private func countReceived(_ count: Int) {
        if run.isCounting { run.result.bytesReceived &+= count }
    }

    private func refill(at now: UInt64) {
        while inFlight < run.workload.pipeline {
            times.append(now)
            send()
        }
    }

    private func sendWaiting() {
        while inFlight < run.workload.pipeline, inFlight < times.count { send() }
    }

    private func send() {
        inFlight &+= 1
        if run.isCounting { run.result.bytesSent &+= run.pattern.bytes.count }
        // A connection that fails here is told of, once, by `onClose`.
        _ = try? channel.write(run.pattern.bytes)
    }

    /// Outside its own turn a channel's output would wait in memory for the end of the turn.
    private func flush() {
        // As in `send`.
        try? channel.flush()
    }

    /// What came is not what was sent: nothing after it can be trusted.
    private func giveUp() {
        channel.onClose(nil)
        channel.abort()
        run.lost(.stream(self), .wrongAnswer)
    }
}
