// SPDX-License-Identifier: Apache-2.0
//
// Writing text: characters become bytes by the channel's settings, and go the way of bytes.

extension Channel {
    /// Writes text: each line feed in it becomes the line end of the settings.
    ///
    /// - Returns: whether the queue is above the high mark.
    /// - Throws: ``ChannelError``: `.text` with `TextError.unencodable` when a character is
    ///   not in the encoding, with nothing written; `.socket` as ``write(_:)-(RawSpan)``.
    @discardableResult
    public func write(_ text: String) throws(ChannelError) -> WriteResult {
        try write(text, endsLine: false)
    }

    /// Writes text and a line end.
    ///
    /// - Throws: ``ChannelError``, as ``write(_:)-(String)``.
    @discardableResult
    public func writeLine(_ text: String = "") throws(ChannelError) -> WriteResult {
        try write(text, endsLine: true)
    }

    /// Writes the descriptions of any values, as Swift's `print`.
    ///
    /// - Throws: ``ChannelError``, as ``write(_:)-(String)``.
    @discardableResult
    public func print(
        _ items: Any..., separator: String = " ", terminator: String = "\n"
    ) throws(ChannelError) -> WriteResult {
        let text = items.map { String(describing: $0) }.joined(separator: separator)
        return try write(text + terminator)
    }

    private func write(_ text: String, endsLine: Bool) throws(ChannelError) -> WriteResult {
        // What is refused must not have gone through the encoder.
        if rare != nil, isCopySink { throw .socket(SocketError(.write, .busy, at: peerAddress)) }
        let state = textState
        if state.output.isTransparent, !endsLine || shared.collectsTurns {
            do throws(SocketError) {
                return try write(utf8: text.utf8Span.span.bytes, endsLine: endsLine)
            } catch {
                throw .socket(error)
            }
        }
        if state.output.hasState {
            try makeSureOfRoom(for: text, state.output)
        }
        var bytes = takeEncodingBuffer()
        defer { keepEncodingBuffer(&bytes) }
        do throws(TextError) {
            try state.output.append(text, to: &bytes)
            if endsLine { try state.output.append("\n", to: &bytes) }
        } catch {
            throw .text(error, at: "\(peerAddress)")
        }
        do throws(SocketError) {
            let isLine = endsLine || text.utf8.contains(UInt8(ascii: "\n"))
            return try write(encoded: bytes.span.bytes, isLine: isLine)
        } catch {
            throw .socket(error)
        }
    }
}

// MARK: - Parts

extension Channel {
    /// Writes text whose bytes are its UTF-8.
    private func write(utf8 text: RawSpan, endsLine: Bool) throws(SocketError) -> WriteResult {
        if !endsLine { return try write(text) }
        // Both or none.
        try checkWriting(text.byteCount + 1)
        let end: InlineArray<1, UInt8> = [UInt8(ascii: "\n")]
        if text.byteCount == 0 { return try write(end.span.bytes) }
        try write(text)
        return try writeRest(end.span.bytes)
    }

    /// Asks for room before an encoder with a state goes past a text, which it can't take back.
    private func makeSureOfRoom(
        for text: String, _ output: borrowing TextOutput
    ) throws(ChannelError) {
        do throws(SocketError) {
            // Ample for any encoding.
            try checkWriting(8 * text.unicodeScalars.count + 16)
        } catch {
            guard error.code == .noBufferSpace else { throw .socket(error) }
            // What can't be encoded is told by the encoder itself.
            let count = (try? output.byteCount(of: text)) ?? 0
            do throws(SocketError) { try checkWriting(count + 32) } catch { throw .socket(error) }
        }
    }

    /// The reactor's memory for text on its way to bytes, or fresh memory.
    private func takeEncodingBuffer() -> [UInt8] {
        var buffer: [UInt8] = []
        if let home { home._withUnsafeGuaranteedRef { swap(&buffer, &$0.encodingBuffer) } }
        return buffer
    }

    private func keepEncodingBuffer(_ buffer: inout [UInt8]) {
        guard let home, buffer.capacity <= Reactor.scratchByteCount else { return }
        buffer.removeAll(keepingCapacity: true)
        home._withUnsafeGuaranteedRef { swap(&buffer, &$0.encodingBuffer) }
    }
}
