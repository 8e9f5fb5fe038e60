// SPDX-License-Identifier: Apache-2.0
//
// JSON to print: what a report needs and no more.
// Source: RFC 8259.

/// A JSON value; its description is its text, on one line.
enum JSONValue {
    case null
    case integer(Int)
    /// With at most six digits after the point; what is not finite is written as null.
    case number(Double)
    case string(String)
    /// In the order that is given.
    case object([(String, JSONValue)])

    /// A number, or null where there is none.
    static func optional(_ number: Double?) -> JSONValue { number.map { .number($0) } ?? .null }
}

extension JSONValue: CustomStringConvertible {
    var description: String {
        switch self {
        case .null: "null"
        case .integer(let number): "\(number)"
        case .number(let number): Self.text(of: number)
        case .string(let text): Self.quoted(text)
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

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
