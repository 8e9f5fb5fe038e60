// SPDX-License-Identifier: Apache-2.0
//
// The life of a channel as a value: every step, every race of closes, and a long random walk.
// No socket and no clock take part.

import TestSupport
import Testing

@testable import Sluice

private var broken: EndReason { .failed(SocketError(.write, .noMemory)) }

@Suite struct ChannelLife {
    // MARK: Closing

    @Test func `closing a channel with nothing to send releases it at once`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.close(queued: false, unread: false) == .release)
        #expect(state.phase == .closed)
        #expect(state.reason == .local)
    }

    @Test func `closing a channel with queued output sends it first`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.close(queued: true, unread: false) == .drain)
        #expect(state.phase == .draining)
        #expect(state.drained(unread: false, queued: true) == .nothing)
        #expect(state.drained(unread: false) == .release)
        #expect(state.reason == .local)
    }

    @Test func `closing a channel with unread input reads it away until the peer has ended`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.close(queued: false, unread: true) == .discard)
        #expect(state.phase == .discarding)
        #expect(state.output == .shut)
        #expect(state.inputEnded() == .release)
        #expect(state.reason == .local)
    }

    @Test func `input that comes while draining is read away as well`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.close(queued: true, unread: false) == .drain)
        #expect(state.drained(unread: true) == .discard)
        #expect(state.inputEnded() == .release)
    }

    @Test func `unread input is dropped before the close also when the reading side is shut`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeReading() == .shutReading)
        #expect(state.close(queued: false, unread: true) == .discard)
        #expect(state.inputEnded() == .release)
    }

    @Test(arguments: [ChannelState.Phase.draining, .discarding, .closed])
    func `closing again changes nothing`(phase: ChannelState.Phase) {
        var state = ChannelState(isConnecting: false)
        _ = state.close(queued: phase == .draining, unread: phase == .discarding)
        #expect(state.phase == phase)
        let before = state
        #expect(state.close(queued: true, unread: true, because: .drained) == .nothing)
        #expect(state == before)
    }

    @Test func `closing after the peer's end keeps the peer's end as the reason`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.inputEnded() == .nothing)
        #expect(state.close(queued: false, unread: false) == .release)
        #expect(state.reason == .finished)
    }

    // MARK: Connecting

    @Test func `a connection opens the channel`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.connected(queued: true) == .nothing)
        #expect(state.phase == .open)
        #expect(state.reason == nil)
    }

    @Test func `closing while connecting with nothing to send releases at once`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.close(queued: false, unread: false) == .release)
        #expect(state.reason == .local)
    }

    @Test func `closing while connecting with output waits for the connection and sends it`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.close(queued: true, unread: false) == .nothing)
        #expect(state.phase == .connecting)
        #expect(state.connected(queued: true) == .drain)
        #expect(state.drained(unread: false) == .release)
        #expect(state.reason == .local)
    }

    @Test func `closing twice while connecting does not drop the output`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.close(queued: true, unread: false) == .nothing)
        #expect(state.close(queued: true, unread: false) == .nothing)
        #expect(state.phase == .connecting)
    }

    @Test func `a connection that fails after the close releases the channel`() {
        var state = ChannelState(isConnecting: true)
        _ = state.close(queued: true, unread: false)
        #expect(state.connectFailed(broken) == .release)
        #expect(state.reason == .local)
    }

    @Test func `a connection that fails leaves only closing, and its cause as the reason`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.connectFailed(broken) == .nothing)
        #expect(state.output == .failed)
        #expect(state.input == .ended)
        #expect(state.closeWriting(queued: false) == nil)
        #expect(state.close(queued: false, unread: false) == .release)
        #expect(state.reason == broken)
    }

    @Test func `a half-close while connecting is done once connected`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.closeWriting(queued: false) == .nothing)
        #expect(state.connected(queued: false) == .shutWriting)
        #expect(state.output == .shut)
    }

    @Test func `a half-close while connecting lets the queue go first`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.closeWriting(queued: true) == .nothing)
        #expect(state.connected(queued: true) == .nothing)
        #expect(state.drained(unread: false) == .shutWriting)
    }

    @Test func `writing can't be closed after the whole channel was`() {
        var state = ChannelState(isConnecting: true)
        _ = state.close(queued: true, unread: false)
        #expect(state.closeWriting(queued: true) == nil)
    }

    // MARK: Half-closing

    @Test func `closing the writing side shuts it once the queue is empty`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeWriting(queued: true) == .nothing)
        #expect(state.output == .finishing)
        #expect(state.drained(unread: false, queued: true) == .nothing)
        #expect(state.drained(unread: false) == .shutWriting)
        #expect(state.output == .shut)
        #expect(state.phase == .open)
    }

    @Test(arguments: [true, false])
    func `closing the writing side twice is refused`(queued: Bool) {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeWriting(queued: queued) != nil)
        #expect(state.closeWriting(queued: queued) == nil)
    }

    @Test func `closing the reading side twice is refused`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeReading() == .shutReading)
        #expect(state.closeReading() == nil)
    }

    @Test func `the reading side can be closed after the peer's end`() {
        var state = ChannelState(isConnecting: false)
        _ = state.inputEnded()
        #expect(state.closeReading() == .shutReading)
    }

    @Test func `closing writing and then reading closes the channel`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeWriting(queued: false) == .shutWriting)
        #expect(state.closeReading() == .release)
        #expect(state.phase == .closed)
        #expect(state.reason == .local)
    }

    @Test func `closing reading and then writing closes the channel`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeReading() == .shutReading)
        #expect(state.closeWriting(queued: false) == .release)
        #expect(state.reason == .local)
    }

    @Test func `with both halves closed the queue still goes out before the release`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.closeWriting(queued: true) == .nothing)
        #expect(state.closeReading() == .shutReading)
        #expect(state.phase == .open)
        #expect(state.drained(unread: false) == .release)
    }

    @Test func `the peer's end and a closed writing side leave the channel open`() {
        var state = ChannelState(isConnecting: false)
        _ = state.inputEnded()
        #expect(state.closeWriting(queued: false) == .shutWriting)
        #expect(state.phase == .open)
    }

    // MARK: Failing

    @Test func `a failed read ends both directions and waits to be closed`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.readFailed(.reset) == .nothing)
        #expect(state.phase == .open)
        #expect(state.input == .ended)
        #expect(state.output == .failed)
        #expect(state.close(queued: false, unread: true) == .release)
        #expect(state.reason == .reset)
    }

    @Test func `a failed write leaves what the peer had sent to be read`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.writeFailed(.reset) == .nothing)
        #expect(state.phase == .open)
        #expect(state.input == .open)
        #expect(state.output == .failed)
        #expect(state.closeWriting(queued: false) == nil)
        #expect(state.close(queued: false, unread: true) == .release)
        #expect(state.reason == .reset)
    }

    @Test func `closing the reading side after a failed write closes the channel`() {
        var state = ChannelState(isConnecting: false)
        _ = state.writeFailed(.reset)
        #expect(state.closeReading() == .release)
        #expect(state.reason == .reset)
    }

    @Test(arguments: [false, true], [false, true])
    func `a failure after the close releases the channel`(discarding: Bool, ofRead: Bool) {
        var state = ChannelState(isConnecting: false)
        _ = state.close(queued: !discarding, unread: discarding)
        let step = ofRead ? state.readFailed(.reset) : state.writeFailed(.reset)
        #expect(step == .release)
        #expect(state.reason == .local)
    }

    @Test func `the first failure is the reason`() {
        var state = ChannelState(isConnecting: false)
        _ = state.writeFailed(.reset)
        _ = state.readFailed(broken)
        #expect(state.reason == .reset)
    }

    @Test func `a failure after the peer's clean end is the reason`() {
        var state = ChannelState(isConnecting: false)
        _ = state.inputEnded()
        #expect(state.reason == .finished)
        _ = state.writeFailed(.reset)
        #expect(state.reason == .reset)
    }

    @Test func `the peer's close is news once`() {
        var state = ChannelState(isConnecting: false)
        let first = state.sawPeerClose()
        let second = state.sawPeerClose()
        #expect(first)
        #expect(!second)
        #expect(state.input == .open)
        #expect(state.reason == nil)
    }

    // MARK: Deadlines and cuts

    @Test func `cutting a channel off names the cause`() {
        var state = ChannelState(isConnecting: false)
        #expect(state.cutOff(because: .timedOut(.idle)) == .cutOff)
        #expect(state.reason == .timedOut(.idle))
    }

    @Test func `the linger limit cuts a closed channel off and becomes the reason`() {
        var state = ChannelState(isConnecting: false)
        _ = state.close(queued: true, unread: false)
        #expect(state.cutOff(because: .timedOut(.linger)) == .cutOff)
        #expect(state.reason == .timedOut(.linger))
    }

    @Test func `the connect limit is the reason of an attempt that took too long`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.connectFailed(.failed(SocketError(.connect, .timedOut))) == .nothing)
        #expect(state.close(queued: false, unread: false) == .release)
        #expect(state.reason == .failed(SocketError(.connect, .timedOut)))
    }

    @Test func `cutting off a channel that is connecting releases it with a cut`() {
        var state = ChannelState(isConnecting: true)
        #expect(state.cutOff() == .cutOff)
        #expect(state.phase == .closed)
        #expect(state.reason == .local)
    }

    @Test func `a closed channel takes no step any more`() {
        var state = ChannelState(isConnecting: false)
        _ = state.close(queued: false, unread: false)
        for event in Happening.allCases {
            #expect(event.happen(to: &state, queued: true, unread: true) == .nothing, "\(event)")
            #expect(state.phase == .closed)
            #expect(state.reason == .local)
        }
    }

    // MARK: All of it

    @Test func `a random walk of 100,000 steps releases each channel once, with a reason`() {
        var random = Lottery(seed: 0x5EED)
        var lives = 0
        var life = Life(isConnecting: true)
        for _ in 0..<100_000 {
            guard let event = Happening.allCases.randomElement(using: &random) else { return }
            life.live(
                through: event, queued: .random(using: &random), unread: .random(using: &random))
            if life.stepsAfterEnd > 4 {
                lives += 1
                life = Life(isConnecting: .random(using: &random))
            }
        }
        #expect(lives > 1_000)
    }
}

// MARK: - The walk

/// What may happen to a channel.
private enum Happening: CaseIterable {
    case connected, connectFailed, inputEnded, readFailed, writeFailed, sawPeerClose, drained
    case close, closeForDrain, closeWriting, closeReading, cutOff, deadline

    func happen(to state: inout ChannelState, queued: Bool, unread: Bool) -> ChannelState.Step {
        switch self {
        case .connected: return state.connected(queued: queued)
        case .connectFailed: return state.connectFailed(.failed(SocketError(.connect, .timedOut)))
        case .inputEnded: return state.inputEnded()
        case .readFailed: return state.readFailed(.reset)
        case .writeFailed: return state.writeFailed(broken)
        case .sawPeerClose:
            _ = state.sawPeerClose()
            return .nothing
        case .drained: return state.drained(unread: unread, queued: queued)
        case .close: return state.close(queued: queued, unread: !queued && unread)
        case .closeForDrain:
            return state.close(queued: queued, unread: !queued && unread, because: .drained)
        case .closeWriting: return state.closeWriting(queued: queued) ?? .nothing
        case .closeReading: return state.closeReading() ?? .nothing
        case .cutOff: return state.cutOff()
        case .deadline: return state.cutOff(because: .timedOut(.linger))
        }
    }
}

/// One channel's life, and what must hold all through it.
private struct Life {
    private var state: ChannelState
    private var seen: [ChannelState.Step] = []
    private(set) var stepsAfterEnd = 0

    init(isConnecting: Bool) { state = ChannelState(isConnecting: isConnecting) }

    mutating func live(through event: Happening, queued: Bool, unread: Bool) {
        let before = state
        let step = event.happen(to: &state, queued: queued, unread: unread)
        let ends = step == .release || step == .cutOff
        let endsNow = before.phase != .closed && state.phase == .closed
        #expect(ends == endsNow, "\(event) on \(before)")
        #expect(state.phase.rawValue >= before.phase.rawValue, "\(event) on \(before)")
        if state.phase == .closed { #expect(state.reason != nil, "\(event) on \(before)") }
        if before.phase == .closed {
            stepsAfterEnd += 1
            #expect(step == .nothing, "\(event) on \(before)")
            #expect(state.reason == before.reason, "\(event) on \(before)")
        }
        if let reason = before.reason, reason != .finished, !ends {
            #expect(state.reason == reason, "\(event) on \(before)")
        }
        if step != .nothing {
            #expect(!seen.contains(step), "\(event) on \(before) repeats \(step)")
            seen.append(step)
        }
    }
}
