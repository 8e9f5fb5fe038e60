// SPDX-License-Identifier: Apache-2.0
//
// The fast way for UTF-8 and charsets that extend ASCII: lines are found among the bytes.
// A line costs a search, a check and its string; nothing else is stored.

extension TextInput {
    mutating func plainLine(
        of plain: PlainText, in bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Piece {
        let start = swallowedByteCount(of: bytes)
        let end = search.end(
            in: bytes, from: start, resumingAt: start + scannedByteCount, isLast: isLast)
        switch end {
        case .found(let content, let next, let swallows):
            let line = try text(of: plain, in: bytes, start..<content)
            scannedByteCount = 0
            swallowsLineFeed = swallows
            return Piece(text: line, byteCount: next)
        case .tail(let content, let isAtMark):
            let line = content == start ? nil : try text(of: plain, in: bytes, start..<content)
            scannedByteCount = 0
            swallowsLineFeed = false
            isAtEndMark = isAtMark
            return Piece(text: line, byteCount: content)
        case .missing(let scanned):
            scannedByteCount = scanned - start
            if !bytes.isEmpty { swallowsLineFeed = false }
            return Piece(text: nil, byteCount: start)
        case .tooLong: throw .lineTooLong(limit: search.limit)
        }
    }

    /// How many bytes at the front belong to the line before: 0 or 1.
    func swallowedByteCount(of bytes: UnsafeRawBufferPointer) -> Int {
        guard swallowsLineFeed, bytes.first == 0x0A else { return 0 }
        return search.mark == 0x0A ? 0 : 1
    }

    private func text(
        of plain: PlainText, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(TextError) -> String {
        let content = UnsafeRawBufferPointer(rebasing: bytes[range])
        if let text = plain.text(of: content) { return text }
        throw .undecodable(plain.firstUndecodable(in: content), options.encoding)
    }

    /// Text without decoding characters one by one, where that is possible: the text is good,
    /// and `limit` ends it neither within a pair nor behind characters of several bytes.
    ///
    /// `nil` otherwise, and nothing has changed then.
    mutating func plainText(
        of plain: PlainText, upTo limit: Int, from bytes: UnsafeRawBufferPointer, isLast: Bool
    ) -> Piece? {
        guard let last = bytes.last else { return Piece(text: "", byteCount: 0) }
        let start = swallowedByteCount(of: bytes)
        let isWhole = bytes.count - start <= limit
        var end = isWhole ? bytes.count : start + limit
        if let mark = search.mark, bytes.first(mark, in: start..<end) < end { return nil }
        let translation = search.translation
        let hasReturns = translation != .lf && bytes.first(0x0D, in: start..<end) < end
        let all = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        if !isWhole {
            if hasReturns || !plain.isOneByteEach(all) { return nil }
        } else if !isLast {
            // The start of a pair, or of a character, stays until it is certain.
            let isHalf = translation == .crlf && last == 0x0D
            end -= isHalf ? 1 : plain.incompleteByteCount(of: all)
        }
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        let translated = hasReturns ? content.withLineFeeds(for: translation) : nil
        // What is wrong with it the other way finds out.
        guard let text = translated?.withUnsafeBytes(plain.text) ?? plain.text(of: content) else {
            return nil
        }
        swallowsLineFeed = translation == .auto && isWhole && end > start && last == 0x0D
        scannedByteCount = max(0, scannedByteCount - end)
        return Piece(text: text, byteCount: end)
    }
}
