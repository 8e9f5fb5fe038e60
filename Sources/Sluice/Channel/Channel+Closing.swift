// SPDX-License-Identifier: Apache-2.0
//
// Ending a channel: whole, one direction, or at once.
// What was written before a close still goes out, in the background and within a limit.

extension Channel {
    /// Closes: no handler is called any more but ``onClose(_:)``, and what was written still goes
    /// out.
    ///
    /// What has not gone out within ``ChannelOptions/lingerLimit`` is dropped and the connection is
    /// reset. Only a blocking channel waits for that and, where the peer has sent what nobody read,
    /// for the peer's end, a second at most. Closing again does nothing.
    public func close() {
        forgetCopies()
        close(because: .local)
    }

    /// Cuts the connection: what was not sent is dropped, and the peer sees a reset.
    public func abort() {
        forgetCopies()
        perform(state.cutOff())
    }

    /// Sends what was written, then ends the writing side: the peer meets the end of its input.
    ///
    /// Writing is refused from now on. When both directions are closed the channel is.
    ///
    /// A copy into the channel ends without a further call.
    ///
    /// - Throws: ``SocketError`` with operation `.shutDown`: `.shutDown` when this side does not
    ///   write any more, `.badDescriptor` on a closed channel; or the error of connecting or of a
    ///   write in the background, once.
    public func closeWriting() throws(SocketError) {
        flushOwnTurn()
        guard state.phase == .open || state.phase == .connecting else {
            throw SocketError(.shutDown, .badDescriptor, at: peerAddress)
        }
        rare?.copyIn?.endWasClosed()
        if state.output == .open { finishText() }
        output?.release()
        if isDue, state.phase == .open, output?.isRefused == false { flushQueue() }
        if shared.values.isBlocking { try waitUntilSent() }
        try throwPendingError()
        guard let step = state.closeWriting(queued: output != nil) else {
            throw SocketError(.shutDown, .shutDown, at: peerAddress)
        }
        rare?.writable = nil
        perform(step)
        arrange()
    }

    /// Ends the reading side: what was not consumed is dropped, and nothing more is read.
    ///
    /// When both directions are closed the channel is. A copy out of the channel ends without a
    /// further call.
    ///
    /// - Throws: ``SocketError`` with operation `.shutDown`: `.shutDown` when this side does not
    ///   read any more, `.badDescriptor` on a closed channel.
    public func closeReading() throws(SocketError) {
        guard state.phase == .open else {
            throw SocketError(.shutDown, .badDescriptor, at: peerAddress)
        }
        guard let step = state.closeReading() else {
            throw SocketError(.shutDown, .shutDown, at: peerAddress)
        }
        rare?.copyOut?.endWasClosed()
        // It looks again, and learns that nothing more is read.
        if case .awaited(let waiter) = ownReader { waiter.resume() }
        setReader(.none)
        perform(step)
        arrange()
    }

    /// - Parameter hearsOut: whether what the peer still sends is read and dropped, to its end.
    func close(because reason: EndReason, hearsOut: Bool = true) {
        flushOwnTurn()
        let wasOpen = state.phase == .open || state.phase == .connecting
        if wasOpen {
            endCopies()
            output?.forgetFiles()
            finishText()
            output?.release()
            if shared.values.isBlocking, isDue { waitBeforeClosing() }
        }
        let unread = hearsOut && output == nil && hasUnread
        perform(state.close(queued: output != nil, unread: unread, because: reason))
        if wasOpen { dropHandlers() }
        arrange()
    }

    /// Does what the state has decided.
    func perform(_ step: ChannelState.Step) {
        switch step {
        case .nothing: break
        case .drain:
            dropInput()
            if home == nil {
                perform(state.cutOff(because: .timedOut(.linger)))
            } else {
                startLinger()
            }
        case .shutWriting: shutWriting()
        case .shutReading:
            dropInput()
            try? socket?.shutDown(.reading)  // Fails only where the peer is gone.
        case .discard:
            dropInput()
            try? socket?.shutDown(.writing)  // Fails only where the peer is gone.
            if shared.values.isBlocking { waitForPeersEnd() } else { startLinger() }
        case .release: release()
        case .cutOff:
            // Where the option is refused the close is an ordinary one.
            try? socket?.set(.linger, to: .on(.zero))
            release()
        }
    }

    /// Nobody reads any more: what was not consumed goes, also what somebody looks at just now.
    private func dropInput() {
        flags.remove(.isInputLent)
        input = InputQueue()
        text?.lent = nil
    }

    func flushOwnTurn() {
        guard let reactor = reactorOrNil, reactor.turnOutput.belongs(to: self) else { return }
        flushTurn(reactor)
    }

    private func shutWriting() {
        do {
            try socket?.shutDown(.writing)
        } catch {
            // Where the peer is gone nobody waits for the end; else it would be waited for in vain.
            if error.code != .notConnected {
                writeFailed(SocketError(.write, error.code, at: peerAddress))
            }
        }
    }

    /// One limit holds for all that is left to do after the close.
    private func startLinger() {
        guard let reactor = reactorOrNil, !flags.contains(.isLingering) else { return }
        flags.insert(.isLingering)
        setDeadline(reactor.now + shared.values.lingerLimit.nanoseconds)
    }

    /// The descriptor goes: first its event, then itself.
    private func release() {
        dropHandlers()
        event = nil
        socket = nil
        output = nil
        dropInput()
        text = nil
        found = []
        guard let reactor = reactorOrNil else { return }
        if reactor.turnOutput.belongs(to: self) { reactor.turnOutput.clear() }
        reactor.closedInput &+= counted.bytesReceived
        reactor.closedOutput &+= counted.bytesSent
        reactor.deadlines.remove(deadline)
        deadline = .none
        timing = nil
        if rare?.closed != nil { enqueue([]) }
        rare?.opening?.giveUp()
        rare?.waits?.wakeAll()
        reactor.dismiss(self)
        leaveHome(reactor)
        reactor.executor.countChannels(-1)
        if flags.contains(.wasOpen) { reactor.tell(.closed(self, endReason ?? .local)) }
        let counting = owner
        owner = nil
        counting?.channelClosed(self)
    }

    /// Whether the kernel holds input that nobody has read.
    var hasUnread: Bool {
        guard counted.bytesSent > 0, state.input != .ended else { return false }
        // A count that can't be had is taken for none: the descriptor is then closed at once.
        return ((try? socket?.unreadByteCount) ?? 0) > 0
    }
}
