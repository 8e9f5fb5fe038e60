// SPDX-License-Identifier: Apache-2.0
//
// Protocols by name and number, as the system knows them, and sockets that are opened with one.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Whether this machine has a list of protocols.
private let hasProtocols = access("/etc/protocols", R_OK) == 0

@Suite(.countingDescriptors)
struct NamingProtocols {
    // P14, W8
    @Test(
        .enabled(if: hasProtocols),
        arguments: [
            ("icmp", SocketProtocol.icmp), ("tcp", .tcp), ("TCP", .tcp), ("udp", .udp),
            ("UDP", .udp), ("ipv6-icmp", .icmp6),
        ])
    func `a protocol's name or alias is its number`(name: String, number: SocketProtocol) {
        #expect(ProtocolName.number(of: name) == number)
    }

    // P14
    @Test(.enabled(if: hasProtocols))
    func `a protocol that is given by name opens a socket`() throws {
        let number = try #require(ProtocolName.number(of: "udp"))
        let socket = try Socket(family: .ipv4, kind: .datagram, protocol: number)
        let used = try socket.protocolNumber
        #expect(used == number)
        do throws(SocketError) {
            _ = try Socket(family: .ipv4, kind: .stream, protocol: number)
            Issue.record("a stream of datagrams was opened")
        } catch {
            #expect(error.operation == .create)
        }
    }

    // W8
    @Test(.enabled(if: hasProtocols))
    func `a number has the official name of its protocol`() {
        #expect(ProtocolName.name(of: .tcp) == "tcp")
        #expect(ProtocolName.name(of: SocketProtocol(rawValue: 17)) == "udp")
        for number: CInt in [-1, 4_711, .min, .max] {
            #expect(ProtocolName.name(of: SocketProtocol(rawValue: number)) == nil)
            #expect(ProtocolName.entry(of: SocketProtocol(rawValue: number)) == nil)
        }
    }

    // W8
    @Test(.enabled(if: hasProtocols))
    func `a protocol has one entry, whether by name, alias or number`() throws {
        let entry = try #require(ProtocolName.entry(of: "TCP"))
        #expect(entry.name == "tcp")
        #expect(entry.number == .tcp)
        #expect(entry.aliases.contains("TCP"))
        #expect(ProtocolName.entry(of: "tcp") == entry)
        #expect(ProtocolName.entry(of: .tcp) == entry)
    }

    // P14
    @Test(arguments: [
        "", " ", "6", "no-such-protocol", "tcp\u{0}", "\u{0}", "tcp ", "#", "tcp/ip",
    ])
    func `what is no protocol's name has no number`(name: String) {
        #expect(ProtocolName.number(of: name) == nil)
        #expect(ProtocolName.entry(of: name) == nil)
    }

    @Test func `a very long name is unknown`() {
        #expect(ProtocolName.number(of: String(repeating: "p", count: 1_000_000)) == nil)
    }

    // W8
    @Test(.enabled(if: hasProtocols))
    func `the system and its own file agree about every protocol`() throws {
        let table = try ProtocolTable()
        #expect(!table.entries.isEmpty)
        for entry in table.entries {
            for name in [entry.name] + entry.aliases {
                #expect(ProtocolName.entry(of: name) == table.entry(of: name), "\(name)")
            }
            #expect(ProtocolName.entry(of: entry.number) == table.entry(of: entry.number))
        }
    }
}
