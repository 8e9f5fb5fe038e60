// SPDX-License-Identifier: Apache-2.0
//
// Text that came from others, made fit for a terminal.

/// Texts of peers and name servers, for people.
enum PrintedText {
    /// The text with what a terminal would act upon, not show, as its number: `\u{1B}`.
    static func safe(_ text: String) -> String {
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                safe += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }
}
