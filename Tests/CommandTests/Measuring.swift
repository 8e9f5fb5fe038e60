// SPDX-License-Identifier: Apache-2.0
//
// How answers are compared, counted, added up and reported, without a socket.

import SluiceReport
import Testing

@testable import SluiceCommand
@testable import SluiceLoad

extension CommandSuite {
    struct Measuring {
        @Test func `answers are recognised wherever the input is cut`() {
            let pattern = RequestPattern(byteCount: 10)
            let input = pattern.bytes + pattern.bytes + pattern.bytes
            for cut in 0...input.count {
                var matched = 0
                let parts = [Array(input[..<cut]), Array(input[cut...])]
                let counts = parts.map { pattern.completed(by: $0.span.bytes, matched: &matched) }
                #expect(counts == [cut / 10, 3 - cut / 10])
            }
        }

        @Test func `one wrong byte anywhere is noticed`() {
            let pattern = RequestPattern(byteCount: 64)
            for place in 0..<64 {
                var (input, matched) = (pattern.bytes, 0)
                input[place] ^= 1
                #expect(pattern.completed(by: input.span.bytes, matched: &matched) == nil)
            }
        }

        @Test func `a request ends with the end of a line`() {
            #expect(RequestPattern(byteCount: 1).bytes == [10])
            #expect(RequestPattern(byteCount: 1_000).bytes.count { $0 == 10 } == 1)
        }

        @Test func `times come out in the order in which they went in`() {
            var ring = TimestampRing(capacity: 2)
            for time in 0..<3 { ring.append(UInt64(time)) }
            var popped = [ring.popFirst()]
            for time in 3..<10 { ring.append(UInt64(time)) }
            for _ in 0..<10 { popped.append(ring.popFirst()) }
            #expect(popped == (0..<10).map { UInt64($0) } + [nil])
        }

        @Test func `a percentile is exact to three digits`() {
            var latencies = LatencyHistogram()
            for count in 1...1_000 { latencies.record(.microseconds(count)) }
            let median = latencies.latency(atPercentile: 50) ?? .zero
            #expect(abs(median / .microseconds(500) - 1) < 0.002)
        }

        @Test func `a result survives the way between two processes`() {
            let result = Self.example
            var read = LoadResult()
            let isRead = result.lines.map { read.read(line: $0) }
            #expect(!isRead.contains(false))
            #expect(read == result)
        }

        @Test(arguments: ["", "requests", "requests many", "error 3", "latencies 1:x", "other 1"])
        func `a line that no result writes changes nothing`(line: String) {
            var read = LoadResult()
            let isRead = read.read(line: line)
            #expect(!isRead)
            #expect(read == LoadResult())
        }

        @Test func `results of two processes add up`() {
            var sum = Self.example
            sum.add(Self.example)
            #expect(sum.requestCount == 2 * Self.example.requestCount)
            #expect(sum.errors[.reset] == 6)
            #expect(sum.duration == Self.example.duration)
            #expect(sum.connectDuration == Self.example.connectDuration)
            #expect(sum.latencies.count == 4)
        }

        @Test func `each missed threshold is named`() {
            var thresholds = Thresholds()
            #expect(thresholds.missed(by: Self.example).isEmpty)
            thresholds.maximumErrorRate = 0
            thresholds.minimumRate = 1e9
            thresholds.maximumP99 = .nanoseconds(1)
            #expect(thresholds.missed(by: Self.example).count == 3)
            #expect(thresholds.missed(by: LoadResult()).count == 2)
        }

        @Test func `what a connection costs is divided by their number`() {
            var samples = ServerSamples()
            samples.memoryBefore = 1_000
            samples.memoryIdle = 3_000
            samples.timeAtStart = ProcessorTime(user: .zero, total: .milliseconds(1))
            samples.timeIdle = ProcessorTime(user: .zero, total: .milliseconds(2))
            let cost = samples.cost(of: Self.example)
            #expect(cost.idleBytesPerConnection == 400)
            #expect(abs((cost.microsecondsPerConnection ?? 0) - 200) < 0.001)
            #expect(cost.bytesPerConnectionAfterTraffic == nil)
        }

        @Test func `processor time is read past a name with blanks and brackets`() {
            let line = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 230 45 0 0"
            let ticks = ProcessObserver.ticks(in: line)
            #expect(ticks?.user == 230)
            #expect(ticks?.system == 45)
            #expect(ProcessObserver.ticks(in: "7 (a S 1") == nil)
        }

        @Test func `resident memory is told in bytes`() {
            let text = "00-ff ---p 0 00:00 0 [rollup]\nRss:               13540 kB\nPss: 1 kB\n"
            #expect(ProcessObserver.residentByteCount(in: text) == 13_540 * 1_024)
        }

        @Test func `text in JSON is escaped`() {
            let value = JSONValue.object([
                ("a\"b", .string("\\\u{1}\n")), ("c", .number(.infinity)),
            ])
            #expect(value.description == "{\"a\\\"b\": \"\\\\\\u0001\\u000a\", \"c\": null}")
        }

        @Test func `numbers are written for people`() {
            #expect(NumberText.grouped(1_234_567) == "1,234,567")
            #expect(NumberText.grouped(-100) == "-100")
            #expect(NumberText.fixed(3.05, digits: 1) == "3.1")
            #expect(NumberText.bytes(1_536) == "1.5 KiB")
            #expect(NumberText.time(.microseconds(1_500)) == "1.50 ms")
        }

        static var example: LoadResult {
            var result = LoadResult()
            result.connectionCount = 5
            result.requestCount = 100
            result.connectDuration = .milliseconds(300)
            result.duration = .seconds(2)
            result.errors = [.reset: 3, .timedOut: 1]
            result.bytesSent = 6_400
            result.bytesReceived = 6_336
            result.connectFailure = "connect 127.0.0.1:9: Connection refused"
            result.latencies.record(.microseconds(10))
            result.latencies.record(.milliseconds(10))
            return result
        }
    }
}
