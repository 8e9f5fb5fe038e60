// SPDX-License-Identifier: Apache-2.0
//
// One of the connections that a churn has at once: it is opened, used, closed and opened again.

internal import Sluice

/// A place for one connection after the other.
final class ChurnSlot {
    private let run: LoadRun
    private var attempt: ConnectAttempt?
    private var channel: Channel?
    private var begin: UInt64 = 0
    private var matched = 0

    /// How long to wait after a failure, so that a target that is gone does not make this spin.
    private static var pause: Duration { .milliseconds(10) }

    init(of run: LoadRun) { self.run = run }

    /// Whether nothing is under way and nothing will be.
    private(set) var isIdle = true

    /// Starts the next connection, unless the run sends no more.
    func open() {
        guard run.isSending else {
            isIdle = true
            return run.oneSettled()
        }
        isIdle = false
        begin = MonotonicClock.now
        let place = run.opening.known.map(Endpoint.address) ?? run.workload.target.endpoint
        do throws(SocketError) {
            attempt = try run.nextClient().connect(to: place) { self.decided($0) }
        } catch {
            failed(LoadErrorKind(error.code))
        }
    }

    /// Gives up what is under way.
    func end() {
        attempt?.cancel()
        attempt = nil
        channel?.onClose(nil)
        channel?.abort()
        channel = nil
    }

    private func decided(_ verdict: Result<Channel, ConnectError>) {
        attempt = nil
        switch verdict {
        case .failure(let error): failed(LoadErrorKind(error.cause))
        case .success(let channel):
            self.channel = channel
            matched = 0
            channel.onBytes { _, bytes in self.receive(bytes) }
            channel.onClose { _, reason in self.failed(LoadErrorKind(reason)) }
            if run.isCounting { run.result.bytesSent += run.pattern.bytes.count }
            // A connection that fails here is told of by `onClose`.
            _ = try? channel.write(run.pattern.bytes)
        }
    }

    private func receive(_ bytes: RawSpan) {
        guard let completed = run.pattern.completed(by: bytes, matched: &matched) else {
            end()
            return failed(.wrongAnswer)
        }
        if run.isCounting { run.result.bytesReceived += bytes.byteCount }
        if completed == 0 { return }
        run.answered(due: begin, at: MonotonicClock.now)
        if run.isCounting { run.result.churnCount += 1 }
        run.failuresInARow = 0
        channel?.onClose(nil)
        channel?.close()
        channel = nil
        open()
    }

    private func failed(_ kind: LoadErrorKind) {
        channel = nil
        run.count(kind)
        run.failuresInARow += 1
        // Each slot has failed several times and none has succeeded in between.
        if run.failuresInARow > 16 * run.workload.connectionCount, run.isSending {
            isIdle = true
            return run.allLost()
        }
        run.reactor.after(Self.pause) { self.open() }
    }
}
