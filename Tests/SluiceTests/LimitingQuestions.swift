// SPDX-License-Identifier: Apache-2.0
//
// How many questions a resolver takes, and how many its source is asked at once and in one turn.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LimitingQuestions {
    let reactor: Reactor
    let source: ScriptedNames

    init() throws {
        reactor = try Reactor()
        source = ScriptedNames(on: reactor)
    }

    private func listen(_ change: (inout ResolverOptions) -> Void) -> HeardAnswers {
        HeardAnswers(resolver(change))
    }

    private func resolver(_ change: (inout ResolverOptions) -> Void) -> Resolver {
        var options = ResolverOptions()
        change(&options)
        return Resolver(on: reactor, source: source, options: options)
    }

    // MARK: At once

    @Test func `no more are asked at once than allowed, and the others begin in order`() {
        let heard = listen { $0.concurrency = 3 }
        let names = (0..<10).map { "host\($0).example" }
        for name in names { heard.ask(name) }
        reactor.settle()
        #expect(source.asked == names[..<3].map { .host($0) })
        for name in names {
            source.answer(.host(name), .addresses("192.0.2.1"))
            reactor.settle()
            #expect(source.openCount <= 3)
        }
        #expect(source.asked == names.map { .host($0) })
        #expect(heard.names == names)
        #expect(source.mostOpen == 3)
    }

    @Test func `one that is given up makes room for the next`() {
        let resolver = resolver { $0.concurrency = 1 }
        let heard = HeardAnswers(resolver)
        let first = heard.ask("a.example")
        heard.ask("b.example")
        reactor.settle()
        #expect(source.asked == [.host("a.example")])
        #expect(resolver.counters.waiting == 1)
        #expect(resolver.counters.underWay == 1)
        first.cancel()
        reactor.settle()
        #expect(source.asked == [.host("a.example"), .host("b.example")])
        #expect(resolver.counters.waiting == 0)
    }

    @Test func `one that is given up while it waits is never begun`() {
        let resolver = resolver { $0.concurrency = 1 }
        let heard = HeardAnswers(resolver)
        heard.ask("a.example")
        let waiting = (0..<5).map { heard.ask("host\($0).example") }
        heard.ask("z.example")
        reactor.settle()
        for question in waiting { question.cancel() }
        #expect(source.givenUp.isEmpty)
        #expect(resolver.counters.waiting == 1)
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(source.asked == [.host("a.example"), .host("z.example")])
    }

    @Test func `the time in which a question waits for its turn counts`() {
        let heard = listen { $0.concurrency = 1 }
        heard.ask("a.example")
        heard.ask("b.example", within: .milliseconds(1))
        reactor.expect("it is told") { heard.list.count == 1 }
        #expect(heard.failures == [ResolverError("b.example", .timedOut)])
        #expect(source.asked == [.host("a.example")])
    }

    @Test(arguments: [0, -1])
    func `one is asked at once at least`(concurrency: Int) {
        let heard = listen { $0.concurrency = concurrency }
        heard.ask("a.example")
        reactor.settle()
        #expect(source.asked.count == 1)
    }

    // MARK: In one turn

    @Test func `a thousand questions at once are begun a few at a turn`() {
        let heard = listen { $0.concurrency = 1_000 }
        for number in 0..<1_000 { heard.ask("host\(number).example") }
        // Never inside the call.
        #expect(source.asked.isEmpty)
        var last = 0
        while last < 1_000, reactor.runPending() {
            let count = source.asked.count
            #expect(count - last <= 16)
            #expect(count > last)
            if count == last { break }
            last = count
        }
        #expect(source.asked.count == 1_000)
    }

    // MARK: Altogether

    @Test func `a question too many is told so in a later turn`() {
        let resolver = resolver { $0.questionLimit = 2 }
        let heard = HeardAnswers(resolver)
        for name in ["a.example", "b.example", "c.example"] { heard.ask(name) }
        #expect(heard.list.isEmpty)
        reactor.settle()
        #expect(heard.failures == [ResolverError("c.example", .tooManyQuestions)])
        #expect(source.asked == [.host("a.example"), .host("b.example")])
        #expect(resolver.counters.failed == 1)
    }

    @Test func `those who have joined others count as well`() {
        let heard = listen { $0.questionLimit = 2 }
        for _ in 0..<3 { heard.ask("a.example") }
        reactor.settle()
        #expect(heard.failures.map(\.reason) == [.tooManyQuestions])
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.list.count == 3)
    }

    @Test func `there is room again when one was answered, given up or too late`() {
        let heard = listen { $0.questionLimit = 1 }
        heard.ask("a.example")
        reactor.settle()
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        heard.ask("b.example").cancel()
        heard.ask("c.example", within: .zero)
        reactor.expect("two are told") { heard.list.count == 2 }
        heard.ask("d.example")
        reactor.settle()
        #expect(source.asked.last == .host("d.example"))
        #expect(heard.failures == [ResolverError("c.example", .timedOut)])
    }

    @Test func `what needs no source has no limit`() {
        let heard = listen { $0.questionLimit = 0 }
        for name in ["192.0.2.1", "localhost", "*"] { heard.ask(name) }
        heard.ask("a.example")
        reactor.settle()
        #expect(
            heard.failures == [
                ResolverError("*", .unknownName), ResolverError("a.example", .tooManyQuestions),
            ])
        #expect(heard.list.count == 4)
    }

    @Test func `a question too many is not remembered as a failure`() {
        let resolver = resolver { $0.questionLimit = 1 }
        let heard = HeardAnswers(resolver)
        let first = heard.ask("a.example")
        heard.ask("b.example")
        reactor.settle()
        first.cancel()
        heard.ask("b.example")
        reactor.settle()
        #expect(source.asked == [.host("a.example"), .host("b.example")])
        #expect(resolver.counters.fromCache == 0)
    }

    @Test func `ten thousand questions are each answered once`() {
        let source = ScriptedNames(on: reactor) { _ in .addresses("192.0.2.1") }
        var options = ResolverOptions()
        options.concurrency = 1_000
        let resolver = Resolver(on: reactor, source: source, options: options)
        let heard = HeardAnswers(resolver)
        let names = (0..<10_000).map { "host\($0).example" }
        for name in names { heard.ask(name, within: .seconds(60)) }
        reactor.expect("all are answered") { heard.list.count == 10_000 }
        reactor.settle()
        #expect(heard.names == names)
        #expect(heard.failures.isEmpty)
        #expect(source.mostOpen <= 1_000)
    }
}
