// SPDX-License-Identifier: Apache-2.0
//
// The marks of a channel's output: what a write says of it, what rests while it is above the high
// one, and what goes on at the low one.

extension Channel {
    /// What a write says of the queue.
    var markResult: WriteResult {
        guard noteMark() else { return .accepted }
        output?.wasTold = true
        return .aboveMark
    }

    /// Holds reading back where the queue is above the high mark.
    ///
    /// - Returns: whether it is.
    @discardableResult
    func noteMark() -> Bool {
        guard let output, output.waitingByteCount > highMark else { return false }
        if !output.isAboveMark {
            output.isAboveMark = true
            arrange()
            restChanged()
        }
        return true
    }

    private var highMark: Int { mark(shared.values.highWaterMark) }
    private var lowMark: Int { mark(shared.values.lowWaterMark) }

    /// A mark as it is now: while the reactor has no room nothing is to wait.
    private func mark(_ value: Int) -> Int {
        guard isShortOfRoom, let home else { return value }
        // With room again the channel may be below its own mark, and is looked at.
        home._withUnsafeGuaranteedRef { $0.buffers.isHolding = true }
        return 0
    }

    /// Lets reading and the program go on when the queue has fallen to the low mark.
    func checkMarks(_ emptied: OutputQueue? = nil) {
        guard let queue = emptied ?? output, queue.isAboveMark, queue.waitingByteCount <= lowMark
        else { return }
        queue.isAboveMark = false
        queue.wasTold = false
        restChanged()
        rare?.copyIn?.sinkHasRoom()
        rare?.waits?.wake(.room)
        readOn()
        guard rare?.drained != nil else { return }
        if flags.contains(.isWaiting) {
            // No handler runs while somebody waits: it is told in a turn of its own.
            rare?.isDrainDue = true
            return enqueue([])
        }
        reportDrained()
    }

    /// Reads what waited for the output to fall; an end that did is told now.
    func readOn() {
        let hasEnded = state.input == .ended || text?.input.isAtEndMark == true
        let endIsDue = hasEnded && !flags.contains(.isEndTold) && mayDeliver
        if endIsDue || (hasReadableInput && wouldRead) { enqueue(.readable) }
    }

    func reportDrained() {
        rare?.isDrainDue = false
        guard state.phase == .open, let handler = rare?.drained, let reactor = reactorOrNil else {
            return
        }
        if reactor.attempt(for: self, { try handler(self) }) { rare?.drained = nil }
    }
}
