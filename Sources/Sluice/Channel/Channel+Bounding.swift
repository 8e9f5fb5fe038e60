// SPDX-License-Identifier: Apache-2.0
//
// What a channel holds, seen from its reactor's limit: how much it is, and how it makes room.

extension Channel {
    /// How many bytes its end gives back, with its share of what others hold as well.
    var heldByteCount: Int { Int(countedInput) + (output?.spareByteCount ?? 0) }

    /// A queue for output, counted where the channel is.
    func makeOutput() -> OutputQueue { OutputQueue(reactorOrNil?.buffers) }

    /// What was read and nobody has consumed is more than it was, or less.
    func countInput() {
        let count = Int32(clamping: input.byteCount)
        if count == countedInput || flags.contains(.isInputLent) { return }
        let change = Int(count) - Int(countedInput)
        countedInput = count
        guard let home else { return }
        home._withUnsafeGuaranteedRef { reactor in
            reactor.buffers.add(change)
            if change < 0 {
                noteConsumed()
            } else if reactor.buffers.isStopped {
                (reactor.buffers.relief as? BufferBound)?.hold(self)
            }
        }
    }

    /// Who keeps nothing any more is read again: in a turn to come, for it may only be looked at.
    private func noteConsumed() {
        guard flags.contains(.pausedByLimit), input.isEmpty, state.phase == .open else { return }
        enqueue([])
    }

    /// Makes sure that the queue may take `count` bytes more; a blocking channel waits for room.
    @inline(never)
    func checkRoom(for count: Int) throws(SocketError) {
        if shared.values.isBlocking { return }
        let queued = (output?.byteCount ?? 0) + turnByteCount
        if count > shared.values.outputLimit - queued { throw noRoom }
        guard output != nil, let buffers = reactorOrNil?.buffers, buffers.isOver else { return }
        // What the kernel takes is not held.
        sendHeldBack()
        // With a pause a write is refused only to who was told before.
        if let output, buffers.isOver, output.wasTold || !buffers.isPausing { throw noRoom }
        try checkWriting()
    }

    /// Whether the reactor's channels hold too much and are to pause.
    var isShortOfRoom: Bool {
        guard let home else { return false }
        return home._withUnsafeGuaranteedRef { $0.buffers.isPausing }
    }

    /// Whether writes are refused until what waits has gone, or there is room on the reactor.
    var isRefusedByLimit: Bool { isAboveMark && isShortOfRoom }

    private var noRoom: SocketError { SocketError(.write, .noBufferSpace, at: peerAddress) }

    /// Takes the rest of what a write has begun: no limit parts the two.
    func writeRest(_ bytes: RawSpan) throws(SocketError) -> WriteResult {
        try pumpIn(bytes, waits: false)
    }

    /// The channels of the reactor hold too much, and this one has just been written to.
    @inline(never)
    func relieve(_ reactor: Reactor) {
        // A copy, which holds no more than its mark and a piece, is in the middle of its own work.
        if isCopySink { return }
        // Nothing is left for the end of the turn.
        if flags.contains(.isUnflushed) { sendTurn() }
        if reactor.buffers.isUrgent {
            reactor.buffers.relief?.makeRoom(on: reactor, sparing: self)
        }
    }

    /// Sends what waits for a buffer to fill or for the end of the turn.
    private func sendHeldBack() {
        output?.release()
        if !waitsForKernel { quietly { flushQueue() } }
    }

    /// Makes room for others: by what the kernel still takes, else by its end.
    func giveWay() {
        if !isCopySink { sendHeldBack() }
        if heldByteCount == 0 { return }
        // Its turn may be under way and still have the queue.
        output?.report(to: nil)
        perform(state.cutOff(because: .limit(.reactorBuffers)))
    }

    /// Is read no more until ``letGo()``.
    func holdBack() {
        guard state.phase == .open || state.phase == .connecting else { return }
        // Little more comes from who has ended, and who is told so lets go of what it holds.
        guard state.input == .open, !state.peerClosed, state.output != .failed else { return }
        flags.insert(.pausedByLimit)
        releaseOutput()
        arrange()
        pauseChanged()
    }

    /// Has what only waits for a buffer to fill go out in a turn to come: who is read no more may
    /// write no more.
    private func releaseOutput() {
        guard !isCopySink, let output, output.heldByteCount > 0 else { return }
        output.release()
        if state.phase == .open, !output.isRefused { enqueue(.writable) }
    }

    /// Reads again after ``holdBack()``, and where only the limit had the output above its mark.
    func letGo() {
        let wasPaused = flags.contains(.pausedByLimit)
        guard wasPaused || isAboveMark else { return }
        flags.remove(.pausedByLimit)
        // No handler runs before all are let go: it might fill the room again.
        quietly { checkMarks() }
        if wasPaused, hasReadableInput || state.input == .ended { enqueue(.readable) }
        arrange()
        if wasPaused { pauseChanged() }
    }

    /// Reads again when all has gone out, unless what it keeps of the input is no whole message.
    func letGoIfSent() {
        if input.isEmpty || hasReadableInput { letGo() }
    }

    /// Reads again where nothing is held any more; what only waits for a buffer to fill is sent
    /// first.
    func letGoIfEmpty() {
        guard flags.contains(.pausedByLimit), input.isEmpty else { return }
        if output == nil { letGo() } else if !isDue { releaseOutput() }
    }
}
