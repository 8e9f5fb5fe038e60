// SPDX-License-Identifier: Apache-2.0
//
// Text into bytes: translates line ends, then encodes.
// A text is written whole or not at all.

/// Turns text into bytes.
public struct TextOutput: ~Copyable {
    /// How text becomes bytes.
    public private(set) var options: TextOptions
    private var encoder: ScalarEncoder
    /// What returned an encoding that was left to its initial state; precedes the next text.
    private var closing: [UInt8] = []
    private var isFinished = false

    /// Begins at the start of a text.
    public init(_ options: TextOptions) {
        self.options = options
        encoder = ScalarEncoder(options.encoding)
    }

    /// Goes on with other options.
    ///
    /// Where another encoding follows one with a state, the bytes that return that one to its
    /// initial state precede the next text.
    public mutating func change(to options: TextOptions) {
        if options.encoding != self.options.encoding {
            encoder.close(into: &closing)
            encoder = ScalarEncoder(options.encoding)
        }
        self.options = options
    }

    /// Whether bytes that were appended and then dropped would be missed by those that follow.
    package var hasState: Bool {
        options.encoding.mayHaveState || !closing.isEmpty
    }

    /// Whether the bytes of the next text are its UTF-8, unchanged.
    public var isTransparent: Bool {
        options.encoding == .utf8 && options.outputTranslation == .lf && closing.isEmpty
    }

    /// How many bytes a text would be at the beginning of everything.
    package func byteCount(of text: String) throws(TextError) -> Int {
        var trial = TextOutput(options)
        var bytes: [UInt8] = []
        try trial.append(text, to: &bytes)
        return bytes.count
    }

    /// Appends the bytes of `text`: all, or none when it throws.
    ///
    /// Each line feed becomes the line end of ``TextOptions/outputTranslation``; a carriage
    /// return stays. A charset of the system that joins characters, such as EUC-JISX0213, may
    /// keep the last one until it knows what follows.
    ///
    /// - Throws: ``TextError/unencodable(_:_:)``, or ``TextError/unknownEncoding(_:)`` when the
    ///   system cannot open the encoding now.
    public mutating func append(
        _ text: String, to bytes: inout [UInt8]
    ) throws(TextError) {
        if text.isEmpty { return }
        let count = bytes.count
        bytes += closing
        do throws(TextError) {
            try encoder.encode(
                text, lineEnd: options.outputTranslation.outputEnd,
                replacing: options.errorPolicy == .replacing, into: &bytes)
        } catch {
            bytes.removeSubrange(count...)
            throw error
        }
        closing = []
    }

    /// Appends what closes the text; later calls append nothing.
    ///
    /// That is the end mark, and what returns an encoding to its initial state.
    public mutating func finish(into bytes: inout [UInt8]) {
        if isFinished { return }
        isFinished = true
        bytes += closing
        closing = []
        if let mark = options.outputMark {
            // An encoding without this character, if there is one, ends without it.
            try? encoder.encode(
                String(Unicode.Scalar(mark)), lineEnd: "\n", replacing: false, into: &bytes)
        }
        encoder.close(into: &bytes)
    }
}
