// SPDX-License-Identifier: Apache-2.0
//
// State that several threads share, one at a time, under a POSIX mutex.
// It stands in the lowest module, since all above it use it, too.

import Glibc

/// State behind a mutex: the only shared state that changes in this package.
///
/// A POSIX mutex rather than the standard library's `Mutex`: ThreadSanitizer does not see
/// the futex calls of the latter and takes every use of it for a race.
///
/// `@unchecked Sendable`: the state is sendable and private, and only ``withLock(_:)`` reaches it.
package final class Locked<State: ~Copyable & Sendable>: @unchecked Sendable {
    /// On the heap and alone there, since a mutex must never move: pthread_mutex_init(3).
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    package init(_ state: consuming State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        let code = pthread_mutex_init(mutex, nil)
        precondition(code == 0, "a mutex without attributes cannot fail on Linux")
    }

    deinit {
        // Nobody can hold it: who calls `withLock` holds this object.
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the state while no other thread has it; `body` must not come here again.
    package func withLock<Answer: ~Copyable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
