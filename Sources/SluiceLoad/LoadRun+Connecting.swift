// SPDX-License-Identifier: Apache-2.0
//
// Opens the connections of a load over its ramp.
// What goes wrong is counted by kind; only a target where nothing opens ends the run.

internal import Sluice

/// The connects of a run that are under way.
struct Opening {
    var attempts: [Int: ConnectAttempt] = [:]
    var nextNumber = 0
    var timer: Timer?
    var begin: UInt64 = 0
    /// Where the first connection got to: a name is looked up once.
    var known: SocketAddress?
    /// Where else a socket of datagrams may go if nobody is there.
    var others: ArraySlice<SocketAddress> = []
}

extension LoadRun {
    func startConnecting() {
        opening.begin = MonotonicClock.now
        opening.known = workload.target.endpoint.numericAddress
        opening.timer = reactor.every(.milliseconds(1)) { self.openDue() }
        // Sockets open at once, and phases are told in turns of the reactor.
        if !workload.target.usesDatagrams { openDue() }
    }

    func giveUpConnecting() {
        opening.timer?.cancel()
        for attempt in opening.attempts.values { attempt.cancel() }
        opening.attempts = [:]
    }

    private func openDue() {
        // Until a name is known to resolve, one connect at a time asks for it.
        if opening.known == nil, ramp.pending > 0 { return }
        let elapsed = MonotonicClock.now - opening.begin
        let count = ramp.start(at: elapsed, atMost: opening.known == nil ? 1 : .max)
        for _ in 0..<count { open() }
        if ramp.isDone, phase == .connecting {
            opening.timer?.cancel()
            connectingEnded()
        }
    }

    private func open() {
        if workload.target.usesDatagrams { return openSocket() }
        let number = opening.nextNumber
        opening.nextNumber += 1
        let place = opening.known.map(Endpoint.address) ?? workload.target.endpoint
        do throws(SocketError) {
            opening.attempts[number] = try nextClient().connect(to: place) { verdict in
                self.opening.attempts[number] = nil
                self.decided(verdict)
            }
        } catch {
            failed(LoadErrorKind(error.code), "\(error)")
        }
    }

    private func decided(_ verdict: Result<Channel, ConnectError>) {
        switch verdict {
        case .success(let channel):
            opening.known = channel.peerAddress
            ramp.ended(successfully: true)
            let connection = LoadConnection(channel, of: self, index: connections.count)
            connections.append(.stream(connection))
            connection.start()
        case .failure(let error): failed(LoadErrorKind(error.cause), "\(error)")
        }
        openDue()
    }

    /// A connect has come to its verdict, without a connection.
    func failed(_ kind: LoadErrorKind, _ sentence: String) {
        ramp.ended(successfully: false)
        if kind == .unresolved { ramp.giveUp() }
        result.connectFailure = result.connectFailure ?? sentence
        count(kind)
    }
}
