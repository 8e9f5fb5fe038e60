// SPDX-License-Identifier: Apache-2.0
//
// What a reactor tells those who observe it: for logs, metrics and traces.
// Where nobody does, it costs a look at one word.

extension Reactor {
    /// Something that has happened on a reactor.
    public enum Observation {
        /// A server has let a connection in.
        case accepted(Channel)
        /// A client was turned away.
        case refused(SocketAddress, RefusalReason)
        /// A client's connection was made.
        case connected(Channel)
        /// A channel has come from another reactor.
        case arrived(Channel)
        /// A channel that was open has released its descriptor.
        case closed(Channel, EndReason)
        /// What had become ready at one time was handled.
        case turned(Turn)
        /// A question about a name was answered; `nil` for one without a failure.
        case resolved(name: String, in: Duration, ResolverError?)
    }

    /// One turn of the loop, from the kernel's report to the next question to the kernel.
    public struct Turn: Hashable, Sendable {
        /// How long it took, handlers and all.
        public let duration: Duration
        /// How many letters from other threads had come.
        public let letterCount: Int
    }

    /// Has `observer` called for everything that happens here from now on, for as long as the reactor
    /// lives.
    ///
    /// Several may observe one reactor. They are called on its thread, in the middle of things: they
    /// look and note, and neither close nor write. The reactor keeps them, so one that captures the
    /// reactor itself keeps it alive for good. What ends with the reactor is not told. An observed
    /// reactor reads the clock twice a turn.
    public func observe(_ observer: @escaping (Observation) -> Void) {
        let observers = (turnObserver as? Observers) ?? Observers()
        observers.list.append(observer)
        turnObserver = observers
    }

    /// Tells those who observe, if any.
    @inline(__always)
    func tell(_ observation: @autoclosure () -> Observation) {
        if turnObserver != nil { tellAll(observation()) }
    }

    @inline(never)
    private func tellAll(_ observation: Observation) {
        (turnObserver as? Observers)?.tell(observation)
    }
}

/// Those who observe a reactor.
private final class Observers: TurnObserver {
    var list: [(Reactor.Observation) -> Void] = []

    func tell(_ observation: Reactor.Observation) {
        for observer in list { observer(observation) }
    }

    func turned(nanoseconds: UInt64, letters: Int) {
        let duration = Duration(nanoseconds: nanoseconds)
        tell(.turned(Reactor.Turn(duration: duration, letterCount: letters)))
    }
}
