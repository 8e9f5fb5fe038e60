// SPDX-License-Identifier: Apache-2.0
//
// Finds the end of a line among bytes in which line ends and the end mark stand for themselves.
// Looks at each byte a bounded number of times, also when the rarer kind of end never comes.

import Glibc

/// A search for the end of a line among bytes.
struct LineSearch {
    private static let lineFeed: UInt8 = 0x0A
    private static let carriageReturn: UInt8 = 0x0D
    /// Bytes to look at in one go: where one kind of end comes often, the search for another
    /// must not run through everything each time.
    private static let blockByteCount = 512

    let translation: LineTranslation
    let mark: UInt8?
    /// The longest line, in bytes without its end.
    let limit: Int

    /// A search as the options say.
    init(_ options: TextOptions) {
        translation = options.inputTranslation
        mark = options.inputMark
        limit = options.lineLimit
    }

    /// Where a line ends, in bytes from the front.
    enum End: Equatable {
        /// The next line begins at `next`.
        case found(content: Int, next: Int, swallows: Bool)
        /// A tail without an end.
        case tail(content: Int, isAtMark: Bool)
        /// Bytes before `scanned` need no second look.
        case missing(scanned: Int)
        case tooLong
    }

    /// Searches for the end of the line that begins at `start`, from `position` on.
    ///
    /// With `isLast`, which says that nothing follows, a tail without an end is one too.
    func end(
        in bytes: UnsafeRawBufferPointer, from start: Int, resumingAt position: Int, isLast: Bool
    ) -> End {
        // A line that is too long need not be looked at further.
        let reach = limit < bytes.count - start - 2 ? start + max(0, limit) + 2 : bytes.count
        var position = position
        while position < reach {
            let block = min(reach, position + Self.blockByteCount)
            let found = firstStop(in: bytes, position..<block)
            if found < block, let end = end(at: found, in: bytes, from: start) {
                return isTooLong(end, from: start) ? .tooLong : end
            }
            position = min(block, found + 1)
        }
        return unfinished(in: bytes, from: start, reach: reach, isLast: isLast)
    }

    /// The first byte that may end a line, or the end of the range.
    private func firstStop(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        var end = range.upperBound
        if translation != .cr {
            end = bytes.first(Self.lineFeed, in: range.lowerBound..<end)
        }
        if translation == .auto || translation == .cr {
            end = bytes.first(Self.carriageReturn, in: range.lowerBound..<end)
        }
        if let mark { end = bytes.first(mark, in: range.lowerBound..<end) }
        return end
    }

    /// What ends at a byte that may end a line; `nil` when nothing does.
    private func end(at index: Int, in bytes: UnsafeRawBufferPointer, from start: Int) -> End? {
        let byte = bytes[index]
        if byte == mark { return .tail(content: index, isAtMark: true) }
        switch translation {
        case .auto where byte == Self.carriageReturn:
            let next = index + 1
            if next == bytes.count { return .found(content: index, next: next, swallows: true) }
            let isPair = bytes[next] == Self.lineFeed && mark != Self.lineFeed
            return .found(content: index, next: isPair ? next + 1 : next, swallows: false)
        case .auto, .cr, .lf: return .found(content: index, next: index + 1, swallows: false)
        case .crlf:
            guard index > start, bytes[index - 1] == Self.carriageReturn else { return nil }
            return .found(content: index - 1, next: index + 1, swallows: false)
        }
    }

    private func isTooLong(_ end: End, from start: Int) -> Bool {
        switch end {
        case .found(let content, _, _), .tail(let content, _): content - start > limit
        case .missing, .tooLong: false
        }
    }

    /// What bytes without an end of a line are.
    private func unfinished(
        in bytes: UnsafeRawBufferPointer, from start: Int, reach: Int, isLast: Bool
    ) -> End {
        var content = reach - start
        // A CR may begin the end of the line; only what follows tells.
        if translation == .crlf, !isLast, reach == bytes.count, reach > start,
            bytes[reach - 1] == Self.carriageReturn
        {
            content -= 1
        }
        if content > limit { return .tooLong }
        return isLast
            ? .tail(content: bytes.count, isAtMark: false) : .missing(scanned: bytes.count)
    }
}

extension UnsafeRawBufferPointer {
    /// Where a byte comes first within a range, or the end of the range.
    func first(_ byte: UInt8, in range: Range<Int>) -> Int {
        guard let base = baseAddress, !range.isEmpty else { return range.upperBound }
        // The callers' ranges lie within these bytes.
        guard let found = memchr(base + range.lowerBound, CInt(byte), range.count) else {
            return range.upperBound
        }
        return UnsafeRawPointer(found) - base
    }
}
