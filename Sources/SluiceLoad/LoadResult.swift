// SPDX-License-Identifier: Apache-2.0
//
// What a load has measured, as a value that several processes' parts add up to.

/// What a load has measured.
public struct LoadResult: Equatable, Sendable {
    /// How many connections were open when measuring began; for a churn, how many at once.
    public var connectionCount = 0
    /// How many requests were answered, byte for byte, in the measured time.
    public var requestCount = 0
    /// How many connections a churn has opened, used and closed in the measured time.
    public var churnCount = 0
    /// What went wrong from the first connect on, by kind.
    public var errors: [LoadErrorKind: Int] = [:]
    /// How long it took until each connect had its verdict.
    ///
    /// For a churn, how long the one connection took that it opens beforehand.
    public var connectDuration = Duration.zero
    /// How long was measured.
    public var duration = Duration.zero
    /// How many bytes were written in the measured time.
    public var bytesSent = 0
    /// How many bytes were read in the measured time.
    public var bytesReceived = 0
    /// How long the answered requests took.
    public var latencies = LatencyHistogram()
    /// The first error of a connect, as one sentence.
    public var connectFailure: String?
    /// Whether the end came because every connection was lost.
    public var isCutShort = false

    /// Nothing measured yet.
    public init() {}

    /// How many errors there were.
    public var errorCount: Int { errors.values.reduce(0, +) }

    /// Errors for each attempt: each answered request and each error counts as one; 0 where there
    /// are neither.
    public var errorRate: Double {
        errorCount == 0 ? 0 : Double(errorCount) / Double(requestCount + errorCount)
    }

    /// Answered requests a second; 0 where nothing was measured.
    public var requestsPerSecond: Double { perSecond(requestCount) }

    /// Connections that a churn finished a second; 0 where nothing was measured.
    public var connectionsPerSecond: Double { perSecond(churnCount) }

    /// A count for each second that was measured; 0 where nothing was.
    public func perSecond(_ count: Int) -> Double {
        duration > .zero ? Double(count) / duration.fractionalSeconds : 0
    }

    /// Adds what another process measured in the same time.
    public mutating func add(_ other: LoadResult) {
        connectionCount += other.connectionCount
        requestCount += other.requestCount
        churnCount += other.churnCount
        errors.merge(other.errors, uniquingKeysWith: +)
        connectDuration = max(connectDuration, other.connectDuration)
        duration = max(duration, other.duration)
        bytesSent += other.bytesSent
        bytesReceived += other.bytesReceived
        latencies.add(other.latencies)
        connectFailure = connectFailure ?? other.connectFailure
    }
}
