// SPDX-License-Identifier: Apache-2.0
//
// `sluice load --source`: the server sees where the connections come from.

import Foundation
import Glibc
import Sluice
import SluiceLoad
import TestSupport
import Testing

extension CommandSuite {
    struct LoadingFromSources {
        private let reactor: Reactor
        private let seen = Box<[IPAddress: Int]>([:])

        init() throws { reactor = try Reactor() }

        private let sources = (1...3).map { IPAddress.v4(0x7F00_0100 + $0) }

        private func load(_ kind: Workload.Kind, of count: Int = 6) throws -> LoadResult {
            let server = try Server(on: reactor, at: [.loopback(port: 0)]) { [seen] channel, peer in
                if let address = peer.ipAddress { seen.value[address, default: 0] += 1 }
                channel.onBytes { channel, bytes in try channel.write(bytes) }
            }
            var workload = Workload(on: LoadTarget(.address(server.addresses[0])))
            workload.kind = kind
            workload.connectionCount = count
            workload.ramp = .zero
            workload.duration = .milliseconds(50)
            workload.sources = sources
            let result = carried(workload)
            server.close()
            return result
        }

        private func carried(_ workload: Workload) -> LoadResult {
            let run = LoadRun(workload, on: reactor)
            run.onPhase = { [unowned run] in if $0 == .ready { run.begin() } }
            run.connect()
            run.run()
            run.close()
            return run.result
        }

        @Test func `connections come from each source in turn`() throws {
            #expect(try load(.closedLoop).errorCount == 0)
            #expect(seen.value == [sources[0]: 2, sources[1]: 2, sources[2]: 2])
        }

        @Test func `those of a churn do, too`() throws {
            #expect(try load(.churn).churnCount > 0)
            #expect(Set(seen.value.keys) == Set(sources))
        }

        @Test(arguments: ["--processes", "--workers"], [3, 4])
        func `workers use all sources evenly, and the report counts them`(
            kind: String, count: Int
        ) throws {
            let group = try ReactorGroup(count: 1)
            let peers = SharedValue<[IPAddress: Int]>([:])
            let place = SharedValue<SocketAddress?>(nil)
            group.handles[0].performOrFail { reactor in
                let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, peer in
                    guard let address = peer.ipAddress else { return }
                    peers.change { $0[address, default: 0] += 1 }
                    channel.onBytes { channel, bytes in try channel.write(bytes) }
                }
                place.change { $0 = server.addresses[0] }
            }
            // It is another reactor that listens.
            let ticks = reactor.every(.milliseconds(1)) {}
            reactor.expect("the server listens") { place.value != nil }
            ticks.cancel()
            let load = try CommandProcess(
                sluice: [
                    "load", "tcp://\(try #require(place.value))", kind, "2", "--connections", "12",
                    "--ramp", "0", "--duration", "50ms", "--json", "--source",
                    "127.0.1.1-127.0.1.\(count - 1),127.0.1.\(count - 1)/32", "--source",
                    "127.0.1.\(count)",
                ])
            let (end, output) = try load.finish()
            #expect(end == .exited(0), "\(load.errors.text)")
            let report = try JSONSerialization.jsonObject(with: Data(output.utf8))
            #expect((report as? [String: Any])?["sources"] as? Int == count)
            let expected = (1...count).map {
                (IPAddress.v4(0x7F00_0100 + UInt32($0)), 12 / count)
            }
            #expect(peers.value == Dictionary(uniqueKeysWithValues: expected))
            group.stopAndWait()
        }

        @Test func `datagrams come from each source, too`() throws {
            let seen = SharedValue<Set<IPAddress>>([])
            let server = try DatagramChannel(on: reactor, at: .loopback(port: 0))
            server.onDatagram { server, bytes, info in
                if let address = info.sender.ipAddress { seen.change { $0.insert(address) } }
                try server.send(bytes, to: info.sender)
            }
            let address = try server.localAddress
            var workload = Workload(
                on: LoadTarget(
                    .host("localhost", port: try #require(address.port)), usesDatagrams: true))
            workload.connectionCount = 6
            workload.ramp = .zero
            workload.duration = .milliseconds(50)
            workload.sources = sources
            #expect(carried(workload).errorCount == 0)
            #expect(seen.value == Set(sources))
            server.close()
        }

        @Test func `a source that this machine lacks is told with status 69`() throws {
            let load = try CommandProcess(
                sluice: "load", "tcp://127.0.0.1:1", "--source", "192.0.2.1", "--connections", "1")
            #expect(try load.finish().end == .exited(69))
            let sentence = "sluice: bind 192.0.2.1:0: Cannot assign requested address\n"
            #expect(load.errors.text == sentence)
        }

        @Test func `shares have no source in common where the sources divide by them`() {
            var workload = Workload(on: LoadTarget(.address(.loopback(port: 1))))
            let fourth = IPAddress.v4(0x7F00_0104)
            workload.sources = sources + [fourth]
            let two = (0..<2).map { workload.share($0, of: 2).sources }
            #expect(two == [[sources[0], sources[2]], [sources[1], fourth]])
            workload.sources = []
            #expect(workload.share(1, of: 2).sources.isEmpty)
        }

        @Test(arguments: [2, 4])
        func `where they do not, shares together use each equally often`(count: Int) {
            var workload = Workload(on: LoadTarget(.address(.loopback(port: 1))))
            workload.sources = sources
            for connectionCount in 8...20 {
                workload.connectionCount = connectionCount
                let used = (0..<count).flatMap { index -> [IPAddress] in
                    let share = workload.share(index, of: count)
                    return (0..<share.connectionCount).map { share.sources[$0 % 3] }
                }
                let counts = sources.map { source in used.count { $0 == source } }
                let rest = connectionCount % 3
                let expected =
                    Array(repeating: connectionCount / 3, count: 3 - rest)
                    + Array(repeating: connectionCount / 3 + 1, count: rest)
                #expect(counts.sorted() == expected)
            }
        }
    }
}
