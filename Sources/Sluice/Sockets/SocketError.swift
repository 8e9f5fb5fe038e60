// SPDX-License-Identifier: Apache-2.0
//
// Why an operation failed: what was asked, of whom, and the system's answer.
// The retry after a signal stands here as well, since `errno` must be read exactly once.

/// Why a socket operation failed; prints as `connect 127.0.0.1:9: Connection refused`.
public struct SocketError: Error, Hashable, Sendable {
    /// What was asked.
    public enum Operation: String, Hashable, Sendable {
        /// Taking a connection from a listening socket. accept(2).
        case accept
        /// Becoming the owner of a socket that somebody else has opened. getsockopt(2).
        case adopt
        /// Giving a socket its local address. bind(2).
        case bind
        /// Closing. close(2).
        case close
        /// Opening a connection. connect(2).
        case connect
        /// Making a socket or a reactor's own descriptors. socket(2), eventfd(2),
        /// timerfd_create(2).
        case create
        /// Making a second descriptor of a socket. fcntl(2).
        case duplicate
        /// Waiting for a time.
        case wait
        /// Reading an option. getsockopt(2).
        case getOption = "get option"
        /// Changing an option. setsockopt(2).
        case setOption = "set option"
        /// Starting a program. fork(2), execve(2).
        case launch
        /// Waiting for connections. listen(2).
        case listen
        /// Asking for the local or the peer's address. getsockname(2), getpeername(2).
        case name
        /// A closure for another thread's reactor.
        case perform
        /// Reading. recv(2).
        case read
        /// Ending one direction or both. shutdown(2).
        case shutDown = "shut down"
        /// Having a descriptor or a signal watched. epoll_ctl(2), sigaction(2).
        case watch
        /// Writing. send(2).
        case write
    }

    /// What was asked, such as `.connect`.
    public let operation: Operation
    /// The system's answer, such as `.connectionRefused` for `ECONNREFUSED`.
    public let code: ErrorCode
    /// The peer; for bind and listen, the local end.
    public let address: SocketAddress?

    /// An error that says what was asked, what came back, and of whom it was asked.
    public init(_ operation: Operation, _ code: ErrorCode, at address: SocketAddress? = nil) {
        self.operation = operation
        self.code = code
        self.address = address
    }
}

extension SocketError: CustomStringConvertible {
    /// One sentence: operation, address, and the system's text.
    public var description: String {
        guard let address else { return "\(operation.rawValue): \(code)" }
        return "\(operation.rawValue) \(address): \(code)"
    }
}

/// Repeats a system call for as long as a signal interrupts it, and says what a failure was about.
@inline(__always)
func retrying<Count: SignedInteger>(
    _ operation: SocketError.Operation,
    at address: @autoclosure () -> SocketAddress? = nil,
    _ call: () -> Count
) throws(SocketError) -> Count {
    do throws(ErrorCode) {
        return try retrying(call)
    } catch {
        throw SocketError(operation, error, at: address())
    }
}
