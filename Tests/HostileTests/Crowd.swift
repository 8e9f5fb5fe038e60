// SPDX-License-Identifier: Apache-2.0
//
// Many bare connections to one server, all driven by the thread of the test with poll(2).

import Glibc
import Sluice
import TestSupport
import Testing

/// Connections that end with the object, unless they were let go before: the first thousand in an
/// orderly way, the others with a reset.
///
/// An orderly end occupies the client's port for a minute. With tens of thousands of them no port is
/// left for a program that binds before it connects, as tclsh does, in whatever test comes next.
final class Crowd {
    private(set) var peers: [Peer] = []
    private var scratch = [UInt8](repeating: 0, count: 65_536)

    /// Opens connections and has a byte of each come back from an echo, a few hundred at a time, so
    /// that none waits for the kernel to repeat a step.
    static func echoing(_ count: Int, to address: SocketAddress) throws -> Crowd {
        let crowd = Crowd()
        while crowd.peers.count < count {
            let first = crowd.peers.count
            try crowd.open(min(500, count - first), to: address)
            let news = crowd.peers[first...]
            for peer in news { peer.send([0x2E]) }
            crowd.expect("each new connection is served", of: news) { $0.receivedByteCount == 1 }
            for peer in news { peer.drop() }
        }
        return crowd
    }

    /// Opens connections and waits until they are there.
    func open(_ count: Int, to address: SocketAddress) throws {
        let first = peers.count
        for number in first..<first + count {
            let peer = try Peer(to: address, number: number)
            if number >= 1_000 { try peer.socket.resetOnClose() }
            peers.append(peer)
        }
        for peer in peers[first...] { try #require(peer.isConnected()) }
    }

    /// Reads on all of them until `condition` holds for each; records an issue when that takes too
    /// long.
    func expect(
        _ what: Comment, of some: ArraySlice<Peer>? = nil, within limit: Duration = .seconds(20),
        sourceLocation: SourceLocation = #_sourceLocation, until condition: (Peer) -> Bool
    ) {
        let deadline = ContinuousClock.now + limit
        var waiting = Array(some ?? peers[...])
        while true {
            waiting.removeAll(where: condition)
            if waiting.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                Issue.record("\(what): \(waiting.count) wait", sourceLocation: sourceLocation)
                return
            }
            for index in readable(waiting, within: .milliseconds(20)) {
                waiting[index].take(into: &scratch)
            }
        }
    }

    /// Reads what is there, or comes within a time, on all of them.
    func take(keeping: Bool = true, within limit: Duration = .zero) {
        for index in readable(peers, within: limit) {
            peers[index].take(into: &scratch, keeping: keeping)
        }
    }

    /// The places of those with input, or with an end that was not met yet.
    private func readable(_ some: [Peer], within limit: Duration) -> [Int] {
        var questions = some.map { peer in
            pollfd(
                fd: peer.ending == nil ? peer.socket.number : -1, events: Int16(POLLIN), revents: 0)
        }
        poll(&questions, nfds_t(questions.count), CInt(limit / .milliseconds(1)))
        return questions.indices.filter { questions[$0].revents != 0 }
    }

    /// Ends these connections, each with a reset.
    func resetAll() throws {
        for peer in peers { try peer.socket.resetOnClose() }
        leave()
    }

    /// Ends these connections.
    func leave() { peers.removeAll() }

    /// Ends those for which `condition` holds.
    func leave(where condition: (Peer) -> Bool) { peers.removeAll(where: condition) }
}
