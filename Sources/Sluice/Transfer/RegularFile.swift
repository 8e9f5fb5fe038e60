// SPDX-License-Identifier: Apache-2.0
//
// A regular file as an end of a copy: read from an offset on, or written from its beginning.
// Disks are waited for: epoll(7) knows no readiness of files.

import CSystemCalls
import Glibc

/// A regular file that is read or written from front to back.
final class RegularFile {
    let path: String
    private let file: Descriptor
    private var offset: Int
    /// Where reading ends.
    private let end: Int
    /// How its bytes are text; `nil` where they are not to be looked at.
    private let text: TextOptions?
    private var input: TextInput
    private var output: TextOutput
    /// Bytes that were read and do not make a character yet.
    private var rest: [UInt8] = []

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
        self.file = file
    }

    /// Makes a file, or empties one, for writing.
    init(writing path: String, as text: TextOptions?) throws(ChannelError) {
        let file = try Self.opened(path, O_WRONLY | O_CREAT)
        _ = try Self.size(of: file, at: path)
        // Not before it is known to be a regular file.
        guard ftruncate(file.number, 0) == 0 else { throw .file(path: path, .last) }
        self.path = path
        offset = 0
        end = .max
        self.text = text
        input = TextInput(text ?? TextOptions())
        output = TextOutput(text ?? TextOptions())
        self.file = file
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

    /// How many bytes are left to read.
    var left: Int { end - offset }

    /// The part that is left, for the kernel to send.
    func range() throws(ChannelError) -> FileRange {
        do throws(ErrorCode) {
            return FileRange(try file.duplicate(), at: path, from: offset, count: left)
        } catch {
            throw .file(path: path, error)
        }
    }
}

/// Mirrors can't copy a descriptor, which has one owner.
extension RegularFile: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

// MARK: - As the source of a copy

extension RegularFile: CopySource {
    func passesUntouched(to theirs: TextOptions?) -> Bool { text == nil || theirs == nil }

    func attachSource(_ copy: ChannelCopy) { copy.goOnLater() }

    func detachSource(_ copy: ChannelCopy) {}

    func goOn(_ copy: ChannelCopy) { copy.goOnLater() }

    var turnLimit: Int { 262_144 }

    var isPaused: Bool { false }

    var hasEnded: Bool { (left == 0 && rest.isEmpty) || input.isAtEndMark }

    func takeBytes(
        upTo limit: Int, waits: Bool, _ body: (RawSpan) -> Int
    ) throws(ChannelError) -> Bool {
        let bytes = try read(upTo: limit)
        if bytes.isEmpty { return false }
        offset -= bytes.count - body(bytes.span.bytes)
        return true
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

    func endText(_ written: inout Int) throws(ChannelError) {
        if text == nil { return }
        var bytes: [UInt8] = []
        output.finish(into: &bytes)
        _ = try put(bytes.span.bytes, waits: false, &written)
    }

    func put(
        _ bytes: RawSpan, waits: Bool, _ written: inout Int
    ) throws(ChannelError) -> Bool {
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
