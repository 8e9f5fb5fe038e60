// SPDX-License-Identifier: Apache-2.0
//
// One of two partners that want one connection: it goes to the other, or waits for it.
// The way to the open channel is the same in both modes from then on.

/// Makes one channel to a partner, actively or passively, and calls back with it.
///
/// A run begins with ``connect(_:)`` and ends right before its completion is called, or with
/// ``cancel()``; then the connector may connect again. The reactor keeps a connector alive while a
/// run is under way, so nobody else need hold it; ``ConnectorOptions/timeLimit`` ends the run of
/// one that everybody has forgotten. The end of the reactor ends a run without a call. However a
/// run ends, no socket is left open but that of a channel that the completion was given.
///
/// Source: tcllib's transfer::connect(n).
public final class Connector {
    /// How it gets its channel.
    public let options: ConnectorOptions
    /// Passive: the port that it waits at; `nil` while it does not wait.
    public private(set) var port: UInt16?

    var residentIndex = -1
    private let link: ReactorLink
    private let opening: any ConnectorOpening
    private var stage = Stage.idle
    private var completion: ((Result<Channel, ConnectorError>) -> Void)?
    private var timer: Timer?
    /// Which run it is: an answer to an earlier one comes too late.
    private var run: UInt64 = 0

    /// How far a run has come, with what is to be ended if it ends there.
    private enum Stage {
        case idle
        case listening(Server)
        /// Without a cancellation as long as the call that gives it has not returned.
        case opening(ConnectorOpening.Cancellation?)
        /// The completion is called in the connector's next turn.
        case decided(Result<Channel, ConnectorError>)
    }

    /// A connector over plain sockets, whose channels are on `reactor`.
    public convenience init(on reactor: Reactor, options: ConnectorOptions = .init()) {
        self.init(on: reactor, options: options, opening: PlainOpening())
    }

    /// A connector that opens its channels in another way.
    public init(
        on reactor: Reactor, options: ConnectorOptions = .init(), opening: any ConnectorOpening
    ) {
        link = reactor.link
        self.options = options
        self.opening = opening
    }

    /// What it is called, from its options.
    public var name: String? { options.name }

    /// Whether a run is under way: it was begun, and its completion is still to be called.
    public var isConnecting: Bool {
        if case .idle = stage { false } else { true }
    }

    /// Begins to connect, or to wait for the partner.
    ///
    /// `completion` is called exactly once, in a later turn of the reactor, with an open channel
    /// for which ``ConnectorOptions/text`` holds already, or with why there is none; after
    /// ``cancel()`` and after the reactor's end it is not called. The channel is the completion's
    /// to close.
    ///
    /// A passive connector takes one connection. It stops listening at once then: of the clients
    /// that wait behind, each meets the end of its input or a reset.
    ///
    /// - Returns: of a passive connector the port that it waits at, for the partner to be told; of
    ///   an active one `nil`.
    /// - Throws: ``ConnectorError``: `.alreadyConnecting` while a run is under way, which goes on;
    ///   `.socket` when this side can't even begin, such as with a port that is in use; `.opening`
    ///   likewise, from an opening of the program's; `.cancelled` after the reactor has ended.
    @discardableResult
    public func connect(
        _ completion: @escaping (Result<Channel, ConnectorError>) -> Void
    ) throws(ConnectorError) -> UInt16? {
        guard case .idle = stage else { throw .alreadyConnecting }
        guard let reactor = link.reactor else { throw .cancelled }
        self.completion = completion
        reactor.admit(self)
        let mine = run
        do throws(ConnectorError) {
            switch options.mode {
            case .active: try open(on: reactor)
            case .passive: try listen(on: reactor)
            }
        } catch {
            if isCurrent(mine) { cancel() }
            throw error
        }
        startTimer(mine, reactor)
        return port
    }

    /// Ends the run, wherever it is: what was opened is closed, and the completion is not called
    /// any more.
    ///
    /// Without a run it does nothing.
    public func cancel() {
        let ended = stage
        finish()
        close(ended)
    }

    private func isCurrent(_ number: UInt64) -> Bool { number == run }

    /// The run is over; whoever is called from now on may begin the next one.
    private func finish() {
        run &+= 1
        stage = .idle
        port = nil
        timer?.cancel()
        timer = nil
        link.reactor?.dismiss(self)
        // Last, as its end may end what it held, and that use this connector again.
        _ = completion.take()
    }

    private func close(_ stage: Stage) {
        switch stage {
        case .listening(let server): server.close()
        case .opening(let cancellation): cancellation?()
        case .decided(.success(let channel)): channel.abort()
        case .decided(.failure), .idle: break
        }
    }
}

/// Connectors stay on their reactor's thread.
@available(*, unavailable)
extension Connector: Sendable {}

extension Connector: CustomStringConvertible {
    /// Its name, where it goes or waits, and how far it is: `backup: active, db:80, opening`.
    public var description: String {
        let place = options.mode == .active ? "\(options.endpoint)" : "port \(port ?? options.port)"
        let progress =
            switch stage {
            case .idle: "idle"
            case .listening: "listening"
            case .opening: "opening"
            case .decided: "decided"
            }
        return "\(name ?? "connector"): \(options.mode), \(place), \(progress)"
    }
}

// MARK: - The way to a channel

extension Connector {
    private func open(on reactor: Reactor) throws(ConnectorError) {
        stage = .opening(nil)
        let mine = run
        do {
            let cancellation = try opening.connect(
                to: options.endpoint, on: reactor, options: options.clientOptions
            ) { self.opened($0, mine) }
            keep(cancellation, mine)
        } catch {
            throw ConnectorError(error)
        }
    }

    private func listen(on reactor: Reactor) throws(ConnectorError) {
        let server = try makeServer(on: reactor)
        let mine = run
        server.place = { socket, peer in self.accept(socket, peer, mine) }
        stage = .listening(server)
        port = server.addresses.first?.port
    }

    private func makeServer(on reactor: Reactor) throws(ConnectorError) -> Server {
        var lacking = SocketError(.create, .addressFamilyNotSupported)
        for places in options.places {
            do throws(SocketError) {
                return try Server(on: reactor, at: places, options: options.serverOptions) {
                    // Each connection goes to `place`, and none becomes a channel of the server's.
                    _, _ in
                }
            } catch {
                // One family may be all that the machine has.
                guard error.code == .addressFamilyNotSupported else { throw .socket(error) }
                lacking = error
            }
        }
        throw .socket(lacking)
    }

    /// The partner has come.
    private func accept(_ socket: consuming Socket, _ peer: SocketAddress, _ mine: UInt64) {
        guard isCurrent(mine), case .listening(let server) = stage, let reactor = link.reactor
        else { return }
        stage = .opening(nil)
        port = nil
        // At once: no stranger is to come in behind the partner.
        server.close()
        do {
            let cancellation = try opening.accept(
                socket, from: peer, on: reactor, options: options.channel
            ) { self.opened($0, mine) }
            keep(cancellation, mine)
        } catch {
            opened(.failure(error), mine)
        }
    }

    private func keep(_ cancellation: @escaping ConnectorOpening.Cancellation, _ mine: UInt64) {
        // The opening may have ended the run that it was asked for.
        guard isCurrent(mine) else { return cancellation() }
        if case .opening = stage { stage = .opening(cancellation) }
    }

    private func opened(_ result: Result<Channel, any Error>, _ mine: UInt64) {
        guard isCurrent(mine), case .opening = stage else {
            // Nobody waits for it any more.
            if case .success(let channel) = result { channel.abort() }
            return
        }
        if case .success(let channel) = result { channel.apply(options.text) }
        decide(result.mapError { ConnectorError($0) })
    }

    private func startTimer(_ mine: UInt64, _ reactor: Reactor) {
        // Behind the client's own timer for the same time: its error says more.
        guard isCurrent(mine), let limit = options.timeLimit else { return }
        if case .decided = stage { return }
        timer = reactor.after(limit) { self.timeRanOut() }
    }

    private func timeRanOut() {
        let ended = stage
        decide(.failure(.timedOut))
        close(ended)
    }

    private func decide(_ result: Result<Channel, ConnectorError>) {
        timer?.cancel()
        timer = nil
        port = nil
        stage = .decided(result)
        link.reactor?.enqueue(self)
    }
}

// MARK: - What the reactor tells

extension Connector: Resident {
    /// Tells what came of the run.
    func takeTurn(on reactor: Reactor) {
        guard case .decided(let result) = stage, let completion else { return }
        finish()
        completion(Self.stillOpen(result))
    }

    /// A channel may have ended since it was opened, such as where the kernel watches no more.
    private static func stillOpen(
        _ result: Result<Channel, ConnectorError>
    ) -> Result<Channel, ConnectorError> {
        guard case .success(let channel) = result, channel.status == .closed else { return result }
        if case .failed(let error) = channel.endReason { return .failure(.socket(error)) }
        let error = SocketError(.connect, .connectionAborted, at: channel.peerAddress)
        return .failure(.socket(error))
    }

    /// What is open ends with the reactor by itself; only what holds on to it is let go of here.
    func reactorEnded() {
        let dropped = (stage, completion)
        run &+= 1
        stage = .idle
        port = nil
        timer = nil
        completion = nil
        withExtendedLifetime(dropped) {}
    }
}
