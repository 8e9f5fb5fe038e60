// SPDX-License-Identifier: Apache-2.0
//
// Sockets that a child process gets from its start, as a service manager hands them over; and those
// of a running server, for its successor.

/// Open sockets with names, for a child process: a worker, or a successor.
///
/// The child finds them with ``InheritedSockets/fromEnvironment()``, or as sd_listen_fds(3) does:
/// as descriptors 3, 4 and so on, with `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. These are
/// closed at the end of this value; the child has its own.
public struct PassedSockets: ~Copyable, Sendable {
    private var sockets = DescriptorList()
    /// The name of each, in the same order; empty where it has none.
    public private(set) var names: [String] = []

    /// No sockets.
    public init() {}

    /// How many there are.
    public var count: Int { names.count }

    /// Whether there are none.
    public var isEmpty: Bool { names.isEmpty }

    /// Adds a socket.
    ///
    /// - Parameters:
    ///   - socket: what is passed on.
    ///   - name: by which the child may tell it; at most 255 characters of ASCII, without `:` and
    ///     control characters. Source: sd_listen_fds(3).
    /// - Throws: ``SocketError`` with operation `.launch`: `.invalidArgument` for any other name,
    ///   `.noBufferSpace` for more than 4,096 sockets. The socket is closed then.
    public mutating func append(
        _ socket: consuming Socket, named name: String = ""
    ) throws(SocketError) {
        let isName =
            name.utf8.count <= 255
            && name.utf8.allSatisfy { (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: ":") }
        guard isName else { throw SocketError(.launch, .invalidArgument) }
        if count >= InheritedSockets.limit { throw SocketError(.launch, .noBufferSpace) }
        sockets.append(socket.release())
        names.append(name)
    }

    /// The numbers that the kernel knows them by.
    var numbers: [CInt] { Array(sockets.numbers) }
}

extension Server {
    /// Duplicates of the sockets at which it listens, in the order of ``addresses``, for a
    /// successor that goes on listening when this server has closed: no client is refused between
    /// the two.
    ///
    /// Both accept until one of them closes. From now on a Unix socket's file stays where it is
    /// when this server closes, and a drain leaves who waits to the successor: where none comes
    /// after all, the file is the program's to remove.
    ///
    /// - Throws: ``SocketError`` with operation `.duplicate`, such as `.tooManyOpenFiles`;
    ///   `.badDescriptor` where it has closed.
    public func passableSockets() throws(SocketError) -> PassedSockets {
        var passed = PassedSockets()
        for listener in listeners { try passed.append(try listener.duplicateSocket()) }
        for listener in listeners { listener.leaveFile() }
        return passed
    }
}
