// SPDX-License-Identifier: Apache-2.0
//
// How long each wait is: growing from one to the next up to a limit, with a part left to chance.
// Pure but for the chance, which its maker brings.

/// The lengths of waits, one after the other.
struct BackOff {
    // All in nanoseconds, as far as a Double is exact: to a nanosecond below 104 days.
    private let first: Double
    private let longest: Double
    private let factor: Double
    private let jitter: Double
    /// How long the next wait is at most.
    private var bound: Double
    private var generator: any RandomNumberGenerator

    /// Whatever the options are, waits are neither negative nor endless: each value is brought into
    /// its range, and what is no number counts as the lower end.
    init(_ options: ReconnectingOptions, drawing generator: any RandomNumberGenerator) {
        first = max(1_000_000, Double(options.firstDelay.nanoseconds))
        longest = max(first, Double(options.longestDelay.nanoseconds))
        factor = options.factor >= 1 ? options.factor : 1
        jitter = options.jitter >= 0 ? min(options.jitter, 1) : 0
        bound = first
        self.generator = generator
    }

    /// The next wait.
    mutating func next() -> Duration {
        let drawn = Double.random(in: bound * (1 - jitter)...bound, using: &generator)
        bound = min(longest, bound * factor)
        return Duration(nanoseconds: UInt64(drawn))
    }

    /// Begins with the first wait again.
    mutating func reset() { bound = first }
}
