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
        /// The peer sent nothing at all: ``ChannelOptions/firstByteTimeout``.
        case firstByte
        /// A message was begun and not completed: ``ChannelOptions/messageTimeout``.
        case message
        /// The peer took too little of what waits for it: ``ChannelOptions/writeProgressTimeout``.
        case writeProgress
        /// The channel has been open for as long as it may: ``ChannelOptions/lifetime``.
        case lifetime
    }

    /// Which limit on what a channel holds was met.
    public enum Limit: Hashable, Sendable {
        /// Bytes that were read and that no handler consumed.
        case input
        /// A line that ``Channel/onLine(_:)`` was to be given.
        case line
        /// Descriptors that the peer has passed and nobody has taken.
        case descriptors
        /// Output that waited while a broadcast wanted to add to it: ``SlowReceiverPolicy/end``.
        case output
        /// What all channels of the reactor hold together: ``Reactor/bufferLimit``.
        case reactorBuffers
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
        case .timedOut(.firstByte): "timed out: first byte"
        case .timedOut(.message): "timed out: a message"
        case .timedOut(.writeProgress): "timed out: write progress"
        case .timedOut(.lifetime): "timed out: lifetime"
        case .limit(.input): "over the limit: unconsumed input"
        case .limit(.line): "over the limit: a line"
        case .limit(.descriptors): "over the limit: passed descriptors"
        case .limit(.output): "over the limit: unsent output"
        case .limit(.reactorBuffers): "over the limit: buffers of the reactor"
        case .drained: "drained"
        case .moved: "moved to another reactor"
        case .failed(let error): "failed: \(error)"
        }
    }
}
