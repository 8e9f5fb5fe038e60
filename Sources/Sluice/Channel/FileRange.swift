// SPDX-License-Identifier: Apache-2.0
//
// A part of a file on its way out: the kernel moves it, and it never comes into memory.
// Whoever follows it is told outside of the queue, which is consistent then.

import CSystemCalls
import Glibc

/// A descriptor that several hold; the last who lets it go closes it.
final class SharedDescriptor {
    private let descriptor: Descriptor
    var number: CInt { descriptor.number }

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// Mirrors can't copy a descriptor, which has one owner.
extension SharedDescriptor: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// A part of a regular file that a channel is to send.
final class FileRange {
    /// Let go as soon as nothing more is to go out.
    private var file: SharedDescriptor?
    private let path: String
    private var offset: Int
    /// How many bytes have not gone out yet.
    private(set) var left: Int
    private var untold = 0
    /// Why the rest will never go out.
    private(set) var failure: ChannelError?

    /// Told how many bytes have gone out.
    var onSent: ((Int) -> Void)?
    /// Told that the rest will never go out.
    var onFailed: ((ChannelError) -> Void)?
    /// Whether somebody is told of a failure.
    var isFollowed = false

    init(_ file: SharedDescriptor, at path: String, from offset: Int, count: Int) {
        self.file = file
        self.path = path
        self.offset = offset
        left = count
    }

    /// Has the kernel move bytes to a socket.
    ///
    /// Source: sendfile(2).
    ///
    /// - Returns: how many bytes it took; -1 with `errno` set when it failed.
    func send(to socket: CInt, upTo limit: Int) -> Int {
        var position = off_t(offset)
        guard let file else { return 0 }
        return csystem_send_file(socket, file.number, &position, limit)
    }

    /// The kernel took some bytes; none means that the file has ended before the range has.
    func sent(_ count: Int) {
        offset += count
        left -= count
        untold += count
        if count == 0 {
            left = 0
            failure = .file(path: path, .noData)
        }
        if left == 0 { file = nil }
    }

    /// The rest will never go out.
    func fail(_ error: SocketError) {
        failure = failure ?? .socket(error)
        file = nil
    }

    /// Whether all of it has gone out.
    var isSent: Bool { left == 0 && failure == nil }

    /// Tells whoever follows what has happened since the last time.
    func tell() {
        let count = untold
        untold = 0
        if count > 0 { onSent?(count) }
        guard let failure, let onFailed else { return }
        forget()
        onFailed(failure)
    }

    /// Nobody is told any more.
    func forget() {
        onSent = nil
        onFailed = nil
        isFollowed = false
    }
}

extension Channel {
    /// Tells those who follow the files of a queue; later where somebody waits, as no handler runs
    /// then.
    func tellFiles(of queue: OutputQueue?) {
        guard let queue, queue.hasNews else { return }
        guard flags.contains(.isWaiting), let reactorOrNil else { return queue.tellFiles() }
        if queue.isToldLater { return }
        queue.isToldLater = true
        reactorOrNil.after(.zero) {
            queue.isToldLater = false
            queue.tellFiles()
        }
    }
}

extension Socket {
    /// How many bytes of a file one call moves at most, so that others have their turn.
    private static var fileStep: Int { 1 << 20 }

    /// Has the kernel send a part of a file, up to a limit.
    func send(_ file: FileRange, upTo limit: Int) throws(SocketError) -> SendResult {
        let step = min(file.left, Self.fileStep, limit)
        while true {
            let count = SystemCall.sendFile.made(upTo: step) {
                file.send(to: number, upTo: $0)
            }
            if count >= 0 { return .bytes(count) }
            let code = ErrorCode.last
            if code == .wouldBlock { return .wouldBlock }
            if code != .interrupted { throw SocketError(.write, code) }
        }
    }
}
