// SPDX-License-Identifier: Apache-2.0
//
// Lines one after the other: handed to a handler as they come, or walked over.
// A turn's lines are made straight from the reactor's memory; only a rest is copied.

extension Channel {
    /// Calls `handler` with each line as it is complete, without its end.
    ///
    /// Reading pauses while the output is above the high mark, as with ``onBytes(_:)``; replaces
    /// that and ``onReadable(_:)``; `nil` takes the handler away. At the end of the input what
    /// follows the last line end is a line, too; then ``onInputEnd(_:)`` is called or, without it,
    /// the channel is closed. What a handler throws, or the text (``ChannelError``: a line over
    /// its limit, bytes that can't be decoded), goes to ``Reactor/onError`` and closes the channel.
    public func onLine(_ handler: ((Channel, String) throws -> Void)?) {
        guard mayInstall(reader: handler != nil) else { return }
        setReader(handler.map(Reader.lines) ?? .none)
        flags.subtract([.needsMore, .writableIsNewer])
        if handler != nil, hasReadableInput || state.input == .ended { enqueue(.readable) }
        arrange()
    }

    /// The lines that are left, one after the other, as ``readLine()`` gives them.
    ///
    /// Ends where that gives `nil`, and at the first error, which the next call to read meets
    /// again.
    public var lines: Lines { Lines(channel: self) }

    /// The lines of a channel.
    public struct Lines: Sequence, IteratorProtocol {
        let channel: Channel

        /// The next line; `nil` at the end, where the next is not complete, and at an error.
        public mutating func next() -> String? {
            let pending = channel.rare?.pendingError
            do throws(ChannelError) {
                return try channel.readLine()
            } catch {
                // Nothing of a line that can't be given is consumed, so its error is not lost; one
                // that waited goes on to wait.
                if pending != nil { channel.rare?.pendingError = pending }
                return nil
            }
        }
    }
}

// MARK: - Pushed lines

extension Channel {
    /// Reads what waits, up to the limit of a turn, and hands its lines to the handler of `onLine`.
    func deliverLines(_ reactor: Reactor) {
        let text = textState
        // A handler that runs the reactor has a turn within its own.
        keepLent(text)
        var budget = shared.values.bytesPerTurn
        while budget > 0, case .lines = reader, isReadyForBytes || mayDeliverLines(text) {
            if text.input.isAtEndMark { return finishInput(reactor) }
            if hasReadableInput || (state.input == .ended && !input.isEmpty) {
                let count = input.byteCount
                deliverQueuedLines(text, reactor)
                budget -= max(1, count - input.byteCount)
                continue
            }
            if state.input != .open { return finishInput(reactor) }
            let count = reactor.withScratch { buffer in
                deliverFreshLines(text, buffer, reactor)
            }
            budget -= count
            // A short read has emptied the kernel's buffer; a full one may have left more.
            if count < Reactor.scratchByteCount { break }
            reactor.endTurn()
        }
        // The limit of the turn was met, the handler pauses, or another took its place: what is
        // queued comes later.
        announceRest()
    }

    /// Whether there is a line that was read already, or the end, and the handler may have it.
    private func mayDeliverLines(_ text: ChannelText) -> Bool {
        mayDeliverRest || (text.input.isAtEndMark && mayDeliver)
    }

    /// - Returns: how many bytes were read; 0 when nothing was there, and at the end.
    private func deliverFreshLines(
        _ text: ChannelText, _ buffer: UnsafeMutableRawBufferPointer, _ reactor: Reactor
    ) -> Int {
        switch receiveOnce(into: buffer, upTo: buffer.count) {
        case .wouldBlock:
            // After a failed write nobody waits for more than what the peer had sent before.
            if state.output == .failed, !isInputHeld { finishLines(text, reactor) }
            return 0
        case .endOfStream:
            finishLines(text, reactor)
            return 0
        case .bytes(let count):
            let fresh = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if input.isEmpty {
                text.lent = fresh
                deliverLentLines(text, reactor)
            } else {
                input.append(fresh)
                deliverQueuedLines(text, reactor)
            }
            return count
        }
    }

    /// Makes lines straight from what is lent, for as long as no handler wants it kept.
    private func deliverLentLines(_ text: ChannelText, _ reactor: Reactor) {
        while let bytes = text.lent, case .lines(let handler) = reader, mayDeliver {
            let piece: TextInput.Piece
            do throws(TextError) {
                piece = try text.input.nextLine(in: bytes.bytes, isLast: false)
            } catch {
                text.lent = nil
                return fail(error, reactor)
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[piece.byteCount...])
            text.lent = rest.isEmpty ? nil : rest
            guard let line = piece.text else {
                if !rest.isEmpty, !text.input.isAtEndMark { needMore() }
                break
            }
            if reactor.attempt(for: self, { try handler(self, line) }) {
                text.lent = nil
                return close(because: .local)
            }
            // Whatever the handler has read, the line reader looks for itself.
            flags.remove(.needsMore)
        }
        if state.phase == .open { keepLent(text) } else { text.lent = nil }
        if text.input.isAtEndMark, mayDeliver, case .lines = reader { finishInput(reactor) }
    }

    /// Makes lines of what is queued.
    private func deliverQueuedLines(
        _ text: ChannelText, _ reactor: Reactor, isLast: Bool = false
    ) {
        let isLast = isLast || state.input != .open
        flags.remove(.needsMore)
        while case .lines(let handler) = reader, mayDeliver {
            let piece: TextInput.Piece
            do throws(TextError) {
                piece = try input.withBytes { bytes throws(TextError) in
                    try text.input.nextLine(in: bytes, isLast: isLast)
                }
            } catch {
                return fail(error, reactor)
            }
            input.drop(piece.byteCount)
            guard let line = piece.text else {
                // At an end nothing will complete it.
                if isLast || text.input.isAtEndMark { return finishInput(reactor) }
                if !input.isEmpty { needMore() }
                return
            }
            if reactor.attempt(for: self, { try handler(self, line) }) {
                return close(because: .local)
            }
            flags.remove(.needsMore)
        }
    }

    /// Text that can't be had is reported and closes the channel.
    private func fail(_ error: TextError, _ reactor: Reactor) {
        reactor.report(ChannelError.text(error, at: "\(peerAddress)"), for: self)
        if case .lineTooLong = error {
            close(because: .limit(.line))
        } else {
            close(because: .local)
        }
    }

    /// The end of the input makes a line of what was left; a decoder may have held something back.
    private func finishLines(_ text: ChannelText, _ reactor: Reactor) {
        deliverQueuedLines(text, reactor, isLast: true)
    }
}
