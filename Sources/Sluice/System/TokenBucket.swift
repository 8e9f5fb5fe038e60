// SPDX-License-Identifier: Apache-2.0
//
// How much of something may be had so far: so much a second, and so much at once.
// A value that knows no clock: its owner says what time it is.

/// A bucket that tokens drip into, up to its size.
struct TokenBucket: Equatable {
    private let perNanosecond: Double
    private let size: Double
    private var level: Double
    private var filledAt: UInt64

    /// A full bucket; whatever is asked for, it takes at least one token and gets more.
    ///
    /// - Parameter now: the time, in nanoseconds, as in all that follows.
    init(perSecond rate: Double, size: Double, at now: UInt64) {
        perNanosecond = (rate > 0.001 ? rate : 0.001) / 1_000_000_000
        self.size = size > 1 ? size : 1
        level = self.size
        filledAt = now
    }

    /// How many whole tokens there are; below 0 where more were spent than there were.
    mutating func count(at now: UInt64) -> Int {
        fill(at: now)
        return Int(level.rounded(.down))
    }

    /// Takes a token, if there is one.
    mutating func take(at now: UInt64) -> Bool {
        fill(at: now)
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    /// Takes tokens, also more than there are: they are waited for afterwards.
    mutating func spend(_ count: Int, at now: UInt64) {
        fill(at: now)
        level -= Double(count)
    }

    /// How long it is until there are so many, in nanoseconds; 0 where there are.
    mutating func wait(for count: Int, at now: UInt64) -> UInt64 {
        fill(at: now)
        let missing = min(Double(count), size) - level
        if missing <= 0 { return 0 }
        // A year is for ever here, and well within the range.
        return UInt64(min((missing / perNanosecond).rounded(.up), 31_536_000_000_000_000))
    }

    /// Whether it is as full as it was at the beginning.
    mutating func isFull(at now: UInt64) -> Bool {
        fill(at: now)
        return level >= size
    }

    private mutating func fill(at now: UInt64) {
        guard now > filledAt else { return }
        level = min(size, level + Double(now - filledAt) * perNanosecond)
        filledAt = now
    }
}
