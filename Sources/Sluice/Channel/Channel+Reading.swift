// SPDX-License-Identifier: Apache-2.0
//
// Reading: spans of the reactor's own memory, the caller's storage, and messages that come in
// parts. A reset ends the input like a close does; `endReason` tells them apart.

extension Channel {
    /// Reads once and lends `body` the bytes, at most `maximum` of them; they are valid until it
    /// returns.
    ///
    /// Where nothing waits or the input has ended, `body` is not called. A reset counts as the end:
    /// ``endReason`` then is ``EndReason/reset``.
    ///
    /// - Throws: what `body` throws, or ``SocketError`` with operation `.read`: `.badDescriptor` on
    ///   a closed channel, `.shutDown` after ``closeReading()``, or the error of a write in the
    ///   background, once.
    @discardableResult
    public func read(
        upTo maximum: Int = .max, _ body: (RawSpan) throws -> Void
    ) throws -> ReadResult {
        if maximum <= 0 {
            try checkReading()
            return .bytes(0)
        }
        if try !beginReading() { return noted(.wouldBlock) }
        if !input.isEmpty { return try readQueued(upTo: maximum, body) }
        return try withScratch { buffer in
            let result = try receive(into: buffer, upTo: min(maximum, buffer.count))
            guard case .bytes(let count) = noted(result) else { return result }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes)
            return result
        }
    }

    /// Reads once into the caller's storage, up to its size.
    ///
    /// - Throws: ``SocketError`` with operation `.read`, as ``read(upTo:_:)``.
    public func read(into storage: inout MutableRawSpan) throws(SocketError) -> ReadResult {
        if storage.byteCount == 0 {
            try checkReading()
            return .bytes(0)
        }
        if try !beginReading() { return noted(.wouldBlock) }
        return try storage.withUnsafeMutableBytes { bytes throws(SocketError) in
            if input.isEmpty { return noted(try receive(into: bytes, upTo: bytes.count)) }
            let count = min(bytes.count, input.byteCount)
            input.withBytes { queued in
                queued.withUnsafeBytes { bytes.copyMemory(from: .init(rebasing: $0[..<count])) }
            }
            input.drop(count)
            announceRest()
            return .bytes(count)
        }
    }

    /// Reads once and lends `body` all that waits, with what it left before; it returns how much it
    /// consumed.
    ///
    /// What it leaves is kept, up to ``ChannelOptions/inputLimit``. Where it has consumed something
    /// the rest counts as readable, so one message a call is enough. Where it has consumed nothing
    /// that does not count until more comes: leave an incomplete message and be called when there
    /// is more of it.
    ///
    /// - Returns: `.bytes` with what was consumed, which may be 0.
    /// - Throws: what `body` throws, or ``SocketError`` with operation `.read`, as
    ///   ``read(upTo:_:)``; `.messageTooLong` when what was left is over the limit, which closes
    ///   the channel.
    @discardableResult
    public func parse(_ body: (RawSpan) throws -> Int) throws -> ReadResult {
        let wasWaiting = flags.contains(.needsMore)
        if try !beginReading() { return noted(.wouldBlock) }
        let hadLeft = !input.isEmpty
        return try withScratch { buffer in
            var fresh = 0
            let room = parseRoom(wasWaiting: wasWaiting)
            if room > 0 {
                // Who holds something does not wait for more, unless it was not enough before.
                let result =
                    hadLeft && !wasWaiting
                    ? receiveOnce(into: buffer, upTo: room)
                    : try receive(into: buffer, upTo: room)
                if case .bytes(let count) = result {
                    fresh = count
                } else if !hadLeft || (result == .wouldBlock && wasWaiting) {
                    if hadLeft { flags.insert(.needsMore) }
                    return noted(result)
                } else if result == .endOfStream, wasWaiting {
                    return noted(result)
                }
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<fresh])
            let consumed =
                hadLeft ? try parseQueued(adding: bytes, body) : try parseFresh(bytes, body)
            if !input.isEmpty {
                noteRest()
                try keepUnderLimit()
                announceRest()
            }
            return .bytes(consumed)
        }
    }

    /// How much a parser is read at once: what it leaves of that may be kept.
    private var mostAtOnce: Int { min(Reactor.scratchByteCount, max(1, shared.values.inputLimit)) }

    /// How much of what has come since is offered with what is left, which may be enough by itself.
    ///
    /// Whoever takes one message of many a call keeps no more of them than one read brings.
    private var roomForMore: Int {
        guard state.input == .open, !flags.contains(.pausedByLimit) else { return 0 }
        // A few bytes at a time would cost more than they are worth.
        return input.byteCount <= mostAtOnce / 2 ? mostAtOnce - input.byteCount : 0
    }

    /// How much ``parse(_:)`` asks the kernel for; 0 where it does not.
    ///
    /// - Parameter wasWaiting: whether what is left was not enough before.
    func parseRoom(wasWaiting: Bool) -> Int {
        input.isEmpty || wasWaiting ? mostAtOnce : roomForMore
    }

    private func parseFresh(
        _ bytes: UnsafeRawBufferPointer, _ body: (RawSpan) throws -> Int
    ) throws -> Int {
        var consumed = 0
        defer {
            if consumed < bytes.count, state.phase == .open, state.input != .shut {
                input.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
                text?.input.reset()
                if consumed == 0 { flags.insert(.needsMore) }
            }
        }
        consumed = try checked(body(bytes.bytes), bytes.count)
        return consumed
    }

    private func parseQueued(
        adding bytes: UnsafeRawBufferPointer, _ body: (RawSpan) throws -> Int
    ) throws -> Int {
        var queue = takeQueue()
        defer { putBack(queue) }
        queue.append(bytes)
        let consumed = try checked(queue.withBytes(body), queue.byteCount)
        queue.drop(consumed)
        if consumed == 0 { flags.insert(.needsMore) }
        return consumed
    }

    /// Takes the queue, so that its bytes stay put while somebody looks at them.
    ///
    /// They count as before until ``putBack(_:)``, so that a look makes room for nobody.
    func takeQueue() -> InputQueue {
        flags.insert(.isInputLent)
        return input.take()
    }

    /// Puts what is left of the queue before what has come since; text begins anew there.
    func putBack(_ rest: consuming InputQueue) {
        flags.remove(.isInputLent)
        guard state.phase == .open, state.input != .shut else { return }
        input.putBack(rest)
        text?.input.reset()
    }

    private func checked(_ consumed: Int, _ count: Int) -> Int {
        precondition((0...count).contains(consumed), "a parser consumes 0 to \(count) bytes")
        return consumed
    }

    /// Closes the channel where more is kept than may be.
    func keepUnderLimit() throws(SocketError) {
        guard input.byteCount > shared.values.inputLimit else { return }
        close(because: .limit(.input))
        throw SocketError(.read, .messageTooLong, at: peerAddress)
    }

    private func readQueued(
        upTo maximum: Int, _ body: (RawSpan) throws -> Void
    ) throws -> ReadResult {
        var queue = takeQueue()
        let count = min(maximum, queue.byteCount)
        defer {
            queue.drop(count)
            putBack(queue)
            announceRest()
        }
        try queue.withBytes { try body($0.extracting(first: count)) }
        return .bytes(count)
    }

    /// What is left counts as readable, though the kernel has nothing to report.
    ///
    /// In a turn of a blocking channel's handler that is asked behind the handler: it may go on
    /// reading, and would wait in the next turn for what it has taken.
    func announceRest() {
        guard hasReadableInput, wouldRead else { return }
        if flags.contains(.isInTurn), shared.values.isBlocking { return }
        enqueue(.readable)
    }

    /// Makes sure that this side still reads and that no error waits to be told, before bytes are
    /// read.
    ///
    /// - Returns: `false` where the next byte may still belong to the line before.
    private func beginReading() throws(SocketError) -> Bool {
        try checkReading()
        flags.remove([.needsMore, .isAtEnd, .isBlocked])
        guard let text else { return true }
        return skipLineFeed(text, waits: shared.values.isBlocking)
    }

    /// Makes sure that this side still reads and that no error waits to be told.
    func checkReading() throws(SocketError) {
        if state.phase == .connecting, !state.isCloseAsked, shared.values.isBlocking {
            try waitForConnection()
        }
        guard state.phase == .open || (state.phase == .connecting && !state.isCloseAsked) else {
            throw SocketError(.read, .badDescriptor, at: peerAddress)
        }
        if state.input == .shut { throw SocketError(.read, .shutDown, at: peerAddress) }
        if isCopySource { throw SocketError(.read, .busy, at: peerAddress) }
        try throwPendingError()
    }

    /// Notes for ``isAtEnd`` and ``isBlocked`` what a read of bytes met.
    private func noted(_ result: ReadResult) -> ReadResult {
        switch result {
        case .bytes: break
        case .endOfStream: flags.insert(.isAtEnd)
        case .wouldBlock: flags.insert(.isBlocked)
        }
        return result
    }

    /// Lends memory to read into: the reactor's own, where there is one.
    func withScratch<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let reactorOrNil { return try reactorOrNil.withScratch(body) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Reactor.scratchByteCount, alignment: 64)
        defer { buffer.deallocate() }
        return try body(buffer)
    }

    func throwPendingError() throws(SocketError) {
        guard let error = rare?.pendingError else { return }
        rare?.pendingError = nil
        throw error
    }

    /// Reads what is there; a blocking channel waits for it.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, upTo size: Int
    ) throws(SocketError) -> ReadResult {
        while true {
            let result = receiveOnce(into: buffer, upTo: size)
            guard result == .wouldBlock, shared.values.isBlocking else { return result }
            try waitToRead()
        }
    }

    /// One recv(2), with its outcome noted; an error counts as the end.
    @inline(__always)
    func receiveOnce(into buffer: UnsafeMutableRawBufferPointer, upTo size: Int) -> ReadResult {
        if state.phase == .connecting { return .wouldBlock }
        guard state.input == .open, let start = buffer.baseAddress else { return .endOfStream }
        do {
            let result: ReadResult
            if rare?.readsApart == true, let rare {
                result = try receiveApart(into: buffer, upTo: size, rare)
            } else {
                result = try socket?.receive(into: start, upTo: size) ?? .endOfStream
            }
            switch result {
            case .bytes(let count):
                counted.bytesReceived &+= UInt64(count)
                counted.reads &+= 1
                lastReceived = clock
            case .endOfStream:
                perform(state.inputEnded())
                if rare?.peerClosed != nil { enqueue(.peerClosed) }
                rare?.waits?.wake(.peerClosed)
            case .wouldBlock: break
            }
            return result
        } catch {
            readFailed(error)
            return .endOfStream
        }
    }
}

// MARK: - Pushed bytes

extension Channel {
    /// Reads what waits, up to the limit of a turn, and hands it to the handler of `onBytes`.
    func deliver(_ reactor: Reactor) {
        var budget = shared.values.bytesPerTurn
        // The handler may pause, close, read text, or give way to another: all is asked anew each
        // time.
        while budget > 0, case .bytes(let handler) = reader, isReadyForBytes || mayDeliverRest {
            if let text {
                // The line feed may have been all that was there.
                guard skipLineFeed(text, waits: false), isReadyForBytes || mayDeliverRest else {
                    return
                }
            }
            if !input.isEmpty {
                let queue = input.take()
                budget -= queue.byteCount
                let threw = reactor.attempt(for: self) {
                    try queue.withBytes { try handler(self, $0) }
                }
                if threw { close(because: .local) }
                continue
            }
            if state.input == .ended { return finishInput(reactor) }
            guard state.input == .open else { return }
            let count = deliverOnce(to: handler, reactor)
            budget -= count
            // A short read has emptied the kernel's buffer; a full one may have left more.
            if count < Reactor.scratchByteCount { return }
            reactor.endTurn()
        }
    }

    /// Whether the kernel may be asked for what the handler is given.
    var isReadyForBytes: Bool {
        state.phase == .open && flags.isDisjoint(with: .paused) && !isHeldBackByOutput
    }

    /// Whether a handler may have what was read already.
    ///
    /// A pause by the reactor's limit is one of asking the kernel: what is kept takes room. The
    /// mark is 0 meanwhile, so that a peer that does not read its answers is given no more of them.
    var mayDeliver: Bool {
        state.phase == .open && !flags.contains(.pausedByProgram) && !isHeldBackByOutput
    }

    /// Whether there is something that was read already, or the end, and a handler may have it.
    var mayDeliverRest: Bool { mayDeliver && (hasReadableInput || state.input == .ended) }

    /// - Returns: how many bytes were handed over; 0 when nothing was there, and at the end.
    @inline(__always)
    private func deliverOnce(
        to handler: @escaping (Channel, RawSpan) throws -> Void, _ reactor: Reactor
    ) -> Int {
        reactor.withScratch { buffer in
            switch receiveOnce(into: buffer, upTo: buffer.count) {
            case .wouldBlock:
                // After a failed write nobody waits for more than what the peer had sent before.
                if state.output == .failed, !isInputHeld { finishInput(reactor) }
                return 0
            case .endOfStream:
                finishInput(reactor)
                return 0
            case .bytes(let count):
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes
                if reactor.attempt(for: self, { try handler(self, bytes) }) {
                    close(because: .local)
                    return 0
                }
                return count
            }
        }
    }

    /// The bytes have come to their end: the program is told or, if it does not care, the channel
    /// closes.
    func finishInput(_ reactor: Reactor) {
        guard state.phase == .open, !flags.contains(.isEndTold) else { return }
        flags.insert(.isEndTold)
        guard state.output != .failed, let handler = rare?.inputEnd else {
            return close(because: .local)
        }
        rare?.inputEnd = nil
        if reactor.attempt(for: self, { try handler(self) }) { return close(because: .local) }
        arrange()
    }

    /// Reads and drops what a peer still sends after this side has closed.
    func discardInput() {
        withScratch { buffer in
            guard let start = buffer.baseAddress else { return }
            var budget = shared.values.bytesPerTurn
            while budget > 0, state.phase == .discarding {
                // Any error ends the channel as the peer's end does: all was sent before.
                let result = (try? socket?.receive(into: start, upTo: buffer.count)) ?? .endOfStream
                guard case .bytes(let count) = result else {
                    if result == .endOfStream { perform(state.inputEnded()) }
                    return
                }
                budget -= count
                if count < buffer.count { return }
            }
        }
    }
}
