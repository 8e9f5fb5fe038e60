// SPDX-License-Identifier: Apache-2.0
//
// The clock of the benchmarks that compare times of several processes, as plain numbers.

import Glibc

/// The system's clock for lengths of time.
package enum MonotonicClock {
    /// Nanoseconds since the system was started, the same for all processes.
    ///
    /// Source: clock_gettime(2), `CLOCK_MONOTONIC`.
    package static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Waits until a time; a signal does not shorten it.
    package static func sleep(until instant: Int) {
        var time = timespec(tv_sec: instant / 1_000_000_000, tv_nsec: instant % 1_000_000_000)
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
