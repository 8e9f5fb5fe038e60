// SPDX-License-Identifier: Apache-2.0
//
// Clients that come one after the other for as long as a test wants, and count what becomes of them.

public import Sluice
import Testing

/// Some clients at once, each of which connects, reads a line, closes and comes again.
public final class SteadyClients {
    /// The lines that were read.
    public private(set) var answers: [String] = []
    /// Why there was no connection, each time.
    public private(set) var refusals: [ConnectError] = []
    /// How connections ended that had no line.
    public private(set) var losses: [EndReason] = []
    private let client: Client
    private let reactor: Reactor
    private let address: SocketAddress
    /// How many connections there are, with those that are being made.
    private var underWay = 0
    private var isStopping = false

    /// Begins with `count` clients.
    public init(_ count: Int = 4, to address: SocketAddress, on reactor: Reactor) throws {
        client = Client(on: reactor)
        self.reactor = reactor
        self.address = address
        for _ in 0..<count { try connect() }
    }

    /// Which processes have answered.
    public var processes: Set<Int32> { Set(answers.compactMap { WorkerAnswer($0)?.process }) }

    /// Comes no more, and waits for the clients that are there.
    public func stop() {
        isStopping = true
        reactor.expect("the last client has its answer") { self.underWay == 0 }
    }

    private func connect() throws {
        underWay += 1
        try client.connect(to: address) { [weak self] verdict in
            guard let self else { return }
            switch verdict {
            case .success(let channel): converse(channel)
            case .failure(let error):
                refusals.append(error)
                next()
            }
        }
    }

    private func converse(_ channel: Channel) {
        // No connection of thousands is left in TIME_WAIT; one that is gone has no such options.
        try? channel.set(.linger, to: .on(.zero))
        var isAnswered = false
        channel.onLine { [weak self] channel, line in
            isAnswered = true
            self?.answers.append(line)
            channel.close()
        }
        channel.onClose { [weak self] _, reason in
            guard let self else { return }
            if !isAnswered { losses.append(reason) }
            next()
        }
    }

    private func next() {
        underWay -= 1
        reactor.after(.milliseconds(2)) { [weak self] in
            if let self, !isStopping { try connect() }
        }
    }
}

/// What a worker in Python says to its clients.
public struct WorkerAnswer: Hashable {
    /// The worker's process.
    public let process: Int32
    /// The word that it was started with.
    public let word: String

    /// Reads a line; `nil` where it is none of such a worker.
    public init?(_ line: String) {
        let parts = line.split(separator: " ")
        guard parts.count == 2, let process = Int32(parts[0]) else { return nil }
        self.process = process
        word = String(parts[1])
    }
}
