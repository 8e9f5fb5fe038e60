// SPDX-License-Identifier: Apache-2.0
//
// The time limits of an open channel: which passes next, and what it ends.
// All share one entry in the reactor's wheel, looked at when it passes: until then a byte, a
// message and a piece of output cost a store at most.

internal import CLibevent
internal import CSystemCalls

// MARK: - Messages

extension Channel {
    /// Says that a message begins: it must have ended within ``ChannelOptions/messageTimeout``.
    ///
    /// For programs that consume bytes as they come; what they leave unread counts by itself. Until
    /// ``endMessage()`` only what was begun counts, and beginning again begins the time anew. Does
    /// nothing on a channel without that limit.
    public func beginMessage() {
        guard let timing, shared.limits.message > 0 else { return }
        timing.message.begin(now: clock)
        armMessage(timing)
    }

    /// Says that the message is complete that ``beginMessage()`` has begun.
    ///
    /// Does nothing where none was.
    public func endMessage() {
        guard let timing, timing.message.underWay == .told else { return }
        timing.message.end()
        if needsMore { beginRest() }
    }

    /// What is unread is no whole message: it does not count as readable until more comes.
    @inline(__always)
    func needMore() {
        flags.insert(.needsMore)
        noteRest()
    }

    /// Notes that something is kept which is no whole message.
    @inline(__always)
    func noteRest() { if timing != nil { beginRest() } }

    @inline(never)
    private func beginRest() {
        guard let timing, shared.limits.message > 0, unreadByteCount > 0 else { return }
        timing.message.found(restAt: restPlace, now: clock)
        armMessage(timing)
    }

    /// Where in the input what is unread begins.
    private var restPlace: UInt64 { counted.bytesReceived &- UInt64(unreadByteCount) }
}

// MARK: - What runs the clocks

extension Channel {
    /// What the channel has the kernel watch for changes.
    @inline(never)
    func noteWatch(for wanted: Int16) {
        guard let timing, state.phase == .open else { return }
        if wanted & Int16(EV_READ) != 0 || isPausedByLimitAlone {
            timing.message.letGo(now: clock)
            armMessage(timing)
        } else {
            timing.message.hold(now: clock)
        }
        noteOutput(timing)
    }

    /// The reactor's limit has begun or ended a pause.
    func pauseChanged() { if timing != nil { noteWatch(for: event?.flags ?? 0) } }

    /// Something else than the reactor's limit has begun or ended to let reading rest: while the
    /// limit does as well, the kernel is asked for the same as before.
    func restChanged() { if flags.contains(.pausedByLimit) { pauseChanged() } }

    /// Whether it is for the reactor's limit that nothing is read: such a pause counts, for it may
    /// be this message that takes the room.
    private var isPausedByLimitAlone: Bool {
        guard flags.contains(.pausedByLimit), !flags.contains(.pausedByProgram) else {
            return false
        }
        switch reader {
        case .bytes, .lines: return !isHeldBackByOutput
        // Whether it would be read is asked when the message is due.
        case .none, .readable, .pump, .awaited: return true
        }
    }

    /// The output has begun to wait for the peer, or what waited was offered to the kernel.
    ///
    /// - Parameter offered: what was offered.
    func outputChanged(after offered: OutputQueue? = nil) {
        if let timing {
            // What waits now was written by a handler after all of that had gone.
            if offered?.isEmpty == true { timing.progress.stop() }
            noteOutput(timing)
        }
        arrange()
    }

    /// The kernel has room for who waits to write: up to now the peer has done its part.
    @inline(never)
    func noteRoom() {
        guard let timing else { return }
        timing.progress.stop()
        noteOutput(timing)
    }

    /// Whether something can go only when the peer has read: what is queued, or what a handler
    /// would write.
    private var waitsForPeer: Bool { isDue || (awaitsRoom && state.output == .open) }

    private func noteOutput(_ timing: ChannelTiming) {
        let limit = shared.limits.writeProgress
        guard limit > 0, waitsForPeer, state.phase == .open else {
            return timing.progress.stop()
        }
        if timing.progress.isRunning { return }
        let now = clock
        timing.progress.begin(sent: counted.bytesSent, now: now)
        arm(by: now + limit, timing)
    }

    private func armMessage(_ timing: ChannelTiming) {
        let limit = shared.limits.message
        guard limit > 0, let due = timing.message.due(after: limit) else { return }
        arm(by: due, timing)
    }

    /// Makes sure that the limits are looked at by then.
    private func arm(by due: UInt64, _ timing: ChannelTiming) {
        guard state.phase == .open else { return }
        if deadline == Deadlines.Key.none || due < timing.armedAt { setDeadline(due) }
    }

    private func startClocks() {
        guard shared.limits.needClocks else {
            timing = nil
            return
        }
        let timing = timing ?? ChannelTiming()
        self.timing = timing
        if shared.limits.message == 0 { timing.message.end() }
        // It may have been held on the way from another reactor.
        noteWatch(for: event?.flags ?? 0)
        if needsMore { beginRest() }
    }

    private func watches(for wanted: CInt) -> Bool {
        (event?.flags ?? 0) & Int16(wanted) != 0
    }
}

// MARK: - The deadline

extension Channel {
    /// Begins to look after the limits that the channel has now.
    func startDeadlines() {
        guard let reactor = reactorOrNil, state.phase == .open else { return }
        reactor.deadlines.remove(deadline)
        deadline = .none
        if timing != nil || shared.limits.needClocks { startClocks() }
        guard shared.limits.isAny else { return }
        if let next = nextLimit(at: reactor.now) { setDeadline(next.due) }
    }

    func setDeadline(_ nanoseconds: UInt64) {
        guard let reactor = reactorOrNil else { return }
        reactor.deadlines.remove(deadline)
        deadline = reactor.deadlines.insert(self, at: nanoseconds)
        timing?.armedAt = nanoseconds
    }

    func deadlinePassed() {
        deadline = .none
        switch state.phase {
        case .open:
            // Not the pass's time, which may be older than the one that the wheel has gone by: an
            // entry that is due at once again would be met again and again.
            let now = csystem_monotonic_nanoseconds()
            if var next = nextLimit(at: now) {
                if next.due <= now, next.limit == .writeProgress {
                    // The kernel may have room that it was not asked for yet.
                    if found.contains(.writable) { noteRoom() }
                    flushQueue()
                    guard state.phase == .open, let other = nextLimit(at: now) else { return }
                    next = other
                }
                if next.due > now { setDeadline(next.due) } else { end(at: next.limit) }
            }
        case .draining, .discarding: perform(state.cutOff(because: .timedOut(.linger)))
        case .connecting, .closed: break
        }
    }

    private func end(at limit: EndReason.Timeout) {
        switch limit {
        // What the peer has not taken for so long it will not take now.
        case .writeProgress: perform(state.cutOff(because: .timedOut(limit)))
        // Who sends too slowly would be heard out to the linger limit.
        case .message: close(because: .timedOut(limit), hearsOut: false)
        case .idle, .linger, .firstByte, .lifetime: close(because: .timedOut(limit))
        }
    }

    /// The limit that passes first, and when: perhaps it has already.
    private func nextLimit(at now: UInt64) -> (due: UInt64, limit: EndReason.Timeout)? {
        let limits = shared.limits
        if !limits.isAny { return nil }
        var next: (due: UInt64, limit: EndReason.Timeout)?
        func consider(_ due: UInt64?, _ limit: EndReason.Timeout) {
            guard let due, due < next?.due ?? .max else { return }
            next = (due, limit)
        }
        if limits.idle > 0 { consider(idleDue(limits, now), .idle) }
        if limits.lifetime > 0 { consider(openedAt + limits.lifetime, .lifetime) }
        if limits.firstByte > 0 { consider(firstByteDue(limits, now), .firstByte) }
        guard let timing else { return next }
        if limits.message > 0 { consider(messageDue(timing, limits, now), .message) }
        if limits.writeProgress > 0 {
            consider(progressDue(timing, limits, now), .writeProgress)
        }
        return next
    }

    private func idleDue(_ limits: TimeLimits, _ now: UInt64) -> UInt64 {
        let due = max(lastReceived, lastSent) + limits.idle
        if due > now { return due }
        // What may go or be read only later is not the peer's silence.
        if (isDue && isSendHeld) || (isReadLater && hasArrived) { return now + limits.idle }
        // What has come while another's turn was long is read before the limit is looked at again.
        return watches(for: EV_READ) && hasArrived ? now + Self.graceTime : due
    }

    /// Whether it is for a limit on rates, or the reactor's on memory, that nothing is read.
    private var isReadLater: Bool {
        isInputHeld || (flags.contains(.pausedByLimit) && wouldRead)
    }

    private func firstByteDue(_ limits: TimeLimits, _ now: UInt64) -> UInt64? {
        guard counted.bytesReceived == 0, state.input == .open else { return nil }
        // As long as nothing has come this is when the channel was opened.
        let due = lastReceived + limits.firstByte
        if due > now { return due }
        // What the program has not read was sent all the same.
        return hasArrived ? nil : due
    }

    /// Whether the kernel holds something to read.
    private var hasArrived: Bool {
        // A count that can't be had is taken for none.
        ((try? socket?.unreadByteCount) ?? 0) > 0
    }

    private func messageDue(
        _ timing: ChannelTiming, _ limits: TimeLimits, _ now: UInt64
    ) -> UInt64? {
        guard state.input == .open else { return nil }
        var wasSeen = true
        if case .rest(let place) = timing.message.underWay {
            guard unreadByteCount > 0, place == restPlace else {
                timing.message.end()
                return nil
            }
            wasSeen = needsMore
        }
        guard let due = timing.message.due(after: limits.message), due <= now else {
            return timing.message.due(after: limits.message)
        }
        // Nobody waits for it: the reader is busy with another, or has not looked at it yet.
        if !wouldRead || !wasSeen {
            timing.message.restart(now: now)
            return now + limits.message
        }
        // Its rest may have come while another's turn was long.
        let isReported = flags.contains(.isEnqueued)
        return timing.message.isPutOff(isReported: isReported) ? now + Self.graceTime : due
    }

    /// How much longer those have who may have done their part already: 1 ms.
    private static var graceTime: UInt64 { 1_000_000 }

    private func progressDue(
        _ timing: ChannelTiming, _ limits: TimeLimits, _ now: UInt64
    ) -> UInt64? {
        guard waitsForPeer else {
            timing.progress.stop()
            return nil
        }
        func due() -> UInt64 {
            timing.progress.due(limits, sent: counted.bytesSent, lastSent: lastSent, now: now)
        }
        // Where the kernel is not waited for, it is this side that sends no more for now.
        if !timing.progress.isRunning || (!watches(for: EV_WRITE) && due() <= now) {
            timing.progress.begin(sent: counted.bytesSent, now: now)
        }
        return due()
    }
}
