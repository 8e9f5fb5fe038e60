// SPDX-License-Identifier: Apache-2.0
//
// Reading text: lines and characters, by the rules of Tcl's gets and read.
// A line that is not complete consumes nothing.

extension Channel {
    /// The next line, without its end.
    ///
    /// `nil` where there is none: ``isAtEnd`` tells that the input has ended, ``isBlocked`` that
    /// the line is not complete yet; nothing of it is consumed then, and the channel does not count
    /// as readable until more comes. What follows the last line end is a line, too. A blocking
    /// channel waits for the line or the end. A reset counts as the end.
    ///
    /// - Throws: ``ChannelError``: `.text` with `TextError.lineTooLong` when the line is
    ///   longer than `TextOptions.lineLimit`, or with `TextError.undecodable`, both with
    ///   nothing consumed; `.socket` as ``read(upTo:_:)``.
    public func readLine() throws(ChannelError) -> String? {
        let text = try beginReadingText()
        do throws(ChannelError) {
            return try line(text)
        } catch {
            // What can't be given is still there.
            announceRest()
            throw error
        }
    }

    private func line(_ text: ChannelText) throws(ChannelError) -> String? {
        if !input.isEmpty || state.input != .open {
            if let line = try queuedLine(text) { return line }
        }
        while state.input == .open, !text.input.isAtEndMark {
            let result = try withScratch { buffer throws(ChannelError) in try fillLine(text, buffer)
            }
            switch result {
            case .line(let line): return line
            case .nothing:
                flags.insert(.isBlocked)
                if !input.isEmpty { needMore() }
                return nil
            case .more: continue
            }
        }
        flags.insert(.isAtEnd)
        return nil
    }

    /// The next line, without its end, that must be there.
    ///
    /// - Throws: ``ChannelError``: `.endOfInput` at the end; `.socket` with `.wouldBlock` where a
    ///   channel that does not wait has no complete line; else as ``readLine()``.
    public func nextLine() throws(ChannelError) -> String {
        if let line = try readLine() { return line }
        if isAtEnd { throw .endOfInput(peerAddress) }
        throw .socket(SocketError(.read, .wouldBlock, at: peerAddress))
    }

    /// Up to `count` characters: what is there, or none.
    ///
    /// A blocking channel waits until it has `count` of them or the input ends. Characters are
    /// Unicode scalars, and each line end counts as one, a line feed. Fewer come at the end
    /// of the input (``isAtEnd``), where no more is there (``isBlocked``), before bytes that can't be
    /// decoded, and when a turn has taken ``ChannelOptions/bytesPerTurn``.
    ///
    /// - Throws: ``ChannelError``, as ``readLine()``, and `.socket` with `.invalidArgument` for a
    ///   negative count, or with `.messageTooLong`, which closes the channel, when bytes that stand
    ///   for no character are over ``ChannelOptions/inputLimit``.
    public func read(characters count: Int) throws(ChannelError) -> String {
        let text = try beginReadingText()
        if count < 0 { throw .socket(SocketError(.read, .invalidArgument, at: peerAddress)) }
        return try takeText(count, text, waits: shared.values.isBlocking)
    }

    /// Takes characters, out of what is queued and what can be read.
    func takeText(
        _ count: Int, _ text: ChannelText, waits: Bool
    ) throws(ChannelError) -> String {
        var result = ""
        var missing = count
        var taken = 0
        defer { announceRest() }
        while missing > 0 {
            guard let part = try queuedText(upTo: missing, text, hasText: !result.isEmpty) else {
                break
            }
            missing -= part.unicodeScalars.count
            result += part
            if missing == 0 { break }
            // What is left may be the beginning of a character, or none at all.
            if !part.isEmpty, !input.isEmpty { continue }
            if part.isEmpty { try boundQueue() }
            if state.input != .open || text.input.isAtEndMark {
                flags.insert(.isAtEnd)
                break
            }
            // A peer that never stops is not listened to for ever in one turn.
            if !waits, taken >= shared.values.bytesPerTurn { break }
            guard let count = try fillQueue(waits: waits) else {
                // The end is found out above.
                if state.input != .open { continue }
                flags.insert(.isBlocked)
                if !input.isEmpty { needMore() }
                break
            }
            taken += count
        }
        return result
    }

    /// Escape sequences are no characters, however many come.
    private func boundQueue() throws(ChannelError) {
        do throws(SocketError) { try keepUnderLimit() } catch { throw .socket(error) }
    }

    /// All that is there; a blocking channel reads to the end of the input, as long as the peer
    /// sends: ``read(characters:)`` has a bound.
    ///
    /// Before bytes that can't be decoded the text ends; the next call meets them.
    ///
    /// - Parameter dropsFinalLineEnd: leaves one line feed at the very end out, if the end was met.
    /// - Throws: ``ChannelError``, as ``read(characters:)``.
    public func readText(
        droppingFinalLineEnd dropsFinalLineEnd: Bool = false
    ) throws(ChannelError)
        -> String
    {
        var text = try read(characters: .max)
        if dropsFinalLineEnd, isAtEnd, text.unicodeScalars.last == "\n" {
            text.unicodeScalars.removeLast()
        }
        return text
    }

    /// Whether there is a character to read: waits until that is known.
    ///
    /// - Throws: ``ChannelError``: `.socket` with `.wouldBlock` where a channel that does not wait
    ///   can't know yet; else as ``readLine()``.
    public func hasMore() throws(ChannelError) -> Bool {
        let text = try beginReadingText()
        let waits = shared.values.isBlocking
        defer { announceRest() }
        while true {
            if dropSwallowed(text, waits: waits) {
                if !input.isEmpty {
                    return !input.withBytes { text.input.isMarkNext(in: $0) }
                }
                if state.input != .open { return false }
            }
            if try fillQueue(waits: waits) == nil, state.input == .open {
                flags.insert(.isBlocked)
                throw .socket(SocketError(.read, .wouldBlock, at: peerAddress))
            }
        }
    }

    /// What was read and is not consumed yet, as text; nothing is read, and nothing consumed.
    ///
    /// Bytes that can't be decoded are shown as U+FFFD.
    ///
    /// - Throws: ``ChannelError``: `.socket` as ``readLine()``.
    public func peekText() throws(ChannelError) -> String {
        do throws(SocketError) { try checkReading() } catch { throw .socket(error) }
        let text = textState
        keepLent(text)
        return input.withBytes { text.input.peek(at: $0) }
    }

    /// The rest of the text, to the end; then closes.
    ///
    /// As Alore's `read()`, for blocking channels: as long as the peer sends. Nothing of a text that
    /// is not whole is given.
    ///
    /// - Throws: ``ChannelError``, as ``readLine()``, and `.socket` with `.wouldBlock` where a
    ///   channel that does not wait has not met the end; the channel is closed all the same.
    @available(*, noasync, message: "it blocks the thread: read a connection's lines")
    public func readTextAndClose() throws(ChannelError) -> String {
        defer { close() }
        var text = ""
        repeat { text += try readText() } while try goesOn()
        return text
    }

    /// The rest of the lines, to the end; then closes.
    ///
    /// As Alore's `readLines()`, for blocking channels: as long as the peer sends.
    ///
    /// - Throws: ``ChannelError``, as ``readTextAndClose()``; the channel is closed all the same.
    @available(*, noasync, message: "it blocks the thread: read a connection's lines")
    public func readLinesAndClose() throws(ChannelError) -> [String] {
        defer { close() }
        var lines: [String] = []
        while let line = try readLine() { lines.append(line) }
        _ = try goesOn()
        return lines
    }

    /// Whether the end was not met yet.
    ///
    /// - Throws: ``ChannelError``: `.socket` with `.wouldBlock` where nobody waits for it.
    private func goesOn() throws(ChannelError) -> Bool {
        if isBlocked { throw .socket(SocketError(.read, .wouldBlock, at: peerAddress)) }
        return !isAtEnd
    }
}

// MARK: - Parts

extension Channel {
    private enum LineFill {
        case line(String)
        case more
        case nothing
    }

    func beginReadingText() throws(ChannelError) -> ChannelText {
        do throws(SocketError) { try checkReading() } catch { throw .socket(error) }
        flags.subtract([.needsMore, .isAtEnd, .isBlocked])
        let text = textState
        keepLent(text)
        return text
    }

    /// The next line of what is queued.
    private func queuedLine(_ text: ChannelText) throws(ChannelError) -> String? {
        if let line = try queuedLine(text, isLast: false) { return line }
        guard state.input != .open, let tail = try queuedLine(text, isLast: true) else {
            return nil
        }
        // It was the end that made it a line.
        flags.insert(.isAtEnd)
        return tail
    }

    private func queuedLine(_ text: ChannelText, isLast: Bool) throws(ChannelError) -> String? {
        let piece = try queuedText { bytes, _ throws(TextError) in
            try text.input.nextLine(in: bytes, isLast: isLast)
        }
        input.drop(piece.byteCount)
        if piece.text != nil { announceRest() }
        noteEndMark(piece.text, text)
        return piece.text
    }

    /// A line that the end mark ends meets the end.
    private func noteEndMark(_ line: String?, _ text: ChannelText) {
        if line != nil, text.input.isAtEndMark { flags.insert(.isAtEnd) }
    }

    /// Reads once, and takes a line out of that.
    private func fillLine(
        _ text: ChannelText, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(ChannelError) -> LineFill {
        guard let count = try fill(buffer, waits: shared.values.isBlocking) else {
            // The end makes a line of what was left.
            if state.input == .open { return .nothing }
            return try queuedLine(text).map(LineFill.line) ?? .more
        }
        let fresh = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if !input.isEmpty {
            input.append(fresh)
            return try queuedLine(text).map(LineFill.line) ?? .more
        }
        do throws(TextError) {
            let piece = try text.input.nextLine(in: fresh.bytes, isLast: false)
            input.append(UnsafeRawBufferPointer(rebasing: fresh[piece.byteCount...]))
            if piece.text != nil { announceRest() }
            noteEndMark(piece.text, text)
            return piece.text.map(LineFill.line) ?? .more
        } catch {
            input.append(fresh)
            throw .text(error, at: "\(peerAddress)")
        }
    }

    /// Reads once into memory that is lent.
    ///
    /// In its own turn a channel is not asked again after a short read: the reactor calls again
    /// when more has come.
    ///
    /// - Returns: how many bytes came; `nil` when none did, also at the end.
    func fill(
        _ buffer: UnsafeMutableRawBufferPointer, upTo limit: Int = .max, waits: Bool
    ) throws(ChannelError) -> Int? {
        if !waits, !flags.isDisjoint(with: .unasked) { return nil }
        let size = min(limit, buffer.count)
        var result = receiveOnce(into: buffer, upTo: size)
        if waits, result == .wouldBlock {
            do throws(SocketError) {
                result = try receive(into: buffer, upTo: size)
            } catch {
                throw .socket(error)
            }
        }
        guard case .bytes(let count) = result else { return nil }
        if count < size, flags.contains(.isInTurn) { flags.insert(.isKernelEmpty) }
        return count
    }

    /// Reads once into the queue.
    ///
    /// - Returns: as ``fill(_:upTo:waits:)``.
    func fillQueue(waits: Bool) throws(ChannelError) -> Int? {
        try withScratch { buffer throws(ChannelError) in
            guard let count = try fill(buffer, waits: waits) else { return nil }
            input.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return count
        }
    }

    /// Characters out of what is queued.
    ///
    /// - Returns: `nil` at bytes that are no text, behind text that was taken before.
    private func queuedText(
        upTo limit: Int, _ text: ChannelText, hasText: Bool
    ) throws(ChannelError) -> String? {
        do throws(ChannelError) {
            let piece = try queuedText { bytes, isLast throws(TextError) in
                try text.input.take(upTo: limit, from: bytes, isLast: isLast)
            }
            input.drop(piece.byteCount)
            return piece.text ?? ""
        } catch {
            // Good text first; the error comes with the next call.
            if hasText { return nil }
            throw error
        }
    }

    /// Lends what is queued, and whether nothing follows it.
    func queuedText<Result>(
        _ body: (RawSpan, Bool) throws(TextError) -> Result
    ) throws(ChannelError) -> Result {
        let isLast = state.input != .open
        do throws(TextError) {
            return try input.withBytes { bytes throws(TextError) in try body(bytes, isLast) }
        } catch {
            throw .text(error, at: "\(peerAddress)")
        }
    }
}
