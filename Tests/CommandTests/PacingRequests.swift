// SPDX-License-Identifier: Apache-2.0
//
// When the requests and connects of a load are due, without a clock.

import Testing

@testable import SluiceLoad

extension CommandSuite {
    struct PacingRequests {
        @Test func `send times are fixed by the rate alone`() {
            let pacing = Pacing(requestsPerSecond: 4)
            #expect(
                (0..<5).map(pacing.due) == [
                    0, 250_000_000, 500_000_000, 750_000_000, 1_000_000_000,
                ])
        }

        @Test func `the shares of a pacing send together what it sends`() {
            let whole = Pacing(requestsPerSecond: 1_000)
            let shares = (0..<3).map { whole.share($0, of: 3) }
            let times = shares.flatMap { share in (0..<20).map(share.due) }
            #expect(times.sorted() == (0..<60).map(whole.due))
        }

        @Test func `a share of a share is a share`() {
            let whole = Pacing(requestsPerSecond: 100)
            #expect(whole.share(1, of: 2).share(2, of: 3) == whole.share(5, of: 6))
        }

        @Test func `no rate is too low to have send times`() {
            #expect(Pacing(requestsPerSecond: 1e-300).due(1) == 9_000_000_000_000_000_000)
        }

        @Test func `shares have all connections between them`() throws {
            var workload = Workload(on: try #require(LoadTarget("tcp://127.0.0.1:1")))
            workload.connectionCount = 10
            #expect((0..<4).map { workload.share($0, of: 4).connectionCount } == [3, 3, 2, 2])
        }

        @Test func `connects are spread over the ramp`() {
            var ramp = ConnectRamp(count: 10, over: .seconds(1), atOnce: 256)
            let counts = [0, 99, 500, 2_000].map { ramp.start(at: $0 * 1_000_000) }
            #expect(counts == [1, 0, 5, 4])
        }

        @Test func `no more connects are under way than allowed`() {
            var ramp = ConnectRamp(count: 1_000, over: .zero, atOnce: 256)
            var counts = [ramp.start(at: 0), ramp.start(at: 1)]
            ramp.ended(successfully: true)
            ramp.ended(successfully: false)
            counts.append(ramp.start(at: 2))
            #expect(counts == [256, 0, 2])
        }

        @Test func `a target where nothing succeeds is given up`() {
            var ramp = ConnectRamp(count: 1_000, over: .zero, atOnce: 16)
            for _ in 0..<ramp.start(at: 0) { ramp.ended(successfully: false) }
            let more = ramp.start(at: 1)
            #expect(more == 0 && ramp.isDone)
        }
    }
}
