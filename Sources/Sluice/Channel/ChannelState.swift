// SPDX-License-Identifier: Apache-2.0
//
// The life of a channel as a pure value: it is told what happened and answers what to do.
// It knows no socket and no clock, so every race of closes is tested without either.

/// Where a channel is in its life, and which directions are still open.
struct ChannelState: Equatable {
    enum Phase: UInt8 {
        /// The connection is being made.
        case connecting
        /// Handlers run.
        case open
        /// Closed by the program; what was queued still goes out.
        case draining
        /// All is sent; what the peer still sends is read and dropped, so that no reset overtakes
        /// it.
        case discarding
        /// The descriptor is gone.
        case closed
    }

    enum Input: UInt8 {
        case open
        /// The end of the input, or an error, was met.
        case ended
        /// This side reads no more.
        case shut
    }

    enum Output: UInt8 {
        case open
        /// Shut as soon as the queue is empty; takes no more.
        case finishing
        case shut
        /// A write failed: the queue is gone.
        case failed
    }

    /// What the channel must do now.
    enum Step: Equatable {
        case nothing
        /// Go on writing in the background, within the linger limit.
        case drain
        /// Shut the writing side down.
        case shutWriting
        /// Shut the reading side down and drop what was read.
        case shutReading
        /// Shut the writing side down, then read and drop, within the linger limit.
        case discard
        /// Close the descriptor.
        case release
        /// Close the descriptor with a reset.
        case cutOff
    }

    private(set) var phase: Phase
    private(set) var input = Input.open
    private(set) var output = Output.open
    /// The peer was seen to have closed its writing side, read or not.
    private(set) var peerClosed = false
    private(set) var isCloseAsked = false
    /// An error ended the input, and not the peer.
    private(set) var isInputCut = false
    /// The first cause of the end; a clean end of the input gives way to a later failure.
    private(set) var reason: EndReason?

    init(isConnecting: Bool) {
        phase = isConnecting ? .connecting : .open
    }

    // MARK: Connecting

    mutating func connected(queued: Bool) -> Step {
        guard phase == .connecting else { return .nothing }
        phase = .open
        if isCloseAsked {
            phase = .draining
            return queued ? .drain : settle(unread: false)
        }
        return drained(unread: false, queued: queued)
    }

    mutating func connectFailed(_ cause: EndReason) -> Step {
        guard phase == .connecting else { return .nothing }
        fail(cause)
        if isCloseAsked { return release() }
        phase = .open
        return .nothing
    }

    // MARK: What reading and writing met

    /// A read met the end of the input.
    mutating func inputEnded() -> Step {
        if phase == .discarding { return release() }
        if input == .open { input = .ended }
        note(.finished)
        return .nothing
    }

    /// A read failed: nothing more goes either way.
    mutating func readFailed(_ cause: EndReason) -> Step {
        guard phase != .closed else { return .nothing }
        fail(cause)
        return phase == .open ? .nothing : release()
    }

    /// A write failed: nothing more goes out, but what the peer had sent before can still be read.
    ///
    /// - Parameter cutsInput: whether the peer has reset the connection, so that what reading will
    ///   meet is no end of the peer's.
    mutating func writeFailed(_ cause: EndReason, cutsInput: Bool = false) -> Step {
        guard phase != .closed else { return .nothing }
        note(cause)
        if cutsInput, input == .open { isInputCut = true }
        output = .failed
        return phase == .open ? .nothing : release()
    }

    /// The peer's end was seen without reading.
    ///
    /// - Returns: whether this is news.
    mutating func sawPeerClose() -> Bool {
        let isNews = !peerClosed
        peerClosed = true
        return isNews
    }

    /// The output queue is empty.
    mutating func drained(unread: Bool, queued: Bool = false) -> Step {
        if queued { return .nothing }
        if phase == .draining { return settle(unread: unread) }
        if phase == .open, output == .finishing {
            output = .shut
            return input == .shut ? release() : .shutWriting
        }
        return .nothing
    }

    // MARK: What the program asks

    mutating func close(queued: Bool, unread: Bool, because cause: EndReason = .local) -> Step {
        switch phase {
        case .connecting where queued && !isCloseAsked:
            isCloseAsked = true
            note(cause)
            return .nothing
        case .connecting:
            note(cause)
            return isCloseAsked ? .nothing : release()
        case .open:
            note(cause)
            if output == .failed { return release() }
            phase = .draining
            return queued ? .drain : settle(unread: unread)
        case .draining, .discarding, .closed: return .nothing
        }
    }

    /// - Returns: `nil` when the writing side is not open.
    mutating func closeWriting(queued: Bool) -> Step? {
        guard phase == .open || phase == .connecting, output == .open, !isCloseAsked else {
            return nil
        }
        output = .finishing
        return phase == .connecting
            ? .nothing : finishIfBothAreShut(drained(unread: false, queued: queued))
    }

    /// - Returns: `nil` when the reading side was shut before.
    mutating func closeReading() -> Step? {
        guard phase == .open, input != .shut else { return nil }
        input = .shut
        guard output == .shut || output == .failed else { return .shutReading }
        return release()
    }

    mutating func cutOff(because cause: EndReason = .local) -> Step {
        guard phase != .closed else { return .nothing }
        if phase == .open || phase == .connecting { note(cause) } else { reason = cause }
        phase = .closed
        return .cutOff
    }

    /// The connection goes on elsewhere.
    mutating func leave() -> Step {
        reason = .moved
        phase = .closed
        return .release
    }

    // MARK: Parts

    private mutating func finishIfBothAreShut(_ step: Step) -> Step {
        if phase == .closed { note(.local) }
        return step
    }

    /// All is sent and the program has closed.
    private mutating func settle(unread: Bool) -> Step {
        // close(2) with unread input sends a reset, which may overtake what was sent: RFC 2525,
        // 2.17.
        guard unread, input != .ended, output == .open || output == .finishing else {
            return release()
        }
        phase = .discarding
        output = .shut
        return .discard
    }

    private mutating func release() -> Step {
        note(.local)
        phase = .closed
        return .release
    }

    private mutating func fail(_ cause: EndReason) {
        note(cause)
        if input == .open { isInputCut = true }
        input = input == .shut ? .shut : .ended
        output = .failed
    }

    private mutating func note(_ cause: EndReason) {
        switch reason {
        case nil: reason = cause
        case .finished where cause != .local && cause != .finished: reason = cause
        default: break
        }
    }
}
