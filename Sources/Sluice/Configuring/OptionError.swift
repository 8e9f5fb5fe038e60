// SPDX-License-Identifier: Apache-2.0
//
// Why an option could not be read or changed by its name.
// Names and values come from scripts and configuration files, so each error says what is valid.

/// Why an option could not be read or changed by its name.
public enum OptionError: Error, Hashable, Sendable {
    /// No option, or more than one, begins like this.
    case unknownOption(String, valid: [String])
    /// The option can be read, but not changed.
    case readOnly(String)
    /// The value is none of the option's.
    case badValue(String, option: String, expected: String)
    /// The kernel refused.
    case socket(SocketError)
}

extension OptionError: CustomStringConvertible {
    /// One sentence, such as `bad option "-x": should be one of -blocking, ... or -translation`.
    public var description: String {
        switch self {
        case .unknownOption(let name, let valid):
            "bad option \"\(name)\": should be one of \(Self.listed(valid))"
        case .readOnly(let option): "option \"\(option)\" can only be read"
        case .badValue(let value, let option, let expected):
            "bad value \"\(value)\" for \(option): should be \(expected)"
        case .socket(let error): error.description
        }
    }

    private static func listed(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }
}
