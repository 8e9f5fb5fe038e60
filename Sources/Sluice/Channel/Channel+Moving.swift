// SPDX-License-Identifier: Apache-2.0
//
// A channel on its way from one reactor to another, and so from one thread to another.
// What was read and not consumed, and written and not sent, goes with it; handlers stay behind.

internal import CSystemCalls
import SluiceText

/// A connection between two reactors: any thread may hold it, and one reactor may take it.
///
/// It holds the socket with the state of the channel that it was. Where nobody takes it, its end
/// closes the socket, and what was not sent is lost.
public final class DetachedChannel: Sendable {
    /// The peer's address.
    public let peerAddress: SocketAddress
    private let luggage: Locked<Luggage>

    fileprivate init(_ peerAddress: SocketAddress, _ luggage: consuming Luggage) {
        self.peerAddress = peerAddress
        self.luggage = Locked(luggage)
    }

    /// Takes what it holds, once.
    fileprivate func unpack() -> Luggage {
        luggage.withLock { luggage in
            var taken = Luggage()
            swap(&taken, &luggage)
            return taken
        }
    }
}

/// What a channel takes along.
private struct Luggage: ~Copyable, @unchecked Sendable {
    // Unchecked: what it refers to was the channel's alone and is nobody's now; one thread packs it
    // and one, behind a mutex, unpacks it.

    var socket: Socket?
    var state = ChannelState(isConnecting: false)
    var flags = Channel.Flags()
    var options = ChannelOptions()
    var input = InputQueue()
    var output: OutputQueue?
    var text: ChannelText?
    var passed: PassedDescriptors?
    var rates = MovedRates()
    var pendingError: SocketError?
    var socketError: SocketError?
    var localAddress: SocketAddress?
    var counters = ChannelCounters()
    var lastReceived: UInt64 = 0
    var lastSent: UInt64 = 0
    var openedAt: UInt64 = 0
    var timing: ChannelTiming?
}

extension Channel.Flags {
    /// What holds on any reactor.
    fileprivate static let lasting: Channel.Flags = [
        .isEndTold, .pausedByProgram, .wasOpen, .isAtEnd,
    ]
}

extension Channel {
    /// Takes the connection off its reactor, so that another one can go on with it.
    ///
    /// It may be open or be connecting still. What was read and not consumed goes with it, what was
    /// written and not sent, the settings and the state of text; handlers do not. This channel is
    /// closed from now on, with ``EndReason/moved``, and ``onClose(_:)`` is told. Not to be called
    /// inside ``parse(_:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.perform`: `.badDescriptor` on a channel that is
    ///   closing or closed, `.busy` while a copy goes on or a file waits to be sent,
    ///   `.inProgress` while its name is looked up or its addresses race.
    public func detach() throws(SocketError) -> DetachedChannel {
        guard state.phase == .open || state.phase == .connecting, !state.isCloseAsked else {
            throw SocketError(.perform, .badDescriptor, at: peerAddress)
        }
        flushOwnTurn()
        let isFollowed = output.map { $0.fileCount > 0 || $0.hasNews } ?? false
        if isCopySource || isCopySink || isFollowed {
            throw SocketError(.perform, .busy, at: peerAddress)
        }
        guard socket != nil else { throw SocketError(.perform, .inProgress, at: peerAddress) }
        if let text { keepLent(text) }
        var luggage = Luggage()
        luggage.state = state
        luggage.flags = flags.intersection(.lasting)
        luggage.options = options
        luggage.input = input.take()
        // In objects of their own: a turn of this channel's that is under way still has the old ones.
        luggage.output = output?.taken()
        luggage.text = text?.taken()
        luggage.passed = rare?.passed
        luggage.rates = takeRates()
        luggage.pendingError = rare?.pendingError
        luggage.socketError = rare?.socketError
        luggage.localAddress = rare?.localAddress
        luggage.counters = counted
        luggage.lastReceived = lastReceived
        luggage.lastSent = lastSent
        luggage.openedAt = openedAt
        timing?.leave(now: clock)
        luggage.timing = timing.take()
        // The kernel forgets the watch before somebody else may ask for one.
        event = nil
        luggage.socket = socket.take()
        output = nil
        text = nil
        perform(state.leave())
        return DetachedChannel(peerAddress, luggage)
    }

    /// Goes on with a connection that another reactor has let go of.
    ///
    /// What was read and not consumed counts as news to the first handler that is installed.
    ///
    /// - Throws: ``SocketError`` with operation `.perform` and `.badDescriptor` where somebody else
    ///   has taken it; `.watch` when the kernel refuses to watch it, and it is lost.
    public convenience init(
        attaching detached: DetachedChannel, on reactor: Reactor
    ) throws(SocketError) {
        var luggage = detached.unpack()
        guard let socket = luggage.socket.take() else {
            throw SocketError(.perform, .badDescriptor, at: detached.peerAddress)
        }
        let isConnecting = luggage.state.phase == .connecting
        try self.init(
            socket, detached.peerAddress, reactor, SharedOptions(luggage.options),
            isConnecting: isConnecting)
        state = luggage.state
        flags.formUnion(luggage.flags)
        input = luggage.input.take()
        // What is set in an initialiser is not observed.
        countInput()
        output = luggage.output
        output?.report(to: reactor.buffers)
        output?.isRefused = false
        text = luggage.text
        goOn(with: luggage.rates)
        counted = luggage.counters
        lastReceived = luggage.lastReceived
        lastSent = luggage.lastSent
        if luggage.passed != nil || luggage.pendingError != nil || luggage.socketError != nil
            || luggage.localAddress != nil
        {
            parts.passed = luggage.passed
            parts.pendingError = luggage.pendingError
            parts.socketError = luggage.socketError
            parts.localAddress = luggage.localAddress
        }
        // What it has counted so far is in the counters of the reactor that it comes from.
        reactor.closedInput &-= counted.bytesReceived
        reactor.closedOutput &-= counted.bytesSent
        if !isConnecting { reactor.tell(.arrived(self)) }
        openedAt = luggage.openedAt
        timing = luggage.timing
        startDeadlines()
        // It may have been above the mark for want of room on the other reactor.
        checkMarks()
        try beginWatching()
    }
}
