// SPDX-License-Identifier: Apache-2.0
//
// Which names are asked for when somebody asks for one, and the order of a service's hosts.
// Decisions alone: nobody is asked.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct SearchingNames {
    private let domains = ["one.example", "two.example"]

    /// The names that are asked for, where each question is answered so.
    private func asked(
        _ name: String, _ kind: RecordKind = .service, ndots: Int = 1, answer: ServerAnswer
    ) -> (asked: [String], end: ServerAnswer?) {
        var search = NameSearch(name, kind, in: domains, ndots: ndots)
        var asked: [String] = []
        var step = search?.begin()
        while case .ask(let question) = step {
            asked.append("\(question.name.hostText ?? "") \(question.kind)")
            step = search?.next(after: answer)
        }
        if case .over(let end) = step { return (asked, end) }
        return (asked, nil)
    }

    @Test func `a name without dots is looked for in the domains first`() {
        let (asked, end) = asked("www", answer: .unknownName(seconds: 5))
        #expect(asked == ["www.one.example 33", "www.two.example 33", "www 33"])
        #expect(end == .unknownName(seconds: 5))
    }

    @Test func `a name with dots is tried as it stands first`() {
        let (asked, _) = asked("www.a", answer: .unknownName(seconds: nil))
        #expect(asked == ["www.a 33", "www.a.one.example 33", "www.a.two.example 33"])
    }

    @Test func `how many dots it takes can be said`() {
        let unknown = ServerAnswer.unknownName(seconds: nil)
        #expect(asked("a.b", ndots: 2, answer: unknown).asked.first == "a.b.one.example 33")
        #expect(asked("a.b.c", ndots: 2, answer: unknown).asked.first == "a.b.c 33")
        #expect(asked("a", ndots: 0, answer: unknown).asked.first == "a 33")
    }

    @Test func `a name that ends in a dot is asked for as it stands alone`() {
        #expect(asked("www.", answer: .unknownName(seconds: nil)).asked == ["www 33"])
        #expect(asked("www.a.", answer: .unknownName(seconds: nil)).asked == ["www.a 33"])
    }

    @Test func `what is found ends the search`() {
        let found = ServerAnswer.found(
            .texts([]), seconds: 1, owner: DNSName(ofHostAt: .loopback))
        #expect(asked("www", answer: found).asked == ["www.one.example 33"])
        #expect(asked("www", answer: found).end == found)
    }

    @Test func `a server that fails does not end it, and is told at its end`() {
        let (asked, end) = asked("www", answer: .failed(.serverFailed))
        #expect(asked.count == 3)
        #expect(end == .failed(.serverFailed))
    }

    @Test(arguments: [ResolverError.Reason.timedOut, .unreachable, .refused])
    func `any other failure ends it`(_ reason: ResolverError.Reason) {
        let (asked, end) = asked("www", answer: .failed(reason))
        #expect(asked.count == 1)
        #expect(end == .failed(reason))
    }

    @Test func `a name that is there without such a record is told as that`() throws {
        var search = try #require(NameSearch("www", .text, in: domains, ndots: 1))
        _ = search.begin()
        _ = search.next(after: .noData(seconds: 9))
        _ = search.next(after: .unknownName(seconds: 3))
        #expect(search.next(after: .unknownName(seconds: 4)) == .over(.noData(seconds: 3)))
    }

    @Test func `a host with addresses of the other family alone ends the search`() throws {
        var search = try #require(NameSearch("www", .aaaa, in: domains, ndots: 1))
        let name = try #require(DNSName("www.one.example"))
        #expect(search.begin() == .ask(DNSQuestion(name, .aaaa)))
        #expect(search.next(after: .noData(seconds: 9)) == .ask(DNSQuestion(name, .a)))
        let found = ServerAnswer.found(.addresses([.loopback]), seconds: 1, owner: name)
        #expect(search.next(after: found) == .over(.noData(seconds: 9)))
    }

    @Test func `a name without addresses of either family does not end it`() {
        let (asked, end) = asked("www", .a, answer: .noData(seconds: 2))
        #expect(
            asked == [
                "www.one.example 1", "www.one.example 28", "www.two.example 1",
                "www.two.example 28", "www 1",
            ])
        #expect(end == .noData(seconds: 2))
    }

    @Test func `a domain with which the name would be too long is passed over`() {
        let long = Array(repeating: String(repeating: "a", count: 60), count: 4)
            .joined(separator: ".")
        let (asked, _) = asked(long, answer: .unknownName(seconds: nil))
        #expect(asked == [long + " 33"])
    }

    // MARK: Services

    /// Gives the lowest of all numbers that may be chosen.
    private struct Lowest: RandomNumberGenerator {
        // For 0 the standard library would ask again, to be fair.
        mutating func next() -> UInt64 { 1 }
    }

    private func record(_ host: String, _ priority: UInt16, _ weight: UInt16) -> ServiceRecord {
        ServiceRecord(host: host, port: 1, priority: priority, weight: weight)
    }

    @Test func `a lower priority comes first, whatever the weights`() {
        let records = [record("c", 30, 9), record("a", 10, 0), record("b", 20, 500)]
        var generator = SystemRandomNumberGenerator()
        let sorted = ServiceOrder.sorted(records, using: &generator)
        #expect(sorted.map(\.host) == ["a", "b", "c"])
    }

    @Test func `hosts of a priority come by lot, in proportion to their weights`() {
        let records = [record("a", 1, 1), record("b", 1, 3), record("c", 1, 0)]
        var generator = Lottery(seed: 7)
        var first: [String: Int] = [:]
        for _ in 0..<5_000 {
            let sorted = ServiceOrder.sorted(records, using: &generator)
            #expect(Set(sorted.map(\.host)) == ["a", "b", "c"])
            first[sorted[0].host, default: 0] += 1
        }
        // One of five lots is 0, and goes to the host of no weight; one is 1, and three are above.
        #expect((900...1_100).contains(first["c"] ?? 0))
        #expect((900...1_100).contains(first["a"] ?? 0))
        #expect((2_850...3_150).contains(first["b"] ?? 0))
    }

    @Test func `the lowest lot takes the hosts as they come, those of no weight first`() {
        var generator = Lowest()
        let records = [record("a", 1, 5), record("b", 1, 0), record("c", 1, 5)]
        let sorted = ServiceOrder.sorted(records, using: &generator)
        #expect(sorted.map(\.host) == ["b", "a", "c"])
    }

    // MARK: Times

    @Test func `resolv.conf says how long and how often`() {
        let text = "nameserver 192.0.2.1\noptions timeout:7 rotate # timeout:9\n options attempts:5"
        var times = ServerTimes(parsing: text)
        #expect(times.timeout == .seconds(7))
        #expect(times.attempts == 5)
        times = ServerTimes(
            parsing: "options timeout:x attempts:-1 attempts: ndots:3\noption timeout:9")
        #expect(times.timeout == .seconds(2))
        #expect(times.attempts == 3)
        times = ServerTimes(
            parsing: "options timeout:99999999999999999999 attempts:100 timeout:400")
        #expect(times.timeout == .seconds(30))
        #expect(times.attempts == 10)
    }

    @Test func `resolv.conf says whether all is asked over TCP, and whom on which interface`() {
        let text = "nameserver fe80::1%lo\nnameserver 192.0.2.1\noptions use-vc\n"
        let times = ServerTimes(parsing: text)
        #expect(times.usesTCP)
        #expect(!times.rotates)
        let servers = ["fe80::1%lo", "192.0.2.1"].compactMap { IPAddress($0) }
        #expect(times.scopedServers == servers.map { .ip($0, port: 53) })
        #expect(ServerTimes(parsing: "nameserver 192.0.2.1").scopedServers.isEmpty)
    }

    @Test func `what options say counts, within its bounds`() {
        var options = NameServerOptions.only([])
        options.timeout = .milliseconds(20)
        options.attempts = 0
        #expect(ServerTimes(options).timeout == .milliseconds(20))
        #expect(ServerTimes(options).attempts == 1)
        options.timeout = .seconds(-1)
        options.attempts = 99
        #expect(ServerTimes(options).timeout == .milliseconds(1))
        #expect(ServerTimes(options).attempts == 10)
    }
}
