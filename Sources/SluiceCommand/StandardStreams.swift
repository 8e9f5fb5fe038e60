// SPDX-License-Identifier: Apache-2.0
//
// Standard output and standard error without buffers: what is written is there at once. Whoever
// must not be held up offers lines, and what is not taken at once is left out.

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

    /// The longest line that is offered, with its end: a pipe takes it whole or not at all.
    ///
    /// Source: `PIPE_BUF`, pipe(7).
    static let offeredByteCount = 4_096

    /// Writes a line where the stream takes it without waiting, and leaves it out where it does
    /// not; of a longer line than ``offeredByteCount`` the end is left out.
    ///
    /// - Returns: whether it was written.
    @discardableResult
    static func offer(_ line: String, to number: CInt) -> Bool {
        var text = line
        if text.utf8.count >= offeredByteCount {
            text = String(decoding: text.utf8.prefix(offeredByteCount - 4), as: UTF8.self)
        }
        var question = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        guard poll(&question, 1, 0) > 0, question.revents & Int16(POLLOUT) != 0 else {
            return false
        }
        // Once and no more: for a second time nobody has said that there is room.
        let bytes = Array("\(text)\n".utf8)
        return Glibc.write(number, bytes, bytes.count) == bytes.count
    }

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
