// SPDX-License-Identifier: Apache-2.0
//
// The order in which the addresses of a host are tried: each rule by itself, the examples of
// RFC 6724, 10.2, and what the kernel of this machine says.

import Glibc
import TestSupport
import Testing

@testable import Sluice

private typealias Source = AddressSelection.Source

/// An address to go to, and where packets to it come from.
private struct Way: CustomTestStringConvertible, Sendable {
    let address: IPAddress
    let source: Source?

    init(_ address: String, from source: String?, _ change: (inout Source) -> Void = { _ in }) {
        self.address = Way.address(address)
        var made = source.map { Source(Way.address($0)) }
        if var changed = made {
            change(&changed)
            made = changed
        }
        self.source = made
    }

    /// A text that is no address would be told by the test that has it.
    private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .any }

    var testDescription: String {
        "\(address) from \(source.map { "\($0.address)" } ?? "nowhere")"
    }
}

private func sorted(_ ways: [Way]) -> [IPAddress] {
    AddressSelection.sorted(ways.map(\.address), sources: ways.map(\.source))
}

@Suite(.countingDescriptors)
struct SelectingAddresses {
    // MARK: The RFC's examples

    // N2
    @Test(
        arguments: [
            // Prefer matching scope.
            [
                Way("2001:db8:1::1", from: "2001:db8:1::2"),
                Way("198.51.100.121", from: "169.254.13.78"),
            ],
            [
                Way("198.51.100.121", from: "198.51.100.117"),
                Way("2001:db8:1::1", from: "fe80::1"),
            ],
            // Prefer higher precedence.
            [Way("2001:db8:1::1", from: "2001:db8:1::2"), Way("10.1.2.3", from: "10.1.2.4")],
            // Prefer smaller scope.
            [Way("fe80::1", from: "fe80::2"), Way("2001:db8:1::1", from: "2001:db8:1::2")],
            // Prefer home address.
            [
                Way("2001:db8:1::1", from: "2001:db8:3::1") { $0.mobility = .home },
                Way("fe80::1", from: "fe80::2") { $0.mobility = .careOf },
            ],
            // Avoid deprecated addresses.
            [
                Way("2001:db8:1::1", from: "2001:db8:1::2"),
                Way("fe80::1", from: "fe80::2") { $0.isDeprecated = true },
            ],
            // Longest matching prefix.
            [
                Way("2001:db8:1::1", from: "2001:db8:1::2"),
                Way("2001:db8:3ffe::1", from: "2001:db8:3f44::2"),
            ],
            // Prefer matching label.
            [
                Way("2002:c633:6401::1", from: "2002:c633:6401::2"),
                Way("2001:db8:1::1", from: "2002:c633:6401::2"),
            ],
            // Prefer higher precedence.
            [
                Way("2001:db8:1::1", from: "2001:db8:1::2"),
                Way("2002:c633:6401::1", from: "2002:c633:6401::2"),
            ],
        ])
    private func `the examples of the standard come out as it says`(ways: [Way]) {
        #expect(sorted(ways) == ways.map(\.address))
        #expect(sorted(ways.reversed()) == ways.map(\.address))
    }

    // MARK: The rules

    @Test func `what can't be reached comes last, and by the other rules among itself`() {
        let ways = [
            Way("10.1.2.3", from: nil), Way("2001:db8::1", from: nil),
            Way("192.0.2.1", from: "192.0.2.2"),
        ]
        #expect(sorted(ways) == [ways[2].address, ways[1].address, ways[0].address])
    }

    @Test func `a tunnel comes behind a native way`() {
        let ways = [
            Way("2001:db8:1::1", from: "2001:db8:1::2") { $0.isTunnelled = true },
            Way("2001:db8:2::1", from: "2001:db8:9::2"),
        ]
        #expect(sorted(ways) == [ways[1].address, ways[0].address])
    }

    @Test func `an address that is home and care-of at once comes before one that is either`() {
        let ways = [
            Way("2001:db8:1::1", from: "2001:db8:1::2") { $0.mobility = .careOf },
            Way("2001:db8:2::1", from: "2001:db8:2::2") { $0.mobility = .home },
            Way("2001:db8:3::1", from: "2001:db8:3::2"),
        ]
        #expect(sorted(ways) == ways.reversed().map(\.address))
    }

    @Test func `a prefix counts up to the length of the source's own`() {
        // Both share 64 bits with the source, and one shares more.
        let ways = [
            Way("2001:db8:1::ffff", from: "2001:db8:1::2"),
            Way("2001:db8:1::3", from: "2001:db8:1::2"),
        ]
        #expect(sorted(ways) == ways.map(\.address))
        #expect(sorted(ways.reversed()) == ways.reversed().map(\.address))
    }

    @Test func `IPv4 addresses keep their order, unless the source's prefix is known`() {
        var ways = [
            Way("198.51.100.1", from: "192.0.2.2"), Way("192.0.2.1", from: "192.0.2.2"),
        ]
        #expect(sorted(ways) == ways.map(\.address))
        ways = ways.map { way in Way("\(way.address)", from: "192.0.2.2") { $0.prefixLength = 24 } }
        #expect(sorted(ways) == ways.reversed().map(\.address))
    }

    @Test func `equal addresses keep their order`() {
        let ways = (0..<60).map { Way("192.0.2.\(($0 * 7) % 60)", from: "192.0.2.100") }
        #expect(sorted(ways) == ways.map(\.address))
        let twice = [ways[3], ways[1], ways[3]]
        #expect(sorted(twice) == twice.map(\.address))
    }

    // MARK: The policy table and scopes

    @Test(arguments: [
        ("::1", 50, 0), ("2001:db8::1", 40, 1), ("192.0.2.1", 35, 4), ("::ffff:192.0.2.1", 35, 4),
        ("2002:c000:204::1", 30, 2), ("2001::1", 5, 5), ("fd00::1", 3, 13), ("fc00::1", 3, 13),
        ("::192.0.2.1", 1, 3), ("fec0::1", 1, 11), ("feff::1", 1, 11), ("3ffe::1", 1, 12),
        ("fe80::1", 40, 1), ("2001:1::1", 40, 1), ("::", 1, 3),
    ])
    func `each block has its precedence and label`(
        text: String, precedence: Int, label: Int
    ) throws {
        let address = try #require(IPAddress(text))
        let policy = AddressSelection.Policy(precedence: precedence, label: label)
        #expect(AddressSelection.policy(of: address) == policy)
    }

    @Test(arguments: [
        ("::1", 2), ("fe80::1", 2), ("127.0.0.1", 2), ("169.254.0.1", 2), ("fec0::1", 5),
        ("ff02::1", 2), ("ff05::1", 5), ("ff0e::1", 14), ("2001:db8::1", 14), ("fd00::1", 14),
        ("10.0.0.1", 14), ("192.168.0.1", 14), ("100.64.0.1", 14), ("::ffff:127.0.0.1", 2),
        ("239.1.2.3", 14),
    ])
    func `each address has its scope`(text: String, scope: Int) throws {
        #expect(AddressSelection.scope(of: try #require(IPAddress(text))) == scope)
    }

    // MARK: This machine

    @Test func `what the kernel has no way to comes behind loopback`() throws {
        // Without an interface nobody can reach an address of one link.
        let lost = try #require(IPAddress("fe80::1"))
        #expect(AddressSelection.sorted([lost, .loopback]) == [.loopback, lost])
    }

    @Test func `each source is found anew, with one socket for a family`() {
        let calls = CallCount()
        // Between two of them the socket forgets the first: it would keep to that one's source.
        let addresses = (1...60).map { IPAddress.v4(0x7F00_0000 | (61 - $0)) }
        #expect(calls.count { AddressSelection.sorted(addresses) } == addresses)
        #expect(calls.of(.createSocket) == 1)
        #expect(calls.of(.connect) == 60 + 59)
        #expect(calls.of(.localName) == 60)
    }

    @Test func `one address costs nothing`() {
        let calls = CallCount()
        #expect(calls.count { AddressSelection.sorted([.loopback]) } == [.loopback])
        #expect(calls.count { AddressSelection.sorted([]) } == [])
        #expect(calls.all == 0)
    }

    @Test func `beyond the limit addresses stand behind in their order`() throws {
        let calls = CallCount()
        let lost = try #require(IPAddress("fe80::1"))
        let rest = [IPAddress](repeating: .loopback, count: 40)
        let addresses = [lost] + [IPAddress](repeating: .loopback, count: 63) + rest
        let result = calls.count { AddressSelection.sorted(addresses) }
        #expect(result == Array(repeating: .loopback, count: 63) + [lost] + rest)
        #expect(calls.of(.localName) <= AddressSelection.limit)
    }

    @Test func `without a descriptor the order stays`() throws {
        let lost = try #require(IPAddress("fe80::1"))
        let result = SystemCall.failing(.createSocket, with: .tooManyOpenFiles) {
            AddressSelection.sorted([lost, .loopback])
        }
        #expect(result == [lost, .loopback])
    }

    @Test func `a machine without a family has no way to its addresses`() {
        let answers = Answers(.failure(.addressFamilyNotSupported), to: [.createSocket]) { $0 == 2 }
        let result = answers.give { AddressSelection.sorted([.loopback6, .loopback]) }
        #expect(result == [.loopback, .loopback6])
    }

    // MARK: Services

    // T5, T6
    @Test(arguments: [("80", 80), ("0x50", 80), ("http", 80)] as [(String, UInt16)])
    func `an endpoint takes its port as people write it`(service: String, port: UInt16) throws {
        let endpoint = try Endpoint(host: "example.org", service: service)
        #expect(endpoint == .host("example.org", port: port))
    }

    // T5
    @Test func `an endpoint refuses what is no port`() {
        #expect(throws: PortError.unknownService("nonsense")) {
            try Endpoint(host: "example.org", service: "nonsense")
        }
        #expect(throws: PortError.outOfRange("65536")) {
            try Endpoint(host: "example.org", service: "65536")
        }
    }
}
