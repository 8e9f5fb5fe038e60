// SPDX-License-Identifier: Apache-2.0
//
// Names and addresses of hosts, asked of the system with the caller waiting.
// No network is needed: `localhost` is known everywhere, and `.invalid` nowhere (RFC 6761).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HostNames {
    // A16
    @Test func `a host that is known has addresses`() throws {
        #expect(try HostName.addresses(of: "localhost").contains(.loopback))
    }

    // A16
    @Test(arguments: [("127.0.0.1", IPAddress.loopback), ("::1", .loopback6), ("0.0.0.0", .any)])
    func `a number is its own address`(_ number: String, _ address: IPAddress) throws {
        #expect(try HostName.addresses(of: number) == [address])
    }

    // A16
    @Test func `a number that is nobody's is its own address, and nobody is asked`() throws {
        let address = try #require(IPAddress("192.0.2.77"))
        #expect(try HostName.addresses(of: "192.0.2.77") == [address])
    }

    // A16, A19
    @Test func `a host that nobody knows is an error of names`() throws {
        let error = #expect(throws: ResolverError.self) {
            try HostName.addresses(of: "nobody.invalid")
        }
        let reason = try #require(error)
        #expect(reason.name == "nobody.invalid")
        #expect([.unknownName, .noAddress, .temporaryFailure].contains(reason.reason))
        #expect("\(reason)".hasPrefix("resolve nobody.invalid: "))
    }

    // A16, P10, P11
    @Test(arguments: [
        "", "*", "\u{0}", "localhost\u{0}.invalid", "127.0.0.1\u{0}", "::1\u{0}",
        String(repeating: "x", count: 300), String(repeating: "x", count: 1_025),
        String(repeating: "x.", count: 2_000), "a b", "256.256.256.256.256", "ü\u{0}",
    ])
    func `what is no name is an error`(_ name: String) { expectNoName(name) }

    @Test func `a very long name or number is an error`() {
        expectNoName(String(repeating: "x", count: 2_000_000))
        expectNoName(String(repeating: "1", count: 2_000_000))
    }

    private func expectNoName(_ name: String) {
        let errors = [
            #expect(throws: ResolverError.self) { try HostName.addresses(of: name) },
            #expect(throws: ResolverError.self) { try HostName.address(of: name) },
            #expect(throws: ResolverError.self) { try HostName.address(of: name, family: .ipv4) },
            #expect(throws: ResolverError.self) { try HostName.entry(of: name) },
        ]
        #expect(errors.allSatisfy { $0?.name == name })
    }

    // A16
    @Test(arguments: ["a.localhost", "A.B.LocalHost.", "localhost."])
    func `a name below this machine's is its own, and nobody is asked`(_ name: String) throws {
        let loopback: Set<IPAddress> = [.loopback, .loopback6]
        #expect(Set(try HostName.addresses(of: name)) == loopback)
        #expect(loopback.contains(try HostName.address(of: name)))
        #expect(try HostName.address(of: name, family: .ipv4) == .loopback)
        #expect(try HostName.address(of: name, family: .ipv6) == .loopback6)
        let entry = HostEntry(name: name, aliases: [], addresses: [.loopback])
        #expect(try HostName.entry(of: name) == entry)
        #expect(HostName.fullName(of: name) == name)
    }

    // A19
    @Test(arguments: ["onion", "a.onion", "A.B.Onion."])
    func `names of Tor are known to nobody, and nobody is asked`(_ name: String) {
        let error = ResolverError(name, .unknownName)
        #expect(throws: error) { try HostName.addresses(of: name) }
        #expect(throws: error) { try HostName.address(of: name, family: .ipv4) }
        #expect(throws: error) { try HostName.entry(of: name) }
    }

    // MARK: The first address

    // P10, A16
    @Test func `the first address of a host is told alone`() throws {
        #expect(try HostName.address(of: "localhost", family: .ipv4) == .loopback)
        let first = try HostName.address(of: "localhost")
        #expect(try HostName.addresses(of: "localhost").first == first)
    }

    // P10, A16
    @Test(arguments: [
        "127.0.0.1", "192.0.2.77", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::1",
    ])
    func `a number comes back unchanged`(_ number: String) throws {
        let address = try HostName.address(of: number)
        #expect("\(address)" == number)
        let family: AddressFamily = address.isIPv6 ? .ipv6 : .ipv4
        #expect(try HostName.address(of: number, family: family) == address)
    }

    // P10, P11
    @Test(arguments: [("127.0.0.1", AddressFamily.ipv6), ("::1", .ipv4)])
    func `a number is no address of another family`(_ number: String, _ family: AddressFamily) {
        let expected = ResolverError(number, .noAddressOfFamily)
        #expect(throws: expected) { try HostName.address(of: number, family: family) }
        #expect(throws: expected) { try HostName.entry(of: number, family: family) }
    }

    // MARK: Entries

    // P11
    @Test func `the entry of a host has its primary name and its addresses`() throws {
        let entry = try HostName.entry(of: "localhost")
        #expect(!entry.name.isEmpty)
        #expect(entry.addresses.contains(.loopback))
        #expect(entry.addresses.allSatisfy { !$0.isIPv6 })
    }

    // P11
    @Test func `the entry of a number is the number itself, and nobody is asked`() throws {
        let four = try #require(IPAddress("192.0.2.77"))
        let entry = try HostName.entry(of: "192.0.2.77")
        #expect(entry == HostEntry(name: "192.0.2.77", aliases: [], addresses: [four]))
        let six = try #require(IPAddress("fe80::1%1"))
        let scoped = try HostName.entry(of: "fe80::1%1", family: .ipv6)
        #expect(scoped == HostEntry(name: "fe80::1%1", aliases: [], addresses: [six]))
    }

    // P11, A19
    @Test func `a host that nobody knows has no entry`() {
        let error = #expect(throws: ResolverError.self) { try HostName.entry(of: "nobody.invalid") }
        #expect(error?.name == "nobody.invalid")
        let reasons: [ResolverError.Reason] = [.unknownName, .noAddress, .temporaryFailure]
        #expect(error.map { reasons.contains($0.reason) } == true)
    }

    // P11
    @Test(arguments: [
        AddressFamily.unix, .unspecified, .netlink, AddressFamily(rawValue: -1),
        AddressFamily(rawValue: 4_711),
    ])
    func `entries are of no other family`(_ family: AddressFamily) {
        for name in ["localhost", "127.0.0.1"] {
            #expect(throws: ResolverError(name, .unsupportedFamily)) {
                try HostName.entry(of: name, family: family)
            }
        }
    }

    // P13
    @Test func `the entry of an address is that of the host that has it`() throws {
        let entry = try HostName.entry(of: .loopback)
        #expect(entry.addresses == [.loopback])
        #expect(try HostName.name(of: .loopback) == entry.name)
    }

    // P13, A17, A19
    @Test(arguments: ["192.0.2.77", "2001:db8::77", "fe80::77%1"])
    func `an address without a name has no entry`(_ number: String) throws {
        let address = try #require(IPAddress(number))
        let error = #expect(throws: ResolverError.self) { try HostName.entry(of: address) }
        #expect(error?.name == number)
    }

    // MARK: Full names

    // P13
    @Test(arguments: [
        ("a", ["b", "c.example", "d.example"], "c.example"), ("a.example", ["b.c"], "a.example"),
        ("a", [], "a"), ("a", ["b"], "a"), ("a", ["b."], "b."), ("", [".x"], ".x"),
    ])
    func `the full name is the first with a dot in it`(
        _ name: String, _ aliases: [String], _ full: String
    ) {
        #expect(HostEntry(name: name, aliases: aliases, addresses: []).fullName == full)
    }

    // P13
    @Test func `the full name of an address is that of its entry`() throws {
        let entry = try HostName.entry(of: .loopback)
        #expect(HostName.fullName(of: "127.0.0.1") == entry.fullName)
    }

    // P13
    @Test(arguments: ["", "0.0.0.0", "::"])
    func `without a name, or with any address, this machine is meant`(_ name: String) {
        let own = HostName.fullName(of: HostName.own)
        #expect(HostName.fullName(of: name) == own)
        #expect(HostName.fullName() == own)
        #expect(!own.isEmpty)
    }

    // P13
    @Test(arguments: ["nobody.invalid", "192.0.2.77", "*", "localhost\u{0}", "\u{0}"])
    func `the full name of what nobody knows is what was asked for`(_ name: String) {
        #expect(HostName.fullName(of: name) == name)
    }

    // MARK: Names

    // A17
    @Test func `an address that is known has a name`() throws {
        let name = try HostName.name(of: .loopback)
        #expect(!name.isEmpty)
        #expect(IPAddress(name) == nil)
        #expect(try HostName.addresses(of: name).contains(.loopback))
    }

    // A17, A19
    @Test func `an address without a name is an error of names`() throws {
        let address = try #require(IPAddress("192.0.2.77"))
        let error = #expect(throws: ResolverError.self) { try HostName.name(of: address) }
        #expect(error?.name == "192.0.2.77")
    }

    // A17
    @Test(arguments: ["localhost", "127.0.0", "127.0.0.1.1", "", "127.0.0.256", " 127.0.0.1"])
    func `what is no number is no address to ask for`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    // MARK: This machine

    // A18, P12
    @Test func `this machine has the name that the system gives it`() {
        var name = [CChar](repeating: 0, count: 256)
        #expect(gethostname(&name, name.count) == 0)
        let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        #expect(HostName.own == bytes.text)
        #expect(!HostName.own.isEmpty)
    }

    // N32
    @Test func `whoever may not rename this machine is told so`() {
        let answers = Answers(.failure(.notPermitted), to: [.setHostName])
        #expect(throws: ErrorCode.notPermitted) {
            try answers.give { try HostName.setOwn("another") }
        }
        #expect(answers.count == 1)
    }

    // N32
    @Test(arguments: [
        (String(repeating: "x", count: 65), ErrorCode.nameTooLong),
        (String(repeating: "ü", count: 33), .nameTooLong),
        ("vm\u{0}", .invalidArgument), ("\u{0}", .invalidArgument),
    ])
    func `a name that this machine can't have is not set`(_ name: String, _ code: ErrorCode) {
        let answers = Answers(.failure(.busy), to: [.setHostName])
        #expect(throws: code) { try answers.give { try HostName.setOwn(name) } }
        #expect(answers.count == 0)
    }

    // N32
    @Test func `the name that this machine has may be set again, by whoever may`() {
        let own = HostName.own
        // Interrupted first, so that it is seen to be tried again.
        let answers = Answers(.failure(.interrupted), to: [.setHostName]) { $0 <= 2 }
        do throws(ErrorCode) {
            try answers.give { () throws(ErrorCode) in try HostName.setOwn(own) }
        } catch {
            #expect(error == .notPermitted)
        }
        #expect(answers.count == 3)
        #expect(HostName.own == own)
    }

    // MARK: Errors

    // A19
    @Test func `an error of names is none of sockets`() throws {
        let error = try #require(
            #expect(throws: (any Error).self) { try HostName.addresses(of: "nobody.invalid") })
        #expect(!(error is SocketError))
        #expect(error is ResolverError)
    }
}
