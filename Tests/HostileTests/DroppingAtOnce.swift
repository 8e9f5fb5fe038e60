// SPDX-License-Identifier: Apache-2.0
//
// A program with 10,000 connections dies, and the server's other clients must hardly notice.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct DroppingAtOnce {
    /// Holds connections that were served once, until it is killed.
    private static let holder = """
        import socket, sys
        held = []
        for number in range(10000):
            connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            connection.sendall(b".")
            assert connection.recv(1) == b"."
            held.append(connection)
        print("all are held", flush=True)
        sys.stdin.read()
        """

    @Test func `10,000 connections dropped at once do not disturb 100 that echo`() throws {
        let (server, address) = try CommandProcess.serving("echo")
        try server.expectNothingLeft {
            let crowd = try Crowd.echoing(100, to: address)
            let holder = try CommandProcess(
                "python3", ["-c", Self.holder, "\(address.port ?? 0)"], input: nil)
            let idle = server.descriptorCount
            _ = try holder.line(with: "all are held")
            #expect(server.descriptorCount == idle + 10_000)
            var before: [Duration] = []
            for _ in 0..<100 { before += latencies(of: crowd) }
            holder.send(SIGKILL)
            var during: [Duration] = []
            server.expect("the dropped ones are let go") {
                for _ in 0..<5 { during += latencies(of: crowd) }
                return server.descriptorCount == idle
            }
            #expect(try holder.ended() == .killed(by: SIGKILL))
            for _ in 0..<10 { _ = latencies(of: crowd) }
            print(
                """
                10,000 dropped at once: of 100 that echo, p99 \(percentile(before)) before, \
                \(percentile(during)) during, longest \(during.max()?.milliseconds ?? "-")
                """)
        }
        #expect(server.errors.isEmpty, "\(server.errors.text)")
    }

    /// Has each of them ask once; the answer must be its question.
    private func latencies(of crowd: Crowd) -> [Duration] {
        var starts: [ObjectIdentifier: ContinuousClock.Instant] = [:]
        var latencies: [Duration] = []
        for (number, peer) in crowd.peers.enumerated() {
            peer.drop()
            starts[ObjectIdentifier(peer)] = .now
            peer.send(Array("client \(1_000 + number)".utf8))
        }
        var number = 0
        crowd.expect("each is answered") { peer in
            guard peer.receivedByteCount >= 11, let start = starts[ObjectIdentifier(peer)] else {
                return false
            }
            latencies.append(.now - start)
            return true
        }
        for peer in crowd.peers {
            #expect(peer.received.text == "client \(1_000 + number)")
            number += 1
        }
        return latencies
    }

    private func percentile(_ latencies: [Duration]) -> String {
        latencies.sorted().dropLast(latencies.count / 100).last?.milliseconds ?? "-"
    }
}

extension ContinuousClock.Instant {
    fileprivate static func - (end: Self, start: Self) -> Duration { start.duration(to: end) }
}
