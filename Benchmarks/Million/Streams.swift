// SPDX-License-Identifier: Apache-2.0
//
// Standard output and standard error without buffers.

import Glibc

/// The two streams that the benchmark writes to.
enum Streams {
    /// Writes a line to standard output.
    static func say(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// Writes a line to standard error, with the benchmark's name.
    static func complain(_ line: String) { write("million: \(line)\n", to: STDERR_FILENO) }

    /// What a reader that has gone does not take is dropped.
    private static func write(_ text: String, to number: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
