// SPDX-License-Identifier: Apache-2.0
//
// Which messages a kernel has taken, told by where they stand in all that a channel was given.
// Pure: it is told places and counts.

/// A message that was not sent, or not whole.
public struct UnsentMessage: Hashable, Sendable {
    /// The message.
    public let bytes: [UInt8]
    /// How many of its bytes a kernel has taken at most: with 0 it was certainly not sent.
    ///
    /// The peer may have got so many, and has no byte behind them. The count is exact, unless the
    /// channel had a file to send before the message, which may have turned out shorter.
    public let handedOverByteCount: Int

    init(_ bytes: [UInt8], handedOver count: Int) {
        self.bytes = bytes
        handedOverByteCount = count
    }
}

/// Messages that a channel was given, until the kernel has them.
struct Handover {
    /// How many messages are noted at most, for each has its own memory.
    static var limit: Int { 65_536 }

    private struct Message {
        let bytes: [UInt8]
        /// How many bytes of the channel go before it: at least, and at most.
        let place: ClosedRange<UInt64>
        var end: UInt64 { place.upperBound &+ UInt64(bytes.count) }
    }

    private var messages: [Message] = []
    /// Those before it are gone.
    private var first = 0

    var count: Int { messages.count - first }
    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count >= Self.limit }

    /// A message is given to the channel, behind so many bytes.
    ///
    /// - Parameter doubtful: how many of those bytes may come to nothing.
    mutating func add(_ bytes: [UInt8], behind place: UInt64, doubtful: Int = 0) {
        let least = place - min(place, UInt64(doubtful))
        messages.append(Message(bytes: bytes, place: least...place))
    }

    /// The channel did not take the message that was added last.
    mutating func takeBack() {
        if !isEmpty { messages.removeLast() }
    }

    /// The kernel has taken so many bytes of the channel: messages that end there are forgotten.
    mutating func sent(_ total: UInt64) {
        while first < messages.count, messages[first].end <= total {
            messages[first] = Message(bytes: [], place: 0...0)
            first += 1
        }
        // The rest is moved only where it is the smaller part.
        if first > messages.count / 2 {
            messages.removeFirst(first)
            first = 0
        }
    }

    /// The channel has ended, after the kernel has taken so many bytes.
    ///
    /// - Returns: what the kernel does not have, or not whole, in order.
    mutating func end(after total: UInt64) -> [UnsentMessage] {
        defer { self = Handover() }
        return messages[first...].compactMap { message in
            if message.end <= total { return nil }
            let taken = total - min(total, message.place.lowerBound)
            let count = Int(min(taken, UInt64(message.bytes.count)))
            return UnsentMessage(message.bytes, handedOver: count)
        }
    }
}
