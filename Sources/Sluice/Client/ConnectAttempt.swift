// SPDX-License-Identifier: Apache-2.0
//
// One attempt to connect: it does what its race says, with a channel for each address under way,
// and gives one verdict. Its timers, its question or its channels keep it alive until then.

internal import CSystemCalls

/// An attempt to connect that is under way.
public final class ConnectAttempt {
    private let link: ReactorLink
    private let options: ClientOptions
    private let shared: SharedOptions
    private let endpoint: Endpoint
    /// Whether its channels only make the connection of another one, and nobody is told of them.
    private let makesForAnother: Bool
    private var verdict: ((Result<Channel, ConnectError>) -> Void)?
    private var race: ConnectionRace
    /// The addresses that are being connected to, by the number of the race's attempt.
    private var racers: [(number: Int, channel: Channel)] = []
    /// Unix listeners without room, which are asked again.
    private var crowded: [(number: Int, address: SocketAddress)] = []
    private var question: ResolverQuestion?
    /// Ends it in any case.
    private var limit: Timer?
    /// Wakes the race before that.
    private var alarm: Timer?
    private var wakeTime = UInt64.max
    private var retry: Timer?
    /// Why it has failed, if it has.
    private(set) var failure: ConnectError?
    var residentIndex = -1

    init(
        _ client: Client, _ endpoint: Endpoint, makesForAnother: Bool = false,
        _ verdict: @escaping (Result<Channel, ConnectError>) -> Void
    ) {
        link = client.reactor.link
        options = client.options
        shared = client.shared
        self.endpoint = endpoint
        self.makesForAnother = makesForAnother
        self.verdict = verdict
        race = ConnectionRace(
            before: csystem_monotonic_nanoseconds() &+ options.timeout.nanoseconds, options,
            prefersIPv6: AddressSelection.prefers)
    }

    /// Whether the verdict is still to come.
    public var isPending: Bool { verdict != nil && link.reactor != nil }

    /// Gives the attempt up: the verdict is not called any more, and what was opened is closed.
    public func cancel() {
        end()
    }

    func begin() throws(SocketError) {
        link.reactor?.admit(self)
        limit = link.reactor?.after(options.timeout) { self.goOn() }
        do throws(SocketError) {
            if let address = endpoint.numericAddress {
                race.found([address], isLast: true, at: csystem_monotonic_nanoseconds())
                try beginAlone()
            } else {
                try checkLocalAddress()
                resolve()
            }
        } catch {
            end()
            throw error
        }
    }

    /// Begins with the one address: what this side lacks is thrown, and not a verdict.
    private func beginAlone() throws(SocketError) {
        guard case .start(let number, let address) = race.step(at: csystem_monotonic_nanoseconds())
        else { return }
        guard let error = try open(number, address) else { return }
        // The peer's answer may come at once, and still is told in a later turn.
        race.failed(number, error)
        link.reactor?.after(.zero) { self.goOn() }
    }

    private func resolve() {
        guard case .host(let name, let port) = endpoint, let reactor = link.reactor else { return }
        let now = csystem_monotonic_nanoseconds()
        let time = Duration(nanoseconds: race.deadline > now ? race.deadline - now : 0)
        question = reactor.resolver.addressParts(of: name, within: time) { part in
            if part.isLast { self.question = nil }
            self.take(part.result, port: port, isLast: part.isLast)
            self.goOn()
        }
    }

    private func take(
        _ result: Result<[IPAddress], ResolverError>, port: UInt16, isLast: Bool
    ) {
        do throws(ResolverError) {
            let addresses = try options.reachable(of: endpoint, in: try result.get())
                .map { SocketAddress.ip($0, port: port) }
            race.found(
                addresses.filter { !race.knows($0) }, isLast: isLast,
                at: csystem_monotonic_nanoseconds())
        } catch {
            race.foundNone(error, isLast: isLast)
        }
    }

    /// A local address that can't be used is told at once, not after the look-up.
    private func checkLocalAddress() throws(SocketError) {
        guard let local = options.localAddress else { return }
        let probe = SocketAddress.ip(local, port: 0)
        try Socket(for: probe).bind(beforeConnectingFrom: probe)
    }
}

// MARK: - The race

extension ConnectAttempt {
    /// Does what the race says, until it says to wait or that it is over.
    private func goOn() {
        while isPending {
            switch race.step(at: csystem_monotonic_nanoseconds()) {
            case .start(let number, let address): start(number, address)
            case .cancel(let number): drop(number)
            case .wait(let time): return wake(at: time)
            case .end(let outcome): return conclude(outcome)
            }
        }
    }

    private func start(_ number: Int, _ address: SocketAddress) {
        do throws(SocketError) {
            if let error = try open(number, address) { race.failed(number, error) }
        } catch {
            race.failed(number, error)
        }
    }

    /// Starts to connect to an address.
    ///
    /// - Returns: the peer's answer, where it is a failure and comes at once.
    /// - Throws: what keeps this side from asking.
    private func open(
        _ number: Int, _ address: SocketAddress
    ) throws(SocketError) -> SocketError? {
        let socket = try options.makeSocket(for: address)
        do throws(SocketError) {
            _ = try socket.connect(to: address)
        } catch {
            guard error.code == .wouldBlock else { return error }
            tryAgain(number, address, error)
            return nil
        }
        guard let reactor = link.reactor else { return nil }
        let channel = try Channel(socket, address, reactor, shared, isConnecting: true)
        try channel.beginWatching()
        channel.parts.connected = { channel, error in self.decided(number, channel, error) }
        if makesForAnother { channel.parts.connectsForAnother = true }
        racers.append((number, channel))
        return nil
    }

    /// A Unix listener has a full backlog: it is asked again every 10 ms, for there will be room.
    ///
    /// Source: unix(7), connect(2).
    private func tryAgain(_ number: Int, _ address: SocketAddress, _ error: SocketError) {
        race.met(error, in: number)
        crowded.append((number, address))
        retry?.cancel()
        retry = link.reactor?.after(.milliseconds(10)) { self.askCrowded() }
    }

    private func askCrowded() {
        guard isPending else { return }
        let again = crowded
        crowded = []
        for (number, address) in again { start(number, address) }
        goOn()
    }

    private func decided(_ number: Int, _ channel: Channel, _ error: SocketError?) {
        if let error {
            racers.removeAll { $0.number == number }
            channel.close()
            race.failed(number, error)
        } else {
            race.connected(number)
        }
        goOn()
    }

    /// Another has won, or time is up: nobody is told anything of this one any more.
    private func drop(_ number: Int) {
        crowded.removeAll { $0.number == number }
        guard let place = racers.firstIndex(where: { $0.number == number }) else { return }
        let channel = racers.remove(at: place).channel
        channel.parts.connected = nil
        channel.abort()
    }

    /// The limit's own timer wakes the race for its end.
    private func wake(at time: UInt64) {
        if time == wakeTime { return }
        alarm?.cancel()
        alarm = nil
        wakeTime = time
        if time >= race.deadline { return }
        let now = csystem_monotonic_nanoseconds()
        alarm = link.reactor?.after(Duration(nanoseconds: time > now ? time - now : 0)) {
            self.wakeTime = .max
            self.goOn()
        }
    }

    private func conclude(_ outcome: ConnectionRace.Outcome) {
        switch outcome {
        case .connected(let number):
            guard let place = racers.firstIndex(where: { $0.number == number }) else { return }
            give(.success(racers.remove(at: place).channel))
        case .failed(let cause):
            let error = ConnectError(endpoint: endpoint, cause: cause, attempts: race.failures)
            failure = error
            give(.failure(error))
        }
    }

    private func give(_ result: Result<Channel, ConnectError>) {
        let verdict = verdict
        end()
        verdict?(result)
    }

    private func end() {
        link.reactor?.dismiss(self)
        verdict = nil
        for timer in [limit, alarm, retry] { timer?.cancel() }
        (limit, alarm, retry) = (nil, nil, nil)
        question?.cancel()
        question = nil
        crowded = []
        while let number = racers.last?.number { drop(number) }
    }
}

// MARK: - Making the connection of a channel that is there already

extension ConnectAttempt: Opening {
    func advance() {
        // A socket that can't be asked is not decided.
        try? lookAround(before: 0)
        goOn()
    }

    func wait(before end: UInt64?) throws(SocketError) {
        if question != nil { resolveNow() }
        goOn()
        while isPending {
            if let end, csystem_monotonic_nanoseconds() >= end { return }
            try lookAround(before: min(wakeTime, race.deadline, end ?? .max))
            goOn()
        }
    }

    func giveUp() { cancel() }

    func letGo() {
        link.reactor?.dismiss(self)
        verdict = nil
        (limit, alarm, retry) = (nil, nil, nil)
        question = nil
        crowded = []
        racers = []
    }

    /// Asks the system itself: the answer that is on its way would come through the reactor, which
    /// does not run while somebody waits.
    private func resolveNow() {
        question?.cancel()
        question = nil
        guard case .host(let name, let port) = endpoint else { return }
        // One family may have come already: the other one is still to be had.
        do throws(ResolverError) {
            take(.success(try HostName.addresses(of: name)), port: port, isLast: true)
        } catch {
            take(.failure(error), port: port, isLast: true)
        }
    }

    /// Waits until an address has answered, and takes what it says.
    private func lookAround(before end: UInt64) throws(SocketError) {
        let channels = racers.map(\.channel)
        let step = csystem_monotonic_nanoseconds() &+ 10_000_000
        let answered = try Socket.areWritable(
            channels.map { $0.socketNumber ?? -1 }, before: crowded.isEmpty ? end : min(end, step))
        for (channel, hasAnswered) in zip(channels, answered)
        where hasAnswered && channel.status == .connecting {
            channel.finishConnecting()
        }
        if !crowded.isEmpty, end > 0 { askCrowded() }
    }
}

// It has no turns of its own: its timers, its question and its channels have them.
extension ConnectAttempt: Resident {
    func takeTurn(on reactor: Reactor) {}

    func reactorEnded() { letGo() }
}

/// Attempts stay on their reactor's thread.
@available(*, unavailable)
extension ConnectAttempt: Sendable {}
