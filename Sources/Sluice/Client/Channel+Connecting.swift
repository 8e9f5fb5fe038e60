// SPDX-License-Identifier: Apache-2.0
//
// Channels that are there at once, while their connection is still being made, and blocking ones
// that wait for it.

internal import CSystemCalls
import Glibc

extension Client {
    /// Starts to connect and gives the channel at once, as Tcl's `socket -async`.
    ///
    /// Until the connection is decided its status is ``Channel/Status/connecting``. What is written
    /// is sent when it is there, even if the channel was closed meanwhile; reading finds nothing,
    /// and a blocking channel waits for the outcome. When it is decided the channel becomes
    /// writable; a failure is told once, by ``Channel/takeError()`` or the next operation.
    ///
    /// ``ClientOptions/timeout`` does not hold: the kernel gives up by itself. Source: tcp(7),
    /// `tcp_syn_retries`.
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
}

extension ClientOptions {
    /// A socket that is about to connect to an address, bound as the options say.
    func makeSocket(for address: SocketAddress) throws(SocketError) -> Socket {
        let socket = try Socket(for: address)
        guard let peer = address.ipAddress else { return socket }
        if localAddress != nil || localPort != 0 {
            if localPort != 0 { try socket.set(.reuseAddress, to: true) }
            let local = localAddress ?? (peer.isIPv6 ? .any6 : .any)
            try socket.bind(to: .ip(local, port: localPort))
        }
        if noDelay { try socket.set(.noDelay, to: true) }
        return socket
    }
}

extension Channel {
    /// Connects, and waits for it: a blocking channel that stands alone.
    ///
    /// An endpoint with several addresses has them tried one after the other, within
    /// ``ClientOptions/timeout``; the look-up of a name before that waits for as long as the system
    /// does.
    ///
    /// - Throws: ``ConnectError``.
    @available(*, noasync, message: "it blocks the thread: 'await Connection.connect(to:on:)'")
    public static func connected(
        to endpoint: Endpoint, options: ClientOptions = .init()
    ) throws(ConnectError) -> Channel {
        let deadline = csystem_monotonic_nanoseconds() &+ options.timeout.nanoseconds
        var attempts: [SocketError] = []
        for address in try endpoint.resolved() {
            do throws(SocketError) {
                let socket = try options.makeSocket(for: address)
                if try socket.connect(to: address, before: deadline) {
                    return Channel(alone: socket, address, options.channel)
                }
            } catch {
                attempts.append(error)
                continue
            }
            attempts.append(SocketError(.connect, .timedOut, at: address))
            throw ConnectError(endpoint: endpoint, cause: .timedOut, attempts: attempts)
        }
        let last = attempts.last ?? SocketError(.connect, .addressNotAvailable)
        throw ConnectError(endpoint: endpoint, cause: .refused(last), attempts: attempts)
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
    fileprivate func resolved() throws(ConnectError) -> [SocketAddress] {
        switch self {
        case .address(let address): return [address]
        case .host(let name, let port):
            do throws(ResolverError) {
                return try HostName.addresses(of: name).map { .ip($0, port: port) }
            } catch {
                throw ConnectError(endpoint: self, cause: .unresolved(error), attempts: [])
            }
        }
    }
}
