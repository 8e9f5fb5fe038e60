// SPDX-License-Identifier: Apache-2.0
//
// Channels that are there at once, while their connection is still being made, and blocking ones
// that wait for it.

internal import CSystemCalls

extension Client {
    /// Starts to connect and gives the channel at once, as Tcl's `socket -async`.
    ///
    /// Until the connection is decided its status is ``Channel/Status/connecting``. What is written
    /// is sent when it is there, even if the channel was closed meanwhile; reading finds nothing,
    /// and a blocking channel waits for the outcome. When it is decided the channel becomes
    /// writable; a failure is told once, by ``Channel/takeError()`` or the next operation.
    ///
    /// ``ClientOptions/timeout`` does not hold, unlike for ``open(to:)``: the kernel gives up by
    /// itself. Source: tcp(7), `tcp_syn_retries`.
    ///
    /// A Unix socket whose backlog is full fails the connection with `.wouldBlock`, where
    /// ``connect(to:_:)-(SocketAddress,_)`` tries again.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.setOption`, `.bind` or `.watch` when
    ///   this side can't even begin.
    public func open(_ address: SocketAddress) throws(SocketError) -> Channel {
        let socket = try options.makeSocket(for: address)
        var refusal: SocketError?
        do throws(SocketError) {
            _ = try socket.connect(to: address)
        } catch {
            refusal = error
        }
        let channel = try Channel(socket, address, reactor, shared, isConnecting: true)
        if let refusal {
            // The peer's answer came at once, and is told as later ones are.
            channel.connectFailed(refusal)
        } else {
            try channel.beginWatching()
        }
        return channel
    }

    /// Starts to connect to an endpoint and gives the channel at once, as Tcl's `socket -async host
    /// port`.
    ///
    /// The name is looked up and its addresses race in the background, as with
    /// ``connect(to:_:)-(Endpoint,_)`` and within ``ClientOptions/timeout``; the channel goes on
    /// with the connection that wins. Until then it is as one of ``open(_:)``, but that it has no
    /// socket: its options can't be read or set, the local address is not known, and the peer's is
    /// ``SocketAddress/unnamed`` where a name is looked up. Closing with nothing written gives the
    /// attempt up.
    ///
    /// A failure is told as there, once; of several addresses that of the one tried last. A name
    /// that does not resolve is `.hostUnreachable`, time that has run out `.timedOut`;
    /// ``Channel/connectError`` has it all.
    ///
    /// A blocking channel waits for the outcome when it is read, flushed or closed with something
    /// written, and no handler runs meanwhile. Where the name is still being looked up then, that
    /// wait asks the system itself, whatever the reactor's ``Reactor/resolver`` asks, and takes as
    /// long as the system does.
    ///
    /// - Throws: ``SocketError``, as ``connect(to:_:)-(Endpoint,_)``.
    public func open(to endpoint: Endpoint) throws(SocketError) -> Channel {
        let channel = Channel(connectingTo: endpoint.numericAddress ?? .unnamed, reactor, shared)
        let attempt = ConnectAttempt(self, endpoint, makesForAnother: true) { verdict in
            channel.conclude(verdict)
        }
        channel.parts.opening = attempt
        do throws(SocketError) {
            try attempt.begin()
        } catch {
            channel.abort()
            throw error
        }
        return channel
    }
}

extension Channel {
    /// Why a channel of ``Client/open(to:)`` could not be connected, with each address's answer;
    /// `nil` on others, and where it has not failed.
    public var connectError: ConnectError? { (rare?.opening as? ConnectAttempt)?.failure }

    fileprivate func conclude(_ verdict: Result<Channel, ConnectError>) {
        switch verdict {
        case .success(let racer): takeSocket(of: racer)
        case .failure(let error): connectFailed(error.asSocketError)
        }
    }
}

extension ConnectError {
    /// The cause, as a channel tells it.
    fileprivate var asSocketError: SocketError {
        switch cause {
        case .refused(let error): error
        case .timedOut: SocketError(.connect, .timedOut, at: endpoint.numericAddress)
        case .unresolved(let error):
            if case .system(let code) = error.reason {
                SocketError(.connect, code)
            } else {
                SocketError(.connect, error.reason == .timedOut ? .timedOut : .hostUnreachable)
            }
        }
    }
}

extension ClientOptions {
    /// A socket that is about to connect to an address, bound as the options say.
    func makeSocket(for address: SocketAddress) throws(SocketError) -> Socket {
        let socket = try Socket(for: address)
        guard let peer = address.ipAddress else { return socket }
        if localAddress != nil || localPort != 0 {
            let local = localAddress ?? (peer.isIPv6 ? .any6 : .any)
            try socket.bind(beforeConnectingFrom: .ip(local, port: localPort))
        }
        if noDelay { try socket.set(.noDelay, to: true) }
        return socket
    }

    /// Of an endpoint's addresses those of the local address's family; of others no socket could
    /// be bound.
    ///
    /// - Throws: ``ResolverError`` with `.noAddressOfFamily` where none is left.
    func reachable(
        of endpoint: Endpoint, in addresses: [IPAddress]
    ) throws(ResolverError) -> [IPAddress] {
        guard let localAddress, case .host(let name, _) = endpoint else { return addresses }
        let wanted = addresses.filter { $0.isIPv6 == localAddress.isIPv6 }
        if wanted.isEmpty { throw ResolverError(name, .noAddressOfFamily) }
        return wanted
    }
}

extension Socket {
    /// Gives a socket that is about to connect its local address.
    ///
    /// Where that has no port, connect(2) chooses one, and may take one that other connections from
    /// the address have to other peers: bind(2) could not, and would run out of them. Source:
    /// `IP_BIND_ADDRESS_NO_PORT`, ip(7).
    func bind(beforeConnectingFrom local: SocketAddress) throws(SocketError) {
        if local.port == 0 {
            // A system without it chooses now, among fewer.
            try? set(.bindWithoutPort, to: true)
        } else {
            try set(.reuseAddress, to: true)
        }
        try bind(to: local)
    }
}

extension Channel {
    /// Connects, and waits for it: a blocking channel that stands alone.
    ///
    /// The addresses of a name race as those of ``Client/connect(to:_:)-(Endpoint,_)`` do, within
    /// ``ClientOptions/timeout``; the look-up of the name before that asks the system and waits for
    /// as long as it does.
    ///
    /// - Throws: ``ConnectError``.
    @available(*, noasync, message: "it blocks the thread: 'await Connection.connect(to:on:)'")
    public static func connected(
        to endpoint: Endpoint, options: ClientOptions = .init()
    ) throws(ConnectError) -> Channel {
        let deadline = csystem_monotonic_nanoseconds() &+ options.timeout.nanoseconds
        var race = WaitingRace(
            to: endpoint, at: try endpoint.resolved(options), before: deadline, options)
        return try race.run()
    }

    /// Connects to an address, and waits for it, as ``connected(to:options:)-(Endpoint,_)``.
    ///
    /// - Throws: ``ConnectError``.
    @available(*, noasync, message: "it blocks the thread: 'await Connection.connect(to:on:)'")
    public static func connected(
        to address: SocketAddress, options: ClientOptions = .init()
    ) throws(ConnectError) -> Channel {
        try connected(to: .address(address), options: options)
    }
}

extension Endpoint {
    fileprivate func resolved(
        _ options: ClientOptions
    ) throws(ConnectError) -> [SocketAddress] {
        switch self {
        case .address(let address): return [address]
        case .host(let name, let port):
            do throws(ResolverError) {
                let addresses = try HostName.addresses(of: name)
                return try options.reachable(of: self, in: addresses).map { .ip($0, port: port) }
            } catch {
                throw ConnectError(endpoint: self, cause: .unresolved(error), attempts: [])
            }
        }
    }
}
