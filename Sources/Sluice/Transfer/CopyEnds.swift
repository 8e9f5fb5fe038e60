// SPDX-License-Identifier: Apache-2.0
//
// What a copy can read from and write to, and how channels do both.

/// Where a copy reads.
protocol CopySource: AnyObject {
    /// Whether the bytes are what a sink with these settings would make of the text.
    ///
    /// - Parameter text: `nil` for a sink that takes bytes as they are.
    func passesUntouched(to text: TextOptions?) -> Bool
    func attachSource(_ copy: ChannelCopy)
    func detachSource(_ copy: ChannelCopy)
    /// Moves what is there, up to `limit` bytes, to a sink; waits for it if that is asked for.
    ///
    /// - Returns: `nil` when nothing is there.
    func moveBytes(
        to sink: any CopySink, upTo limit: Int, waits: Bool
    ) throws(ChannelError) -> CopiedPiece?
    /// What is there as text, up to `limit` characters; waits for it if that is asked for.
    ///
    /// - Returns: characters that ``dropText(_:)`` is to take; none when none are there.
    func waitingText(upTo limit: Int, waits: Bool) throws(ChannelError) -> String
    /// Takes some of the characters that were found waiting.
    func dropText(_ count: Int) throws(ChannelError)
    /// Whether nothing more can come.
    var hasEnded: Bool { get }
    /// Why nothing more can come, where that is no end of the input; whoever takes it tells it.
    func takeFailure() -> ChannelError?
    /// Whether reading rests for now.
    var isPaused: Bool { get }
    /// Has the copy go on in a turn of its own.
    func goOn(_ copy: ChannelCopy)
    /// How much one turn may take.
    var turnLimit: Int { get }
}

/// A source that has its bytes in memory.
protocol LendingSource: CopySource {
    /// Lends `body` what is there, up to `limit` bytes; waits for it if that is asked for.
    ///
    /// - Parameter body: answers how many bytes it took; the others are still there.
    /// - Returns: whether any are there; not at the end.
    func takeBytes(
        upTo limit: Int, waits: Bool, _ body: (RawSpan) -> Int
    ) throws(ChannelError) -> Bool
}

/// Where a copy writes.
protocol CopySink: AnyObject {
    var textOptions: TextOptions? { get }
    func attachSink(_ copy: ChannelCopy)
    func detachSink(_ copy: ChannelCopy)
    func encode(_ text: String, into bytes: inout [UInt8]) throws(ChannelError)
    /// - Parameters:
    ///   - waits: whether to wait until it has gone out.
    ///   - written: counts the bytes that were written, also where it throws.
    /// - Returns: whether to wait before more is written.
    func put(
        _ bytes: RawSpan, waits: Bool, _ written: inout Int
    ) throws(ChannelError) -> Bool
    /// All that there was to come has been put: the copy has not failed and was not stopped.
    func inputHasEnded() throws(ChannelError)
    /// The copy is over: text that ends with it is closed.
    func endText(_ written: inout Int) throws(ChannelError)
    /// Whether all that was put has gone out; what has not is sent now.
    func isAllOut() -> Bool
}

extension CopySink {
    func inputHasEnded() throws(ChannelError) {}
}

// MARK: - Channels

extension Channel: LendingSource, CopySink {
    func passesUntouched(to theirs: TextOptions?) -> Bool {
        guard let theirs else { return true }
        let mine = shared.values.text
        return mine.inputTranslation == .lf && theirs.outputTranslation == .lf
            && mine.inputEndMark == nil && mine.encoding == theirs.encoding
            && !mine.encoding.mayHaveState
    }

    func attachSource(_ copy: ChannelCopy) {
        copy.heldReader = reader
        reader = .pump(copy)
        parts.copyOut = copy
        flags.subtract([.isAtEnd, .isBlocked])
        offerRest()
        arrange()
        enqueue(.readable)
    }

    func detachSource(_ copy: ChannelCopy) {
        guard rare?.copyOut === copy else { return }
        rare?.copyOut = nil
        if status == .closed || status == .closing { return }
        reader = copy.heldReader
        copy.heldReader = .none
        if hasReadableInput || state.input == .ended { enqueue(.readable) }
        arrange()
    }

    func takeBytes(
        upTo limit: Int, waits: Bool, _ body: (RawSpan) -> Int
    ) throws(ChannelError) -> Bool {
        flags.remove(.needsMore)
        if let text, !skipLineFeed(text, waits: waits) { return false }
        if !input.isEmpty {
            var queue = input.take()
            let count = min(limit, queue.byteCount)
            queue.drop(queue.withBytes { body($0.extracting(first: count)) })
            if state.phase == .open { input.putBack(queue) }
            return true
        }
        return try withScratch { buffer throws(ChannelError) in
            guard let count = try fill(buffer, upTo: limit, waits: waits) else {
                if state.input != .open { flags.insert(.isAtEnd) }
                return false
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            let taken = body(bytes.bytes)
            if taken < count, state.phase == .open {
                input.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            }
            return true
        }
    }

    func waitingText(upTo limit: Int, waits: Bool) throws(ChannelError) -> String {
        flags.remove(.needsMore)
        let text = textState
        keepLent(text)
        while true {
            let found = try queuedText { bytes, isLast throws(TextError) in
                try text.input.look(upTo: limit, at: bytes, isLast: isLast).text
            }
            if !found.isEmpty { return found }
            // What is no character goes by itself: the end mark, bytes that close the text.
            try dropText(1)
            if state.input != .open || text.input.isAtEndMark {
                flags.insert(.isAtEnd)
                return ""
            }
            // Escape sequences are no characters, however many come.
            if input.byteCount > shared.values.inputLimit {
                throw .socket(SocketError(.read, .messageTooLong, at: peerAddress))
            }
            if try fillQueue(waits: waits) == nil, state.input == .open {
                if !input.isEmpty { needMore() }
                return ""
            }
        }
    }

    func dropText(_ count: Int) throws(ChannelError) {
        // Writing what was read may have closed the channel, where it is copied to itself.
        guard state.phase == .open else { return }
        let text = textState
        let byteCount = try queuedText { bytes, isLast throws(TextError) in
            try text.input.take(upTo: count, from: bytes, isLast: isLast).byteCount
        }
        input.drop(byteCount)
    }

    var hasEnded: Bool {
        if text?.input.isAtEndMark == true { return true }
        return state.input != .open && input.isEmpty
    }

    func takeFailure() -> ChannelError? {
        guard state.isInputCut, text?.input.isAtEndMark != true else { return nil }
        var error = SocketError(.read, .connectionReset, at: peerAddress)
        if case .failed(let cause) = state.reason, cause.operation != .write { error = cause }
        if rare?.pendingError == error { rare?.pendingError = nil }
        return .socket(error)
    }

    func goOn(_ copy: ChannelCopy) {
        enqueue(.readable)
        arrange()
    }

    var turnLimit: Int { shared.values.bytesPerTurn }

    /// A pause by the reactor's limit is one of asking the kernel: what is kept takes room.
    var isPaused: Bool {
        if flags.isDisjoint(with: .paused) { return false }
        if flags.contains(.pausedByProgram) { return true }
        return state.input == .open && !hasReadableInput && !hasEnded
    }

    var textOptions: TextOptions? { shared.values.text }

    func attachSink(_ copy: ChannelCopy) {
        // A copy is not buffered, so what was held back before it goes ahead.
        output?.release()
        if isDue { flushQueue() }
        parts.copyIn = copy
        arrange()
    }

    func detachSink(_ copy: ChannelCopy) {
        guard rare?.copyIn === copy else { return }
        rare?.copyIn = nil
        arrange()
    }

    func encode(_ text: String, into bytes: inout [UInt8]) throws(ChannelError) {
        do throws(TextError) {
            try textState.output.append(text, to: &bytes)
        } catch {
            throw .text(error, at: "\(peerAddress)")
        }
    }

    func put(
        _ bytes: RawSpan, waits: Bool, _ written: inout Int
    ) throws(ChannelError) -> Bool {
        do throws(SocketError) {
            let result = try pumpIn(bytes, waits: waits)
            written += bytes.byteCount
            return result == .aboveMark
        } catch {
            throw .socket(error)
        }
    }

    /// A channel's text goes on after the copy.
    func endText(_ written: inout Int) {}

    func isAllOut() -> Bool {
        flushOwnTurn()
        return !isDue
    }
}
