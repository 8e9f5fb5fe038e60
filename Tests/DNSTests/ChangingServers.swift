// SPDX-License-Identifier: Apache-2.0
//
// When one server or one datagram is not enough: the next server, TCP, an older protocol, other
// domains.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct ChangingServers {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func honest() throws -> LyingServer {
        try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
    }

    private func servers(
        _ addresses: SocketAddress..., change: (inout NameServerOptions) -> Void = { _ in }
    ) throws -> NameServers {
        var options = NameServerOptions.only(addresses)
        change(&options)
        return try NameServers(on: reactor, options: options)
    }

    // MARK: The next server

    @Test(arguments: [2, 4, 5] as [UInt16])
    func `a server that can't answer gives way to the next one`(_ code: UInt16) throws {
        let first = try LyingServer(on: reactor) { [.send($0.packet(code: code).bytes)] }
        let second = try honest()
        let servers = try servers(first.address, second.address) { $0.timeout = .seconds(15) }
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.origin == .server(second.address))
        #expect(first.queries.count == 1)
    }

    @Test func `a silent server gives way to the next one in time`() throws {
        let first = try LyingServer(on: reactor) { _ in [] }
        let second = try honest()
        let servers = try servers(first.address, second.address)
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.origin == .server(second.address))
        #expect(first.queries.count == 1)
        #expect(second.queries.count == 1)
    }

    @Test func `a place without a server gives way to the next one at once`() throws {
        let second = try honest()
        let servers = try servers(.deaf(), second.address) { $0.timeout = .seconds(15) }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
    }

    @Test func `several questions at once to such a place give way at once, all of them`() throws {
        let second = try honest()
        let servers = try servers(.deaf(), second.address) { $0.timeout = .seconds(15) }
        let answers = Box(0)
        for name in ["a.example", "b.example", "c.example"] {
            for family in [AddressFamily.ipv6, .ipv4] {
                _ = servers.begin(.addresses(of: name, family: family)) { _ in answers.value += 1 }
            }
        }
        reactor.expect("all are answered before the first try is over") {
            answers.value == 6 || servers.counters.timeouts > 0
        }
        #expect(answers.value == 6)
        #expect(servers.counters.timeouts == 0)
    }

    @Test func `an unknown name is believed to the first server`() throws {
        let first = try LyingServer(on: reactor) { [.send($0.packet(code: 3).bytes)] }
        let second = try honest()
        let servers = try servers(first.address, second.address)
        #expect(servers.report(on: "a.example", reactor)?.reason == .unknownName)
        #expect(second.queries.isEmpty)
    }

    @Test func `behind the last server the first one is asked again`() throws {
        let first = try LyingServer(on: reactor) { query in
            query.number == 1 ? [] : [.send(query.truth.bytes)]
        }
        let second = try LyingServer(on: reactor) { _ in [] }
        let servers = try servers(first.address, second.address) {
            $0.timeout = .milliseconds(30)
        }
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.origin == .server(first.address))
        #expect(second.queries.count == 1)
    }

    @Test func `a server that was silent is asked last from then on`() throws {
        let first = try LyingServer(on: reactor) { _ in [] }
        let second = try honest()
        let servers = try servers(first.address, second.address) { $0.timeout = .milliseconds(50) }
        for number in 0..<20 {
            #expect(servers.report(on: "a\(number).example", reactor)?.texts == ["192.0.2.1"])
        }
        #expect(first.queries.count == 1)
        #expect(second.queries.count == 20)
        #expect(servers.servers == [first.address, second.address])
        #expect(servers.counters.questions == 20)
        #expect(servers.counters.timeouts == 1)
        #expect(servers.counters.answers == 20)
        #expect(servers.questionCount == 0)
        #expect(servers.socketCount == 0)
    }

    @Test func `a server that fails in words keeps its place`() throws {
        let first = try LyingServer(on: reactor) { [.send($0.packet(code: 2).bytes)] }
        let second = try honest()
        let servers = try servers(first.address, second.address) { $0.timeout = .seconds(15) }
        for number in 0..<5 {
            #expect(servers.report(on: "a\(number).example", reactor)?.texts == ["192.0.2.1"])
        }
        #expect(first.queries.count == 5)
    }

    // Source: RFC 5452, 9.2.
    @Test func `questions leave from another port after some hundred`() throws {
        let server = try LyingServer(on: reactor) { query in
            query.name == "silent.example" ? [] : [.send(query.truth.bytes)]
        }
        let servers = try servers(server.address) { $0.timeout = .seconds(15) }
        var count = 0
        var most = 0
        func ask() {
            _ = servers.begin(.addresses(of: "a\(count).example", family: .ipv4)) { report in
                #expect(report.texts == ["192.0.2.1"])
                count += 1
                if count < 1_100 { ask() }
            }
            most = max(most, servers.socketCount)
        }
        // It is under way all the time, so that the first socket stays open.
        _ = servers.begin(.addresses(of: "silent.example", family: .ipv4)) { _ in
            Issue.record("it is told")
        }
        ask()
        reactor.expect("all are answered") { count == 1_100 }
        #expect(most == 2)
        #expect(servers.counters.questions == 1_101)
        #expect(servers.questionCount == 1)
        #expect(servers.socketCount == 1)
    }

    @Test func `servers take turns where that is asked for`() throws {
        let (first, second) = (try honest(), try honest())
        let servers = try servers(first.address, second.address) { $0.rotates = true }
        for name in ["a.example", "b.example", "c.example", "d.example"] {
            #expect(servers.report(on: name, reactor)?.texts == ["192.0.2.1"])
        }
        #expect(first.queries.count == 2)
        #expect(second.queries.count == 2)
    }

    // MARK: TCP

    @Test func `an answer that was cut is asked for again over TCP`() throws {
        let hosts = (0..<200).map { Packet.host("a.example", "192.0.2.\($0)") }
        let server = try LyingServer(on: reactor) { query in
            let packet = query.packet().answering(hosts)
            return [.send(query.isStream ? packet.bytes : packet.truncated.bytes)]
        }
        let servers = try servers(server.address)
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.texts?.count == 200)
        #expect(report?.origin == .server(server.address))
        #expect(servers.counters.truncated == 1)
        #expect(servers.counters.connectionsOpened == 1)
        #expect(server.queries.map(\.isStream) == [false, true])
        #expect(servers.socketCount == 0)
    }

    @Test func `an answer may be cut in the middle of a record`() throws {
        let server = try LyingServer(on: reactor) { query in
            var packet = query.truth
            if query.isStream { return [.send(packet.bytes)] }
            packet.flags |= 0x0200
            return [.send(packet.bytes.dropLast(5))]
        }
        let servers = try servers(server.address) { $0.timeout = .seconds(15) }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(server.queries.map(\.isStream) == [false, true])
    }

    @Test func `a connection on which all is silent is given up, though more is asked`() throws {
        let server = try LyingServer(on: reactor) { query in
            // They come over the first connection.
            query.number <= 2 ? [] : [.send(query.truth.bytes)]
        }
        let servers = try servers(server.address) { $0.usesTCP = true }
        var reports: [String: NameReport] = [:]
        func ask(_ name: String, after delay: Duration) {
            reactor.after(delay) {
                _ = servers.begin(.addresses(of: name, family: .ipv4)) { reports[name] = $0 }
            }
        }
        // The first one's time runs out while the second one keeps the connection open.
        ask("a.example", after: .zero)
        ask("b.example", after: .milliseconds(200))
        ask("c.example", after: .milliseconds(450))
        reactor.expect("all have ended") { reports.count == 3 }
        #expect(reports["a.example"]?.reason == .timedOut)
        #expect(reports["b.example"]?.texts == ["192.0.2.1"])
        #expect(reports["c.example"]?.texts == ["192.0.2.1"])
        #expect(server.connectionCount == 2)
    }

    @Test func `all is asked over TCP where that is wanted, over one connection`() throws {
        let server = try honest()
        let servers = try servers(server.address) { $0.usesTCP = true }
        var count = 0
        for number in 0..<50 {
            _ = servers.begin(.addresses(of: "a\(number).example", family: .ipv4)) { report in
                if report.texts == ["192.0.2.1"] { count += 1 }
            }
        }
        reactor.expect("all are answered") { count == 50 }
        #expect(!server.queries.contains { !$0.isStream })
        #expect(server.connectionCount == 1)
        #expect(servers.counters.datagramsSent == 0)
    }

    @Test func `a server that ends the connection is asked again`() throws {
        let server = try LyingServer(on: reactor) { query in
            query.number == 1 ? [.close] : [.send(query.truth.bytes)]
        }
        let servers = try servers(server.address) { $0.usesTCP = true }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(server.connectionCount == 2)
    }

    @Test func `a server that does not listen can't be asked over TCP`() throws {
        let server = try LyingServer(on: reactor, isDeaf: true) { query in
            [.send(query.truth.truncated.bytes)]
        }
        let servers = try servers(server.address)
        #expect(servers.report(on: "a.example", reactor)?.reason == .unreachable)
        #expect(servers.counters.truncated >= 1)
    }

    // MARK: The older protocol

    @Test func `a server that knows nothing of longer datagrams is asked without`() throws {
        let server = try LyingServer(on: reactor) { query in
            [.send(query.hasOptions ? query.packet(code: 1).bytes : query.truth.bytes)]
        }
        let servers = try servers(server.address)
        var texts: [[String]?] = []
        for name in ["a.example", "b.example", "c.example"] {
            _ = servers.begin(.addresses(of: name, family: .ipv4)) { texts.append($0.texts) }
        }
        reactor.expect("all are answered") { texts.count == 3 }
        #expect(texts == [["192.0.2.1"], ["192.0.2.1"], ["192.0.2.1"]])
        let before = server.queries.count
        #expect(servers.report(on: "d.example", reactor)?.texts == ["192.0.2.1"])
        #expect(server.queries[before...].map(\.hasOptions) == [false])
    }

    /// It says so with what it does not understand, without it, or with its header alone.
    @Test(arguments: [false, true], ["echoed", "plain", "bare"])
    func `a server that understands nothing at all has failed, and that is told at once`(
        usesTCP: Bool, _ form: String
    ) throws {
        let server = try LyingServer(on: reactor) { query in
            var packet = query.packet(code: 1)
            if form == "echoed", query.hasOptions {
                packet.additions = [Packet.record(named: [0], 41, group: 1_232, [])]
            }
            if form == "bare" { packet.questions = [] }
            return [.send(packet.bytes)]
        }
        let servers = try servers(server.address) {
            $0.timeout = .seconds(15)
            $0.usesTCP = usesTCP
        }
        // Names of many lengths: nothing is cut off any of them.
        for length in [1, 2, 3, 4, 40] {
            let name = String(repeating: "a", count: length) + ".example"
            #expect(servers.report(on: name, reactor)?.reason == .serverFailed)
        }
        #expect(servers.counters.timeouts == 0)
        #expect(server.names.allSatisfy { $0.hasSuffix("a.example") })
        #expect(server.queries.map(\.hasOptions).contains(false))
    }

    @Test(arguments: [2, 4, 5] as [UInt16])
    func `a failure in a header alone gives way to the next server, too`(_ code: UInt16) throws {
        let first = try LyingServer(on: reactor) { query in
            var packet = query.packet(code: code)
            packet.questions = []
            return [.send(packet.bytes)]
        }
        let second = try honest()
        let servers = try servers(first.address, second.address) { $0.timeout = .seconds(15) }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(first.queries.count == 1)
        #expect(servers.counters.refused == 0)
    }

    @Test func `a header alone that tells of no failure is no answer`() throws {
        let server = try LyingServer(on: reactor) { query in
            var bare = query.packet(code: 3)
            bare.questions = []
            return [.send(bare.bytes), .send(query.truth.bytes)]
        }
        let servers = try servers(server.address)
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(servers.counters.wrongQuestions == 1)
    }

    // MARK: Other domains

    /// A server that knows one name alone.
    private func knowing(_ name: String) throws -> LyingServer {
        try LyingServer(on: reactor) { query in
            [.send(query.name == name ? query.truth.bytes : query.packet(code: 3).bytes)]
        }
    }

    @Test func `a name is looked for in the domains, and told in full`() throws {
        let server = try knowing("www.two.example")
        let servers = try servers(server.address) {
            $0.searchDomains = ["one.example", "two.example"]
        }
        let report = servers.report(on: "www", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.canonicalName == "www.two.example")
        #expect(server.names == ["www.one.example", "www.two.example"])
        #expect(servers.searchDomains == ["one.example", "two.example"])
    }

    @Test func `how many dots a whole name has can be said`() throws {
        let server = try knowing("www.a.one.example")
        let servers = try servers(server.address) {
            $0.searchDomains = ["one.example"]
            $0.ndots = 2
        }
        #expect(servers.report(on: "www.a", reactor)?.texts == ["192.0.2.1"])
        #expect(server.names == ["www.a.one.example"])
        #expect(servers.report(on: "www.a.", reactor)?.reason == .unknownName)
        #expect(server.names.last == "www.a")
    }

    @Test func `resolv.conf names servers, domains and dots`() throws {
        let folder = try TemporaryFolder()
        let text = "nameserver 192.0.2.7\nnameserver 2001:db8::7\nsearch one.example two.example\n"
        let path = try folder.write(Array((text + "options ndots:3 timeout:1\n").utf8))
        var options = NameServerOptions()
        options.resolvConf = path
        let servers = try NameServers(on: reactor, options: options)
        let addresses = ["192.0.2.7", "2001:db8::7"].compactMap { IPAddress($0) }
        #expect(servers.servers == addresses.map { .ip($0, port: 53) })
        #expect(servers.searchDomains == ["one.example", "two.example"])
        let server = try knowing("a.b.one.example")
        options.servers = [server.address]
        let others = try NameServers(on: reactor, options: options)
        #expect(others.report(on: "a.b", reactor)?.texts == ["192.0.2.1"])
        #expect(server.names == ["a.b.one.example"])
    }

    @Test func `without resolv.conf this machine's own server is asked`() throws {
        let folder = try TemporaryFolder()
        var options = NameServerOptions()
        options.resolvConf = folder["none"]
        let servers = try NameServers(on: reactor, options: options)
        #expect(servers.servers == [.loopback(port: 53)])
        options.resolvConf = "/etc/resolv.conf\0.old"
        do throws(ResolverError) {
            _ = try NameServers(on: reactor, options: options)
            Issue.record("it was read")
        } catch {
            #expect(error.reason == .system(.invalidArgument))
        }
    }
}
