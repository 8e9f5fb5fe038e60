// SPDX-License-Identifier: Apache-2.0
//
// Servers that tell the truth, or that they can't: every kind of answer and of failure.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct AskingServers {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// A server, and what asks it alone.
    private func pair(
        _ change: (inout NameServerOptions) -> Void = { _ in },
        answering answer: @escaping (LyingServer.Query) -> Packet?
    ) throws -> (server: LyingServer, servers: NameServers) {
        let server = try LyingServer(on: reactor) { query in
            answer(query).map { [.send($0.bytes)] } ?? []
        }
        var options = NameServerOptions.only([server.address])
        change(&options)
        return (server, try NameServers(on: reactor, options: options))
    }

    // MARK: Answers

    @Test func `an address comes with its server and its time to live`() throws {
        let (server, servers) = try pair { query in
            query.packet(Packet.host(query.name, "192.0.2.1", 77))
        }
        let report = servers.report(on: "www.example.org", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.origin == .server(server.address))
        #expect(report?.timeToLive == .seconds(77))
        #expect(report?.canonicalName == nil)
        #expect(server.names == ["www.example.org"])
        #expect(server.queries.first?.hasOptions == true)
        #expect(servers.counters.questions == 1)
        #expect(servers.counters.datagramsSent == 1)
        #expect(servers.counters.answers == 1)
    }

    @Test func `an alias is followed, and the official name is told`() throws {
        let (_, servers) = try pair { query in
            query.packet(
                Packet.alias(query.name, of: "real.example", 9),
                Packet.host("real.example", "2001:db8::1"))
        }
        let report = servers.report(on: .addresses(of: "a.example", family: .ipv6), reactor)
        #expect(report?.texts == ["2001:db8::1"])
        #expect(report?.canonicalName == "real.example")
        #expect(report?.timeToLive == .seconds(9))
    }

    @Test func `both families are asked for at once, where both are wanted`() throws {
        let (server, servers) = try pair { $0.truth }
        let report = servers.report(on: .addresses(of: "a.example", family: .unspecified), reactor)
        #expect(Set(report?.texts ?? []) == ["192.0.2.1", "2001:db8::1"])
        #expect(Set(server.queries.map(\.kind)) == [.a, .aaaa])
    }

    @Test func `one family is enough, where the other has none`() throws {
        let (_, servers) = try pair { $0.kind == .a ? $0.truth : $0.packet() }
        let question = NameQuestion.addresses(of: "a.example", family: .unspecified)
        #expect(servers.report(on: question, reactor)?.texts == ["192.0.2.1"])
    }

    // P13, A17
    @Test func `an address has names`() throws {
        let (server, servers) = try pair { query in
            query.packet(
                Packet.record(query.name, .pointer, 60, Packet.name("a.example")),
                Packet.record(query.name, .pointer, 60, Packet.name("b.example")))
        }
        let report = servers.report(on: .names(of: .v4(0xC000_0201)), reactor)
        #expect(report?.result == .success(.names(["a.example", "b.example"])))
        #expect(report?.canonicalName == nil)
        #expect(server.names == ["1.2.0.192.in-addr.arpa"])
    }

    @Test func `services come in the order in which they are to be tried`() throws {
        let (_, servers) = try pair { query in
            query.packet(
                Packet.service(query.name, "c.example", port: 3, priority: 9),
                Packet.service(query.name, "a.example", port: 1, priority: 1, weight: 5),
                Packet.service(query.name, "b.example", port: 2, priority: 2))
        }
        let report = servers.report(on: .services(of: "_a._tcp.example"), reactor)
        guard case .success(.services(let services)) = report?.result else {
            Issue.record("no services: \(String(describing: report))")
            return
        }
        #expect(services.map(\.host) == ["a.example", "b.example", "c.example"])
        #expect(services.map(\.port) == [1, 2, 3])
    }

    @Test func `texts come as they are`() throws {
        let (_, servers) = try pair { $0.packet(Packet.text($0.name, "v=spf1 ", "-all")) }
        let report = servers.report(on: .texts(of: "a.example"), reactor)
        guard case .success(.texts(let texts)) = report?.result else {
            Issue.record("no texts: \(String(describing: report))")
            return
        }
        #expect(texts.map(\.text) == ["v=spf1 -all"])
    }

    @Test func `a service's name may have any letters`() throws {
        let (server, servers) = try pair { query in
            Packet("Big Printer é._ipp._tcp.example", .service, id: query.id).answering(
                Packet.service("Big Printer é._ipp._tcp.example", "a.example", port: 631))
        }
        let report = servers.report(on: .services(of: "Big Printer é._ipp._tcp.example"), reactor)
        #expect(report?.reason == nil)
        #expect(server.queries.count == 1)
    }

    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `a server may be reached over IPv6`() throws {
        let server = try LyingServer(on: reactor, at: .loopback6) { [.send($0.truth.bytes)] }
        let servers = try NameServers(on: reactor, options: .only([server.address]))
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.texts == ["192.0.2.1"])
        #expect(report?.origin == .server(server.address))
    }

    @Test func `a resolver remembers what servers have told`() throws {
        let (server, _) = try pair { $0.truth }
        let resolver = try Resolver(asking: .only([server.address]), on: reactor)
        var answers: [NameAnswer<[IPAddress]>] = []
        for _ in 0..<2 {
            let before = answers.count
            resolver.addresses(of: "a.example", family: .ipv4) { result in
                if case .success(let answer) = result { answers.append(answer) }
            }
            reactor.expect("the answer comes") { answers.count > before }
        }
        #expect(answers.map(\.origin) == [.server(server.address), .cache])
        #expect(server.queries.count == 1)
    }

    @Test(arguments: [IPAddress.loopback, .loopback6, .v4(0x7F00_0035)])
    func `this machine's name to itself is asked of nobody`(_ address: IPAddress) throws {
        let (server, servers) = try pair { $0.truth }
        let report = servers.report(on: .names(of: address), reactor)
        #expect(report?.result == .success(.names(["localhost"])))
        #expect(report?.origin == .localhost)
        #expect(server.queries.isEmpty)
    }

    // MARK: Failures

    @Test func `a name that is unknown is told so, and for how long`() throws {
        let (server, servers) = try pair { query in
            query.packet(code: 3).under(Packet.zone("example", 300, least: 20))
        }
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.result == .failure(ResolverError("a.example", .unknownName)))
        #expect(report?.timeToLive == .seconds(20))
        #expect(report?.origin == .server(server.address))
    }

    @Test func `a name without such a record is told so`() throws {
        let (_, servers) = try pair { $0.packet() }
        #expect(servers.report(on: "a.example", reactor)?.reason == .noAddress)
        #expect(servers.report(on: .texts(of: "a.example"), reactor)?.reason == .noAddress)
        #expect(servers.report(on: .services(of: "a.example"), reactor)?.reason == .noAddress)
        let address = IPAddress.v4(0xC000_0201)
        #expect(servers.report(on: .names(of: address), reactor)?.reason == .noAddress)
    }

    @Test(
        arguments: [(2, .serverFailed), (4, .notImplemented), (5, .refused)]
            as [(UInt16, ResolverError.Reason)])
    func `what a server says of its failure is told at the end of all tries`(
        _ code: UInt16, _ reason: ResolverError.Reason
    ) throws {
        let (server, servers) = try pair { $0.packet(code: code) }
        let report = servers.report(on: "a.example", reactor)
        #expect(report?.reason == reason)
        #expect(report?.origin == .server(server.address))
        #expect(server.queries.count == 2)
    }

    @Test func `a server that is silent is asked as often as was said`() throws {
        let (server, servers) = try pair {
            $0.timeout = .milliseconds(20)
            $0.attempts = 3
        } answering: { _ in
            nil
        }
        let start = ContinuousClock.now
        let report = servers.report(on: "a.example", reactor)
        // 20 ms, then twice and four times as long.
        #expect(ContinuousClock.now - start >= .milliseconds(140))
        #expect(report?.reason == .timedOut)
        #expect(server.queries.count == 3)
        #expect(Set(server.queries.map(\.id)).count == 1)
        #expect(servers.counters.timeouts == 3)
        #expect(servers.counters.questions == 1)
    }

    @Test func `a question that was lost is asked again, and answered`() throws {
        let (server, servers) = try pair { $0.number == 1 ? nil : $0.truth }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
        #expect(server.queries.count == 2)
        #expect(servers.counters.timeouts == 1)
    }

    @Test func `where no server is, that is told at once`() throws {
        var options = NameServerOptions.only([try .deaf()])
        options.timeout = .seconds(30)
        let servers = try NameServers(on: reactor, options: options)
        #expect(servers.report(on: "a.example", reactor)?.reason == .unreachable)
    }

    @Test func `where no socket is to be had, the system's reason is told`() throws {
        let (_, servers) = try pair { $0.truth }
        var report: NameReport?
        SystemCall.failing(.createSocket, with: .tooManyOpenFiles) {
            _ = servers.begin(.addresses(of: "a.example", family: .ipv4)) { report = $0 }
        }
        #expect(report == nil)
        reactor.expect("the failure comes") { report != nil }
        #expect(report?.reason == .system(.tooManyOpenFiles))
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.1"])
    }

    @Test func `a name that no host can have is asked of nobody`() throws {
        let (server, servers) = try pair { $0.truth }
        for name in ["", ".", "a..b", "a b", "a\n", "a/b", "x.onion", "X.ONION."] {
            #expect(servers.report(on: name, reactor)?.reason == .unknownName, "\(name)")
        }
        #expect(servers.report(on: "é.example", reactor)?.reason == .invalidInternationalName)
        #expect(servers.report(on: .texts(of: "a..b"), reactor)?.reason == .unknownName)
        #expect(servers.report(on: "a b", reactor)?.origin == .hosts)
        let unix = NameQuestion.addresses(of: "a.example", family: .unix)
        #expect(servers.report(on: unix, reactor)?.reason == .unsupportedFamily)
        #expect(server.queries.isEmpty)
    }

    @Test func `a server that is no IP address is refused at once`() throws {
        for address in [SocketAddress.unix(path: "/run/dns"), .abstract(name: [1])] {
            do throws(ResolverError) {
                _ = try NameServers(on: reactor, options: .only([address]))
                Issue.record("it was taken")
            } catch {
                #expect(error.reason == .noServers)
                #expect(error.name == "\(address)")
            }
        }
    }

    @Test func `a server without a port is where name servers are`() throws {
        let servers = try NameServers(
            on: reactor, options: .only([.loopback(port: 0), .ip(.loopback6, port: 5_353)]))
        #expect(servers.servers == [.loopback(port: 53), .ip(.loopback6, port: 5_353)])
    }
}
