// SPDX-License-Identifier: Apache-2.0
//
// Several values in one text: words between blanks, in braces where they are empty or have blanks.
// The simple part of Tcl's list syntax, as option values use it; a brace by itself has a backslash.

/// Lists as text.
enum ListText {
    /// The words of a list; `nil` where a brace is missing.
    static func words(of text: String) -> [String]? {
        var words: [String] = []
        var rest = text.unicodeScalars[...]
        while let first = rest.first {
            if isBlank(first) {
                rest.removeFirst()
                continue
            }
            if first == "{" {
                guard let end = endOfBraces(rest) else { return nil }
                words.append(String(rest[rest.index(after: rest.startIndex)..<end]))
                rest = rest[rest.index(after: end)...]
                if let next = rest.first, !isBlank(next) { return nil }
            } else {
                words.append(plainWord(&rest))
            }
        }
        return words
    }

    /// The list that has these words.
    static func text(of words: [String]) -> String {
        words.map { word in
            if word.unicodeScalars.contains(where: { "{}\\".unicodeScalars.contains($0) }) {
                return word.unicodeScalars.map { "\\\($0)" }.joined()
            }
            let needsBraces = word.isEmpty || word.unicodeScalars.contains(where: isBlank)
            return needsBraces ? "{\(word)}" : word
        }.joined(separator: " ")
    }

    /// A word up to a blank; what follows a backslash stands for itself.
    private static func plainWord(_ rest: inout Substring.UnicodeScalarView) -> String {
        var word = String.UnicodeScalarView()
        while let scalar = rest.first, !isBlank(scalar) {
            rest.removeFirst()
            if scalar == "\\", let escaped = rest.popFirst() {
                word.append(escaped)
            } else {
                word.append(scalar)
            }
        }
        return String(word)
    }

    /// Where the brace that the text begins with is closed.
    private static func endOfBraces(_ text: Substring.UnicodeScalarView) -> String.Index? {
        var depth = 0
        for index in text.indices {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        (9...13).contains(scalar.value) || scalar == " "
    }
}
