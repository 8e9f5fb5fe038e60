// SPDX-License-Identifier: Apache-2.0
//
// What a connector does and within what bounds: which of the two partners it is, where it goes or
// waits, and what its channel is like.

/// How a connector gets its channel.
public struct ConnectorOptions: Hashable, Sendable {
    /// Which of two partners this one is; of a pair exactly one is each.
    ///
    /// It says nothing about the way that data goes later.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// Connects to the partner.
        case active
        /// Waits for the partner to connect.
        case passive
    }

    /// What the connector is called in descriptions and logs; `nil` for nothing.
    ///
    /// Initially `nil`.
    public var name: String?
    /// Which of the two partners it is.
    ///
    /// Initially ``Mode/active``.
    public var mode: Mode
    /// The host of an active connector's partner, by name or number.
    ///
    /// A passive one ignores it. Initially `localhost`.
    public var host: String
    /// The partner's port; of a passive connector the port to wait at, or 0 for one that the kernel
    /// picks.
    ///
    /// Initially 0.
    public var port: UInt16
    /// The address that a passive connector waits at; `nil` is every address of the machine, of
    /// both families and with one port, or of the one family that the machine has.
    ///
    /// ``ListenerOptions/acceptsBothFamilies`` counts only where this is `::`. An active connector
    /// ignores it: see ``ClientOptions/localAddress``. Initially `nil`.
    public var localAddress: IPAddress?
    /// A passive connector takes only a partner from one of these; others are turned away, and it
    /// waits on.
    ///
    /// Empty takes the first that comes. An address is no proof of who the partner is: that takes a
    /// ``ConnectorOpening`` that asks for one, such as TLS. Initially empty.
    public var allowed: [AddressRange] = []
    /// How long one run may take, from the call to the open channel; `nil` for no limit.
    ///
    /// It stands in place of ``ClientOptions/timeout``. Initially 30 s.
    public var timeLimit: Duration? = .seconds(30)

    /// What the channel is born with, in either mode; in place of ``ClientOptions/channel``.
    public var channel = ChannelOptions()
    /// What of the channel's text is set once it is open, before the completion has it; the rest
    /// stays as ``channel``, or the opening, has left it.
    ///
    /// Initially nothing.
    public var text = TextSettings()
    /// How an active connector connects, such as from which local address and port.
    public var client = ClientOptions()
    /// How a passive connector's listening sockets are opened.
    public var listener = ListenerOptions()

    /// The initial values, but for these.
    public init(_ mode: Mode = .active, host: String = "localhost", port: UInt16 = 0) {
        self.mode = mode
        self.host = host
        self.port = port
    }

    /// The initial values, but for these, with a port as people write it: a number or the name of
    /// a service.
    ///
    /// - Throws: ``PortError``, as ``ServicePort/number(of:_:)``.
    public init(
        _ mode: Mode = .active, host: String = "localhost", service: String
    ) throws(PortError) {
        self.init(mode, host: host, port: try ServicePort.number(of: service))
    }
}

extension ConnectorOptions {
    /// Where an active connector goes.
    var endpoint: Endpoint { .host(host, port: port) }

    /// What the client of an active connector is like.
    var clientOptions: ClientOptions {
        var options = client
        options.channel = channel
        options.timeout = timeLimit ?? Self.noLimit
        return options
    }

    /// Longer than the kernel tries: it gives up after some minutes.
    ///
    /// Source: tcp(7), `tcp_syn_retries`.
    private static let noLimit = Duration.seconds(1 << 31)

    /// What the server of a passive connector is like.
    var serverOptions: ServerOptions {
        var options = ServerOptions()
        options.listener = listener
        // Else `::` would take the place that `0.0.0.0` is to have.
        if localAddress == nil { options.listener.acceptsBothFamilies = false }
        options.allowed = allowed
        options.samePort = true
        return options
    }

    /// Where a passive connector waits: the first of these that the machine has the families for.
    var places: [[SocketAddress]] {
        if let localAddress { return [[.ip(localAddress, port: port)]] }
        let (ipv4, ipv6) = (SocketAddress.any(port: port), SocketAddress.ip(.any6, port: port))
        return [[ipv4, ipv6], [ipv4], [ipv6]]
    }
}
