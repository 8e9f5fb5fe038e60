// SPDX-License-Identifier: Apache-2.0
//
// An open file descriptor with one owner, closed exactly once.
// Sockets, event counters and timers are built on it.

import CSystemCalls
import Glibc

/// An open file descriptor, closed exactly once: by ``close()``, or when its life ends.
public struct Descriptor: ~Copyable, Sendable {
    /// The number that the kernel knows it by.
    public let number: CInt

    /// Becomes the owner of an open descriptor.
    ///
    /// - Precondition: `number` is not negative.
    public init(adopting number: CInt) {
        precondition(number >= 0, "a descriptor's number is never negative")
        self.number = number
    }

    deinit {
        // The descriptor is gone even when close(2) fails, so there is nobody to tell.
        _ = SystemCall.close.made { Glibc.close(number) }
    }

    /// Closes now, for callers that must know whether it worked.
    ///
    /// The descriptor is gone even when this throws, so nobody tries again. Source: close(2).
    ///
    /// - Throws: the ``ErrorCode`` that close(2) gave.
    public consuming func close() throws(ErrorCode) {
        let number = number
        discard self
        let failed = SystemCall.close.made { Glibc.close(number) } != 0
        let code = ErrorCode.last
        if failed && code != .interrupted { throw code }
    }

    /// Gives the descriptor away: the caller closes it.
    public consuming func release() -> CInt {
        let number = number
        discard self
        return number
    }

    /// A second descriptor of the same open file, closed on exec.
    ///
    /// Source: fcntl(2), `F_DUPFD_CLOEXEC`.
    ///
    /// - Throws: ``ErrorCode``, such as `.tooManyOpenFiles`.
    public borrowing func duplicate() throws(ErrorCode) -> Descriptor {
        let number = number
        let copy = try retrying {
            SystemCall.duplicate.made { fcntl(number, F_DUPFD_CLOEXEC, 0) }
        }
        return Descriptor(adopting: copy)
    }
}
