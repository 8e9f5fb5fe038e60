// SPDX-License-Identifier: Apache-2.0
//
// Asks a resolver and waits for what comes of it: one question, or thousands with some of them
// under way at once.

import Sluice
import TestSupport
import Testing

/// Asks one question after the other.
struct Asker {
    typealias Verdict<Value: Hashable & Sendable> = Result<NameAnswer<Value>, ResolverError>
    typealias Question<Value: Hashable & Sendable> =
        (@escaping (Verdict<Value>) -> Void) -> ResolverQuestion

    let reactor: Reactor

    /// Asks, and runs the reactor until the verdict has come: one, and in a later turn.
    func verdict<Value>(_ ask: Question<Value>) throws -> Verdict<Value> {
        let verdict = Box<Verdict<Value>?>(nil)
        let question = ask {
            #expect(verdict.value == nil, "a second verdict")
            verdict.value = $0
        }
        #expect(verdict.value == nil, "the verdict comes in a later turn")
        reactor.expect("the verdict comes") { verdict.value != nil }
        #expect(!question.isPending)
        return try #require(verdict.value)
    }

    /// The answer; where there is none, the error is thrown.
    func answer<Value>(_ ask: Question<Value>) throws -> NameAnswer<Value> {
        try verdict(ask).get()
    }

    /// Why there is no answer; `nil` where there is one.
    func reason<Value>(_ ask: Question<Value>) throws -> ResolverError.Reason? {
        if case .failure(let error) = try verdict(ask) { return error.reason }
        return nil
    }
}

/// Asks for many names below `bulk.test`, so many at once, and keeps what came of each.
final class ManyQuestions {
    private let resolver: Resolver
    private let family: AddressFamily
    private let count: Int
    private let word: String
    private var begun = 0
    /// How many verdicts came for each name.
    private var verdictCounts: [Int]

    /// How many verdicts came.
    private(set) var verdictCount = 0
    /// Why names did not resolve.
    private(set) var failures: [ResolverError] = []
    /// Answers that are not what the zone says.
    private(set) var wrongAnswers: [NameAnswer<[IPAddress]>] = []
    /// How many answers came from where.
    private(set) var origins: [NameOrigin: Int] = [:]
    /// How long the slowest answer took.
    private(set) var longestTime = Duration.zero
    /// Called behind each verdict, with how many have come.
    var onVerdict: (Int) -> Void = { _ in }

    /// - Parameter word: what all of the names begin with, so that they are no names of before.
    init(
        _ count: Int, _ word: String, of resolver: Resolver, family: AddressFamily = .unspecified
    ) {
        self.resolver = resolver
        self.family = family
        self.count = count
        self.word = word
        verdictCounts = Array(repeating: 0, count: count)
    }

    /// Asks for the first ones; each verdict has one more asked for.
    func begin(atOnce: Int) {
        for _ in 0..<atOnce { askNext() }
    }

    /// Whether each name has its verdict.
    var isOver: Bool { verdictCount >= count }

    /// Whether each name has one verdict and no more.
    var hasEachOnce: Bool { verdictCounts.allSatisfy { $0 == 1 } }

    /// Asks for all of them, and runs the reactor for as long as verdicts come.
    func ask(atOnce: Int, on reactor: Reactor, _ place: SourceLocation = #_sourceLocation) {
        begin(atOnce: atOnce)
        while !isOver {
            let before = verdictCount
            let next = min(count, before + 500)
            reactor.expect("verdicts come", sourceLocation: place) { self.verdictCount >= next }
            if verdictCount < next { return }
        }
    }

    private func askNext() {
        guard begun < count else { return }
        let number = begun
        begun += 1
        resolver.addresses(of: "\(word)\(number).bulk.test", family: family) {
            self.take($0, of: number)
            self.onVerdict(self.verdictCount)
            self.askNext()
        }
    }

    private func take(_ verdict: Asker.Verdict<[IPAddress]>, of number: Int) {
        verdictCount += 1
        verdictCounts[number] += 1
        switch verdict {
        case .failure(let error): failures.append(error)
        case .success(let answer):
            let expected = Zone.bulkAddresses.filter {
                family == .unspecified || $0.isIPv6 == (family == .ipv6)
            }
            if answer.value.count != expected.count || Set(answer.value) != expected {
                wrongAnswers.append(answer)
            }
            origins[answer.origin, default: 0] += 1
            longestTime = max(longestTime, answer.time)
        }
    }
}
