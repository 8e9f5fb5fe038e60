// SPDX-License-Identifier: Apache-2.0
//
// Signals that a test sends to its own process.

import Glibc

/// Sends this very thread a signal, which has been delivered when this returns.
///
/// The threads that tests run on may have it blocked. kill(2) would leave it to the kernel which
/// thread is interrupted and when: perhaps after a test has given the signal its action back, which
/// ends the process.
public func raiseNow(_ number: CInt) {
    var signals = sigset_t()
    var before = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, number)
    pthread_sigmask(SIG_UNBLOCK, &signals, &before)
    raise(number)
    pthread_sigmask(SIG_SETMASK, &before, nil)
}
