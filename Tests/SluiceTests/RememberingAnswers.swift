// SPDX-License-Identifier: Apache-2.0
//
// What a resolver remembers: answers for as long as they hold, failures for a short while, and
// neither without limit. The cache knows no clock, so days pass here in no time.

import TestSupport
import Testing

@testable import Sluice

private let second: UInt64 = 1_000_000_000

@Suite(.countingDescriptors)
struct RememberingAnswers {
    private func makeCache(
        _ change: (inout ResolverOptions) -> Void = { _ in }
    ) -> ResolverCache {
        var options = ResolverOptions()
        change(&options)
        return ResolverCache(options, at: 0)
    }

    private let answer = NameReport.addresses("192.0.2.1", timeToLive: .seconds(60))
    private let question = NameQuestion.host("a.example")

    // MARK: Times

    @Test func `an answer holds for its time and not longer`() {
        var cache = makeCache()
        #expect(cache.report(on: question, at: 0) == nil)
        cache.remember(answer, on: question, at: 5 * second)
        let fresh = cache.report(on: question, at: 5 * second)
        #expect(fresh?.result == answer.result)
        #expect(fresh?.timeToLive == .seconds(60))
        #expect(fresh?.origin == .cache)
        let old = cache.report(on: question, at: 65 * second - 1)
        #expect(old?.timeToLive == .nanoseconds(1))
        #expect(cache.report(on: question, at: 65 * second) == nil)
        #expect(cache.count == 0)
    }

    @Test func `the official name is remembered as well`() {
        var cache = makeCache()
        let alias = NameReport.addresses(
            "192.0.2.1", timeToLive: .seconds(1), canonicalName: "b.example")
        cache.remember(alias, on: question, at: 0)
        #expect(cache.report(on: question, at: 1)?.canonicalName == "b.example")
    }

    @Test func `no answer is remembered longer than allowed`() {
        var cache = makeCache { $0.longestTimeToLive = .seconds(10) }
        cache.remember(answer, on: question, at: 0)
        #expect(cache.report(on: question, at: 0)?.timeToLive == .seconds(10))
        #expect(cache.report(on: question, at: 10 * second) == nil)
    }

    @Test(arguments: [Duration.zero, .seconds(-1), .seconds(5)])
    func `an answer of unknown time is remembered as the options say`(time: Duration) {
        var cache = makeCache { $0.timeToLiveIfUnknown = time }
        cache.remember(.addresses("192.0.2.1"), on: question, at: 0)
        #expect((cache.report(on: question, at: 0) != nil) == (time > .zero))
    }

    @Test(arguments: [64, 65])
    func `an answer of many addresses is not remembered`(count: Int) {
        var cache = makeCache()
        let addresses = (0..<count).map { IPAddress.v4(0xC000_0200 + UInt32($0)) }
        let report = NameReport(
            .success(.addresses(addresses)), from: .system, timeToLive: .seconds(60))
        cache.remember(report, on: question, at: 0)
        #expect((cache.report(on: question, at: 1) != nil) == (count <= 64))
    }

    @Test(arguments: [4_064, 4_065])
    func `an answer of many bytes is not remembered`(byteCount: Int) {
        let piece = [UInt8](repeating: 1, count: byteCount)
        let text = String(repeating: "a", count: byteCount)
        let service = ServiceRecord(host: text, port: 1, priority: 1, weight: 1)
        let answers: [NameReport.Records] = [
            .texts([TextRecord(pieces: [piece])]), .names([text]), .services([service]),
        ]
        for answer in answers {
            var cache = makeCache()
            let report = NameReport(.success(answer), from: .system, timeToLive: .seconds(60))
            cache.remember(report, on: question, at: 0)
            #expect((cache.report(on: question, at: 1) != nil) == (byteCount <= 4_064))
        }
    }

    @Test func `an answer that is not to be remembered takes an earlier one away`() {
        var cache = makeCache()
        cache.remember(answer, on: question, at: 0)
        cache.remember(.addresses("192.0.2.2", timeToLive: .zero), on: question, at: 1)
        #expect(cache.report(on: question, at: 2) == nil)
        #expect(cache.count == 0)
    }

    @Test func `an answer takes an earlier one's place`() {
        var cache = makeCache()
        cache.remember(answer, on: question, at: 0)
        let other = NameReport.addresses("192.0.2.2", timeToLive: .seconds(90))
        cache.remember(other, on: question, at: second)
        #expect(cache.count == 1)
        let found = cache.report(on: question, at: 70 * second)
        #expect(found?.result == other.result)
    }

    @Test func `times beyond all bounds are held`() {
        var cache = makeCache { $0.longestTimeToLive = .seconds(Int64.max) }
        let endless = NameReport.addresses("192.0.2.1", timeToLive: .seconds(Int64.max))
        cache.remember(endless, on: question, at: second)
        #expect(cache.report(on: question, at: 1 << 60) != nil)
    }

    // MARK: Failures

    /// Source: RFC 9520, 3.2, RFC 2308, 5.
    @Test(
        arguments: [
            (nil, 1), (.seconds(30), 30), (.seconds(5_000), 300), (.zero, 0),
        ] as [(Duration?, UInt64)])
    func `a failure is remembered for its time, a second without one, and five minutes at most`(
        told: Duration?, seconds: UInt64
    ) {
        var cache = makeCache()
        cache.remember(.failure(.unknownName, timeToLive: told), on: question, at: 0)
        #expect((cache.report(on: question, at: 0) != nil) == (seconds > 0))
        if seconds > 0 { #expect(cache.report(on: question, at: seconds * second - 1) != nil) }
        #expect(cache.report(on: question, at: seconds * second) == nil)
    }

    @Test(arguments: [
        ResolverError.Reason.unknownName, .noAddress, .temporaryFailure, .serverFailed, .refused,
        .timedOut, .notImplemented, .badAnswer, .unreachable, .other(7),
    ])
    func `what the source says of a name is remembered`(reason: ResolverError.Reason) {
        var cache = makeCache()
        cache.remember(.failure(reason), on: question, at: 0)
        #expect(cache.count == 1)
    }

    @Test(arguments: [
        ResolverError.Reason.tooManyQuestions, .cancelled, .noMemory, .system(.tooManyOpenFiles),
        .noServers, .notSupported,
    ])
    func `what is this machine's own fault is not`(reason: ResolverError.Reason) {
        var cache = makeCache()
        cache.remember(.failure(reason, timeToLive: .seconds(9)), on: question, at: 0)
        #expect(cache.count == 0)
    }

    // MARK: Room

    @Test func `what nobody has asked for longest goes first`() {
        var cache = makeCache { $0.cacheLimit = 3 }
        let names = (0..<4).map { NameQuestion.host("host\($0).example") }
        for name in names[..<3] { cache.remember(answer, on: name, at: 0) }
        _ = cache.report(on: names[0], at: 1)
        cache.remember(answer, on: names[3], at: 2)
        #expect(cache.count == 3)
        #expect(cache.report(on: names[0], at: 3) != nil)
        #expect(cache.report(on: names[1], at: 3) == nil)
        #expect(cache.report(on: names[2], at: 3) != nil)
        #expect(cache.report(on: names[3], at: 3) != nil)
    }

    @Test func `what holds no longer goes before what still does`() {
        var cache = makeCache { $0.cacheLimit = 3 }
        let brief = NameReport.addresses("192.0.2.1", timeToLive: .seconds(1))
        let names = (0..<4).map { NameQuestion.host("host\($0).example") }
        cache.remember(answer, on: names[0], at: 0)
        cache.remember(brief, on: names[1], at: 0)
        cache.remember(brief, on: names[2], at: 0)
        // The least recently used is the one that still holds.
        cache.remember(answer, on: names[3], at: 2 * second)
        #expect(cache.count == 2)
        #expect(cache.report(on: names[0], at: 2 * second) != nil)
        #expect(cache.report(on: names[3], at: 2 * second) != nil)
    }

    @Test(arguments: [0, -1])
    func `a cache without room remembers nothing`(limit: Int) {
        var cache = makeCache { $0.cacheLimit = limit }
        cache.remember(answer, on: question, at: 0)
        #expect(cache.count == 0)
    }

    @Test func `everything may be forgotten`() {
        var cache = makeCache()
        for number in 0..<100 {
            cache.remember(answer, on: .host("host\(number).example"), at: second)
        }
        cache.forgetAll()
        #expect(cache.count == 0)
        cache.remember(answer, on: question, at: second)
        #expect(cache.report(on: question, at: second) != nil)
    }

    @Test(arguments: 0..<8)
    func `a cache does what a list of answers does`(seed: UInt64) {
        var model = CacheModel(seed: seed)
        for _ in 0..<2_000 { model.step() }
        #expect(model.mistakes == [])
    }

    // MARK: Through the resolver

    private func resolver(
        on reactor: Reactor, _ report: NameReport
    ) -> (ScriptedNames, HeardAnswers, Resolver) {
        let source = ScriptedNames(on: reactor) { _ in report }
        let resolver = Resolver(on: reactor, source: source)
        return (source, HeardAnswers(resolver), resolver)
    }

    @Test func `what was answered is not asked for again while it holds`() throws {
        let reactor = try Reactor()
        let (source, heard, resolver) = resolver(
            on: reactor, .addresses("192.0.2.1", timeToLive: .seconds(3_600)))
        heard.ask("a.example")
        reactor.expect("it is answered") { heard.list.count == 1 }
        heard.ask("A.EXAMPLE")
        #expect(heard.list.count == 1)
        reactor.expect("it is answered again") { heard.list.count == 2 }
        #expect(source.asked.count == 1)
        #expect(resolver.counters.fromCache == 1)
        let again = try heard.list[1].answer.get()
        #expect(again.origin == .cache)
        let rest = try #require(again.timeToLive)
        #expect(rest <= .seconds(3_600) && rest > .seconds(3_500))
        resolver.forgetAll()
        heard.ask("a.example")
        reactor.expect("it is asked anew") { heard.list.count == 3 }
        #expect(source.asked.count == 2)
    }

    @Test func `what holds no longer is asked for again`() throws {
        let reactor = try Reactor()
        let (source, heard, _) = resolver(
            on: reactor, .addresses("192.0.2.1", timeToLive: .nanoseconds(1)))
        for count in 1...3 {
            heard.ask("a.example")
            reactor.expect("it is answered") { heard.list.count == count }
        }
        #expect(source.asked.count == 3)
    }

    @Test func `a failure is remembered, and told by the name that was asked`() throws {
        let reactor = try Reactor()
        let (source, heard, resolver) = resolver(
            on: reactor, .failure(.unknownName, timeToLive: .seconds(60)))
        for (count, name) in ["a.example", "A.example"].enumerated() {
            heard.ask(name)
            reactor.expect("it is answered") { heard.list.count == count + 1 }
        }
        #expect(source.asked.count == 1)
        #expect(heard.failures.map(\.name) == ["a.example", "A.example"])
        #expect(resolver.counters.failed == 2)
    }

    @Test func `a deadline says nothing of the name`() throws {
        let reactor = try Reactor()
        let source = ScriptedNames(on: reactor)
        let heard = HeardAnswers(Resolver(on: reactor, source: source))
        heard.ask("a.example", within: .zero)
        reactor.expect("it is told") { heard.list.count == 1 }
        heard.ask("a.example")
        reactor.settle()
        #expect(source.asked.last == .host("a.example"))
        #expect(source.openCount == 1)
    }

    @Test func `other questions are remembered apart`() throws {
        let reactor = try Reactor()
        let text = TextRecord(pieces: [Array("v=1".utf8)])
        let service = ServiceRecord(host: "b.example", port: 143, priority: 1, weight: 2)
        let source = ScriptedNames(on: reactor) { question in
            let records: NameReport.Records =
                switch question {
                case .addresses: .addresses([.loopback])
                case .names: .names(["a.example"])
                case .services: .services([service])
                case .texts: .texts([text])
                }
            return NameReport(.success(records), from: .hosts, timeToLive: .seconds(60))
        }
        let resolver = Resolver(on: reactor, source: source)
        for round in 1...2 {
            let answers = Box(0)
            func expect<Value>(
                _ value: Value
            ) -> (Result<NameAnswer<Value>, ResolverError>) -> Void {
                { answer in
                    #expect(answer.map(\.value) == .success(value))
                    answers.value += 1
                }
            }
            resolver.addresses(of: "a.example", expect([.loopback]))
            resolver.names(of: .loopback, expect(["a.example"]))
            resolver.services(of: "a.example", expect([service]))
            resolver.texts(of: "a.example", expect([text]))
            reactor.expect("all are answered in round \(round)") { answers.value == 4 }
        }
        #expect(source.asked.count == 4)
        #expect(resolver.counters.fromCache == 4)
    }
}

/// A cache beside a plain list of what must be in it.
private struct CacheModel {
    private struct Entry {
        let name: Int
        let expiry: UInt64
    }

    private static let limit = 8

    var mistakes: [String] = []
    private var random: Lottery
    private var cache: ResolverCache
    /// The least recently used first.
    private var entries: [Entry] = []
    private var now: UInt64 = 0

    init(seed: UInt64) {
        random = Lottery(seed: seed)
        var options = ResolverOptions()
        options.cacheLimit = Self.limit
        cache = ResolverCache(options, at: 0)
    }

    mutating func step() {
        now += random.next() % 3 * second
        let name = Int(random.next() % 16)
        if random.next() % 2 == 0 { ask(name) } else { remember(name) }
        if cache.count > Self.limit { mistakes.append("too many at \(now)") }
    }

    private mutating func ask(_ name: Int) {
        let isFound = cache.report(on: .host("host\(name)"), at: now) != nil
        let place = entries.firstIndex { $0.name == name && $0.expiry > now }
        if isFound != (place != nil) { mistakes.append("host\(name) at \(now)") }
        if let place { entries.append(entries.remove(at: place)) }
    }

    private mutating func remember(_ name: Int) {
        // Never at a time when something is asked: about that moment the cache may be 1 ms late.
        let time = (1 + random.next() % 30) * second - second / 2
        let report = NameReport.addresses("192.0.2.1", timeToLive: .nanoseconds(Int64(time)))
        cache.remember(report, on: .host("host\(name)"), at: now)
        entries.removeAll { $0.name == name || $0.expiry <= now }
        if entries.count == Self.limit { entries.removeFirst() }
        entries.append(Entry(name: name, expiry: now + time))
    }
}
