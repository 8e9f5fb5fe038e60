// SPDX-License-Identifier: Apache-2.0
//
// The SHA-256 of a part of a file, read from the disk while a transfer goes on.
// The kernel has just moved those bytes, so they come out of its memory as a rule.

import Glibc
import Sluice

/// The SHA-256 of a file from an offset on, as far as it was asked for.
final class FileChecksum {
    /// How large the file was when it was opened.
    let size: Int
    /// How far the file was read.
    private(set) var position: Int
    private let path: String
    private let file: Descriptor
    /// What was known of the file when it was opened.
    private let facts: stat
    private var digest: Digest

    /// How much one turn of a reactor reads.
    private static let turnByteCount = 8 << 20
    private static let blockByteCount = 256 << 10

    /// What is done where there is no file.
    enum Making {
        case never
        /// One is made where none is there; what is there stays for now.
        case ifMissing
        /// One is made, and one that is there already is an error.
        case new
    }

    /// Opens a regular file.
    ///
    /// - Throws: ``ChannelError``: `.file`, with `.notSupported` for what is no regular file.
    init(
        of path: String, from offset: Int = 0, making: Making = .never
    ) throws(ChannelError) {
        if path.utf8.contains(0) { throw .file(path: path, .invalidArgument) }
        // Not blocking, as a pipe without a writer would be waited for before it is refused.
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | making.flags, 0o666)
        guard number >= 0 else { throw .file(path: path, ErrorCode(rawValue: errno)) }
        file = Descriptor(adopting: number)
        var facts = stat()
        guard fstat(number, &facts) == 0 else {
            throw .file(path: path, ErrorCode(rawValue: errno))
        }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw .file(path: path, .notSupported) }
        do throws(ErrorCode) { digest = try Digest() } catch { throw .file(path: path, error) }
        self.facts = facts
        size = Int(facts.st_size)
        position = offset
        self.path = path
    }

    /// Whether the path names this file, or none any more, and nobody has written to it since it
    /// was opened.
    var isUntouched: Bool {
        guard let now = current, namesThis ?? true else { return false }
        return now.st_size == facts.st_size && now.st_mtim.tv_sec == facts.st_mtim.tv_sec
            && now.st_mtim.tv_nsec == facts.st_mtim.tv_nsec
    }

    /// Whether the path names this file, and it has so many bytes.
    func isWhole(at byteCount: Int) -> Bool {
        guard let now = current, namesThis == true else { return false }
        return now.st_size == byteCount
    }

    private var current: stat? {
        var now = stat()
        return fstat(file.number, &now) == 0 ? now : nil
    }

    /// `nil` where the path names nothing.
    private var namesThis: Bool? {
        var named = stat()
        guard stat(path, &named) == 0 else { return nil }
        return named.st_dev == facts.st_dev && named.st_ino == facts.st_ino
    }

    /// Reads on up to `end`.
    ///
    /// - Throws: ``ChannelError``: `.file`, with `.noData` where the file has ended before.
    func advance(to end: Int) throws(ChannelError) {
        var code: ErrorCode?
        withUnsafeTemporaryAllocation(byteCount: Self.blockByteCount, alignment: 16) { buffer in
            while position < end, code == nil {
                let size = min(end - position, buffer.count)
                let count = pread(file.number, buffer.baseAddress, size, off_t(position))
                if count > 0 {
                    digest.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    position += count
                } else if count == 0 {
                    code = .noData
                } else if errno != EINTR {
                    code = ErrorCode(rawValue: errno)
                }
            }
        }
        if let code { throw .file(path: path, code) }
    }

    /// Reads on up to `end` in turns of the reactor, so that signals and the network are heard.
    func advance(
        to end: Int, on reactor: Reactor,
        _ completion: @escaping (Result<String, ChannelError>) -> Void
    ) {
        do throws(ChannelError) {
            try advance(to: min(end, position + Self.turnByteCount))
            if position >= end { return completion(.success(try text())) }
        } catch {
            return completion(.failure(error))
        }
        reactor.after(.zero) { self.advance(to: end, on: reactor, completion) }
    }

    /// The digest of what was read so far.
    ///
    /// - Throws: ``ChannelError``: `.file` with `.noMemory`.
    func text() throws(ChannelError) -> String {
        do throws(ErrorCode) { return try digest.text() } catch { throw .file(path: path, error) }
    }
}

extension FileChecksum.Making {
    fileprivate var flags: CInt {
        switch self {
        case .never: 0
        case .ifMissing: O_CREAT
        case .new: O_CREAT | O_EXCL
        }
    }
}

/// Mirrors can't copy a descriptor, which has one owner.
extension FileChecksum: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}
