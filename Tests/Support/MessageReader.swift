// SPDX-License-Identifier: Apache-2.0
//
// Messages of text, read in each way that handlers of a channel can read them.

public import Sluice

/// A way of reading messages that end in a line feed.
public enum MessageReader: CaseIterable, Sendable {
    /// Leaves what is no whole message.
    case parsing
    /// Has lines handed over as they come.
    case lines
    /// Asks for lines.
    case readingLines
    /// Consumes all, and says what a message is.
    case told

    /// Reads and counts.
    public func install(on channel: Channel, _ count: Box<Int>) {
        switch self {
        case .parsing:
            channel.onReadable { channel in
                try channel.parse { bytes in
                    let text = bytes.text
                    count.value += text.utf8.count { $0 == 10 }
                    return text.utf8.lastIndex(of: 10).map {
                        text.utf8.distance(from: text.startIndex, to: $0) + 1
                    } ?? 0
                }
            }
        case .lines: channel.onLine { _, _ in count.value += 1 }
        case .readingLines:
            channel.onReadable { channel in
                while try channel.readLine() != nil { count.value += 1 }
            }
        case .told:
            let isWhole = Box(true)
            channel.onBytes { channel, bytes in
                for byte in bytes.text.utf8 {
                    if isWhole.value { channel.beginMessage() }
                    isWhole.value = byte == 10
                    if !isWhole.value { continue }
                    channel.endMessage()
                    count.value += 1
                }
            }
        }
    }
}
