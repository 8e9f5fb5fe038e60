// SPDX-License-Identifier: Apache-2.0
//
// Sends what nobody's answer asks for: the first requests, and those of an open load.
// The rest of a closed loop's requests leave from `LoadConnection` and `DatagramLoadConnection`.

import Glibc
internal import Sluice

/// Where an open load is among its send times.
struct Pace {
    let pacing: Pacing
    /// When the request with number 0 is due.
    var begin: UInt64 = 0
    private(set) var number = 0
    /// Which connection the last request went to.
    var cursor = 0
    var alarm: Timer?

    init(_ pacing: Pacing) { self.pacing = pacing }

    var nextDue: UInt64 { begin &+ pacing.due(number) }

    mutating func advance() { number += 1 }
}

extension LoadRun {
    /// So many requests leave before the reactor is looked after again.
    private static var batch: Int { 64 }
    /// The reactor's timers round up to 131 us: the rest of a wait is spent polling.
    private static var pollingTime: UInt64 { 200_000 }

    func startSending(at now: UInt64) {
        switch workload.kind {
        case .closedLoop: unprimed = connections
        case .paced: pace?.begin = now
        case .churn:
            slots = (0..<workload.connectionCount).map { _ in ChurnSlot(of: self) }
            for slot in slots { slot.open() }
        case .hold, .receive: break
        }
    }

    /// Sends what is due by the clock and not by an answer.
    ///
    /// - Returns: whether to come back without waiting for an event.
    func sendsByItself() -> Bool {
        guard isSending else { return false }
        if !unprimed.isEmpty {
            prime()
            return true
        }
        return pace != nil && sendPaced()
    }

    /// A part of the connections at a time: the first answers must not wait for the last first
    /// request.
    private func prime() {
        for _ in 0..<min(Self.batch, unprimed.count) {
            unprimed.removeLast().sendFirst()
        }
    }

    private func sendPaced() -> Bool {
        let now = sendWhatIsDue(atMost: Self.batch)
        guard let due = pace?.nextDue, due < sendEnd else { return false }
        if due <= now { return true }
        if due - now <= Self.pollingTime {
            sched_yield()  // A server may share this processor.
            return true
        }
        if pace?.alarm?.isPending != true {
            let wait = Duration.nanoseconds(Int64(due - now - Self.pollingTime))
            pace?.alarm = reactor.after(wait) {}
        }
        return false
    }

    /// - Returns: the time up to which requests were sent.
    @discardableResult
    func sendWhatIsDue(atMost limit: Int = .max) -> UInt64 {
        let now = MonotonicClock.now
        var remaining = limit
        while remaining > 0, !connections.isEmpty, let due = pace?.nextDue, due <= now,
            due < sendEnd
        {
            let turn = ((pace?.cursor ?? 0) + 1) % connections.count
            pace?.cursor = turn
            pace?.advance()
            connections[turn].enqueue(due: due)
            remaining -= 1
        }
        return now
    }
}
