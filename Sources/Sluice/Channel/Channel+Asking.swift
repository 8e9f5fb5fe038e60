// SPDX-License-Identifier: Apache-2.0
//
// What may be asked of a channel: its state, its addresses, its error, its counters and settings.

internal import CSystemCalls

extension Channel {
    /// Where a channel is in its life.
    public enum Status: Hashable, Sendable {
        /// The connection is being made.
        case connecting
        /// Both sides may send.
        case open
        /// The peer sends no more, or is gone.
        case peerClosed
        /// This side has ended one direction.
        case halfClosed
        /// An error ended both directions; only closing is left.
        case failed
        /// Closed by the program; what was queued still goes out.
        case closing
        /// Gone.
        case closed
    }

    /// Where the channel is in its life; one that stands alone asks the kernel.
    public var status: Status {
        switch state.phase {
        case .connecting: .connecting
        case .draining, .discarding: .closing
        case .closed: .closed
        case .open:
            if state.output == .failed || lonePeer?.isFailed == true {
                .failed
            } else if state.input == .shut || state.output != .open {
                .halfClosed
            } else {
                state.peerClosed || state.input == .ended || lonePeer?.isFinished == true
                    ? .peerClosed : .open
            }
        }
    }

    /// What the kernel knows of the peer, for a channel that no reactor tells.
    private var lonePeer: PeerState? {
        home == nil && state.input == .open ? socket?.peerState : nil
    }

    /// Why the channel ended, or will end; `nil` while nothing has ended it.
    public var endReason: EndReason? { state.reason }

    /// This side's address.
    ///
    /// - Throws: ``SocketError`` with operation `.name`; `.badDescriptor` once the channel is
    ///   closed and nobody had asked before, `.notConnected` on one that has no socket yet: see
    ///   ``Client/open(to:)``.
    public var localAddress: SocketAddress {
        get throws(SocketError) {
            if let known = rare?.localAddress { return known }
            guard let address = try socket?.localAddress else {
                throw SocketError(.name, missingSocket, at: peerAddress)
            }
            parts.localAddress = address
            return address
        }
    }

    /// Takes the error that waits to be told, if there is one; the next call gives `nil`.
    ///
    /// On a channel that is connecting it finds out whether that is decided, without the reactor.
    public func takeError() -> SocketError? {
        advanceConnecting()
        if let error = rare?.pendingError {
            rare?.pendingError = nil
            return error
        }
        // What connecting has come to is for the connection's own end to ask.
        if state.phase == .connecting { return nil }
        if let error = rare?.socketError {
            rare?.socketError = nil
            return error
        }
        // An option that can't be read has no error to tell.
        guard let code = try? socket?.get(.pendingError), code.rawValue != 0 else { return nil }
        return noteTaken(code)
    }

    /// The kernel tells an error once: what follows from it is noted now.
    private func noteTaken(_ code: ErrorCode) -> SocketError {
        let error = SocketError(.read, code, at: peerAddress)
        if code == .brokenPipe {
            // What the peer had sent before can still be read.
            writeFailed(SocketError(.write, code, at: peerAddress))
            rare?.pendingError = nil
        } else if state.phase == .open {
            readFailed(error)
        }
        return error
    }

    /// How many bytes were read and are not consumed yet.
    public var unreadByteCount: Int { input.byteCount + (text?.lent?.count ?? 0) }

    /// How many bytes were written and have not gone to the kernel yet.
    public var unsentByteCount: Int {
        (output?.byteCount ?? 0) + (output?.fileByteCount ?? 0) + turnByteCount
    }

    /// Whether the last call that read met the end of the input, as Tcl's `eof`.
    ///
    /// The end is met only by asking for more than there is: a read of exactly the rest does not.
    public var isAtEnd: Bool { flags.contains(.isAtEnd) }

    /// Whether the last call that read got less than it asked for, because no more was there yet,
    /// as Tcl's `fblocked`.
    public var isBlocked: Bool { flags.contains(.isBlocked) }

    /// What went over the channel.
    public var counters: ChannelCounters { counted }

    /// How long ago the channel was opened.
    public var age: Duration { elapsed(since: openedAt) }

    /// How long ago a byte came or went.
    public var idleTime: Duration { elapsed(since: max(lastReceived, lastSent)) }

    /// The settings; what is changed holds from now on.
    public var options: ChannelOptions {
        get { shared.values }
        set {
            var values = newValue
            // Nobody else could do the waiting.
            if isAlone { values.isBlocking = true }
            let old = shared.values
            shared = SharedOptions(values)
            if values.text != old.text { textOptionsChanged() }
            setRates(from: old)
            if state.phase == .open { startDeadlines() }
            if values.isBlocking, !old.isBlocking { sendTurn() }
            checkMarks()
            if old.pausesReadingAboveMark, !values.pausesReadingAboveMark { readOn() }
            arrange()
        }
    }

    /// The number that the kernel knows the socket by; `nil` once it is closed.
    var socketNumber: CInt? {
        switch socket {
        case .some(let socket): socket.number
        case .none: nil
        }
    }

    /// What is wrong where there is no socket.
    var missingSocket: ErrorCode {
        state.phase == .connecting ? .notConnected : .badDescriptor
    }

    /// Nanoseconds of the monotonic clock.
    var clock: UInt64 { reactorOrNil?.now ?? csystem_monotonic_nanoseconds() }

    private func elapsed(since start: UInt64) -> Duration {
        let now = csystem_monotonic_nanoseconds()
        return Duration(nanoseconds: now > start ? now - start : 0)
    }
}
