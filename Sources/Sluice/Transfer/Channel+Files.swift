// SPDX-License-Identifier: Apache-2.0
//
// A file down a channel, and a channel into a file.
// The kernel moves what may pass untouched; text is read, translated and written.

extension Channel {
    /// Sends a regular file, or a part of it, behind what was written before.
    ///
    /// Its bytes go untouched and never come into memory. What is written to the channel afterwards
    /// follows them. Disks are waited for, as always. Source: sendfile(2).
    ///
    /// `completion` is called once, in a later turn, when all has gone out, or with the error that
    /// ended it: `.socket`, with `.read` and `.noData` for a file that has become shorter
    /// meanwhile; when this channel is closed first, it is not called. At most 64 files wait.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - offset: where to begin, in bytes.
    ///   - count: how many bytes; `nil` for all to the file's end.
    ///   - progress: called as bytes go out.
    ///   - completion: called once, at the end.
    /// - Throws: ``ChannelError``: `.file` when it can't be opened, is no regular file, or has
    ///   less than was asked for; `.socket` as ``write(_:)-(RawSpan)``, with `.noBufferSpace` where
    ///   64 files wait.
    public func sendFile(
        _ path: String, from offset: Int = 0, count: Int? = nil,
        progress: ((CopyCounts) -> Void)? = nil, completion: @escaping (CopyResult) -> Void
    ) throws(ChannelError) {
        let file = try RegularFile(reading: path, from: offset, count: count, as: nil)
        let range = file.range()
        let link = try reactorLink()
        var counts = CopyCounts()
        // The channel holds the range until it is sent or dropped, and the range the channel.
        let finish = { [self] (error: ChannelError?) in
            let result = CopyResult(counts: counts, error: error)
            link.reactor?.after(.zero) { [self] in if !isClosedByProgram { completion(result) } }
        }
        range.onSent = { [self, unowned range] count in
            counts.read += count
            counts.bytesWritten += count
            if isClosedByProgram { return }
            progress?(counts)
            if range.isSent { finish(nil) }
        }
        range.onFailed = { finish($0) }
        range.isFollowed = true
        let isEmpty = range.isSent
        try enqueue(range)
        if isEmpty { finish(nil) }
    }

    /// Sends a regular file, or a part of it, and waits until the kernel has taken it.
    ///
    /// As ``sendFile(_:from:count:progress:completion:)``, for blocking channels; on another it
    /// goes out in the background, and nobody tells when. A failure there, also that of a file
    /// that has become shorter, fails the channel as that of any write does.
    ///
    /// - Returns: how many bytes the file, or its part, has.
    /// - Throws: ``ChannelError``.
    @discardableResult
    public func sendFile(
        _ path: String, from offset: Int = 0, count: Int? = nil
    ) throws(ChannelError) -> Int {
        let file = try RegularFile(reading: path, from: offset, count: count, as: nil)
        let range = file.range()
        let size = range.left
        range.isFollowed = shared.values.isBlocking
        defer { range.isFollowed = false }
        try enqueue(range)
        if range.isFollowed, let failure = range.failure { throw failure }
        return size
    }

    /// Sends a regular file as text: decoded by `text`, encoded by this channel's own settings.
    ///
    /// Meanwhile writing to the channel is refused with `.busy`. `completion` is as that of
    /// ``copy(to:limit:progress:completion:)``.
    ///
    /// - Throws: ``ChannelError``, as ``sendFile(_:from:count:progress:completion:)``.
    @discardableResult
    public func sendFile(
        _ path: String, from offset: Int = 0, count: Int? = nil, as text: TextOptions,
        progress: ((CopyCounts) -> Void)? = nil, completion: @escaping (CopyResult) -> Void
    ) throws(ChannelError) -> ChannelCopy {
        let file = try RegularFile(reading: path, from: offset, count: count, as: text)
        do throws(SocketError) {
            try checkSink()
            return ChannelCopy(
                from: file, to: self, limit: nil, on: try reactor, progress, completion)
        } catch {
            throw .socket(error)
        }
    }

    /// Sends a regular file as text, and waits until the kernel has taken it.
    ///
    /// As ``sendFile(_:from:count:as:progress:completion:)``, but no handler runs meanwhile. The
    /// channel blocks while it goes on, and is as before afterwards.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``, as ``sendFile(_:from:count:progress:completion:)``.
    @discardableResult
    public func sendFile(
        _ path: String, from offset: Int = 0, count: Int? = nil, as text: TextOptions
    ) throws(ChannelError) -> CopyCounts {
        let file = try RegularFile(reading: path, from: offset, count: count, as: text)
        do throws(SocketError) { try checkSink() } catch { throw .socket(error) }
        return try takeAll(from: file, upTo: nil)
    }

    /// Writes what this channel reads into a file, which is made or emptied first.
    ///
    /// Meanwhile reading from the channel is refused with `.busy`. Everything else is as with
    /// ``copy(to:limit:progress:completion:)``.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - limit: as with ``copy(to:limit:progress:completion:)``.
    ///   - text: how characters become the file's bytes; `nil` for the bytes as they come.
    ///   - progress: called after each piece.
    ///   - completion: called once, when all is written or a side has failed.
    /// - Throws: ``ChannelError``: `.file` when it can't be opened, or is no regular file.
    @discardableResult
    public func receiveFile(
        _ path: String, limit: Int? = nil, as text: TextOptions? = nil,
        progress: ((CopyCounts) -> Void)? = nil, completion: @escaping (CopyResult) -> Void
    ) throws(ChannelError) -> ChannelCopy {
        do throws(SocketError) { try checkReading() } catch { throw .socket(error) }
        let link = try reactorLink()
        let file = try RegularFile(writing: path, as: text)
        guard let reactor = link.reactor else {
            throw .socket(SocketError(.read, .badDescriptor, at: peerAddress))
        }
        return ChannelCopy(
            from: self, to: file, limit: limit, on: reactor, progress, completion)
    }

    /// Writes what this channel reads into a file, and waits until that is done.
    ///
    /// As ``receiveFile(_:limit:as:progress:completion:)``, but no handler runs meanwhile. The
    /// channel blocks while it goes on, and is as before afterwards.
    ///
    /// - Returns: what was moved.
    /// - Throws: ``ChannelError``: `.file` when it can't be opened, is no regular file or can't be
    ///   written; `.socket` when the connection fails. What had come is in the file.
    @discardableResult
    public func receiveFile(
        _ path: String, limit: Int? = nil, as text: TextOptions? = nil
    ) throws(ChannelError) -> CopyCounts {
        do throws(SocketError) { try checkReading() } catch { throw .socket(error) }
        let file = try RegularFile(writing: path, as: text)
        return try whileBlocking { () throws(ChannelError) in
            flags.subtract([.isAtEnd, .isBlocked])
            return try moveAll(to: file, upTo: limit)
        }
    }

    /// Whether the program has closed it, and is told of nothing more.
    private var isClosedByProgram: Bool {
        state.isCloseAsked || (state.phase != .open && state.phase != .connecting)
    }

    private func reactorLink() throws(ChannelError) -> ReactorLink {
        do throws(SocketError) { return try reactor.link } catch { throw .socket(error) }
    }

    private func enqueue(_ range: FileRange) throws(ChannelError) {
        do throws(SocketError) { try queue(range) } catch { throw .socket(error) }
    }
}
