// SPDX-License-Identifier: Apache-2.0
//
// Lines and characters of any encoding, from characters decoded one by one.
// Nothing is consumed before it is certain that nothing is thrown.

extension TextInput {
    /// Where a line ends among the characters decoded.
    private enum LineEnd {
        /// `next` is the first character of the next line.
        case found(content: Int, next: Int, swallows: Bool)
        /// A tail without an end.
        case tail(content: Int, isAtMark: Bool)
        case missing
    }

    mutating func decodedLine(
        in bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Piece {
        let start = try swallowedCount(of: bytes, isLast: isLast)
        switch try lineEnd(of: bytes, from: start, isLast: isLast) {
        case .found(let content, let next, let swallows):
            let line = try text(of: start..<content, in: bytes)
            swallowsLineFeed = swallows
            return Piece(text: line, byteCount: consume(next))
        case .tail(let content, let isAtMark):
            let line = content == start ? nil : try text(of: start..<content, in: bytes)
            swallowsLineFeed = false
            isAtEndMark = isAtMark
            let byteCount = isAtMark ? consume(content) : consumeAll()
            return Piece(text: line, byteCount: byteCount)
        case .missing:
            if ahead.count > 0 { swallowsLineFeed = false }
            return Piece(text: nil, byteCount: consume(start))
        }
    }

    /// How many characters at the front belong to the line before: 0 or 1.
    mutating func swallowedCount(
        of bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Int {
        guard swallowsLineFeed, try decode(to: 0, of: bytes, isLast: isLast) else { return 0 }
        return isLineFeed(at: 0) ? 1 : 0
    }

    /// Whether the character at `index` is a line feed and does not end the text.
    private func isLineFeed(at index: Int) -> Bool {
        ahead[index] == "\n" && !isMark(at: index)
    }

    func isMark(at index: Int) -> Bool {
        guard let scalar = ahead[index], let mark = search.mark else { return false }
        return scalar.value == UInt32(mark)
    }

    private mutating func lineEnd(
        of bytes: UnsafeRawBufferPointer, from start: Int, isLast: Bool
    ) throws(TextError) -> LineEnd {
        var index = max(start, scannedCount)
        while try decode(to: index, of: bytes, isLast: isLast) {
            scannedCount = index
            let end = ahead.bytes(at: index)
            if isMark(at: index) {
                try checkLength(from: start, to: end.lowerBound)
                return .tail(content: index, isAtMark: true)
            }
            switch (search.translation, ahead[index]) {
            case (.auto, "\n"), (.lf, "\n"), (.cr, "\r"):
                try checkLength(from: start, to: end.lowerBound)
                return .found(content: index, next: index + 1, swallows: false)
            case (.auto, "\r"):
                try checkLength(from: start, to: end.lowerBound)
                let isFollowed = try decode(to: index + 1, of: bytes, isLast: isLast)
                let next = isFollowed && isLineFeed(at: index + 1) ? index + 2 : index + 1
                return .found(content: index, next: next, swallows: !isFollowed)
            case (.crlf, "\r"):
                if try decode(to: index + 1, of: bytes, isLast: isLast) {
                    guard isLineFeed(at: index + 1) else { break }
                    try checkLength(from: start, to: end.lowerBound)
                    return .found(content: index, next: index + 2, swallows: false)
                }
                // At the end of everything it is a character like any other.
                if isLast { break }
                try checkLength(from: start, to: end.lowerBound)
                return .missing
            default: break
            }
            try checkLength(from: start, to: end.upperBound)
            index += 1
        }
        scannedCount = index
        try checkLength(from: start, to: ahead.byteCount)
        return isLast ? .tail(content: index, isAtMark: false) : .missing
    }

    /// Throws when the bytes between the first characters and `end` are more than a line's.
    private func checkLength(from start: Int, to end: Int) throws(TextError) {
        if end - ahead.end(of: start) > search.limit {
            throw .lineTooLong(limit: search.limit)
        }
    }

    private func text(
        of characters: Range<Int>, in bytes: UnsafeRawBufferPointer
    ) throws(TextError) -> String {
        var length = 0
        for index in characters {
            length += UTF8.width(try scalar(at: index, in: bytes, options.errorPolicy))
        }
        return String(unsafeUninitializedCapacity: length) { room in
            var end = 0
            for index in characters {
                end += (ahead[index] ?? "\u{FFFD}").writeUTF8(to: room, at: end)
            }
            return end
        }
    }

    /// The character to deliver: bytes that are none are an error, or replaced.
    private func scalar(
        at index: Int, in bytes: UnsafeRawBufferPointer, _ policy: TextErrorPolicy
    ) throws(TextError) -> Unicode.Scalar {
        if let scalar = ahead[index] { return scalar }
        if policy == .replacing { return "\u{FFFD}" }
        throw .undecodable(Array(bytes[ahead.bytes(at: index)]), options.encoding)
    }
}

extension TextInput {
    /// What is delivered for one character or a pair.
    private struct Delivery {
        var scalar: Unicode.Scalar
        /// The first character behind.
        var next: Int
        /// Whether a line feed at the front of what comes next belongs to it.
        var swallows = false
    }

    /// Characters that may be delivered, in a row.
    private struct Run {
        var text = String.UnicodeScalarView()
        /// The first character behind.
        var next = 0
        var swallows = false
        var meetsMark = false
        var meetsEnd = false
        var meetsUndecodable = false
    }

    mutating func decodedText(
        upTo limit: Int, from bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Piece {
        let run = try run(upTo: limit, of: bytes, isLast: isLast, options.errorPolicy)
        swallowsLineFeed = run.swallows
        if run.meetsMark { isAtEndMark = true }
        meetsUndecodable = run.meetsUndecodable
        // With the last character goes an escape sequence behind it.
        let byteCount = run.meetsEnd ? consumeAll() : consume(run.next)
        return Piece(text: String(run.text), byteCount: byteCount)
    }

    /// What the bytes would be as text, with U+FFFD for those that are no character.
    mutating func peekedText(of bytes: UnsafeRawBufferPointer) -> String {
        // An encoding that can't be opened now shows nothing.
        let run = try? run(upTo: .max, of: bytes, isLast: false, .replacing)
        return String(run?.text ?? .init())
    }

    private mutating func run(
        upTo limit: Int, of bytes: UnsafeRawBufferPointer, isLast: Bool, _ policy: TextErrorPolicy
    ) throws(TextError) -> Run {
        var run = Run()
        run.next = try swallowedCount(of: bytes, isLast: isLast)
        run.swallows = swallowsLineFeed && ahead.count == 0
        var count = 0
        while count < limit {
            guard try decode(to: run.next, of: bytes, isLast: isLast) else {
                run.meetsEnd = isLast
                break
            }
            if isMark(at: run.next) {
                run.meetsMark = true
                break
            }
            // Bytes that are no character come up by themselves: what is before them is good.
            if ahead[run.next] == nil, policy == .strict, count > 0 {
                run.meetsUndecodable = true
                break
            }
            let found = try delivery(at: run.next, of: bytes, isLast: isLast, policy)
            guard let found else { break }
            run.text.append(found.scalar)
            run.next = found.next
            run.swallows = found.swallows
            count += 1
        }
        return run
    }

    /// What the character at `index` is translated to; `nil` when only what follows tells.
    private mutating func delivery(
        at index: Int, of bytes: UnsafeRawBufferPointer, isLast: Bool, _ policy: TextErrorPolicy
    ) throws(TextError) -> Delivery? {
        let first = try scalar(at: index, in: bytes, policy)
        guard first == "\r", search.translation != .lf else {
            return Delivery(scalar: first, next: index + 1)
        }
        if search.translation == .cr { return Delivery(scalar: "\n", next: index + 1) }
        let isFollowed = try decode(to: index + 1, of: bytes, isLast: isLast)
        if isFollowed && isLineFeed(at: index + 1) {
            return Delivery(scalar: "\n", next: index + 2)
        }
        if search.translation == .auto {
            return Delivery(scalar: "\n", next: index + 1, swallows: !isFollowed)
        }
        return isFollowed || isLast ? Delivery(scalar: "\r", next: index + 1) : nil
    }
}
