// SPDX-License-Identifier: Apache-2.0
//
// Answers as bytes: what is read of sound ones, and that no others are read.
// No socket is opened, and nobody is asked.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct ReadingMessages {
    // MARK: Addresses

    @Test func `addresses are read in order, each once, with the shortest time to live`() {
        let packet = Packet("www.example.org", .a).answering(
            Packet.host("www.example.org", "192.0.2.2", 300),
            Packet.host("WWW.Example.ORG", "192.0.2.1", 20),
            Packet.host("www.example.org", "192.0.2.2", 100))
        #expect(packet.answer?.addresses == ["192.0.2.2", "192.0.2.1"])
        #expect(packet.answer?.seconds == 20)
    }

    @Test func `an IPv6 address has sixteen bytes`() {
        let packet = Packet("a.example", .aaaa).answering(Packet.host("a.example", "2001:db8::1"))
        #expect(packet.answer?.addresses == ["2001:db8::1"])
    }

    @Test func `records of other names and other kinds are left out`() {
        let packet = Packet("a.example", .a).answering(
            Packet.host("b.example", "192.0.2.9"), Packet.host("a.example", "2001:db8::1"),
            Packet.host("a.example", "192.0.2.1"))
        #expect(packet.answer?.addresses == ["192.0.2.1"])
    }

    @Test func `no more than 1,024 records are kept`() {
        let records = (0..<2_000).map { Packet.host("a.example", "192.0.\($0 / 250).\($0 % 250)") }
        #expect(Packet("a.example", .a).answering(records).answer?.addresses?.count == 1_024)
    }

    @Test func `a time to live with the highest bit set counts as none`() {
        let packet = Packet("a.example", .a).answering(
            Packet.host("a.example", "192.0.2.1", 0x8000_0000))
        #expect(packet.answer?.seconds == 0)
    }

    // MARK: Other names

    @Test func `a chain of other names is followed, whatever the order of its records`() throws {
        let packet = Packet("a.example", .a).answering(
            Packet.host("c.example", "192.0.2.1", 300),
            Packet.alias("b.example", of: "c.example", 7),
            Packet.alias("a.example", of: "b.example", 90))
        #expect(packet.answer?.addresses == ["192.0.2.1"])
        #expect(packet.answer?.seconds == 7)
        guard case .found(_, _, let owner) = packet.answer else {
            Issue.record("nothing was found")
            return
        }
        #expect(owner.hostText == "c.example")
    }

    @Test func `a chain that goes in a circle is no answer`() {
        let packet = Packet("a.example", .a).answering(
            Packet.alias("a.example", of: "b.example"), Packet.alias("b.example", of: "a.example"))
        #expect(packet.answer == .failed(.badAnswer))
    }

    @Test(arguments: [(16, true), (17, false)])
    func `a chain has at most sixteen steps`(_ count: Int, isFollowed: Bool) {
        let aliases = (0..<count).map { Packet.alias("n\($0).example", of: "n\($0 + 1).example") }
        let host = Packet.host("n\(count).example", "192.0.2.1")
        let packet = Packet("n0.example", .a).answering(aliases + [host])
        #expect(packet.answer?.addresses == (isFollowed ? ["192.0.2.1"] : nil))
        #expect((packet.answer == .failed(.badAnswer)) == !isFollowed)
    }

    @Test func `a chain that leads nowhere means that there is no address`() {
        let packet = Packet("a.example", .a).answering(
            Packet.alias("a.example", of: "b.example"))
        #expect(packet.answer == .noData(seconds: nil))
    }

    @Test func `an unknown name at the end of a chain is told as unknown`() {
        let packet = Packet("a.example", .a, code: 3)
            .answering(Packet.alias("a.example", of: "b.test")).under(Packet.zone("test", 40))
        #expect(packet.answer == .unknownName(seconds: 40))
    }

    // MARK: Nothing

    @Test func `the zone tells how long it holds that there is no such name`() {
        let packet = Packet("a.example", .a, code: 3)
        #expect(
            packet.under(Packet.zone("example", 300, least: 30)).answer == .unknownName(seconds: 30)
        )
        #expect(
            packet.under(Packet.zone("example", 20, least: 30)).answer == .unknownName(seconds: 20))
        #expect(packet.under(Packet.zone("test", 20)).answer == .unknownName(seconds: nil))
        #expect(packet.answer == .unknownName(seconds: nil))
    }

    @Test func `a name without such a record is not unknown`() {
        let packet = Packet("a.example", .aaaa).under(Packet.zone("example", 60, least: 5))
        #expect(packet.answer == .noData(seconds: 5))
    }

    @Test(
        arguments: [
            (1, .serverFailed), (2, .serverFailed), (4, .notImplemented), (5, .refused),
            (9, .serverFailed),
        ] as [(UInt16, ResolverError.Reason)])
    func `a failure is told by its kind`(_ code: UInt16, _ reason: ResolverError.Reason) {
        #expect(Packet("a.example", .a, code: code).answer == .failed(reason))
    }

    @Test func `the upper bits of a failure's number stand in another place`() {
        var packet = Packet("a.example", .a)
        packet.additions = [Packet.record(named: [0], 41, lasting: 0x0100_0000, group: 1_232, [])]
        #expect(DNSMessage(packet.bytes)?.code.rawValue == 16)
        #expect(DNSMessage(packet.bytes)?.hasOptions == true)
        #expect(packet.answer == .failed(.serverFailed))
    }

    // MARK: Other records

    @Test func `names of an address are read`() {
        let name = "1.2.0.192.in-addr.arpa"
        let packet = Packet(name, .pointer).answering(
            Packet.record(name, .pointer, 60, Packet.name("a.example")),
            Packet.record(name, .pointer, 50, Packet.name("b_1.example")))
        let owner = DNSName(ofHostAt: .v4(0xC000_0201))
        #expect(
            packet.answer
                == .found(.names(["a.example", "b_1.example"]), seconds: 50, owner: owner))
    }

    @Test(arguments: ["a\n.example", "a b.example", "\u{1B}[2J.example", "ä.example", "a/b"])
    func `a name that no host may have is given to nobody`(_ evil: String) {
        let name = "1.2.0.192.in-addr.arpa"
        let pointer = Packet(name, .pointer).answering(
            Packet.record(name, .pointer, 60, Packet.name(evil)))
        #expect(pointer.answer == .failed(.badAnswer))
        let service = Packet("_a._tcp.example", .service).answering(
            Packet.service("_a._tcp.example", evil))
        #expect(service.answer == .failed(.badAnswer))
        let both = Packet(name, .pointer).answering(
            Packet.record(name, .pointer, 60, Packet.name(evil)),
            Packet.record(name, .pointer, 60, Packet.name("a.example")))
        guard case .found(let records, _, _) = both.answer else {
            Issue.record("the other name was not found")
            return
        }
        #expect(records == .names(["a.example"]))
    }

    @Test func `services are read with all their numbers`() {
        let name = "_imap._tcp.example"
        let packet = Packet(name, .service).answering(
            Packet.service(name, "mail.example", port: 143, priority: 2, weight: 0xFFFF))
        let record = ServiceRecord(host: "mail.example", port: 143, priority: 2, weight: 0xFFFF)
        guard case .found(let records, _, _) = packet.answer else {
            Issue.record("nothing was found")
            return
        }
        #expect(records == .services([record]))
    }

    @Test func `a service that is denied is not there`() {
        let packet = Packet("_a._tcp.example", .service).answering(
            Packet.service("_a._tcp.example", ""))
        #expect(packet.answer == .noData(seconds: 60))
    }

    @Test func `texts are read in pieces, empty ones among them`() {
        let packet = Packet("a.example", .text).answering(
            Packet.text("a.example", "one", "", "two"), Packet.text("a.example", ""))
        let texts = [
            TextRecord(pieces: [Array("one".utf8), [], Array("two".utf8)]),
            TextRecord(pieces: [[]]),
        ]
        guard case .found(let records, _, _) = packet.answer else {
            Issue.record("nothing was found")
            return
        }
        #expect(records == .texts(texts))
    }

    // MARK: What is no message

    @Test func `a message that is cut anywhere is none`() {
        let packet = Packet("www.example.org", .a).answering(
            Packet.alias("www.example.org", of: "a.example"), Packet.host("a.example", "192.0.2.1"))
        let bytes = packet.under(Packet.zone("example")).bytes
        #expect(DNSMessage(bytes) != nil)
        for count in 0..<bytes.count {
            #expect(DNSMessage(Array(bytes[..<count])) == nil, "\(count) bytes")
        }
    }

    @Test func `one that says that it is cut may have fewer records than it claims`() {
        var packet = Packet("www.example.org", .a).truncated
        packet.counts = [1, 5, 0, 0]
        #expect(DNSMessage(packet.bytes)?.isTruncated == true)
        #expect(DNSMessage(packet.bytes + [3]) == nil)
    }

    @Test func `a datagram that says that it is cut may end anywhere behind its question`() {
        var packet = Packet("a.example", .a).answering(Packet.host("a.example", "192.0.2.1"))
        packet.flags |= 0x0200
        let questionEnd = Packet("a.example", .a).bytes.count
        for count in 0..<packet.bytes.count {
            let message = DNSMessage(Array(packet.bytes[..<count]), isDatagram: true)
            #expect((message != nil) == (count >= questionEnd), "\(count) bytes")
            #expect(message?.answers.isEmpty ?? true)
        }
    }

    @Test func `of what follows 1,024 records it is only seen where it ends`() {
        let host = Packet.host("a.example", "192.0.2.1")
        let odd = Packet.record("a.example", .a, 60, [1, 2, 3])
        let kept = Array(repeating: host, count: 1_024)
        #expect(DNSMessage(Packet("a.example", .a).answering(kept + [odd]).bytes) != nil)
        #expect(DNSMessage(Packet("a.example", .a).answering(kept.dropLast() + [odd]).bytes) == nil)
        let bytes = Packet("a.example", .a).answering(kept + [odd]).bytes
        #expect(DNSMessage(bytes.dropLast()) == nil)
    }

    @Test func `a question is no answer, and neither is another kind of message`() {
        var packet = Packet("a.example", .a)
        packet.flags = 0x0100
        #expect(DNSMessage(packet.bytes) == nil)
        packet.flags = 0xA180
        #expect(DNSMessage(packet.bytes) == nil)
    }

    @Test(arguments: [
        (RecordKind.a, 3), (.a, 5), (.a, 0), (.aaaa, 4), (.aaaa, 17), (.service, 6), (.text, 0),
        (.canonicalName, 0), (.pointer, 0), (.authority, 20),
    ])
    func `a record's data have the length of their kind`(_ kind: RecordKind, _ count: Int) {
        let data = [UInt8](repeating: 0, count: count)
        let packet = Packet("a.example", .a).answering(Packet.record("a.example", kind, 60, data))
        #expect(DNSMessage(packet.bytes) == nil)
    }

    @Test func `a text's piece ends inside its record`() {
        let packet = Packet("a.example", .text).answering(
            Packet.record("a.example", .text, 60, [2, 65]), Packet.text("a.example", "behind"))
        #expect(DNSMessage(packet.bytes) == nil)
    }

    @Test func `a message has one question`() {
        var packet = Packet("a.example", .a)
        packet.questions += Packet("b.example", .a).questions
        #expect(DNSMessage(packet.bytes) != nil)
        #expect(DNSMessage(packet.bytes)?.question == nil)
        packet.questions = []
        #expect(DNSMessage(packet.bytes)?.question == nil)
        packet.questions = [Packet.name("a.example") + [0, 1, 0, 3]]
        #expect(DNSMessage(packet.bytes)?.question == nil)
    }
}
