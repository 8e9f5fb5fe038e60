// SPDX-License-Identifier: Apache-2.0
//
// The connections of one client, and the phase that they are in: how far it has come, what is under
// way, what has failed. What is done with a connection stands in the extension.

import Sluice

/// Opens connections, and has them do one phase after the other.
final class ConnectionHolder {
    /// What is done with all connections, or many.
    enum Phase {
        case open
        case echo
        case listen
        case churn
        case close
    }

    let target: SocketAddress
    /// One for each address to connect from.
    let clients: [Client]
    /// All have the same two handlers, so that a connection costs nothing but its channel.
    private(set) var receive: (Channel, RawSpan) throws -> Void = { _, _ in }
    private(set) var lose: (Channel, EndReason) -> Void = { _, _ in }

    private let reactor: Reactor
    private let line: ControlEnd
    private let underWayLimit: Int

    var channels: [Channel] = []
    /// The places of the channels that are being closed.
    var closing: [ObjectIdentifier: Int] = [:]
    /// What a connection sends: its first bytes are the connection's own.
    var message: [UInt8]
    let broadcast: [UInt8]
    var tally = Tally()

    private(set) var phase: Phase?
    /// Goes up with each beginning and end of a phase: what was begun before is void.
    private(set) var round = 0
    private var goal = 0
    private var started = 0
    private var completed = 0
    private var failed = 0
    private var pace: Pace?
    private var ticks: Timer?

    init(
        _ number: Int, to target: SocketAddress, from sources: [IPAddress], underWay: Int,
        broadcast: [UInt8], toldBy line: ControlEnd, on reactor: Reactor
    ) {
        self.target = target
        self.line = line
        self.reactor = reactor
        self.broadcast = broadcast
        underWayLimit = underWay
        message = Message.echo(of: number)
        clients = sources.map { source in
            var options = ClientOptions()
            options.localAddress = source
            options.timeout = .seconds(60)
            return Client(on: reactor, options: options)
        }
        receive = { [unowned self] in self.received($0, $1) }
        lose = { [unowned self] in self.closed($0, because: $1) }
        reactor.onError = { [unowned self] error, _ in self.tally.add("client: \(error)") }
        line.onOrder = { [unowned self] in self.obey($0) }
    }

    private func obey(_ order: ControlLine) {
        // Those that were lost were told of then.
        if phase == nil { channels.removeAll { $0.status == .closed } }
        switch order.word {
        case .open: begin(.open, order.number(0))
        case .echo: begin(.echo, channels.count)
        case .listen:
            line.say(ControlLine(.ready))
            begin(.listen, channels.count)
        case .churn:
            // Each channel once at most.
            let goal = min(order.number(0), channels.count)
            pace = Pace(goal: goal, time: .milliseconds(order.number(1)))
            ticks = reactor.every(.milliseconds(20)) { [unowned self] in self.advance() }
            begin(.churn, goal)
        case .close: begin(.close, channels.count)
        case .count:
            tellFailures()
            line.say(ControlLine(.counted, completed))
        case .stop: stop()
        default: break
        }
    }
}

// MARK: - Phases

extension ConnectionHolder {
    /// Work that is spread evenly over a time.
    private struct Pace {
        let goal: Int
        let time: Duration
        let start = ContinuousClock.now

        /// How much of it is due by now.
        var due: Int {
            let passed = ContinuousClock.now - start
            return passed >= time ? goal : Int(Double(goal) * (passed / time))
        }
    }

    private func begin(_ phase: Phase, _ goal: Int) {
        self.phase = phase
        self.goal = goal
        round += 1
        (started, completed, failed) = (0, 0, 0)
        advance()
    }

    /// Starts what is due and may be under way, and ends the phase where all is decided.
    func advance() {
        guard let phase else { return }
        let due = pace?.due ?? goal
        // Who listens starts nothing: all are under way at once.
        let most = phase == .listen ? goal : underWayLimit
        while started < due, started - completed - failed < most {
            started += 1
            start(started - 1, of: phase)
        }
        if completed + failed >= goal { end() }
    }

    /// One more connection is through the phase; ``advance()`` is the caller's affair.
    func complete() { completed += 1 }

    /// A connection has failed in the phase; ``advance()`` is the caller's affair.
    func fail(_ kind: String) {
        failed += 1
        tally.add(kind)
    }

    /// A connection that is lost, and told of already, was still under way in the phase.
    func failSilently() { failed += 1 }

    private func end() {
        if phase == .close { channels = [] }
        phase = nil
        pace = nil
        round += 1
        ticks?.cancel()
        tellFailures()
        line.say(ControlLine(.done, completed))
    }

    /// Time is up: what is not decided has failed.
    private func stop() {
        guard let phase else { return }
        let missing = goal - completed - failed
        if missing > 0 { tally.add("\(phase): not done in time", missing) }
        end()
    }

    private func tellFailures() {
        for failed in tally.takeLines() { line.say(failed) }
    }
}
