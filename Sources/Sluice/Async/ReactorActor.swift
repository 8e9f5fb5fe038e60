// SPDX-License-Identifier: Apache-2.0
//
// Actors that live on a reactor's thread: the library's connections and the program's own.

/// An actor on a reactor's own thread.
///
/// Those of one reactor reach one another without a change of threads, and with
/// ``onSameReactor(_:)`` without suspension. Name the executor in `unownedExecutor`:
///
/// ```swift
/// actor Room: ReactorActor {
///     let executor: Reactor.Executor
///     nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
///     ...
/// }
/// ```
public protocol ReactorActor: Actor {
    /// The reactor's executor, which runs what is isolated to the actor.
    nonisolated var executor: Reactor.Executor { get }
}

extension ReactorActor {
    /// Calls `body` with the actor at once, for whoever is on the actor's reactor already: another
    /// actor of it, a handler, a task's code there.
    ///
    /// As `assumeIsolated`, and to be called from async code too.
    ///
    /// - Precondition: the caller is on the reactor's thread; anywhere else the process ends.
    public nonisolated func onSameReactor<Result: Sendable>(
        _ body: (isolated Self) throws -> Result
    ) rethrows -> Result {
        try assumeIsolated(body)
    }
}

extension Connection: ReactorActor {}
