// SPDX-License-Identifier: Apache-2.0
//
// The runs of a transmitter or a receiver, one at a time: connect, copy, close, tell.
// Its connector, its copy or its connection keeps it alive until it is told.

/// What a transmitter and a receiver have in common.
final class TransferRun {
    /// Which way the data goes.
    enum Way {
        case sending(TransferSource)
        case receiving(TransferDestination)
    }

    private enum Stage {
        case idle
        case connecting
        case moving(Channel, ChannelCopy)
        /// All has gone out, and the partner is to close.
        case closing(Channel)
    }

    private let link: ReactorLink
    private let way: Way
    private let options: TransferOptions
    private let connector: Connector
    private var stage = Stage.idle
    private var progress: ((CopyCounts) -> Void)?
    private var completion: ((TransferResult) -> Void)?
    /// What the connection had sent before the run's data, as while it was opened.
    private var sentBefore: UInt64 = 0
    /// Called when a run is cancelled.
    var onCancel: (() -> Void)?

    init(
        on reactor: Reactor, _ way: Way, _ options: TransferOptions, _ opening: any ConnectorOpening
    ) {
        link = reactor.link
        self.way = way
        self.options = options
        connector = Connector(on: reactor, options: options.connector, opening: opening)
    }

    var isBusy: Bool { if case .idle = stage { false } else { link.reactor != nil } }

    var port: UInt16? { connector.port }

    func start(
        _ progress: ((CopyCounts) -> Void)?, _ completion: @escaping (TransferResult) -> Void
    ) throws(TransferError) -> UInt16? {
        guard let reactor = link.reactor else { throw .cancelled }
        if isBusy { throw .busy }
        switch way {
        case .sending(let source): try source.check(on: reactor)
        case .receiving(let destination): try destination.check(on: reactor)
        }
        let port: UInt16?
        do throws(ConnectorError) {
            port = try connector.connect { [self] in connected($0) }
        } catch {
            throw .connecting(error)
        }
        stage = .connecting
        self.progress = progress
        self.completion = completion
        return port
    }

    func cancel() {
        let ended = stage
        let onCancel = onCancel.take()
        finish(nil)
        switch ended {
        case .idle: return
        case .connecting: connector.cancel()
        case .closing(let channel): channel.abort()
        case .moving(let channel, let copy):
            copy.onStop = nil
            copy.stop()
            channel.abort()
        }
        onCancel?()
    }

    /// The run is over, and another may begin.
    private func finish(_ result: TransferResult?) {
        stage = .idle
        progress = nil
        onCancel = nil
        let completion = completion.take()
        if let result { completion?(result) }
    }
}

// MARK: - Moving

extension TransferRun {
    private func connected(_ result: Result<Channel, ConnectorError>) {
        switch result {
        case .failure(let error): finish(TransferResult(error: .connecting(error)))
        case .success(let channel):
            do throws(TransferError) {
                sentBefore = channel.counters.bytesSent
                let copy = try copy(over: channel)
                stage = .moving(channel, copy)
                copy.onStop = { [self, unowned copy] in stopped(copy) }
                if !copy.isUnderWay { stopped(copy) }
            } catch {
                channel.abort()
                finish(TransferResult(error: error))
            }
        }
    }

    private func copy(over channel: Channel) throws(TransferError) -> ChannelCopy {
        var copying = CopyOptions()
        copying.blockSize = options.blockSize
        switch way {
        case .sending(let source):
            copying.sourceText = options.channelText
            // A partner that answers must not have to wait until somebody reads.
            channel.ignoreInput()
            return try channel.beginCopy(from: source, copying, progress) { [self] result in
                moved(told(result, promised: source.promised))
            }
        case .receiving(let destination):
            copying.destinationText = options.channelText
            return try channel.beginCopy(to: destination, copying, progress) {
                [self] result, bytes in
                var moved = told(result, promised: destination.size)
                moved.bytes = bytes
                self.moved(moved)
            }
        }
    }

    /// What a copy's result is to the run.
    private func told(_ result: CopyResult, promised: Int?) -> TransferResult {
        result.transferred(promised: promised) { [way] side, error in
            switch (way, side) {
            case (.sending, .source): .source(error)
            case (.receiving, .sink): .destination(error)
            case (.sending, .sink), (.receiving, .source): .connection(error)
            }
        }
    }

    private func moved(_ result: TransferResult) {
        guard case .moving(let channel, _) = stage else { return }
        if result.error != nil {
            // The partner must not take a part for the whole.
            channel.abort()
            finish(counted(result, over: channel))
        } else if case .sending = way {
            close(channel, result)
        } else {
            channel.close()
            finish(result)
        }
    }

    /// What has gone out: of what a failed copy has written, the queue has dropped a part.
    private func counted(_ result: TransferResult, over channel: Channel) -> TransferResult {
        guard case .sending = way else { return result }
        var result = result
        let sent = Int(clamping: channel.counters.bytesSent &- sentBefore)
        result.counts.bytesWritten = min(result.counts.bytesWritten, sent)
        return result
    }

    /// The copy ended without a result, as one of its channels was closed.
    private func stopped(_ copy: ChannelCopy) {
        guard let reactor = link.reactor else { return finish(nil) }
        // In a turn of its own: only then is it known what closed it.
        reactor.after(.zero) { [self] in
            guard case .moving(let channel, let current) = stage, current === copy else { return }
            let result =
                switch way {
                case .sending(let source): copy.stopped(from: source.channel, to: channel)
                case .receiving(let destination):
                    copy.stopped(from: channel, to: destination.channel)
                }
            channel.abort()
            finish(counted(told(result, promised: nil), over: channel))
        }
    }
}

// MARK: - Closing

extension TransferRun {
    /// Tells the partner that nothing follows, and waits for it to have all.
    private func close(_ channel: Channel, _ result: TransferResult) {
        stage = .closing(channel)
        channel.finishSending(within: options.closeLimit) { [self] error in
            guard case .closing(let current) = stage, current === channel else { return }
            var result = result
            result.error = error.map { .connection(.socket($0)) }
            finish(result)
        }
    }
}
