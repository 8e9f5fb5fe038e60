// SPDX-License-Identifier: Apache-2.0
//
// Ports by the names of services: what the system knows, and numbers as people write them.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Whether this machine has a list of services.
private let hasServices = access("/etc/services", R_OK) == 0

@Suite(.countingDescriptors)
struct Services {
    // T5
    @Test(arguments: [
        ("0", 0), ("80", 80), ("65535", 65_535), ("0080", 80),
        ("0x50", 80), ("0X50", 80), ("0xffff", 65_535), ("0xFFFF", 65_535), ("0x0", 0),
    ])
    func `a number is a port, in decimal or hexadecimal`(text: String, port: UInt16) throws {
        #expect(try ServicePort.number(of: text) == port)
    }

    // T5
    @Test(arguments: [
        "65536", "70000", "0x10000", "-1", "2147483648", "4294967376", "9223372036854775807",
        "9223372036854775808", "18446744073709551696", "99999999999999999999999999999999",
        "0xFFFFFFFFFFFFFFFFFF", "0x10000000000000050", "-9223372036854775809",
    ])
    func `a number that no port has is too high, however large it is`(text: String) {
        let error = #expect(throws: PortError.self) { try ServicePort.number(of: text) }
        #expect(error == .outOfRange(text))
        #expect(error?.description == "port number \(text) too high")
    }

    // T5
    @Test(arguments: [
        "", " ", "no-such-service", "80x", "8 0", "0x", "0x5g", "0x-50", "0x+50", "0x 50", "1e3",
        "8.0", "http\u{0}", "\u{0}", "80\u{0}", "٨٠", "８０", "#", "http/tcp", "-", "+", "--1",
        "0x\u{301}50", "8\u{301}",
    ])
    func `what is neither a number nor a service is told as no integer`(text: String) {
        let error = #expect(throws: PortError.self) { try ServicePort.number(of: text) }
        #expect(error == .unknownService(text))
        #expect(error?.description.hasPrefix("expected integer but got \"\(text)\"") == true)
    }

    // MARK: Names

    // T5, W4, P15
    @Test(.enabled(if: hasServices), arguments: [("smtp", 25), ("mail", 25), ("http", 80)])
    func `a service's name or alias is its port`(name: String, port: UInt16) throws {
        #expect(try ServicePort.number(of: name) == port)
    }

    // W4, W8, N32
    @Test(.enabled(if: hasServices))
    func `a port has the official name of its service`() {
        #expect(ServicePort.name(of: 25) == "smtp")
        #expect(ServicePort.name(of: 80) == "http")
        #expect(ServicePort.name(of: 0) == nil)
        #expect(ServicePort.name(of: 65_535) == nil)
    }

    // W4, P15
    @Test(.enabled(if: hasServices))
    func `services of another transport are others`() throws {
        #expect(try ServicePort.number(of: "tftp", "udp") == 69)
        #expect(throws: PortError.unknownService("tftp")) { try ServicePort.number(of: "tftp") }
        #expect(ServicePort.name(of: 69, "udp") == "tftp")
        #expect(ServicePort.name(of: 69, "tcp") == nil)
    }

    // X9
    @Test(.enabled(if: hasServices))
    func `without a transport the service of any is meant`() throws {
        #expect(try ServicePort.number(of: "tftp", nil) == 69)
        #expect(try ServicePort.number(of: "mail", nil) == 25)
        #expect(ServicePort.name(of: 69, nil) == "tftp")
        #expect(ServicePort.entry(of: "tftp", nil)?.transport == "udp")
        #expect(ServicePort.entry(of: 69, nil)?.transport == "udp")
        #expect(throws: PortError.unknownService("no-such-service")) {
            try ServicePort.number(of: "no-such-service", nil)
        }
        #expect(ServicePort.name(of: 65_535, nil) == nil)
    }

    // W4, W8
    @Test(.enabled(if: hasServices))
    func `a service has one entry, whether by name, alias or port`() throws {
        let entry = try #require(ServicePort.entry(of: "mail"))
        #expect(entry.name == "smtp")
        #expect(entry.port == 25)
        #expect(entry.transport == "tcp")
        #expect(entry.aliases.contains("mail"))
        #expect(ServicePort.entry(of: "smtp") == entry)
        #expect(ServicePort.entry(of: 25) == entry)
    }

    @Test(arguments: ["", "80", "http\u{0}", "\u{0}", "no-such-service"])
    func `what is no service's name has no entry`(name: String) {
        #expect(ServicePort.entry(of: name) == nil)
        #expect(ServicePort.entry(of: name, nil) == nil)
    }

    @Test(arguments: ["", "no-such-transport", "tcp\u{0}", "tcp\u{0}udp", "\u{0}"])
    func `a transport that nobody knows has no services`(transport: String) {
        #expect(throws: PortError.unknownService("smtp")) {
            try ServicePort.number(of: "smtp", transport)
        }
        #expect(ServicePort.name(of: 25, transport) == nil)
        #expect(ServicePort.entry(of: "smtp", transport) == nil)
        #expect(ServicePort.entry(of: 25, transport) == nil)
    }

    @Test func `a number is the same port for every transport`() throws {
        #expect(try ServicePort.number(of: "80", "no-such-transport") == 80)
        #expect(try ServicePort.number(of: "0x50", "udp") == 80)
    }

    @Test func `a very long name is unknown`() {
        let name = String(repeating: "s", count: 1_000_000)
        #expect(throws: PortError.unknownService(name)) { try ServicePort.number(of: name) }
    }

    // W8, X9
    @Test(.enabled(if: hasServices))
    func `the system and its own file agree about every service`() throws {
        let table = try ServiceTable()
        #expect(!table.entries.isEmpty)
        for entry in table.entries {
            for transport in [entry.transport, nil] {
                for name in [entry.name] + entry.aliases {
                    let port = try ServicePort.number(of: name, transport)
                    #expect(port == table.port(of: name, transport), "\(name)")
                    let found = ServicePort.entry(of: name, transport)
                    #expect(found == table.entry(of: name, transport), "\(name)")
                }
                let found = ServicePort.entry(of: entry.port, transport)
                #expect(found == table.entry(of: entry.port, transport), "\(entry.port)")
                #expect(ServicePort.name(of: entry.port, transport) == found?.name)
            }
        }
    }

    // MARK: Sockets

    // T14
    @Test(.enabled(if: hasServices))
    func `a server listens at the port of a service that is given by name`() throws {
        let reactor = try Reactor()
        let name = try #require(try freeService(), "the port of every service is taken")
        let port = try ServicePort.number(of: name)
        let server = try reactor.listen(at: [.loopback(port: port)])
        #expect(server.address == .loopback(port: port))
        #expect(ServicePort.name(of: try #require(server.address.port)) == name)
        server.close()
    }

    // T9
    @Test(.enabled(if: hasServices))
    func `a client connects from the port of a service that is given by name`() throws {
        let reactor = try Reactor()
        let name = try #require(try freeService(), "the port of every service is taken")
        let server = try reactor.listen()
        var options = ClientOptions()
        // 127.77.0.2: an address whose ports no other test uses.
        options.localAddress = .v4(0x7F4D_0002)
        options.localPort = try ServicePort.number(of: name)
        let channel = try Channel.connected(to: server.address, options: options)
        #expect(try channel.localAddress.port == ServicePort.number(of: name))
        channel.close()
        server.close()
    }

    /// A service whose port is free and needs no rights.
    private func freeService() throws -> String? {
        for entry in try ServiceTable().entries where entry.transport == "tcp" && entry.port > 1_024
        {
            let address = SocketAddress.loopback(port: entry.port)
            let socket = try Socket(for: address)
            do { try socket.bind(to: address) } catch { continue }
            return entry.name
        }
        return nil
    }
}
