// SPDX-License-Identifier: Apache-2.0
//
// The end of sending: the writing side is closed, and it is learnt whether the peer has all.

extension Channel {
    /// Closes the writing side, learns whether the peer has all, and closes the channel.
    ///
    /// All is well when the peer's kernel has acknowledged every byte and the end, and the peer has
    /// ended its own side, or has not for as long as `standstill`. The channel is closed then;
    /// where it fails it is reset. What the peer says meanwhile is dropped, and the channel's
    /// handlers for input, its end and the close are taken for this.
    ///
    /// `completion` is called once, in a later turn: also, with `.badDescriptor`, where the program
    /// closes the channel meanwhile. After the reactor's end it is not called.
    ///
    /// - Parameters:
    ///   - standstill: how long the peer may acknowledge nothing; looked at eight times in it.
    ///   - completion: told `nil`, or why not all is known to be there: that the peer has cut the
    ///     connection, or `.timedOut`.
    package func finishSending(
        within standstill: Duration, _ completion: @escaping (SocketError?) -> Void
    ) {
        // The reactor's timer and the channel's handlers keep it, up to the end.
        EndOfSending(of: self, within: standstill, completion).begin()
    }

    /// Drops what the peer says, up to its end, whatever waits to go out.
    package func ignoreInput(_ atEnd: @escaping () -> Void = {}) {
        options.pausesReadingAboveMark = false
        onBytes { _, _ in }
        // Without a handler the peer's end would close the channel.
        onInputEnd { _ in atEnd() }
    }
}

/// The end of what a channel sends, on its way to the peer.
private final class EndOfSending {
    /// How far the peer has come.
    private struct Progress: Equatable {
        var acknowledged = 0
        /// Whether it has everything, and the end of it.
        var isWhole = false
    }

    private let channel: Channel
    private let standstill: Duration
    private var completion: ((SocketError?) -> Void)?
    private var failure: SocketError?
    private var timer: Timer?
    private var progress = Progress()
    /// When there was progress last.
    private var since: UInt64 = 0
    /// How long it is until the next look at a peer whose acknowledgement is no event.
    private var pause = Duration.milliseconds(1)

    init(
        of channel: Channel, within standstill: Duration,
        _ completion: @escaping (SocketError?) -> Void
    ) {
        self.channel = channel
        self.standstill = standstill
        self.completion = completion
    }

    func begin() {
        since = channel.clock
        channel.ignoreInput { [self] in look() }
        channel.onClose { [self] channel, _ in end(channel.endError(.write)) }
        do throws(SocketError) {
            if channel.state.output == .open { try channel.closeWriting() }
        } catch {
            failure = error
        }
        look(after: .zero)
    }

    private func look(after pause: Duration) {
        timer?.cancel()
        timer = channel.reactorOrNil?.after(pause) { [self] in look() }
    }

    private func look() {
        if completion == nil { return }
        let now = channel.clock
        // The error is asked for afterwards: a connection that fails in between is not whole.
        let found = currentProgress
        if let error = failure ?? channel.takeError() { return end(error) }
        if channel.isEnding || channel.state.output == .failed {
            return end(channel.endError(.write))
        }
        if found != progress { since = now }
        progress = found
        let hasPeerEnded = channel.state.input == .ended
        if found.isWhole, hasPeerEnded { return end(nil) }
        if now &- since >= standstill.nanoseconds {
            return end(
                found.isWhole ? nil : SocketError(.write, .timedOut, at: channel.peerAddress))
        }
        let step = max(standstill / 8, .milliseconds(1))
        if !hasPeerEnded { return look(after: step) }
        look(after: min(pause, step))
        pause = min(pause * 2, .milliseconds(100))
    }

    /// Source: `TCP_INFO`, tcp(7); RFC 9293, 3.3.2.
    private var currentProgress: Progress {
        let isOut = channel.state.output == .shut
        // What is no TCP connection passes its bytes on at once.
        guard let info = try? channel.get(.tcpInfo) else {
            return Progress(
                acknowledged: Int(clamping: channel.counters.bytesSent), isWhole: isOut)
        }
        let states: [TCPInfo.State] = [.finWait2, .timeWait, .closed]
        // A kernel that counts no bytes tells at least how many packets are under way.
        return Progress(
            acknowledged: info.acknowledgedByteCount ?? -info.unacknowledgedCount,
            isWhole: isOut && states.contains(info.state))
    }

    private func end(_ error: SocketError?) {
        guard let completion = completion.take() else { return }
        timer?.cancel()
        timer = nil
        channel.onClose(nil)
        if error == nil { channel.close() } else { channel.abort() }
        completion(error)
    }
}
