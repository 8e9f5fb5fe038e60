// SPDX-License-Identifier: Apache-2.0
//
// Messages of name servers as tests write them: right to begin with, and wrong wherever they like.

import Sluice
import SluiceDNS

/// A server's message.
struct Packet {
    var id: UInt16 = 7
    /// An answer, recursion asked for and to be had, no error.
    var flags: UInt16 = 0x8180
    var questions: [[UInt8]] = []
    var answers: [[UInt8]] = []
    var authorities: [[UInt8]] = []
    var additions: [[UInt8]] = []
    /// How many records of each part it claims to have; what it has, where this is `nil`.
    var counts: [Int]?

    /// An answer to a question.
    init(_ name: String, _ kind: RecordKind, id: UInt16 = 7, code: UInt16 = 0) {
        self.id = id
        flags |= code
        questions = [Self.name(name) + Self.number(kind.rawValue) + Self.number(1)]
    }

    /// The bytes.
    var bytes: [UInt8] {
        let parts = [questions, answers, authorities, additions]
        let counts = counts ?? parts.map(\.count)
        return Self.number(id) + Self.number(flags)
            + counts.flatMap { Self.number(UInt16($0)) } + parts.flatMap { $0.flatMap(\.self) }
    }

    /// The same with these answers.
    func answering(_ records: [UInt8]...) -> Packet { answering(records) }

    /// The same with these answers.
    func answering(_ records: [[UInt8]]) -> Packet {
        var packet = self
        packet.answers = records
        return packet
    }

    /// The same, with the zone that tells how long it holds that there is nothing.
    func under(_ zone: [UInt8]) -> Packet {
        var packet = self
        packet.authorities = [zone]
        return packet
    }

    /// The same, cut to fit a datagram.
    var truncated: Packet {
        var packet = self
        packet.flags |= 0x0200
        packet.answers = []
        return packet
    }

    /// Two bytes, the high one first.
    static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    /// Four bytes, the highest first.
    static func long(_ value: UInt32) -> [UInt8] {
        number(UInt16(value >> 16)) + number(UInt16(value & 0xFFFF))
    }

    /// A name without pointers, of whatever bytes.
    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
    }

    /// A record whose name is bytes.
    static func record(
        named name: [UInt8], _ kind: UInt16, lasting seconds: UInt32 = 60, group: UInt16 = 1,
        _ data: [UInt8]
    ) -> [UInt8] {
        name + number(kind) + number(group) + long(seconds) + number(UInt16(data.count)) + data
    }

    /// A record.
    static func record(
        _ name: String, _ kind: RecordKind, _ seconds: UInt32, _ data: [UInt8]
    ) -> [UInt8] {
        record(named: self.name(name), kind.rawValue, lasting: seconds, data)
    }

    /// A host's address, of either family.
    static func host(_ name: String, _ address: String, _ seconds: UInt32 = 60) -> [UInt8] {
        let packed = IPAddress(address)?.packed ?? []
        return record(name, packed.count == 4 ? .a : .aaaa, seconds, packed)
    }

    /// Another name of a host.
    static func alias(_ name: String, of other: String, _ seconds: UInt32 = 60) -> [UInt8] {
        record(name, .canonicalName, seconds, self.name(other))
    }

    /// A zone, with the time for which it tells that there is nothing.
    static func zone(_ name: String, _ seconds: UInt32 = 60, least: UInt32 = 60) -> [UInt8] {
        let names = self.name("ns." + name) + self.name("root." + name)
        let numbers = [1, 7_200, 3_600, 86_400, least].flatMap(long)
        return record(name, .authority, seconds, names + numbers)
    }

    /// A host that offers a service.
    static func service(
        _ name: String, _ host: String, port: UInt16 = 80, priority: UInt16 = 0, weight: UInt16 = 0
    ) -> [UInt8] {
        let numbers = [priority, weight, port].flatMap(number)
        return record(name, .service, 60, numbers + self.name(host))
    }

    /// A text of pieces.
    static func text(_ name: String, _ pieces: String...) -> [UInt8] {
        record(name, .text, 60, pieces.flatMap { [UInt8($0.utf8.count)] + $0.utf8 })
    }
}

extension ServerAnswer {
    /// The addresses that were found.
    var addresses: [String]? {
        if case .found(.addresses(let addresses), _, _) = self { return addresses.map { "\($0)" } }
        return nil
    }

    /// How long the records hold that were found.
    var seconds: UInt32? {
        if case .found(_, let seconds, _) = self { return seconds }
        return nil
    }
}

extension Packet {
    /// What it comes to, as an answer to its own question; `nil` where it is no message.
    var answer: ServerAnswer? {
        guard let message = DNSMessage(bytes), let question = message.question else { return nil }
        return ServerAnswer(message, to: question)
    }
}
