// SPDX-License-Identifier: Apache-2.0
//
// A server: listeners at several addresses, and a channel for each client that is let in.
// It counts its connections, holds clients back at its limit, and ends in an orderly way.

internal import CSystemCalls

/// How a server is opened, whom it lets in, and what its channels are like.
public struct ServerOptions: Hashable, Sendable {
    /// How its listeners are opened.
    public var listener = ListenerOptions()
    /// The limits and times of its channels.
    public var channel = ChannelOptions()
    /// How many connections it holds at most; further clients wait in the backlog.
    ///
    /// 1 or more. Initially no limit.
    public var maximumConnections = Int.max
    /// Lets only these in; empty lets all in.
    ///
    /// Unix clients are always let in. Initially empty.
    public var allowed: [AddressRange] = []
    /// Turns these away, also where they are allowed.
    ///
    /// Initially empty.
    public var denied: [AddressRange] = []
    /// Gives all addresses with port 0 the port of the first, retrying up to 10 times.
    ///
    /// Initially off.
    public var samePort = false

    /// The initial values.
    public init() {}

    /// Whether a client may come in.
    func letsIn(_ peer: SocketAddress) -> Bool {
        guard let address = peer.ipAddress else { return true }
        if denied.contains(where: { $0.contains(address) }) { return false }
        return allowed.isEmpty || allowed.contains { $0.contains(address) }
    }
}

/// What a server has done so far.
public struct ServerCounters: Hashable, Sendable {
    /// Connections that became channels.
    public var accepted: UInt64 = 0
    /// Clients that were turned away by address.
    public var refused: UInt64 = 0
}

/// Accepts connections at one address or several and makes a channel of each.
///
/// The reactor keeps a listening server alive; ``close()`` lets it go.
public final class Server {
    private let link: ReactorLink
    private var reactor: Reactor? { link.reactor }
    private let options: ServerOptions
    private let shared: SharedOptions
    private let handler: (Channel, SocketAddress) throws -> Void
    private var listeners: [Listener] = []
    private var draining: Draining?
    private var counted = ServerCounters()
    private var isHeld = false

    /// Called in place of ``admit(_:_:)``, by a group that may place a connection elsewhere.
    var place: ((consuming Socket, SocketAddress) throws -> Void)?
    /// Called when a channel has released its descriptor.
    var onRelease: () -> Void = {}

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
        listeners.append(
            try Listener(on: reactor, adopting: socket, options: options.listener) { socket, peer in
                // Holds the server for as long as it listens; closing the listener lets go.
                try self.accept(socket, peer)
            })
    }

    private func listen(at addresses: [SocketAddress], _ reactor: Reactor) throws(SocketError) {
        for address in addresses {
            var address = address
            if options.samePort, address.port == 0,
                let port = listeners.lazy.compactMap(\.address.port).first
            {
                address = address.with(port: port)
            }
            listeners.append(
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

    private func arrange() {
        let isFull = connectionCount >= max(1, options.maximumConnections)
        for listener in listeners {
            if isHeld || isFull { listener.hold() } else { listener.letGo() }
        }
    }

    private func closeListeners() {
        for listener in listeners { listener.close() }
    }
}

/// Servers stay on their reactor's thread.
@available(*, unavailable)
extension Server: Sendable {}

// MARK: - Connections

extension Server: ChannelOwner {
    private func accept(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        guard options.letsIn(peer) else {
            counted.refused += 1
            reactor?.tell(.refused(peer))
            return
        }
        if let place { return try place(socket, peer) }
        try admit(socket, peer)
    }

    /// Makes a channel of a connection, as if it had been accepted here.
    ///
    /// - Throws: ``SocketError`` where it did not become a channel.
    func admit(_ socket: consuming Socket, _ peer: SocketAddress) throws {
        guard let reactor else { throw SocketError(.accept, .cancelled, at: peer) }
        let channel = try Channel(socket, peer, reactor, shared, isConnecting: false)
        channel.owner = self
        connectionCount += 1
        counted.accepted += 1
        reactor.tell(.accepted(channel))
        if connectionCount >= max(1, options.maximumConnections) { arrange() }
        if reactor.attempt(for: channel, { try handler(channel, peer) }) { channel.close() }
        channel.arrange()
        reactor.endTurn()
    }

    /// One of its channels has released its descriptor.
    func channelClosed() {
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
    public func drain(within limit: Duration, _ completion: @escaping (Int) -> Void) {
        close()
        guard let reactor else { return }
        let draining = draining ?? Draining(reactor.link)
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

    private func closeSome(of channels: ArraySlice<Channel>) {
        for channel in channels.prefix(Self.closesPerTurn) { channel.close(because: .drained) }
        let rest = channels.dropFirst(Self.closesPerTurn)
        if !rest.isEmpty { reactor?.after(.zero) { [self] in closeSome(of: rest) } }
    }

    private static let closesPerTurn = 256

    /// The end of a server that is under way.
    private final class Draining {
        let link: ReactorLink
        var completions: [(Int) -> Void] = []
        var limit: Timer?
        private var left: Int?

        init(_ link: ReactorLink) { self.link = link }

        /// Channels are about to be closed: that many had to be.
        func willClose(_ count: Int) { left = max(left ?? 0, count) }

        /// Calls the completions in a turn of their own.
        func finishLater(_ count: Int) {
            limit?.cancel()
            left = max(left ?? 0, count)
            link.reactor?.after(.zero) { [self] in
                let waiting = completions
                completions = []
                for completion in waiting { completion(left ?? 0) }
            }
        }
    }
}
