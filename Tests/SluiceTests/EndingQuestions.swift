// SPDX-License-Identifier: Apache-2.0
//
// Questions that end otherwise than with an answer of the source: given up, too late, or with their
// reactor; and sources that do not keep to the rules.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct EndingQuestions {
    let reactor: Reactor
    let source: ScriptedNames
    let resolver: Resolver
    let heard: HeardAnswers

    init() throws {
        reactor = try Reactor()
        source = ScriptedNames(on: reactor)
        resolver = Resolver(on: reactor, source: source)
        heard = HeardAnswers(resolver)
    }

    // MARK: Given up

    @Test(arguments: ["a.example", "192.0.2.1", "localhost", "*"])
    func `a question that is cancelled at once is not answered`(name: String) {
        let question = heard.ask(name)
        #expect(question.isPending)
        question.cancel()
        #expect(!question.isPending)
        reactor.settle()
        #expect(heard.list.isEmpty)
        #expect(source.asked.isEmpty)
        #expect(resolver.counters.givenUp == 1)
    }

    @Test func `a question may be cancelled between its answer and its completion`() {
        let question = heard.ask("a.example")
        reactor.settle()
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        #expect(question.isPending)
        question.cancel()
        reactor.settle()
        #expect(heard.list.isEmpty)
        #expect(source.givenUp.isEmpty)
    }

    @Test func `a completion may cancel its own question, which is over`() {
        let question = Box<ResolverQuestion?>(nil)
        let calls = Box(0)
        question.value = resolver.addresses(of: "localhost") { _ in
            calls.value += 1
            #expect(question.value?.isPending == false)
            question.value?.cancel()
        }
        reactor.settle()
        #expect(calls.value == 1)
        #expect(resolver.counters.givenUp == 0)
        question.value = nil
    }

    @Test func `what a completion has captured goes with the question`() {
        weak var answered: Box<Int>?
        weak var cancelled: Box<Int>?
        do {
            let kept = (Box(0), Box(0))
            (answered, cancelled) = kept
            resolver.addresses(of: "localhost") { [kept] _ in kept.0.value += 1 }
            resolver.addresses(of: "a.example") { [kept] _ in kept.1.value += 1 }.cancel()
        }
        reactor.settle()
        #expect(answered == nil)
        #expect(cancelled == nil)
    }

    @Test func `a question goes on though nobody holds its resolver`() {
        let names = Box<[String]>([])
        let source = ScriptedNames(on: reactor) { _ in .addresses("192.0.2.1") }
        Resolver(on: reactor, source: source).addresses(of: "a.example") { answer in
            names.value.append("\(answer)")
        }
        reactor.expect("it is answered") { names.value.count == 1 }
    }

    // MARK: Too late

    @Test func `a question has the time of the resolver's options`() {
        var options = ResolverOptions()
        options.timeLimit = .milliseconds(1)
        let heard = HeardAnswers(Resolver(on: reactor, source: source, options: options))
        heard.ask("a.example")
        reactor.expect("it is told") { !heard.list.isEmpty }
        #expect(heard.failures == [ResolverError("a.example", .timedOut)])
        #expect("\(heard.failures[0])" == "resolve a.example: No answer came in time")
    }

    @Test(arguments: [Duration.zero, .seconds(-1)])
    func `a question without time is too late in a later turn`(limit: Duration) {
        heard.ask("a.example", within: limit)
        #expect(heard.list.isEmpty)
        reactor.expect("it is told") { !heard.list.isEmpty }
        #expect(heard.failures.map(\.reason) == [.timedOut])
        heard.ask("localhost", within: limit)
        reactor.expect("what is known takes no time") { heard.list.count == 2 }
        #expect(heard.failures.count == 1)
    }

    @Test func `an answer that comes too late is nobody's`() {
        heard.ask("a.example", within: .milliseconds(1))
        reactor.expect("it is told") { !heard.list.isEmpty }
        #expect(!source.answer(.host("a.example"), .addresses("192.0.2.1")))
        reactor.settle()
        #expect(heard.list.count == 1)
    }

    // MARK: The reactor

    @Test(arguments: [false, true])
    func `a reactor may end while its questions are open`(isAnswered: Bool) throws {
        weak var ended: Reactor?
        weak var left: Resolver?
        let kept = Box<[ResolverQuestion]>([])
        let source: ScriptedNames
        do {
            let reactor = try Reactor()
            ended = reactor
            source = ScriptedNames(on: reactor)
            let resolver = Resolver(on: reactor, source: source)
            reactor.resolver = resolver
            left = resolver
            // A ring: each completion holds its own question.
            for name in ["a.example", "a.example", "b.example", "c.example", "localhost"] {
                if name == "c.example" { reactor.runPending() }
                kept.value.append(resolver.addresses(of: name) { _ in kept.value = [] })
            }
            #expect(source.openCount == 2)
            if isAnswered { source.answerAll { _ in .addresses("192.0.2.1") } }
        }
        #expect(ended == nil)
        #expect(left == nil)
        #expect(kept.value.count == 5)
        #expect(kept.value.allSatisfy { !$0.isPending })
        for question in kept.value { question.cancel() }
        source.answerAll { _ in .addresses("192.0.2.1") }
    }

    @Test func `a resolver may outlive its reactor, and answers nothing`() throws {
        let left: Resolver
        let source: ScriptedNames
        do {
            let reactor = try Reactor()
            source = ScriptedNames(on: reactor)
            left = Resolver(on: reactor, source: source)
        }
        for name in ["localhost", "a.example"] {
            let question = left.addresses(of: name) { _ in wrongly() }
            #expect(!question.isPending)
            question.cancel()
        }
        left.forgetAll()
        #expect(source.asked.isEmpty)
        #expect(left.counters == ResolverCounters())
    }

    @Test func `another resolver may be set, and questions at the former one go on`() {
        reactor.resolver = resolver
        #expect(reactor.resolver === resolver)
        heard.ask("a.example")
        reactor.settle()
        let other = ScriptedNames(on: reactor) { _ in .addresses("192.0.2.2") }
        reactor.resolver = Resolver(on: reactor, source: other)
        let news = HeardAnswers(reactor.resolver)
        news.ask("a.example")
        reactor.expect("the new one answers") { news.list.count == 1 }
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.addresses == [["192.0.2.1"]])
        #expect(news.addresses == [["192.0.2.2"]])
    }

    // MARK: What is observed

    @Test func `each question that is answered is told to those who observe`() {
        let seen = Box<[String]>([])
        reactor.observe { observation in
            guard case .resolved(let name, let time, let error) = observation else { return }
            #expect(time >= .zero)
            seen.value.append("\(name) \(error.map { "\($0.reason)" } ?? "found")")
        }
        for name in ["localhost", "*", "a.example", "a.example"] { heard.ask(name) }
        heard.ask("b.example").cancel()
        reactor.settle()
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(
            seen.value == [
                "localhost found", "* unknownName", "a.example found", "a.example found",
            ])
    }

    // MARK: Sources that break the rules

    @Test func `a source that answers at once, or twice, is heard once and later`() {
        let hasty = HastyNames()
        let heard = HeardAnswers(Resolver(on: reactor, source: hasty))
        heard.ask("a.example")
        heard.ask("a.example")
        #expect(heard.list.isEmpty)
        reactor.settle()
        #expect(heard.addresses == [["192.0.2.1"], ["192.0.2.1"]])
        #expect(hasty.askedCount == 1)
    }

    @Test func `a question may be given up inside the source's own call`() {
        let question = Box<ResolverQuestion?>(nil)
        source.onQuestion = { _ in question.value?.cancel() }
        question.value = heard.ask("a.example")
        reactor.settle()
        #expect(source.givenUp == [.host("a.example")])
        #expect(heard.list.isEmpty)
        #expect(resolver.counters.underWay == 0)
    }

    @Test func `an answer to another question, or to none, is no answer`() {
        heard.ask("texts.example")
        heard.ask("empty.example")
        heard.ask("other.example", .ipv6)
        heard.ask("twice.example")
        reactor.settle()
        let text = TextRecord(pieces: [[1]])
        source.answer(.host("texts.example"), NameReport(.success(.texts([text])), from: .hosts))
        source.answer(.host("empty.example"), .addresses())
        source.answer(.host("other.example", .ipv6), .addresses("192.0.2.1"))
        source.answer(.host("twice.example"), .addresses("192.0.2.2", "::1", "192.0.2.2", "::1"))
        reactor.settle()
        #expect(heard.failures.map(\.reason) == [.badAnswer, .noAddress, .noAddress])
        #expect(heard.addresses.last == ["192.0.2.2", "::1"])
    }
}

/// A source that calls back inside the call, and once more.
private final class HastyNames: NameSource {
    private(set) var askedCount = 0

    var asksFamiliesApart: Bool { false }

    func begin(_ question: NameQuestion, _ completion: @escaping (NameReport) -> Void) -> UInt64 {
        askedCount += 1
        completion(.addresses("192.0.2.1"))
        completion(.addresses("192.0.2.2"))
        return 1
    }

    func giveUp(_ number: UInt64) {}
}
