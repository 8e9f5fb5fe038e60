// SPDX-License-Identifier: Apache-2.0
//
// Threads of the system's own, and what they send to a reactor.
// No task and no queue stands between, so nothing but the reactor's mailbox orders them.

import Glibc
public import Sluice
import Testing

/// A thread of the system's that is waited for by whoever started it.
public final class OtherThread {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private var thread = pthread_t()

    /// Starts a thread that does this and ends.
    public init(_ body: @escaping @Sendable () -> Void) {
        // The new thread takes the reference over.
        let work = Unmanaged.passRetained(Work(body))
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, work.toOpaque())
        precondition(code == 0, "no thread can be had")
    }

    /// Waits for the end of the thread; to be called once.
    public func join() { pthread_join(thread, nil) }
}

extension Reactor.Handle {
    /// Sends a closure; the test fails where it is refused.
    public func performOrFail(_ body: @escaping @Sendable (Reactor) throws -> Void) {
        do { try perform(body) } catch { Issue.record(error) }
    }
}
