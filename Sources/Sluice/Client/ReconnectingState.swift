// SPDX-License-Identifier: Apache-2.0
//
// Where a reconnecting client is, as it tells its program: the same words for handlers, with a
// channel, and for tasks.

/// Where a ``ReconnectingClient`` or a ``ReconnectingConnection`` is.
public enum ReconnectingState<Open> {
    /// An attempt is under way: so many were begun since the start, or since the last connection
    /// that was stable.
    case connecting(attempt: Int)
    /// There is a connection, which may be closing already.
    case connected(Open)
    /// The next attempt begins when so much time has passed.
    case waiting(Duration, after: ConnectionLoss)
    /// Nothing is under way, and nothing will be before the next start.
    case stopped(ReconnectingStop)
}

extension ReconnectingState: Equatable where Open: Equatable {}
extension ReconnectingState: Hashable where Open: Hashable {}
extension ReconnectingState: Sendable where Open: Sendable {}

extension ReconnectingState: CustomStringConvertible {
    /// A few words, such as `connecting, attempt 2`.
    public var description: String {
        switch self {
        case .connecting(let attempt): "connecting, attempt \(attempt)"
        case .connected(let open): "connected: \(open)"
        case .waiting(let delay, let loss): "waiting \(delay) after: \(loss)"
        case .stopped(let reason): "stopped: \(reason)"
        }
    }
}

/// Why there is no connection any more, or none yet.
public enum ConnectionLoss: Hashable, Sendable {
    /// An attempt failed.
    case failed(ConnectError)
    /// A connection has ended.
    case ended(EndReason)
}

extension ConnectionLoss: CustomStringConvertible {
    /// One sentence, such as `connect 127.0.0.1:9: Connection refused`.
    public var description: String {
        switch self {
        case .failed(let error): error.description
        case .ended(let reason): reason.description
        }
    }
}

/// Why nothing is under way.
public enum ReconnectingStop: Hashable, Sendable {
    /// It was never started.
    case notStarted
    /// The program asked for it.
    case asked
    /// So many attempts in a row have led to no stable connection; the last one like this.
    case tooManyAttempts(Int, after: ConnectionLoss)
    /// There was no connection for so long; what failed last, if anything did.
    case tooLongWithoutConnection(Duration, after: ConnectionLoss?)
}

extension ReconnectingStop: CustomStringConvertible {
    /// A few words, such as `gave up after 3 attempts: connect 127.0.0.1:9: Connection refused`.
    public var description: String {
        switch self {
        case .notStarted: "not started"
        case .asked: "asked to"
        case .tooManyAttempts(let count, let loss): "gave up after \(count) attempts: \(loss)"
        case .tooLongWithoutConnection(let time, let loss?):
            "no connection for \(time): \(loss)"
        case .tooLongWithoutConnection(let time, nil): "no connection for \(time)"
        }
    }
}
