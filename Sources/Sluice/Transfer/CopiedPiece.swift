// SPDX-License-Identifier: Apache-2.0
//
// How a piece gets from the source of a copy to its sink: bytes as they are, or text.
// What the sink does not take stays unread.

extension CopyCounts {
    static func += (sum: inout CopyCounts, more: CopyCounts) {
        sum.read += more.read
        sum.bytesWritten += more.bytesWritten
    }

    /// Counts bytes that have passed untouched.
    mutating func add(_ count: Int) {
        read += count
        bytesWritten += count
    }
}

/// What one step of a copy has moved.
struct CopiedPiece {
    var counts = CopyCounts()
    /// Whether to wait before more is written.
    var isSinkFull = false
    /// What a side met behind that.
    private(set) var error: ChannelError?
    private(set) var failedSide = CopySide.sink

    /// Nothing follows.
    mutating func fail(_ error: ChannelError, of side: CopySide) {
        self.error = error
        failedSide = side
    }

    /// Writes to a sink, and notes what came of it.
    fileprivate mutating func put(_ bytes: RawSpan, to sink: any CopySink, waits: Bool) {
        var written = 0
        do throws(ChannelError) {
            isSinkFull = try sink.put(bytes, waits: waits, &written)
        } catch {
            fail(error, of: .sink)
        }
        counts.bytesWritten += written
    }
}

extension CopySource {
    /// Moves a piece to a sink; what that does not take is still there.
    ///
    /// - Returns: `nil` when nothing is there.
    func move(
        to sink: any CopySink, asText isText: Bool, upTo limit: Int, waits: Bool
    ) throws(ChannelError) -> CopiedPiece? {
        var piece = CopiedPiece()
        if isText {
            let text = try waitingText(upTo: min(limit, 16_384), waits: waits)
            if text.isEmpty { return nil }
            var bytes: [UInt8] = []
            let count: Int
            do throws(ChannelError) {
                count = try sink.encodeStart(of: text, into: &bytes)
            } catch {
                piece.fail(error, of: .sink)
                return piece
            }
            piece.put(bytes.span.bytes, to: sink, waits: waits)
            if piece.error != nil { return piece }
            try dropText(count)
            piece.counts.read = count
            return piece
        }
        return try moveBytes(to: sink, upTo: limit, waits: waits)
    }

    /// Moves all, up to a limit, and waits for both ends.
    func moveAll(to sink: any CopySink, upTo limit: Int?) throws(ChannelError) -> CopyCounts {
        var counts = CopyCounts()
        do throws(ChannelError) {
            try moveAll(to: sink, upTo: limit.flatMap { $0 < 0 ? nil : $0 } ?? .max, &counts)
        } catch {
            // What was written is closed all the same; the first failure is the one to tell.
            try? sink.endText(&counts.bytesWritten)
            throw error
        }
        try sink.endText(&counts.bytesWritten)
        return counts
    }

    private func moveAll(
        to sink: any CopySink, upTo limit: Int, _ counts: inout CopyCounts
    ) throws(ChannelError) {
        let isText = !passesUntouched(to: sink.textOptions)
        while counts.read < limit {
            let left = limit - counts.read
            guard let piece = try move(to: sink, asText: isText, upTo: left, waits: true) else {
                if let error = takeFailure() { throw error }
                return
            }
            counts += piece.counts
            if let error = piece.error { throw error }
        }
    }
}

extension LendingSource {
    func moveBytes(
        to sink: any CopySink, upTo limit: Int, waits: Bool
    ) throws(ChannelError) -> CopiedPiece? {
        var piece = CopiedPiece()
        let isThere = try takeBytes(upTo: limit, waits: waits) { bytes in
            piece.put(bytes, to: sink, waits: waits)
            piece.counts.read = piece.counts.bytesWritten
            return piece.counts.read
        }
        return isThere ? piece : nil
    }
}

extension CopySink {
    /// Encodes the text up to the first character that the encoding lacks.
    ///
    /// - Returns: how many characters were encoded.
    /// - Throws: ``ChannelError`` where it lacks the first of all.
    fileprivate func encodeStart(
        of text: String, into bytes: inout [UInt8]
    ) throws(ChannelError) -> Int {
        do throws(ChannelError) {
            try encode(text, into: &bytes)
            return text.unicodeScalars.count
        } catch {
            let scalars = text.unicodeScalars
            guard case .text(.unencodable(let bad, _), _) = error,
                let end = scalars.firstIndex(of: bad), end > scalars.startIndex
            else { throw error }
            let good = String(scalars[..<end])
            try encode(good, into: &bytes)
            return good.unicodeScalars.count
        }
    }
}
