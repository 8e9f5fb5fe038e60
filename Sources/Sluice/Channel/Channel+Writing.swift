// SPDX-License-Identifier: Apache-2.0
//
// Writing: what one turn writes leaves in one system call at its end.
// What the kernel does not take waits in the channel's queue, within its limit.

extension Channel {
    /// Writes bytes: they leave as ``ChannelOptions/buffering`` says, first of all at the end of the
    /// turn.
    ///
    /// Waits only on a blocking channel, until the kernel has taken what is due. Bytes are copied
    /// where they can't be sent at once.
    ///
    /// - Returns: whether the queue is above the high mark.
    /// - Throws: ``SocketError`` with operation `.write`: `.badDescriptor` on a closed channel,
    ///   `.shutDown` after ``closeWriting()``, `.noBufferSpace` when the bytes would not fit the
    ///   queue's limit (nothing of them is taken; never on a blocking channel), `.brokenPipe` after the peer has gone, or the
    ///   error of a write in the background, once.
    @discardableResult
    public func write(_ bytes: RawSpan) throws(SocketError) -> WriteResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in try write(bytes, sharing: nil) }
    }

    /// Writes what text has become.
    ///
    /// - Parameter isLine: whether the text has a line feed, whatever that is among the bytes.
    func write(encoded bytes: RawSpan, isLine: Bool) throws(SocketError) -> WriteResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in
            try write(bytes, sharing: nil, isLine: isLine)
        }
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
        _ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, isLine: Bool? = nil
    ) throws(SocketError) -> WriteResult {
        if rare != nil, isCopySink { throw SocketError(.write, .busy, at: peerAddress) }
        try checkWriting(bytes.count)
        if bytes.isEmpty { return markResult }
        counted.writes &+= 1
        if shared.collectsTurns, let home {
            return home._withUnsafeGuaranteedRef { collect(bytes, sharing: array, $0) }
        }
        return try buffer(bytes, sharing: array, isLine)
    }

    /// Takes what a copy brings, whatever the buffering: it leaves at the end of the turn.
    ///
    /// - Parameter waits: sends it now, as a channel that blocks does.
    func pumpIn(_ bytes: RawSpan, waits: Bool) throws(SocketError) -> WriteResult {
        // Above its mark a copy stops: it adds one piece to the queue at most, whatever the limit.
        try checkWriting()
        if bytes.isEmpty { return markResult }
        return try bytes.withUnsafeBytes { bytes throws(SocketError) in
            guard let home, !waits else { return try buffer(bytes, sharing: nil, nil) }
            return home._withUnsafeGuaranteedRef { collect(bytes, sharing: nil, $0) }
        }
    }

    /// Takes bytes as the other ways of buffering than by turns have it.
    @inline(never)
    private func buffer(
        _ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, _ isLine: Bool?
    ) throws(SocketError) -> WriteResult {
        flushOwnTurn()
        queue(bytes, sharing: array, from: 0)
        switch shared.values.buffering {
        case .none, .turn: output?.release()
        case .line where isLine ?? bytes.contains(UInt8(ascii: "\n")): output?.release()
        case .line, .full: output?.hold(bytes.count, untilFull: shared.values.bufferByteCount)
        }
        try sendDue()
        if let reactorOrNil, reactorOrNil.buffers.isOver { relieve(reactorOrNil) }
        return markResult
    }

    /// Offers the kernel what is to go out; a blocking channel waits until it has taken all.
    func sendDue() throws(SocketError) {
        guard shared.values.isBlocking else {
            if isDue, !waitsForKernel { flushQueue() }
            return
        }
        if isDue { try waitUntilSent() }
        try throwPendingError()
    }

    /// Takes bytes for the end of the turn, sends them or queues them.
    @inline(__always)
    private func collect(
        _ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, _ reactor: Reactor
    ) -> WriteResult {
        if output == nil, state.phase == .open, !flags.contains(.isSendRated) {
            if reactor.turnOutput.count == 0 || reactor.turnOutput.belongs(to: self) {
                if reactor.turnOutput.hasRoom(for: bytes.count) {
                    reactor.turnOutput.append(bytes, of: self)
                    return .accepted
                }
                sendNow(bytes, sharing: array, reactor)
                if reactor.buffers.isOver { relieve(reactor) }
                return markResult
            }
        }
        queue(bytes, sharing: array, from: 0)
        output?.release()
        if state.phase == .open, !flags.contains(.isUnflushed), !waitsForKernel {
            flags.insert(.isUnflushed)
            reactor.unflushed.append(self)
        }
        if reactor.buffers.isOver { relieve(reactor) }
        return markResult
    }

    /// Sends everything now, instead of at the end of the turn or when a buffer is full.
    ///
    /// What the kernel does not take goes out in the background; a blocking channel waits for it.
    ///
    /// - Throws: ``SocketError`` with operation `.write`, as ``write(_:)-(RawSpan)``.
    public func flush() throws(SocketError) {
        try checkWriting(0)
        output?.release()
        if let reactor = reactorOrNil, reactor.turnOutput.belongs(to: self) {
            flushTurn(reactor)
        } else if !shared.values.isBlocking {
            flushQueue()
        }
        if shared.values.isBlocking { try waitUntilSent() }
        try throwPendingError()
    }

    /// Sends what was collected for the end of the turn, since nobody ends it while a channel waits.
    func sendTurn() {
        flushOwnTurn()
        if flags.contains(.isUnflushed), !waitsForKernel { quietly { flushQueue() } }
    }

    /// Takes a part of a file, to go out behind what was written before.
    ///
    /// - Parameter isCopied: whether the copy that writes to this channel brings it.
    func queue(_ file: FileRange, isCopied: Bool = false) throws(SocketError) {
        if !isCopied, isCopySink { throw SocketError(.write, .busy, at: peerAddress) }
        try checkWriting()
        if file.left == 0 { return }
        flushOwnTurn()
        let queue = output ?? makeOutput()
        if queue.fileCount == OutputQueue.fileLimit {
            throw SocketError(.write, .noBufferSpace, at: peerAddress)
        }
        output = queue
        queue.append(file)
        try sendDue()
    }

    /// Sends the last bytes of this side, which no limit refuses.
    func writeLast(_ bytes: [UInt8]) {
        flushOwnTurn()
        bytes.withUnsafeBytes { queue($0, sharing: nil, from: 0) }
        output?.release()
        if state.phase == .open, !waitsForKernel { flushQueue() }
    }

    /// Whether bytes wait that are to go out.
    var isDue: Bool { (output?.dueByteCount ?? 0) > 0 }

    /// Makes sure that this side may write `count` bytes more and that no error waits to be told.
    @inline(__always)
    func checkWriting(_ count: Int = 0) throws(SocketError) {
        guard state.phase == .open || state.phase == .connecting, !state.isCloseAsked
        else { throw SocketError(.write, .badDescriptor, at: peerAddress) }
        if rare != nil { try throwPendingError() }
        if state.output != .open {
            throw SocketError(
                .write, state.output == .failed ? .brokenPipe : .shutDown, at: peerAddress)
        }
        // What adds nothing always fits, also above the limit.
        if count > 0, output != nil || count > shared.alwaysFits { try checkRoom(for: count) }
    }

    /// Whether the kernel was full when it was last asked.
    var waitsForKernel: Bool { output?.isRefused ?? false }

    private func queue(_ bytes: UnsafeRawBufferPointer, sharing array: [UInt8]?, from start: Int) {
        let queue = output ?? makeOutput()
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
        noteSent(sent)
        if sent == collected.count + bytes.count { return }
        // Nothing overwrites the collected bytes before they are copied here.
        if sent < collected.count { queue(collected, sharing: nil, from: sent) }
        queue(bytes, sharing: array, from: max(0, sent - collected.count))
        output?.isRefused = true
        outputChanged()
    }

    @inline(__always)
    func noteSent(_ count: Int) {
        if count == 0 { return }
        counted.bytesSent &+= UInt64(count)
        lastSent = clock
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
        noteSent(sent)
        if sent == bytes.count { return }
        // Nothing overwrites the collected bytes before they are copied here.
        queue(bytes, sharing: nil, from: sent)
        output?.isRefused = true
        noteMark()
        outputChanged()
    }

    /// Offers the queue to the kernel, and does what was waiting for its end.
    func flushQueue() {
        flags.remove(.isUnflushed)
        guard let queue = output, state.phase == .open || state.phase == .draining else { return }
        defer { tellFiles(of: queue) }
        var budget = max(shared.values.bytesPerTurn, 1)
        queue.isRefused = false
        do {
            while queue.dueByteCount > 0, budget > 0 {
                let most = flags.contains(.isSendRated) ? sendAllowance(for: queue) : .max
                guard most > 0, case .bytes(let count)? = try socket?.send(queue, upTo: most) else {
                    queue.isRefused = true
                    break
                }
                noteSent(count)
                if most != .max { spendSent(count) }
                budget -= count
            }
        } catch {
            return writeFailed(error)
        }
        if queue.isEmpty {
            if output === queue { output = nil }
        } else if !queue.isRefused, queue.dueByteCount > 0 {
            // The turn is over, not the kernel's room: nothing would report it again.
            enqueue(.writable)
            queue.isRefused = true
        }
        checkMarks(queue)
        if rare != nil, !isDue {
            rare?.copyIn?.sinkHasRoom()
            rare?.waits?.wake(.room)
        }
        if output == nil {
            perform(state.drained(unread: state.phase == .draining && hasUnread))
            if flags.contains(.pausedByLimit) { letGoIfSent() }
        } else if !isDue {
            letGoIfEmpty()
        }
        outputChanged(after: queue)
    }

    /// A write failed: what was queued is lost, and the error waits for the next operation.
    func writeFailed(_ error: SocketError) {
        let dropped = output
        defer { tellFiles(of: dropped) }
        let (located, isTold) = drop(error)
        let step = state.writeFailed(
            reason(of: located), cutsInput: located.code == .connectionReset)
        if state.phase == .open {
            if !isTold { keepError(located) }
            enqueue([.readable, .writable, .peerClosed])
        }
        perform(step)
        arrange()
    }

    /// A read failed, which is told as the end of the input: nothing more goes either way.
    func readFailed(_ error: SocketError) {
        let dropped = output
        defer { tellFiles(of: dropped) }
        let (located, _) = drop(error)
        let step = state.readFailed(reason(of: located))
        rare?.copyIn?.sinkFailed(located)
        if state.phase == .open { enqueue([.readable, .writable, .peerClosed]) }
        perform(step)
        arrange()
    }

    /// An error waits for the next operation; a copy tells the one that it met.
    func keepError(_ error: SocketError) {
        if let copy = rare?.copyIn {
            copy.sinkFailed(error)
        } else {
            parts.pendingError = error
        }
    }

    /// Drops what is to go out.
    ///
    /// - Returns: the error, with the peer's address, and whether somebody who sends a file is told
    ///   of it.
    private func drop(_ error: SocketError) -> (SocketError, isTold: Bool) {
        if let reactor = reactorOrNil, reactor.turnOutput.belongs(to: self) {
            reactor.turnOutput.clear()
        }
        let located = SocketError(error.operation, error.code, at: peerAddress)
        let isTold = output?.fail(located) ?? false
        output = nil
        // The peer is gone: who meets the end lets go of what it holds.
        flags.remove(.pausedByLimit)
        rare?.waits?.wake(.room)
        return (located, isTold)
    }

    private func reason(of error: SocketError) -> EndReason {
        error.code == .connectionReset || error.code == .brokenPipe ? .reset : .failed(error)
    }
}
