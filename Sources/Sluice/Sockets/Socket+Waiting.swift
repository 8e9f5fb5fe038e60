// SPDX-License-Identifier: Apache-2.0
//
// Waiting for one socket, for those who do without a reactor.
// No event of anybody else is looked at meanwhile.

import CSystemCalls
import Glibc

extension Socket {
    /// What may be waited for.
    public enum Readiness: Hashable, Sendable {
        /// Bytes, a client, the end or an error.
        case readable
        /// Room for a byte, the outcome of connecting, or an error.
        case writable
        /// Either.
        case readableOrWritable
        /// An error, or an entry of the queue of errors, and nothing else.
        case failed

        fileprivate var events: Int16 {
            switch self {
            case .readable: Int16(POLLIN)
            case .writable: Int16(POLLOUT)
            case .readableOrWritable: Int16(POLLIN | POLLOUT)
            case .failed: 0
            }
        }
    }

    /// Waits until the socket is ready, has failed, or the deadline has passed.
    ///
    /// Source: poll(2).
    ///
    /// - Parameter deadline: in nanoseconds of the monotonic clock; `nil` for none.
    /// - Returns: false when the deadline passed first.
    /// - Throws: ``SocketError`` with operation `.watch`.
    func wait(
        until readiness: Readiness, before deadline: UInt64? = nil
    ) throws(SocketError) -> Bool {
        var question = pollfd(fd: number, events: readiness.events, revents: 0)
        while true {
            var rest: CInt = -1
            if let deadline {
                let now = csystem_monotonic_nanoseconds()
                // Rounded up, so that the last wait does not end just before the deadline.
                rest = deadline > now ? CInt(clamping: (deadline - now + 999_999) / 1_000_000) : 0
            }
            let count = SystemCall.poll.made { Glibc.poll(&question, 1, rest) }
            if count > 0 { return true }
            if count == 0 {
                if rest == 0 { return false }
                continue
            }
            let code = ErrorCode.last
            if code != .interrupted { throw SocketError(.watch, code) }
        }
    }
}
