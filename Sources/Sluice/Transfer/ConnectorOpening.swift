// SPDX-License-Identifier: Apache-2.0
//
// How a connector's connections become open channels: by plain sockets, or by whatever a program
// puts in their place, such as TLS with a handshake of its own.

/// Turns a place to go to, or a connection that came, into an open channel.
///
/// A connector asks one of the two for each run, on its reactor's thread, and calls no other method
/// of it at that time. One value may serve any number of connectors at once: what is alike for all
/// of them, such as keys, is set up once.
public protocol ConnectorOpening {
    /// Gives an opening up.
    ///
    /// What was opened is closed, and the completion is not called any more. Called once at most,
    /// by a connector that was cancelled or ran out of time; after the completion it does nothing.
    typealias Cancellation = () -> Void
    /// What came of an opening: an open channel on the connector's reactor, or why there is none.
    ///
    /// To be called once, at any time, on the reactor's thread; a connector closes the channel of a
    /// call that comes too late. A ``ConnectorError``, ``ConnectError`` or ``SocketError`` is told
    /// as it is, any other in ``ConnectorError/opening(_:)``.
    typealias Completion = (Result<Channel, any Error>) -> Void

    /// Connects to an endpoint, for an active connector.
    ///
    /// The connector keeps the time: it gives the opening up when its limit has passed. Where the
    /// reactor ends nothing is called; all that is on it ends with it.
    ///
    /// - Throws: what keeps this side from even beginning; ``Connector/connect(_:)`` throws it.
    func connect(
        to endpoint: Endpoint, on reactor: Reactor, options: ClientOptions,
        _ completion: @escaping Completion
    ) throws -> Cancellation

    /// Takes a connection over that a passive connector has accepted.
    ///
    /// The time is kept as with ``connect(to:on:options:_:)``.
    ///
    /// - Throws: as the completion, what went wrong.
    func accept(
        _ socket: consuming Socket, from peer: SocketAddress, on reactor: Reactor,
        options: ChannelOptions, _ completion: @escaping Completion
    ) throws -> Cancellation
}

/// Opens channels over plain sockets: a ``Client``'s, and those that a listener accepts.
///
/// An opening that has more to do, such as a handshake, may begin with this one.
public struct PlainOpening: ConnectorOpening, Hashable, Sendable {
    /// There is nothing to choose.
    public init() {}

    /// Connects as ``Client/connect(to:_:)-(Endpoint,_)``.
    ///
    /// - Throws: ``SocketError``.
    public func connect(
        to endpoint: Endpoint, on reactor: Reactor, options: ClientOptions,
        _ completion: @escaping Completion
    ) throws -> Cancellation {
        let attempt = try Client(on: reactor, options: options).connect(to: endpoint) { verdict in
            completion(verdict.mapError { $0 })
        }
        return { attempt.cancel() }
    }

    /// Makes a channel of the connection; the completion is called before this returns.
    ///
    /// - Throws: ``SocketError`` with operation `.watch` when the kernel refuses to watch it.
    public func accept(
        _ socket: consuming Socket, from peer: SocketAddress, on reactor: Reactor,
        options: ChannelOptions, _ completion: @escaping Completion
    ) throws -> Cancellation {
        let channel = try Channel(
            socket, peer, reactor, SharedOptions(options), isConnecting: false)
        try channel.beginWatching()
        reactor.tell(.accepted(channel))
        completion(.success(channel))
        return {}
    }
}
