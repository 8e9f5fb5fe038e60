// SPDX-License-Identifier: Apache-2.0
//
// What other programs have written into the page: it stays when this one writes the page anew.

import Foundation

/// The sections of a page that stand between the lines `<!-- NAME -->` and `<!-- /NAME -->`, as
/// Scripts/results-section.sh puts them there.
enum KeptSections {
    /// The sections with their marks, in their order, each with an empty line behind it.
    static func text(ofPageAt place: URL) -> String {
        // There may be no page yet.
        guard let page = try? String(contentsOf: place, encoding: .utf8) else { return "" }
        return text(of: page)
    }

    /// A mark without its end begins no section.
    static func text(of page: String) -> String {
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        var text = ""
        var place = 0
        while place < lines.count {
            if let name = name(in: lines[place]),
                let end = lines[place...].firstIndex(of: "<!-- /\(name) -->")
            {
                text += lines[place...end].joined(separator: "\n") + "\n\n"
                place = end
            }
            place += 1
        }
        return text
    }

    private static func name(in line: Substring) -> Substring? {
        guard line.hasPrefix("<!-- "), line.hasSuffix(" -->"), line.count > 9 else { return nil }
        let name = line.dropFirst(5).dropLast(4)
        return name.hasPrefix("/") || name.contains(" ") ? nil : name
    }
}
