// SPDX-License-Identifier: Apache-2.0
//
// Numbers and tables, as the pages of results have them.

/// Writes numbers for people.
package enum NumberText {
    /// `1234567` as `1,234,567`.
    package static func grouped(_ number: Int) -> String {
        var text = ""
        for (place, digit) in String(number.magnitude).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + String(text.reversed())
    }

    /// A number with so many digits after the point; 0 to 9.
    package static func fixed(_ number: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        guard number.isFinite, abs(number) < 1e9 else { return "\(number)" }
        let scaled = Int((abs(number) * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let zeros = String(repeating: "0", count: max(0, digits - fraction.count))
        let sign = number < 0 && scaled > 0 ? "-" : ""
        return sign + "\(scaled / scale)" + (digits > 0 ? "." + zeros + fraction : "")
    }

    package static func gibibytes(_ byteCount: Int) -> String {
        fixed(Double(byteCount) / 1_073_741_824, digits: 1) + " GiB"
    }

    package static func mebibytes(_ byteCount: Int) -> String {
        fixed(Double(byteCount) / 1_048_576, digits: 1)
    }
}

/// Writes tables of Markdown.
package enum TableText {
    /// A table: its first column stands to the left, all others to the right.
    package static func table(_ heads: [String], _ rows: [[String]]) -> String {
        let line = { (cells: [String]) in "| " + cells.joined(separator: " | ") + " |" }
        let rule = heads.indices.map { $0 == 0 ? "---" : "--:" }
        return ([line(heads), line(rule)] + rows.map(line)).joined(separator: "\n")
    }
}
