// SPDX-License-Identifier: Apache-2.0
//
// SIGTERM in full flow: the server lets nobody new in, serves its clients to their end, and exits
// with 0.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct Stopping {
    /// Whether a new client is refused.
    private func refuses(_ address: SocketAddress) -> Bool {
        guard let peer = try? Peer(to: address) else { return true }
        return !peer.isConnected() || peer.send([0]) == 0
    }

    @Test func `clients in full flow get all of it back and the server exits with 0`() throws {
        let (server, address) = try CommandProcess.serving("echo", "--drain", "60s")
        let crowd = try Crowd.echoing(50, to: address)
        let piece = (0..<8_192).map { UInt8(truncatingIfNeeded: $0 % 251) }
        var sent = [Int](repeating: 0, count: 50)
        func flow(until isDone: () -> Bool) throws {
            let deadline = ContinuousClock.now + .seconds(10)
            while !isDone() {
                try #require(ContinuousClock.now < deadline)
                for (index, peer) in crowd.peers.enumerated() {
                    sent[index] += peer.send(Array(piece[(sent[index] % piece.count)...]))
                }
                crowd.take(within: .milliseconds(5))
            }
        }
        try flow { crowd.peers.allSatisfy { $0.receivedByteCount > 100_000 } }
        server.send(SIGTERM)
        try flow { refuses(address) }
        let marks = crowd.peers.map(\.receivedByteCount)
        try flow { zip(crowd.peers, marks).allSatisfy { $0.receivedByteCount > $1 + 100_000 } }
        for peer in crowd.peers { try peer.socket.shutDown(.writing) }
        crowd.expect("each meets the end") { $0.ending == .finished }
        for (peer, count) in zip(crowd.peers, sent) {
            #expect(peer.receivedByteCount == count)
            expectSame(peer.received, (0..<count).map { piece[$0 % piece.count] })
        }
        #expect(try server.ended(within: .seconds(5)) == .exited(0))
    }

    @Test func `clients that never end are ended at the limit, with status 0`() throws {
        let (server, address) = try CommandProcess.serving("chargen", "--drain", "300ms")
        let crowd = Crowd()
        try crowd.open(20, to: address)
        crowd.expect("each is served") { $0.receivedByteCount > 1_000_000 }
        let start = ContinuousClock.now
        server.send(SIGTERM)
        while crowd.peers.contains(where: { $0.ending == nil }) {
            try #require(ContinuousClock.now - start < .seconds(5))
            crowd.take(keeping: false, within: .milliseconds(5))
        }
        #expect(try server.ended(within: .seconds(5)) == .exited(0))
        #expect(ContinuousClock.now - start >= .milliseconds(300))
    }

    @Test func `clients that never read do not keep the server from ending`() throws {
        let (server, address) = try CommandProcess.serving("chargen", "--drain", "300ms")
        let crowd = Crowd()
        try crowd.open(20, to: address)
        for peer in crowd.peers { #expect(peer.hasInput(within: .seconds(5))) }
        server.send(SIGTERM)
        #expect(try server.ended(within: .seconds(5)) == .exited(0))
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a second signal ends the server at once`(signal: CInt) throws {
        let (server, address) = try CommandProcess.serving("echo", "--drain", "1h")
        let crowd = try Crowd.echoing(10, to: address)
        server.send(signal)
        server.expect("the first one ends the accepting") { refuses(address) }
        server.send(signal)
        #expect(try server.ended(within: .seconds(5)) == .exited(0))
        crowd.expect("each meets the end") { $0.ending != nil }
    }
}
