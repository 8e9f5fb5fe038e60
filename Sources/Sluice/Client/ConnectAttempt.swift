// SPDX-License-Identifier: Apache-2.0
//
// One attempt to connect: its addresses, its time limit, and the one verdict that it gives.
// Its timer or its channel keeps it alive until then.

internal import CSystemCalls

/// An attempt to connect that is under way.
public final class ConnectAttempt {
    private let link: ReactorLink
    private let options: ClientOptions
    private let shared: SharedOptions
    private let endpoint: Endpoint
    private var verdict: ((Result<Channel, ConnectError>) -> Void)?
    private var remaining: ArraySlice<SocketAddress> = []
    private var failures: [SocketError] = []
    private var channel: Channel?
    private var question: UInt64?
    private var timer: Timer?

    init(
        _ client: Client, _ endpoint: Endpoint,
        _ verdict: @escaping (Result<Channel, ConnectError>) -> Void
    ) {
        link = client.reactor.link
        options = client.options
        shared = client.shared
        self.endpoint = endpoint
        self.verdict = verdict
    }

    /// Whether the verdict is still to come.
    public var isPending: Bool { verdict != nil }

    /// Gives the attempt up: the verdict is not called any more, and what was opened is closed.
    public func cancel() {
        end()
    }

    func begin() throws(SocketError) {
        timer = link.reactor?.after(options.timeout) { self.timeRanOut() }
        do throws(SocketError) {
            if let address = endpoint.numericAddress {
                try connect(to: address)
            } else {
                try checkLocalAddress()
                resolve()
            }
        } catch {
            end()
            throw error
        }
    }

    private func resolve() {
        guard case .host(let name, let port) = endpoint, let reactor = link.reactor else { return }
        question = Resolver.of(reactor).resolve(name, port: port, for: reactor) { answer in
            self.question = nil
            switch answer {
            case .failure(let error): self.give(.failure(self.error(.unresolved(error))))
            case .success(let addresses):
                self.remaining = addresses[...]
                self.tryNext()
            }
        }
    }

    /// A local address that can't be used is told at once, not after the look-up.
    private func checkLocalAddress() throws(SocketError) {
        guard let local = options.localAddress else { return }
        let probe = SocketAddress.ip(local, port: 0)
        try Socket(for: probe).bind(to: probe)
    }

    private func tryNext() {
        while let address = remaining.popFirst() {
            do throws(SocketError) {
                return try connect(to: address)
            } catch {
                failures.append(error)
            }
        }
        let last = failures.last ?? SocketError(.connect, .addressNotAvailable)
        give(.failure(error(.refused(last))))
    }

    private func connect(to address: SocketAddress) throws(SocketError) {
        let socket = try options.makeSocket(for: address)
        do throws(SocketError) {
            _ = try socket.connect(to: address)
        } catch {
            // A Unix listener with a full backlog: there will be room. unix(7), connect(2).
            if error.code == .wouldBlock { return tryAgain(address) }
            // The peer's answer may come at once, and still is told in a later turn.
            return failLater(error)
        }
        guard let reactor = link.reactor else { return }
        let channel = try Channel(socket, address, reactor, shared, isConnecting: true)
        try channel.beginWatching()
        self.channel = channel
        channel.parts.connected = { channel, error in self.decided(channel, error) }
    }

    /// Asks again every 10 ms, until the attempt's time is up.
    private func tryAgain(_ address: SocketAddress) {
        let error = SocketError(.connect, .wouldBlock, at: address)
        if failures.last != error { failures.append(error) }
        remaining.insert(address, at: remaining.startIndex)
        link.reactor?.after(.milliseconds(10)) { if self.isPending { self.tryNext() } }
    }

    private func failLater(_ error: SocketError) {
        failures.append(error)
        link.reactor?.after(.zero) { if self.isPending { self.tryNext() } }
    }

    private func decided(_ channel: Channel, _ error: SocketError?) {
        self.channel = nil
        guard let error else { return give(.success(channel)) }
        channel.close()
        failures.append(error)
        tryNext()
    }

    private func timeRanOut() {
        if let address = channel?.peerAddress {
            failures.append(SocketError(.connect, .timedOut, at: address))
        }
        give(.failure(error(.timedOut)))
    }

    private func error(_ cause: ConnectError.Cause) -> ConnectError {
        ConnectError(endpoint: endpoint, cause: cause, attempts: failures)
    }

    private func give(_ result: Result<Channel, ConnectError>) {
        let verdict = verdict
        end()
        verdict?(result)
    }

    private func end() {
        verdict = nil
        timer?.cancel()
        timer = nil
        if let question, let reactor = link.reactor {
            Resolver.of(reactor).giveUp(question, for: reactor)
        }
        question = nil
        remaining = []
        guard let channel else { return }
        self.channel = nil
        channel.parts.connected = nil
        channel.abort()
    }
}

/// Attempts stay on their reactor's thread.
@available(*, unavailable)
extension ConnectAttempt: Sendable {}
