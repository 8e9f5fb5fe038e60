// SPDX-License-Identifier: Apache-2.0
//
// A reactor serves a thousand clients while it asks for ten thousand names and connects in vain a
// thousand times: everybody is answered. How long they wait is for Benchmarks to say.

import Glibc
import Sluice
import SluiceDNS
import TestSupport
import Testing

@Suite(.countingDescriptors, .withDnsmasq)
struct ServingWhileResolving {
    private static let clientCount = 1_000
    private static let nameCount = 10_000
    private static let connectCount = 1_000
    private let reactor: Reactor

    init() throws {
        reactor = try Reactor()
        // Clients and their channels take two each.
        DescriptorLimit.raise()
    }

    // W30
    @Test func `1,000 clients go on being served, and every name and connect gets its verdict`()
        throws
    {
        let dnsmasq = try Dnsmasq()
        var options = ResolverOptions()
        options.timeLimit = .seconds(60)
        let resolver = try Resolver(asking: .asking([dnsmasq]), on: reactor, options: options)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        let clients = EchoClients(Self.clientCount, to: server.address)
        reactor.expect("everybody is served once") { clients.roundCount >= 1 }

        let refusals = try VainConnects(Self.connectCount, on: reactor)
        try refusals.begin(atOnce: 100)
        let questions = ManyQuestions(Self.nameCount, "n", of: resolver)
        let before = clients.roundCount
        questions.ask(atOnce: 500, on: reactor)
        reactor.expect("every connect fails") { refusals.isOver }
        #expect(clients.roundCount - before >= 2, "somebody was not served meanwhile")

        clients.finish()
        reactor.expect("the clients are served to their end") { clients.hasEnded }
        clients.join()
        #expect(clients.faults == [])
        #expect(questions.hasEachOnce)
        #expect(questions.failures.first == nil, "\(questions.failures.count) failed")
        #expect(questions.wrongAnswers.first == nil)
        #expect(refusals.hasEachOnce)
        #expect(refusals.faults == [])
        reactor.expect("all have gone") { server.connectionCount == 0 }
        #expect(server.counters.accepted == UInt64(Self.clientCount))
        server.close()
    }
}

// MARK: - Clients

/// Clients on a thread of their own, each of which sends a line and waits for it to come back, in
/// rounds until they are told to stop.
private final class EchoClients {
    private let state = State()
    private let thread: OtherThread

    /// What both threads see.
    private final class State: Sendable {
        let mayEnd = Flag()
        let hasEnded = Flag()
        let rounds = Tally()
        let faults = SharedValue<[String]>([])
    }

    init(_ count: Int, to address: SocketAddress) {
        let state = state
        thread = OtherThread {
            do {
                let sockets = try (0..<count).map { _ in HeldSocket(try .connecting(to: address)) }
                repeat {
                    try Self.echo(sockets, round: state.rounds.value)
                    state.rounds.add(1)
                } while !state.mayEnd.isSet
                // Before they go, which the reactor sees.
                state.hasEnded.set()
                withExtendedLifetime(sockets) {}
            } catch {
                state.faults.change { $0.append("\(error)") }
                state.hasEnded.set()
            }
        }
    }

    /// How often each of them was answered.
    var roundCount: Int { state.rounds.value }
    /// What went wrong.
    var faults: [String] { state.faults.value }
    /// Whether they are about to close.
    var hasEnded: Bool { state.hasEnded.isSet }

    /// Lets them end with the round that is under way.
    func finish() { state.mayEnd.set() }

    /// Waits for the end of their thread.
    func join() { thread.join() }

    private struct WrongEcho: Error {
        let number: Int
        let text: String
    }

    private static func echo(_ sockets: [HeldSocket], round: Int) throws {
        for (number, held) in sockets.enumerated() {
            guard held.socket.waits(for: POLLOUT) else { throw Mishap() }
            try held.socket.sendAll("client \(number), round \(round)\n")
        }
        for (number, held) in sockets.enumerated() {
            let expected = "client \(number), round \(round)\n"
            var received: [UInt8] = []
            while received.count < expected.utf8.count {
                guard held.socket.waits(for: POLLIN), let bytes = try held.socket.receiveNow()
                else { throw WrongEcho(number: number, text: received.text) }
                received += bytes
            }
            if received.text != expected { throw WrongEcho(number: number, text: received.text) }
        }
    }
}

extension Socket {
    /// Whether it becomes ready within 20 s.
    fileprivate func waits(for event: CInt) -> Bool {
        var question = pollfd(fd: number, events: Int16(event), revents: 0)
        return poll(&question, 1, 20_000) == 1
    }
}

// MARK: - Connects

/// Connects to a port where nobody listens, so many at once, and keeps what came of each.
private final class VainConnects {
    private let client: Client
    private let holder: HeldSocket
    private let address: SocketAddress
    private let count: Int
    private var begun = 0
    private var verdictCounts: [Int]
    private var verdictCount = 0
    /// Verdicts other than that it was refused.
    private(set) var faults: [String] = []

    init(_ count: Int, on reactor: Reactor) throws {
        client = Client(on: reactor)
        self.count = count
        verdictCounts = Array(repeating: 0, count: count)
        // Bound and not listening: its port is nobody else's.
        holder = HeldSocket(try Socket(for: .loopback(port: 0)))
        try holder.socket.bind(to: .loopback(port: 0))
        address = try holder.socket.localAddress
    }

    /// Whether each has its verdict.
    var isOver: Bool { verdictCount >= count }

    /// Whether each has one verdict and no more.
    var hasEachOnce: Bool { verdictCounts.allSatisfy { $0 == 1 } }

    /// Starts the first ones; each verdict has one more started.
    func begin(atOnce: Int) throws {
        for _ in 0..<atOnce { try connectNext() }
    }

    private func connectNext() throws {
        guard begun < count else { return }
        let number = begun
        begun += 1
        try client.connect(to: address) { verdict in
            self.verdictCount += 1
            self.verdictCounts[number] += 1
            switch verdict {
            case .success(let channel):
                channel.close()
                self.faults.append("\(number) is connected")
            case .failure(let error):
                let refused = SocketError(.connect, .connectionRefused, at: self.address)
                if error.cause != .refused(refused) { self.faults.append("\(error)") }
            }
            do { try self.connectNext() } catch { self.faults.append("\(error)") }
        }
    }
}
