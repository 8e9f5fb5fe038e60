// SPDX-License-Identifier: Apache-2.0
//
// Everything about a channel that a program may set, and change at any time: how text becomes
// bytes, when they leave, what the channel may hold and how long it may wait.

// Whoever sets a channel's options uses the types of the text layer.
@_exported public import SluiceText

/// When what is written to a channel leaves it.
public enum Buffering: String, Hashable, Sendable, CaseIterable {
    /// At once, with each write.
    case none
    /// When a write has a line feed in it, then all of it; or when the buffer is full.
    case line
    /// When the buffer is full.
    case full
    /// At the end of the reactor's turn: all writes of a turn leave in one system call.
    ///
    /// On a blocking channel as ``none``.
    case turn
}

/// The settings of a channel.
public struct ChannelOptions: Hashable, Sendable {
    /// How text becomes bytes, and bytes text.
    public var text = TextOptions()
    /// When what is written leaves; ``Channel/flush()`` and closing send it in any case.
    ///
    /// Initially ``Buffering/turn``.
    public var buffering = Buffering.turn
    /// The size of the buffer of ``Buffering/line`` and ``Buffering/full``, in bytes.
    ///
    /// 1 to 1,048,576: what is beyond is brought to the nearer end. Initially 4,096, as Tcl's.
    public var bufferByteCount = 4_096
    /// Whether reading, writing, flushing and closing wait until they are done.
    ///
    /// They wait for the channel's own descriptor; no handler runs meanwhile. Initially off.
    public var isBlocking = false
    /// Above this many queued bytes a write answers ``WriteResult/aboveMark``.
    ///
    /// 0 while ``BufferLimit/Policy/pause`` is at work. Initially 65,536.
    public var highWaterMark = 65_536
    /// Whether ``Channel/onBytes(_:)`` and ``Channel/onLine(_:)`` are given nothing more while the
    /// output is above the high mark, until it is down to the low one.
    ///
    /// Right for servers that answer what they read. Switch it off where both directions are
    /// unrelated, as in a relay: two ends that each wait for the other to read would wait for ever.
    /// Initially on.
    public var pausesReadingAboveMark = true
    /// At this many queued bytes, after having been above the high mark, ``Channel/onDrained(_:)``
    /// is called.
    ///
    /// 0 while ``BufferLimit/Policy/pause`` is at work. Initially 16,384.
    public var lowWaterMark = 16_384
    /// A write that would queue more bytes than this is refused whole, unless the channel blocks.
    ///
    /// Initially 16,777,216.
    public var outputLimit = 16_777_216
    /// At most this many unconsumed bytes are kept; more end the channel.
    ///
    /// Initially 1,048,576.
    public var inputLimit = 1_048_576
    /// After this many bytes read for ``Channel/onBytes(_:)``, ``Channel/onLine(_:)`` or as
    /// characters, or sent from the queue, the others have their turn.
    ///
    /// Counted in whole reads of 64 KiB and whole system calls. 1 or more; initially 262,144.
    public var bytesPerTurn = 262_144
    /// Ends the channel when no byte came or went for this long; `nil` for never.
    ///
    /// Against peers that are gone without a word: one that sends a byte now and then stays. A call
    /// that waits on a blocking channel then throws `.timedOut`; the other time limits hold for
    /// channels that don't block. Initially `nil`.
    public var idleTimeout: Duration?
    /// Ends the channel when its peer has sent nothing for this long since it was opened; `nil` for
    /// never.
    ///
    /// Against clients that connect and say nothing. Counts from the connection, and what has come
    /// counts as sent also where nobody has read it. Initially `nil`.
    public var firstByteTimeout: Duration?
    /// Ends the channel when a message that has begun is not complete after this long, however
    /// steadily its bytes come; `nil` for never.
    ///
    /// Against peers that send a byte now and then, to keep the channel for good ("slow loris"). A
    /// message is under way while bytes were read that nobody has consumed, as an incomplete line
    /// or frame; each one that is consumed begins the time anew for what stands behind it. Where
    /// all bytes are consumed as they come, ``Channel/beginMessage()`` and ``Channel/endMessage()``
    /// say what a message is. Time in which the channel does not read what is there, as after
    /// ``Channel/pauseReading()``, does not count, and a task that reads nothing is not ended for
    /// it; a pause by ``Reactor/bufferLimit`` counts. Initially `nil`.
    public var messageTimeout: Duration?
    /// Ends the channel when output waits, or a handler of ``Channel/onWritable(_:)`` does, and the
    /// kernel takes less than ``writeProgressByteCount`` in this time; `nil` for never.
    ///
    /// Against peers that read slowly, or nothing, and so keep what waits for them in memory: the
    /// kernel takes more when the peer has read. What waits is dropped, and the connection reset.
    /// After a close ``lingerLimit`` holds instead. Initially `nil`.
    public var writeProgressTimeout: Duration?
    /// How many bytes are enough for ``writeProgressTimeout``.
    ///
    /// Against peers that take a byte now and then; beyond 1 it is looked at in steps of that time.
    /// 1 or more; initially 1.
    public var writeProgressByteCount = 1
    /// Ends the channel this long after it was opened, whatever it does; `nil` for never.
    ///
    /// Against clients that never leave, whatever they do: their places come free, and connections
    /// spread anew. Counts ``Channel/age``, also that before ``Channel/detach()``. What was written
    /// still goes out, within ``lingerLimit``. Initially `nil`.
    public var lifetime: Duration?
    /// How fast the channel reads at most; `nil` for as fast as it can.
    ///
    /// Initially `nil`.
    public var receiveRate: ByteRate?
    /// How fast the channel sends at most; `nil` for as fast as it can.
    ///
    /// Initially `nil`.
    public var sendRate: ByteRate?
    /// How long a closed channel may go on sending what was queued.
    ///
    /// Initially 30 s.
    public var lingerLimit = Duration.seconds(30)

    /// The initial values: ``standard``.
    public init() {}

    /// UTF-8, any line end read, LF written, sent at the end of the turn.
    public static var standard: ChannelOptions { ChannelOptions() }

    /// As Tcl's sockets are born: the system's encoding, `{auto crlf}`, full buffering, blocking.
    ///
    /// Source: Tcl's fconfigure(n) and socket(n).
    public static var tcl: ChannelOptions {
        var options = ChannelOptions()
        options.text.encoding = .system
        options.text.errorPolicy = .replacing
        options.text.outputTranslation = .crlf
        options.buffering = .full
        options.isBlocking = true
        return options
    }

    /// As Alore's sockets are born: ISO 8859-1, unbuffered, blocking.
    public static var alore: ChannelOptions {
        var options = ChannelOptions()
        options.text.encoding = .latin1
        options.buffering = .none
        options.isBlocking = true
        return options
    }

    /// Text that is its bytes: a character from 0 to 255 for each, and no line end translated.
    public static var binary: ChannelOptions {
        var options = ChannelOptions()
        options.text.makeBinary()
        return options
    }
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
    let limits: TimeLimits
    /// In nanoseconds; 0 for none.
    var idle: UInt64 { limits.idle }
    /// Whether writes take the short way: collected, and sent at the end of the turn.
    let collectsTurns: Bool
    /// A write of this many bytes is within ``ChannelOptions/outputLimit`` where nothing is queued.
    let alwaysFits: Int
    /// Whether the channel is limited in how fast it reads or sends.
    let isRated: Bool

    /// Whatever the values are, a channel goes on: each is brought into its range.
    init(_ values: ChannelOptions) {
        var values = values
        values.bytesPerTurn = max(1, values.bytesPerTurn)
        values.bufferByteCount = min(max(1, values.bufferByteCount), 1_048_576)
        values.highWaterMark = max(0, values.highWaterMark)
        values.lowWaterMark = max(0, values.lowWaterMark)
        values.outputLimit = max(0, values.outputLimit)
        values.inputLimit = max(0, values.inputLimit)
        values.text.lineLimit = max(0, values.text.lineLimit)
        self.values = values
        collectsTurns = values.buffering == .turn && !values.isBlocking
        alwaysFits = values.outputLimit - TurnOutput.capacity
        isRated = values.receiveRate != nil || values.sendRate != nil
        limits = TimeLimits(values)
    }
}
