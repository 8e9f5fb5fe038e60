// SPDX-License-Identifier: Apache-2.0
//
// Sockets that a child process gets from its start, as a service manager hands them over; and those
// of who listens already, for a successor.

import SluiceText

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
        try add(socket, named: name)
    }

    /// Adds a socket whose name is passed on as it was given.
    mutating func add(_ socket: consuming Socket, named name: String) throws(SocketError) {
        if count >= InheritedSockets.limit { throw SocketError(.launch, .noBufferSpace) }
        sockets.append(socket.release())
        names.append(name)
    }

    /// The numbers that the kernel knows them by.
    var numbers: [CInt] { Array(sockets.numbers) }
}

// MARK: - Successors

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
        try duplicateSockets(into: &passed)
        try leaveSockets()
        return passed
    }

    fileprivate func duplicateSockets(into passed: inout PassedSockets) throws(SocketError) {
        for listener in listeners { try passed.append(try listener.duplicateSocket()) }
    }

    /// Somebody else has its sockets as well, from now on.
    ///
    /// - Throws: ``SocketError`` where it has closed since they were duplicated, with their files.
    fileprivate func leaveSockets() throws(SocketError) {
        if let closed = listeners.first(where: { !$0.isOpen }) {
            throw SocketError(.duplicate, .badDescriptor, at: closed.address)
        }
        for listener in listeners { listener.leaveFile() }
    }
}

extension ServerGroup {
    /// Duplicates of the sockets at which its servers listen, reactor by reactor and in the order
    /// of ``addresses``, for a successor that goes on listening when this group has closed.
    ///
    /// With ``ServingOptions/Distribution/handOver`` there is one for each address; with
    /// ``ServingOptions/Distribution/reusePort`` each reactor that may have connections has its
    /// own, but for Unix sockets. A successor needs all of them: who waits at one that nobody has
    /// any more is reset. Else as ``Server/passableSockets()``.
    ///
    /// - Throws: ``SocketError`` with operation `.duplicate`, such as `.tooManyOpenFiles`;
    ///   `.badDescriptor` where it closes or has served to its end, or a reactor of the group has
    ///   ended. With `.launch` and `.noBufferSpace` for more than 4,096 sockets.
    public func passableSockets() async throws(SocketError) -> PassedSockets {
        let passed = Locked(PassedSockets())
        for part in parts {
            try await ask(part) { server throws(SocketError) in
                try passed.withLock { (passed: inout PassedSockets) throws(SocketError) in
                    try server.duplicateSockets(into: &passed)
                }
            }
        }
        // Not before all of them are there.
        for part in parts {
            try await ask(part) { server throws(SocketError) in try server.leaveSockets() }
        }
        return passed.withLock { passed in
            var taken = PassedSockets()
            swap(&taken, &passed)
            return taken
        }
    }

    /// Asks a server something on its own thread.
    private func ask(
        _ part: ServingPart,
        _ question: @escaping @Sendable (Server) throws(SocketError) -> Void
    ) async throws(SocketError) {
        let found = await withTaskExecutorPreference(part.executor) {
            await part.asked { _, server in Self.answer(of: server, to: question) }
        }
        guard let answer = found else {
            throw SocketError(.duplicate, .badDescriptor, at: addresses.first)
        }
        try answer.get()
    }

    private static func answer(
        of server: Server, to question: (Server) throws(SocketError) -> Void
    ) -> Result<Void, SocketError> {
        do throws(SocketError) {
            try question(server)
            return .success(())
        } catch {
            return .failure(error)
        }
    }
}

extension Supervisor {
    /// Duplicates of all sockets that it holds for its workers, with their names, in the order of
    /// ``addresses``, for a successor that goes on when this supervisor has ended: no client is
    /// refused between the two.
    ///
    /// With ``SupervisorOptions/Sharing/reusePort`` an address of IP has one for each worker. A
    /// successor needs all of them, for who waits at one that nobody has any more is reset: a
    /// supervisor that adopts them has its workers share them, and a server accepts at each. Both
    /// serve until the old workers let go, as ``drain(_:)`` asks them to. From now on a Unix
    /// socket's file stays where it is when this supervisor ends: where no successor comes after
    /// all, it is the program's to remove.
    ///
    /// - Throws: ``SocketError`` with operation `.duplicate`, such as `.tooManyOpenFiles`;
    ///   `.badDescriptor` where it drains or has ended. With `.launch` and `.noBufferSpace` for
    ///   more than 4,096 sockets. Nothing has changed then.
    public func passableSockets() throws(SocketError) -> PassedSockets {
        if endsSoon { throw SocketError(.duplicate, .badDescriptor, at: addresses.first) }
        return try sockets.passable()
    }
}
