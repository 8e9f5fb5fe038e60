// SPDX-License-Identifier: Apache-2.0
//
// Waiting for the first of several sockets, for races that nobody but their waiter moves.

internal import CSystemCalls
import Glibc

extension Socket {
    /// Waits until one of several sockets is writable or has failed, or the deadline has passed.
    ///
    /// Source: poll(2).
    ///
    /// - Parameter numbers: the sockets' descriptors; one below 0 is never ready.
    /// - Parameter deadline: in nanoseconds of the monotonic clock; 0 only looks.
    /// - Returns: for each of them whether it is.
    /// - Throws: ``SocketError`` with operation `.watch`.
    static func areWritable(
        _ numbers: [CInt], before deadline: UInt64
    ) throws(SocketError) -> [Bool] {
        var questions = numbers.map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
        while true {
            let now = csystem_monotonic_nanoseconds()
            // Rounded up, so that the last wait does not end just before the deadline.
            let rest = deadline > now ? (deadline - now - 1) / 1_000_000 + 1 : 0
            let count = SystemCall.poll.made {
                Glibc.poll(&questions, nfds_t(questions.count), CInt(clamping: rest))
            }
            let code = ErrorCode.last
            if count > 0 || (count == 0 && rest == 0) { return questions.map { $0.revents != 0 } }
            if count < 0, code != .interrupted { throw SocketError(.watch, code) }
        }
    }
}
