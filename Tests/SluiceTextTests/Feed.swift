// SPDX-License-Identifier: Apache-2.0
//
// Stands in for a channel: it holds bytes, hands them over and drops what was consumed.
// And what the suites share: options in one line, and numbers that are the same every time.

import SluiceText

/// Bytes that come in pieces, and the text taken from them.
final class Feed {
    private var input: TextInput
    private(set) var bytes: [UInt8]

    init(_ options: TextOptions, _ bytes: [UInt8] = []) {
        input = TextInput(options)
        self.bytes = bytes
    }

    var isAtEndMark: Bool { input.isAtEndMark }
    var swallowsLineFeed: Bool { input.swallowsLineFeed }

    /// The next line after more bytes have come.
    func line(_ more: [UInt8] = [], isLast: Bool = false) throws(TextError) -> String? {
        bytes += more
        let all = bytes
        let piece = try input.nextLine(in: all.span.bytes, isLast: isLast)
        bytes.removeFirst(piece.byteCount)
        return piece.text
    }

    /// Every line there is now.
    func lines(_ more: [UInt8] = [], isLast: Bool = false) throws(TextError) -> [String] {
        bytes += more
        var lines: [String] = []
        while let line = try line(isLast: isLast) { lines.append(line) }
        return lines
    }

    /// Up to so many characters after more bytes have come.
    func text(
        upTo limit: Int = .max, _ more: [UInt8] = [], isLast: Bool = false
    ) throws(TextError) -> String? {
        bytes += more
        let all = bytes
        let piece = try input.take(upTo: limit, from: all.span.bytes, isLast: isLast)
        bytes.removeFirst(piece.byteCount)
        return piece.text
    }

    func change(_ edit: (inout TextOptions) -> Void) {
        var options = input.options
        edit(&options)
        input.change(to: options)
    }

    /// Takes bytes away as a reader of raw bytes does.
    func takeRaw(_ count: Int) -> [UInt8] {
        let all = bytes
        bytes.removeFirst(input.takeSwallowed(from: all.span.bytes, isLast: false) ?? 0)
        let taken = Array(bytes.prefix(count))
        bytes.removeFirst(taken.count)
        input.reset()
        return taken
    }
}

extension TextOptions {
    /// Options of one encoding that differ from the initial ones as `edit` says.
    static func of(
        _ name: String, _ edit: (inout TextOptions) -> Void = { _ in }
    ) throws(TextError) -> TextOptions {
        var options = TextOptions()
        options.encoding = try TextEncoding(named: name)
        edit(&options)
        return options
    }
}

extension String {
    /// The bytes of UTF-8.
    var bytes: [UInt8] { Array(utf8) }
}
