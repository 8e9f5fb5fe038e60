// SPDX-License-Identifier: Apache-2.0
//
// Writing: what one turn writes leaves in one system call at its end.
// What the kernel does not take waits in the channel's queue, within its limit.

extension Channel {
    /// Writes bytes: they leave at the end of the turn, or when the kernel takes them.
    ///
    /// Never waits. Bytes are copied where they can't be sent at once.
    ///
    /// - Returns: whether the queue is above the high mark.
    /// - Throws: ``SocketError`` with operation `.write`: `.badDescriptor` on a closed channel,
    ///   `.shutDown` after ``closeWriting()``, `.noBufferSpace` when the bytes would not fit the
    ///   queue's limit (nothing of them is taken), `.brokenPipe` after the peer has gone, or the
    ///   error of a write in the background, once.
    @discardableResult
    public func write(_ bytes: RawSpan) throws(SocketError) -> WriteResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in try write(bytes, sharing: nil) }
    }

    /// Writes an array: large ones are kept until they are sent instead of being copied.
    ///
    /// - Throws: ``SocketError``, as ``write(_:)-(RawSpan)``.
    @discardableResult
    public func write(_ bytes: [UInt8]) throws(SocketError) -> WriteResult {
        try bytes.span.bytes.withUnsafeBytes { memory throws(SocketError) in
            try write(memory, sharing: memory.count > TurnOutput.copyLimit ? bytes : nil)
        }
    }

    @inline(__always)
    private func write(
        _ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?
    ) throws(SocketError) -> WriteResult {
        let home = try checkedHome(forWriting: bytes.count)
        if bytes.isEmpty { return markResult }
        counted.writes &+= 1
        return home._withUnsafeGuaranteedRef { collect(bytes, sharing: array, $0) }
    }

    /// Takes bytes for the end of the turn, sends them or queues them.
    @inline(__always)
    private func collect(
        _ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, _ reactor: Reactor
    ) -> WriteResult {
        if output == nil, state.phase == .open {
            if reactor.turnOutput.count == 0 || reactor.turnOutput.belongs(to: self) {
                if reactor.turnOutput.hasRoom(for: bytes.count) {
                    reactor.turnOutput.append(bytes, of: self)
                    return .accepted
                }
                sendNow(bytes, sharing: array, reactor)
                return markResult
            }
        }
        queue(bytes, sharing: array, from: 0)
        if state.phase == .open, !flags.contains(.isUnflushed), !waitsForKernel {
            flags.insert(.isUnflushed)
            reactor.unflushed.append(self)
        }
        return markResult
    }

    /// Sends everything now that the kernel takes, instead of at the end of the turn.
    ///
    /// What it does not take goes out in the background.
    ///
    /// - Throws: ``SocketError`` with operation `.write`, as ``write(_:)-(RawSpan)``.
    public func flush() throws(SocketError) {
        let reactor = try checkedHome(forWriting: 0).takeUnretainedValue()
        if reactor.turnOutput.belongs(to: self) { flushTurn(reactor) } else { flushQueue() }
        try throwPendingError()
    }

    private var markResult: WriteResult {
        guard let output else { return .accepted }
        if output.byteCount <= shared.values.highWaterMark { return .accepted }
        if !output.isAboveMark {
            output.isAboveMark = true
            arrange()
        }
        return .aboveMark
    }

    /// The reactor, if this side may write `count` bytes more and no error waits to be told.
    @inline(__always)
    private func checkedHome(forWriting count: Int) throws(SocketError) -> Unmanaged<Reactor> {
        guard let home, state.phase == .open || state.phase == .connecting,
            !state.isCloseAsked
        else { throw SocketError(.write, .badDescriptor, at: peerAddress) }
        if rare != nil { try throwPendingError() }
        if state.output != .open {
            throw SocketError(
                .write, state.output == .failed ? .brokenPipe : .shutDown, at: peerAddress)
        }
        if count > shared.values.outputLimit - TurnOutput.capacity - (output?.byteCount ?? 0),
            count > shared.values.outputLimit - unsentByteCount
        {
            throw SocketError(.write, .noBufferSpace, at: peerAddress)
        }
        return home
    }

    /// Whether the kernel was full when it was last asked.
    private var waitsForKernel: Bool { output?.isRefused ?? false }

    private func queue(_ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, from start: Int) {
        let queue = output ?? OutputQueue()
        output = queue
        if let array {
            queue.append(sharing: array, from: start)
        } else {
            queue.append(copying: UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    /// Sends bytes that are too many to be collected, in one call with those that were.
    private func sendNow(
        _ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, _ reactor: Reactor
    ) {
        let collected = reactor.turnOutput.bytes
        reactor.turnOutput.clear()
        let sent: Int
        do {
            switch try socket?.send(collected, then: bytes) {
            case .bytes(let count): sent = count
            case .wouldBlock, nil: sent = 0
            }
        } catch {
            return writeFailed(error)
        }
        noteSent(sent, reactor)
        if sent == collected.count + bytes.count { return }
        // Nothing overwrites the collected bytes before they are copied here.
        if sent < collected.count { queue(collected, sharing: nil, from: sent) }
        queue(bytes, sharing: array, from: max(0, sent - collected.count))
        output?.isRefused = true
        arrange()
    }

    @inline(__always)
    private func noteSent(_ count: Int, _ reactor: Reactor) {
        if count == 0 { return }
        counted.bytesSent &+= UInt64(count)
        lastSent = reactor.now
    }
}

// MARK: - What goes out

extension Channel {
    /// How much of the turn's collected output is this channel's.
    var turnByteCount: Int {
        guard let reactor = reactorOrNil, reactor.turnOutput.belongs(to: self) else { return 0 }
        return reactor.turnOutput.count
    }

    /// Sends what this channel has written in the turn.
    @inline(__always)
    func flushTurn(_ reactor: Reactor) {
        let bytes = reactor.turnOutput.bytes
        reactor.turnOutput.clear()
        let sent: Int
        do {
            switch try socket?.send(bytes) {
            case .bytes(let count): sent = count
            case .wouldBlock, nil: sent = 0
            }
        } catch {
            return writeFailed(error)
        }
        noteSent(sent, reactor)
        if sent == bytes.count { return }
        // Nothing overwrites the collected bytes before they are copied here.
        queue(bytes, sharing: nil, from: sent)
        output?.isRefused = true
        _ = markResult
        arrange()
    }

    /// Offers the queue to the kernel, and does what was waiting for its end.
    func flushQueue() {
        flags.remove(.isUnflushed)
        guard let reactor = reactorOrNil, let queue = output,
            state.phase == .open || state.phase == .draining
        else { return }
        var budget = max(shared.values.bytesPerTurn, 1)
        queue.isRefused = false
        do {
            while !queue.isEmpty, budget > 0 {
                guard case .bytes(let count)? = try socket?.send(queue) else {
                    queue.isRefused = true
                    break
                }
                noteSent(count, reactor)
                budget -= count
            }
        } catch {
            return writeFailed(error)
        }
        if queue.isEmpty {
            output = nil
        } else if !queue.isRefused {
            // The turn is over, not the kernel's room: nothing would report it again.
            enqueue(.writable)
            queue.isRefused = true
        }
        checkMarks(queue)
        if output == nil { perform(state.drained(unread: state.phase == .draining && hasUnread)) }
        arrange()
    }

    /// Lets reading and the program go on when the queue has fallen to the low mark.
    func checkMarks(_ emptied: OutputQueue? = nil) {
        guard let queue = emptied ?? output, queue.isAboveMark,
            queue.byteCount <= shared.values.lowWaterMark
        else { return }
        queue.isAboveMark = false
        if wantsInput, hasReadableInput { enqueue(.readable) }
        guard state.phase == .open, let handler = rare?.drained, let reactor = reactorOrNil else {
            return
        }
        if reactor.attempt(for: self, { try handler(self) }) { rare?.drained = nil }
    }

    /// A write failed: what was queued is lost, and the error waits for the next operation.
    func writeFailed(_ error: SocketError) {
        let located = drop(error)
        let step = state.writeFailed(reason(of: located))
        if state.phase == .open {
            parts.pendingError = located
            enqueue([.readable, .writable, .peerClosed])
        }
        perform(step)
        arrange()
    }

    /// A read failed, which is told as the end of the input: nothing more goes either way.
    func readFailed(_ error: SocketError) {
        let located = drop(error)
        let step = state.readFailed(reason(of: located))
        if state.phase == .open { enqueue([.readable, .writable, .peerClosed]) }
        perform(step)
        arrange()
    }

    private func drop(_ error: SocketError) -> SocketError {
        if let reactor = reactorOrNil, reactor.turnOutput.belongs(to: self) {
            reactor.turnOutput.clear()
        }
        output = nil
        return SocketError(error.operation, error.code, at: peerAddress)
    }

    private func reason(of error: SocketError) -> EndReason {
        error.code == .connectionReset || error.code == .brokenPipe ? .reset : .failed(error)
    }

    /// Whether the kernel holds input that nobody has read.
    var hasUnread: Bool {
        guard counted.bytesSent > 0, state.input != .ended else { return false }
        // A count that can't be had is taken for none: the descriptor is then closed at once.
        return ((try? socket?.unreadByteCount) ?? 0) > 0
    }
}
