// SPDX-License-Identifier: Apache-2.0
//
// What may go wrong for one request or connection of a load, as short names that reports count by.

internal import Sluice

/// A kind of error that a load counts.
public struct LoadErrorKind: RawRepresentable, Hashable, Sendable {
    /// A few lower-case words, such as `closed`.
    public let rawValue: String

    /// A kind by its words.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The peer closed a connection that was still in use.
    public static let closed = Self(rawValue: "closed")
    /// The peer cut a connection.
    public static let reset = Self(rawValue: "reset")
    /// A time limit passed, of the connection or of the attempt to open it.
    public static let timedOut = Self(rawValue: "timed out")
    /// Nobody listened.
    public static let refused = Self(rawValue: "refused")
    /// The target's name has no address.
    public static let unresolved = Self(rawValue: "unresolved")
    /// An answer differed from its request; a connection was given up by that, a datagram socket
    /// was not.
    ///
    /// Where a datagram's number names no request it counts by itself, and the request that it may
    /// have been meant for goes on waiting.
    public static let wrongAnswer = Self(rawValue: "wrong answer")
    /// No answer had come a second after the end of the measuring, or by datagrams after
    /// ``Workload/datagramTimeout`` where that is longer.
    public static let unanswered = Self(rawValue: "unanswered")
    /// No answer to a datagram had come within ``Workload/datagramTimeout``.
    ///
    /// Where the network has said why, its reason is the kind, such as ``refused``. Datagrams that
    /// were sent before the measuring do not count.
    public static let lost = Self(rawValue: "lost")
    /// A request was due while too many others waited for the same connection; of datagrams also
    /// one that still waited at the end.
    public static let dropped = Self(rawValue: "dropped")
}

extension LoadErrorKind: CustomStringConvertible, Comparable {
    /// The words.
    public var description: String { rawValue }

    /// In the order of the words.
    public static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
}

extension LoadErrorKind {
    /// What an open connection ended by.
    init(_ reason: EndReason) {
        switch reason {
        case .finished, .local, .drained, .moved, .limit: self = .closed
        case .reset: self = .reset
        case .timedOut: self = .timedOut
        case .failed(let error): self.init(error.code)
        }
    }

    /// Why a connection could not be had.
    init(_ cause: ConnectError.Cause) {
        switch cause {
        case .unresolved: self = .unresolved
        case .timedOut: self = .timedOut
        case .refused(let error): self.init(error.code)
        }
    }

    init(_ code: ErrorCode) {
        switch code {
        case .connectionReset, .brokenPipe: self = .reset
        case .connectionRefused: self = .refused
        case .timedOut: self = .timedOut
        default: self.init(rawValue: code.description.lowercased())
        }
    }
}
