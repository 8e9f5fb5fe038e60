// SPDX-License-Identifier: Apache-2.0
//
// Starts scripts of other languages, and makes the lines that both sides know.
// A script makes its lines by itself; the test makes them again and compares byte by byte.

import Sluice
import TestSupport

/// 10,000 lines from 2 to 129 bytes long; every one is different.
enum Lines {
    static let count = 10_000

    /// The lines as bytes, each with a line feed at its end.
    static let bytes: [UInt8] = {
        let letters = Array("abcdefghi ".utf8)
        return (0..<count).flatMap { number in
            Array("\(number)".utf8)
                + (0..<number % 13).flatMap { _ in letters } + [UInt8(ascii: "\n")]
        }
    }()
}

extension CommandProcess {
    /// Runs a Tcl script; `lines` in it is a list of the 10,000 lines.
    static func tclsh(_ script: String, _ arguments: String...) throws -> CommandProcess {
        let start = """
            proc makeLines {} {
                for {set number 0} {$number < \(Lines.count)} {incr number} {
                    lappend lines $number[string repeat "abcdefghi " [expr {$number % 13}]]
                }
                return $lines
            }
            fconfigure stdout -translation binary

            """
        return try CommandProcess(
            "tclsh", ["/dev/stdin"] + arguments, input: Array((start + script).utf8))
    }

    /// Runs a Python script; `make_lines` in it makes the bytes of the 10,000 lines.
    static func python(_ script: String, _ arguments: String...) throws -> CommandProcess {
        let start = """
            import socket, sys

            def make_lines():
                return b"".join(b"%d%s\\n" % (number, b"abcdefghi " * (number % 13))
                                for number in range(\(Lines.count)))

            def read_to_end(connection):
                parts = []
                while part := connection.recv(65536):
                    parts.append(part)
                return b"".join(parts)


            """
        return try CommandProcess("python3", ["-c", start + script] + arguments)
    }

    /// Starts a service of `sluice serve` and tells its port as text.
    static func serving(_ service: String) throws -> (server: CommandProcess, port: String) {
        let server = try CommandProcess(sluice: ["serve", service])
        return (server, "\(try server.listeningAddress().port ?? 0)")
    }
}
