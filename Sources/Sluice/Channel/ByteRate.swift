// SPDX-License-Identifier: Apache-2.0
//
// How fast bytes may go: for one channel by its options, for several by a limiter that they share.

/// So many bytes a second, and so many at once.
public struct ByteRate: Hashable, Sendable {
    /// How many bytes a second, in the long run.
    ///
    /// 1 or more.
    public var bytesPerSecond: Int
    /// How many bytes may go at once after a rest.
    ///
    /// 1 or more.
    public var burst: Int

    /// A rate; `burst` is initially what a tenth of a second brings, and 1,024 at least.
    public init(bytesPerSecond: Int, burst: Int? = nil) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        self.burst = max(1, burst ?? max(1_024, bytesPerSecond / 10))
    }
}
