// SPDX-License-Identifier: Apache-2.0
//
// Opens channels: resolves, races addresses without blocking, binds locally, and says once what
// came of it. Any number of attempts may be under way, each with a verdict of its own.

internal import CSystemCalls

/// How a client connects, and what its channels are like.
public struct ClientOptions: Hashable, Sendable {
    /// The limits and times of its channels.
    public var channel = ChannelOptions()
    /// How long it may take, from the look-up of the name to the connection, whichever of its
    /// addresses that is made to.
    ///
    /// A name is looked up for as long, whatever the resolver's ``ResolverOptions/timeLimit``.
    /// Initially 10 s.
    public var timeout = Duration.seconds(10)
    /// How long an address is waited for before the next one is tried beside it; one that fails
    /// makes room for the next at once.
    ///
    /// 10 ms or more; initially 250 ms. Source: RFC 8305, 5.
    public var attemptDelay = Duration.milliseconds(250)
    /// How long IPv4 addresses that have come first wait for those of IPv6.
    ///
    /// Only where the resolver asks for the two apart. Initially 50 ms. Source: RFC 8305, 3.
    public var resolutionDelay = Duration.milliseconds(50)
    /// The local address to connect from; `nil` lets the kernel choose.
    ///
    /// Of a name's addresses only those of its family are tried. With ``localPort`` 0 its ports are
    /// shared by connections to different peers. Initially `nil`. Source:
    /// `IP_BIND_ADDRESS_NO_PORT`, ip(7).
    public var localAddress: IPAddress?
    /// The local port to connect from; 0 lets the kernel choose.
    ///
    /// A service's name becomes one by ``ServicePort/number(of:_:)``. Initially 0.
    public var localPort: UInt16 = 0
    /// Sends small segments at once.
    ///
    /// Initially on. Source: `TCP_NODELAY`, tcp(7).
    public var noDelay = true

    /// In nanoseconds.
    ///
    /// Source: RFC 8305, 5.
    static let leastAttemptDelay: UInt64 = 10_000_000

    /// The initial values.
    public init() {}
}

/// Why a connection could not be had.
public struct ConnectError: Error, Hashable, Sendable {
    /// What decided it.
    public enum Cause: Hashable, Sendable {
        /// The name has no addresses.
        case unresolved(ResolverError)
        /// Every address failed; the one that was tried last like this.
        case refused(SocketError)
        /// Time ran out.
        case timedOut
    }

    /// Where the connection was to go.
    public let endpoint: Endpoint
    /// What decided it.
    public let cause: Cause
    /// How each address failed, in the order of the attempts.
    public let attempts: [SocketError]
}

extension ConnectError: CustomStringConvertible {
    /// One sentence, such as `connect 127.0.0.1:9: Connection refused`.
    public var description: String {
        switch cause {
        case .unresolved(let error): error.description
        case .refused(let error): error.description
        case .timedOut: "connect \(endpoint): \(ErrorCode.timedOut)"
        }
    }
}

/// Opens channels on a reactor.
public struct Client {
    let reactor: Reactor
    let options: ClientOptions
    let shared: SharedOptions

    /// A client whose channels are on `reactor`.
    public init(on reactor: Reactor, options: ClientOptions = .init()) {
        self.reactor = reactor
        self.options = options
        shared = SharedOptions(options.channel)
    }

    private init(_ client: Client, from localAddress: IPAddress) {
        var options = client.options
        options.localAddress = localAddress
        self.options = options
        reactor = client.reactor
        shared = client.shared
    }

    /// The same client with another ``ClientOptions/localAddress``; its channels share the settings
    /// of this one's.
    package func from(_ localAddress: IPAddress) -> Client { Client(self, from: localAddress) }

    /// Starts to connect and returns at once.
    ///
    /// `verdict` is called exactly once, in a later turn of the reactor, with an open channel or
    /// with why there is none; after ``ConnectAttempt/cancel()`` it is not called.
    ///
    /// A name is asked of ``Reactor/resolver``. Its addresses race, within one time limit: IPv6 and
    /// IPv4 take turns, each has a start of ``ClientOptions/attemptDelay`` on the next, the first
    /// to connect wins, and the others are closed. Source: RFC 8305.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.bind` or `.watch` when this side can't
    ///   even begin, such as with a local address that is not this machine's.
    @discardableResult
    public func connect(
        to endpoint: Endpoint, _ verdict: @escaping (Result<Channel, ConnectError>) -> Void
    ) throws(SocketError) -> ConnectAttempt {
        let attempt = ConnectAttempt(self, endpoint, verdict)
        try attempt.begin()
        return attempt
    }

    /// Starts to connect to an address, as ``connect(to:_:)-(Endpoint,_)``.
    ///
    /// - Throws: ``SocketError``, as ``connect(to:_:)-(Endpoint,_)``.
    @discardableResult
    public func connect(
        to address: SocketAddress, _ verdict: @escaping (Result<Channel, ConnectError>) -> Void
    ) throws(SocketError) -> ConnectAttempt {
        try connect(to: .address(address), verdict)
    }
}

/// Clients stay on their reactor's thread.
@available(*, unavailable)
extension Client: Sendable {}
