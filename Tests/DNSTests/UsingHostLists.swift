// SPDX-License-Identifier: Apache-2.0
//
// Hosts that are listed, in a file or in a table of the program's: nobody is asked for them.

import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

@Suite(.countingDescriptors)
struct UsingHostLists {
    let reactor: Reactor
    let server: LyingServer

    init() throws {
        reactor = try Reactor()
        server = try LyingServer(on: reactor) { [.send($0.truth.bytes)] }
    }

    private func servers(_ hosts: NameServerOptions.Hosts) throws -> NameServers {
        try NameServers(on: reactor, options: .only([server.address]).with(\.hosts, hosts))
    }

    private func servers(listing text: String) throws -> NameServers {
        try servers(.table(HostTable(parsing: text)))
    }

    // MARK: What is listed

    @Test func `a host that is listed is asked of nobody`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example a\n192.0.2.9 a.example")
        let report = servers.report(on: "a.example", reactor)
        #expect(Set(report?.texts ?? []) == ["192.0.2.8", "192.0.2.9"])
        #expect(report?.origin == .hosts)
        #expect(report?.canonicalName == nil)
        #expect(server.queries.isEmpty)
    }

    @Test(arguments: ["a", "A", "a.", "A.Example", "a.example."])
    func `case and a dot at the end make no difference`(_ name: String) throws {
        let servers = try servers(listing: "192.0.2.8 a.example a")
        #expect(servers.report(on: name, reactor)?.texts == ["192.0.2.8"])
    }

    @Test func `an alias tells the primary name`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example a")
        #expect(servers.report(on: "a", reactor)?.canonicalName == "a.example")
    }

    @Test func `each family has its addresses, and one may have none`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example\n2001:db8::8 a.example\n::2 b")
        let six = servers.report(on: .addresses(of: "a.example", family: .ipv6), reactor)
        #expect(six?.texts == ["2001:db8::8"])
        let both = servers.report(on: .addresses(of: "a.example", family: .unspecified), reactor)
        #expect(both?.texts?.count == 2)
        let none = servers.report(on: "b", reactor)
        #expect(none?.reason == .noAddress)
        #expect(none?.origin == .hosts)
        #expect(server.queries.isEmpty)
    }

    // P13, A17
    @Test func `an address has the names that are listed`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example a\n192.0.2.8 b A")
        let report = servers.report(on: .names(of: .v4(0xC000_0208)), reactor)
        #expect(report?.result == .success(.names(["a.example", "a", "b"])))
        #expect(report?.origin == .hosts)
        #expect(server.queries.isEmpty)
    }

    @Test func `what is not listed is asked`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example")
        #expect(servers.report(on: "b.example", reactor)?.origin == .server(server.address))
        #expect(server.names == ["b.example"])
    }

    @Test func `services and texts are in no list of hosts`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example")
        _ = servers.report(on: .texts(of: "a.example"), reactor)
        #expect(server.queries.map(\.kind) == [.text])
    }

    @Test func `without a list everything is asked`() throws {
        let servers = try servers(.none)
        _ = servers.report(on: "a.example", reactor)
        #expect(server.queries.count == 1)
    }

    @Test func `an answer from the list comes in a later turn`() throws {
        let servers = try servers(listing: "192.0.2.8 a.example")
        var reports: [NameReport] = []
        let numbers = (0..<1_000).map { _ in
            servers.begin(.addresses(of: "a.example", family: .ipv4)) { reports.append($0) }
        }
        #expect(reports.isEmpty)
        #expect(Set(numbers).count == 1_000)
        servers.giveUp(numbers[500])
        reactor.expect("all others are told") { reports.count == 999 }
        reactor.settle()
        #expect(reports.count == 999)
    }

    // MARK: Files

    @Test func `a file that does not exist lists nobody`() throws {
        let folder = try TemporaryFolder()
        let servers = try servers(.file(folder["none"]))
        #expect(servers.report(on: "a.example", reactor)?.origin == .server(server.address))
    }

    @Test func `a file is read anew when it has changed, not before a second has passed`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Array("192.0.2.8 a.example\n".utf8), to: "hosts")
        let servers = try servers(.file(path))
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.8"])
        try folder.write(Array("192.0.2.99 a.example b.example\n".utf8), to: "hosts")
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.8"])
        var isLater = false
        reactor.after(.milliseconds(1_010)) { isLater = true }
        reactor.expect("a second passes") { isLater }
        #expect(servers.report(on: "a.example", reactor)?.texts == ["192.0.2.99"])
        #expect(servers.report(on: "b.example", reactor)?.texts == ["192.0.2.99"])
        #expect(server.queries.isEmpty)
    }

    @Test func `a file that has gone lists nobody any more`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Array("192.0.2.8 a.example\n".utf8), to: "hosts")
        let list = HostList(.file(path))
        #expect(list.host(named: "a.example")?.addresses == [.v4(0xC000_0208)])
        unlink(path)
        var isLater = false
        reactor.after(.milliseconds(1_010)) { isLater = true }
        reactor.expect("a second passes") { isLater }
        #expect(list.host(named: "a.example") == nil)
    }
}
