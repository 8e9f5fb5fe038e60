// SPDX-License-Identifier: Apache-2.0
//
// A server's answer, read from bytes that anybody may have sent.
// Either every part of it is sound, or there is no message.

/// A server's answer.
///
/// Source: RFC 1035, 4.1.
package struct DNSMessage: Sendable {
    /// A record, with the place of its data.
    struct Record: Sendable {
        let name: DNSName
        let kind: UInt16
        /// Seconds.
        let timeToLive: UInt32
        let data: Range<Int>
    }

    /// What the server says of the question as a whole.
    ///
    /// Source: RFC 1035, 4.1.1; RFC 6891, 6.1.3.
    package struct Code: RawRepresentable, Hashable, Sendable {
        /// The number, the upper bits of RFC 6891 among it.
        package let rawValue: Int
        /// Wraps a number.
        package init(rawValue: Int) { self.rawValue = rawValue }

        static let noError = Self(rawValue: 0)
        /// FORMERR.
        static let notUnderstood = Self(rawValue: 1)
        /// SERVFAIL.
        static let serverFailed = Self(rawValue: 2)
        /// NXDOMAIN.
        static let unknownName = Self(rawValue: 3)
        /// NOTIMP.
        static let notImplemented = Self(rawValue: 4)
        /// REFUSED.
        static let refused = Self(rawValue: 5)

        /// Whether a server may say so in a header alone.
        var isBare: Bool {
            [.notUnderstood, .serverFailed, .notImplemented, .refused].contains(self)
        }
    }

    /// So many records of one answer are read, at most; of what follows it is seen only that it
    /// ends inside the message.
    static let recordLimit = 1_024

    /// The message.
    package let bytes: [UInt8]
    /// The number of the question.
    package let id: UInt16
    /// Whether it was cut to fit a datagram.
    package let isTruncated: Bool
    /// What was asked; `nil` where not exactly one question stands in it, or one of another class.
    package let question: DNSQuestion?
    /// What the server says.
    package private(set) var code: Code
    /// Whether the server has understood how long a datagram may be.
    package private(set) var hasOptions = false
    private(set) var answers: [Record] = []
    private(set) var authorities: [Record] = []
    /// Neither a question nor a record stands in it, apart from the one for longer datagrams.
    private var isBare = false
    private var recordCount = 0

    /// How long the part before all questions and records is.
    static let headerByteCount = 12

    /// Reads a message; `nil` for what is none, or no answer.
    ///
    /// - Parameter isDatagram: whether it came in one. Of one that was cut to fit, only the
    ///   question is read then, for some are cut in the middle of a record.
    package init?(_ bytes: [UInt8], isDatagram: Bool = false) {
        guard bytes.count >= Self.headerByteCount else { return nil }
        var reader = Reader(bytes)
        guard let id = reader.number(), let flags = reader.number() else { return nil }
        // An answer to a plain question.
        guard flags & 0x8000 != 0, flags & 0x7800 == 0 else { return nil }
        self.bytes = bytes
        self.id = id
        isTruncated = flags & 0x0200 != 0
        code = Code(rawValue: Int(flags & 0x000F))
        let counts = (0..<4).compactMap { _ in reader.number().map(Int.init) }
        guard counts.count == 4 else { return nil }
        var questions: [DNSQuestion] = []
        for _ in 0..<counts[0] {
            guard let name = reader.name(), let kind = reader.number(), let group = reader.number()
            else { return nil }
            if group == DNSQuestion.internet { questions.append(DNSQuestion(name, kind)) }
        }
        question = counts[0] == 1 ? questions.first : nil
        if isDatagram, isTruncated { return }
        guard readRecords(&reader, counts[1], { $0.answers.append($1) }),
            readRecords(&reader, counts[2], { $0.authorities.append($1) }),
            readRecords(&reader, counts[3], { _, _ in })
        else { return nil }
        isBare = counts[0] == 0 && recordCount == 0
    }

    /// The same with the question that was asked, where it is a failure and nothing else; else
    /// `nil`.
    func bareFailure(of question: DNSQuestion) -> DNSMessage? {
        guard isBare, code.isBare else { return nil }
        var message = question.message(id: id, datagramByteCount: hasOptions ? 512 : nil)
        (message[2], message[3]) = (0x81, 0x80 | UInt8(code.rawValue))
        return DNSMessage(message)
    }

    /// The bytes as c-ares may have them.
    ///
    /// Of a question that was not understood it would try to take the part for longer datagrams
    /// out, which need not be there: what is to be done then is not decided by it.
    var bytesForAres: [UInt8] {
        guard code == .notUnderstood else { return bytes }
        var bytes = bytes
        bytes[2] &= ~0x02
        bytes[3] &= 0xF0
        return bytes
    }

    /// - Returns: whether all are sound.
    private mutating func readRecords(
        _ reader: inout Reader, _ count: Int, _ keep: (inout Self, Record) -> Void
    ) -> Bool {
        for _ in 0..<count {
            // Names cost most: a short pointer may stand for a long one.
            let isRead = recordCount < Self.recordLimit
            guard let name = isRead ? reader.name() : reader.skipName() ? .root : nil,
                let kind = reader.number(), let group = reader.number(),
                let high = reader.number(), let low = reader.number(), let length = reader.number()
            else { return isTruncated && reader.isAtEnd }
            let timeToLive = UInt32(high) << 16 | UInt32(low)
            guard let data = reader.range(Int(length)) else { return false }
            if kind == RecordKind.options.rawValue {
                readOptions(timeToLive)
                continue
            }
            recordCount += 1
            guard isRead, group == DNSQuestion.internet else { continue }
            let record = Record(name: name, kind: kind, timeToLive: timeToLive, data: data)
            guard isSound(record) else { return false }
            keep(&self, record)
        }
        return true
    }

    /// What stands in place of a time to live are the upper bits of the code.
    private mutating func readOptions(_ bits: UInt32) {
        hasOptions = true
        code = Code(rawValue: code.rawValue | Int(bits >> 24) << 4)
    }

    /// Whether a record's data are what its kind says.
    private func isSound(_ record: Record) -> Bool {
        switch RecordKind(rawValue: record.kind) {
        case .a: record.data.count == 4
        case .aaaa: record.data.count == 16
        case .canonicalName, .pointer: target(of: record) != nil
        case .service: service(of: record) != nil
        case .text: pieces(of: record) != nil
        case .authority: negativeTimeToLive(of: record) != nil
        case .options, nil: true
        }
    }
}

// MARK: - The data of records

extension DNSMessage {
    /// The name that a record's data are.
    func target(of record: Record) -> DNSName? {
        var reader = Reader(bytes, at: record.data)
        guard let name = reader.name(), reader.isAtEnd else { return nil }
        return name
    }

    /// Priority, weight, port and host of a service.
    func service(
        of record: Record
    ) -> (priority: UInt16, weight: UInt16, port: UInt16, host: DNSName)? {
        var reader = Reader(bytes, at: record.data)
        guard let priority = reader.number(), let weight = reader.number(),
            let port = reader.number(), let host = reader.name(), reader.isAtEnd
        else { return nil }
        return (priority, weight, port, host)
    }

    /// The pieces of a text: at least one.
    func pieces(of record: Record) -> [[UInt8]]? {
        var pieces: [[UInt8]] = []
        var rest = bytes[record.data]
        while let length = rest.popFirst() {
            guard rest.count >= length else { return nil }
            pieces.append(Array(rest.prefix(Int(length))))
            rest = rest.dropFirst(Int(length))
        }
        return pieces.isEmpty ? nil : pieces
    }

    /// How many seconds it holds that there is no such name or record.
    ///
    /// Source: RFC 2308, 5.
    func negativeTimeToLive(of record: Record) -> UInt32? {
        var reader = Reader(bytes, at: record.data)
        guard reader.name() != nil, reader.name() != nil,
            let numbers = reader.range(20), reader.isAtEnd
        else { return nil }
        let least = bytes[numbers.suffix(4)].reduce(0) { $0 << 8 | UInt32($1) }
        return min(Self.plausible(record.timeToLive), Self.plausible(least))
    }

    /// A time to live with the highest bit set counts as 0.
    ///
    /// Source: RFC 2181, 8.
    static func plausible(_ seconds: UInt32) -> UInt32 { seconds > 0x7FFF_FFFF ? 0 : seconds }
}

/// Reads one thing behind the other, and never beyond the end.
private struct Reader {
    private let bytes: [UInt8]
    private var place: Int
    private let end: Int

    init(_ bytes: [UInt8], at range: Range<Int>? = nil) {
        self.bytes = bytes
        place = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    var isAtEnd: Bool { place == end }

    mutating func number() -> UInt16? {
        guard end - place >= 2 else { return nil }
        defer { place += 2 }
        return UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
    }

    mutating func range(_ count: Int) -> Range<Int>? {
        guard end - place >= count else { return nil }
        defer { place += count }
        return place..<place + count
    }

    /// Goes to the end of a name without following its pointers.
    ///
    /// - Returns: whether it ends inside the message.
    mutating func skipName() -> Bool {
        while place < end {
            let length = Int(bytes[place])
            switch length {
            case 0:
                place += 1
                return true
            case 0xC0...:
                place += 2
                return place <= end
            case 64...: return false
            default: place += 1 + length
            }
        }
        return false
    }

    mutating func name() -> DNSName? {
        guard let name = DNSName(in: bytes, at: &place), place <= end else { return nil }
        return name
    }
}
