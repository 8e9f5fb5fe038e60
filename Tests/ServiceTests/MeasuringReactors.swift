// SPDX-License-Identifier: Apache-2.0
//
// What happens on reactors, as counters and timers.

import Metrics
import MetricsTestKit
import Sluice
import SluiceMetrics
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct MeasuringReactors {
    @Test func `connections, bytes, turns and letters are counted`() throws {
        let reactor = try Reactor()
        let metrics = TestMetrics()
        reactor.reportMetrics(
            dimensions: [("place", "here")], every: .milliseconds(1), to: metrics)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        let verdicts = Box<[Channel]>([])
        for _ in 0..<3 {
            try Client(on: reactor).connect(to: server.addresses[0]) { verdict in
                if case .success(let channel) = verdict {
                    verdicts.value.append(channel)
                    _ = try? channel.write(Array("hello".utf8))
                }
            }
        }
        try reactor.handle.perform { _ in }
        let here = [("place", "here")]
        let open = try metrics.expectMeter("sluice.connections.open", here)
        // The clients do not read what comes back.
        reactor.expect("six channels and their bytes are told") {
            let sent = try? metrics.expectCounter("sluice.bytes.sent", here).totalValue
            let received = try? metrics.expectCounter("sluice.bytes.received", here).totalValue
            return open.lastValue == 6 && sent == 30 && received == 15
        }
        #expect(try metrics.expectCounter("sluice.connections.accepted", here).totalValue == 3)
        #expect(try metrics.expectCounter("sluice.connections.connected", here).totalValue == 3)
        #expect(try metrics.expectRecorder("sluice.mailbox.depth", here).values.contains(1))
        #expect(try metrics.expectTimer("sluice.turn.duration", here).values.allSatisfy { $0 > 0 })
        for channel in verdicts.value { channel.close() }
        reactor.expect("all are closed") { open.lastValue == 0 }
        func closed(_ reason: String) throws -> Int64? {
            try metrics.expectCounter("sluice.connections.closed", here + [("reason", reason)])
                .totalValue
        }
        #expect(try closed("local") == 3)
        #expect(try closed("finished") == 3)
        // What has closed still counts.
        #expect(try metrics.expectCounter("sluice.bytes.sent", here).totalValue == 30)
        server.close()
    }

    @Test func `clients that are turned away, and names, are counted`() throws {
        let reactor = try Reactor()
        let metrics = TestMetrics()
        reactor.reportMetrics(to: metrics)
        var options = ServerOptions()
        options.denied = [try #require(AddressRange("127.0.0.0/8"))]
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) { _, _ in }
        let verdicts = Box(0)
        for name in ["localhost", "no such name"] {
            let port = server.addresses[0].port ?? 0
            try Client(on: reactor).connect(to: .host(name, port: port)) { verdict in
                verdicts.value += 1
                if case .success(let channel) = verdict { channel.close() }
            }
        }
        reactor.expect("the end of both") { verdicts.value == 2 && server.counters.refused == 1 }
        let refused = try metrics.expectCounter(
            "sluice.connections.refused", [("reason", "denied")])
        #expect(refused.totalValue == 1)
        for outcome in ["answered", "failed"] {
            let timer = try metrics.expectTimer("sluice.dns.duration", [("outcome", outcome)])
            #expect(timer.values.count == 1)
        }
        reactor.settle()
        server.close()
    }

    @Test func `a group's reactors report apart`() async throws {
        let group = try ReactorGroup(count: 2)
        let metrics = TestMetrics()
        try group.reportMetrics(every: .milliseconds(1), to: metrics)
        for number in ["0", "1"] {
            let meter = SharedValue<TestMeter?>(nil)
            while meter.value?.lastValue == nil {
                let found = try? metrics.expectMeter(
                    "sluice.connections.open", [("reactor", number)])
                meter.change { $0 = found }
                try await group.executors[0].sleep(for: .milliseconds(1))
            }
        }
        await group.stop()
    }
}
