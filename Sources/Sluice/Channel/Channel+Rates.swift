// SPDX-License-Identifier: Apache-2.0
//
// How fast a channel reads and sends: it takes no more from the kernel, and offers it no more, than
// its limits allow. What the peer may not send yet it holds itself, behind the kernel's window.

internal import CLibevent
internal import CSystemCalls
import Glibc

extension Channel {
    /// The limiter whose rate this channel shares for reading, besides its own
    /// ``ChannelOptions/receiveRate``: the stricter of both holds.
    ///
    /// A channel reads what it may and then pauses, whoever reads it; bytes that were read and not
    /// consumed are given all the same. What a closed channel still reads to drop it is not
    /// limited. To be set on an open channel or one that connects, else without effect. A
    /// channel that moves to another reactor leaves it. Initially `nil`.
    ///
    /// - Precondition: the limiter is one of the channel's reactor.
    public var receiveLimiter: RateLimiter? {
        get { rare?.rates?.receiving.limiter }
        set { share(newValue) { $0.receiving } }
    }

    /// The limiter whose rate this channel shares for sending, besides its own
    /// ``ChannelOptions/sendRate``: the stricter of both holds.
    ///
    /// What may not go yet is queued, also files and what a closed channel still sends. To be set
    /// on an open channel or one that connects, else without effect. A channel that moves to
    /// another reactor leaves it. Initially `nil`.
    ///
    /// - Precondition: the limiter is one of the channel's reactor.
    public var sendLimiter: RateLimiter? {
        get { rare?.rates?.sending.limiter }
        set { share(newValue) { $0.sending } }
    }

    private func share(_ limiter: RateLimiter?, _ flow: (ChannelRates) -> RateFlow) {
        guard state.phase == .open || state.phase == .connecting else { return }
        precondition(
            limiter == nil || isAlone || limiter?.isOn(reactorOrNil) == true,
            "a limiter is of the reactor of its channels")
        changeRates { flow($0).share(limiter) }
    }

    /// The options say how fast it may be from now on.
    func setRates(from old: ChannelOptions? = nil) {
        let new = shared.values
        if old?.receiveRate == new.receiveRate, old?.sendRate == new.sendRate { return }
        let reactor = reactorOrNil
        changeRates { rates in
            if old?.receiveRate != new.receiveRate {
                rates.receiving.limit(to: new.receiveRate, on: reactor)
            }
            if old?.sendRate != new.sendRate { rates.sending.limit(to: new.sendRate, on: reactor) }
        }
    }

    private func changeRates(_ change: (ChannelRates) -> Void) {
        let rates = rare?.rates ?? ChannelRates(of: self)
        if rates.sending.isLimited == false { flushOwnTurn() }
        change(rates)
        if rates.isLimited || rare?.rates != nil {
            parts.rates = rates.isLimited ? rates : nil
        }
        noteSendRate()
    }

    private func noteSendRate() {
        if rare?.rates?.sending.isLimited == true {
            flags.insert(.isSendRated)
        } else {
            flags.remove(.isSendRated)
        }
    }

    /// The handlers go: what a closing channel still sends keeps its limits, and nothing else.
    ///
    /// - Returns: what is to be kept.
    func keptRates() -> ChannelRates? {
        guard let rates = rare?.rates else { return nil }
        rates.receiving.end()
        if state.phase == .draining || state.phase == .connecting, rates.isLimited { return rates }
        rates.sending.end()
        return nil
    }

    /// The limits of its own as they stand, for the channel that goes on elsewhere.
    func takeRates() -> MovedRates {
        MovedRates(
            receiving: rare?.rates?.receiving.ownShare, sending: rare?.rates?.sending.ownShare)
    }

    /// Goes on with limits as they stood; the options have made them anew.
    func goOn(with moved: MovedRates) {
        guard let rates = rare?.rates else { return }
        if let share = moved.receiving { rates.receiving.go(on: share, on: reactorOrNil) }
        if let share = moved.sending { rates.sending.go(on: share, on: reactorOrNil) }
    }
}

/// How far the limits of a channel that moves have been used.
struct MovedRates {
    var receiving: RateShare?
    var sending: RateShare?
}

// MARK: - Reading

extension Channel {
    /// Whether reading has come to its limit, and waits.
    var isInputHeld: Bool { rare?.rates?.receiving.isHeld == true }

    /// One recv(2) or recvmsg(2) of a channel that is limited or takes descriptors.
    @inline(never)
    func receiveApart(
        into buffer: UnsafeMutableRawBufferPointer, upTo size: Int, _ rare: RareParts
    ) throws(SocketError) -> ReadResult {
        var limit = size
        let flow = rare.rates?.receiving
        if let flow {
            limit = min(size, allowance(flow))
            if limit == 0 { return .wouldBlock }
        }
        let result: ReadResult
        if let passed = rare.passed {
            result = try receive(into: buffer, upTo: limit, passed)
        } else if let start = buffer.baseAddress {
            result = try socket?.receive(into: start, upTo: limit) ?? .endOfStream
        } else {
            return .endOfStream
        }
        if case .bytes(let count) = result { flow?.spend(count) }
        return result
    }

    private func allowance(_ flow: RateFlow) -> Int {
        let wasHeld = flow.isHeld
        let count = flow.allowance(wanting: .max, isUrgent: shared.values.isBlocking)
        // The kernel is not watched for what may not be read.
        if count == 0, !wasHeld { arrange() }
        return count
    }

    /// Whether the readable handler will find something: not where all is held back by a limit.
    var mayRead: Bool {
        guard let rates = rare?.rates, !hasReadableInput, state.input == .open,
            rare?.pendingError == nil
        else { return true }
        return allowance(rates.receiving) > 0
    }

    /// Reading may have found enough after it was held.
    func resumeInput() {
        arrange()
        guard state.phase == .open, wantsInput else { return }
        // Whoever reads bytes looks for himself. A socket that can't be asked has an error to tell.
        if case .readable = reader,
            let isReady = try? socket?.wait(until: .readable, before: 0), !isReady
        {
            return
        }
        enqueue(.readable)
    }
}

// MARK: - Sending

extension Channel {
    /// Whether output waits for a limit, and not for the kernel.
    var isSendHeld: Bool {
        flags.contains(.isSendRated) && rare?.rates?.sending.isHeld == true
    }

    /// How much of a queue may be offered to the kernel now.
    func sendAllowance(for queue: OutputQueue) -> Int {
        guard let flow = rare?.rates?.sending else { return .max }
        return flow.allowance(
            wanting: queue.dueByteCount, isUrgent: shared.values.isBlocking)
    }

    /// The kernel took bytes of a channel that is limited.
    func spendSent(_ count: Int) { rare?.rates?.sending.spend(count) }

    /// Sending may have found enough after it was held.
    func resumeOutput() {
        guard state.phase == .open || state.phase == .draining, isDue else { return }
        output?.isRefused = false
        enqueue(.writable)
    }
}

// MARK: - Waiting

extension Channel {
    /// Waits until reading may go on; what was written goes out meanwhile.
    func waitForInputLimit() throws(SocketError) {
        guard let due = rare?.rates?.receiving.due else { return }
        if !isDue {
            sleep(until: due)
        } else if try waitedToSend(before: due) {
            quietly { flushQueue() }
        }
    }

    /// Waits until the kernel, or a limit, lets output go.
    ///
    /// - Returns: false when the deadline passed first.
    func waitedToSend(before deadline: UInt64?) throws(SocketError) -> Bool {
        guard isSendHeld, let due = rare?.rates?.sending.due else {
            return try waited(until: .writable, before: deadline)
        }
        sleep(until: min(due, deadline ?? due))
        return due <= deadline ?? due
    }

    /// Waits until there is something to read, while output waits for its limit.
    func waitToReadWhileSendHeld() throws(SocketError) {
        guard let due = rare?.rates?.sending.due else { return }
        _ = try waited(until: .readable, before: due)
        quietly { flushQueue() }
    }

    /// Source: clock_nanosleep(2).
    private func sleep(until due: UInt64) {
        var time = timespec(
            tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
