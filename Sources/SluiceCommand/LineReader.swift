// SPDX-License-Identifier: Apache-2.0
//
// Lines out of a channel, as they become complete.

import Sluice

/// Cuts what a channel receives into lines.
enum LineReader {
    /// A longer line ends the channel: far above what the latencies of one process need.
    static let longestLine = 4_194_304

    /// Calls `handler` with each complete line, without its end; the channel closes at the end of
    /// the input.
    static func start(on channel: Channel, _ handler: @escaping (String) -> Void) {
        channel.options.inputLimit = longestLine
        channel.onReadable { channel in
            var lines: [String] = []
            let result = try channel.parse { bytes in
                bytes.withUnsafeBytes { take(from: $0, into: &lines) }
            }
            for line in lines { handler(line) }
            if result == .endOfStream { channel.close() }
        }
    }

    /// - Returns: how many bytes the complete lines had.
    private static func take(from bytes: UnsafeRawBufferPointer, into lines: inout [String]) -> Int
    {
        var start = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end + 1
        }
        return start
    }
}
