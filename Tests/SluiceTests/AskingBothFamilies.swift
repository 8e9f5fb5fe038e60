// SPDX-License-Identifier: Apache-2.0
//
// A host's addresses where the source is asked for each family by itself: told as they come, or as
// one answer.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct AskingBothFamilies {
    private static let name = "a.example"

    let reactor: Reactor
    let source: ScriptedNames
    let resolver: Resolver
    let heard: HeardAnswers

    init() throws {
        reactor = try Reactor()
        source = ScriptedNames(on: reactor, asksFamiliesApart: true)
        resolver = Resolver(on: reactor, source: source)
        heard = HeardAnswers(resolver)
    }

    private func answer(_ family: AddressFamily, _ report: NameReport) {
        #expect(source.answer(.host(Self.name, family), report))
        reactor.settle()
    }

    // MARK: As one answer

    @Test func `both families are asked for at once, IPv6 first`() {
        heard.ask(Self.name)
        reactor.settle()
        #expect(source.asked == [.host(Self.name, .ipv6), .host(Self.name, .ipv4)])
    }

    @Test func `the order is found out once for those who ask within a second`() throws {
        reactor.settle()
        let addresses = [IPAddress.v4(0xC000_0201), .loopback6]
        let calls = CallCount()
        let first = calls.count { resolver.sorted(addresses) }
        #expect(first == AddressSelection.sorted(addresses))
        #expect(calls.all > 0)
        let again = CallCount()
        #expect(again.count { resolver.sorted(addresses) } == first)
        #expect(again.all == 0)
        resolver.forgetAll()
        let anew = CallCount()
        #expect(anew.count { resolver.sorted(addresses) } == first)
        #expect(anew.all > 0)
    }

    @Test func `one family is one question`() {
        heard.ask(Self.name, .ipv4)
        reactor.settle()
        #expect(source.asked == [.host(Self.name, .ipv4)])
        answer(.ipv4, .addresses("192.0.2.1"))
        #expect(heard.addresses == [["192.0.2.1"]])
    }

    @Test func `the answer has both, in order, for as long as both hold`() {
        heard.ask(Self.name)
        reactor.settle()
        answer(.ipv4, .addresses("192.0.2.1", timeToLive: .seconds(300)))
        #expect(heard.list.isEmpty)
        answer(
            .ipv6, .addresses("::1", timeToLive: .seconds(600), canonicalName: "b.example"))
        let addresses = [IPAddress.v4(0xC000_0201), .loopback6]
        #expect(heard.only?.value == AddressSelection.sorted(addresses))
        #expect(heard.only?.timeToLive == .seconds(300))
        #expect(heard.only?.canonicalName == "b.example")
        #expect(heard.only?.origin == .server(.loopback(port: 53)))
    }

    @Test(arguments: [
        ResolverError.Reason.noAddress, .unknownName, .serverFailed, .timedOut, .refused,
    ])
    func `one family without an answer does not spoil the other's`(reason: ResolverError.Reason) {
        heard.ask(Self.name)
        reactor.settle()
        answer(.ipv6, .failure(reason))
        answer(.ipv4, .addresses("192.0.2.1"))
        #expect(heard.addresses == [["192.0.2.1"]])
        #expect(resolver.counters.failed == 0)
    }

    @Test(
        arguments: [
            (.noAddress, .noAddress, .noAddress), (.unknownName, .unknownName, .unknownName),
            (.unknownName, .noAddress, .noAddress), (.noAddress, .serverFailed, .serverFailed),
            (.timedOut, .unknownName, .timedOut), (.timedOut, .refused, .refused),
            (.refused, .serverFailed, .refused),
        ] as [(ResolverError.Reason, ResolverError.Reason, ResolverError.Reason)])
    func `of two failures the more telling one is told`(
        six: ResolverError.Reason, four: ResolverError.Reason, told: ResolverError.Reason
    ) {
        heard.ask(Self.name)
        reactor.settle()
        answer(.ipv6, .failure(six))
        answer(.ipv4, .failure(four))
        #expect(heard.failures == [ResolverError(Self.name, told)])
    }

    @Test func `what has come when time is up is the answer`() {
        heard.ask(Self.name, within: .milliseconds(1))
        reactor.settle(passes: 2)
        source.answer(.host(Self.name, .ipv4), .addresses("192.0.2.1"))
        reactor.expect("it is told") { !heard.list.isEmpty }
        // On a slow machine time may be up before.
        if heard.failures.isEmpty { #expect(heard.addresses == [["192.0.2.1"]]) }
        #expect(source.givenUp.contains(.host(Self.name, .ipv6)))
    }

    @Test func `each family is remembered by itself`() {
        heard.ask(Self.name, .ipv4)
        reactor.settle()
        answer(.ipv4, .addresses("192.0.2.1", timeToLive: .seconds(3_600)))
        heard.ask(Self.name)
        reactor.settle()
        #expect(source.asked == [.host(Self.name, .ipv4), .host(Self.name, .ipv6)])
        #expect(heard.list.count == 1)
        answer(.ipv6, .failure(.noAddress, timeToLive: .seconds(60)))
        #expect(heard.addresses == [["192.0.2.1"], ["192.0.2.1"]])
        heard.ask(Self.name)
        heard.ask(Self.name, .ipv6)
        reactor.settle()
        #expect(source.asked.count == 2)
        #expect(heard.list.count == 4)
        #expect(heard.failures == [ResolverError(Self.name, .noAddress)])
        #expect(resolver.counters.fromCache == 2)
    }

    @Test func `who asks for one family joins those who ask for both`() {
        heard.ask(Self.name)
        heard.ask(Self.name, .ipv6)
        reactor.settle()
        #expect(source.asked.count == 2)
        #expect(resolver.counters.joined == 1)
        answer(.ipv6, .addresses("::1"))
        #expect(heard.list.count == 1)
        answer(.ipv4, .addresses("192.0.2.1"))
        #expect(heard.list.count == 2)
    }

    @Test func `giving up gives both up, but not what others wait for`() {
        let both = heard.ask(Self.name)
        heard.ask(Self.name, .ipv6)
        reactor.settle()
        both.cancel()
        #expect(source.givenUp == [.host(Self.name, .ipv4)])
        answer(.ipv6, .addresses("::1"))
        #expect(heard.addresses == [["::1"]])
    }

    @Test func `many who have asked the same for both are told the same`() {
        for _ in 0..<200 { heard.ask(Self.name) }
        reactor.settle()
        let calls = CallCount()
        calls.count {
            source.answer(.host(Self.name, .ipv6), .addresses("::1", "2001:db8::1"))
            source.answer(.host(Self.name, .ipv4), .addresses("192.0.2.1"))
            reactor.settle()
        }
        #expect(Set(heard.addresses).count == 1)
        #expect(heard.list.count == 200)
        // The order is found out once, and not by each.
        #expect(calls.of(.createSocket, .connect) < 20)
    }

    // MARK: As they come

    private struct Part: Equatable {
        let families: Families
        let addresses: [String]
        let isLast: Bool
    }

    private func parts(of name: String) -> (Box<[Part]>, ResolverQuestion) {
        let parts = Box<[Part]>([])
        let question = resolver.addressParts(of: name) { part in
            var addresses: [String] = []
            if case .success(let found) = part.result { addresses = found.map(\.description) }
            parts.value.append(
                Part(families: part.families, addresses: addresses, isLast: part.isLast))
        }
        return (parts, question)
    }

    @Test func `each family is told as it comes, and which is the last`() {
        let (parts, question) = parts(of: Self.name)
        reactor.settle()
        #expect(parts.value.isEmpty)
        answer(.ipv4, .addresses("192.0.2.1"))
        let first = Part(families: .ipv4, addresses: ["192.0.2.1"], isLast: false)
        #expect(parts.value == [first])
        #expect(question.isPending)
        answer(.ipv6, .failure(.noAddress))
        #expect(parts.value == [first, Part(families: .ipv6, addresses: [], isLast: true)])
        #expect(!question.isPending)
    }

    @Test func `parts that come together are told one by one`() {
        let (parts, _) = parts(of: Self.name)
        reactor.settle()
        source.answerAll { $0.families == .ipv6 ? .addresses("::1") : .addresses("192.0.2.1") }
        #expect(parts.value.isEmpty)
        reactor.settle()
        #expect(parts.value.map(\.families) == [.ipv6, .ipv4])
        #expect(parts.value.map(\.isLast) == [false, true])
    }

    @Test(arguments: ["192.0.2.1", "::1"])
    func `a number is one part for both families`(number: String) {
        let (parts, _) = parts(of: number)
        #expect(parts.value.isEmpty)
        reactor.settle()
        #expect(parts.value == [Part(families: .both, addresses: [number], isLast: true)])
    }

    @Test func `a source that asks for both at once tells one part`() {
        let source = ScriptedNames(on: reactor) { _ in .addresses("192.0.2.1", "::1") }
        let resolver = Resolver(on: reactor, source: source)
        let parts = Box<[AddressPart]>([])
        _ = resolver.addressParts(of: Self.name) { parts.value.append($0) }
        reactor.expect("it is told") { !parts.value.isEmpty }
        #expect(parts.value.map(\.families) == [.both])
        #expect(parts.value.map(\.isLast) == [true])
    }

    @Test func `what is missing when time is up is told as too late`() {
        var options = ResolverOptions()
        options.timeLimit = .milliseconds(1)
        let resolver = Resolver(on: reactor, source: source, options: options)
        let reasons = Box<[ResolverError.Reason]>([])
        let lasts = Box<[Bool]>([])
        _ = resolver.addressParts(of: Self.name) { part in
            if case .failure(let error) = part.result { reasons.value.append(error.reason) }
            lasts.value.append(part.isLast)
        }
        reactor.expect("both are told") { lasts.value.count == 2 }
        #expect(reasons.value == [.timedOut, .timedOut])
        #expect(lasts.value == [false, true])
    }

    @Test func `parts may be given up after the first`() {
        let question = Box<ResolverQuestion?>(nil)
        let count = Box(0)
        question.value = resolver.addressParts(of: Self.name) { _ in
            count.value += 1
            question.value?.cancel()
        }
        reactor.settle()
        source.answerAll { $0.families == .ipv6 ? .addresses("::1") : .addresses("192.0.2.1") }
        reactor.settle()
        #expect(count.value == 1)
        #expect(resolver.counters.givenUp == 1)
        question.value = nil
    }

    @Test func `an attempt to find parts is observed once`() {
        let seen = Box<[ResolverError.Reason?]>([])
        reactor.observe { observation in
            if case .resolved(_, _, let error) = observation { seen.value.append(error?.reason) }
        }
        let (parts, _) = parts(of: Self.name)
        reactor.settle()
        answer(.ipv4, .failure(.unknownName))
        answer(.ipv6, .failure(.serverFailed))
        #expect(parts.value.count == 2)
        #expect(seen.value == [.serverFailed])
    }
}
