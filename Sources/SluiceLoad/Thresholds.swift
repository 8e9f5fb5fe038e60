// SPDX-License-Identifier: Apache-2.0
//
// What a load must reach to count as passed, for scripts that only look at the exit status.

/// The least that a result must reach.
public struct Thresholds: Hashable, Sendable {
    /// At most this share of errors, 0 to 1; `nil` for any.
    ///
    /// Initially `nil`.
    public var maximumErrorRate: Double?
    /// At least this many answered requests a second; `nil` for any.
    ///
    /// Initially `nil`.
    public var minimumRate: Double?
    /// At most this latency at the 99th percentile; `nil` for any.
    ///
    /// Initially `nil`.
    public var maximumP99: Duration?

    /// No thresholds.
    public init() {}

    /// A sentence for each threshold that a result misses; where nothing was answered there is no
    /// latency.
    public func missed(by result: LoadResult) -> [String] {
        var missed: [String] = []
        if let limit = maximumErrorRate, result.errorRate > limit {
            missed.append("error rate \(result.errorRate) is above \(limit)")
        }
        if let limit = minimumRate, result.requestsPerSecond < limit {
            missed.append("rate \(result.requestsPerSecond)/s is below \(limit)/s")
        }
        if let limit = maximumP99 {
            let p99 = result.latencies.latency(atPercentile: 99)
            if p99 == nil || p99 ?? .zero > limit {
                missed.append("p99 \(p99.map { "\($0)" } ?? "unknown") is above \(limit)")
            }
        }
        return missed
    }
}
