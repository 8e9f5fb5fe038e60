// SPDX-License-Identifier: Apache-2.0
//
// Who of a core's processes runs first.

import Glibc

/// The order in which the kernel lets processes run.
enum Priority {
    /// Has this process run as soon as it has something to do, before all others of its core.
    ///
    /// Else the kernel may leave the core to an attacker, or to a daemon of the machine, until its
    /// next tick or the one after it, some milliseconds, which no server could make good. Threads
    /// that are started later inherit it.
    ///
    /// Source: sched(7), `SCHED_FIFO`.
    ///
    /// - Returns: whether it may be had; else all stays as it is.
    static func goFirst() -> Bool {
        var parameters = sched_param()
        parameters.sched_priority = 1
        return sched_setscheduler(0, SCHED_FIFO, &parameters) == 0
    }

    /// Leaves the core to everybody else who wants it.
    ///
    /// Source: sched(7), `SCHED_IDLE`, which the headers have for GNU programs only.
    static func giveWay() {
        let idlePolicy: CInt = 5
        nice(19)
        var parameters = sched_param()
        // Where the policy can't be had, the nice value must do.
        sched_setscheduler(0, idlePolicy, &parameters)
    }
}
