// SPDX-License-Identifier: Apache-2.0
//
// Names that answer themselves: numbers, this machine's name for itself, and what is no name.
// The source is never asked for them.

import TestSupport
import Testing

@testable import Sluice

private let longestLabel = String(repeating: "a", count: 63)
/// 253 bytes.
private let longest =
    "\(longestLabel).\(longestLabel).\(longestLabel).\(longestLabel.dropLast(2))"

@Suite(.countingDescriptors)
struct AnsweringWithoutAsking {
    let reactor: Reactor
    let source: ScriptedNames
    let heard: HeardAnswers

    init() throws {
        reactor = try Reactor()
        source = ScriptedNames(on: reactor, asksFamiliesApart: true)
        heard = HeardAnswers(Resolver(on: reactor, source: source))
    }

    /// Waits for all answers; nothing may have gone to the source.
    private func settle() {
        #expect(heard.list.isEmpty, "never inside the call")
        reactor.settle()
        #expect(source.asked.isEmpty)
    }

    // MARK: Numbers

    // W15, P10
    @Test(arguments: [
        "192.0.2.1", "0.0.0.0", "::1", "2001:db8::7", "::ffff:192.0.2.1", "fe80::1%7",
    ])
    func `a number is its own address`(number: String) {
        heard.ask(number)
        settle()
        #expect(heard.addresses == [[number]])
        #expect(heard.only?.origin == .number)
        #expect(heard.only?.timeToLive == nil)
        #expect(heard.only?.canonicalName == nil)
    }

    // W15
    @Test func `a number of the other family is no address of the one asked for`() {
        heard.ask("192.0.2.1", .ipv6)
        heard.ask("::1", .ipv4)
        heard.ask("::1", .ipv6)
        settle()
        #expect(
            heard.failures == [
                ResolverError("192.0.2.1", .noAddressOfFamily),
                ResolverError("::1", .noAddressOfFamily),
            ])
        #expect(heard.addresses.last == ["::1"])
    }

    @Test(arguments: [AddressFamily.unix, .packet, AddressFamily(rawValue: 4_711)])
    func `addresses of other families can't be asked for`(family: AddressFamily) {
        heard.ask("a.example", family)
        settle()
        #expect(heard.failures == [ResolverError("a.example", .unsupportedFamily)])
    }

    // MARK: This machine

    // T6, N2
    @Test(arguments: [
        "localhost", "LOCALHOST", "LocalHost", "localhost.", "a.localhost", "a.b.LocalHost.",
    ])
    func `this machine's name for itself is its loopback addresses`(name: String) {
        heard.ask(name)
        settle()
        #expect(heard.addresses == [["::1", "127.0.0.1"]])
        #expect(heard.only?.origin == .localhost)
    }

    @Test func `this machine's name has one address of each family`() {
        heard.ask("localhost", .ipv4)
        heard.ask("localhost", .ipv6)
        settle()
        #expect(heard.addresses == [["127.0.0.1"], ["::1"]])
    }

    @Test(arguments: ["localhost.example", "xlocalhost", "localhost..", "local.host", "ocalhost"])
    func `names that only look like it are others`(name: String) {
        #expect(!SpecialNames.isLocalhost(name))
    }

    @Test func `this machine's name has neither services nor texts`() {
        var reasons: [ResolverError.Reason] = []
        func note<Value>(_ answer: Result<NameAnswer<Value>, ResolverError>) {
            if case .failure(let error) = answer { reasons.append(error.reason) }
        }
        let resolver = Resolver(on: reactor, source: source)
        resolver.services(of: "_imap._tcp.localhost") { note($0) }
        resolver.texts(of: "localhost") { note($0) }
        settle()
        #expect(reasons == [.noAddress, .noAddress])
    }

    // MARK: No names

    // A19
    @Test(arguments: [
        "", ".", "..", "*", "a..example", ".example", "a.example..", "\u{0}",
        "localhost\u{0}.invalid",
        "192.0.2.1\u{0}", longestLabel + "a.example", longest + "a", longest + "a.",
        String(repeating: "é", count: 32) + ".example", String(repeating: "a.", count: 50_000),
        "onion", "a.onion", "A.B.Onion.",
    ])
    func `what can't be a name is known to nobody`(name: String) {
        heard.ask(name)
        let resolver = Resolver(on: reactor, source: source)
        resolver.services(of: name) { answer in
            #expect(throws: ResolverError(name, .unknownName)) { try answer.get() }
        }
        resolver.texts(of: name) { answer in
            #expect(throws: ResolverError(name, .unknownName)) { try answer.get() }
        }
        settle()
        #expect(heard.failures == [ResolverError(name, .unknownName)])
        #expect(resolver.counters.failed == 2)
    }

    @Test(arguments: [
        "a", "a.", "a.example", longest, longest + ".", longestLabel, "*.example", "é.example",
        "_imap._tcp.example", "onion.example", "xonion", "127.1", "a b", " ", "%", "[::1]",
    ])
    func `what may be a name is asked for`(name: String) {
        #expect(SpecialNames.canBeAsked(name))
        heard.ask(name, .ipv4)
        reactor.settle()
        #expect(source.asked == [.host(name, .ipv4)])
    }
}
