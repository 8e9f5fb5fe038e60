// SPDX-License-Identifier: Apache-2.0
//
// The one shared class of the library: a socket on a reactor, with its state, queues and handlers.
// This file holds what a channel is; the extensions hold what it does.

internal import CLibevent
internal import CSystemCalls

/// A buffered stream over a socket, on a reactor.
///
/// Handlers run on the reactor's thread, one at a time. A channel stays open until somebody closes
/// it or, for channels with ``onBytes(_:)`` or a limit that was met, until it closes itself; the
/// reactor keeps it alive for as long as it is open.
public final class Channel {
    // The properties on the path of every message are not checked for exclusive access: each access
    // is a load or a store of the reactor's one thread, and none spans a call of a handler. The
    // socket is borrowed for one system call at a time.

    // They stand together, so that a message touches as few cache lines as can be.

    /// Set back by the reactor's deinit, so it is never dangling.
    ///
    /// On the path of a message it is used as it stands: the reactor is kept alive by whoever runs
    /// it, and a retain there and back would be a tenth of the message's cost.
    @exclusivity(unchecked) private(set) var home: Unmanaged<Reactor>?
    var reactorOrNil: Reactor? { home?.takeUnretainedValue() }
    @exclusivity(unchecked) var residentIndex = -1
    /// What libevent found and no handler has been told yet.
    @exclusivity(unchecked) var found = Interest()
    @exclusivity(unchecked) var flags = Flags()
    @exclusivity(unchecked) var socket: Socket?
    @exclusivity(unchecked) var output: OutputQueue?
    @exclusivity(unchecked) var rare: RareParts?
    @exclusivity(unchecked) var state: ChannelState
    @exclusivity(unchecked) var reader = Reader.none
    @exclusivity(unchecked) var input = InputQueue()
    @exclusivity(unchecked) var shared: SharedOptions
    @exclusivity(unchecked) var counted = ChannelCounters()
    @exclusivity(unchecked) var lastReceived: UInt64
    @exclusivity(unchecked) var lastSent: UInt64

    // What follows is used when something changes.

    @exclusivity(unchecked) var event: Event?
    var deadline = Deadlines.Key.none
    /// Who counts it, such as the server that accepted it.
    var owner: (any ChannelOwner)?
    let openedAt: UInt64

    /// The peer's address; still answers after the peer, or this side, has closed.
    public let peerAddress: SocketAddress

    /// Small facts about a channel, a bit each.
    struct Flags: OptionSet {
        let rawValue: UInt8
        /// The reader saw an incomplete message: what is queued does not count as readable until
        /// more comes.
        static let needsMore = Flags(rawValue: 1)
        /// The end of the input was told to `onInputEnd`, or closed the channel.
        static let isEndTold = Flags(rawValue: 2)
        /// The program asked for a pause.
        static let pausedByProgram = Flags(rawValue: 4)
        /// On the reactor's list of channels to flush.
        static let isUnflushed = Flags(rawValue: 8)
        /// The writable handler was installed after the readable one, so it runs first.
        static let writableIsNewer = Flags(rawValue: 16)
        /// Queued for a turn of its own.
        static let isEnqueued = Flags(rawValue: 32)
        /// The time that a closed channel has for the rest is running.
        static let isLingering = Flags(rawValue: 64)
        /// A handler was taken away because it threw.
        static let hasLostHandler = Flags(rawValue: 128)
    }

    /// Who takes the input.
    enum Reader {
        case none
        case readable((Channel) throws -> Void)
        case bytes((Channel, RawSpan) throws -> Void)
    }

    /// What most channels do without.
    ///
    /// Handlers are not checked for exclusive access: the end of a replaced one may come back to
    /// its place, after the new one stands there.
    final class RareParts {
        @exclusivity(unchecked) var writable: ((Channel) throws -> Void)?
        @exclusivity(unchecked) var inputEnd: ((Channel) throws -> Void)?
        @exclusivity(unchecked) var peerClosed: ((Channel) throws -> Void)?
        @exclusivity(unchecked) var drained: ((Channel) throws -> Void)?
        @exclusivity(unchecked) var closed: ((Channel, EndReason) -> Void)?
        @exclusivity(unchecked) var connected: ((Channel, SocketError?) -> Void)?
        var pendingError: SocketError?
        var localAddress: SocketAddress?
    }

    /// Puts an open socket on a reactor.
    ///
    /// The socket is made non-blocking where it is not.
    ///
    /// - Throws: ``SocketError`` with operation `.watch` when the kernel refuses to watch it, as a
    ///   file.
    public convenience init(
        adopting socket: consuming Socket, on reactor: Reactor, options: ChannelOptions = .init()
    ) throws(SocketError) {
        let peer = (try? socket.peerAddress) ?? .unnamed  // A pair's end has no name to ask for.
        try socket.stopBlocking()
        try self.init(socket, peer, reactor, SharedOptions(options), isConnecting: false)
        try beginWatching()
    }

    init(
        _ socket: consuming Socket, _ peer: SocketAddress, _ reactor: Reactor,
        _ shared: SharedOptions,
        isConnecting: Bool
    ) throws(SocketError) {
        let number = socket.number
        self.socket = consume socket
        peerAddress = peer
        home = Unmanaged.passUnretained(reactor)
        self.shared = shared
        state = ChannelState(isConnecting: isConnecting)
        openedAt = reactor.now
        lastReceived = openedAt
        lastSent = openedAt
        // The context is this object; the event ends in `release()`, or with the object.
        event = try Event(
            reactor.base, number, channelCallback, Unmanaged.passUnretained(self).toOpaque())
        reactor.admit(self)
        startIdleDeadline()
    }

    /// The reactor that the channel is on.
    ///
    /// - Throws: ``SocketError`` with `.badDescriptor` after the reactor has ended.
    public var reactor: Reactor {
        get throws(SocketError) {
            guard let reactorOrNil else {
                throw SocketError(.perform, .badDescriptor, at: peerAddress)
            }
            return reactorOrNil
        }
    }

    /// The reactor has come to its end and takes everything with it.
    func reactorEnded() {
        _ = state.cutOff(because: .drained)
        home = nil
        event = nil
        socket = nil
        output = nil
        input = InputQueue()
        owner = nil
        dropHandlers()
        rare = nil
    }

    func dropHandlers() {
        // Held until both places are empty: a handler's end may end what it held, and that this
        // channel again.
        let dropped = (reader, rare)
        reader = .none
        rare = nil
        if let old = dropped.1,
            old.closed != nil || old.connected != nil || old.localAddress != nil
        {
            parts.closed = old.closed
            parts.connected = old.connected
            parts.localAddress = old.localAddress
        }
        withExtendedLifetime(dropped) {}
    }

    /// The parts that most channels do without, made when they are first needed.
    var parts: RareParts {
        if let rare { return rare }
        let made = RareParts()
        rare = made
        return made
    }
}

/// Someone who is told when a channel has released its descriptor.
protocol ChannelOwner: AnyObject {
    func channelClosed()
}

/// Channels stay on their reactor's thread.
@available(*, unavailable)
extension Channel: Sendable {}

extension Channel: CustomStringConvertible {
    /// The peer's address and the state, such as `127.0.0.1:4711, open`.
    public var description: String { "\(peerAddress), \(status)" }
}

// MARK: - What may be asked

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

    /// Where the channel is in its life.
    public var status: Status {
        switch state.phase {
        case .connecting: .connecting
        case .draining, .discarding: .closing
        case .closed: .closed
        case .open:
            if state.output == .failed {
                .failed
            } else if state.input == .shut || state.output != .open {
                .halfClosed
            } else {
                state.peerClosed || state.input == .ended ? .peerClosed : .open
            }
        }
    }

    /// Why the channel ended, or will end; `nil` while nothing has ended it.
    public var endReason: EndReason? { state.reason }

    /// This side's address.
    ///
    /// - Throws: ``SocketError`` with operation `.name`; `.badDescriptor` once the channel is
    ///   closed and nobody had asked before.
    public var localAddress: SocketAddress {
        get throws(SocketError) {
            if let known = rare?.localAddress { return known }
            guard let address = try socket?.localAddress else {
                throw SocketError(.name, .badDescriptor, at: peerAddress)
            }
            parts.localAddress = address
            return address
        }
    }

    /// Takes the error that waits to be told, if there is one; the next call gives `nil`.
    public func takeError() -> SocketError? {
        if let error = rare?.pendingError {
            rare?.pendingError = nil
            return error
        }
        // An option that can't be read has no error to tell.
        guard let code = try? socket?.get(.pendingError), code.rawValue != 0 else { return nil }
        return SocketError(.read, code, at: peerAddress)
    }

    /// How many bytes were read and are not consumed yet.
    public var unreadByteCount: Int { input.byteCount }

    /// How many bytes were written and have not gone to the kernel yet.
    public var unsentByteCount: Int { (output?.byteCount ?? 0) + turnByteCount }

    /// What went over the channel.
    public var counters: ChannelCounters { counted }

    /// How long ago the channel was opened.
    public var age: Duration { elapsed(since: openedAt) }

    /// How long ago a byte came or went.
    public var idleTime: Duration { elapsed(since: max(lastReceived, lastSent)) }

    /// The limits and times; what is changed holds from now on.
    public var options: ChannelOptions {
        get { shared.values }
        set {
            shared = SharedOptions(newValue)
            if state.phase == .open { startIdleDeadline() }
            checkMarks()
        }
    }

    /// Reads an option of the socket underneath.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public func get<Value>(_ option: SocketOption<Value>) throws(SocketError) -> Value {
        guard let value = try socket?.get(option) else {
            throw SocketError(.getOption, .badDescriptor, at: peerAddress)
        }
        return value
    }

    /// Changes an option of the socket underneath.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(SocketError) {
        guard state.phase != .closed else {
            throw SocketError(.setOption, .badDescriptor, at: peerAddress)
        }
        try socket?.set(option, to: value)
    }

    private func elapsed(since start: UInt64) -> Duration {
        let now = csystem_monotonic_nanoseconds()
        return Duration(nanoseconds: now > start ? now - start : 0)
    }
}
