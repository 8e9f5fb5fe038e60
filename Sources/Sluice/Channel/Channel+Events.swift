// SPDX-License-Identifier: Apache-2.0
//
// What a channel waits for, and what it does when that comes: the handlers' rules stand here.
// The event is changed only when what is wanted changes; while somebody reads it stays armed.

internal import CLibevent

// MARK: - Handlers

extension Channel {
    /// Calls `handler` when there is something to read: bytes, the end of the input or an error.
    ///
    /// As Tcl's `fileevent`: level-triggered, so a handler that does not read, or does not react to
    /// the end of the input, is called again. Replaces ``onBytes(_:)``; `nil` takes the handler
    /// away. A handler that throws is taken away and its error goes to ``Reactor/onError``.
    public func onReadable(_ handler: ((Channel) throws -> Void)?) {
        guard mayInstall(reader: handler != nil) else { return }
        setReader(handler.map(Reader.readable) ?? .none)
        flags.remove(.writableIsNewer)
        if handler != nil, hasReadableInput { enqueue(.readable) }
        arrange()
    }

    /// Calls `handler` with the bytes as they come, in the reactor's own memory: they are valid
    /// until it returns.
    ///
    /// Reading pauses while the output is above the high mark, unless
    /// ``ChannelOptions/pausesReadingAboveMark`` is off. At the end of the input ``onInputEnd(_:)``
    /// is called or, without it, the channel is closed. Replaces ``onReadable(_:)``; `nil` takes
    /// the handler away. What a handler throws goes to ``Reactor/onError`` and closes the channel.
    public func onBytes(_ handler: ((Channel, RawSpan) throws -> Void)?) {
        guard mayInstall(reader: handler != nil) else { return }
        setReader(handler.map(Reader.bytes) ?? .none)
        // Bytes go on behind an end mark.
        if handler != nil, state.input == .open { flags.remove(.isEndTold) }
        flags.remove([.needsMore, .writableIsNewer])
        if handler != nil, hasReadableInput || state.input == .ended { enqueue(.readable) }
        arrange()
    }

    /// Calls `handler` once, when the bytes of ``onBytes(_:)`` have come to their end.
    ///
    /// The channel then stays open for writing until it is closed.
    public func onInputEnd(_ handler: ((Channel) throws -> Void)?) {
        if state.phase == .open || state.phase == .connecting { parts.inputEnd = handler }
    }

    /// Calls `handler` when a byte can be written and nothing is queued, or an error waits.
    ///
    /// As Tcl's `fileevent`: level-triggered, so it is called again and again on an idle channel;
    /// `nil` takes it away. A handler that throws is taken away and its error goes to
    /// ``Reactor/onError``.
    public func onWritable(_ handler: ((Channel) throws -> Void)?) {
        guard state.phase == .open || state.phase == .connecting else { return }
        if handler == nil && rare == nil { return }
        // Who has closed the writing side has nothing to wait for; a failed one has its error.
        if handler != nil, state.output == .finishing || state.output == .shut { return }
        parts.writable = handler
        flags.insert(.writableIsNewer)
        arrange()
    }

    /// Calls `handler` each time the output queue has been above the high mark and is down to the
    /// low one.
    public func onDrained(_ handler: ((Channel) throws -> Void)?) {
        if state.phase == .open || state.phase == .connecting { parts.drained = handler }
    }

    /// Calls `handler` once, when the peer has closed its writing side or is gone: also when
    /// nothing is read.
    public func onPeerClosed(_ handler: ((Channel) throws -> Void)?) {
        guard state.phase == .open || state.phase == .connecting else { return }
        parts.peerClosed = handler
        // Old news is told as well.
        if handler != nil, hasPeerClosed { enqueue(.peerClosed) }
    }

    /// Calls `handler` once, as the last event of the channel, when its descriptor is closed.
    ///
    /// Not when the reactor itself comes to its end: it takes its channels with it without a
    /// further event.
    public func onClose(_ handler: ((Channel, EndReason) -> Void)?) {
        if state.phase != .closed { parts.closed = handler }
    }

    /// Which handlers are installed: `readable` for both ways to read, `writable`, `peerClosed`.
    public var handled: Interest {
        var result = Interest()
        if case .none = ownReader {} else { result.insert(.readable) }
        if rare?.writable != nil { result.insert(.writable) }
        if rare?.peerClosed != nil { result.insert(.peerClosed) }
        return result
    }

    func mayInstall(reader isHandler: Bool) -> Bool {
        guard state.phase == .open || state.phase == .connecting else { return false }
        if let text { keepLent(text) }
        return !isHandler || state.input != .shut
    }

    /// Stops reading until ``resumeReading()``; the peer is held back once the kernel's buffers are
    /// full.
    public func pauseReading() {
        flags.insert(.pausedByProgram)
        arrange()
        restChanged()
    }

    /// Reads again after ``pauseReading()``.
    public func resumeReading() {
        flags.remove(.pausedByProgram)
        if hasReadableInput || state.input == .ended { enqueue(.readable) }
        arrange()
        restChanged()
    }
}

// MARK: - What to wait for

extension Channel {
    private static let edge = Int16(EV_ET | EV_CLOSED | EV_WRITE)
    /// While output waits for a limit, room in the kernel is no news.
    private static let quiet = Int16(EV_ET | EV_CLOSED)

    /// Has the kernel watch for what the channel needs now.
    func arrange() {
        guard state.phase != .closed, home != nil else { return }
        let wanted = wantedFlags
        if wanted == event?.flags { return }
        if timing != nil { noteWatch(for: wanted) }
        // While somebody may read again soon the read event stays armed; it is put down when it
        // comes in vain.
        do {
            try event?.wait(for: wanted)
        } catch {
            // The kernel watches no more: without events the channel can only end.
            perform(state.cutOff(because: .failed(error)))
        }
    }

    /// Has the kernel watch for the first time, where a refusal can still be thrown.
    func beginWatching() throws(SocketError) {
        do throws(SocketError) {
            try event?.wait(for: wantedFlags)
        } catch {
            perform(state.cutOff(because: .failed(error)))
            throw SocketError(.watch, error.code, at: peerAddress)
        }
    }

    private var wantedFlags: Int16 {
        switch state.phase {
        case .connecting: return Int16(EV_WRITE)
        case .draining: return isSendHeld ? Self.quiet : Int16(EV_WRITE)
        case .discarding: return Int16(EV_READ)
        case .closed: return 0
        case .open: break
        }
        let writes = isDue ? !isSendHeld : awaitsRoom && state.output != .shut
        if wantsInput, rare == nil || !isInputHeld {
            return Int16(EV_READ | EV_CLOSED | (writes ? EV_WRITE : 0))
        }
        if !isDue, writes { return Int16(EV_WRITE | (state.peerClosed ? 0 : EV_CLOSED)) }
        if isDue, isSendHeld { return Self.quiet }
        // Nobody reads. Level-triggered, the peer's end would be reported over and over; and
        // libevent passes on an error only to who waits for reading or writing.
        return Self.edge
    }

    /// Whether a handler waits for room to write; it rests while a copy writes.
    var awaitsRoom: Bool { rare?.writable != nil && !isCopySink }

    var wantsInput: Bool { flags.isDisjoint(with: .paused) && readerWantsInput }

    /// Whether somebody reads, or would but for the reactor's limit.
    var wouldRead: Bool { !flags.contains(.pausedByProgram) && readerWantsInput }

    @inline(__always)
    private var readerWantsInput: Bool {
        switch reader {
        case .none: false
        case .readable: state.input != .shut
        case .bytes: state.input == .open && !isHeldBackByOutput
        case .lines:
            state.input == .open && !isHeldBackByOutput && text?.input.isAtEndMark != true
        case .pump(let pump): state.input == .open && pump.wantsInput
        case .awaited(let waiter): state.input == .open && waiter.isWaiting
        }
    }

    /// Whoever is sent bytes is held back while its answers pile up.
    var isHeldBackByOutput: Bool {
        guard let output, output.isAboveMark else { return false }
        return shared.values.pausesReadingAboveMark
    }

    /// Whether what was read before counts as readable.
    var hasReadableInput: Bool { !input.isEmpty && !flags.contains(.needsMore) }

    /// Gives the channel a turn of its own, for what the kernel will not report again.
    func enqueue(_ what: Interest) {
        guard residentIndex >= 0, let home else { return }
        found.formUnion(what)
        if flags.contains(.isEnqueued) { return }
        flags.insert(.isEnqueued)
        home._withUnsafeGuaranteedRef { $0.enqueue(self) }
    }
}

private func channelIsReady(_: CInt, _ flags: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    // The context is a channel whose event has not ended, and the event ends with the channel.
    Unmanaged<Channel>.fromOpaque(context)._withUnsafeGuaranteedRef {
        $0.enqueue(Interest(flags: flags))
    }
}

let channelCallback: EventCallback = channelIsReady

// MARK: - What has come

extension Channel: Resident, TurnWriter, DeadlineOwner {
    /// The channel's turn: does what was found, by the rules of the handlers.
    func takeTurn(on reactor: Reactor) {
        let what = found
        found = []
        flags.subtract([.isEnqueued, .isKernelEmpty])
        switch state.phase {
        case .open: handleOpen(what, reactor)
        case .connecting:
            if what.contains(.writable), rare?.opening == nil {
                finishConnecting()
            } else if case .pump(let pump) = reader {
                // A copy of nothing has all it needs.
                pump.sourceIsReady()
            }
        case .draining: flushQueue()
        case .discarding: discardInput()
        case .closed: reportClosed()
        }
    }

    @inline(__always)
    private func handleOpen(_ what: Interest, _ reactor: Reactor) {
        if what == .readable, rare == nil {
            handleReadable(reactor)
            return
        }
        if rare?.isDecided == true { reportDecided() }
        if rare?.isDrainDue == true { reportDrained() }
        if !flags.isDisjoint(with: .lookedAt) {
            if flags.contains(.isDraining) { reportDraining() }
            letGoIfEmpty()
        }
        let wasQueued = isDue
        if wasQueued, what.contains(.writable) { flushQueue() }
        notePeerClose(what, isExplained: wasQueued || awaitsRoom)
        if flags.contains(.writableIsNewer) {
            if what.contains(.writable) { handleWritable(reactor) }
            if what.contains(.readable) { handleReadable(reactor) }
        } else {
            if what.contains(.readable) { handleReadable(reactor) }
            if what.contains(.writable) { handleWritable(reactor) }
        }
    }

    private func handleReadable(_ reactor: Reactor) {
        guard state.phase == .open else { return }
        if !wantsInput {
            letGoIfEmpty()
            arrange()
        }
        switch reader {
        case .none: break
        case .bytes: deliver(reactor)
        case .lines: deliverLines(reactor)
        case .pump(let pump): pump.sourceIsReady()
        case .awaited(let waiter): waiter.resume()
        case .readable(let handler):
            guard wantsInput || mayDeliverRest, rare == nil || mayRead else { return }
            flags.insert(.isInTurn)
            let threw = reactor.attempt(for: self) { try handler(self) }
            flags.subtract([.isInTurn, .isKernelEmpty])
            if threw, case .readable = ownReader { setReader(.none) }
            if threw { handlerWasLost() }
            announceRest()
        }
    }

    private func handleWritable(_ reactor: Reactor) {
        guard state.phase == .open, !isDue, turnByteCount == 0, !isCopySink,
            let handler = rare?.writable
        else { return }
        if timing != nil { noteRoom() }
        if reactor.attempt(for: self, { try handler(self) }) {
            rare?.writable = nil
            handlerWasLost()
        }
    }

    /// A handler threw and was taken away.
    ///
    /// Where the peer is gone and nobody else waits for anything, nothing would ever end the
    /// channel: it closes, now or when the peer goes.
    private func handlerWasLost() {
        flags.insert(.hasLostHandler)
        closeIfForsaken()
        arrange()
    }

    private func closeIfForsaken() {
        guard flags.contains(.hasLostHandler), handled.isEmpty, !isCopySource, state.phase == .open,
            state.peerClosed || state.input == .ended || state.output == .failed
        else { return }
        close(because: .local)
    }

    /// Finds out whether the peer has closed, and asks the socket where the event does not say.
    ///
    /// - Parameter isExplained: whether somebody waited to write, so that being writable says
    ///   nothing else.
    private func notePeerClose(_ what: Interest, isExplained: Bool) {
        guard state.phase == .open, let reactor = reactorOrNil else { return }
        // After this side has shut its reading down, the kernel reports that in the same way.
        var isClosed = what.contains(.peerClosed) && state.input != .shut
        if !isClosed, !isExplained, !wantsInput, what.contains(.writable),
            let found = socket?.peerState
        {
            isClosed = found.isFailed || (found.isFinished && state.input != .shut)
            if found.isFailed { takeSocketError() }
        }
        guard isClosed || state.output == .failed else { return }
        let isNews = state.sawPeerClose()
        // What it has sent before its end is read, and then the end.
        if flags.contains(.pausedByLimit) { letGo() }
        rare?.waits?.wake(.peerClosed)
        if !isNews, rare?.peerClosed == nil { return }
        if let handler = rare?.peerClosed {
            rare?.peerClosed = nil
            _ = reactor.attempt(for: self) { try handler(self) }
        }
        closeIfForsaken()
        arrange()
    }

    /// The connection failed while nobody read: what the kernel knows of it becomes the channel's
    /// error.
    private func takeSocketError() {
        // An option that can't be read leaves the reset that was reported.
        let code = (try? socket?.get(.pendingError)) ?? .connectionReset
        let error = SocketError(
            .read, code.rawValue == 0 ? .connectionReset : code, at: peerAddress)
        keepWhatCame()
        // Readers meet it as the end; who asks for the error is told.
        if !isCopySink { parts.socketError = error }
        readFailed(error)
    }

    /// What the peer had sent before it cut the connection can still be read, up to the input's
    /// limit.
    private func keepWhatCame() {
        guard state.input == .open, let reactor = reactorOrNil else { return }
        reactor.withScratch { buffer in
            // An error is the one that is known already.
            while input.byteCount < shared.values.inputLimit,
                case .bytes(let count)? = try? receiveRest(into: buffer),
                count > 0
            {
                input.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                counted.bytesReceived &+= UInt64(count)
                counted.reads &+= 1
                rare?.rates?.receiving.spend(count)
            }
        }
    }

    private func reportClosed() {
        if rare?.isDecided == true { reportDecided() }
        guard let handler = rare?.closed, let reason = state.reason else { return }
        rare?.closed = nil
        handler(self, reason)
    }
}
