// SPDX-License-Identifier: Apache-2.0
//
// What both sides of a talk with tclsh know: the lines, how they end on the wire, and what a reader
// with other settings makes of them.

/// A text in an encoding that can say all of it.
struct Speech: Sendable, CustomStringConvertible {
    /// The encoding's name, the same in Tcl.
    let encoding: String
    /// What the lines are made of.
    let sample: String

    var description: String { encoding }

    static let all = [
        Speech(encoding: "utf-8", sample: "añ€日本 "),
        Speech(encoding: "iso8859-1", sample: "añÄß÷ "),
        Speech(encoding: "shiftjis", sample: "a日本ソｱ "),
        Speech(encoding: "unicode", sample: "añ€日\u{0A0D}\u{0D0A} "),
        Speech(encoding: "iso2022-jp", sample: "a日本語z "),
    ]

    static let utf8 = all[0]

    /// Whether a character depends on what came before it.
    ///
    /// Tcl 8.6.13 forgets that behind a CR that ends a segment, see ``TclSlip/stateForgotten``.
    var isStateful: Bool { encoding == "iso2022-jp" }

    /// Lines that are all different; some are a number and nothing else.
    func lines(_ count: Int) -> [String] {
        (0..<count).map { "\($0)" + String(repeating: sample, count: $0 % 7) }
    }

    /// Defines `lines` in Tcl: the same lines.
    var tcl: String {
        """
        proc lines {count} {
            for {set number 0} {$number < $count} {incr number} {
                lappend lines $number[string repeat "\(sample.tclWord)" [expr {$number % 7}]]
            }
            return $lines
        }

        """
    }
}

extension String {
    /// The text between quotation marks in Tcl, in ASCII, which every system's encoding has.
    var tclWord: String { unicodeScalars.map(Self.tcl).joined() }

    private static func tcl(_ scalar: Unicode.Scalar) -> String {
        if scalar.isASCII { return String(scalar) }
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

/// How one side writes the ends of lines, and how the other one looks for them.
struct LineEnds: Sendable, CustomStringConvertible {
    /// `-translation` of whoever writes.
    let written: String
    /// `-translation` of whoever reads.
    let read: String

    var description: String { "written \(written), read \(read)" }

    /// As Tcl and Sluice are told: both directions at once.
    var translation: String { "\(read) \(written)" }

    private static let names = ["auto", "binary", "cr", "crlf", "lf"]

    /// Every translation with every other.
    static let all = names.flatMap { written in
        names.map { LineEnds(written: written, read: $0) }
    }

    /// Whether Tcl 8.6.13 reads wrongly, as each segment ends in a CR.
    func confusesTcl(_ speech: Speech) -> Bool {
        speech.isStateful && written == "cr" && read == "auto"
    }

    /// What the reader gets of the lines that the writer has written, without any help of the
    /// library's.
    func received(_ lines: [String]) -> [String] {
        let end =
            switch written {
            case "auto", "crlf": "\r\n"
            case "cr": "\r"
            default: "\n"
            }
        var received: [String.UnicodeScalarView] = [.init()]
        var wasReturn = false
        for scalar in lines.map({ $0 + end }).joined().unicodeScalars {
            switch (read, scalar) {
            case ("auto", "\n") where wasReturn: break
            case ("auto", "\r"), ("auto", "\n"), ("cr", "\r"), ("lf", "\n"), ("binary", "\n"):
                received.append(.init())
            case ("crlf", "\n") where wasReturn:
                received[received.count - 1].removeLast()
                received.append(.init())
            default: received[received.count - 1].append(scalar)
            }
            wasReturn = scalar == "\r"
        }
        if received.last?.isEmpty == true { received.removeLast() }
        return received.map { String($0) }
    }
}

/// Lines as Tcl's `report` says them: a count, then each behind a separator.
func report(_ lines: [String]) -> [UInt8] {
    var bytes = Array("\(lines.count)".utf8)
    for line in lines {
        bytes.append(0x1E)
        bytes += line.utf8
    }
    bytes.append(0x1D)
    return bytes
}
