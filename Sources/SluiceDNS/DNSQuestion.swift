// SPDX-License-Identifier: Apache-2.0
//
// A question as it is put to a server: a name and a kind of record.

/// The kinds of records that are asked for or met on the way.
///
/// Source: RFC 1035, 3.2.2; RFC 3596; RFC 2782; RFC 6891.
package enum RecordKind: UInt16, Sendable {
    case a = 1
    case canonicalName = 5
    case authority = 6
    case pointer = 12
    case text = 16
    case aaaa = 28
    case service = 33
    case options = 41
}

/// The name and the kind of record that a server is asked for.
package struct DNSQuestion: Hashable, Sendable {
    /// The name.
    package let name: DNSName
    /// The kind of record.
    package let kind: UInt16

    /// A question for one of the kinds that can be read.
    package init(_ name: DNSName, _ kind: RecordKind) { self.init(name, kind.rawValue) }

    init(_ name: DNSName, _ kind: UInt16) {
        self.name = name
        self.kind = kind
    }

    /// The internet's records.
    ///
    /// Source: RFC 1035, 3.2.4.
    static let internet: UInt16 = 1

    /// The message that puts the question.
    ///
    /// Source: RFC 1035, 4.1; RFC 6891, 6.1.2.
    ///
    /// - Parameter byteCount: how long a datagram the answer may be, at most; `nil` says nothing of
    ///   it. What says it stands last, as c-ares has it.
    package func message(id: UInt16, datagramByteCount byteCount: Int?) -> [UInt8] {
        var message: [UInt8] = []
        func append(_ number: UInt16) { message += [UInt8(number >> 8), UInt8(number & 0xFF)] }
        append(id)
        append(0x0100)  // The server is to ask others for us.
        for count in [1, 0, 0, byteCount == nil ? 0 : 1] as [UInt16] { append(count) }
        message += name.bytes
        append(kind)
        append(Self.internet)
        guard let byteCount else { return message }
        message.append(0)
        append(RecordKind.options.rawValue)
        append(UInt16(clamping: byteCount))
        message += [0, 0, 0, 0, 0, 0]
        return message
    }
}
