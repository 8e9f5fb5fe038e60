// SPDX-License-Identifier: Apache-2.0
//
// How lines end on the wire.
// The names are those of Tcl's channels.

/// How lines end.
///
/// In text a line always ends in a line feed; this says what stands for it on the wire.
/// Source: `-translation`, Tcl fconfigure(n).
public enum LineTranslation: String, Hashable, Sendable, CaseIterable {
    /// On input LF, CR and CRLF, also mixed; on output CRLF.
    ///
    /// A CR that is the last byte there ends its line at once; one LF right behind it then
    /// belongs to that line too.
    case auto
    /// CR alone; LF is a character like any other.
    case cr
    /// CRLF alone; a CR or an LF by itself is a character like any other.
    case crlf
    /// LF alone; CR is a character like any other.
    case lf
}

extension LineTranslation {
    /// What stands for a line feed on output.
    var outputEnd: String {
        switch self {
        case .auto, .crlf: "\r\n"
        case .cr: "\r"
        case .lf: "\n"
        }
    }
}
