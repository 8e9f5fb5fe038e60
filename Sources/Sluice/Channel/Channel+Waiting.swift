// SPDX-License-Identifier: Apache-2.0
//
// How a blocking channel waits: for its own descriptor alone.
// No handler runs meanwhile, neither its own nor anybody else's.

internal import CSystemCalls

extension Channel {
    /// Waits until connecting has succeeded or failed; the failure is thrown.
    ///
    /// Where the deadline passes first, the channel is connecting still.
    func waitForConnection(before deadline: UInt64? = nil) throws(SocketError) {
        guard state.phase == .connecting else { return }
        if let opening = rare?.opening {
            try wait(for: opening, before: deadline)
        } else {
            if try !waited(until: .writable, before: deadline) { return }
            quietly { finishConnecting() }
        }
        try throwPendingError()
    }

    private func wait(
        for opening: any Opening, before deadline: UInt64?
    ) throws(SocketError) {
        do throws(SocketError) {
            try quietly { () throws(SocketError) in try opening.wait(before: deadline) }
        } catch {
            throw SocketError(error.operation, error.code, at: peerAddress)
        }
    }

    /// Finds out whether connecting is decided, without waiting and without a handler.
    func advanceConnecting() {
        guard state.phase == .connecting else { return }
        if let opening = rare?.opening { return quietly { opening.advance() } }
        // A socket that can't be asked is not decided.
        let isDecided = (try? socket?.wait(until: .writable, before: 0)) ?? false
        if isDecided { quietly { finishConnecting() } }
    }

    func waitToRead() throws(SocketError) {
        if state.phase == .connecting { return try waitForConnection() }
        if isInputHeld { return try waitForInputLimit() }
        if isDue, isSendHeld { return try waitToReadWhileSendHeld() }
        // What was written before the channel blocked may be what the peer waits for.
        _ = try waited(until: isDue ? .readableOrWritable : .readable)
        if isDue { quietly { flushQueue() } }
    }

    /// Waits until the kernel has taken everything that is to go out, or the deadline has passed.
    func waitUntilSent(before deadline: UInt64? = nil) throws(SocketError) {
        try waitForConnection(before: deadline)
        if isDue, state.phase == .open { quietly { flushQueue() } }
        while isDue, state.phase == .open {
            if try !waitedToSend(before: deadline) { return }
            quietly { flushQueue() }
        }
    }

    /// Does something with the handlers put off to turns of their own.
    func quietly<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        let wasWaiting = flags.contains(.isWaiting)
        flags.insert(.isWaiting)
        defer { if !wasWaiting { flags.remove(.isWaiting) } }
        try body()
    }

    /// Before a blocking channel closes, what was written goes out, within the linger limit.
    func waitBeforeClosing() {
        let limit = shared.values.lingerLimit.nanoseconds
        // What failed is over; closing has no error of its own.
        try? waitUntilSent(before: csystem_monotonic_nanoseconds() &+ limit)
    }

    /// Reads and drops what the peer still sends, until it has ended or a second has passed, so
    /// that no reset overtakes what was sent.
    func waitForPeersEnd() {
        let second: UInt64 = 1_000_000_000
        let limit = min(second, shared.values.lingerLimit.nanoseconds)
        let deadline = csystem_monotonic_nanoseconds() &+ limit
        while state.phase == .discarding {
            // A socket that can't be waited for is closed as it is.
            let isReady = (try? socket?.wait(until: .readable, before: deadline)) ?? false
            guard isReady else { return perform(state.inputEnded()) }
            discardInput()
        }
    }

    func waited(
        until readiness: Socket.Readiness, before deadline: UInt64? = nil
    ) throws(SocketError) -> Bool {
        if deadline == nil, shared.idle > 0, state.phase == .open {
            return try waitedWhileIdle(until: readiness)
        }
        do throws(SocketError) {
            if let isReady = try socket?.wait(until: readiness, before: deadline) { return isReady }
        } catch {
            throw SocketError(error.operation, error.code, at: peerAddress)
        }
        throw SocketError(.watch, .badDescriptor, at: peerAddress)
    }

    /// Waits no longer than the idle limit allows, which closes the channel.
    private func waitedWhileIdle(until readiness: Socket.Readiness) throws(SocketError) -> Bool {
        let due = csystem_monotonic_nanoseconds() &+ shared.idle
        if try waited(until: readiness, before: due) { return true }
        // What the peer has not taken for so long it will not take now.
        if isDue {
            perform(state.cutOff(because: .timedOut(.idle)))
        } else {
            close(because: .timedOut(.idle))
        }
        throw SocketError(readiness == .writable ? .write : .read, .timedOut, at: peerAddress)
    }
}
