// SPDX-License-Identifier: Apache-2.0
//
// The names that options have in scripts and configuration files: those of Tcl's fconfigure.

/// An option of channels and servers, by the name that Tcl gives it.
///
/// Source: Tcl's fconfigure(n) and socket(n).
enum OptionName: String, CaseIterable {
    case blocking = "-blocking"
    case buffering = "-buffering"
    case bufferSize = "-buffersize"
    case encoding = "-encoding"
    case endMark = "-eofchar"
    case translation = "-translation"
    case connecting = "-connecting"
    case error = "-error"
    case keepAlive = "-keepalive"
    case noDelay = "-nodelay"
    case peerName = "-peername"
    case localName = "-sockname"

    /// The option that `name` means: its whole name, or a beginning that only it has.
    init(_ name: String, among valid: [OptionName]) throws(OptionError) {
        let found = valid.filter { $0.rawValue == name }
        let similar = name.count > 1 ? valid.filter { $0.rawValue.hasPrefix(name) } : []
        guard let option = found.first ?? (similar.count == 1 ? similar.first : nil) else {
            throw .unknownOption(name, valid: valid.map(\.rawValue))
        }
        self = option
    }
}

/// An option and its value, both as text.
public struct NamedOption: Hashable, Sendable {
    /// The option's whole name, such as `-translation`.
    public let name: String
    /// Its value, such as `auto crlf`.
    public let value: String
}

// MARK: - Values as text

extension OptionName {
    /// A truth value, in any of Tcl's spellings, which may be shortened while they are unique.
    func truth(_ text: String) throws(OptionError) -> Bool {
        let word = text.lowercased()
        let words: [(String, Bool)] = [
            ("1", true), ("true", true), ("yes", true), ("on", true),
            ("0", false), ("false", false), ("no", false), ("off", false),
        ]
        let found = word.isEmpty ? [] : words.filter { $0.0.hasPrefix(word) }
        // `o` may be the beginning of `on` and of `off`.
        guard let value = found.first?.1, found.allSatisfy({ $0.1 == value }) else {
            throw .badValue(text, option: rawValue, expected: "a truth value")
        }
        return value
    }

    func number(_ text: String) throws(OptionError) -> Int {
        guard let number = Int(text) else {
            throw .badValue(text, option: rawValue, expected: "an integer")
        }
        return number
    }

    /// The values for reading and for writing: one for both, or one for each.
    func pair(_ text: String) throws(OptionError) -> (input: String, output: String) {
        let words = ListText.words(of: text)
        switch words?.count {
        case 0: return ("", "")
        case 1: return (words?[0] ?? "", words?[0] ?? "")
        case 2: return (words?[0] ?? "", words?[1] ?? "")
        default:
            throw .badValue(text, option: rawValue, expected: "a value, or one for each direction")
        }
    }
}
