// SPDX-License-Identifier: Apache-2.0
//
// The clock of the load engine: plain nanoseconds that never go back.
// It is read once for each batch of answers, so it must cost next to nothing.

import Glibc

/// Nanoseconds of the system's monotonic clock.
///
/// Source: `CLOCK_MONOTONIC`, clock_gettime(2).
enum MonotonicClock {
    @inline(__always)
    static var now: UInt64 {
        var time = timespec()
        // Cannot fail for this clock, and needs no system call where the kernel maps its own.
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}

extension Duration {
    /// Whole nanoseconds: 0 for a negative time, and at most about 292 years.
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 9_000_000_000 else { return UInt64(Int64.max) }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    /// Seconds with their fraction.
    var fractionalSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
