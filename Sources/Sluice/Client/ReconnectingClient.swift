// SPDX-License-Identifier: Apache-2.0
//
// Keeps one connection to a place: connects, waits and connects again, until it is stopped or has
// reached a limit. What it decides is decided in `Reconnection`; here it is done and told.

/// Keeps one connection to an endpoint, and makes another when it ends.
///
/// Between ``start()`` and the last state, ``ReconnectingState/stopped(_:)``, the reactor keeps it
/// alive, and there is never more than one connection, or one attempt, at a time: a new one begins
/// when the descriptor of the old one is closed. A channel that was detached is not the client's
/// any more, and counts as ended. The end of the reactor ends the client without a call.
///
/// Handlers are called in turns of the reactor's own, never inside a call of the program's, and
/// each may call everything here. They stay until they are replaced, so one that uses the client
/// holds it weakly.
public final class ReconnectingClient {
    /// Where a client is; its connection is a channel.
    public typealias State = ReconnectingState<Channel>

    /// Where it connects to.
    public let endpoint: Endpoint
    /// How it connects again.
    public let options: ReconnectingOptions
    /// Where it is now; a handler may still have to be told.
    public private(set) var state = State.stopped(.notStarted)

    let link: ReactorLink
    private(set) var reconnection: Reconnection
    /// The connection, until its descriptor is closed.
    private(set) var channel: Channel?
    /// Whether messages may go to the channel: they wait for ``onConnected(_:)``.
    private(set) var isOpened = false
    /// Whether ``onConnected(_:)`` is being called for the channel.
    private(set) var isOpening = false
    /// Messages that the channel was given.
    var handover = Handover()
    /// Messages that wait for a connection.
    var kept: [[UInt8]] = []
    var keptByteCount = 0
    /// Looks after the messages, while there are any.
    var tending: Timer?

    // Its timer or its channel keeps an attempt alive, and it keeps this object alive: were it held
    // here, a reactor that ends would leave a circle.
    private weak var attempt: ConnectAttempt?
    private var waiting: Timer?
    /// How long there may still be no connection.
    private(set) var limit: Timer?
    private var telling: Timer?
    private var untold: [News] = []
    private var stateHandler: ((State) -> Void)?
    private var connectedHandler: ((Channel) throws -> Void)?
    private var unsentHandler: (([UnsentMessage]) -> Void)?

    /// What is still to be told.
    private enum News {
        case state(State)
        case opened(Channel)
        case unsent([UnsentMessage])

        /// Whether it is told even after the program has asked for the end.
        var outlivesStop: Bool {
            switch self {
            case .unsent: true
            // An end that was not told gives way to the one that comes.
            case .state, .opened: false
            }
        }
    }

    /// A client whose connections are on `reactor`; it does nothing before ``start()``.
    public convenience init(
        on reactor: Reactor, to endpoint: Endpoint, options: ReconnectingOptions = .init()
    ) {
        self.init(on: reactor, to: endpoint, options, drawing: SystemRandomNumberGenerator())
    }

    init(
        on reactor: Reactor, to endpoint: Endpoint, _ options: ReconnectingOptions,
        drawing generator: any RandomNumberGenerator
    ) {
        link = reactor.link
        self.endpoint = endpoint
        var options = options
        options.client.channel.isBlocking = false
        self.options = options
        reconnection = Reconnection(options, drawing: generator)
    }

    // MARK: Handlers

    /// Calls `handler` with each state, once and in order.
    public func onState(_ handler: ((State) -> Void)?) { stateHandler = handler }

    /// Calls `handler` with each new connection, right after its state was told, to install the
    /// channel's handlers and write what opens a conversation.
    ///
    /// Not for a channel that was closed meanwhile. Messages that were kept go behind what is
    /// written here. Where the peer closes and nobody reads the channel, it is closed: while it is
    /// an end of a copy, soon after that. A handler that replaces ``Channel/onPeerClosed(_:)``, or
    /// reads without ``Channel/onBytes(_:)``, closes the channel itself when it has met the end. If
    /// `handler` throws, the channel is closed and the error goes to ``Reactor/onError``.
    public func onConnected(_ handler: ((Channel) throws -> Void)?) { connectedHandler = handler }

    /// Calls `handler` with messages that were taken from the program and are not sent: once for
    /// each, when it is known, and before the state that follows is told.
    ///
    /// Those of a channel that was detached go with it.
    public func onUnsent(_ handler: (([UnsentMessage]) -> Void)?) { unsentHandler = handler }

    // MARK: What the program asks

    /// Begins with the first attempt at once.
    ///
    /// Does nothing where it was started and not stopped since. While the connection of before ``stop()`` still
    /// sends its last bytes, the attempt begins when that is closed.
    public func start() { act(on: reconnection.start()) }

    /// Ends the wait that is under way: the next attempt begins at once.
    ///
    /// Does nothing in other states, and changes no delay that follows.
    public func reconnectNow() { act(on: reconnection.waitIsOver()) }

    /// Ends it: an attempt is given up; a connection is closed, and what was written still goes
    /// out, within ``ChannelOptions/lingerLimit``.
    ///
    /// When that is over two handlers are called yet, and no other: ``onUnsent(_:)`` if there is
    /// anything to hand back, and at last ``onState(_:)`` with ``ReconnectingState/stopped(_:)``.
    /// States that were not told yet are not told. Stopping again does nothing.
    public func stop() {
        let steps = reconnection.stop()
        if !steps.isEmpty { untold.removeAll { !$0.outlivesStop } }
        act(on: steps)
    }

    /// Ends it as ``stop()``, and cuts the connection: what was not sent is handed back, and the
    /// peer sees a reset.
    public func abort() {
        stop()
        channel?.abort()
    }
}

// MARK: - What is done

extension ReconnectingClient: ChannelOwner {
    /// Does what was decided in a call of the program's, and tells it later.
    private func act(on steps: [Reconnection.Step]) {
        perform(steps)
        tellLater()
    }

    private func perform(_ steps: [Reconnection.Step]) {
        for step in steps {
            switch step {
            case .connect(let attempt): connect(attempt)
            case .limit(let time):
                limit = timer(time) { $0.perform($0.reconnection.timeIsUp()) }
            case .wait(let delay, let loss):
                change(to: .waiting(delay, after: loss))
                waiting = timer(delay) { $0.perform($0.reconnection.waitIsOver()) }
            case .close: channel?.close()
            case .stop(let reason): finish(reason)
            }
        }
    }

    /// Has a turn of the reactor's do something and tell what came of it.
    private func timer(
        _ delay: Duration, _ body: @escaping (ReconnectingClient) -> Void
    ) -> Timer? {
        link.reactor?.after(delay) {
            body(self)
            self.tell()
        }
    }

    private func connect(_ number: Int) {
        guard let reactor = link.reactor else { return }
        waiting?.cancel()
        change(to: .connecting(attempt: number))
        let client = Client(on: reactor, options: options.client)
        do throws(SocketError) {
            attempt = try client.connect(to: endpoint) { verdict in
                switch verdict {
                case .success(let channel): self.connected(channel)
                case .failure(let error): self.perform(self.reconnection.attemptFailed(error))
                }
                self.tell()
            }
        } catch {
            // Such as no descriptor left, or a local address that has gone: both may come back.
            let error = ConnectError(endpoint: endpoint, cause: .refused(error), attempts: [error])
            perform(reconnection.attemptFailed(error))
        }
    }

    private func connected(_ channel: Channel) {
        guard let now = link.reactor?.now, reconnection.attemptSucceeded(at: now) else {
            return channel.abort()
        }
        limit?.cancel()
        self.channel = channel
        channel.owner = self
        channel.onPeerClosed { self.closeUnread($0) }
        change(to: .connected(channel))
        untold.append(.opened(channel))
    }

    /// The peer has closed: where nobody would ever meet the end, the channel is closed.
    private func closeUnread(_ channel: Channel) {
        guard isCurrent(channel), !channel.handled.contains(.readable) else { return }
        guard channel.isCopySource || channel.isCopySink else {
            return channel.close(because: .finished)
        }
        // The peer's end is told once, and the end of a copy not at all.
        link.reactor?.after(.milliseconds(50)) { self.closeUnread(channel) }
    }

    /// The channel has released its descriptor, perhaps in a call of the program's.
    func channelClosed(_: Channel) {
        guard let ended = channel, let reactor = link.reactor else { return }
        channel = nil
        isOpened = false
        isOpening = false
        let reason = ended.endReason ?? .local
        settle(after: ended.counters.bytesSent, reason)
        act(on: reconnection.connectionEnded(reason, at: reactor.now))
    }

    private func finish(_ reason: ReconnectingStop) {
        waiting?.cancel()
        limit?.cancel()
        tending?.cancel()
        attempt?.cancel()
        handBack(takeKept().map { UnsentMessage($0, handedOver: 0) })
        change(to: .stopped(reason))
    }
}

// MARK: - What is told

extension ReconnectingClient {
    private func change(to new: State) {
        state = new
        untold.append(.state(new))
    }

    /// Hands messages back, in one call with those that were not told yet.
    func handBack(_ messages: [UnsentMessage]) {
        if messages.isEmpty { return }
        if case .unsent(let others)? = untold.last {
            untold.removeLast()
            untold.append(.unsent(others + messages))
        } else {
            untold.append(.unsent(messages))
        }
        tellLater()
    }

    /// Tells in a turn of the reactor's own what a call of the program's has changed.
    private func tellLater() {
        if untold.isEmpty || telling?.isPending == true { return }
        telling = timer(.zero) { _ in }
    }

    private func tell() {
        // A handler may run the reactor, and what comes then is told there.
        while !untold.isEmpty {
            switch untold.removeFirst() {
            case .state(let state): stateHandler?(state)
            case .opened(let channel): opened(channel)
            case .unsent(let messages): unsentHandler?(messages)
            }
        }
    }

    private func opened(_ channel: Channel) {
        guard isCurrent(channel), let reactor = link.reactor else { return }
        isOpening = true
        if let handler = connectedHandler,
            reactor.attempt(for: channel, { try handler(channel) })
        {
            channel.close()
        }
        isOpening = false
        guard isCurrent(channel) else { return }
        isOpened = true
        sendKept()
    }

    /// Whether it is the connection, and the program has not closed it.
    private func isCurrent(_ channel: Channel) -> Bool {
        self.channel === channel && channel.state.phase == .open
    }
}

/// Clients stay on their reactor's thread.
@available(*, unavailable)
extension ReconnectingClient: Sendable {}
