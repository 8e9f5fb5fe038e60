// SPDX-License-Identifier: Apache-2.0
//
// Standard output for a program that must not be held up by whoever reads it.
// The stream stays as it was found: others may share it and do not expect `O_NONBLOCK`.

import Glibc
import Sluice

/// A descriptor that is written as far as it takes bytes at once; the rest waits.
final class OutputStream {
    /// Called when all that waited is written.
    var onRoom: () -> Void = {}
    /// Why writing has failed; nothing is written after it.
    private(set) var failure: ErrorCode?

    private let number: CInt
    private var waiting: [UInt8] = []
    private var registration: Registration?

    /// A stream that is ready for so many bytes takes them without waiting.
    ///
    /// Source: `PIPE_BUF`, pipe(7).
    private static let safeByteCount = 4_096

    init(_ number: CInt, on reactor: Reactor) {
        self.number = number
        // A regular file can't be watched, which shows in the asking: it is always ready.
        registration = try? reactor.watch(number, for: .writable) { [unowned self] _ in
            try self.goOn()
        }
        // Pausing a watch asks the kernel for nothing that it could refuse.
        try? registration?.change(to: [])
    }

    /// Writes what the stream takes now and keeps the rest.
    ///
    /// - Returns: whether nothing waits, so that more may come.
    func write(_ bytes: RawSpan) -> Bool {
        bytes.withUnsafeBytes { bytes in
            let count = waiting.isEmpty ? writeNow(bytes) : 0
            waiting.append(contentsOf: bytes[count...])
        }
        if failure != nil { waiting = [] }
        if waiting.isEmpty { return true }
        // Where the kernel does not watch, `finish` writes what waits.
        try? registration?.change(to: .writable)
        return false
    }

    /// How many bytes wait to be written.
    var waitingByteCount: Int { waiting.count }

    /// Writes what the stream takes now, and drops the rest.
    ///
    /// - Returns: how many bytes were dropped.
    func drop() -> Int {
        let dropped = waiting.count - waiting.withUnsafeBytes { writeNow($0) }
        registration = nil
        waiting = []
        return dropped
    }

    /// Writes what waits, however long that takes.
    func finish() {
        registration = nil
        _ = waiting.withUnsafeBytes { writeNow($0) }
        waiting = []
    }

    private func goOn() throws(SocketError) {
        waiting.removeFirst(waiting.withUnsafeBytes { writeNow($0) })
        if failure != nil { waiting = [] }
        guard waiting.isEmpty else { return }
        try registration?.change(to: [])
        onRoom()
    }

    /// - Returns: how many of the bytes are written; all of them where nothing tells when to go on.
    private func writeNow(_ bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        while count < bytes.count, failure == nil, registration == nil || isReady {
            let size = min(bytes.count - count, registration == nil ? .max : Self.safeByteCount)
            let written = Glibc.write(number, bytes.baseAddress.map { $0 + count }, size)
            if written >= 0 {
                count += written
            } else if errno != EINTR, errno != EAGAIN {
                failure = ErrorCode(rawValue: errno)
            }
        }
        return count
    }

    private var isReady: Bool {
        var question = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        return poll(&question, 1, 0) > 0
    }
}
