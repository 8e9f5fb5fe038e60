// SPDX-License-Identifier: Apache-2.0
//
// Lists of hosts, from a text and from a file: what counts, what is passed over, what is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Whether this machine has a list of hosts.
private let hasHosts = access("/etc/hosts", R_OK) == 0

@Suite(.countingDescriptors)
struct ReadingHostLists {
    /// As hosts(5) has it; 192.0.2.0/24 and 2001:db8::/32 are nobody's (RFC 5737, RFC 3849).
    private let hosts = """
        # The following lines are desirable for IPv4 and IPv6 capable hosts
        127.0.0.1\tlocalhost
        ::1             localhost ip6-localhost ip6-loopback
        192.0.2.1       web.example.org web www#the shop
        \t 192.0.2.2    web.example.org WEB second   # another line of the same host
        192.0.2.1       mail.example.org WWW
        2001:0db8:0::1  web.example.org
        fe80::1%7       router
        """

    private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    // MARK: From names

    // W8
    @Test func `a host is found by its name and by its aliases`() throws {
        let table = HostTable(parsing: hosts)
        #expect(table.addresses(of: "ip6-loopback") == [.loopback6])
        #expect(try table.addresses(of: "mail.example.org") == [ip("192.0.2.1")])
        #expect(try table.addresses(of: "second") == [ip("192.0.2.2")])
        #expect(try table.addresses(of: "router") == [ip("fe80::1%7")])
        for name in ["", "the", "shop", "example.org", "web.example", "127.0.0.1", "#"] {
            #expect(table.addresses(of: name) == [], "\(name)")
            #expect(table.entry(of: name) == nil, "\(name)")
        }
    }

    // W8
    @Test func `a name in several lines has the addresses of all`() throws {
        let table = HostTable(parsing: hosts)
        #expect(table.addresses(of: "localhost") == [.loopback, .loopback6])
        let web = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        #expect(try table.addresses(of: "web.example.org") == web.map(ip))
    }

    // W8
    @Test(arguments: ["web.example.org", "WEB.EXAMPLE.ORG", "Web.Example.Org"])
    func `capital and small letters are the same`(name: String) {
        #expect(HostTable(parsing: hosts).addresses(of: name).count == 3)
    }

    @Test func `only letters of ASCII have capitals`() throws {
        let table = HostTable(parsing: "192.0.2.1 äb [x@\n192.0.2.2 k\n")
        #expect(try table.addresses(of: "äB") == [ip("192.0.2.1")])
        #expect(table.addresses(of: "Äb") == [])
        #expect(table.addresses(of: "{X@") == [])
        #expect(try table.addresses(of: "[X@") == [ip("192.0.2.1")])
        // The sign of kelvin, whose small letter is k.
        #expect(table.addresses(of: "\u{212A}") == [])
    }

    // W8
    @Test func `the lines of a host are one entry, with nothing twice`() throws {
        let entry = HostTable(parsing: hosts).entry(of: "web")
        let expected = HostEntry(
            name: "web.example.org", aliases: ["web", "www", "second"],
            addresses: [try ip("192.0.2.1"), try ip("192.0.2.2")])
        #expect(entry == expected)
        let repeated = HostTable(parsing: "192.0.2.1 a b A\n192.0.2.1 B a\n").entry(of: "b")
        let once = HostEntry(name: "a", aliases: ["b"], addresses: [try ip("192.0.2.1")])
        #expect(repeated == once)
    }

    // MARK: From addresses

    // W8
    @Test func `an address has the name of its first line`() throws {
        let table = HostTable(parsing: hosts)
        #expect(table.name(of: .loopback) == "localhost")
        #expect(table.name(of: .loopback6) == "localhost")
        #expect(try table.name(of: ip("192.0.2.1")) == "web.example.org")
        #expect(try table.name(of: ip("2001:db8::1")) == "web.example.org")
        #expect(try table.name(of: ip("192.0.2.77")) == nil)
        #expect(try table.name(of: ip("fe80::1")) == nil)
        #expect(try table.name(of: ip("::ffff:127.0.0.1")) == nil)
    }

    // W8
    @Test func `an address in several lines has the names of all`() throws {
        let address = try ip("192.0.2.1")
        let expected = HostEntry(
            name: "web.example.org", aliases: ["web", "www", "mail.example.org"],
            addresses: [address])
        #expect(HostTable(parsing: hosts).entry(of: address) == expected)
        #expect(HostTable(parsing: hosts).entry(of: .any) == nil)
    }

    // MARK: Lines

    // W8
    @Test func `entries are lines, in their order`() throws {
        let table = HostTable(parsing: hosts)
        #expect(table.entries.count == 7)
        let first = HostTable.Entry(address: .loopback, name: "localhost", aliases: [])
        #expect(table.entries.first == first)
        let last = HostTable.Entry(
            address: try ip("fe80::1%7"), name: "router", aliases: [])
        #expect(table.entries.last == last)
    }

    @Test(arguments: ["\n", "\r\n", "\r", "\n\n\r\n"])
    func `lines may end in any way`(end: String) {
        let lines = ["192.0.2.1 a x", "192.0.2.2 b # y", "::1 c"]
        let table = HostTable(parsing: lines.joined(separator: end))
        #expect(table.entries.map(\.name) == ["a", "b", "c"])
        #expect(table.entries.map(\.aliases) == [["x"], [], []])
    }

    @Test(arguments: [
        "", " ", "\t\t", "#", "127.0.0.1", "::1", "localhost", "localhost 127.0.0.1",
        "127.0.0 x", "127.0.0.1.1 x", "256.0.0.1 x", "127.0.0.1/8 x", "127.0.0.1:80 x", "[::1] x",
        "0x7f.0.0.1 x", "2130706433 x", "127.0.0.1 #x", "#127.0.0.1 x", "#\u{301}127.0.0.1 x",
        "127.0.0.1# x", "１27.0.0.1 x", ":::1 x", "fe80::1% x", "fe80::1%nosuchinterface x",
        "\u{0}", "127.0.0.1\u{0} x", "\u{0}127.0.0.1 x",
    ])
    func `a line that names no host is passed over`(line: String) {
        let table = HostTable(parsing: "192.0.2.1 a\n\(line)\n192.0.2.2 b\n")
        #expect(table.entries.map(\.name) == ["a", "b"])
    }

    // MARK: Files

    // W7
    @Test func `the list may stand in any file`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Array("192.0.2.1 house home\n".utf8), to: "hosts")
        let table = try HostTable(file: path)
        #expect(try table.addresses(of: "home") == [ip("192.0.2.1")])
        #expect(table.addresses(of: "localhost") == [])
    }

    // W7
    @Test func `a file that can't be read is named with the reason`() {
        let path = "/tmp/sluice-no-such-folder/hosts"
        #expect(throws: ChannelError.file(path: path, .noEntry)) { try HostTable(file: path) }
    }

    @Test func `bytes that are no text spoil only their own word`() throws {
        let folder = try TemporaryFolder()
        let bytes = Array("192.0.2.1 a ".utf8) + [0xFF, 0xC0] + Array(" x\n192.0.2.2 b\n".utf8)
        let table = try HostTable(file: try folder.write(bytes, to: "hosts"))
        #expect(try table.addresses(of: "x") == [ip("192.0.2.1")])
        #expect(try table.addresses(of: "b") == [ip("192.0.2.2")])
    }

    @Test func `a file without an end is refused, and memory stays within its limit`() {
        let error = ChannelError.file(path: "/dev/zero", .messageTooLong)
        #expect(throws: error) { try HostTable(file: "/dev/zero") }
        #expect(throws: error) { try ProtocolTable(file: "/dev/zero") }
    }

    // W8
    @Test(.enabled(if: hasHosts))
    func `the system and its own file agree about every host of IPv4`() throws {
        let table = try HostTable()
        for entry in table.entries where !entry.address.isIPv6 {
            for name in [entry.name] + entry.aliases {
                let address = try HostName.address(of: name, family: .ipv4)
                #expect(table.addresses(of: name).contains(address), "\(name)")
            }
        }
    }
}
