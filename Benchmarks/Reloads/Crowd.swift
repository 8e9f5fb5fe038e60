// SPDX-License-Identifier: Apache-2.0
//
// The part of the clients: connections that stay and speak now and then, and others that come,
// have one message answered, and leave. When each is due is fixed, whatever the workers do.

import ArgumentParser
import BenchmarkSupport
import Glibc
import Sluice

/// The hidden `reloads clients`.
struct ClientsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients", abstract: "Play the clients.", shouldDisplay: false)

    @Option(help: "The port of the workers.")
    var port: UInt16
    @Option(help: "How many connections stay.")
    var kept: Int
    @Option(help: "How many connections come and go in a second.")
    var rate: Int

    func run() throws {
        // First of all, for its number is fixed.
        var sockets = try InheritedSockets.fromEnvironment()
        guard let named = try sockets.next() else { throw Fault.failed("there is no conductor") }
        signal(SIGPIPE, SIG_IGN)
        DescriptorLimit.raise()
        let reactor = try Reactor()
        let line = try Channel(adopting: named.socket, on: reactor)
        let crowd = Crowd(on: reactor, to: .loopback(port: port), newcomersPerSecond: rate) {
            // Where the conductor has gone the end of the line is what counts.
            _ = try? line.writeLine($0.text)
        }
        line.onLine { _, text in
            if let note = Note(text: text) { crowd.obey(note) }
        }
        line.onClose { _, _ in reactor.stop() }
        crowd.open(kept)
        reactor.run()
    }
}

/// All clients, on one reactor.
final class Crowd {
    let reactor: Reactor
    let target: SocketAddress
    /// What has happened since it was told last.
    var counts = Counts()
    /// Newcomers that have not left.
    var visitorCount = 0
    /// Connects and messages of which nobody knows yet what becomes of them.
    var underWay = 0 {
        didSet { tellIfResting() }
    }
    private let rate: Int
    private let say: (Note) -> Void
    private let clients: [Client]
    private var connectCount = 0
    private var messageCount = 0
    private var kept: [Caller] = []
    private var known: Set<Int> = []
    private var killed: Set<Int> = []
    private var isResting = false
    private var pace: Timer?
    private var begin = 0
    /// How many messages on kept connections, and how many newcomers, were due since ``begin``.
    private var due = (messages: 0, newcomers: 0)

    private static let interval = Duration.milliseconds(2)
    /// How long an answer, or a connection, may take to come.
    private static let patience = Duration.seconds(15)
    private static let visitorLimit = 4_000
    /// One address has too few ports for all that have just been closed.
    private static let sourceCount: UInt32 = 250

    init(
        on reactor: Reactor, to target: SocketAddress, newcomersPerSecond rate: Int,
        _ say: @escaping (Note) -> Void
    ) {
        self.reactor = reactor
        self.target = target
        self.rate = rate
        self.say = say
        clients = (1...Self.sourceCount).map { number in
            var options = ClientOptions()
            options.localAddress = .v4(0x7F00_0400 + number)
            options.timeout = Self.patience
            options.channel.idleTimeout = Self.patience
            return Client(on: reactor, options: options)
        }
    }

    /// A client with the next address of its own.
    var nextClient: Client {
        connectCount += 1
        return clients[connectCount % clients.count]
    }

    /// A message of 64 bytes unlike all others.
    var nextMessage: String {
        messageCount += 1
        let digits = "\(messageCount)"
        return String(repeating: "m", count: max(1, 63 - digits.utf8.count)) + digits
    }

    /// Opens the connections that stay; tells the counts when all have had an answer.
    func open(_ count: Int) {
        kept = (0..<count).map { _ in Caller(of: self, stays: true) }
        for caller in kept { caller.connect() }
        rest()
    }

    /// Does what the conductor says.
    func obey(_ note: Note) {
        switch note.word {
        case .go: go()
        case .rest: rest()
        case .killing:
            killed.formUnion(note.numbers)
            let count = kept.count { $0.worker.map(note.numbers.contains) ?? false }
            say(Note(.kept, [count]))
        case .counted, .kept, .answered: break
        }
    }

    private func go() {
        begin = MonotonicClock.now
        due = (0, 0)
        pace = reactor.every(Self.interval) { self.goOn() }
    }

    private func goOn() {
        let seconds = Double(MonotonicClock.now - begin) / 1e9
        while due.messages < Int(seconds * Double(kept.count)) {
            kept[due.messages % kept.count].send()
            due.messages += 1
        }
        while due.newcomers < Int(seconds * Double(rate)) {
            due.newcomers += 1
            if visitorCount < Self.visitorLimit {
                visitorCount += 1
                Caller(of: self, stays: false).connect()
            } else {
                counts[.unbegun] += 1
            }
        }
    }

    private func rest() {
        pace?.cancel()
        isResting = true
        tellIfResting()
    }

    private func tellIfResting() {
        guard isResting, underWay == 0 else { return }
        isResting = false
        say(Note(.counted, counts.numbers))
        counts = Counts()
    }

    /// A worker has answered.
    func heard(of worker: Int) {
        if known.insert(worker).inserted { say(Note(.answered, [worker, MonotonicClock.now])) }
    }

    /// A connection has ended before its client wanted it.
    func countCut(_ reason: EndReason, of worker: Int?, isKept: Bool) {
        counts[reason == .reset ? .reset : .ended] += 1
        if isKept { counts[.keptCut] += 1 }
        if let worker {
            if !killed.contains(worker) { counts[.foreign] += 1 }
        } else {
            counts[.unknown] += 1
        }
    }
}
