// SPDX-License-Identifier: Apache-2.0
//
// What a load by datagrams makes of peers that are not there, or not any more: run in this process,
// so that the peers can follow it.

import Sluice
import TestSupport
import Testing

@testable import SluiceLoad

extension CommandSuite {
    struct LosingDatagrams {
        @Test func `each request to nobody is one error, and no other`() throws {
            var workload = try Workload(toPort: #require(SocketAddress.unused().port))
            workload.kind = .paced(Pacing(requestsPerSecond: 1_000))
            workload.pipeline = 1_024
            workload.connectionCount = 3
            let run = LoadRun(workload, on: try Reactor())
            run.carry()
            #expect(run.result.isCutShort)
            #expect(run.result.errors == [.refused: run.pace?.number ?? 0])
        }

        @Test func `what never left counts as dropped`() throws {
            let peer = try PlainDatagramSocket()
            var workload = Workload(toPort: peer.port)
            workload.kind = .paced(Pacing(requestsPerSecond: 1_000))
            workload.pipeline = 3
            workload.duration = .milliseconds(50)
            let reactor = try Reactor()
            let run = LoadRun(workload, on: reactor)
            run.carry { if $0 == .settling { reactor.after(.zero) { run.stop() } } }
            #expect(run.result.errors == [.unanswered: 3, .dropped: 47])
        }

        @Test func `requests of the warm-up are no errors`() throws {
            let peer = try PlainDatagramSocket()
            var workload = Workload(toPort: peer.port)
            workload.pipeline = 3
            workload.warmUp = .milliseconds(10)
            let run = LoadRun(workload, on: try Reactor())
            run.carry { phase in
                guard phase == .measuring else { return }
                run.stop()
                // Does not wait for answers.
                run.stop()
            }
            #expect(peer.receiveNow() != nil)
            #expect(run.result.errors.isEmpty)
        }

        @Test func `a server that goes away closes no socket, be it answered or not`() throws {
            var peer: PlainDatagramSocket? = try PlainDatagramSocket()
            var workload = Workload(toPort: try #require(peer).port)
            workload.kind = .paced(Pacing(requestsPerSecond: 1_000))
            workload.pipeline = 1_024
            workload.connectionCount = 2
            workload.datagramTimeout = .milliseconds(50)
            let reactor = try Reactor()
            let run = LoadRun(workload, on: reactor)
            var answered: UInt16?
            let watch = reactor.every(.milliseconds(1)) {
                while let question = peer?.receiveNow() {
                    answered = answered ?? question.port
                    if question.port == answered { peer?.send(question.bytes, to: question.port) }
                }
                if run.isAnswered { peer = nil }
                if run.result.errors[.refused] ?? 0 > 20 { run.stop() }
            }
            run.carry(closes: false)
            watch.cancel()
            #expect(run.connections.count == 2)
            #expect(!run.result.isCutShort)
            run.close()
        }

        @Test func `where nobody is at an address all sockets go on with the next one`() throws {
            let peer = try OddPeer { request, _ in [request] }
            let next = try #require(LoadTarget(peer.target)?.endpoint.numericAddress)
            let gone = try SocketAddress.unused()
            var workload = try Workload(toPort: #require(SocketAddress.unused().port))
            workload.connectionCount = 3
            workload.duration = .milliseconds(200)
            let run = LoadRun(workload, on: try Reactor())
            run.carry { [unowned run] phase in
                if phase == .ready { run.opening.others = [gone, next] }
            }
            #expect(run.result.requestCount > 0)
            #expect(run.result.errors.isEmpty)
            #expect(run.result.connectFailure == nil)
        }

        @Test(arguments: [
            (Duration.milliseconds(10), Duration.seconds(1)), (.seconds(3), .seconds(3)),
        ])
        func `answers to datagrams have all their time at the end`(
            time: Duration, patience: Duration
        ) {
            var workload = Workload(toPort: 9)
            workload.datagramTimeout = time
            #expect(LoadRun.patience(for: workload) == patience)
        }

        @Test func `a target by datagrams is made of any endpoint`() {
            let target = LoadTarget(.host("example.org", port: 9), usesDatagrams: true)
            #expect(target == LoadTarget("udp://example.org:9"))
            #expect(LoadTarget(.host("example.org", port: 9)) == LoadTarget("tcp://example.org:9"))
        }
    }
}

extension Workload {
    /// One socket to a port of this machine, for an hour.
    fileprivate init(toPort port: UInt16) {
        let place = Endpoint.address(.loopback(port: port))
        self.init(on: LoadTarget(place, usesDatagrams: true))
        connectionCount = 1
        ramp = .zero
        duration = .seconds(3_600)
    }
}

extension LoadRun {
    /// Goes through all phases, and tells of each before it goes on.
    fileprivate func carry(closes: Bool = true, _ tell: @escaping (Phase) -> Void = { _ in }) {
        onPhase = { [unowned self] phase in
            tell(phase)
            if phase == .ready { begin() }
        }
        connect()
        run()
        onPhase = { _ in }
        if closes { close() }
    }
}
