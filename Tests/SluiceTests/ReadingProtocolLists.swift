// SPDX-License-Identifier: Apache-2.0
//
// Lists of protocols, from a text and from a file: what counts, what is passed over, what is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReadingProtocolLists {
    /// As protocols(5) has it.
    private let protocols = """
        # Internet (IP) protocols
        ip\t0\tIP\t\t# internet protocol, pseudo protocol number
        hopopt\t0\tHOPOPT\t\t# IPv6 Hop-by-Hop Option [RFC1883]
        icmp 1 ICMP#Control
        tcp     6       TCP
        \t udp  17 UDP datagrams
        rspf\t73\tRSPF CPHB\t\t# Radio Shortest Path First
        manet\t138\t\t\t# MANET Protocols [RFC5498]
        tcp2 6 TCP
        """

    // W8
    @Test func `a protocol is found by its name and by its aliases`() {
        let table = ProtocolTable(parsing: protocols)
        #expect(table.number(of: "tcp") == .tcp)
        #expect(table.number(of: "TCP") == .tcp)
        #expect(table.number(of: "CPHB") == SocketProtocol(rawValue: 73))
        #expect(table.number(of: "datagrams") == .udp)
        #expect(table.number(of: "Tcp") == nil)
        #expect(table.number(of: "Radio") == nil)
        #expect(table.number(of: "Control") == nil)
        #expect(table.number(of: "") == nil)
    }

    // W8
    @Test func `a protocol is found by its number, and the first one counts`() {
        let table = ProtocolTable(parsing: protocols)
        #expect(table.name(of: .tcp) == "tcp")
        #expect(table.name(of: .usual) == "ip")
        #expect(table.name(of: SocketProtocol(rawValue: 138)) == "manet")
        #expect(table.name(of: SocketProtocol(rawValue: 4_711)) == nil)
    }

    // W8
    @Test func `an entry has all of its line, and entries keep their order`() {
        let table = ProtocolTable(parsing: protocols)
        let tcp = ProtocolTable.Entry(name: "tcp", number: .tcp, aliases: ["TCP"])
        #expect(table.entry(of: "TCP") == tcp)
        #expect(table.entry(of: .tcp) == tcp)
        let names = ["ip", "hopopt", "icmp", "tcp", "udp", "rspf", "manet", "tcp2"]
        #expect(table.entries.map(\.name) == names)
        #expect(table.entries.map(\.aliases.count) == [1, 1, 1, 1, 2, 2, 0, 1])
    }

    @Test(arguments: [
        "", " ", "\t\t", "#", "tcp", "tcp x", "tcp -1", "tcp +6", "tcp 6.5", "tcp 0x6", "tcp ６",
        "tcp 2147483648", "tcp 99999999999999999999999999", "6 tcp", "tcp #6", "tcp TCP 6",
        "#\u{301}tcp 6", "\u{0}", "tcp \u{0}6", "tcp 6\u{0}",
    ])
    func `a line that is no protocol is passed over`(line: String) {
        let table = ProtocolTable(parsing: "a 1\n\(line)\nb 2\n")
        #expect(table.entries.map(\.name) == ["a", "b"])
    }

    @Test func `the highest and the lowest number are numbers`() {
        let table = ProtocolTable(parsing: "low 0\nhigh 2147483647\n")
        #expect(table.number(of: "low") == .usual)
        #expect(table.number(of: "high") == SocketProtocol(rawValue: .max))
    }

    // W7
    @Test func `the list may stand in any file`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Array("house 4711 home\n".utf8), to: "protocols")
        let table = try ProtocolTable(file: path)
        #expect(table.number(of: "home") == SocketProtocol(rawValue: 4_711))
        #expect(table.number(of: "tcp") == nil)
    }

    // W7
    @Test func `a file that can't be read is named with the reason`() throws {
        let path = "/tmp/sluice-no-such-folder/protocols"
        #expect(throws: ChannelError.file(path: path, .noEntry)) { try ProtocolTable(file: path) }
    }
}
