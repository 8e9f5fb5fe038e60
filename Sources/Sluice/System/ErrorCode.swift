// SPDX-License-Identifier: Apache-2.0
//
// The numbers that system calls leave in `errno`, as named constants.
// Only the ones that a socket layer meets have names; every number can be held.

import Glibc

/// A number that a system call left in `errno`.
///
/// Source: errno(3).
public struct ErrorCode: RawRepresentable, Error, Hashable, Sendable {
    /// The number, as in C.
    public let rawValue: CInt

    /// Wraps a number that C calls an errno.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// What the last failed system call of this thread left; read it once, at once.
    static var last: ErrorCode { ErrorCode(rawValue: errno) }
}

extension ErrorCode: CustomStringConvertible {
    /// The system's text, such as `Connection refused`.
    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let start = buffer.baseAddress, strerror_r(rawValue, start, buffer.count) == 0
            else { return "Error \(rawValue)" }
            return String(cString: start)
        }
    }
}

extension ErrorCode {
    /// No error (0).
    public static let success = Self(rawValue: 0)
    /// Address in use (`EADDRINUSE`).
    public static let addressInUse = Self(rawValue: EADDRINUSE)
    /// The address is not one of this machine's (`EADDRNOTAVAIL`).
    public static let addressNotAvailable = Self(rawValue: EADDRNOTAVAIL)
    /// No address of this family fits (`EAFNOSUPPORT`).
    public static let addressFamilyNotSupported = Self(rawValue: EAFNOSUPPORT)
    /// An attempt is under way already (`EALREADY`).
    public static let alreadyInProgress = Self(rawValue: EALREADY)
    /// The descriptor is not open (`EBADF`); also every call on a closed channel or socket.
    public static let badDescriptor = Self(rawValue: EBADF)
    /// The peer reads no more (`EPIPE`).
    public static let brokenPipe = Self(rawValue: EPIPE)
    /// In use by somebody else, such as the signals of the process (`EBUSY`).
    public static let busy = Self(rawValue: EBUSY)
    /// Given up by the program that had asked (`ECANCELED`).
    public static let cancelled = Self(rawValue: ECANCELED)
    /// The peer gave up before it was accepted (`ECONNABORTED`).
    public static let connectionAborted = Self(rawValue: ECONNABORTED)
    /// Nobody listens there (`ECONNREFUSED`).
    public static let connectionRefused = Self(rawValue: ECONNREFUSED)
    /// The peer cut the connection (`ECONNRESET`).
    public static let connectionReset = Self(rawValue: ECONNRESET)
    /// A file or name exists already (`EEXIST`).
    public static let exists = Self(rawValue: EEXIST)
    /// The peer's machine can't be reached (`EHOSTUNREACH`).
    public static let hostUnreachable = Self(rawValue: EHOSTUNREACH)
    /// The attempt goes on in the background (`EINPROGRESS`).
    public static let inProgress = Self(rawValue: EINPROGRESS)
    /// A signal came first (`EINTR`).
    public static let interrupted = Self(rawValue: EINTR)
    /// An argument is outside what the call takes (`EINVAL`).
    public static let invalidArgument = Self(rawValue: EINVAL)
    /// The device has failed, or can't do it (`EIO`).
    public static let inputOutput = Self(rawValue: EIO)
    /// Connected already (`EISCONN`).
    public static let isConnected = Self(rawValue: EISCONN)
    /// Too long for the call, such as a message or a name (`EMSGSIZE`).
    public static let messageTooLong = Self(rawValue: EMSGSIZE)
    /// A path or a name is too long (`ENAMETOOLONG`).
    public static let nameTooLong = Self(rawValue: ENAMETOOLONG)
    /// There is less data than was asked for (`ENODATA`).
    public static let noData = Self(rawValue: ENODATA)
    /// No route leads there (`ENETUNREACH`).
    public static let networkUnreachable = Self(rawValue: ENETUNREACH)
    /// The kernel, or a queue with a limit, has no room (`ENOBUFS`).
    public static let noBufferSpace = Self(rawValue: ENOBUFS)
    /// No such interface (`ENODEV`).
    public static let noSuchDevice = Self(rawValue: ENODEV)
    /// No such file (`ENOENT`).
    public static let noEntry = Self(rawValue: ENOENT)
    /// Out of memory (`ENOMEM`).
    public static let noMemory = Self(rawValue: ENOMEM)
    /// The option is unknown here (`ENOPROTOOPT`).
    public static let noProtocolOption = Self(rawValue: ENOPROTOOPT)
    /// No connection there (`ENOTCONN`).
    public static let notConnected = Self(rawValue: ENOTCONN)
    /// The descriptor is not a socket (`ENOTSOCK`).
    public static let notSocket = Self(rawValue: ENOTSOCK)
    /// This kind of object can't do that (`EOPNOTSUPP`).
    public static let notSupported = Self(rawValue: EOPNOTSUPP)
    /// Refused by a filter or by rights (`EPERM`).
    public static let notPermitted = Self(rawValue: EPERM)
    /// No such protocol in this family (`EPROTONOSUPPORT`).
    public static let protocolNotSupported = Self(rawValue: EPROTONOSUPPORT)
    /// The protocol is of another kind of sockets (`EPROTOTYPE`).
    public static let wrongProtocolKind = Self(rawValue: EPROTOTYPE)
    /// A datagram socket has no peer, and none was named (`EDESTADDRREQ`).
    public static let destinationRequired = Self(rawValue: EDESTADDRREQ)
    /// Refused by rights (`EACCES`).
    public static let permissionDenied = Self(rawValue: EACCES)
    /// This half was shut (`ESHUTDOWN`).
    public static let shutDown = Self(rawValue: ESHUTDOWN)
    /// Time ran out (`ETIMEDOUT`).
    public static let timedOut = Self(rawValue: ETIMEDOUT)
    /// The process has no descriptor left (`EMFILE`).
    public static let tooManyOpenFiles = Self(rawValue: EMFILE)
    /// The machine has no descriptor left (`ENFILE`).
    public static let tooManyOpenFilesInSystem = Self(rawValue: ENFILE)
    /// Too many descriptors are on their way through sockets (`ETOOMANYREFS`).
    public static let tooManyReferences = Self(rawValue: ETOOMANYREFS)
    /// The call would have to wait (`EAGAIN`, `EWOULDBLOCK`).
    public static let wouldBlock = Self(rawValue: EAGAIN)
}
