// SPDX-License-Identifier: Apache-2.0
//
// The time limits of a channel as values, and the clocks of those that need one of their own.
// They know no socket and no clock of the system: their owner says what time it is.

/// The time limits of a channel, in nanoseconds; 0 for none.
struct TimeLimits: Equatable {
    let idle: UInt64
    let firstByte: UInt64
    let message: UInt64
    let writeProgress: UInt64
    let lifetime: UInt64
    /// How many bytes are enough for `writeProgress`.
    let progressByteCount: UInt64

    /// A blocking channel has but the idle one: no deadline of a reactor ends its waits.
    init(_ values: ChannelOptions) {
        func limit(_ duration: Duration?) -> UInt64 { duration.map { max(1, $0.nanoseconds) } ?? 0 }
        let blocks = values.isBlocking
        idle = limit(values.idleTimeout)
        firstByte = blocks ? 0 : limit(values.firstByteTimeout)
        message = blocks ? 0 : limit(values.messageTimeout)
        writeProgress = blocks ? 0 : limit(values.writeProgressTimeout)
        lifetime = blocks ? 0 : limit(values.lifetime)
        progressByteCount = UInt64(max(1, values.writeProgressByteCount))
    }

    /// Whether there is any.
    var isAny: Bool { idle | firstByte | message | writeProgress | lifetime != 0 }

    /// Whether any needs a clock of its own, beside what each channel has.
    var needClocks: Bool { message | writeProgress != 0 }
}

/// What a channel keeps whose messages, or whose output, have a time limit.
final class ChannelTiming {
    /// For when the channel's entry in the wheel is, where it has one.
    @exclusivity(unchecked) var armedAt: UInt64 = 0
    @exclusivity(unchecked) var message = MessageClock()
    @exclusivity(unchecked) var progress = ProgressClock()

    /// The channel leaves its reactor: on the way nobody reads or writes.
    func leave(now: UInt64) {
        message.hold(now: now)
        progress.stop()
    }
}

/// How long a message has been under way.
///
/// The time in which the channel itself does not read, while there is something to read, does not
/// count: the peer could not send more.
struct MessageClock: Equatable {
    /// What is under way.
    enum Message: Equatable {
        case none
        /// What begins at this place of the input, counted in bytes from its beginning.
        case rest(at: UInt64)
        /// What the program has said to have begun.
        case told
    }

    private(set) var underWay = Message.none
    private var start: UInt64 = 0
    /// Since when the channel does not read.
    private var heldSince: UInt64?
    /// How often the message was due, and put off.
    private var graceCount = 0

    /// What stands at this place of the input was found to be no whole message.
    ///
    /// The same place is the same message, however much of it has come meanwhile.
    mutating func found(restAt place: UInt64, now: UInt64) {
        if underWay == .told || underWay == .rest(at: place) { return }
        begin(.rest(at: place), now)
    }

    /// The program says that a message begins.
    mutating func begin(now: UInt64) { begin(.told, now) }

    /// The message is whole, or was given up.
    mutating func end() { underWay = .none }

    /// The time until now does not count.
    mutating func restart(now: UInt64) { begin(underWay, now) }

    /// The channel reads no more.
    mutating func hold(now: UInt64) { if heldSince == nil { heldSince = now } }

    /// The channel reads again.
    mutating func letGo(now: UInt64) {
        guard let held = heldSince else { return }
        heldSince = nil
        let from = max(held, start)
        if now > from { start += now - from }
    }

    /// When the message has taken so long; `nil` while none is under way, or the channel does not
    /// read.
    func due(after limit: UInt64) -> UInt64? {
        underWay == .none || heldSince != nil ? nil : start + limit
    }

    /// Whether a message that is due is put off until the kernel was asked what has come meanwhile,
    /// and that was read.
    ///
    /// - Parameter isReported: whether the kernel has reported something that is not read yet.
    mutating func isPutOff(isReported: Bool) -> Bool {
        // Once for the question, and once for the reading: more might come for ever.
        guard graceCount == 0 || (graceCount == 1 && isReported) else { return false }
        graceCount += 1
        return true
    }

    private mutating func begin(_ message: Message, _ now: UInt64) {
        underWay = message
        start = now
        graceCount = 0
    }
}

/// How long output has waited for a peer that takes too little.
struct ProgressClock: Equatable {
    private(set) var isRunning = false
    private var start: UInt64 = 0
    /// How much had gone when it began.
    private var sentBefore: UInt64 = 0

    /// Output begins to wait, or the next stretch of time begins.
    mutating func begin(sent: UInt64, now: UInt64) {
        isRunning = true
        start = now
        sentBefore = sent
    }

    /// Nothing waits.
    mutating func stop() { isRunning = false }

    /// When the limit passes; a stretch in which enough has gone is followed by another.
    mutating func due(
        _ limits: TimeLimits, sent: UInt64, lastSent: UInt64, now: UInt64
    ) -> UInt64 {
        // Where a byte is enough, the last one says when.
        if limits.progressByteCount == 1 { return max(start, lastSent) + limits.writeProgress }
        if start + limits.writeProgress <= now, sent &- sentBefore >= limits.progressByteCount {
            begin(sent: sent, now: now)
        }
        return start + limits.writeProgress
    }
}
