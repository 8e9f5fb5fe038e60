// SPDX-License-Identifier: Apache-2.0
//
// What turns bytes into text and back: encoding, line ends, end marks and limits.
// A value; whoever reads or writes holds a copy.

/// What to do about bytes that are no character, and characters that have no bytes.
public enum TextErrorPolicy: Hashable, Sendable {
    /// They are an error, ``TextError/undecodable(_:_:)`` or ``TextError/unencodable(_:_:)``.
    case strict
    /// U+FFFD stands for them on input, `?` on output.
    case replacing
}

/// How bytes become text, and text bytes.
///
/// A character is a Unicode scalar here, as in Tcl: `"\r\n"` is two.
public struct TextOptions: Hashable, Sendable {
    /// How characters become bytes.
    ///
    /// Initially UTF-8, RFC 3629.
    public var encoding = TextEncoding.utf8
    /// What to do about bytes that are no character, and characters that have no bytes.
    ///
    /// Initially strict.
    public var errorPolicy = TextErrorPolicy.strict
    /// What ends a line on input.
    ///
    /// Initially automatic.
    public var inputTranslation = LineTranslation.auto
    /// What is written for a line feed.
    ///
    /// Initially a line feed. Automatic means CRLF, as on Tcl's sockets.
    public var outputTranslation = LineTranslation.lf
    /// The character that ends the input, an ASCII character from U+0001 to U+007F.
    ///
    /// Neither it nor anything behind it is delivered. Initially none; a character outside of
    /// those bounds counts as none. Source: `-eofchar`, Tcl fconfigure(n).
    public var inputEndMark: Unicode.Scalar?
    /// The character that is written when the output closes, from U+0001 to U+007F.
    ///
    /// Initially none; a character outside of those bounds counts as none.
    public var outputEndMark: Unicode.Scalar?
    /// The longest line, in bytes without its end.
    ///
    /// Initially 65,536.
    public var lineLimit = 65_536

    /// UTF-8, strict, any line end on input, LF on output, no end marks.
    public init() {}

    /// Makes every byte a character of the same number, both ways.
    ///
    /// Encoding ``TextEncoding/binary``, LF both ways, no end marks: Tcl's
    /// `-translation binary`.
    public mutating func makeBinary() {
        encoding = .binary
        inputTranslation = .lf
        outputTranslation = .lf
        inputEndMark = nil
        outputEndMark = nil
    }
}

extension TextOptions {
    /// The input's end mark, if it is one.
    var inputMark: UInt8? { Self.mark(inputEndMark) }
    /// The output's end mark, if it is one.
    var outputMark: UInt8? { Self.mark(outputEndMark) }

    private static func mark(_ scalar: Unicode.Scalar?) -> UInt8? {
        guard let scalar, (1...127).contains(scalar.value) else { return nil }
        return UInt8(scalar.value)
    }
}
