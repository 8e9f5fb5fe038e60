// SPDX-License-Identifier: Apache-2.0
//
// Standard output and standard error without buffers: what is written is there at once.

import Glibc

/// The two streams that a command writes to.
enum StandardStreams {
    /// Opens `/dev/null` in place of those of the three that are closed.
    ///
    /// Else the command's own descriptors would get their numbers, and be read and written as them.
    static func openClosed() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
            // The kernel gives the lowest number that is free: this one.
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Writes a line to standard output.
    static func say(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// Writes a line to standard error, with the command's name.
    static func complain(_ line: String) { write("sluice: \(line)\n", to: STDERR_FILENO) }

    /// Writes a text as it is; what a reader that has gone does not take is dropped.
    static func write(_ text: String, to number: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN {
                var question = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                poll(&question, 1, -1)
                continue
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
