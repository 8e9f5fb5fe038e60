// SPDX-License-Identifier: Apache-2.0
//
// The send times of an open load, fixed before the first request leaves.
// What a slow server does cannot move them, so its stalls show in full in the latencies.

/// Send times at a fixed rate, of which one of several processes may own a share.
public struct Pacing: Hashable, Sendable {
    /// How many requests a second all shares send together.
    public let requestsPerSecond: Double
    /// The number of the first request that belongs to this share.
    public let first: Int
    /// How many shares there are: the numbers of two requests of one share differ by this.
    public let stride: Int

    /// All requests of a rate, or every `stride`-th of them.
    ///
    /// - Precondition: the rate is positive and finite, and `first` is one of `0..<stride`.
    public init(requestsPerSecond: Double, first: Int = 0, stride: Int = 1) {
        precondition(
            requestsPerSecond > 0 && requestsPerSecond.isFinite, "a rate is a positive number")
        precondition(stride > 0 && (0..<stride).contains(first), "a share is one of its stride")
        self.requestsPerSecond = requestsPerSecond
        self.first = first
        self.stride = stride
    }

    /// One of `count` equal shares; together they send what this pacing sends.
    public func share(_ index: Int, of count: Int) -> Pacing {
        Pacing(
            requestsPerSecond: requestsPerSecond, first: first + index * stride,
            stride: stride * count)
    }

    /// When a request of this share is due, in nanoseconds after the start.
    ///
    /// - Parameter number: which of the share's requests, counted from 0.
    public func due(_ number: Int) -> UInt64 {
        // At most about 285 years, so that no rate is too low.
        UInt64(min(Double(first + number * stride) * 1e9 / requestsPerSecond, 9e18))
    }
}
