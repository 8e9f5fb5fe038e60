// SPDX-License-Identifier: Apache-2.0
//
// More clients than the server may have descriptors: it serves what it can and waits without
// spinning.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct RunningOutOfDescriptors {
    private let server: CommandProcess
    private let address: SocketAddress
    private let crowd = Crowd()

    init() throws {
        server = try CommandProcess(
            "sh",
            [
                "-c", "ulimit -n 64; exec \"$0\" serve echo --keep-descriptor-limit",
                CommandProcess.sluice,
            ])
        address = try server.listeningAddress()
    }

    private static let question = Array("question".utf8)

    /// Those whose question was answered.
    private var served: [Peer] { crowd.peers.filter { $0.received == Self.question } }

    /// Opens 500 connections, each with a question, and waits until no more are answered.
    private func crowdIn() throws {
        try crowd.open(500, to: address)
        for peer in crowd.peers { #expect(peer.send(Self.question) == Self.question.count) }
        server.expect("the server serves as many as it can") {
            crowd.take()
            return server.descriptorCount == 64 && served.count > 50
        }
        // One more turn for answers that are under way.
        crowd.take(within: .milliseconds(100))
    }

    @Test func `it serves what it can and uses next to no processor time`() throws {
        try crowdIn()
        let count = served.count
        let before = server.processorTime
        server.watch(for: .seconds(2))
        let spent = server.processorTime - before
        crowd.take()
        print("descriptor limit 64: \(count) of 500 served, \(spent.milliseconds) of CPU in 2 s")
        #expect(count > 50 && count < 64)
        #expect(served.count == count)
        #expect(spent < .milliseconds(20))
    }

    @Test func `those that are served are served on`() throws {
        try crowdIn()
        let lucky = served
        for peer in lucky { peer.drop() }
        for round in 1...100 {
            let text = Array("round \(round)".utf8)
            for peer in lucky { #expect(peer.send(text) == text.count) }
            crowd.expect("each is answered", of: lucky[...]) { $0.received == text }
            for peer in lucky { peer.drop() }
        }
    }

    @Test func `descriptors that come free go to those that wait`() throws {
        let idle = server.descriptorCount
        try crowdIn()
        var servedCount = 0
        var turnedAwayCount = 0
        server.expect("all of them are served or turned away") {
            crowd.take()
            servedCount += served.count
            turnedAwayCount += crowd.peers.count { $0.ending != nil }
            crowd.leave { $0.received == Self.question || $0.ending != nil }
            return crowd.peers.isEmpty
        }
        print("descriptor limit 64: \(servedCount) served in turn, \(turnedAwayCount) turned away")
        #expect(servedCount + turnedAwayCount == 500)
        // One is turned away in each pause, and the pauses grow.
        #expect(turnedAwayCount < 100)
        server.expect("all are let go") { server.descriptorCount == idle }
        try server.expectEcho(at: address)
        try server.expectEcho(at: address)
    }

    @Test func `it says once that it has run out`() throws {
        // All of them wait when it looks, so it runs out in the middle of a turn.
        server.send(SIGSTOP)
        try crowd.open(500, to: address)
        server.send(SIGCONT)
        _ = try server.line(with: "Too many open files")
        server.watch(for: .seconds(1))
        let lines = server.errors.text.split(separator: "\n")
        #expect(lines == ["sluice: accept \(address): Too many open files"])
    }
}
