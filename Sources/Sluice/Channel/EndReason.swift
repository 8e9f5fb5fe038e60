// SPDX-License-Identifier: Apache-2.0
//
// Why a channel ended: exactly one reason, the same in callbacks, logs and counters.

/// Why a channel ended.
public enum EndReason: Hashable, Sendable {
    /// This side closed it, or cut it off.
    case local
    /// The peer sent all it had and closed its writing side.
    case finished
    /// The peer cut the connection (`ECONNRESET`, `EPIPE`).
    case reset
    /// One of the channel's own time limits passed.
    case timedOut(Timeout)
    /// One of the channel's limits on what it holds was met.
    case limit(Limit)
    /// The server or the reactor that it hung on came to its end.
    case drained
    /// It goes on with another reactor: see ``Channel/detach()``.
    case moved
    /// The system reported another error.
    indirect case failed(SocketError)

    /// Which time limit passed.
    public enum Timeout: Hashable, Sendable {
        /// No byte came or went for this long.
        case idle
        /// What was left to send at the close did not go out in time.
        case linger
    }

    /// Which limit on what a channel holds was met.
    public enum Limit: Hashable, Sendable {
        /// Bytes that were read and that no handler consumed.
        case input
        /// A line that ``Channel/onLine(_:)`` was to be given.
        case line
        /// Descriptors that the peer has passed and nobody has taken.
        case descriptors
    }
}

extension EndReason: CustomStringConvertible {
    /// A few words, such as `timed out: idle`.
    public var description: String {
        switch self {
        case .local: "closed by this side"
        case .finished: "closed by the peer"
        case .reset: "reset by the peer"
        case .timedOut(.idle): "timed out: idle"
        case .timedOut(.linger): "timed out: lingering"
        case .limit(.input): "over the limit: unconsumed input"
        case .limit(.line): "over the limit: a line"
        case .limit(.descriptors): "over the limit: passed descriptors"
        case .drained: "drained"
        case .moved: "moved to another reactor"
        case .failed(let error): "failed: \(error)"
        }
    }
}
