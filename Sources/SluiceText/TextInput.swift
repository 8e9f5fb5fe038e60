// SPDX-License-Identifier: Apache-2.0
//
// Lines and characters from bytes that come in pieces.
// Decodes, then looks for the end mark, then translates line ends; does no I/O.

/// Takes lines and characters from bytes that come in pieces.
///
/// The caller holds the bytes. Those it hands over begin right behind the last ones it was told
/// to drop; between calls it only appends to them, or else calls ``reset()``. However bytes are
/// cut into pieces, the text is the same.
///
/// It remembers how far it looked, so that a long line in many pieces is read once. In UTF-16,
/// UTF-32 and charsets with characters of several bytes a line is kept decoded until it is
/// complete, 16 bytes a character: no more than ``TextOptions/lineLimit`` bytes of it.
public struct TextInput: ~Copyable {
    /// How bytes become text.
    public private(set) var options: TextOptions
    /// Whether the end mark was met: nothing behind it is delivered.
    public internal(set) var isAtEndMark = false
    /// Whether a line ended in a CR that was the last byte there.
    ///
    /// One line feed at the very front of what comes next belongs to that line. Only with
    /// ``LineTranslation/auto``.
    public internal(set) var swallowsLineFeed = false

    /// Text, and the bytes that the caller must drop for it.
    public struct Piece: Hashable, Sendable {
        /// The text; `nil` when there is no complete line.
        public var text: String?
        /// How many bytes at the front the caller must drop now.
        ///
        /// May be more than 0 without text, such as for the line feed that belongs to the line
        /// before.
        public var byteCount: Int

        /// Text that stands for some bytes.
        public init(text: String?, byteCount: Int) {
            self.text = text
            self.byteCount = byteCount
        }
    }

    /// How lines are found among bytes whose line ends are plain, and what they become.
    ///
    /// Taken from the options once: copies of those cost more than a short line.
    private(set) var search: LineSearch
    private var plain: PlainText?
    /// What the line feed that is to be swallowed looks like, where the options were changed since.
    private var strayLineFeed: [UInt8] = []
    /// How many bytes at the front hold no end of a line; for those encodings alone.
    var scannedByteCount = 0
    /// Characters decoded from the front; for all other encodings.
    var ahead = DecodedAhead()
    /// How many characters of those hold no end of a line.
    var scannedCount = 0
    /// Whether the last text ended before bytes that are no character.
    var meetsUndecodable = false
    private var decoder: ScalarDecoder

    /// Begins at the start of a text.
    public init(_ options: TextOptions) {
        self.options = options
        search = LineSearch(options)
        plain = PlainText(options)
        decoder = ScalarDecoder(options.encoding)
    }

    /// Goes on with other options, from the first byte that was not consumed.
    ///
    /// Another encoding begins in its initial state. Another encoding or another end mark lifts
    /// the end that a mark caused. A line feed that belongs to the line before is swallowed as it
    /// was written then.
    public mutating func change(to options: TextOptions) {
        let old = self.options
        self.options = options
        let isOther =
            options.encoding != old.encoding || options.inputTranslation != old.inputTranslation
        if swallowsLineFeed, isOther {
            swallowsLineFeed = false
            strayLineFeed = old.encoding.lineFeed
        }
        search = LineSearch(options)
        plain = PlainText(options)
        if options.encoding != old.encoding {
            decoder = ScalarDecoder(options.encoding)
            ahead.clear()
        }
        if options.encoding != old.encoding || search.mark != old.inputMark {
            isAtEndMark = false
        }
        scannedByteCount = 0
        scannedCount = 0
    }

    /// Begins again at bytes that do not follow those before, since somebody else took some.
    ///
    /// The encoding is in its initial state then. ``swallowsLineFeed`` and ``isAtEndMark`` stay.
    public mutating func reset() {
        decoder.reset()
        ahead.clear()
        scannedByteCount = 0
        scannedCount = 0
    }

    /// Whether the next byte may still belong to the line before.
    package var awaitsLineFeed: Bool { swallowsLineFeed || !strayLineFeed.isEmpty }

    /// How many bytes at the front belong to the line before, for a reader of raw bytes.
    ///
    /// - Returns: 0, or the length of one line feed, which is forgotten then; `nil` while only more
    ///   bytes tell.
    public mutating func takeSwallowed(from bytes: RawSpan, isLast: Bool) -> Int? {
        bytes.withUnsafeBytes { bytes in
            if !strayLineFeed.isEmpty {
                guard let stray = strayByteCount(of: bytes, isLast: isLast) else { return nil }
                strayLineFeed = []
                return stray
            }
            guard swallowsLineFeed else { return 0 }
            if plain != nil {
                if bytes.isEmpty, !isLast { return nil }
                swallowsLineFeed = false
                return bytes.first == 0x0A && search.mark != 0x0A ? 1 : 0
            }
            // Where a charset cannot be opened now, no line feed can be found either.
            let count = (try? swallowedCount(of: bytes, isLast: isLast)) ?? 0
            if ahead.count == 0, !isLast { return nil }
            swallowsLineFeed = false
            return consume(count)
        }
    }

    /// Takes the next line, without its end.
    ///
    /// A line that is not complete consumes nothing and is no text. With `isLast`, which says
    /// that nothing follows, and before the end mark a tail without an end is a line.
    ///
    /// - Throws: ``TextError/lineTooLong(limit:)`` and, when the line holds them,
    ///   ``TextError/undecodable(_:_:)``; ``TextError/unknownEncoding(_:)`` when the system
    ///   cannot open the encoding now. Nothing is consumed then.
    public mutating func nextLine(
        in bytes: RawSpan, isLast: Bool
    ) throws(TextError) -> Piece {
        if isAtEndMark { return Piece(text: nil, byteCount: 0) }
        return try bytes.withUnsafeBytes { (bytes) throws(TextError) in
            if strayLineFeed.isEmpty { return try line(in: bytes, isLast: isLast) }
            guard let stray = strayByteCount(of: bytes, isLast: isLast) else {
                return Piece(text: nil, byteCount: 0)
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[stray...])
            var piece = try line(in: rest, isLast: isLast)
            piece.byteCount += stray
            strayLineFeed = []
            return piece
        }
    }

    private mutating func line(
        in bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Piece {
        if let plain { return try plainLine(of: plain, in: bytes, isLast: isLast) }
        return try decodedLine(in: bytes, isLast: isLast)
    }

    /// Takes what is there, up to `limit` characters; never `nil`.
    ///
    /// Line ends are line feeds. Bytes of an incomplete character stay, unless nothing follows.
    /// Bytes that are no character end the text before them; the call that begins with them
    /// throws.
    ///
    /// - Throws: ``TextError/undecodable(_:_:)``, or ``TextError/unknownEncoding(_:)`` when the
    ///   system cannot open the encoding now. Nothing is consumed then.
    public mutating func take(
        upTo limit: Int, from bytes: RawSpan, isLast: Bool
    ) throws(TextError) -> Piece {
        if isAtEndMark || limit <= 0 { return Piece(text: "", byteCount: 0) }
        return try bytes.withUnsafeBytes { (bytes) throws(TextError) in
            if strayLineFeed.isEmpty { return try text(upTo: limit, from: bytes, isLast: isLast) }
            guard let stray = strayByteCount(of: bytes, isLast: isLast) else {
                return Piece(text: "", byteCount: 0)
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[stray...])
            var piece = try text(upTo: limit, from: rest, isLast: isLast)
            piece.byteCount += stray
            strayLineFeed = []
            return piece
        }
    }

    /// The text that ``take(upTo:from:isLast:)`` would give now; nothing is consumed.
    ///
    /// - Returns: the text, and whether it stays so, whatever comes: the end mark stands behind it,
    ///   or bytes that are no character.
    /// - Throws: ``TextError``, as that.
    package mutating func look(
        upTo limit: Int, at bytes: RawSpan, isLast: Bool
    ) throws(TextError) -> (text: String, isFinal: Bool) {
        if isAtEndMark || limit <= 0 { return ("", isAtEndMark) }
        return try bytes.withUnsafeBytes { (bytes) throws(TextError) in
            guard let stray = strayByteCount(of: bytes, isLast: isLast) else { return ("", false) }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[stray...])
            if plain == nil {
                // What is decoded stays so, since a decoder can't be put back; at most two
                // characters become one.
                let most = 2 * min(limit, rest.count) + 2
                while ahead.count < most, try decode(to: ahead.count, of: rest, isLast: isLast) {}
            }
            let decoded = ahead
            let before = (scannedByteCount, scannedCount, swallowsLineFeed)
            defer {
                ahead = decoded
                (scannedByteCount, scannedCount, swallowsLineFeed) = before
                isAtEndMark = false
            }
            meetsUndecodable = false
            let found = try text(upTo: limit, from: rest, isLast: isLast).text ?? ""
            return (found, isAtEndMark || meetsUndecodable)
        }
    }

    private mutating func text(
        upTo limit: Int, from bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Piece {
        guard let plain else { return try decodedText(upTo: limit, from: bytes, isLast: isLast) }
        // Lines of plain bytes are not looked for among decoded characters.
        defer { ahead.clear() }
        if let piece = plainText(of: plain, upTo: limit, from: bytes, isLast: isLast) {
            return piece
        }
        return try decodedText(upTo: limit, from: bytes, isLast: isLast)
    }

    /// Whether the end mark stands at the front.
    package mutating func isMarkNext(in bytes: RawSpan) -> Bool {
        guard let mark = search.mark else { return false }
        return bytes.withUnsafeBytes { bytes in
            if plain != nil { return bytes.first == mark }
            // Where a charset cannot be opened now, no mark can be found either.
            return ((try? decode(to: 0, of: bytes, isLast: false)) ?? false) && isMark(at: 0)
        }
    }

    /// The text that is there, with U+FFFD for bytes that are no character; consumes nothing.
    public mutating func peek(at bytes: RawSpan) -> String {
        if isAtEndMark { return "" }
        return bytes.withUnsafeBytes { bytes in
            let stray = strayByteCount(of: bytes, isLast: false) ?? bytes.count
            let rest = UnsafeRawBufferPointer(rebasing: bytes[stray...])
            // Plain bytes are decoded without a state, and nobody looks at what is kept decoded.
            defer { if plain != nil { ahead.clear() } }
            return peekedText(of: rest)
        }
    }

    /// How many bytes at the front are the line feed that was to be swallowed before a change.
    ///
    /// - Returns: `nil` while only more bytes tell.
    private func strayByteCount(of bytes: UnsafeRawBufferPointer, isLast: Bool) -> Int? {
        let count = min(strayLineFeed.count, bytes.count)
        guard bytes[..<count].elementsEqual(strayLineFeed[..<count]) else { return 0 }
        if count == strayLineFeed.count { return count }
        return isLast ? 0 : nil
    }
}

extension TextEncoding {
    /// The bytes of a line feed.
    fileprivate var lineFeed: [UInt8] {
        var beginning: [UInt8] = []
        var bytes: [UInt8] = []
        var encoder = ScalarEncoder(self)
        // What begins a text, such as a byte-order mark, is behind us.
        try? encoder.encode("a", lineEnd: "\n", replacing: true, into: &beginning)
        // Every encoding has a line feed; one that can't be opened now has none to be found.
        try? encoder.encode("\n", lineEnd: "\n", replacing: true, into: &bytes)
        return bytes
    }
}

extension TextInput {
    /// Decodes as far as the character at `index`; answers whether there is one.
    ///
    /// `false` means that bytes are missing, or the end.
    mutating func decode(
        to index: Int, of bytes: UnsafeRawBufferPointer, isLast: Bool
    ) throws(TextError) -> Bool {
        while index >= ahead.count {
            precondition(ahead.byteCount <= bytes.count, "bytes were taken without a reset()")
            let rest = UnsafeRawBufferPointer(rebasing: bytes[ahead.byteCount...])
            guard try decoder.step(rest, isLast: isLast, into: &ahead) else { return false }
        }
        return true
    }

    /// Forgets characters at the front; answers how many bytes they stand for.
    mutating func consume(_ characters: Int) -> Int {
        scannedCount = max(0, scannedCount - characters)
        let byteCount = ahead.drop(characters)
        scannedByteCount = max(0, scannedByteCount - byteCount)
        return byteCount
    }

    /// Forgets everything decoded, also an escape sequence behind the last character; answers
    /// how many bytes that stands for.
    mutating func consumeAll() -> Int {
        scannedCount = 0
        scannedByteCount = 0
        return ahead.dropAll()
    }
}
