// SPDX-License-Identifier: Apache-2.0
//
// A resolver asks dnsmasq, a name server that nobody here wrote, and tells what it has answered:
// values, how long they hold, official names, where they come from, and why there are none.

import Glibc
import Sluice
import SluiceDNS
import TestSupport
import Testing

@Suite(.countingDescriptors, .withDnsmasq)
struct ResolvingWithDnsmasq {
    private let reactor: Reactor
    private let asker: Asker

    init() throws {
        reactor = try Reactor()
        asker = Asker(reactor: reactor)
    }

    private func resolver(
        _ server: Dnsmasq, _ change: (inout NameServerOptions) -> Void = { _ in }
    ) throws -> Resolver {
        var options = NameServerOptions.asking([server])
        change(&options)
        return try Resolver(asking: options, on: reactor)
    }

    private func addresses(_ texts: String...) -> Set<IPAddress> {
        Set(texts.compactMap { IPAddress($0) })
    }

    // MARK: Addresses

    // T6
    @Test func `a name has the addresses of both families, and the time that they hold`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(Set(answer.value) == addresses("192.0.2.1", "2001:db8::1"))
        #expect(answer.value.count == 2)
        #expect(answer.timeToLive == .seconds(300))
        #expect(answer.origin == .server(server.address))
        #expect(answer.canonicalName == nil)
        #expect(answer.time > .zero && answer.time < .seconds(20))
    }

    @Test(arguments: [(AddressFamily.ipv4, "192.0.2.1"), (.ipv6, "2001:db8::1")])
    func `one family alone can be asked for`(_ family: AddressFamily, _ text: String) throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: "host.test", family: family, $0) }
        #expect(answer.value == [try #require(IPAddress(text))])
        #expect(answer.timeToLive == .seconds(300))
    }

    @Test(arguments: [
        ("four.test", "192.0.2.4"), ("six.test", "2001:db8::6"), ("lone.test", "192.0.2.7"),
    ])
    func `a name that has one family only has those addresses`(
        _ name: String, _ text: String
    ) throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: name, $0) }
        #expect(answer.value == [try #require(IPAddress(text))])
        #expect(answer.timeToLive == .seconds(30))
    }

    @Test func `capital letters and a dot at the end are the same name`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: "HOST.Test.", family: .ipv4, $0) }
        #expect(Set(answer.value) == addresses("192.0.2.1"))
    }

    @Test func `an alias of an alias has the addresses, the official name, the shortest time`()
        throws
    {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: "alias.test", $0) }
        #expect(Set(answer.value) == addresses("192.0.2.1", "2001:db8::1"))
        #expect(answer.canonicalName == "host.test")
        #expect(answer.timeToLive == .seconds(60))
        #expect(answer.origin == .server(server.address))
    }

    @Test func `eight aliases in a chain lead to the host`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: "link1.test", $0) }
        #expect(Set(answer.value) == addresses("192.0.2.1", "2001:db8::1"))
        #expect(answer.canonicalName == "host.test")
        #expect(answer.timeToLive == .seconds(101))
    }

    @Test func `sixty addresses of one name all come, each once`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.addresses(of: "many.test", $0) }
        #expect(answer.value.count == Zone.manyAddresses.count)
        #expect(Set(answer.value) == Set(Zone.manyAddresses))
    }

    // MARK: By TCP

    @Test func `what does not fit a datagram comes by TCP, and whole`() throws {
        let server = try Dnsmasq()
        let source = try NameServers(on: reactor, options: .asking([server]))
        let resolver = Resolver(on: reactor, source: source)
        let answer = try asker.answer { resolver.addresses(of: "crowd.test", family: .ipv4, $0) }
        #expect(answer.value.count == Zone.crowdAddresses.count)
        #expect(Set(answer.value) == Set(Zone.crowdAddresses))
        #expect(answer.timeToLive == .seconds(30))
        #expect(answer.origin == .server(server.address))
        #expect(source.counters.truncated == 1)
        #expect(source.counters.connectionsOpened == 1)
    }

    @Test func `a server that may send 512 bytes sends sixty addresses by TCP`() throws {
        let server = try Dnsmasq()
        var options = NameServerOptions.asking([server])
        options.datagramByteCount = 512
        let source = try NameServers(on: reactor, options: options)
        let resolver = Resolver(on: reactor, source: source)
        let answer = try asker.answer { resolver.addresses(of: "many.test", $0) }
        #expect(answer.value.count == Zone.manyAddresses.count)
        #expect(Set(answer.value) == Set(Zone.manyAddresses))
        #expect(source.counters.truncated == 1)
    }

    @Test func `all may be asked by TCP`() throws {
        let server = try Dnsmasq()
        var options = NameServerOptions.asking([server])
        options.usesTCP = true
        let source = try NameServers(on: reactor, options: options)
        let resolver = Resolver(on: reactor, source: source)
        let answer = try asker.answer { resolver.addresses(of: "host.test", $0) }
        #expect(Set(answer.value) == addresses("192.0.2.1", "2001:db8::1"))
        #expect(source.counters.datagramsSent == 0)
    }

    @Test func `texts that do not fit a datagram come by TCP, and whole`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.texts(of: "long.test", $0) }
        #expect(answer.value.map(\.text).sorted() == Zone.longTexts)
    }

    @Test func `many answers by TCP at once are whole, though a connection carries some only`()
        throws
    {
        // dnsmasq answers a hundred questions on a connection, and closes it.
        let count = 150
        let server = try Dnsmasq()
        let resolver = try resolver(server) { $0.timeout = .seconds(2) }
        let expected = Set(Zone.crowdAddresses)
        let verdicts = Box((wrong: [String](), count: 0))
        for number in 0..<count {
            resolver.addresses(of: "n\(number).crowd.test", family: .ipv4) { verdict in
                verdicts.value.count += 1
                if case .success(let answer) = verdict, Set(answer.value) == expected { return }
                verdicts.value.wrong.append("\(number): \(verdict)")
            }
        }
        reactor.expect("all verdicts come") { verdicts.value.count == count }
        #expect(verdicts.value.wrong == [])
    }

    // MARK: Other records

    // P13, A17
    @Test func `an address has the name that points to it`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        for (text, name, seconds) in [
            ("192.0.2.9", "pointed.test", 30), ("192.0.2.1", "host.test", 300),
            ("2001:db8::1", "host.test", 300),
        ] {
            let address = try #require(IPAddress(text))
            let answer = try asker.answer { resolver.names(of: address, $0) }
            #expect(answer.value == [name])
            #expect(answer.timeToLive == .seconds(seconds))
            #expect(answer.origin == .server(server.address))
        }
    }

    @Test func `the hosts of a service come by their priority`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.services(of: "_imap._tcp.test", $0) }
        #expect(
            answer.value == [
                ServiceRecord(host: "first.test", port: 143, priority: 5, weight: 0),
                ServiceRecord(host: "second.test", port: 144, priority: 10, weight: 7),
                ServiceRecord(host: "third.test", port: 145, priority: 20, weight: 0),
            ])
        #expect(answer.timeToLive == .seconds(30))
        #expect(answer.origin == .server(server.address))
    }

    @Test func `a name's texts come with their pieces`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let answer = try asker.answer { resolver.texts(of: "text.test", $0) }
        let pieces = answer.value.map { $0.pieces.map(\.text) }
        #expect(Set(pieces) == [["one", "two"], ["three"]])
        #expect(answer.timeToLive == .seconds(30))
        #expect(answer.origin == .server(server.address))
    }

    // MARK: Search domains

    @Test func `a short name is looked for in the search domains`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server) { $0.searchDomains = ["nowhere.test", "zone.test"] }
        let answer = try asker.answer { resolver.addresses(of: "near", $0) }
        #expect(Set(answer.value) == addresses("192.0.2.8"))
    }

    @Test func `how many dots make a name whole can be said`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server) {
            $0.searchDomains = ["zone.test"]
            $0.ndots = 2
        }
        let answer = try asker.answer { resolver.addresses(of: "a.b", $0) }
        #expect(Set(answer.value) == addresses("192.0.2.10"))
        // With the dot at its end it is whole.
        #expect(try asker.reason { resolver.addresses(of: "a.b.", $0) } != nil)
    }

    // MARK: Failures

    // T6
    @Test func `a name that nobody has is told so, in the resolver's words`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let error = #expect(throws: ResolverError.self) {
            try asker.verdict { resolver.addresses(of: "nobody.test", $0) }.get()
        }
        #expect(error == ResolverError("nobody.test", .unknownName))
        #expect(error?.description == "resolve nobody.test: Name or service not known")
    }

    @Test func `an address without a name, a service and a text that nobody has are told so`()
        throws
    {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        let address = try #require(IPAddress("192.0.2.77"))
        #expect(try asker.reason { resolver.names(of: address, $0) } == .unknownName)
        #expect(try asker.reason { resolver.services(of: "_pop._tcp.test", $0) } == .unknownName)
        #expect(try asker.reason { resolver.texts(of: "nobody.test", $0) } == .unknownName)
    }

    @Test func `a name that has other records only has no address`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        #expect(try asker.reason { resolver.addresses(of: "text.test", $0) } == .noAddress)
    }

    @Test func `a server that fails and one that refuses are told apart`() throws {
        let broken = try Upstream(on: reactor, .failing(2))
        let unwilling = try Upstream(on: reactor, .failing(5))
        let server = try Dnsmasq(
            broken.option(for: "broken.test"), unwilling.option(for: "unwilling.test"))
        let resolver = try resolver(server)
        let name = (broken: "a.broken.test", unwilling: "a.unwilling.test")
        #expect(try asker.reason { resolver.addresses(of: name.broken, $0) } == .serverFailed)
        #expect(try asker.reason { resolver.addresses(of: name.unwilling, $0) } == .refused)
        #expect(broken.questionCount > 0)
        #expect(unwilling.questionCount > 0)
    }

    @Test func `a name beyond what the server knows is refused`() throws {
        let server = try Dnsmasq()
        let resolver = try resolver(server)
        #expect(try asker.reason { resolver.addresses(of: "host.elsewhere", $0) } == .refused)
    }
}
