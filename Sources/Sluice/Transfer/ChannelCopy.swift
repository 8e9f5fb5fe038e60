// SPDX-License-Identifier: Apache-2.0
//
// A copy under way: between channels, or between a channel and a file.
// Bytes pass untouched where both ends' settings allow it, else as text.

/// What a copy has moved.
public struct CopyCounts: Hashable, Sendable {
    /// How much was read: characters, or bytes where they pass untouched.
    public var read = 0
    /// How many bytes were written.
    public var bytesWritten = 0
}

/// How a copy ended.
public struct CopyResult: Sendable {
    /// What was moved, also by a copy that failed.
    public let counts: CopyCounts
    /// Why it failed; `nil` for a copy that reached its limit or the end of the input.
    ///
    /// A source that was reset, or whose connection was not made, has no end: that is an error.
    public let error: ChannelError?
    /// Which side failed.
    var failedSide: CopySide?
}

/// One of the two sides of a copy.
enum CopySide { case source, sink }

/// A copy that is under way.
public final class ChannelCopy {
    /// What is held until it is over, and then let go.
    struct Job {
        let source: any CopySource
        let sink: any CopySink
        let progress: ((CopyCounts) -> Void)?
        let completion: (CopyResult) -> Void
        /// How much is moved at a time.
        let blockSize: Int
        /// Called when it is over, however that came, before anybody is told.
        let atEnd: (() -> Void)?
    }

    private var job: Job?
    private let reactor: ReactorLink
    private let isText: Bool
    /// What may still be read; `nil` for everything.
    private var left: Int?
    /// All is read: only what was written has still to go out.
    private var isFinishing = false
    /// Why all is read, where that is not the limit or the end of the input.
    private var sourceFailure: ChannelError?
    /// What a side failed with while it was not asked; told in a turn of its own.
    private var failure: ChannelError?
    /// Whether the sink is above its mark.
    private var isHeld = false
    /// Whether it goes on in a later turn that is on its way.
    private var isComing = false

    /// What was moved so far.
    public private(set) var counts = CopyCounts()

    /// The source's own reader, which comes back when the copy is over.
    var heldReader = Channel.Reader.none

    /// Called when it stops without a result.
    var onStop: (() -> Void)?

    init(
        from source: any CopySource, to sink: any CopySink, limit: Int?, blockSize: Int = .max,
        on reactor: Reactor, atEnd: (() -> Void)? = nil,
        _ progress: ((CopyCounts) -> Void)?, _ completion: @escaping (CopyResult) -> Void
    ) {
        job = Job(
            source: source, sink: sink, progress: progress, completion: completion,
            blockSize: max(1, blockSize), atEnd: atEnd)
        self.reactor = reactor.link
        isText = !source.passesUntouched(to: sink.textOptions)
        left = limit.flatMap { $0 < 0 ? nil : $0 }
        sink.attachSink(self)
        // The sink may be closed, where the kernel does not watch it any more.
        if job != nil { source.attachSource(self) }
    }

    /// Whether it goes on.
    public var isUnderWay: Bool { job != nil }

    /// Stops: nothing more is read, what was written goes out, and nobody is told.
    ///
    /// Stopping again does nothing.
    public func stop() {
        guard let job else { return }
        // Nobody is told, so an error is none's.
        _ = try? end(job)
        onStop.take()?()
    }

    /// Closes what was written, and gives both ends back to their program.
    private func end(_ job: Job) throws(ChannelError) {
        self.job = nil
        var written = 0
        defer {
            counts.bytesWritten += written
            job.sink.detachSink(self)
            job.source.detachSource(self)
            heldReader = .none
            job.atEnd?()
        }
        try job.sink.endText(&written)
    }

    private func finish(_ error: ChannelError? = nil, of side: CopySide = .sink) {
        guard let job else { return }
        var (error, side) = (error, side)
        do throws(ChannelError) {
            // An end before the limit may be less than was promised.
            if error == nil, left ?? 0 == 0 { try job.sink.inputHasEnded() }
        } catch let last {
            (error, side) = (last, .sink)
        }
        do throws(ChannelError) {
            try end(job)
        } catch let last {
            if error == nil { (error, side) = (last, .sink) }
        }
        job.completion(CopyResult(counts: counts, error: error, failedSide: side))
    }
}

/// Copies stay on their reactor's thread.
@available(*, unavailable)
extension ChannelCopy: Sendable {}

// MARK: - Moving

extension ChannelCopy: Pump {
    var wantsInput: Bool { job != nil && failure == nil && !isFinishing && !isHeld }

    func sourceIsReady() {
        guard let job, failure == nil else { return }
        if isFinishing { return finishWhenOut(job) }
        let source = job.source
        var budget = source.turnLimit
        do throws(ChannelError) {
            while budget > 0, wantsInput, !source.isPaused, left != 0,
                let piece = try source.move(
                    to: job.sink, asText: isText, upTo: min(left ?? .max, job.blockSize),
                    waits: false)
            {
                budget -= max(1, piece.counts.read)
                count(piece)
                if let error = piece.error { return finish(error, of: piece.failedSide) }
                // Moving may have ended it; and whoever follows the progress may stop the copy, or
                // close an end.
                if self.job == nil { return }
                job.progress?(counts)
                if self.job == nil { return }
            }
        } catch {
            return finish(error, of: .source)
        }
        if left == 0 || (!isHeld && !source.isPaused && source.hasEnded) {
            isFinishing = true
            if left != 0 { sourceFailure = source.takeFailure() }
            finishWhenOut(job)
        } else if budget <= 0, !isHeld {
            source.goOn(self)
        }
    }

    private func count(_ piece: CopiedPiece) {
        counts += piece.counts
        if let left { self.left = left - piece.counts.read }
        isHeld = piece.isSinkFull
    }

    func sinkHasRoom() {
        isHeld = false
        job?.source.goOn(self)
    }

    func sinkFailed(_ error: SocketError) { failed(.socket(error), of: .sink) }

    /// A side failed while it was not asked.
    func failed(_ error: ChannelError, of side: CopySide) {
        if job == nil || failure != nil { return }
        failure = error
        // In a turn of its own: who tells of it is in the middle of its own.
        reactor.reactor?.after(.zero) { [self] in finish(error, of: side) }
    }

    /// Of what was moved, the last bytes have not gone out, and will not.
    func takeBack(_ count: Int) {
        counts.read -= count
        counts.bytesWritten -= count
    }

    func endWasClosed() {
        // A failure before that is still told; it may be what closed the end.
        if failure == nil || reactor.reactor == nil { stop() }
    }

    /// For sources without readiness: goes on in a later turn.
    func goOnLater() {
        if isComing { return }
        isComing = true
        reactor.reactor?.after(.zero) { [self] in
            isComing = false
            sourceIsReady()
        }
    }

    private func finishWhenOut(_ job: Job) {
        // Sending the rest may be what fails.
        if job.sink.isAllOut(), failure == nil { finish(sourceFailure, of: .source) }
    }
}
