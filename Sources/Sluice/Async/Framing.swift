// SPDX-License-Identifier: Apache-2.0
//
// Messages in a stream of bytes: the rule that finds them, and three usual ones.

/// A rule that finds messages in a stream of bytes.
public protocol Framing<Frame> {
    /// What one message becomes.
    associatedtype Frame

    /// Looks for a message at the front of `bytes`.
    ///
    /// It is asked again, with the same bytes and more behind them, until there is one.
    ///
    /// - Returns: the message; `nil` while more bytes are needed.
    /// - Throws: whatever is wrong with the bytes, such as ``FramingError``; nothing is consumed.
    mutating func next(in bytes: RawSpan) throws -> FoundFrame<Frame>?
}

/// A message that was found, and the bytes that it took.
public struct FoundFrame<Frame> {
    /// The message.
    public var frame: Frame
    /// How many bytes at the front it took, at least 1.
    public var byteCount: Int

    /// A message that took so many bytes.
    public init(_ frame: Frame, byteCount: Int) {
        self.frame = frame
        self.byteCount = byteCount
    }
}

extension FoundFrame: Sendable where Frame: Sendable {}

/// Why bytes are no message.
public enum FramingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is, or would be, longer than its limit in bytes.
    case tooLong(limit: Int)

    /// One sentence.
    public var description: String {
        switch self {
        case .tooLong(let limit): "a message is longer than \(limit) bytes"
        }
    }
}

/// Messages behind their length.
public struct LengthFraming: Framing, Hashable, Sendable {
    /// How a length is written.
    public enum Prefix: Int, Hashable, Sendable {
        /// In one byte.
        case oneByte = 1
        /// In two bytes, the most significant first.
        case twoBytes = 2
        /// In four bytes, the most significant first.
        case fourBytes = 4
        /// In eight bytes, the most significant first.
        case eightBytes = 8
    }

    /// How the length is written.
    public let prefix: Prefix
    /// How many bytes a message may have, without its length.
    ///
    /// Initially 65,536.
    public let limit: Int

    /// Messages of at most `limit` bytes behind lengths of this form.
    public init(_ prefix: Prefix = .fourBytes, limit: Int = 65_536) {
        self.prefix = prefix
        self.limit = max(0, limit)
    }

    /// The message without its length.
    public func next(in bytes: RawSpan) throws(FramingError) -> FoundFrame<[UInt8]>? {
        let size = prefix.rawValue
        guard bytes.byteCount >= size else { return nil }
        return try bytes.withUnsafeBytes { bytes throws(FramingError) in
            let length = bytes[..<size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= UInt64(min(limit, .max - size)) else { throw .tooLong(limit: limit) }
            let end = size + Int(length)
            if bytes.count < end { return nil }
            return FoundFrame(Array(bytes[size..<end]), byteCount: end)
        }
    }

    /// A message with its length before it.
    ///
    /// - Throws: ``FramingError/tooLong(limit:)``, also where the length does not fit its prefix.
    public func framed(_ message: [UInt8]) throws(FramingError) -> [UInt8] {
        let size = prefix.rawValue
        let most = size == 8 ? Int.max : 1 << (8 * size) - 1
        guard message.count <= min(limit, most) else { throw .tooLong(limit: min(limit, most)) }
        let length = UInt64(message.count)
        return (0..<size).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64(size - 1 - $0))) }
            + message
    }
}

/// Messages that end in a delimiter.
public struct DelimiterFraming: Framing, Hashable, Sendable {
    /// What ends a message; not empty.
    public let delimiter: [UInt8]
    /// How many bytes a message may have, without its delimiter.
    ///
    /// Initially 65,536.
    public let limit: Int
    /// How many bytes at the front hold no delimiter.
    private var searched = 0

    /// Messages of at most `limit` bytes before a delimiter.
    ///
    /// - Precondition: the delimiter is not empty.
    public init(_ delimiter: [UInt8], limit: Int = 65_536) {
        precondition(!delimiter.isEmpty, "a delimiter has bytes")
        self.delimiter = delimiter
        self.limit = max(0, limit)
    }

    /// The message without its delimiter.
    public mutating func next(
        in bytes: RawSpan
    ) throws(FramingError) -> FoundFrame<[UInt8]>? {
        let found = bytes.withUnsafeBytes { bytes -> Int? in
            var start = searched
            while start + delimiter.count <= bytes.count {
                if bytes[start...].starts(with: delimiter) { return start }
                start += 1
            }
            searched = start
            return nil
        }
        guard (found ?? searched) <= limit else { throw .tooLong(limit: limit) }
        guard let end = found else { return nil }
        searched = 0
        let frame = bytes.extracting(first: end).withUnsafeBytes { Array($0) }
        return FoundFrame(frame, byteCount: end + delimiter.count)
    }
}

extension Connection {
    /// The next message by a rule; `nil` at the end of the input.
    ///
    /// - Throws: what the rule throws; ``ChannelError/endOfInput(_:)`` where the input ends within a
    ///   message; ``SocketError`` as ``read(upTo:_:)``, or with `.messageTooLong` where a message is
    ///   not whole at ``ChannelOptions/inputLimit``. Nothing of a message that is not whole is
    ///   consumed.
    public func read<Rule: Framing>(by rule: inout Rule) async throws -> Rule.Frame? {
        var frame: Rule.Frame?
        while true {
            let result = try await parseOnce { bytes in
                guard let found = try rule.next(in: bytes) else { return 0 }
                frame = found.frame
                return found.byteCount
            }
            if let frame { return frame }
            guard result == .endOfStream else { continue }
            if channel.unreadByteCount > 0 { throw ChannelError.endOfInput(peerAddress) }
            return nil
        }
    }

    /// The messages by a rule, to the end of the input.
    public nonisolated func frames<Rule: Framing>(by rule: Rule) -> Frames<Rule> {
        Frames(connection: self, rule: rule)
    }

    /// The messages of a connection.
    public struct Frames<Rule: Framing>: AsyncSequence, AsyncIteratorProtocol {
        /// A message.
        public typealias Element = Rule.Frame

        let connection: Connection
        var rule: Rule

        /// The iterator of one reader.
        public func makeAsyncIterator() -> Frames { self }

        /// The next message; `nil` at the end of the input.
        ///
        /// - Throws: as ``Connection/read(by:)``.
        public mutating func next() async throws -> Rule.Frame?
        where Rule: Sendable, Rule.Frame: Sendable {
            try await connection.read(by: &rule)
        }
    }
}
