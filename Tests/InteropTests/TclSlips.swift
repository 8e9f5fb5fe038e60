// SPDX-License-Identifier: Apache-2.0
//
// Where Tcl 8.6.13 itself errs, or may answer later than we do, so that its answers to a cut are no
// measure: each kind by a rule. Among some 100,000 cuts no others were answered differently.

/// Why Tcl's `gets` or `read` answers a cut in another way than we do.
enum TclSlip: Hashable, CaseIterable {
    /// X5: a line feed that begins a segment is swallowed, or seen a segment late, though it is not
    /// the one right behind the CR that ended an earlier segment.
    case lineFeedSwallowedTwice
    /// With a line feed swallowed at the front of its segment the end mark is found one character
    /// late.
    case markMisplaced
    /// In `crlf` the character behind a CR is not looked at again: CR CR LF ends no line.
    case returnSkipped
    /// In `crlf` no end mark is looked for in the segment behind one that ended in CR.
    case markOverlooked
    /// A stateful encoding is in a wrong state behind a CR that ended a segment.
    case stateForgotten
    /// No error of Tcl's, but a choice of ours: when a CR in `crlf` is known to end no line.
    ///
    /// Tcl holds the CR until the character behind it is whole. Sluice delivers it in UTF-8 at that
    /// character's first byte, which tells that it is no LF.
    case returnHeld
}

extension CutInput {
    /// Why Tcl's answers to this input are no measure, if they are not.
    var slip: TclSlip? {
        switch (translation, question) {
        case ("auto", .lines): swallowingSlip ?? (forgetsState ? .stateForgotten : nil)
        case ("crlf", .lines): pairSlip ?? (forgetsState ? .stateForgotten : nil)
        case ("crlf", _): forgetsState ? .stateForgotten : hesitates ? .returnHeld : nil
        default: nil
        }
    }

    /// The characters that each piece completes, up to the end mark; only pieces with any.
    private var segments: [[Kind]] {
        var segments: [[Kind]] = []
        var left = characters[...]
        if let mark = left.firstIndex(where: { $0.kind == .mark }) { left = left[...mark] }
        var end = 0
        for piece in pieces {
            end += piece.count
            let segment = left.prefix { $0.offset < end }
            left = left.dropFirst(segment.count)
            if !segment.isEmpty { segments.append(segment.map(\.kind)) }
        }
        return segments
    }

    private var swallowingSlip: TclSlip? {
        var isBehindReturn = false
        var isFirst = false
        for segment in segments {
            var rest = segment[...]
            if isBehindReturn, rest.first == .lineFeed {
                if !isFirst { return .lineFeedSwallowedTwice }
                rest.removeFirst()
                if rest.contains(.mark) { return .markMisplaced }
            }
            isFirst = false
            if rest.contains(.carriageReturn) || rest.contains(.lineFeed) { isBehindReturn = false }
            if rest.last == .carriageReturn { (isBehindReturn, isFirst) = (true, true) }
        }
        return nil
    }

    private var pairSlip: TclSlip? {
        var returns = 0
        for character in segments.joined() {
            if character == .lineFeed, returns > 0, returns.isMultiple(of: 2) {
                return .returnSkipped
            }
            returns = character == .carriageReturn ? returns + 1 : 0
        }
        for (segment, next) in zip(segments, segments.dropFirst())
        where segment.last == .carriageReturn && next.first != .lineFeed && next.contains(.mark) {
            return .markOverlooked
        }
        return nil
    }

    private var forgetsState: Bool {
        guard encoding == "iso2022-jp" else { return false }
        let bytes = Array(pieces.joined())
        return endingReturns.contains { offset, cut in
            if offset + 1 < bytes.count, bytes[offset + 1] == 0x1B {
                if translation == "crlf" || offset + 1 < cut { return true }
            }
            // With nothing behind it no state is asked for.
            if offset + 1 == bytes.count { return false }
            let end = characters.last { $0.offset < offset && $0.kind != .other }
            let line = bytes[(end.map { $0.offset + 1 } ?? 0)..<offset]
            return translation == "auto" && line.contains(0x1B)
        }
    }

    private var hesitates: Bool {
        guard encoding == "utf-8" else { return false }
        var cut = 0
        let cuts = pieces.map { piece in
            cut += piece.count
            return cut
        }
        return zip(characters, characters.dropFirst()).contains { one, next in
            one.kind == .carriageReturn
                && cuts.contains { $0 > one.offset + 1 && $0 <= next.offset }
        }
    }

    /// The CRs that are the last character which their piece completes, and where that piece ends.
    private var endingReturns: [(offset: Int, cut: Int)] {
        var returns: [(offset: Int, cut: Int)] = []
        var start = 0
        for piece in pieces {
            let cut = start + piece.count
            if let last = characters.last(where: { $0.offset < cut }), last.offset >= start,
                last.kind == .carriageReturn
            {
                returns.append((last.offset, cut))
            }
            start = cut
        }
        return returns
    }
}
