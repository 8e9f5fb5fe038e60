// SPDX-License-Identifier: Apache-2.0
//
// The cores that a process may use, which need not be the first ones of the machine.

import CSystemCalls

/// The cores that this thread may run on.
package enum Cores {
    /// Their numbers, in ascending order.
    ///
    /// Source: sched_getaffinity(2).
    package static var allowed: [Int] {
        var cores = csystem_cores()
        csystem_allowed_cores(&cores)
        return (0..<1_024).filter { csystem_has_core(&cores, CInt($0)) != 0 }
    }

    /// Keeps this thread on one of them, counted from 0.
    ///
    /// Source: sched_setaffinity(2).
    package static func keepThisThread(on place: Int) { csystem_pin(CInt(place)) }
}
