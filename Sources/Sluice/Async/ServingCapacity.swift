// SPDX-License-Identifier: Apache-2.0
//
// A group's limits on connections and handlers, counted by all reactors.

import SluiceText
internal import Synchronization

/// How many connections and handlers there may be, for one accepting part and all that it places
/// connections on.
final class ServingCapacity: Sendable {
    private let maximumConnections: Int
    private let maximumHandlers: Int
    /// Whether clients wait for the connections to become fewer.
    private let clientsWait: Bool
    private let connections = Atomic(0)
    private let handlers = Atomic(0)
    private let acceptor = Locked<Acceptor>(Acceptor())

    private struct Acceptor: Sendable {
        weak var part: ServingPart?
    }

    /// One share of several, which together are what the options say.
    init(_ options: ServingOptions, share: Int = 0, of count: Int = 1) {
        func part(of limit: Int) -> Int {
            let limit = max(1, limit)
            return limit / count + (share < limit % count ? 1 : 0)
        }
        maximumConnections = part(of: options.server.maximumConnections)
        maximumHandlers = part(of: options.maximumHandlers)
        clientsWait = options.server.admission.whenFull == .wait
    }

    /// Whether there is anything to accept.
    var hasShare: Bool { maximumConnections > 0 && maximumHandlers > 0 }

    func accepts(with part: ServingPart) { acceptor.withLock { $0.part = part } }

    /// Whether clients have to wait.
    var isFull: Bool {
        (clientsWait && !hasRoom)
            || handlers.load(ordering: .sequentiallyConsistent) >= maximumHandlers
    }

    /// Whether there may be one more connection.
    var hasRoom: Bool { connections.load(ordering: .sequentiallyConsistent) < maximumConnections }

    /// On the accepting thread.
    ///
    /// - Returns: whether it was the last one for now.
    func connectionBegan() -> Bool {
        connections.add(1, ordering: .sequentiallyConsistent)
        handlers.add(1, ordering: .sequentiallyConsistent)
        return isFull
    }

    func connectionEnded() { giveBack(connections, maximumConnections) }

    func handlerEnded() { giveBack(handlers, maximumHandlers) }

    private func giveBack(_ count: borrowing Atomic<Int>, _ maximum: Int) {
        let before = count.subtract(1, ordering: .sequentiallyConsistent).oldValue
        // Whoever held the acceptor back did so before, or sees the new count.
        guard before >= maximum, let part = acceptor.withLock({ $0.part }) else { return }
        part.executor.performEnding { part.goOn() }
    }
}
