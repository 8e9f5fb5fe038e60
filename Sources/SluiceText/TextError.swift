// SPDX-License-Identifier: Apache-2.0
//
// Why bytes could not become text, or text bytes.
// Each case holds what somebody who reads the message asks for first.

/// Why bytes could not become text, or text bytes.
public enum TextError: Error, Hashable, Sendable {
    /// No encoding has this name here, or the system cannot open it now.
    case unknownEncoding(String)
    /// These bytes are no character of the encoding.
    case undecodable([UInt8], TextEncoding)
    /// The encoding has no bytes for this character.
    case unencodable(Unicode.Scalar, TextEncoding)
    /// More bytes than the limit stand before the end of the line.
    case lineTooLong(limit: Int)
}

extension TextError: CustomStringConvertible {
    /// What happened, such as `bytes C3 28 are no utf-8`.
    public var description: String {
        switch self {
        case .unknownEncoding(let name):
            return "unknown encoding \"\(name)\""
        case .undecodable(let bytes, let encoding):
            let digits = bytes.map { Self.hexadecimal(UInt32($0), digits: 2) }
            let noun = bytes.count == 1 ? "byte" : "bytes"
            let verb = bytes.count == 1 ? "is" : "are"
            return "\(noun) \(digits.joined(separator: " ")) \(verb) no \(encoding)"
        case .unencodable(let scalar, let encoding):
            return "\(encoding) has no U+\(Self.hexadecimal(scalar.value, digits: 4))"
        case .lineTooLong(let limit):
            return "a line is longer than \(limit) bytes"
        }
    }

    private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
