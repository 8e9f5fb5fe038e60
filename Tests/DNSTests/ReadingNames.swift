// SPDX-License-Identifier: Apache-2.0
//
// Names in messages and as text: pointers, lengths, letters, and the names of addresses.
// Then the door that answers have to pass, fault by fault.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct ReadingNames {
    /// A message whose one answer has a name of these bytes, which begins at 12 + 11 + 4 = byte 27.
    private func message(named name: [UInt8]) -> DNSMessage? {
        var packet = Packet("a.example", .a)
        packet.answers = [Packet.record(named: name, 1, [192, 0, 2, 1])]
        return DNSMessage(packet.bytes)
    }

    // MARK: Pointers

    @Test func `a pointer stands for what is there`() {
        let message = message(named: [0xC0, 12])
        #expect(message?.answers.first?.name == DNSName("a.example"))
        #expect(
            self.message(named: [1, 98, 0xC0, 14])?.answers.first?.name == DNSName("b.example"))
    }

    @Test(
        arguments: [
            // To itself, forward, to the own beginning, behind the end, cut in two.
            [0xC0, 27], [0xC0, 29], [1, 97, 0xC0, 27], [0xC0, 200], [0xFF, 0xFF],
            [1, 97, 0xC0, 29],
        ] as [[UInt8]])
    func `a pointer that does not lead back is refused`(_ name: [UInt8]) {
        #expect(message(named: name) == nil)
    }

    @Test func `pointers that lead to each other are refused`() {
        var packet = Packet("a.example", .a)
        packet.answers = [
            Packet.record(named: [0xC0, 43], 1, [192, 0, 2, 1]),
            Packet.record(named: [0xC0, 27], 1, [192, 0, 2, 1]),
        ]
        #expect(DNSMessage(packet.bytes) == nil)
    }

    @Test(arguments: [(64, true), (65, false)])
    func `a name follows at most sixty-four pointers`(_ count: Int, isRead: Bool) {
        // Each record's data is a pointer to the one before, the first one's to the question.
        var packet = Packet("a.example", .a)
        var place = 12
        for number in 1..<count {
            let start = 27 + (number - 1) * 14
            packet.answers.append(
                Packet.record(named: [0xC0, 12], 99, Packet.number(0xC000 | UInt16(place))))
            place = start + 12
        }
        packet.answers.append(
            Packet.record(named: Packet.number(0xC000 | UInt16(place)), 1, [192, 0, 2, 1]))
        #expect((DNSMessage(packet.bytes) != nil) == isRead)
    }

    @Test(arguments: [0x40, 0x80, 0xBF] as [UInt8])
    func `other kinds of labels are refused`(_ length: UInt8) {
        #expect(message(named: [length] + [UInt8](repeating: 97, count: 63) + [0]) == nil)
    }

    @Test func `a name has at most 255 bytes, also by pointers`() {
        let long = [UInt8](repeating: 97, count: 63)
        let most = ([63] + long) + ([63] + long) + ([63] + long)
        // 3 x 64 bytes, and 63 with the zero at the end.
        #expect(message(named: most + [61] + long[..<61] + [0])?.answers.count == 1)
        #expect(message(named: most + [62] + long[..<62] + [0]) == nil)
        #expect(message(named: most + [50] + long[..<50] + [0xC0, 12])?.answers.count == 1)
        #expect(message(named: most + [52] + long[..<52] + [0xC0, 12]) == nil)
    }

    // MARK: Text

    @Test func `text becomes labels, with or without a dot at the end`() {
        #expect(DNSName("a.example")?.bytes == Packet.name("a.example"))
        #expect(DNSName("a.example.")?.bytes == Packet.name("a.example"))
        #expect(DNSName("A.eXample") == DNSName("a.Example"))
        #expect(DNSName("A.eXample")?.hashValue == DNSName("a.Example")?.hashValue)
        #expect(DNSName("a.example")?.hostText == "a.example")
    }

    @Test(arguments: ["", ".a", "a..b", "a..", "..", String(repeating: "a", count: 64)])
    func `text that can be no name is none`(_ text: String) {
        #expect(DNSName(text) == nil)
    }

    @Test func `the longest names are names`() {
        let label = String(repeating: "a", count: 63)
        #expect(DNSName(label)?.bytes.count == 65)
        let most = [label, label, label, String(repeating: "a", count: 61)].joined(separator: ".")
        #expect(DNSName(most)?.bytes.count == 255)
        #expect(DNSName(most + "a") == nil)
    }

    @Test func `an address is asked for by its name`() throws {
        let four = DNSName(ofHostAt: .v4(0xC000_0201))
        #expect(four.hostText == "1.2.0.192.in-addr.arpa")
        let six = try #require(IPAddress("2001:db8::567:89ab"))
        let zeros = String(repeating: "0.", count: 16)
        #expect(
            DNSName(ofHostAt: six).hostText == "b.a.9.8.7.6.5.0.\(zeros)8.b.d.0.1.0.0.2.ip6.arpa")
        let mapped = try #require(IPAddress("::ffff:192.0.2.1"))
        #expect(DNSName(ofHostAt: mapped) == four)
    }

    // MARK: The door

    /// What becomes of bytes that claim to answer question 7.
    private func fault(of bytes: [UInt8], byteCount: Int? = nil) -> AnswerCheck.Fault? {
        guard let name = DNSName("a.example") else { return nil }
        let verdict = AnswerCheck.verdict(
            on: bytes, byteCount: byteCount ?? bytes.count, isDatagram: true
        ) { id in
            id == 7 ? (DNSQuestion(name, .a), 512) : nil
        }
        if case .refused(let fault, _) = verdict { return fault }
        return nil
    }

    @Test func `only the answer to the question is let through`() {
        let host = Packet.host("a.example", "192.0.2.1")
        #expect(fault(of: Packet("a.example", .a).answering(host).bytes) == nil)
        #expect(fault(of: Packet("A.EXAMPLE", .a).answering(host).bytes) == nil)
        #expect(fault(of: Packet("a.example", .a, id: 8).bytes) == .wrongID)
        #expect(fault(of: Packet("b.example", .a).bytes) == .wrongQuestion)
        #expect(fault(of: Packet("a.example", .aaaa).bytes) == .wrongQuestion)
        #expect(fault(of: []) == .malformed)
        #expect(fault(of: Array(Packet("a.example", .a).bytes.dropLast())) == .malformed)
        #expect(fault(of: Packet("a.example", .a).bytes, byteCount: 600) == .oversized)
        let large = (0..<20).map { _ in host }
        #expect(fault(of: Packet("a.example", .a).answering(large).bytes) == .oversized)
    }

    @Test func `a question's message asks for what it says`() throws {
        let question = DNSQuestion(try #require(DNSName("a.example")), .aaaa)
        var plain = question.message(id: 0x1234, datagramByteCount: nil)
        let name = Packet.name("a.example")
        #expect(plain == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name + [0, 28, 0, 1])
        plain[11] = 1
        let options: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        #expect(question.message(id: 0x1234, datagramByteCount: 1_232) == plain + options)
    }
}
