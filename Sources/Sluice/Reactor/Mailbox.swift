// SPDX-License-Identifier: Apache-2.0
//
// The way onto a reactor's thread from any other: a mutex, a queue with a limit, an eventfd.
// It outlives the reactor, so a handle is never dangling.

internal import CSystemCalls
import Glibc

extension Reactor {
    /// The part of a reactor that other threads may hold.
    ///
    /// It may outlive the reactor: everything then says that the reactor has ended.
    public struct Handle: Sendable {
        let mailbox: Mailbox

        /// How many closures may wait for a reactor at most: 65,536.
        public static let limit = Mailbox.limit

        /// Has the reactor run `body` on its own thread, in the order of the calls.
        ///
        /// Never blocks and never runs `body` here. What `body` throws goes to ``Reactor/onError``.
        ///
        /// - Throws: ``SocketError`` with operation `.perform`: `.cancelled` after the reactor has
        ///   ended, `.noBufferSpace` when ``limit`` closures wait already.
        public func perform(
            _ body: @escaping @Sendable (Reactor) throws -> Void
        ) throws(SocketError) {
            try mailbox.post(.closure(body))
        }

        /// Ends the run of the reactor; does nothing after the reactor has ended.
        public func stop() {
            // Both errors mean that there is nobody to stop: stop letters pass the limit.
            try? mailbox.post(.stop)
        }
    }
}

/// The queue of a reactor's letters from other threads.
final class Mailbox: Sendable {
    enum Letter: Sendable {
        case stop
        case closure(@Sendable (Reactor) throws -> Void)
        /// Nobody refers to this place of the reactor's table any more.
        case drop(UInt64)
        case job(UnownedJob)
        /// What ends something: a wait, a connection that nobody has any more.
        case ending(@Sendable () -> Void)

        /// Whether it passes the limit: each of these stands for something that was made before and
        /// is bounded by that, and nobody could be told that there is no room.
        var passesLimit: Bool {
            switch self {
            case .stop, .drop, .job, .ending: true
            case .closure: false
            }
        }
    }

    static let limit = 65_536

    private struct State: ~Copyable {
        var letters: [Letter] = []
        /// `nil` once the reactor has ended; under the mutex, so no number is written to after it
        /// was closed.
        var counter: Descriptor?
        var isAwake = false
        /// A stop waits among the letters: one is enough.
        var hasStop = false
    }

    private let state: Locked<State>

    init(_ counter: consuming Descriptor) {
        state = Locked(State(counter: consume counter))
    }

    func post(_ letter: consuming Letter) throws(SocketError) {
        let isStop = if case .stop = letter { true } else { false }
        let passesLimit = letter.passesLimit
        let code = state.withLock { [letter] state -> ErrorCode? in
            guard let number = state.counter?.number else { return .cancelled }
            if isStop {
                if state.hasStop { return nil }
                state.hasStop = true
            } else if !passesLimit, state.letters.count >= Self.limit {
                return .noBufferSpace
            }
            state.letters.append(letter)
            if !state.isAwake {
                state.isAwake = true
                var one: UInt64 = 1
                // Cannot fail: the counter is far below its limit. eventfd(2).
                _ = SystemCall.write.made { Glibc.write(number, &one, 8) }
            }
            return nil
        }
        if let code { throw SocketError(.perform, code) }
    }

    /// Takes what waits, on the reactor's thread.
    func takeAll() -> ArraySlice<Letter> {
        state.withLock { state in
            if let number = state.counter?.number {
                var count: UInt64 = 0
                _ = SystemCall.read.made { Glibc.read(number, &count, 8) }
            }
            state.isAwake = false
            state.hasStop = false
            var letters: [Letter] = []
            swap(&letters, &state.letters)
            return letters[...]
        }
    }

    /// The reactor has ended: nothing more is taken.
    ///
    /// - Returns: what waited. It is dropped outside the lock: what closures hold may use a handle
    ///   as it goes.
    func end() -> [Letter] {
        state.withLock { state in
            state.counter = nil
            var rest: [Letter] = []
            swap(&rest, &state.letters)
            return rest
        }
    }
}
