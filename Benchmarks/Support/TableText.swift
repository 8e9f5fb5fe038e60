// SPDX-License-Identifier: Apache-2.0
//
// Tables, and what stands in them, as the pages of results have them.

package import SluiceReport

extension NumberText {
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
