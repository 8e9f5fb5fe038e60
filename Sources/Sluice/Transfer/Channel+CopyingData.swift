// SPDX-License-Identifier: Apache-2.0
//
// Copying bytes, a text, a file or another channel to a channel, whose text settings may be others
// for the duration.

extension Channel {
    /// Copies a source to this channel, in the background.
    ///
    /// Meanwhile writing to this channel, and reading a channel that is the source, are refused
    /// with `.busy`. A file goes by sendfile(2). Blocks are taken while the queue is not above the
    /// high mark, so a source of any size takes little memory.
    ///
    /// `completion` is called once, in a later turn, when all has gone out or a side has failed.
    /// After ``ChannelCopy/stop()``, or when either channel is closed, it is not. However the copy
    /// ends, the text settings that `options` change are as before by then.
    ///
    /// - Parameters:
    ///   - source: what to copy, such as `.file("/etc/hosts")`; of size 0 it is all there at once.
    ///   - options: how much at a time, and how text is set meanwhile.
    ///   - progress: called after each block; the last one counted may still be in the queue.
    ///   - completion: called once, at the end.
    /// - Throws: ``TransferError``: as ``TransferSource/check()``; `.destination` with `.socket`:
    ///   `.busy` when another copy writes to this channel, `.badDescriptor` when it is closed or
    ///   has no reactor; `.source` with `.invalidArgument` for a channel on another reactor.
    @discardableResult
    public func copy(
        from source: TransferSource, options: CopyOptions = .init(),
        progress: ((CopyCounts) -> Void)? = nil,
        completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) -> ChannelCopy {
        try beginCopy(from: source, options, progress) { result in
            completion(result.transferred(promised: source.promised))
        }
    }

    /// Copies as ``copy(from:options:progress:completion:)``, and tells which side failed.
    func beginCopy(
        from source: TransferSource, _ options: CopyOptions,
        _ progress: ((CopyCounts) -> Void)?, _ completion: @escaping (CopyResult) -> Void
    ) throws(TransferError) -> ChannelCopy {
        let reactor: Reactor
        do throws(SocketError) {
            try checkSink()
            reactor = try self.reactor
        } catch {
            throw .destination(.socket(error))
        }
        let limit = source.channel == nil ? nil : source.size
        return ChannelCopy(
            from: try source.makeEnd(on: reactor), source.channel, to: self, self, limit: limit,
            options, on: reactor, progress, completion)
    }

    /// Copies what this channel reads to a destination, in the background.
    ///
    /// Meanwhile reading this channel, and writing to a channel that is the destination, are
    /// refused with `.busy`. Reading is held while that channel's queue is above its high mark.
    ///
    /// `completion` is called once, in a later turn, when the input has ended or as much has come
    /// as was promised and all is where it was to go, or when a side has failed. After
    /// ``ChannelCopy/stop()``, or when either channel is closed, it is not. However the copy ends,
    /// the text settings that `options` change are as before by then.
    ///
    /// - Parameters:
    ///   - destination: where it goes, such as `.file("/tmp/hosts")`.
    ///   - options: how much at a time, and how text is set meanwhile.
    ///   - progress: called after each block.
    ///   - completion: called once, at the end, with the bytes where the destination is memory.
    /// - Throws: ``TransferError``: as ``TransferDestination/check()``; `.source` with `.socket`:
    ///   `.busy` when another copy reads this channel, `.badDescriptor` when it is closed or has
    ///   no reactor; `.destination` with `.invalidArgument` for a channel on another reactor.
    @discardableResult
    public func copy(
        to destination: TransferDestination, options: CopyOptions = .init(),
        progress: ((CopyCounts) -> Void)? = nil,
        completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) -> ChannelCopy {
        try beginCopy(to: destination, options, progress) { result, bytes in
            var moved = result.transferred(promised: destination.size)
            moved.bytes = bytes
            completion(moved)
        }
    }

    /// Copies as ``copy(to:options:progress:completion:)``, and tells which side failed and what
    /// was collected.
    func beginCopy(
        to destination: TransferDestination, _ options: CopyOptions,
        _ progress: ((CopyCounts) -> Void)?,
        _ completion: @escaping (CopyResult, [UInt8]) -> Void
    ) throws(TransferError) -> ChannelCopy {
        let reactor: Reactor
        do throws(SocketError) {
            // Before a file is made.
            try checkReading()
            reactor = try self.reactor
        } catch {
            throw .source(.socket(error))
        }
        let sink = try destination.makeEnd(on: reactor)
        return ChannelCopy(
            from: self, self, to: sink, destination.channel, limit: destination.size, options,
            on: reactor, progress
        ) { completion($0, (sink as? CollectedBytes)?.bytes ?? []) }
    }

    /// Changes how text becomes bytes, where that is not as it was.
    fileprivate func setText(_ text: TextOptions) {
        if options.text != text { options.text = text }
    }
}

extension ChannelCopy {
    /// Begins a copy, with the text of the channels at its ends set while it goes on.
    fileprivate convenience init(
        from source: any CopySource, _ reading: Channel?, to sink: any CopySink,
        _ writing: Channel?, limit: Int?, _ options: CopyOptions, on reactor: Reactor,
        _ progress: ((CopyCounts) -> Void)?, _ completion: @escaping (CopyResult) -> Void
    ) {
        let (mine, theirs) = (reading?.options.text, writing?.options.text)
        reading?.apply(options.sourceText)
        writing?.apply(options.destinationText)
        self.init(
            from: source, to: sink, limit: limit,
            blockSize: min(max(1, options.blockSize), 65_536), on: reactor,
            atEnd: {
                if let theirs { writing?.setText(theirs) }
                if let mine { reading?.setText(mine) }
            }, progress, completion)
    }
}
