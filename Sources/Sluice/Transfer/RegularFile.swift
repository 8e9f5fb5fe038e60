// SPDX-License-Identifier: Apache-2.0
//
// A regular file as an end of a copy: sent or read from an offset on, or written from one on.
// Disks are waited for: epoll(7) knows no readiness of files.

import CSystemCalls
import Glibc

/// A regular file that is read or written from front to back.
final class RegularFile {
    let path: String
    private let file: SharedDescriptor
    private var offset: Int
    /// Where reading ends.
    private let end: Int
    /// How its bytes are text; `nil` where they are not to be looked at.
    private let text: TextOptions?
    private var input: TextInput
    private var output: TextOutput
    /// Bytes that were read and do not make a character yet.
    private var rest: [UInt8] = []
    /// The part that a copy has given the kernel last.
    private var sending: FileRange?
    private weak var copy: ChannelCopy?
    /// Whether nothing stands any more behind where writing began.
    private var isCut = true

    /// Opens a part of a file for reading.
    init(
        reading path: String, from offset: Int, count: Int?, as text: TextOptions?
    ) throws(ChannelError) {
        let file = try Self.opened(path, O_RDONLY)
        let size = try Self.size(of: file, at: path)
        guard offset >= 0, offset <= size else { throw .file(path: path, .invalidArgument) }
        if let count, count < 0 || count > size - offset { throw .file(path: path, .noData) }
        self.path = path
        self.offset = offset
        end = offset + (count ?? size - offset)
        self.text = text
        input = TextInput(text ?? TextOptions())
        output = TextOutput(text ?? TextOptions())
        self.file = SharedDescriptor(file)
    }

    /// Makes a file, or empties one, for writing; or cuts one off at an offset, to go on there.
    ///
    /// - Parameter isCutLater: whether it is emptied or cut off only by the first bytes, or by an
    ///   end without any.
    init(
        writing path: String, from offset: Int = 0, as text: TextOptions?,
        isCutLater: Bool = false
    ) throws(ChannelError) {
        let file = try Self.opened(path, O_WRONLY | (offset == 0 ? O_CREAT : 0))
        let size = try Self.size(of: file, at: path)
        guard 0...size ~= offset else { throw .file(path: path, .invalidArgument) }
        // Not before it is known to be a regular file.
        guard isCutLater || ftruncate(file.number, offset) == 0,
            lseek(file.number, offset, SEEK_SET) == offset
        else { throw .file(path: path, .last) }
        isCut = !isCutLater
        self.path = path
        self.offset = offset
        end = .max
        self.text = text
        input = TextInput(text ?? TextOptions())
        output = TextOutput(text ?? TextOptions())
        self.file = SharedDescriptor(file)
    }

    private static func opened(_ path: String, _ mode: CInt) throws(ChannelError) -> Descriptor {
        // C would take the path up to there for the whole.
        if path.utf8.contains(0) { throw .file(path: path, .invalidArgument) }
        let number = SystemCall.open.made {
            // Not blocking, as a pipe without a writer would be waited for before it is refused.
            Glibc.open(path, mode | O_CLOEXEC | O_NONBLOCK, 0o666)
        }
        if number < 0 { throw .file(path: path, .last) }
        return Descriptor(adopting: number)
    }

    /// The size of a file that must be a regular one.
    private static func size(
        of file: borrowing Descriptor, at path: String
    ) throws(ChannelError) -> Int {
        var facts = stat()
        guard fstat(file.number, &facts) == 0 else { throw .file(path: path, .last) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw .file(path: path, .notSupported) }
        return Int(facts.st_size)
    }

    /// Makes sure that a path can be written to, and changes nothing.
    ///
    /// - Throws: ``ChannelError/file(path:_:)``.
    static func checkWriting(_ path: String, from offset: Int) throws(ChannelError) {
        do throws(ChannelError) {
            let file = try opened(path, O_WRONLY)
            guard 0...(try size(of: file, at: path)) ~= offset else {
                throw .file(path: path, .invalidArgument)
            }
        } catch {
            guard offset == 0, error == .file(path: path, .noEntry) else { throw error }
            // It would be made in its folder.
            let name = path.utf8.lastIndex(of: UInt8(ascii: "/"))
            let folder = name.map { String(path[...$0]) } ?? (path.isEmpty ? "" : ".")
            if access(folder, W_OK | X_OK) != 0 { throw .file(path: path, .last) }
        }
    }

    /// How many bytes are left to read.
    var left: Int { end - offset }

    /// The part that is left, or its beginning, for the kernel to send.
    func range(upTo limit: Int = .max) -> FileRange {
        FileRange(file, at: path, from: offset, count: min(left, limit))
    }

    /// Takes away what stands behind where writing began, once.
    private func cut() throws(ChannelError) {
        if isCut { return }
        guard ftruncate(file.number, offset) == 0 else { throw .file(path: path, .last) }
        isCut = true
    }
}

/// Mirrors can't copy how far the text has come.
extension RegularFile: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

// MARK: - As the source of a copy

extension RegularFile: CopySource {
    func passesUntouched(to theirs: TextOptions?) -> Bool { text == nil || theirs == nil }

    func attachSource(_ copy: ChannelCopy) {
        self.copy = copy
        copy.goOnLater()
    }

    func detachSource(_ copy: ChannelCopy) {
        // It goes out all the same; a failure is the channel's own from now on.
        sending?.forget()
        sending = nil
    }

    func goOn(_ copy: ChannelCopy) { copy.goOnLater() }

    var turnLimit: Int { 262_144 }

    var isPaused: Bool { false }

    var hasEnded: Bool { (left == 0 && rest.isEmpty) || input.isAtEndMark }

    func moveBytes(
        to sink: any CopySink, upTo limit: Int, waits: Bool
    ) throws(ChannelError) -> CopiedPiece? {
        // Only sockets take files from the kernel's hand: sendfile(2).
        guard let channel = sink as? Channel else { throw .file(path: path, .notSupported) }
        if left == 0 { return nil }
        let range = range(upTo: min(limit, 65_536))
        let count = range.left
        offset += count
        var unsent = count
        range.isFollowed = true
        range.onSent = { unsent -= $0 }
        var piece = CopiedPiece()
        do throws(SocketError) {
            try channel.queue(range, isCopied: true)
        } catch {
            range.forget()
            piece.fail(.socket(error), of: .sink)
            return piece
        }
        if let failure = range.failure {
            range.forget()
            piece.counts.add(count - unsent)
            piece.fail(failure, of: failure.isOfFile ? .source : .sink)
            return piece
        }
        range.onFailed = { [weak copy] error in
            copy?.takeBack(unsent)
            copy?.failed(error, of: error.isOfFile ? .source : .sink)
        }
        sending = range
        piece.counts.add(count)
        piece.isSinkFull = channel.isDue
        return piece
    }

    /// - Returns: the next bytes; none at the end.
    private func read(upTo limit: Int) throws(ChannelError) -> [UInt8] {
        let size = min(limit, left, 65_536)
        if size <= 0 { return [] }
        var code: ErrorCode?
        let position = off_t(offset)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            do throws(ErrorCode) {
                count = try retrying {
                    SystemCall.readAt.made(upTo: size) {
                        pread(file.number, buffer.baseAddress, $0, position)
                    }
                }
            } catch {
                code = error
            }
        }
        if let code { throw .file(path: path, code) }
        // It is shorter than it was.
        if bytes.isEmpty { throw .file(path: path, .noData) }
        offset += bytes.count
        return bytes
    }

    func waitingText(upTo limit: Int, waits: Bool) throws(ChannelError) -> String {
        while true {
            let isLast = left == 0
            do throws(TextError) {
                let text = try input.look(upTo: limit, at: rest.span.bytes, isLast: isLast).text
                if !text.isEmpty { return text }
            } catch {
                throw .text(error, at: path)
            }
            // What is no character goes by itself: the end mark, bytes that close the text.
            try dropText(1)
            if isLast || input.isAtEndMark { return "" }
            rest += try read(upTo: .max)
        }
    }

    func dropText(_ count: Int) throws(ChannelError) {
        do throws(TextError) {
            let piece = try input.take(upTo: count, from: rest.span.bytes, isLast: left == 0)
            rest.removeFirst(piece.byteCount)
        } catch {
            throw .text(error, at: path)
        }
    }

    func takeFailure() -> ChannelError? { nil }
}

// MARK: - As the sink of a copy

extension RegularFile: CopySink {
    var textOptions: TextOptions? { text }

    func attachSink(_ copy: ChannelCopy) {}

    func detachSink(_ copy: ChannelCopy) {}

    func isAllOut() -> Bool { true }

    func inputHasEnded() throws(ChannelError) { try cut() }

    func endText(_ written: inout Int) throws(ChannelError) {
        if text == nil { return }
        var bytes: [UInt8] = []
        output.finish(into: &bytes)
        _ = try put(bytes.span.bytes, waits: false, &written)
    }

    func put(
        _ bytes: RawSpan, waits: Bool, _ written: inout Int
    ) throws(ChannelError) -> Bool {
        if bytes.byteCount > 0 { try cut() }
        var start = 0
        while start < bytes.byteCount {
            let count: Int
            do throws(ErrorCode) {
                count = try bytes.extracting(droppingFirst: start).withUnsafeBytes {
                    bytes throws(ErrorCode) in
                    try retrying {
                        SystemCall.write.made(upTo: bytes.count) {
                            Glibc.write(file.number, bytes.baseAddress, $0)
                        }
                    }
                }
            } catch {
                throw .file(path: path, error)
            }
            start += count
            written += count
        }
        return false
    }

    func encode(_ characters: String, into bytes: inout [UInt8]) throws(ChannelError) {
        do throws(TextError) {
            try output.append(characters, to: &bytes)
        } catch {
            throw .text(error, at: path)
        }
    }
}

extension ChannelError {
    /// Whether it is about a file.
    fileprivate var isOfFile: Bool { if case .file = self { true } else { false } }
}
