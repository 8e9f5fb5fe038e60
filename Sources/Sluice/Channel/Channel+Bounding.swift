// SPDX-License-Identifier: Apache-2.0
//
// What a channel holds, seen from its reactor's limit: how much it is, and how it makes room.

extension Channel {
    /// How many bytes its end gives back, with its share of what others hold as well.
    var heldByteCount: Int { input.byteCount + (output?.spareByteCount ?? 0) }

    /// A queue for output, counted where the channel is.
    func makeOutput() -> OutputQueue { OutputQueue(reactorOrNil?.buffers) }

    /// What was read and nobody has consumed is more than it was, or less.
    func countInput() {
        let count = Int32(clamping: input.byteCount)
        if count == countedInput { return }
        let change = Int(count) - Int(countedInput)
        countedInput = count
        guard let home else { return }
        home._withUnsafeGuaranteedRef { reactor in
            reactor.buffers.add(change)
            guard change > 0, reactor.buffers.isStopped else { return }
            (reactor.buffers.relief as? BufferBound)?.hold(self)
        }
    }

    /// Makes sure that the queue may take `count` bytes more; a blocking channel waits for room.
    @inline(never)
    func checkRoom(for count: Int) throws(SocketError) {
        if shared.values.isBlocking { return }
        let queued = (output?.byteCount ?? 0) + turnByteCount
        if count > shared.values.outputLimit - queued { throw noRoom }
        guard output != nil, let reactorOrNil, reactorOrNil.buffers.isOver else { return }
        // What the kernel takes is not held.
        sendHeldBack()
        if output != nil { throw noRoom }
        try checkWriting()
    }

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
        // A task that reads waits instead of asking the kernel.
        flags.formUnion([.pausedByLimit, .isKernelEmpty])
        arrange()
    }

    /// Reads again after ``holdBack()``.
    func letGo() {
        guard flags.contains(.pausedByLimit) else { return }
        flags.subtract([.pausedByLimit, .isKernelEmpty])
        if hasReadableInput || state.input == .ended { enqueue(.readable) }
        arrange()
    }
}
