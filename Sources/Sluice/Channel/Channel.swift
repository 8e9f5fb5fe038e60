// SPDX-License-Identifier: Apache-2.0
//
// The one shared class of the library: a socket with its state, queues and handlers, on a reactor
// or alone. This file holds what a channel is; the extensions hold what it does.

internal import CLibevent
internal import CSystemCalls

/// A buffered stream over a socket, on a reactor or, blocking, without one.
///
/// Handlers run on the reactor's thread, one at a time. A channel stays open until somebody closes
/// it or, for channels with ``onBytes(_:)`` or a limit that was met, until it closes itself; the
/// reactor keeps it alive for as long as it is open.
public final class Channel {
    // The properties on the path of every message are not checked for exclusive access: each access
    // is a load or a store of the reactor's one thread, and none spans a call of a handler. The
    // socket is borrowed for one system call at a time.

    // They stand together, so that a message touches as few cache lines as can be.

    /// Set back by the reactor's deinit for all that is on its list, and by ``leaveHome(_:)`` where the
    /// channel goes off it before: so it is never dangling.
    ///
    /// On the path of a message it is used as it stands: the reactor is kept alive by whoever runs
    /// it, and a retain there and back would be a tenth of the message's cost.
    @exclusivity(unchecked) private(set) var home: Unmanaged<Reactor>?
    /// The way to the reactor of a channel that is off its list; the reactor may have ended.
    private var formerHome: ReactorLink?
    var reactorOrNil: Reactor? { home?.takeUnretainedValue() ?? formerHome?.reactor }
    /// Whether the channel was made without a reactor, or lost it.
    var isAlone: Bool { home == nil && formerHome == nil }
    @exclusivity(unchecked) var residentIndex = -1
    /// What libevent found and no handler has been told yet.
    @exclusivity(unchecked) var found = Interest()
    @exclusivity(unchecked) var flags = Flags()
    @exclusivity(unchecked) var socket: Socket?
    @exclusivity(unchecked) var output: OutputQueue?
    @exclusivity(unchecked) var rare: RareParts?
    @exclusivity(unchecked) var state: ChannelState
    @exclusivity(unchecked) var reader = Reader.none
    /// How much of the input the reactor's account knows of.
    @exclusivity(unchecked) var countedInput: Int32 = 0
    @exclusivity(unchecked) var input = InputQueue() { didSet { countInput() } }
    /// How far the text of both directions has come; made when text is first read or written.
    @exclusivity(unchecked) var text: ChannelText?
    @exclusivity(unchecked) var shared: SharedOptions
    @exclusivity(unchecked) var counted = ChannelCounters()
    @exclusivity(unchecked) var lastReceived: UInt64
    @exclusivity(unchecked) var lastSent: UInt64

    // What follows is used when something changes.

    @exclusivity(unchecked) var event: Event?
    var deadline = Deadlines.Key.none
    /// Made where a message or the output has a time limit.
    @exclusivity(unchecked) var timing: ChannelTiming?
    /// The task that waits for input, or did: only for ``fetchReferences()``, never looked into.
    @exclusivity(unchecked) var waitingTask: UnsafeRawPointer?
    /// Who counts it, such as the server that accepted it.
    var owner: (any ChannelOwner)?
    var openedAt: UInt64

    /// The peer's address as the channel was made with it, which any thread may read.
    let firstPeer: SocketAddress
    /// The peer's address; still answers after the peer, or this side, has closed.
    ///
    /// ``SocketAddress/unnamed`` while a channel connects to a name: see ``Client/open(to:)``.
    public var peerAddress: SocketAddress {
        guard let rare, let peer = rare.foundPeer?.address else { return firstPeer }
        return peer
    }

    /// Small facts about a channel, a bit each.
    struct Flags: OptionSet {
        let rawValue: UInt32
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
        /// The last call that read met the end of the input.
        static let isAtEnd = Flags(rawValue: 256)
        /// The last call that read got less than it asked for, as no more was there.
        static let isBlocked = Flags(rawValue: 512)
        /// In this turn of the channel's the kernel's buffer was read empty.
        static let isKernelEmpty = Flags(rawValue: 1024)
        /// Somebody waits for the socket, and no handler may run.
        static let isWaiting = Flags(rawValue: 2048)
        /// The channel's turn is under way.
        static let isInTurn = Flags(rawValue: 4096)
        /// It did not fail while it connected.
        static let wasOpen = Flags(rawValue: 8192)
        /// Its server has begun to drain.
        static let isDraining = Flags(rawValue: 16_384)
        /// It has a limit on how fast it sends: what it writes goes through the queue.
        static let isSendRated = Flags(rawValue: 32_768)
        /// The reactor's channels hold too much, and this one is read no more for now.
        static let pausedByLimit = Flags(rawValue: 65_536)
        /// Somebody looks at what was queued, which counts as it was until it is put back.
        static let isInputLent = Flags(rawValue: 131_072)
        /// Reading rests, whoever wants it so.
        static let paused = Flags(rawValue: 4 | 65_536)
        /// Who reads when it likes does not ask the kernel.
        static let unasked = Flags(rawValue: 1024 | 65_536)
        /// Something may be to do in a turn that has nothing to read.
        static let lookedAt = Flags(rawValue: 16_384 | 65_536)
    }

    /// Who takes the input.
    enum Reader {
        case none
        case readable((Channel) throws -> Void)
        case bytes((Channel, RawSpan) throws -> Void)
        case lines((Channel, String) throws -> Void)
        case pump(any Pump)
        /// A task reads when it is woken.
        case awaited(Waiter)
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
        @exclusivity(unchecked) var draining: ((Channel) throws -> Void)?
        @exclusivity(unchecked) var closed: ((Channel, EndReason) -> Void)?
        @exclusivity(unchecked) var connected: ((Channel, SocketError?) -> Void)?
        /// The connection was decided while somebody waited, and ``connected`` is still to be told.
        var isDecided = false
        /// The queue has fallen to its mark while somebody waited.
        var isDrainDue = false
        var connectError: SocketError?
        /// How the connection is being made, or was tried to be, where others do that.
        var opening: (any Opening)?
        /// Where the peer is told of that was not known when the channel was made.
        var foundPeer: FoundPeer?
        /// The channel only makes the connection of another one: nobody else is told of it.
        var connectsForAnother = false
        var pendingError: SocketError?
        /// What the reactor met by itself, for who asks; reading tells it as the end.
        var socketError: SocketError?
        var localAddress: SocketAddress?
        /// Where descriptors go that the peer passes, if they are wanted.
        var passed: PassedDescriptors? { didSet { noteReading() } }
        /// How fast the channel may be, where that is limited.
        var rates: ChannelRates? { didSet { noteReading() } }
        /// Whether reading takes more than a recv(2).
        @exclusivity(unchecked) private(set) var readsApart = false
        /// The copy that reads this channel, and the one that writes to it.
        var copyOut: (any Pump)?
        var copyIn: (any Pump)?
        /// Tasks that wait, made when one first does.
        var waits: ChannelWaits?

        private func noteReading() { readsApart = passed != nil || rates != nil }
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

    /// Makes a blocking channel that stands alone: of an open socket, without a reactor.
    ///
    /// Handlers are never called on it, for there is no reactor to call them, and
    /// ``ChannelOptions/isBlocking`` is on whatever `options` say. It may be used on any one
    /// thread. Where nobody holds it any more it closes, as by ``close()``.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`.
    public convenience init(
        blocking socket: consuming Socket, options: ChannelOptions = .init()
    ) throws(SocketError) {
        let peer = (try? socket.peerAddress) ?? .unnamed  // A pair's end has no name to ask for.
        try socket.stopBlocking()
        self.init(alone: socket, peer, options)
    }

    init(alone socket: consuming Socket, _ peer: SocketAddress, _ options: ChannelOptions) {
        var options = options
        options.isBlocking = true
        self.socket = consume socket
        firstPeer = peer
        shared = SharedOptions(options)
        state = ChannelState(isConnecting: false)
        openedAt = csystem_monotonic_nanoseconds()
        lastReceived = openedAt
        lastSent = openedAt
        if self.shared.isRated { setRates() }
    }

    init(
        _ socket: consuming Socket, _ peer: SocketAddress, _ reactor: Reactor,
        _ shared: SharedOptions,
        isConnecting: Bool
    ) throws(SocketError) {
        let number = socket.number
        self.socket = consume socket
        firstPeer = peer
        home = Unmanaged.passUnretained(reactor)
        self.shared = shared
        state = ChannelState(isConnecting: isConnecting)
        if !isConnecting { flags.insert(.wasOpen) }
        openedAt = reactor.now
        lastReceived = openedAt
        lastSent = openedAt
        // The context is this object; the event ends in `release()`, or with the object.
        event = try Event(
            reactor.base, number, channelCallback, Unmanaged.passUnretained(self).toOpaque())
        reactor.admit(self)
        reactor.executor.countChannels(1)
        startDeadlines()
        if shared.isRated { setRates() }
    }

    /// A channel without a socket, which it is given when others have made the connection.
    init(connectingTo peer: SocketAddress, _ reactor: Reactor, _ shared: SharedOptions) {
        firstPeer = peer
        home = Unmanaged.passUnretained(reactor)
        self.shared = shared
        state = ChannelState(isConnecting: true)
        openedAt = reactor.now
        lastReceived = openedAt
        lastSent = openedAt
        if peer == .unnamed { parts.foundPeer = FoundPeer() }
        if shared.isRated { setRates() }
        reactor.admit(self)
        reactor.executor.countChannels(1)
    }

    /// One that stands alone closes as ``close()`` does; one on a reactor has ended before.
    deinit {
        if home == nil, state.phase == .open { close() }
    }

    /// The reactor that the channel is on.
    ///
    /// - Throws: ``SocketError`` with `.badDescriptor` after the reactor has ended, and on a
    ///   channel that stands alone.
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
        home = nil
        event = nil
        if shared.values.isBlocking, state.phase == .open {
            // What it holds back goes out, as at its own close.
            finishText()
            output?.release()
            waitBeforeClosing()
        }
        _ = state.cutOff(because: .drained)
        text = nil
        socket = nil
        output = nil
        input = InputQueue()
        owner?.channelWasLost(self)
        owner = nil
        dropHandlers()
        let (opening, foundPeer) = (rare?.opening, rare?.foundPeer)
        rare = nil
        // What is still said of a channel that has ended.
        if opening != nil || foundPeer != nil {
            parts.opening = opening
            parts.foundPeer = foundPeer
        }
        opening?.letGo()
    }

    /// The reactor's list has it no more: the reactor will not tell of its end.
    func leaveHome(_ reactor: Reactor) {
        home = nil
        formerHome = reactor.link
    }

    func dropHandlers() {
        // Held until both places are empty: a handler's end may end what it held, and that this
        // channel again.
        endCopies()
        wakeAll()
        let rates = keptRates()
        let dropped = (reader, rare)
        reader = .none
        rare = nil
        if let old = dropped.1,
            old.closed != nil || old.connected != nil || old.localAddress != nil
                || old.waits?.isEmpty == false || old.opening != nil || old.foundPeer != nil
        {
            parts.waits = old.waits
            parts.isDecided = old.isDecided
            parts.connectError = old.connectError
            parts.closed = old.closed
            parts.connected = old.connected
            parts.localAddress = old.localAddress
            parts.opening = old.opening
            parts.foundPeer = old.foundPeer
        }
        if rates != nil { parts.rates = rates }
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
    func channelClosed(_ channel: Channel)
    /// Told in place of ``channelClosed(_:)`` where the reactor has ended with the channel on it.
    func channelWasLost(_ channel: Channel)
}

extension ChannelOwner {
    func channelWasLost(_ channel: Channel) {}
}

/// Channels stay on their reactor's thread.
@available(*, unavailable)
extension Channel: Sendable {}

// Mirrors can't copy a socket, which has one owner.
extension Channel: CustomReflectable {
    /// Shows what the description says, and nothing of the inside.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension Channel: CustomStringConvertible {
    /// The peer's address and the state, such as `127.0.0.1:4711, open`.
    public var description: String { "\(peerAddress), \(status)" }
}
