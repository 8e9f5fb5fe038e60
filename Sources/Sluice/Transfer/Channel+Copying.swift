// SPDX-License-Identifier: Apache-2.0
//
// Copying what a channel reads into another one, in the background or at once.

extension Channel {
    /// Copies what this channel reads to another, in the background.
    ///
    /// Bytes pass untouched where neither side translates line ends, has an end mark or another
    /// encoding than the other; else text does. While it goes on, reading this channel and writing
    /// the other are refused with `.busy`, and so is ``configure(_:_:)`` on either; the opposite
    /// directions are free, so two copies may run both ways. Reading is held while the other's
    /// queue is above its high mark. The end of the input ends neither side of the other channel.
    ///
    /// `completion` is called once, in a later turn, when all has gone out or a side has failed, as
    /// by a reset. After ``ChannelCopy/stop()``, or when either channel is closed, it is not.
    /// What a side refuses stays unread; so does a character that the other's encoding lacks.
    /// ``isAtEnd`` then says whether this channel's end was met.
    ///
    /// - Parameters:
    ///   - destination: the other channel, on the same reactor.
    ///   - limit: how many characters to read, or bytes where they pass untouched; `nil` or a
    ///     negative number for all up to the end of the input.
    ///   - progress: called after each piece.
    ///   - completion: called once, at the end.
    /// - Throws: ``ChannelError``: `.socket` with `.busy` when a copy has this direction of one of
    ///   them already, `.badDescriptor` when one is closed or has no reactor, `.invalidArgument`
    ///   when they are on two.
    @discardableResult
    public func copy(
        to destination: Channel, limit: Int? = nil, progress: ((CopyCounts) -> Void)? = nil,
        completion: @escaping (CopyResult) -> Void
    ) throws(ChannelError) -> ChannelCopy {
        do throws(SocketError) {
            try checkReading()
            try destination.checkSink()
            guard try destination.reactor === reactor else {
                throw SocketError(.perform, .invalidArgument, at: destination.peerAddress)
            }
            return ChannelCopy(
                from: self, to: destination, limit: limit, on: try reactor, progress, completion)
        } catch {
            throw .socket(error)
        }
    }

    /// Copies what this channel reads to another, and waits until all has gone out.
    ///
    /// As ``copy(to:limit:progress:completion:)``, but no handler runs meanwhile. Both channels
    /// block while it goes on, and are as before afterwards.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``, from either side; for a reset of this one `.socket` with
    ///   `.connectionReset`.
    @discardableResult
    public func copy(
        to destination: Channel, limit: Int? = nil
    ) throws(ChannelError) -> CopyCounts {
        do throws(SocketError) {
            try checkReading()
            try destination.checkSink()
        } catch {
            throw .socket(error)
        }
        return try whileBlocking { () throws(ChannelError) in
            flags.subtract([.isAtEnd, .isBlocked])
            return try destination.takeAll(from: self, upTo: limit)
        }
    }

    /// Has the channel block while `body` runs, and be as before afterwards.
    func whileBlocking<Result>(
        _ body: () throws(ChannelError) -> Result
    ) throws(ChannelError) -> Result {
        let mode = options.isBlocking
        options.isBlocking = true
        defer { options.isBlocking = mode }
        return try body()
    }

    /// Moves all into this channel, and waits until it has gone out.
    func takeAll(
        from source: any CopySource, upTo limit: Int?
    ) throws(ChannelError) -> CopyCounts {
        try whileBlocking { () throws(ChannelError) in
            let counts = try source.moveAll(to: self, upTo: limit)
            do throws(SocketError) { try flush() } catch { throw .socket(error) }
            return counts
        }
    }

    /// Makes sure that this channel can be written to, and no copy does so already.
    func checkSink() throws(SocketError) {
        if isCopySink { throw SocketError(.write, .busy, at: peerAddress) }
        try checkWriting()
    }
}
