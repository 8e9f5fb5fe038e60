// SPDX-License-Identifier: Apache-2.0
//
// The settings of a channel by name and text: what needs no channel to be read or changed.

extension ChannelOptions {
    /// Changes one setting, whose name may be shortened while it is unique.
    ///
    /// The names are `-blocking`, `-buffering`, `-buffersize`, `-encoding`, `-eofchar` and
    /// `-translation`. Source: Tcl's fconfigure(n).
    ///
    /// - Throws: ``OptionError``; the setting is then as it was.
    public mutating func configure(_ name: String, _ value: String) throws(OptionError) {
        try set(OptionName(name, among: OptionName.settings), to: value)
    }

    /// The value of one setting, whose name may be shortened while it is unique.
    ///
    /// - Throws: ``OptionError``: `.unknownOption`.
    public func configuration(of name: String) throws(OptionError) -> String {
        value(of: try OptionName(name, among: OptionName.settings)) ?? ""
    }
}

extension OptionName {
    /// Those that are settings of a channel, and nothing of the socket's.
    fileprivate static let settings: [OptionName] = [
        .blocking, .buffering, .bufferSize, .encoding, .endMark, .translation,
    ]
}

// MARK: - Reading and changing

extension ChannelOptions {
    /// - Returns: `nil` for what is no setting.
    func value(of option: OptionName) -> String? {
        switch option {
        case .blocking: return isBlocking ? "1" : "0"
        case .buffering: return buffering.rawValue
        case .bufferSize: return String(bufferByteCount)
        case .encoding: return text.encoding.name
        case .endMark:
            let marks = [text.inputEndMark, text.outputEndMark]
            return ListText.text(of: marks.map { $0.map { String($0) } ?? "" })
        case .translation:
            let output = text.outputTranslation == .auto ? .crlf : text.outputTranslation
            return ListText.text(of: [text.inputTranslation.rawValue, output.rawValue])
        default: return nil
        }
    }

    mutating func set(_ option: OptionName, to value: String) throws(OptionError) {
        switch option {
        case .blocking: isBlocking = try option.truth(value)
        case .buffering:
            guard let mode = Buffering(rawValue: value) else {
                throw .badValue(
                    value, option: option.rawValue, expected: "one of full, line, none or turn")
            }
            buffering = mode
        case .bufferSize: bufferByteCount = try option.number(value)
        case .encoding:
            do throws(TextError) {
                text.encoding = try TextEncoding(named: value)
            } catch {
                throw .badValue(value, option: option.rawValue, expected: "the name of an encoding")
            }
        case .endMark:
            let (input, output) = try option.pair(value)
            let marks = (try option.mark(input), try option.mark(output))
            (text.inputEndMark, text.outputEndMark) = marks
        case .translation: try setTranslation(option, value)
        default: throw .readOnly(option.rawValue)
        }
    }

    private mutating func setTranslation(
        _ option: OptionName, _ value: String
    ) throws(OptionError) {
        let (input, output) = try option.pair(value)
        if ListText.words(of: value)?.isEmpty == true {
            throw .badValue(value, option: option.rawValue, expected: "a list of one or two values")
        }
        let modes = (try option.translation(input), try option.translation(output))
        // Binary is the business of the encoding and of that direction's mark, too.
        if input == "binary" { (text.encoding, text.inputEndMark) = (.binary, nil) }
        if output == "binary" { (text.encoding, text.outputEndMark) = (.binary, nil) }
        if let mode = modes.0 { text.inputTranslation = mode }
        if let mode = modes.1 { text.outputTranslation = mode == .auto ? .crlf : mode }
    }
}

extension OptionName {
    /// - Returns: `nil` where the direction stays as it is.
    fileprivate func translation(_ word: String) throws(OptionError) -> LineTranslation? {
        switch word {
        case "": return nil
        case "binary", "platform": return .lf
        default:
            guard let mode = LineTranslation(rawValue: word) else {
                throw .badValue(
                    word, option: rawValue,
                    expected: "one of auto, binary, cr, crlf, lf or platform")
            }
            return mode
        }
    }

    fileprivate func mark(_ word: String) throws(OptionError) -> Unicode.Scalar? {
        let scalars = word.unicodeScalars
        guard let mark = scalars.first else { return nil }
        guard scalars.count == 1, (1...127).contains(mark.value) else {
            throw .badValue(
                word, option: rawValue, expected: "one ASCII character from 1 to 127, or none")
        }
        return mark
    }
}
