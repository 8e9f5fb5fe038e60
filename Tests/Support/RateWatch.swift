// SPDX-License-Identifier: Apache-2.0
//
// Whether bytes have come no faster than a rate allows, by the monotonic clock.

public import Sluice
public import Testing

/// A rate that is watched from before the first byte.
public struct RateWatch {
    private let rate: ByteRate
    // Not affected by anybody who sets the clock.
    private let start = SuspendingClock.now

    /// Watches from now on.
    public init(_ rate: ByteRate) { self.rate = rate }

    /// The test fails where more bytes have come by now than the rate and its burst allow.
    public func expect(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        let seconds = (SuspendingClock.now - start) / .seconds(1)
        let most = Double(rate.burst) + seconds * Double(rate.bytesPerSecond) + 1
        // Asked in every pass: only what is wrong is told.
        if Double(count) <= most { return }
        Issue.record("\(count) bytes in \(seconds) s", sourceLocation: sourceLocation)
    }
}
