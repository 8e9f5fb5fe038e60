// SPDX-License-Identifier: Apache-2.0
//
// The files that Unix sockets have: who may connect, what becomes of a file that a dead server has
// left, and that nobody removes another's.

import CSystemCalls
import Glibc

/// How a Unix socket gets its file.
public struct UnixPathOptions: Hashable, Sendable {
    /// What to do where the path exists already.
    public enum ExistingPath: Hashable, Sendable {
        /// It is in use, whether anybody listens there or not.
        case refuse
        /// A socket at which nobody listens any more is replaced; a live one, or any other file, is
        /// in use.
        ///
        /// Servers that do so and start at the same moment are told apart by a lock on the folder,
        /// for which one waits up to a second.
        case replaceDead
    }

    /// What to do where the path exists already.
    ///
    /// Initially refuses.
    public var existing = ExistingPath.refuse
    /// The file's permissions, such as `0o600`: to connect takes the right to write.
    ///
    /// `nil` leaves what the process's mask leaves.
    ///
    /// Initially `nil`. Source: unix(7), umask(2).
    public var permissions: UInt16?

    /// The initial values.
    public init() {}
}

/// The file of a Unix socket, removed when the life of its socket ends.
struct UnixFile: ~Copyable {
    private let path: [CChar]
    private let identity: Identity

    /// Which file it is, whatever its name.
    private struct Identity: Equatable {
        let device: UInt64
        let number: UInt64

        /// `nil` where no file has the name.
        init?(of path: [CChar], mode: inout UInt32) {
            var facts = stat()
            guard lstat(path, &facts) == 0 else { return nil }
            device = UInt64(facts.st_dev)
            number = UInt64(facts.st_ino)
            mode = facts.st_mode
        }
    }

    private let mode: UInt32
    /// Whether it stays when the life of its socket ends.
    private var isLeft = false

    /// Leaves it where it is: somebody else has the socket, too.
    mutating func leave() { isLeft = true }

    /// Takes note of the file that bind(2) has made.
    fileprivate init?(at path: [CChar]) {
        var mode: UInt32 = 0
        guard let identity = Identity(of: path, mode: &mode) else { return nil }
        self.path = Self.absolute(path)
        self.identity = identity
        self.mode = mode
    }

    /// The path from the root, for the program may go to another folder.
    private static func absolute(_ path: [CChar]) -> [CChar] {
        let slash = CChar(UInt8(ascii: "/"))
        var folder = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard path.first != slash, getcwd(&folder, folder.count) != nil else { return path }
        return folder.prefix { $0 != 0 } + [slash] + path
    }

    /// Gives the bits back that the process's mask has taken away; nobody can connect before
    /// listen(2).
    fileprivate func setPermissions(_ permissions: UInt16) throws(ErrorCode) {
        if mode & 0o7777 == UInt32(permissions) { return }
        _ = try retrying { SystemCall.changeMode.made { chmod(path, mode_t(permissions)) } }
    }

    deinit {
        if isLeft { return }
        // Somebody else may have replaced or removed it.
        var mode: UInt32 = 0
        if Identity(of: path, mode: &mode) == identity {
            _ = SystemCall.unlink.made { unlink(path) }
        }
    }
}

/// Keeps other servers of the same folder from binding at this moment.
struct UnixFolderLock: ~Copyable {
    private let folder: Descriptor

    /// - Throws: ``SocketError`` with operation `.bind`: `.busy` where another has it for a second.
    fileprivate init(for path: [CChar], at address: SocketAddress) throws(SocketError) {
        let slash = CChar(UInt8(ascii: "/"))
        let end = path.lastIndex(of: slash)
        let parent = end.map { $0 == 0 ? [slash] : Array(path[..<$0]) }
        let name = (parent ?? [CChar(UInt8(ascii: "."))]) + [0]
        let number = try retrying(.bind, at: address) {
            SystemCall.open.made { Glibc.open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        }
        let folder = Descriptor(adopting: number)
        var isLocked = false
        for _ in 0..<100 where !isLocked {
            isLocked = flock(number, LOCK_EX | LOCK_NB) == 0
            if isLocked { break }
            let code = ErrorCode.last
            guard code == .wouldBlock || code == .interrupted else {
                throw SocketError(.bind, code, at: address)
            }
            poll(nil, 0, 10)
        }
        if !isLocked { throw SocketError(.bind, .busy, at: address) }
        self.folder = folder
    }
}

/// What goes with a socket that was bound: its file, and the lock that is held until it listens.
struct UnixBinding: ~Copyable {
    var file: UnixFile?
    var lock: UnixFolderLock?

    consuming func takeFile() -> UnixFile? { file }
}

extension Socket {
    /// Gives the socket its local address; a Unix socket's file is made as `options` say.
    ///
    /// The lock of the result is to be given up once the socket listens.
    func bind(
        to address: SocketAddress, _ options: UnixPathOptions
    ) throws(SocketError) -> UnixBinding {
        guard let path = address.path else {
            try bind(to: address)
            return UnixBinding(file: nil, lock: nil)
        }
        if let permissions = options.permissions {
            let number = number
            _ = try retrying(.bind, at: address) {
                SystemCall.changeMode.made { fchmod(number, mode_t(permissions)) }
            }
        }
        var lock: UnixFolderLock?
        if options.existing == .replaceDead {
            lock = try UnixFolderLock(for: path, at: address)
            try Self.removeDead(path, at: address)
        }
        try bind(to: address)
        guard let file = UnixFile(at: path) else { return UnixBinding(file: nil, lock: lock) }
        if let permissions = options.permissions {
            do throws(ErrorCode) {
                try file.setPermissions(permissions)
            } catch {
                throw SocketError(.bind, error, at: address)
            }
        }
        return UnixBinding(file: file, lock: lock)
    }

    /// Removes a socket's file where nobody is there any more.
    private static func removeDead(
        _ path: [CChar], at address: SocketAddress
    ) throws(SocketError) {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFSOCK else { return }
        // A datagram socket disturbs no server: whatever is alive, bound and not yet listening too,
        // answers that it is of another kind.
        let probe = try Socket(for: address, kind: .datagram)
        if probe.connectCode(to: address) == .connectionRefused {
            do throws(ErrorCode) {
                _ = try retrying { SystemCall.unlink.made { unlink(path) } }
            } catch  where error != .noEntry {
                throw SocketError(.bind, error, at: address)
            } catch {
                // Whoever had left it has removed it just now.
            }
        }
    }
}

extension SocketAddress {
    /// The path of a Unix socket as C has it, whatever its bytes are; `nil` for any other address.
    fileprivate var path: [CChar]? {
        switch self {
        case .unix(let path): Array(path.utf8CString)
        case .other(.unix, let bytes) where bytes.first.map { $0 != 0 } == true:
            bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
        default: nil
        }
    }
}
