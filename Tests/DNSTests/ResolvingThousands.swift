// SPDX-License-Identifier: Apache-2.0
//
// Ten thousand names at once, or a thousand at a time: nothing is lost, also when a name server
// goes in the middle, and nothing is left.

import Glibc
import Sluice
import SluiceDNS
import TestSupport
import Testing

@Suite(.countingDescriptors, .withDnsmasq)
struct ResolvingThousands {
    private static let nameCount = 10_000
    private let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// A resolver that has a thousand names under way, both families of each.
    private func resolver(
        _ servers: Dnsmasq..., timeout: Duration = .milliseconds(500)
    ) throws -> Resolver {
        var options = ResolverOptions()
        options.concurrency = 2_000
        // A sanitizer may slow all of it down.
        options.timeLimit = .seconds(60)
        return try Resolver(
            asking: .asking(servers, timeout: timeout), on: reactor, options: options)
    }

    private func expectAll(_ questions: ManyQuestions, from servers: Dnsmasq...) {
        #expect(questions.hasEachOnce)
        #expect(questions.failures.first == nil, "\(questions.failures.count) failed")
        #expect(questions.wrongAnswers.first == nil, "\(questions.wrongAnswers.count) are wrong")
        #expect(
            questions.origins.keys.allSatisfy { origin in
                servers.contains { origin == .server($0.address) }
            })
    }

    // T6
    @Test func `10,000 names, 1,000 at a time, get one right answer each`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let questions = ManyQuestions(Self.nameCount, "n", of: resolver)
        questions.ask(atOnce: 1_000, on: reactor)
        expectAll(questions, from: server)
        #expect(questions.origins == [.server(server.address): Self.nameCount])
        #expect(resolver.counters.underWay == 0)
        #expect(resolver.counters.waiting == 0)
        reactor.settle()
        #expect(questions.hasEachOnce)
    }

    @Test func `10,000 names asked for at once get one right answer each`() throws {
        let server = try Dnsmasq()
        var options = ResolverOptions()
        options.timeLimit = .seconds(60)
        let resolver = try Resolver(asking: .asking([server]), on: reactor, options: options)
        let questions = ManyQuestions(Self.nameCount, "n", of: resolver, family: .ipv4)
        questions.ask(atOnce: Self.nameCount, on: reactor)
        expectAll(questions, from: server)
    }

    @Test func `one name asked for 1,000 times is one question`() throws {
        let server = try Dnsmasq()
        let source = try NameServers(on: reactor, options: .asking([server]))
        let resolver = Resolver(on: reactor, source: source)
        let answers = Box<[NameAnswer<[IPAddress]>]>([])
        for _ in 0..<1_000 {
            resolver.addresses(of: "one.bulk.test", family: .ipv4) {
                if case .success(let answer) = $0 { answers.value.append(answer) }
            }
        }
        reactor.expect("all answers come") { answers.value.count == 1_000 }
        #expect(Set(answers.value.map(\.value)) == [[.v4(0x7F00_0009)]])
        #expect(source.counters.questions == 1)
        #expect(source.counters.datagramsSent == 1)
    }

    /// With SIGKILL nobody is at the server's port any more; with SIGSTOP it is silent.
    @Test(arguments: [SIGKILL, SIGSTOP])
    func `the first of two servers goes in the middle, and that costs a while and no answer`(
        _ signal: CInt
    ) throws {
        let timeout = Duration.milliseconds(250)
        let first = try Dnsmasq()
        let second = try Dnsmasq()
        let resolver = try resolver(first, second, timeout: timeout)
        let questions = ManyQuestions(Self.nameCount, "n", of: resolver, family: .ipv4)
        questions.onVerdict = { if $0 == 3_000 { first.send(signal) } }
        questions.ask(atOnce: 1_000, on: reactor)
        expectAll(questions, from: first, second)
        // Those that were under way may have been answered before the signal came.
        #expect(questions.origins[.server(first.address), default: 0] >= 3_000)
        #expect(questions.origins[.server(second.address), default: 0] > 0)
        // Each waits for the first server once; the rest is for a machine that is slow.
        #expect(questions.longestTime < timeout * 40)
    }

    @Test func `what they take is given back`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        // The memory of the first ones is kept for those that follow, and the cache is full then.
        ManyQuestions(Self.nameCount, "first", of: resolver).ask(atOnce: 1_000, on: reactor)
        reactor.settle()
        let before = (residentByteCount(), openDescriptorCount())
        for word in ["second", "third"] {
            let questions = ManyQuestions(Self.nameCount, word, of: resolver)
            questions.ask(atOnce: 1_000, on: reactor)
            expectAll(questions, from: server)
        }
        reactor.settle()
        #expect(openDescriptorCount() == before.1)
        guard CommandProcess.hasTrueMemory else { return }
        let growth = residentByteCount() - before.0
        #expect(growth < 4 << 20, "\(growth / 1_024) KiB more")
    }

    @Test func `questions that are given up by the thousand leave nothing`() throws {
        let server = try Dnsmasq()
        let source = try NameServers(on: reactor, options: .asking([server]))
        let resolver = Resolver(on: reactor, source: source)
        let asker = Asker(reactor: reactor)
        _ = try asker.answer { resolver.addresses(of: "four.test", $0) }
        let before = (sent: source.counters.datagramsSent, descriptors: openDescriptorCount())
        server.send(SIGSTOP)
        let questions = (0..<1_000).map { number in
            resolver.addresses(of: "n\(number).bulk.test") { _ in wrongly() }
        }
        reactor.expect("some have been asked") { source.counters.datagramsSent > before.sent }
        for question in questions { question.cancel() }
        #expect(resolver.counters.underWay == 0)
        #expect(resolver.counters.waiting == 0)
        #expect(resolver.counters.givenUp == 1_000)
        // Now answers come that nobody waits for.
        server.send(SIGCONT)
        let answer = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(answer.value.count == 2)
        reactor.settle()
        #expect(openDescriptorCount() == before.descriptors)
    }
}
