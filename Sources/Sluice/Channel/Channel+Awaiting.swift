// SPDX-License-Identifier: Apache-2.0
//
// What tasks may wait for on a channel, seen from the channel: it wakes them, and they look again.

internal import CSystemCalls

/// Something of a channel that tasks wait for.
enum Awaited {
    /// The output is down to the low mark, or has gone.
    case room
    /// The peer has closed its writing side, or is gone.
    case peerClosed
    /// The descriptor is released.
    case closed
}

/// The tasks that wait for a channel, apart from the one that reads.
final class ChannelWaits {
    @exclusivity(unchecked) private var waiters: [(waiter: Waiter, awaited: Awaited)] = []

    var isEmpty: Bool { waiters.isEmpty }

    func add(_ waiter: Waiter, for awaited: Awaited) { waiters.append((waiter, awaited)) }

    func remove(_ waiter: Waiter) { waiters.removeAll { $0.waiter === waiter } }

    /// Wakes all who wait for one thing.
    func wake(_ awaited: Awaited) {
        for one in waiters where one.awaited == awaited { one.waiter.resume() }
    }

    /// Wakes everybody: the channel has ended.
    func wakeAll() { for one in waiters { one.waiter.resume() } }
}

extension Channel {
    /// Has a waiter take the input.
    func awaitInput(_ waiter: Waiter) {
        guard state.phase == .open || state.phase == .connecting else { return }
        setReader(.awaited(waiter))
        // What comes is reported, so nobody asks beforehand.
        flags.insert(.isKernelEmpty)
    }

    // Addresses only, for the processor: nothing is read or kept, so nothing has to live on.

    func fetchObject() {
        csystem_fetch(Unmanaged.passUnretained(self).toOpaque(), Self.byteCount)
    }

    func fetchReferences() {
        guard case .awaited(let waiter) = reader, let waitingTask else { return }
        csystem_fetch(Unmanaged.passUnretained(waiter).toOpaque(), Waiter.byteCount)
        // The task, and behind it the frames of what it runs.
        csystem_fetch(waitingTask, 768)
    }

    /// About as much as a channel takes.
    private static let byteCount: CInt = 448

    /// Whether a wait for input will be ended by the channel.
    var canAwaitInput: Bool {
        (state.phase == .connecting && !state.isCloseAsked)
            || (state.phase == .open && state.input == .open)
    }

    /// Whether reading may meet something that no event will tell any more.
    var mayHaveInput: Bool {
        flags.isDisjoint(with: .unasked) || (!input.isEmpty && !needsMore) || !canAwaitInput
    }

    /// Offers what is queued to whoever begins to read: it was not enough for another question.
    @inline(__always)
    func offerRest() { if !input.isEmpty { flags.remove(.needsMore) } }

    /// Whether what is queued was not enough for whoever looked at it last.
    var needsMore: Bool { flags.contains(.needsMore) }

    /// Reads as ``read(upTo:_:)``, and notes whether the kernel's buffer is empty then.
    func readAwaited(upTo maximum: Int, _ body: (RawSpan) throws -> Void) throws -> ReadResult {
        let wasQueued = !input.isEmpty
        let result = try read(upTo: maximum, body)
        if !wasQueued { noteKernel(result, size: min(maximum, Reactor.scratchByteCount)) }
        return result
    }

    /// Reads as ``parse(_:)``, and notes whether the kernel's buffer is empty then.
    func parseAwaited(_ body: (RawSpan) throws -> Int) throws -> ReadResult {
        let before = counted.bytesReceived
        let room = parseRoom(wasWaiting: needsMore)
        let result = try parse(body)
        let fresh = Int(truncatingIfNeeded: counted.bytesReceived &- before)
        if fresh < room { flags.insert(.isKernelEmpty) }
        return result
    }

    /// Whether so many characters are there, or none will follow; nothing is consumed.
    func hasCharacters(_ count: Int) throws(ChannelError) -> Bool {
        let text = try beginReadingText()
        while true {
            let found = try queuedText { bytes, isLast throws(TextError) in
                try text.input.look(upTo: count, at: bytes, isLast: isLast)
            }
            if found.isFinal || found.text.unicodeScalars.count >= count { return true }
            if state.input != .open { return true }
            if input.byteCount > shared.values.inputLimit {
                throw .socket(SocketError(.read, .messageTooLong, at: peerAddress))
            }
            if try fillQueue(waits: false) == nil, state.input == .open {
                if !input.isEmpty { needMore() }
                return false
            }
        }
    }

    private func noteKernel(_ result: ReadResult, size: Int) {
        switch result {
        case .bytes(let count) where count >= size: break
        case .bytes, .wouldBlock: flags.insert(.isKernelEmpty)
        case .endOfStream: break
        }
    }

    /// Whether the queue has been above the high mark, and not down to the low one since.
    var isAboveMark: Bool { output?.isAboveMark == true }

    /// Whether the peer's end was seen, read or not.
    var hasPeerClosed: Bool {
        state.peerClosed || state.input == .ended || state.output == .failed
    }

    /// Waits for one thing, if it is still needed; more than one task may.
    func wait(
        for awaited: Awaited, on executor: Reactor.Executor,
        isolation: isolated (any Actor)? = #isolation, _ isNeeded: () -> Bool
    ) async -> Waiter.Outcome {
        await wait(Waiter(on: executor), for: awaited, isNeeded)
    }

    /// Waits for one thing, or for somebody else to wake the waiter.
    func wait(
        _ waiter: Waiter, for awaited: Awaited, isolation: isolated (any Actor)? = #isolation,
        _ isNeeded: () -> Bool
    ) async -> Waiter.Outcome {
        var waits: ChannelWaits?
        defer { waits?.remove(waiter) }
        return await waiter.wait {
            guard isNeeded() else { return false }
            let found = rare?.waits ?? ChannelWaits()
            parts.waits = found
            waits = found
            found.add(waiter, for: awaited)
            return true
        }
    }

    /// The channel has ended: whoever waits looks again.
    func wakeAll() {
        if case .awaited(let waiter) = reader { waiter.resume() }
        rare?.waits?.wakeAll()
    }
}
