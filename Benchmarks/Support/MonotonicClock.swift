// SPDX-License-Identifier: Apache-2.0
//
// The clock of the benchmarks that compare times of several processes, as plain numbers.

import CSystemCalls
import Glibc

/// The system's clock for lengths of time.
package enum MonotonicClock {
    /// Nanoseconds since the system was started, the same for all processes.
    ///
    /// Source: clock_gettime(2), `CLOCK_MONOTONIC`.
    package static var now: Int { Int(csystem_monotonic_nanoseconds()) }

    /// Waits until a time; a signal does not shorten it.
    package static func sleep(until instant: Int) {
        var time = timespec(tv_sec: instant / 1_000_000_000, tv_nsec: instant % 1_000_000_000)
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
