// SPDX-License-Identifier: Apache-2.0
//
// How a reconnecting client waits between its attempts, when it gives up, and what becomes of
// messages that were not sent.

/// How a ``ReconnectingClient`` connects again, and for how long it tries.
public struct ReconnectingOptions: Hashable, Sendable {
    /// What becomes of messages that no connection has sent.
    public enum UnsentMessages: Hashable, Sendable {
        /// They are handed back, and nothing is kept: without a connection a message is refused.
        case report
        /// Those of which no kernel has taken a byte are kept for the next connection, within the
        /// limits; all others are handed back.
        case keep
    }

    /// How long the first wait is at most.
    ///
    /// What is below 1 ms counts as 1 ms. Initially 100 ms.
    public var firstDelay = Duration.milliseconds(100)
    /// How long any wait is at most; not below ``firstDelay``.
    ///
    /// Initially 30 s.
    public var longestDelay = Duration.seconds(30)
    /// How many times as long as the one before a wait may be.
    ///
    /// What is below 1 counts as 1. Initially 2.
    public var factor = 2.0
    /// Which part of a wait is left to chance, so that many clients do not come back at one time.
    ///
    /// 0 to 1: with 0 a wait is as long as it may be, with 1 it is anything from nothing to that.
    /// What is beyond is brought to the nearer end. Initially 0.5.
    public var jitter = 0.5
    /// A connection that has lived so long was a good one: the delays and the attempts are counted
    /// from the beginning after it.
    ///
    /// Initially 10 s.
    public var stableAfter = Duration.seconds(10)
    /// How many attempts are made in a row, without a stable connection between them; `nil` for no
    /// limit.
    ///
    /// Attempts whose connection did not live long enough count as well. What is below 1 counts
    /// as 1. Initially `nil`.
    public var mostAttempts: Int?
    /// How long there may be no connection, from the start or from the end of the last one; `nil`
    /// for no limit.
    ///
    /// Initially `nil`.
    public var longestTimeWithoutConnection: Duration?
    /// What becomes of messages that were not sent.
    ///
    /// Initially ``UnsentMessages/report``.
    public var whatToDoWithUnsent = UnsentMessages.report
    /// How many bytes of messages are kept at most, with ``UnsentMessages/keep``.
    ///
    /// Initially 1,048,576.
    public var keptByteLimit = 1_048_576
    /// How many messages are kept at most, with ``UnsentMessages/keep``.
    ///
    /// Initially 1,024.
    public var keptMessageLimit = 1_024
    /// How each attempt is made, and what its channel is like.
    ///
    /// ``ChannelOptions/isBlocking`` stays off.
    public var client = ClientOptions()

    /// The initial values.
    public init() {}
}
