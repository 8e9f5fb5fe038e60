// SPDX-License-Identifier: Apache-2.0
//
// What a channel may hold and how long it may wait: the settings that a program changes.

/// The limits and times of a channel.
public struct ChannelOptions: Hashable, Sendable {
    /// Above this many queued bytes a write answers ``WriteResult/aboveMark``.
    ///
    /// Initially 65,536.
    public var highWaterMark = 65_536
    /// Whether ``Channel/onBytes(_:)`` is given nothing more while the output is above the high
    /// mark, until it is down to the low one.
    ///
    /// Right for servers that answer what they read. Switch it off where both directions are
    /// unrelated, as in a relay: two ends that each wait for the other to read would wait for ever.
    /// Initially on.
    public var pausesReadingAboveMark = true
    /// At this many queued bytes, after having been above the high mark, ``Channel/onDrained(_:)``
    /// is called.
    ///
    /// Initially 16,384.
    public var lowWaterMark = 16_384
    /// A write that would queue more bytes than this is refused whole.
    ///
    /// Initially 16,777,216.
    public var outputLimit = 16_777_216
    /// At most this many unconsumed bytes are kept; more end the channel.
    ///
    /// Initially 1,048,576.
    public var inputLimit = 1_048_576
    /// After this many bytes read for ``Channel/onBytes(_:)``, or sent from the queue, the others
    /// have their turn.
    ///
    /// Counted in whole reads of 64 KiB and whole system calls. 1 or more; initially 262,144.
    public var bytesPerTurn = 262_144
    /// Ends the channel when no byte came or went for this long; `nil` for never.
    ///
    /// Initially `nil`.
    public var idleTimeout: Duration?
    /// How long a closed channel may go on sending what was queued.
    ///
    /// Initially 30 s.
    public var lingerLimit = Duration.seconds(30)

    /// The initial values.
    public init() {}
}

/// What a write says about the channel's output queue.
public enum WriteResult: Hashable, Sendable {
    /// There is room for more.
    case accepted
    /// All is taken, but the queue is above the high mark: write more when
    /// ``Channel/onDrained(_:)`` calls.
    case aboveMark
}

/// What went over a channel since it was opened.
public struct ChannelCounters: Hashable, Sendable {
    /// Bytes that were read from the kernel.
    public var bytesReceived: UInt64 = 0
    /// Bytes that the kernel took.
    public var bytesSent: UInt64 = 0
    /// Reads that brought bytes.
    public var reads: UInt64 = 0
    /// Writes that the program made.
    public var writes: UInt64 = 0
}

/// A channel's options in one place for all channels that were made with the same ones.
final class SharedOptions: Sendable {
    let values: ChannelOptions
    /// In nanoseconds; 0 for none.
    let idle: UInt64

    /// Whatever the values are, a channel goes on: each is brought into its range.
    init(_ values: ChannelOptions) {
        var values = values
        values.bytesPerTurn = max(1, values.bytesPerTurn)
        values.highWaterMark = max(0, values.highWaterMark)
        values.lowWaterMark = max(0, values.lowWaterMark)
        values.outputLimit = max(0, values.outputLimit)
        values.inputLimit = max(0, values.inputLimit)
        self.values = values
        idle = values.idleTimeout.map { max(1, $0.nanoseconds) } ?? 0
    }
}
