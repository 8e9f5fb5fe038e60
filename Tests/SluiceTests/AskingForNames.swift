// SPDX-License-Identifier: Apache-2.0
//
// Hosts and services together, both ways: all that a socket to them takes, and what an address is
// called. No network is needed: `localhost` is known everywhere, and `.invalid` nowhere (RFC 6761).

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Whether this machine has a list of services.
private let hasServices = access("/etc/services", R_OK) == 0

@Suite(.countingDescriptors)
struct AskingForNames {
    // MARK: To addresses

    // N32
    @Test func `a number and a port can be reached by every kind of socket`() throws {
        let answers = try HostName.addressInfo(of: "127.0.0.1", service: "80")
        #expect(answers.count == 3)
        #expect(answers.allSatisfy { $0.family == .ipv4 && $0.address == .loopback(port: 80) })
        #expect(answers.allSatisfy { $0.canonicalName == nil })
        let expected: [SocketKind: SocketProtocol] = [
            .stream: .tcp, .datagram: .udp, .raw: .usual,
        ]
        #expect(answers.allSatisfy { $0.protocol == expected[$0.kind] })
    }

    // N32
    @Test func `a kind or a protocol leaves only what fits it`() throws {
        let datagrams = try HostName.addressInfo(of: "::1", service: "53", kind: .datagram)
        let expected = AddressInfo(
            family: .ipv6, kind: .datagram, protocol: .udp, address: .ip(.loopback6, port: 53),
            canonicalName: nil)
        #expect(datagrams == [expected])
        let streams = try HostName.addressInfo(of: "127.0.0.1", protocol: .tcp)
        #expect(streams.map(\.kind) == [.stream])
    }

    // N32
    @Test func `a family leaves only its addresses`() throws {
        let answers = try HostName.addressInfo(of: "localhost", service: "80", family: .ipv4)
        #expect(answers.contains { $0.address == .loopback(port: 80) })
        #expect(answers.allSatisfy { $0.family == .ipv4 })
    }

    // N32
    @Test func `without a host the addresses lead to this machine itself`() throws {
        let answers = try HostName.addressInfo(of: nil, service: "80", kind: .stream)
        #expect(answers.contains { $0.address == .loopback(port: 80) })
        #expect(answers.allSatisfy { $0.address.ipAddress?.isUnspecified == false })
    }

    // N32
    @Test(arguments: [(AddressFamily.ipv4, IPAddress.any), (.ipv6, .any6)])
    func `without a host, passive addresses are those to listen at`(
        family: AddressFamily, address: IPAddress
    ) throws {
        let answers = try HostName.addressInfo(
            of: nil, service: "80", family: family, kind: .stream, flags: .passive)
        #expect(answers.map(\.address) == [.ip(address, port: 80)])
    }

    // N32
    @Test func `without a service the port is 0`() throws {
        let answers = try HostName.addressInfo(of: "127.0.0.1", kind: .stream)
        #expect(answers.map(\.address) == [.loopback(port: 0)])
    }

    // N32
    @Test func `without both there is nothing to ask`() {
        #expect(throws: ResolverError("", .unknownName)) { try HostName.addressInfo(of: nil) }
    }

    // N32
    @Test func `an answer opens a socket and binds it`() throws {
        for answer in try HostName.addressInfo(of: "localhost", family: .ipv4, flags: .passive)
        where answer.kind != .raw {
            let socket = try Socket(
                family: answer.family, kind: answer.kind, protocol: answer.protocol)
            try socket.bind(to: answer.address)
            let bound = try socket.localAddress
            #expect(bound.ipAddress == answer.address.ipAddress)
        }
    }

    // N32
    @Test func `an interface stays with its address`() throws {
        let address = try #require(IPAddress("fe80::1%1"))
        let answers = try HostName.addressInfo(of: "fe80::1%1", service: "80", kind: .stream)
        #expect(answers.map(\.address) == [.ip(address, port: 80)])
    }

    // MARK: Flags

    // N32
    @Test func `the official name is told once, and only where it is asked for`() throws {
        let answers = try HostName.addressInfo(of: "localhost", flags: .canonicalName)
        #expect(answers.first?.canonicalName?.isEmpty == false)
        #expect(answers.dropFirst().allSatisfy { $0.canonicalName == nil })
        let others = try HostName.addressInfo(of: "localhost")
        #expect(others.allSatisfy { $0.canonicalName == nil })
        #expect(throws: ResolverError("80", .invalidFlags)) {
            try HostName.addressInfo(of: nil, service: "80", flags: .canonicalName)
        }
    }

    // N32
    @Test func `where a number is asked for, a name is none`() throws {
        #expect(throws: ResolverError("localhost", .unknownName)) {
            try HostName.addressInfo(of: "localhost", service: "80", flags: .numericHost)
        }
        #expect(throws: ResolverError("http", .unknownService)) {
            try HostName.addressInfo(of: "localhost", service: "http", flags: .numericService)
        }
        let answers = try HostName.addressInfo(
            of: "127.0.0.1", service: "80", kind: .stream, flags: [.numericHost, .numericService])
        #expect(answers.map(\.address) == [.loopback(port: 80)])
    }

    // N32
    @Test func `an IPv4 address is put into IPv6 where it is asked for`() throws {
        let mapped = try #require(IPAddress("::ffff:127.0.0.1"))
        #expect(throws: ResolverError("127.0.0.1", .noAddressOfFamily)) {
            try HostName.addressInfo(of: "127.0.0.1", service: "80", family: .ipv6)
        }
        let answers = try HostName.addressInfo(
            of: "127.0.0.1", service: "80", family: .ipv6, kind: .stream, flags: .ipv4Mapped)
        #expect(answers.map(\.address) == [.ip(mapped, port: 80)])
        let all = try HostName.addressInfo(
            of: "localhost", service: "80", family: .ipv6, flags: [.ipv4Mapped, .ipv6AndMapped])
        #expect(all.contains { $0.address == .ip(mapped, port: 80) })
    }

    // N32
    @Test func `addresses of families that this machine has are left`() throws {
        let all = try HostName.addressInfo(of: "localhost")
        let answers = try HostName.addressInfo(of: "localhost", flags: .configuredFamilies)
        #expect(!answers.isEmpty)
        #expect(Set(answers).isSubset(of: all))
    }

    // N32
    @Test func `a name may have letters beyond ASCII`() throws {
        let flags: AddressInfo.Flags = [
            .internationalName, .canonicalName, .internationalCanonicalName,
        ]
        let answers = try HostName.addressInfo(of: "localhost", family: .ipv4, flags: flags)
        #expect(answers.contains { $0.address.ipAddress == .loopback })
        let error = #expect(throws: ResolverError.self) {
            try HostName.addressInfo(of: "bücher.invalid", flags: flags)
        }
        #expect(error?.name == "bücher.invalid")
    }

    // MARK: Refusals

    // N32, A19
    @Test func `what the system does not have is told by its kind`() {
        let name = "127.0.0.1"
        #expect(throws: ResolverError(name, .unsupportedFamily)) {
            try HostName.addressInfo(of: name, family: .unix)
        }
        #expect(throws: ResolverError(name, .unsupportedKind)) {
            try HostName.addressInfo(of: name, kind: SocketKind(rawValue: 99))
        }
        #expect(throws: ResolverError(name, .unsupportedKind)) {
            try HostName.addressInfo(of: name, kind: .stream, protocol: .udp)
        }
        #expect(throws: ResolverError(name, .invalidFlags)) {
            try HostName.addressInfo(of: name, flags: AddressInfo.Flags(rawValue: 1 << 20))
        }
    }

    // N32
    @Test(.enabled(if: hasServices))
    func `a service is known by name or alias, for its own kind of sockets`() throws {
        for name in ["smtp", "mail"] {
            let answers = try HostName.addressInfo(of: "127.0.0.1", service: name, kind: .stream)
            #expect(answers.map(\.address) == [.loopback(port: 25)])
        }
        #expect(throws: ResolverError("tftp", .unknownService)) {
            try HostName.addressInfo(of: "127.0.0.1", service: "tftp", kind: .stream)
        }
    }

    // N32
    @Test(arguments: [
        "", "*", "\u{0}", "80\u{0}", "http\u{0}", "65536", "4294967376", "18446744073709551696",
        "-1", "+80", " 80", "\t80", "-4294967216", "80 ", "8 0", "0x50", "٨٠", "no-such-service",
        String(repeating: "9", count: 1_000),
    ])
    func `what is neither a port nor a service is told as the service`(_ service: String) {
        expectNoService(service)
    }

    @Test func `a very long service or port is told as the service`() {
        expectNoService(String(repeating: "s", count: 1_000_000))
        expectNoService(String(repeating: "9", count: 1_000_000))
    }

    private func expectNoService(_ service: String) {
        #expect(throws: ResolverError(service, .unknownService)) {
            try HostName.addressInfo(of: "127.0.0.1", service: service)
        }
        #expect(throws: ResolverError(service, .unknownService)) {
            try HostName.addressInfo(of: nil, service: service)
        }
    }

    // N32
    @Test(arguments: ["", "*", "\u{0}", "localhost\u{0}", String(repeating: "x", count: 1_025)])
    func `what is no host's name is told as the host`(_ host: String) {
        #expect(throws: ResolverError(host, .unknownName)) {
            try HostName.addressInfo(of: host, service: "80")
        }
    }

    // N32, A19
    @Test func `a host that nobody knows cannot be reached`() {
        let error = #expect(throws: ResolverError.self) {
            try HostName.addressInfo(of: "nobody.invalid", service: "80")
        }
        #expect(error?.name == "nobody.invalid")
        let reasons: [ResolverError.Reason] = [.unknownName, .noAddress, .temporaryFailure]
        #expect(error.map { reasons.contains($0.reason) } == true)
    }

    // MARK: To names

    // N32
    @Test func `an address leads to the names of its host and service`() throws {
        let names = try HostName.nameInfo(of: .loopback(port: 80))
        #expect(try HostName.name(of: .loopback) == names.host)
        #expect(names.service == ServicePort.name(of: 80) ?? "80")
    }

    // N32
    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1", "80"), ("[::1]:25", "::1", "25"),
        ("192.0.2.77:0", "192.0.2.77", "0"), ("[2001:db8::1]:65535", "2001:db8::1", "65535"),
    ])
    func `where numbers are asked for, nobody else is`(
        _ text: String, _ host: String, _ service: String
    ) throws {
        let address = try #require(SocketAddress(text))
        let names = try HostName.nameInfo(of: address, flags: [.numericHost, .numericService])
        #expect(names == NameInfo(host: host, service: service))
    }

    // N32
    @Test func `a host without a name is a number, unless a name is required`() throws {
        let address = try #require(SocketAddress("192.0.2.77:80"))
        #expect(throws: ResolverError.self) {
            try HostName.nameInfo(of: address, flags: .nameRequired)
        }
        #expect(throws: ResolverError("192.0.2.77:80", .unknownName)) {
            try HostName.nameInfo(of: address, flags: [.nameRequired, .numericHost])
        }
        let names = try HostName.nameInfo(of: address, flags: .numericService)
        #expect(names == NameInfo(host: "192.0.2.77", service: "80"))
    }

    // N32
    @Test func `a service of datagrams may have another name`() throws {
        let address = SocketAddress.loopback(port: 69)
        let stream = try HostName.nameInfo(of: address)
        #expect(stream.service == ServicePort.name(of: 69, "tcp") ?? "69")
        let datagram = try HostName.nameInfo(of: address, flags: .datagram)
        #expect(datagram.service == ServicePort.name(of: 69, "udp") ?? "69")
    }

    // N32
    @Test func `the own domain may be left out, and other letters be told`() throws {
        let full = try HostName.name(of: .loopback)
        let short = try HostName.nameInfo(of: .loopback(port: 0), flags: .withoutOwnDomain)
        #expect(!short.host.isEmpty)
        #expect(full.hasPrefix(short.host))
        let same = try HostName.nameInfo(of: .loopback(port: 0), flags: .internationalName)
        #expect(same.host == full)
    }

    // N32, A19
    @Test func `what has no names of this sort is told so`() {
        let flags = NameInfo.Flags(rawValue: 1 << 20)
        #expect(throws: ResolverError("127.0.0.1:80", .invalidFlags)) {
            try HostName.nameInfo(of: .loopback(port: 80), flags: flags)
        }
        let others = [SocketAddress.unix(path: "/run/x"), .unix(path: ""), .unnamed]
        for address in others {
            #expect(throws: ResolverError("\(address)", .unsupportedFamily)) {
                try HostName.nameInfo(of: address)
            }
        }
    }
}
