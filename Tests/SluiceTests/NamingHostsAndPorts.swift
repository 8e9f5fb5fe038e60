// SPDX-License-Identifier: Apache-2.0
//
// Hosts and ports as two arguments, special hosts, and who may have a port besides another.

import Glibc
import Sluice
import TestSupport
import Testing

private let hasIPv6 = SocketRequest(.ipv6, .stream, is: .tcp).isPossible

@Suite(.countingDescriptors)
struct NamingHostsAndPorts {
    // MARK: Hosts that are numbers

    // P3, P4
    @Test(arguments: [
        ("", SocketAddress.any(port: 80)), ("<broadcast>", .ip(.v4(0xFFFF_FFFF), port: 80)),
        ("127.0.0.1", .loopback(port: 80)), ("0.0.0.0", .any(port: 80)),
        ("255.255.255.255", .broadcast(port: 80)), ("::1", .ip(.loopback6, port: 80)),
        ("::", .ip(.any6, port: 80)),
        ("fe80::1%7", .ip(.v6(high: 0xFE80_0000_0000_0000, low: 1, scope: 7), port: 80)),
    ])
    func `a host that is a number makes an address`(host: String, address: SocketAddress) {
        #expect(SocketAddress(host: host, port: 80) == address)
    }

    // P3, P24
    @Test(arguments: [
        "localhost", "example.org", "<any>", "<Broadcast>", "broadcast", " ", " 127.0.0.1",
        "127.0.0.1 ", "127.1", "127.0.0.1:80", "[::1]", "127.0.0.1\u{0}", "\u{0}", "0x7f000001",
    ])
    func `a name makes none, for nothing is looked up`(host: String) throws {
        #expect(SocketAddress(host: host, port: 80) == nil)
        let socket = try Socket(family: .ipv4, kind: .stream)
        let calls = CallCount()
        #expect(throws: SocketError(.bind, .invalidArgument)) {
            try calls.count { try socket.bind(to: host, port: 80) }
        }
        #expect(throws: SocketError(.connect, .invalidArgument)) {
            try calls.count { _ = try socket.connect(to: host, port: 80) }
        }
        #expect(calls.all == 0)
    }

    // MARK: Two arguments

    // P3, P21, P23, P26, P27, P39, P40, X8
    @Test func `host and port may be two arguments or one address`() throws {
        let listener = try Socket(family: .ipv4, kind: .stream)
        try listener.bind(to: "127.0.0.1", port: 0)
        try listener.listen()
        let address = try listener.localAddress
        let port = try #require(address.port)
        #expect(address == .loopback(port: port))
        let first = try Socket(family: .ipv4, kind: .stream)
        let second = try Socket(family: .ipv4, kind: .stream)
        _ = try first.connect(to: "127.0.0.1", port: port)
        _ = try second.connect(to: address)
        let peers = [
            try listener.accept(within: .seconds(20)).peer,
            try listener.accept(within: .seconds(20)).peer,
        ]
        let names = [try first.localAddress, try second.localAddress]
        #expect(peers == names)
    }

    // P4, P40
    @Test func `the empty host is every address of the machine`() throws {
        let listener = try Socket(family: .ipv4, kind: .stream)
        try listener.bind(to: "", port: 0)
        try listener.listen()
        let port = try #require(try listener.localAddress.port)
        let client = try Socket(family: .ipv4, kind: .stream)
        _ = try client.connect(to: "127.0.0.2", port: port)
        let peer = try listener.accept(within: .seconds(20)).socket.localAddress
        #expect(peer == .ip(.v4(0x7F00_0002), port: port))
    }

    // P4
    @Test func `the broadcast host is one that has to be allowed`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        let error = #expect(throws: SocketError.self) {
            _ = try socket.connect(to: "<broadcast>", port: 9)
        }
        #expect(error?.operation == .connect)
        #expect(error?.address == .broadcast(port: 9))
        let codes: [ErrorCode] = [.permissionDenied, .networkUnreachable]
        #expect(error.map { codes.contains($0.code) } == true)
    }

    // P5, P6, P40, N22, X8
    @Test func `an error of two arguments names the address`() throws {
        let unused = try SocketAddress.unused()
        let port = try #require(unused.port)
        let listener = try Socket(family: .ipv4, kind: .stream)
        try listener.bind(to: "127.0.0.1", port: port)
        let second = try Socket(family: .ipv4, kind: .stream)
        let error = #expect(throws: SocketError(.bind, .addressInUse, at: unused)) {
            try second.bind(to: "127.0.0.1", port: port)
        }
        #expect(error?.description == "bind 127.0.0.1:\(port): Address already in use")
    }

    // P3
    @Test(.enabled(if: hasIPv6))
    func `the family of a socket decides which hosts it takes`() throws {
        let four = try Socket(family: .ipv4, kind: .stream)
        let six = try Socket(family: .ipv6, kind: .stream)
        let errors = [
            #expect(throws: SocketError.self) { try four.bind(to: "::1", port: 0) },
            #expect(throws: SocketError.self) { try six.bind(to: "127.0.0.1", port: 0) },
        ]
        #expect(errors.map { $0?.operation } == [.bind, .bind])
        try six.bind(to: "::1", port: 0)
        let host = try six.localAddress.ipAddress
        #expect(host == .loopback6)
    }

    // MARK: Ports

    // P21
    @Test func `a socket is bound once`() throws {
        for address in [SocketAddress.loopback(port: 0), .unnamed] {
            let socket = try Socket(for: address)
            try socket.bind(to: address)
            let again = address == .unnamed ? .abstract(name: [1]) : address
            #expect(throws: SocketError(.bind, .invalidArgument, at: again)) {
                try socket.bind(to: again)
            }
        }
    }

    // N5, N22, X10
    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
    func `a port is shared where both have asked for it, and not else`(
        first: Bool, second: Bool
    ) throws {
        let one = try Socket(family: .ipv4, kind: .stream)
        let other = try Socket(family: .ipv4, kind: .stream)
        // Lets a port be taken on which old connections linger, and no more.
        try one.set(.reuseAddress, to: true)
        try other.set(.reuseAddress, to: true)
        try one.set(.reusePort, to: first)
        try other.set(.reusePort, to: second)
        try one.bind(to: "127.0.0.1", port: 0)
        try one.listen()
        let address = try one.localAddress
        var told: SocketError?
        do throws(SocketError) {
            try other.bind(to: address)
            try other.listen()
        } catch {
            told = error
        }
        #expect(told == (first && second ? nil : SocketError(.bind, .addressInUse, at: address)))
    }

    // X10
    @Test func `nobody shares a port who has not asked for it`() throws {
        let socket = try Socket(family: .ipv4, kind: .stream)
        let isShared = [try socket.get(.reusePort), try socket.get(.reuseAddress)]
        #expect(isShared == [false, false])
    }

    // P4, P40, N20
    @Test(.enabled(if: hasIPv6))
    func `an empty host is any address of the socket's own family`() throws {
        let socket = try Socket(family: .ipv6, kind: .datagram)
        try socket.bind(to: "", port: 0)
        let address = try socket.localAddress
        #expect(address.ipAddress == .any6)
    }
}
