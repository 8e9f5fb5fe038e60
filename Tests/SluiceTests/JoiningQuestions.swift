// SPDX-License-Identifier: Apache-2.0
//
// Equal questions at the same time: the source is asked once, and everybody who has asked is told,
// or gives up, by himself.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct JoiningQuestions {
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

    @Test func `a hundred equal questions are asked once and answered each`() {
        for _ in 0..<100 { heard.ask("a.example") }
        reactor.settle()
        #expect(source.asked == [.host("a.example")])
        #expect(heard.list.isEmpty)
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        #expect(heard.list.isEmpty)
        reactor.settle()
        #expect(heard.addresses == [[String]](repeating: ["192.0.2.1"], count: 100))
        #expect(resolver.counters.asked == 100)
        #expect(resolver.counters.joined == 99)
        #expect(resolver.counters.underWay == 0)
    }

    @Test func `the case of letters makes no difference, and each is told by his own name`() {
        for name in ["A.Example", "a.example", "a.EXAMPLE"] { heard.ask(name) }
        reactor.settle()
        #expect(source.asked == [.host("A.Example")])
        source.answer(.host("A.Example"), .failure(.unknownName))
        reactor.settle()
        #expect(heard.failures.map(\.name) == ["A.Example", "a.example", "a.EXAMPLE"])
    }

    @Test func `what differs in more than letters' case is asked apart`() {
        heard.ask("a.example")
        heard.ask("a.example.")
        heard.ask("a.example", .ipv4)
        heard.ask("é.example")
        heard.ask("É.example")
        resolver.services(of: "a.example") { _ in wrongly() }
        resolver.texts(of: "a.example") { _ in wrongly() }
        reactor.settle()
        #expect(source.asked.count == 7)
        #expect(resolver.counters.joined == 0)
    }

    @Test func `who asks after the answer has come asks anew`() {
        heard.ask("a.example")
        reactor.settle()
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        heard.ask("a.example")
        reactor.settle()
        #expect(source.asked.count == 2)
        #expect(heard.list.count == 1)
    }

    // MARK: Each by himself

    @Test func `one that is cancelled leaves the others`() {
        let first = heard.ask("a.example")
        let second = heard.ask("a.example")
        reactor.settle()
        first.cancel()
        #expect(!first.isPending)
        #expect(second.isPending)
        #expect(source.givenUp.isEmpty)
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.list.count == 1)
        #expect(!second.isPending)
        #expect(resolver.counters.givenUp == 1)
    }

    @Test func `the last one that goes has the source give up`() {
        let questions = (0..<3).map { _ in heard.ask("a.example") }
        reactor.settle()
        for question in questions {
            #expect(source.givenUp.isEmpty)
            question.cancel()
        }
        #expect(source.givenUp == [.host("a.example")])
        for question in questions { question.cancel() }
        #expect(source.givenUp.count == 1)
        #expect(resolver.counters.givenUp == 3)
        #expect(resolver.counters.underWay == 0)
        reactor.settle()
        #expect(heard.list.isEmpty)
    }

    @Test func `each has a deadline of his own`() {
        heard.ask("a.example", within: .milliseconds(1))
        let patient = heard.ask("a.example", within: .seconds(3_600))
        reactor.expect("one is told") { heard.list.count == 1 }
        #expect(heard.failures == [ResolverError("a.example", .timedOut)])
        #expect(source.givenUp.isEmpty)
        #expect(patient.isPending)
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.addresses == [[], ["192.0.2.1"]])
    }

    @Test func `a deadline that passes on the last one has the source give up`() {
        heard.ask("a.example", within: .milliseconds(1))
        heard.ask("a.example", within: .milliseconds(2))
        reactor.expect("both are told") { heard.failures.count == 2 }
        #expect(source.givenUp == [.host("a.example")])
        #expect(resolver.counters.failed == 2)
        #expect(resolver.counters.givenUp == 0)
    }

    @Test func `one who comes while others go is still answered`() {
        let first = heard.ask("a.example")
        reactor.settle()
        heard.ask("a.example")
        first.cancel()
        reactor.settle()
        #expect(source.asked.count == 1)
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.list.count == 1)
    }

    @Test func `one who comes after all have gone has the source asked again`() {
        heard.ask("a.example").cancel()
        heard.ask("b.example")
        reactor.settle()
        #expect(source.asked == [.host("b.example")])
        heard.ask("b.example").cancel()
        #expect(source.givenUp.isEmpty)
        source.answer(.host("b.example"), .addresses("192.0.2.2"))
        reactor.settle()
        #expect(heard.names == ["b.example"])
    }

    // MARK: What completions may do

    @Test func `a completion may cancel those who would be told after it`() {
        let others = Box<[ResolverQuestion]>([])
        resolver.addresses(of: "a.example") { _ in for other in others.value { other.cancel() } }
        others.value = (0..<5).map { _ in heard.ask("a.example") }
        reactor.settle()
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.list.isEmpty)
        #expect(others.value.allSatisfy { !$0.isPending })
        #expect(resolver.counters.givenUp == 5)
    }

    @Test func `a completion may ask the same again`() {
        let rounds = Box(0)
        func ask() {
            resolver.addresses(of: "a.example") { _ in
                rounds.value += 1
                if rounds.value < 10 { ask() }
            }
        }
        ask()
        reactor.expect("it is asked again and again") {
            source.answer(.host("a.example"), .addresses("192.0.2.1"))
            return rounds.value == 10
        }
        #expect(source.asked.count == 10)
    }

    @Test func `a completion that stops the reactor is the last one of the run`() {
        resolver.addresses(of: "a.example") { _ in self.reactor.stop() }
        heard.ask("a.example")
        reactor.settle()
        reactor.after(.zero) {
            self.source.answer(.host("a.example"), .addresses("192.0.2.1"))
        }
        reactor.runToStop()
        #expect(heard.list.isEmpty)
        reactor.settle()
        #expect(heard.list.count == 1)
    }

    @Test func `a completion may run the reactor, and the others are told inside`() {
        let isInside = Box(false)
        resolver.addresses(of: "a.example") { _ in
            isInside.value = true
            self.reactor.settle()
            #expect(self.heard.list.count == 3)
            isInside.value = false
        }
        for _ in 0..<3 { heard.ask("a.example") }
        reactor.settle()
        source.answer(.host("a.example"), .addresses("192.0.2.1"))
        reactor.settle()
        #expect(heard.failures.isEmpty)
        #expect(heard.list.count == 3)
        #expect(!isInside.value)
    }
}
