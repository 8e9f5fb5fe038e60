// SPDX-License-Identifier: Apache-2.0
//
// Standard output and standard error without buffers: what a benchmark says on the way, and what it
// says at its end.

import Glibc

/// What a program says to people.
package struct Words: Sendable {
    private let speaker: String

    /// - Parameter speaker: the name that stands before each line on standard error.
    package init(of speaker: String) { self.speaker = speaker }

    /// Writes a line to standard output.
    package func say(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// Writes a line to standard error, with the speaker's name.
    package func complain(_ line: String) { write("\(speaker): \(line)\n", to: STDERR_FILENO) }

    /// What a reader that has gone does not take is dropped.
    private func write(_ text: String, to number: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

extension Words {
    /// Has a benchmark run, and says what has come of it.
    ///
    /// - Parameter run: gives what is printed, and what the run is judged by.
    /// - Returns: the exit status: 0 well, 70 a fault, 99 a limit missed, 130 interrupted.
    package func report(_ run: () throws -> (text: String, limits: [Limit])) -> CInt {
        do {
            let (text, limits) = try run()
            say(text)
            let missed = limits.filter(\.isMissed)
            for limit in missed { complain("missed: \(limit.text)") }
            return missed.isEmpty ? 0 : 99
        } catch Fault.interrupted {
            return 130
        } catch {
            complain("\(error)")
            return 70
        }
    }
}
