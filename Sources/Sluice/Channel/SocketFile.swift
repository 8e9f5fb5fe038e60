// SPDX-License-Identifier: Apache-2.0
//
// A socket as a file: a buffered reader and writer that waits, over a duplicate of the descriptor.
// For programs that do without a reactor and want no channel either, as Python's `makefile`.

import CSystemCalls
public import SluiceText

/// How a ``SocketFile`` reads and writes.
public struct SocketFileOptions: Hashable, Sendable {
    /// Which directions a file has.
    public enum Mode: Hashable, Sendable {
        /// It is only read.
        case reading
        /// It is only written.
        case writing
        /// Both.
        case both
    }

    /// Which directions it has.
    ///
    /// Initially reading.
    public var mode = Mode.reading
    /// How many bytes each direction's buffer has; 0 for none: then nothing is read ahead, every
    /// write goes out at once, and there is no text.
    ///
    /// Initially 8,192; at most 16 MiB.
    public var bufferByteCount = 8_192
    /// Writes out what is buffered whenever a line ends.
    ///
    /// Initially off.
    public var flushesLines = false
    /// How text is written in bytes.
    ///
    /// Initially UTF-8, any line end on input, line feeds on output.
    public var text = TextOptions()
    /// How long each call may take; `nil` for as long as it must.
    ///
    /// Initially `nil`.
    public var timeLimit: Duration?

    /// The initial values.
    public init() {}

    /// The initial values, but for the directions.
    public init(_ mode: Mode) { self.mode = mode }
}

/// A socket as a file, which waits: bytes and text of one stream, buffered.
///
/// It owns a duplicate: the socket and the file are closed independently, and the connection ends
/// with the last of them. Once a call has run out of time its place in the stream is unknown, so
/// every later read fails at once with `.timedOut`. At the end of its life what is buffered goes out
/// as far as the kernel takes it at once; ``close()`` waits for all of it.
public struct SocketFile: ~Copyable {
    private let socket: Socket
    private let options: SocketFileOptions
    private var unread = InputQueue()
    private var unsent: [UInt8] = []
    private var input: TextInput
    private var output: TextOutput
    private var isAtEnd = false
    private var isTimedOut = false
    /// When the call that reads is out of time.
    private var callEnd: UInt64?

    /// Makes a file over a duplicate of a socket.
    ///
    /// - Throws: ``SocketError`` with operation `.duplicate`, such as `.tooManyOpenFiles`, or
    ///   `.create` and `.invalidArgument` for a buffer of less than 0 or more than 16 MiB.
    public init(
        over socket: borrowing Socket, options: SocketFileOptions = .init()
    ) throws(SocketError) {
        guard (0...16 << 20).contains(options.bufferByteCount) else {
            throw SocketError(.create, .invalidArgument)
        }
        self.socket = try socket.duplicate()
        self.options = options
        input = TextInput(options.text)
        output = TextOutput(options.text)
    }

    deinit {
        guard !unsent.isEmpty else { return }
        // The end of a life waits for nobody and has nobody to tell.
        let rest = unsent
        _ = try? socket.send(rest.span.bytes, flags: .dontWait)
    }

    /// Writes out what is buffered, ends the text, and closes the duplicate; the socket stays.
    ///
    /// - Throws: ``ChannelError``, as ``flush()``; the duplicate is closed then, too.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public consuming func close() throws(ChannelError) {
        if options.mode != .reading, isBuffered { output.finish(into: &unsent) }
        try flush()
    }

    private var isBuffered: Bool { options.bufferByteCount > 0 }
}

// MARK: - Reading bytes

extension SocketFile {
    /// Waits for `count` bytes; fewer only where the input ends.
    ///
    /// - Throws: ``ChannelError/socket(_:)`` with operation `.read`: `.badDescriptor` for a file that
    ///   is only written, `.timedOut`, `.invalidArgument` for a negative count, or why the
    ///   connection failed. What had come by then is still unread.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func read(_ count: Int) throws(ChannelError) -> [UInt8] {
        if count < 0 { throw .socket(SocketError(.read, .invalidArgument)) }
        try fill(wanted: count) { $0 >= count }
        return take(min(count, unread.byteCount))
    }

    /// Waits until there is something, and takes at most `limit` bytes; none at the end.
    ///
    /// - Throws: ``ChannelError``, as ``read(_:)``.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func read(upTo limit: Int) throws(ChannelError) -> [UInt8] {
        if limit < 0 { throw .socket(SocketError(.read, .invalidArgument)) }
        if limit > 0 { try fill(wanted: limit) { $0 > 0 } }
        return take(min(limit, unread.byteCount))
    }

    /// Waits for the end of the input and takes all that is left.
    ///
    /// - Throws: ``ChannelError``, as ``read(_:)``; `.messageTooLong` for more than `limit` bytes,
    ///   which stay unread.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func readToEnd(limit: Int = 1 << 30) throws(ChannelError) -> [UInt8] {
        try fill(wanted: .max) { $0 > limit }
        if unread.byteCount > limit { throw .socket(SocketError(.read, .messageTooLong)) }
        return take(unread.byteCount)
    }

    /// Waits for bytes up to a delimiter and takes them with it, fewer where the input ends before;
    /// none at the end.
    ///
    /// - Throws: ``ChannelError``, as ``read(_:)``; `.messageTooLong` where `limit` bytes hold no
    ///   delimiter, and they stay unread.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func readBytes(
        through delimiter: UInt8 = UInt8(ascii: "\n"), limit: Int = 65_536
    ) throws(ChannelError) -> [UInt8] {
        try checkReading()
        var searched = 0
        var found: Int?
        while found == nil {
            unread.withBytes { bytes in
                bytes.withUnsafeBytes { bytes in
                    found = bytes[searched...].firstIndex(of: delimiter)
                }
            }
            searched = found ?? unread.byteCount
            if searched >= limit { throw .socket(SocketError(.read, .messageTooLong)) }
            if found != nil { break }
            // Without a buffer nothing behind the delimiter may be taken from the kernel.
            if try !receive(isBuffered ? options.bufferByteCount : 1) { break }
        }
        return take(found.map { $0 + 1 } ?? unread.byteCount)
    }

    /// Waits until enough is there, or the input has ended.
    private mutating func fill(
        wanted: Int, until isEnough: (Int) -> Bool
    ) throws(ChannelError) {
        try checkReading()
        while !isEnough(unread.byteCount) {
            let missing = wanted - unread.byteCount
            let size = isBuffered ? max(options.bufferByteCount, min(missing, 65_536)) : missing
            if try !receive(min(size, 1 << 20)) { return }
        }
    }

    /// Receives once.
    ///
    /// - Returns: false at the end of the input.
    private mutating func receive(_ size: Int) throws(ChannelError) -> Bool {
        if isAtEnd { return false }
        do throws(SocketError) {
            let bytes = try socket.receive(upTo: size, within: timeLeft)
            isAtEnd = bytes.isEmpty
            bytes.withUnsafeBytes { unread.append($0) }
            return !isAtEnd
        } catch {
            if error.code == .timedOut { isTimedOut = true }
            throw .socket(error)
        }
    }

    /// What is left of the time of a call; never nothing, for that would mean not to wait at all.
    private var timeLeft: Duration? {
        guard let callEnd, let limit = options.timeLimit, limit > .zero else {
            return options.timeLimit
        }
        let now = csystem_monotonic_nanoseconds()
        return Duration(nanoseconds: callEnd > now ? callEnd - now : 1)
    }

    /// Begins a call that reads.
    private mutating func checkReading() throws(ChannelError) {
        callEnd = options.timeLimit.map { csystem_monotonic_nanoseconds() &+ $0.nanoseconds }
        if options.mode == .writing { throw .socket(SocketError(.read, .badDescriptor)) }
        if isTimedOut { throw .socket(SocketError(.read, .timedOut)) }
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let bytes = unread.withBytes { $0.extracting(first: count).withUnsafeBytes { Array($0) } }
        unread.drop(count)
        // Text that was looked at ahead is another now.
        if count > 0 { input.reset() }
        return bytes
    }
}

// MARK: - Reading text

extension SocketFile {
    /// Waits for a line and takes it, without its end; `nil` at the end of the input.
    ///
    /// - Throws: ``ChannelError``, as ``read(_:)``; `.text` for a line that is too long or that the
    ///   encoding can't have, `.socket` with `.notSupported` on a file without a buffer.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func readLine() throws(ChannelError) -> String? {
        try takeText { (input, bytes, isLast) throws(TextError) in
            let piece = try input.nextLine(in: bytes, isLast: isLast)
            return (piece, piece.text != nil)
        }
    }

    /// Waits for `count` characters and takes them; fewer only where the input ends.
    ///
    /// A line's end is one character.
    ///
    /// - Throws: ``ChannelError``, as ``readLine()``.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func read(characters count: Int) throws(ChannelError) -> String {
        if count < 0 { throw .socket(SocketError(.read, .invalidArgument)) }
        if count == 0 { return "" }
        // A character has a byte at least: before so many are there nobody need look.
        var neededByteCount = count
        let text = try takeText { (input, bytes, isLast) throws(TextError) in
            if !isLast, bytes.byteCount < neededByteCount {
                return (TextInput.Piece(text: nil, byteCount: 0), false)
            }
            // Nothing is taken before all is there, so that a call that fails loses nothing.
            let (text, isFinal) = try input.look(upTo: count, at: bytes, isLast: isLast)
            let found = text.count
            guard isFinal || isLast || found >= count else {
                neededByteCount = bytes.byteCount + (count - found)
                return (TextInput.Piece(text: nil, byteCount: 0), false)
            }
            return (try input.take(upTo: count, from: bytes, isLast: isLast), true)
        }
        return text ?? ""
    }

    /// Waits for the end of the input and takes the text that is left.
    ///
    /// - Throws: ``ChannelError``, as ``readLine()``; `.messageTooLong` for more than `limit` bytes,
    ///   which stay unread.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func readText(limit: Int = 1 << 30) throws(ChannelError) -> String {
        if !isBuffered { throw .socket(SocketError(.read, .notSupported)) }
        try fill(wanted: .max) { $0 > limit }
        if unread.byteCount > limit { throw .socket(SocketError(.read, .messageTooLong)) }
        return try read(characters: .max)
    }

    private mutating func takeText(
        _ step: (inout TextInput, RawSpan, Bool) throws(TextError) -> (TextInput.Piece, Bool)
    ) throws(ChannelError) -> String? {
        if !isBuffered { throw .socket(SocketError(.read, .notSupported)) }
        try checkReading()
        while true {
            let result: (piece: TextInput.Piece, isEnough: Bool)
            do throws(TextError) {
                // The queue is looked at apart, so that the text's state may change meanwhile.
                let bytes = unread.take()
                defer { unread = bytes }
                result = try bytes.withBytes { (span) throws(TextError) in
                    try step(&input, span, isAtEnd)
                }
            } catch {
                throw .text(error, at: place)
            }
            unread.drop(result.piece.byteCount)
            if result.isEnough || isAtEnd || input.isAtEndMark { return result.piece.text }
            _ = try receive(max(options.bufferByteCount, min(unread.byteCount, 1 << 20)))
        }
    }

    private var place: String {
        // An address that can't be had is only missing from the message.
        ((try? socket.peerAddress) ?? .unnamed).description
    }
}

// MARK: - Writing

extension SocketFile {
    /// Writes bytes: into the buffer, and out when it is full.
    ///
    /// - Throws: ``ChannelError``, as ``flush()``: the bytes are in the buffer all the same; or
    ///   `.badDescriptor` for a file that is only read.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func write(_ bytes: RawSpan) throws(ChannelError) {
        try checkWriting()
        unsent.append(contentsOf: bytes)
        let endsLine = options.flushesLines && bytes.withUnsafeBytes { $0.contains(10) }
        if unsent.count >= options.bufferByteCount || endsLine { try flush() }
    }

    /// Writes text, as ``write(_:)-(RawSpan)``.
    ///
    /// - Throws: ``ChannelError``: `.text` for characters that the encoding lacks, and nothing of
    ///   the text is written then; `.socket` with `.notSupported` on a file without a buffer, else
    ///   as ``flush()``.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func write(_ text: String) throws(ChannelError) {
        try checkWriting()
        if !isBuffered { throw .socket(SocketError(.write, .notSupported)) }
        do throws(TextError) {
            try output.append(text, to: &unsent)
        } catch {
            throw .text(error, at: place)
        }
        let endsLine = options.flushesLines && text.utf8.contains(10)
        if unsent.count >= options.bufferByteCount || endsLine { try flush() }
    }

    /// Writes out what is buffered, and waits until the kernel has taken it.
    ///
    /// What it has not taken, where this throws, stays in the buffer.
    ///
    /// - Throws: ``ChannelError/socket(_:)`` with operation `.write`: `.timedOut`, or why the
    ///   connection failed.
    @available(*, noasync, message: "it blocks the thread: use a Connection")
    public mutating func flush() throws(ChannelError) {
        if unsent.isEmpty { return }
        do throws(IncompleteSendError) {
            try socket.sendAll(unsent.span.bytes, within: options.timeLimit)
            unsent.removeAll(keepingCapacity: true)
        } catch {
            unsent.removeFirst(error.byteCount)
            throw .socket(error.error)
        }
    }

    private func checkWriting() throws(ChannelError) {
        if options.mode == .reading { throw .socket(SocketError(.write, .badDescriptor)) }
    }
}

extension Socket {
    /// The socket as a file, over a duplicate of its descriptor.
    ///
    /// - Throws: ``SocketError``, as ``SocketFile/init(over:options:)``.
    public func makeFile(_ options: SocketFileOptions = .init()) throws(SocketError) -> SocketFile {
        try SocketFile(over: self, options: options)
    }
}

extension [UInt8] {
    fileprivate mutating func append(contentsOf bytes: RawSpan) {
        bytes.withUnsafeBytes { append(contentsOf: $0) }
    }
}
