// SPDX-License-Identifier: Apache-2.0
//
// A server: listeners at several addresses, and a channel for each client that is let in.
// It counts its connections, holds clients back at its limit, and ends in an orderly way.

internal import CSystemCalls

/// Accepts connections at one address or several and makes a channel of each.
///
/// The reactor keeps a listening server alive; ``close()`` lets it go.
public final class Server {
    private let link: ReactorLink
    var reactor: Reactor? { link.reactor }
    private let options: ServerOptions
    private let shared: SharedOptions
    private let handler: (Channel, SocketAddress) throws -> Void
    private(set) var listeners: [Listener] = []
    private var draining: Draining?
    private var counted = ServerCounters()
    private var isHeld = false
    /// Whether it lets in who waits, before it listens no more.
    private var isTakingWaiting = false
    /// Pending while clients wait as the rate is used up.
    private var pacing: Timer?
    /// Who may come in and how fast; a group has one for all of its servers.
    lazy var admission = AdmissionControl(options.admission)

    /// Called in place of ``admit(_:_:)``, by a group that may place a connection elsewhere.
    var place: ((consuming Socket, SocketAddress) throws -> Void)?
    /// Called when a channel has released its descriptor.
    var onRelease: () -> Void = {}
    /// Called when a drain has ended, before its completions.
    var onDrained: () -> Void = {}
    /// Whether there is room for one more, where a group counts for all of its servers.
    var hasRoom: () -> Bool = { true }

    /// How many of its channels are open.
    public private(set) var connectionCount = 0

    /// Where it listens, in the order of the addresses that were given; with real ports in place of
    /// 0.
    public var addresses: [SocketAddress] { listeners.map(\.address) }

    /// What it has done so far.
    public var counters: ServerCounters { counted }

    /// Listens at all of `addresses`, or at none; connections are accepted as soon as the reactor
    /// runs.
    ///
    /// `onAccept` gets each new channel and its peer's numeric address. It installs the channel's
    /// handlers, and may close the channel or the server. If it throws, the channel is closed and
    /// the error goes to ``Reactor/onError``.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.bind`, such as `.addressInUse`, or
    ///   `.listen`.
    public init(
        on reactor: Reactor, at addresses: [SocketAddress], options: ServerOptions = .init(),
        onAccept handler: @escaping (Channel, SocketAddress) throws -> Void
    ) throws(SocketError) {
        link = reactor.link
        self.options = options
        self.handler = handler
        shared = SharedOptions(options.channel)
        // Another port may be free for all of them, if the kernel chose the first.
        let isChosen = options.samePort && addresses.contains { $0.port == 0 }
        var attempts = isChosen && addresses.count > 1 ? 10 : 1
        while true {
            attempts -= 1
            do throws(SocketError) {
                try listen(at: addresses, reactor)
                return
            } catch {
                closeListeners()
                listeners.removeAll()
                if attempts == 0 || error.code != .addressInUse { throw error }
            }
        }
    }

    /// Serves the clients of sockets that somebody else has opened and bound, such as a service
    /// manager: of all that are left in `sockets`; where there are none, nobody.
    ///
    /// Else as ``init(on:at:options:onAccept:)`` and
    /// ``Listener/init(on:adopting:options:onAccept:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt`, `.setOption`, `.listen` or `.name`; the
    ///   sockets are closed then.
    public init(
        on reactor: Reactor, adopting sockets: consuming InheritedSockets,
        options: ServerOptions = .init(),
        onAccept handler: @escaping (Channel, SocketAddress) throws -> Void
    ) throws(SocketError) {
        link = reactor.link
        self.options = options
        self.handler = handler
        shared = SharedOptions(options.channel)
        do throws(SocketError) {
            while let named = try sockets.next() { try listen(with: named.intoSocket(), reactor) }
        } catch {
            closeListeners()
            throw error
        }
    }

    /// Serves the clients of a socket that somebody else has opened and bound.
    ///
    /// Else as ``init(on:at:options:onAccept:)`` and
    /// ``Listener/init(on:adopting:options:onAccept:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt`, `.setOption`, `.listen` or `.name`; the
    ///   socket is closed then.
    public init(
        on reactor: Reactor, adopting socket: consuming Socket, options: ServerOptions = .init(),
        onAccept handler: @escaping (Channel, SocketAddress) throws -> Void
    ) throws(SocketError) {
        link = reactor.link
        self.options = options
        self.handler = handler
        shared = SharedOptions(options.channel)
        try listen(with: socket, reactor)
    }

    private func listen(with socket: consuming Socket, _ reactor: Reactor) throws(SocketError) {
        add(
            try Listener(on: reactor, adopting: socket, options: options.listener) { socket, peer in
                // Holds the server for as long as it listens; closing the listener lets go.
                try self.accept(socket, peer)
            })
    }

    private func add(_ listener: Listener) {
        listener.onShortage = { socket, peer in self.refuse(socket, peer, .descriptors) }
        listeners.append(listener)
    }

    private func listen(at addresses: [SocketAddress], _ reactor: Reactor) throws(SocketError) {
        for address in addresses {
            var address = address
            if options.samePort, address.port == 0,
                let port = listeners.lazy.compactMap(\.address.port).first
            {
                address = address.with(port: port)
            }
            add(
                try Listener(on: reactor, at: address, options: options.listener) {
                    socket, peer in
                    // Holds the server for as long as it listens; closing the listener lets go.
                    try self.accept(socket, peer)
                })
        }
    }

    /// Whether it still listens.
    public var isListening: Bool { listeners.contains(where: \.isOpen) }

    /// Stops listening; the channels that it made live on.
    ///
    /// Closing again does nothing.
    public func close() {
        closeListeners()
    }

    /// Leaves clients in the backlog, until ``letGo()``.
    func hold() {
        isHeld = true
        arrange()
    }

    /// Accepts, after ``hold()``.
    func letGo() {
        isHeld = false
        arrange()
    }

    private var isFull: Bool { connectionCount >= max(1, options.maximumConnections) }

    private func arrange() {
        let waitsForRoom = isFull && options.admission.whenFull == .wait
        let isClosed = isHeld || waitsForRoom || pacing?.isPending == true
        for listener in listeners {
            if isClosed { listener.hold() } else { listener.letGo() }
        }
    }

    /// Leaves clients in the backlog for as long as the rate is used up.
    private func pace() {
        guard let admission, admission.clientsWait, let reactor, isListening,
            pacing?.isPending != true
        else { return }
        let pause = admission.pause(at: reactor.now)
        if pause == 0 { return }
        pacing = reactor.after(Duration(nanoseconds: pause)) { [self] in
            // Another server of the group may have been faster.
            pace()
            arrange()
        }
        arrange()
    }

    private func closeListeners() {
        pacing?.cancel()
        for listener in listeners { listener.close() }
    }
}

/// Servers stay on their reactor's thread.
@available(*, unavailable)
extension Server: Sendable {}

// MARK: - Connections

extension Server: ChannelOwner {
    private func accept(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        guard let reactor else { return }
        if let reason = reasonToRefuse(peer, reactor) { return refuse(socket, peer, reason) }
        pace()
        if let place { return try place(socket, peer) }
        try admit(socket, peer)
    }

    private func reasonToRefuse(_ peer: SocketAddress, _ reactor: Reactor) -> RefusalReason? {
        if !options.letsIn(peer) { return .denied }
        if options.admission.whenFull == .refuse, isFull || !hasRoom() { return .connections }
        return admission?.admit(peer, at: reactor.now)
    }

    private func refuse(
        _ socket: consuming Socket, _ peer: SocketAddress, _ reason: RefusalReason
    ) {
        counted.refusals.count(reason)
        guard let reactor else { return }
        options.admission.refusal.turnAway(socket, on: reactor)
        reactor.tell(.refused(peer, reason))
    }

    /// Makes a channel of a connection, as if it had been accepted here.
    ///
    /// - Throws: ``SocketError`` where it did not become a channel; it counts for its source no
    ///   more.
    func admit(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        let (channel, reactor) = try makeChannel(socket, peer)
        channel.owner = self
        connectionCount += 1
        counted.accepted += 1
        reactor.tell(.accepted(channel))
        if isFull { arrange() }
        if reactor.attempt(for: channel, { try handler(channel, peer) }) { channel.close() }
        channel.arrange()
        reactor.endTurn()
    }

    private func makeChannel(
        _ socket: consuming Socket, _ peer: SocketAddress
    ) throws(SocketError) -> (Channel, Reactor) {
        do throws(SocketError) {
            guard let reactor else { throw SocketError(.accept, .cancelled, at: peer) }
            return (try Channel(socket, peer, reactor, shared, isConnecting: false), reactor)
        } catch {
            admission?.leave(peer)
            throw error
        }
    }

    /// The reactor has ended; in a group others go on, and count what comes from the same source.
    func channelWasLost(_ channel: Channel) { admission?.leave(channel.firstPeer) }

    /// One of its channels has released its descriptor.
    func channelClosed(_ channel: Channel) {
        admission?.leave(channel.firstPeer)
        connectionCount -= 1
        arrange()
        for listener in listeners { listener.descriptorCameFree() }
        onRelease()
        if connectionCount == 0 { draining?.finishLater(0) }
    }
}

// MARK: - Ending

extension Server {
    /// Stops listening and waits for the channels to end; those that are left at the limit are
    /// closed.
    ///
    /// `completion` is called once, in a later turn of the reactor when the last channel is gone,
    /// with the number of channels that had to be closed. They end with ``EndReason/drained``, and
    /// what they had to send still goes out within ``ChannelOptions/lingerLimit``. Draining again
    /// keeps the first limit and calls both completions at the end.
    ///
    /// Clients who wait to be accepted, as the kernel has made their connections, are let in first,
    /// as far as the limits allow, and at most 1,024 at each address: else they would be reset. Not
    /// so at sockets that somebody else has as well, who accepts them: those of the initializers
    /// that adopt, and those of ``passableSockets()``.
    ///
    /// The channels are told: see ``Channel/onDraining(_:)``.
    public func drain(within limit: Duration, _ completion: @escaping (Int) -> Void) {
        takeWaiting()
        close()
        guard let reactor else { return }
        if draining == nil { tellDraining(on: reactor) }
        let draining = draining ?? Draining(of: self, reactor.link)
        draining.completions.append(completion)
        self.draining = draining
        if connectionCount == 0 {
            draining.finishLater(0)
        } else if draining.limit == nil {
            draining.limit = reactor.after(limit) { [self] in
                closeChannels()
                if connectionCount == 0 { draining.finishLater(0) }
            }
        }
    }

    private func takeWaiting() {
        // A handler that is called meanwhile may drain as well.
        if isTakingWaiting || draining != nil { return }
        isTakingWaiting = true
        for listener in listeners { listener.takeWaiting() }
        isTakingWaiting = false
    }

    /// Closes every channel that it made; what they had to send still goes out.
    ///
    /// Many are closed in several turns, so that others have theirs between.
    ///
    /// - Returns: how many there were, without those that were closing already.
    @discardableResult
    public func closeChannels() -> Int {
        guard let reactor else { return 0 }
        let mine = reactor.channels.filter { $0.owner === self && $0.state.phase == .open }
        draining?.willClose(mine.count)
        closeSome(of: mine[...])
        return mine.count
    }

    /// Cuts every channel off that it made, also those that are closing: what they had to send is
    /// lost; many in several turns.
    func cutOffChannels() {
        guard let reactor else { return }
        let mine = reactor.channels.filter { $0.owner === self }
        draining?.willClose(mine.count)
        cutOffSome(of: mine[...])
    }

    private func cutOffSome(of channels: ArraySlice<Channel>) {
        // One may have moved meanwhile.
        for channel in channels.prefix(Self.closesPerTurn) where channel.owner === self {
            channel.perform(channel.state.cutOff(because: .drained))
        }
        let rest = channels.dropFirst(Self.closesPerTurn)
        if !rest.isEmpty { reactor?.after(.zero) { [self] in cutOffSome(of: rest) } }
    }

    private func closeSome(of channels: ArraySlice<Channel>) {
        for channel in channels.prefix(Self.closesPerTurn) { channel.close(because: .drained) }
        let rest = channels.dropFirst(Self.closesPerTurn)
        if !rest.isEmpty { reactor?.after(.zero) { [self] in closeSome(of: rest) } }
    }

    private static let closesPerTurn = 256

    /// The end of a server that is under way.
    fileprivate final class Draining {
        var residentIndex = -1
        let link: ReactorLink
        var completions: [(Int) -> Void] = []
        var limit: Timer?
        fileprivate var left: Int?
        fileprivate weak var server: Server?

        init(of server: Server, _ link: ReactorLink) {
            self.server = server
            self.link = link
        }

        /// Channels are about to be closed: that many had to be.
        func willClose(_ count: Int) { left = max(left ?? 0, count) }

        /// Calls the completions in a turn of their own, behind those in which the channels tell
        /// of their end.
        func finishLater(_ count: Int) {
            limit?.cancel()
            left = max(left ?? 0, count)
            link.reactor?.enqueue(self)
        }
    }
}

extension Server.Draining: Resident {
    func takeTurn(on reactor: Reactor) {
        let waiting = completions
        completions = []
        if !waiting.isEmpty { server?.onDrained() }
        for completion in waiting { completion(left ?? 0) }
    }

    /// It is on no list: there is nothing of its own to end.
    func reactorEnded() {}
}
