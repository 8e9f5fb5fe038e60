// SPDX-License-Identifier: Apache-2.0
//
// Any encoding, decoded one step after the other.
// Only a charset of the system that is no plain table needs a state.

/// Decodes any encoding, a step at a time.
struct ScalarDecoder: ~Copyable {
    private let encoding: TextEncoding
    /// Opened at the first use, since a failure must reach a caller who can handle it.
    private var descriptor: IconvDescriptor?
    private var isFlushed = false
    /// Where the system puts what it decoded: numbers, for some may be no scalars.
    ///
    /// One step of a known charset yields three at most. With room for one alone glibc would
    /// repeat the second character of a code for two for ever.
    private var room: [UInt32]

    init(_ encoding: TextEncoding) {
        self.encoding = encoding
        room = encoding.hasState ? Array(repeating: 0, count: 8) : []
    }

    /// Forgets the state, as if nothing had been decoded.
    mutating func reset() { self = ScalarDecoder(encoding) }

    /// Decodes what stands at the front of `rest`: one step, into `ahead`.
    ///
    /// Answers whether there was a step; `false` means that more bytes are needed. What a step
    /// yields depends on the bytes it takes alone, not on what is behind them.
    mutating func step(
        _ rest: UnsafeRawBufferPointer, isLast: Bool, into ahead: inout DecodedAhead
    ) throws(TextError) -> Bool {
        if case .charset(let charset) = encoding.form, encoding.hasState {
            return try step(rest, of: charset, isLast: isLast, into: &ahead)
        }
        guard let first = rest.first else { return false }
        let step: DecodingStep
        switch encoding.form {
        case .utf8: step = .utf8(rest)
        case .bytes(let last):
            let scalar = first <= last ? Unicode.Scalar(first) : nil
            step = scalar.map { .character($0, byteCount: 1) } ?? .undecodable(byteCount: 1)
        case .utf16(let bigEndian): step = .utf16(rest, bigEndian: bigEndian)
        case .utf32(let bigEndian): step = .utf32(rest, bigEndian: bigEndian)
        case .charset(let charset):
            let scalar = charset.characters?[Int(first)]
            step = scalar.map { .character($0, byteCount: 1) } ?? .undecodable(byteCount: 1)
        }
        switch step {
        case .character(let scalar, let byteCount): ahead.append(scalar, byteCount: byteCount)
        case .undecodable(let byteCount): ahead.append(nil, byteCount: byteCount)
        case .incomplete:
            guard isLast else { return false }
            ahead.append(nil, byteCount: rest.count)
        }
        return true
    }

    /// Bytes of one character, or of one escape sequence, at most; the longest known has four.
    private static let longestSequence = 16

    /// Offers the system one byte, then two and so on, until it takes them.
    ///
    /// So the bytes of each character are known exactly, and bytes it has not taken may come
    /// again: they do not change its state.
    private mutating func step(
        _ rest: UnsafeRawBufferPointer, of charset: Charset, isLast: Bool,
        into ahead: inout DecodedAhead
    ) throws(TextError) -> Bool {
        if descriptor == nil { descriptor = IconvDescriptor(decoding: charset.name) }
        for length in 1..<min(rest.count, Self.longestSequence) + 1 {
            let offered = UnsafeRawBufferPointer(rebasing: rest[..<length])
            let progress = room.withUnsafeMutableBytes { descriptor?.convert(offered, into: $0) }
            guard let progress else { throw .unknownEncoding(encoding.name) }
            if progress.produced > 0 {
                append(progress.produced / 4, byteCount: progress.consumed, to: &ahead)
                return true
            }
            if progress.consumed > 0 {
                ahead.appendSilent(byteCount: progress.consumed)
                return true
            }
            if progress.stop != .incomplete {
                ahead.append(nil, byteCount: min(charset.unitByteCount, rest.count))
                return true
            }
        }
        if rest.count >= Self.longestSequence {
            ahead.append(nil, byteCount: charset.unitByteCount)
            return true
        }
        guard isLast else { return false }
        if !rest.isEmpty {
            ahead.append(nil, byteCount: rest.count)
            return true
        }
        return flush(into: &ahead)
    }

    /// What the system still held at the end; answers whether there was something.
    private mutating func flush(into ahead: inout DecodedAhead) -> Bool {
        if isFlushed { return false }
        isFlushed = true
        let produced = room.withUnsafeMutableBytes { descriptor?.reset(into: $0) } ?? 0
        append(produced / 4, byteCount: 0, to: &ahead)
        return produced > 0
    }

    /// Adds the characters in `room`, which `byteCount` bytes became.
    private func append(_ count: Int, byteCount: Int, to ahead: inout DecodedAhead) {
        // Each of several gets one byte, so that none is left when the bytes are gone.
        var rest = byteCount
        for index in 0..<count {
            let claimed = index == 0 ? max(rest - (count - 1), min(rest, 1)) : min(rest, 1)
            ahead.append(Unicode.Scalar(room[index]), byteCount: claimed)
            rest -= claimed
        }
    }
}
