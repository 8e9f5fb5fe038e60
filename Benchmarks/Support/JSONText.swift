// SPDX-License-Identifier: Apache-2.0
//
// JSON to print, as far as the results need it.
// Source: RFC 8259.

/// A JSON value; its description is its text, on one line.
package enum JSONText {
    case integer(Int)
    /// With three digits after the point; what is not finite is written as null.
    case number(Double)
    case boolean(Bool)
    case string(String)
    case array([JSONText])
    /// In the order that is given.
    case object([(String, JSONText)])
}

extension JSONText: CustomStringConvertible {
    package var description: String {
        switch self {
        case .integer(let number): "\(number)"
        case .number(let number): number.isFinite ? NumberText.fixed(number, digits: 3) : "null"
        case .boolean(let truth): truth ? "true" : "false"
        case .string(let text): Self.quoted(text)
        case .array(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
        }
    }

    /// A text in quotation marks, with all escapes that it needs.
    package static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 {
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                if scalar == "\"" || scalar == "\\" { quoted += "\\" }
                quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
