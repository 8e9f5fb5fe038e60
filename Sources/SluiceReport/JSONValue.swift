// SPDX-License-Identifier: Apache-2.0
//
// JSON to print: what a report needs and no more.
// Source: RFC 8259.

/// A JSON value; its description is its text, on one line.
package enum JSONValue {
    case null
    case integer(Int)
    /// With at most six digits after the point; what is not finite is written as null.
    case number(Double)
    case boolean(Bool)
    case string(String)
    case array([JSONValue])
    /// In the order that is given.
    case object([(String, JSONValue)])

    /// A number, or null where there is none.
    package static func optional(_ number: Double?) -> JSONValue {
        number.map { .number($0) } ?? .null
    }
}

extension JSONValue: CustomStringConvertible {
    package var description: String {
        switch self {
        case .null: "null"
        case .integer(let number): "\(number)"
        case .number(let number): Self.text(of: number)
        case .boolean(let truth): truth ? "true" : "false"
        case .string(let text): Self.quoted(text)
        case .array(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        case .object(let members):
            "{"
                + members.map { "\(Self.quoted($0.0)): \($0.1)" }.joined(separator: ", ")
                + "}"
        }
    }

    private static func text(of number: Double) -> String {
        guard number.isFinite else { return "null" }
        return "\((number * 1e6).rounded() / 1e6)"
    }

    /// What a terminal would act upon, not show, is written as its number, too.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                quoted += String(scalar).utf16.map(escaped).joined()
            default:
                if scalar == "\"" || scalar == "\\" { quoted += "\\" }
                quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// A character beyond the first 65,536 is two of them.
    ///
    /// Source: RFC 8259, 7.
    private static func escaped(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
