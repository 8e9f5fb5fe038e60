// SPDX-License-Identifier: Apache-2.0
//
// How long requests took, as counts in buckets of three significant digits.
// Histograms of several processes add up without loss.

internal import Histogram

/// The latencies of a load.
public struct LatencyHistogram: Equatable, Sendable {
    /// In nanoseconds, up to an hour; what is longer counts as an hour.
    private var histogram = Histogram<UInt64>(highestTrackableValue: longest)

    private static let longest: UInt64 = 3_600_000_000_000

    /// No latencies.
    public init() {}

    /// How many latencies there are.
    public var count: Int { Int(clamping: histogram.totalCount) }

    /// The longest latency; `nil` where there is none.
    public var longest: Duration? {
        count == 0 ? nil : .nanoseconds(Int64(clamping: histogram.max))
    }

    /// The latency that a share of the requests did not exceed; `nil` where there is none.
    ///
    /// - Parameter percentile: 0 to 100, such as 99.9.
    public func latency(atPercentile percentile: Double) -> Duration? {
        if count == 0 { return nil }
        return .nanoseconds(Int64(clamping: histogram.valueAtPercentile(percentile)))
    }

    /// Adds the latencies of another process.
    public mutating func add(_ other: LatencyHistogram) { histogram.add(other.histogram) }

    /// Adds `count` equal latencies.
    public mutating func record(_ latency: Duration, count: Int = 1) {
        histogram.record(min(latency.wholeNanoseconds, Self.longest), count: UInt64(max(0, count)))
    }

    @inline(__always)
    mutating func record(nanoseconds: UInt64) {
        histogram.record(min(nanoseconds, Self.longest))
    }

    /// The filled buckets: a latency of each in nanoseconds, and how often it was met.
    var buckets: [(nanoseconds: UInt64, count: UInt64)] {
        histogram.recordedValues().map { ($0.value, $0.count) }
    }

    mutating func record(nanoseconds: UInt64, count: UInt64) {
        histogram.record(min(nanoseconds, Self.longest), count: count)
    }
}
