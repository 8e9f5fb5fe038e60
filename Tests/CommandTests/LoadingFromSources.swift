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

        @Test(arguments: ["--processes", "--workers"])
        func `workers have sources of their own, and the report counts them`(kind: String) throws {
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
                    "load", "tcp://\(try #require(place.value))", kind, "2", "--connections", "8",
                    "--ramp", "0", "--duration", "50ms", "--json", "--source",
                    "127.0.1.1-127.0.1.3,127.0.1.3/32", "--source", "127.0.1.4",
                ])
            let (end, output) = try load.finish()
            #expect(end == .exited(0), "\(load.errors.text)")
            let report = try JSONSerialization.jsonObject(with: Data(output.utf8))
            #expect((report as? [String: Any])?["sources"] as? Int == 4)
            let expected = (1...4).map { (IPAddress.v4(0x7F00_0100 + $0), 2) }
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

        @Test func `shares have no source in common, or begin apart`() {
            var workload = Workload(on: LoadTarget(.address(.loopback(port: 1))))
            workload.sources = sources
            let two = (0..<2).map { workload.share($0, of: 2).sources }
            #expect(two == [[sources[0], sources[2]], [sources[1]]])
            let four = (0..<4).map { workload.share($0, of: 4).sources.first }
            #expect(four == [sources[0], sources[1], sources[2], sources[0]])
            workload.sources = []
            #expect(workload.share(1, of: 2).sources.isEmpty)
        }
    }
}
