// SPDX-License-Identifier: Apache-2.0
//
// A socket with one owner: how it is opened, adopted, given away and closed. The extensions hold the
// BSD calls; nothing here knows a loop. Reactors, channels and listeners stand on it.

import CSystemCalls
import Glibc

/// An open socket, closed exactly once: by ``close()``, or when its life ends.
///
/// Every socket made here is non-blocking and closed on exec; an adopted one stays as it is until a
/// channel is made of it. Writing never raises `SIGPIPE`. A closed socket can't be used, for it has
/// no name any more: the compiler refuses.
public struct Socket: ~Copyable, Sendable {
    let descriptor: Descriptor

    /// Becomes the owner of what is known to be a socket.
    init(unverified descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Opens a socket of any family, kind and protocol.
    ///
    /// Source: socket(2).
    ///
    /// `isInheritable`: whether a program that this one starts has it, too; see
    /// ``setInheritable(_:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, such as `.addressFamilyNotSupported`,
    ///   `.protocolNotSupported`, `.notPermitted` for a raw socket, or `.tooManyOpenFiles`.
    public init(
        family: AddressFamily, kind: SocketKind, protocol: SocketProtocol = .usual,
        isInheritable: Bool = false
    ) throws(SocketError) {
        try self.init(family, kind, `protocol`, isInheritable, for: nil)
    }

    /// Opens a socket of the family that `address` has, a stream socket unless said otherwise.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, such as `.tooManyOpenFiles`. Source:
    ///   socket(2).
    public init(
        for address: SocketAddress, kind: SocketKind = .stream
    ) throws(SocketError) {
        try self.init(address.family, kind, .usual, false, for: address)
    }

    private init(
        _ family: AddressFamily, _ kind: SocketKind, _ protocol: SocketProtocol,
        _ isInheritable: Bool, for address: SocketAddress?
    ) throws(SocketError) {
        let flags = kind.openingFlags & (isInheritable ? ~CInt(SOCK_CLOEXEC.rawValue) : -1)
        let number = try retrying(.create, at: address) {
            SystemCall.createSocket.made {
                Glibc.socket(family.rawValue, kind.rawValue | flags, `protocol`.rawValue)
            }
        }
        descriptor = Descriptor(adopting: number)
    }

    /// The number that the kernel knows the socket by.
    public var number: CInt { descriptor.number }

    /// Two sockets that are connected to each other.
    ///
    /// Source: socketpair(2), `AF_UNIX`.
    ///
    /// - Throws: ``SocketError`` with operation `.create`.
    public static func makePair(_ kind: SocketKind = .stream) throws(SocketError) -> Pair {
        var numbers: (CInt, CInt) = (-1, -1)
        _ = try retrying(.create) {
            SystemCall.pair.made {
                // A tuple of two integers is laid out as C's array of two.
                withUnsafeMutableBytes(of: &numbers) {
                    socketpair(
                        AF_UNIX, kind.rawValue | kind.openingFlags, 0,
                        $0.assumingMemoryBound(to: CInt.self).baseAddress)
                }
            }
        }
        return Pair(
            first: Socket(unverified: Descriptor(adopting: numbers.0)),
            second: Socket(unverified: Descriptor(adopting: numbers.1)))
    }

    /// Two connected sockets, each with its own owner.
    @frozen
    public struct Pair: ~Copyable, Sendable {
        /// One end.
        public var first: Socket
        /// The other end.
        public var second: Socket
    }

    /// Closes now, for callers that must know whether it worked.
    ///
    /// The socket is gone even when this throws. Source: close(2).
    ///
    /// - Throws: ``SocketError`` with operation `.close`.
    public consuming func close() throws(SocketError) {
        do throws(ErrorCode) {
            try descriptor.close()
        } catch {
            throw SocketError(.close, error)
        }
    }

    /// Gives the socket away: the caller closes it.
    public consuming func release() -> Descriptor {
        descriptor
    }

    /// A second descriptor of the same socket, with an owner of its own; closed on exec.
    ///
    /// Both have the same addresses, options and blocking mode, and the connection ends when the
    /// last one is closed. Source: fcntl(2), `F_DUPFD_CLOEXEC`.
    ///
    /// - Throws: ``SocketError`` with operation `.duplicate`, such as `.tooManyOpenFiles`.
    public func duplicate() throws(SocketError) -> Socket {
        do throws(ErrorCode) {
            return Socket(unverified: try descriptor.duplicate())
        } catch {
            throw SocketError(.duplicate, error)
        }
    }
}

extension SocketKind {
    /// What every socket of this library is opened with.
    fileprivate var openingFlags: CInt {
        CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    }
}

// MARK: - Modes

extension Socket {
    /// Whether calls wait in the kernel; off for each socket that is made here.
    ///
    /// Source: fcntl(2), `O_NONBLOCK`.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public var isBlocking: Bool {
        get throws(SocketError) { try flags(F_GETFL, .getOption) & O_NONBLOCK == 0 }
    }

    /// Has calls wait in the kernel, or answer that they would have to.
    ///
    /// The mode is that of the socket, not of the descriptor: it holds for duplicates, too, and for
    /// the other processes that have it. For a wait with a limit leave it off and use the calls with
    /// `within`. Source: fcntl(2), `O_NONBLOCK`.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`.
    public func setBlocking(_ isBlocking: Bool) throws(SocketError) {
        let before = try flags(F_GETFL, .setOption)
        let after = isBlocking ? before & ~O_NONBLOCK : before | O_NONBLOCK
        if after == before { return }
        let number = number
        _ = try retrying(.setOption) {
            SystemCall.stopBlocking.made { fcntl(number, F_SETFL, after) }
        }
    }

    /// Whether a program that this one starts has the socket, too; off for each that is made here.
    ///
    /// Source: fcntl(2), `FD_CLOEXEC`.
    ///
    /// - Throws: ``SocketError`` with operation `.getOption`.
    public var isInheritable: Bool {
        get throws(SocketError) { try flags(F_GETFD, .getOption) & FD_CLOEXEC == 0 }
    }

    /// Lets the programs that this one starts have the socket, or keeps it from them.
    ///
    /// Source: fcntl(2), `FD_CLOEXEC`.
    ///
    /// - Throws: ``SocketError`` with operation `.setOption`.
    public func setInheritable(_ isInheritable: Bool) throws(SocketError) {
        let before = try flags(F_GETFD, .setOption)
        let after = isInheritable ? before & ~FD_CLOEXEC : before | FD_CLOEXEC
        if after == before { return }
        let number = number
        _ = try retrying(.setOption) {
            SystemCall.setDescriptorFlags.made { fcntl(number, F_SETFD, after) }
        }
    }

    private func flags(
        _ command: CInt, _ operation: SocketError.Operation
    ) throws(SocketError) -> CInt {
        let number = number
        return try retrying(operation) {
            SystemCall.getDescriptorFlags.made { fcntl(number, command, 0) }
        }
    }

    /// Makes an adopted socket non-blocking.
    func stopBlocking() throws(SocketError) { try setBlocking(false) }
}
