// SPDX-License-Identifier: Apache-2.0
//
// Why a connector has no channel: what was wrong with the call, the network or the partner.

/// Why a connector could not begin, or came to no channel.
public enum ConnectorError: Error, Hashable, Sendable {
    /// The connector has a run under way already.
    case alreadyConnecting
    /// This side can't listen, can't begin to connect or can't make a channel; such as `.bind` and
    /// `.addressInUse`.
    case socket(SocketError)
    /// The partner could not be connected to.
    case connect(ConnectError)
    /// What opens the channel in place of plain sockets has failed in a way of its own.
    case opening(OpeningError)
    /// ``ConnectorOptions/timeLimit`` has passed, or a task's deadline.
    case timedOut
    /// The reactor has ended, or the task was cancelled.
    case cancelled

    /// What any error of an opening is to a connector.
    init(_ error: any Error) {
        switch error {
        case let error as ConnectorError: self = error
        case let error as ConnectError: self = .connect(error)
        case let error as SocketError: self = .socket(error)
        default: self = .opening(OpeningError(error))
        }
    }

    /// Whether time ran out, with or without knowing at what.
    public var isTimeout: Bool {
        switch self {
        case .timedOut: true
        case .connect(let error): error.cause == .timedOut
        default: false
        }
    }
}

extension ConnectorError: CustomStringConvertible {
    /// One sentence, such as `bind 0.0.0.0:80: Permission denied`.
    public var description: String {
        switch self {
        case .alreadyConnecting: "the connector is connecting already"
        case .socket(let error): error.description
        case .connect(let error): error.description
        case .opening(let error): error.description
        case .timedOut: "the connector's time ran out"
        case .cancelled: "the connector was cancelled"
        }
    }
}

/// What an opening has failed with, where it is no error of this library's.
public struct OpeningError: Error, Sendable {
    /// The opening's own error.
    public let cause: any Error

    /// An opening's own error.
    public init(_ cause: any Error) { self.cause = cause }
}

// Errors of others can't be compared but by what they say.
extension OpeningError: Hashable, CustomStringConvertible {
    /// What the error says.
    public var description: String { "\(cause)" }

    /// Whether both are of one type and say the same.
    public static func == (one: OpeningError, other: OpeningError) -> Bool {
        type(of: one.cause) == type(of: other.cause) && one.description == other.description
    }

    /// Feeds what the error says.
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}
