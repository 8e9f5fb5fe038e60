// SPDX-License-Identifier: Apache-2.0
//
// Addresses as text and as the kernel takes them, both ways.
// Malformed text is refused, never guessed at.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct Addressing {
    // MARK: IP addresses

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("192.0.2.1", "192.0.2.1"), ("::", "::"), ("::1", "::1"), ("2001:db8::1", "2001:db8::1"),
        ("2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("::ffff:c000:201", "::ffff:192.0.2.1"), ("fe80::1%7", "fe80::1%7"),
        ("FE80::A", "fe80::a"), ("ff02::1", "ff02::1"), ("1::8", "1::8"),
    ])
    func `an IP address is read and printed in its shortest form`(text: String, printed: String) {
        #expect(IPAddress(text)?.description == printed)
    }

    @Test(arguments: [
        "", " ", "localhost", "example.org", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.-4",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "0x7f.0.0.1", "01.2.3.4", "1.2.3.4:80", "1.2.3.4/8",
        ":", ":::", "1::2::3", "12345::", "g::1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "[::1]",
        "::1 ", "::ffff:1.2.3", "::1%", "::1%0", "fe80::1%nosuchinterface", "1.2.3.4%lo",
        "fe80::1%4294967296", "fe80::1%-1", "fe80::1%7%8", "1.2.3.4\u{0}", "1.2.3.4\u{0}.example",
        "::1\u{0}", "::1\u{0}junk", "fe80::1%+7", "fe80::1%lo\u{0}x", "\u{661}.2.3.4",
    ])
    func `what is not an IP address is not read`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `a scope may be an interface's name`() throws {
        let number = if_nametoindex("lo")
        try #require(number != 0)
        #expect(IPAddress("fe80::1%lo") == .v6(high: 0xFE80 << 48, low: 1, scope: number))
    }

    @Test func `the first byte of an address is in the highest bits`() {
        #expect(IPAddress("1.2.3.4") == .v4(0x0102_0304))
        #expect(
            IPAddress("102:304:506:708:90a:b0c:d0e:f10")
                == .v6(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10, scope: 0))
    }

    @Test func `the named addresses are what they say`() {
        #expect(IPAddress.loopback.description == "127.0.0.1")
        #expect(IPAddress.loopback6.description == "::1")
        #expect(IPAddress.any.description == "0.0.0.0")
        #expect(IPAddress.any6.description == "::")
    }

    @Test func `only IPv6 addresses say that they are`() {
        #expect(IPAddress.loopback6.isIPv6)
        #expect(!IPAddress.loopback.isIPv6)
    }

    @Test(arguments: [
        ("::ffff:192.0.2.1", "192.0.2.1", true), ("::ffff:0.0.0.0", "0.0.0.0", true),
        ("192.0.2.1", "192.0.2.1", false), ("::1", "::1", false),
        ("::fffe:192.0.2.1", "::fffe:c000:201", false),
        ("1::ffff:1.2.3.4", "1::ffff:102:304", false),
        ("::192.0.2.1", "::192.0.2.1", false),
    ])
    func `a mapped address holds an IPv4 address`(text: String, unmapped: String, isMapped: Bool) {
        #expect(IPAddress(text)?.isIPv4Mapped == isMapped)
        #expect(IPAddress(text)?.unmapped.description == unmapped)
    }

    // MARK: Socket addresses

    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1:80"), ("0.0.0.0:0", "0.0.0.0:0"),
        ("192.0.2.1:65535", "192.0.2.1:65535"), ("[::1]:443", "[::1]:443"),
        ("[2001:DB8::1]:1", "[2001:db8::1]:1"), ("[fe80::1%3]:9", "[fe80::1%3]:9"),
        ("[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]:5"),
    ])
    func `an address and port are read and printed`(text: String, printed: String) {
        #expect(SocketAddress(text)?.description == printed)
    }

    @Test(arguments: [
        "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:http", "127.0.0.1: 80", "127.0.0.1:80 ", "127.0.0.1:0x50", "localhost:80",
        "::1:80", "[::1]", "[::1]:", "[::1:80", "::1]:80", "[]:80", "[[::1]]:80", "[127.0.0.1]:80",
        "[::1] :80", "[::1]x:80", "127.0.0.1:+80", "127.0.0.1:80:80", "127.0.0.1\u{0}:80",
        "127.0.0.1:\u{663}",
    ])
    func `what is not an address and port is not read`(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func `an address tells its parts`() {
        let address = SocketAddress.ip(.loopback6, port: 7)
        #expect(address.ipAddress == .loopback6)
        #expect(address.port == 7)
        #expect(SocketAddress.unix(path: "/x").ipAddress == nil)
        #expect(SocketAddress.unix(path: "/x").port == nil)
    }

    @Test func `another port leaves the rest of an address`() {
        #expect(SocketAddress.any(port: 0).with(port: 9) == .any(port: 9))
        #expect(SocketAddress.unix(path: "/x").with(port: 9) == .unix(path: "/x"))
        #expect(SocketAddress.unnamed.with(port: 9) == .unnamed)
    }

    @Test func `Unix addresses print as path, name or the lack of one`() {
        #expect(SocketAddress.unix(path: "/run/socket").description == "/run/socket")
        #expect(SocketAddress.abstract(name: Array("bus".utf8)).description == "@bus")
        #expect(SocketAddress.unnamed.description == "unnamed")
    }

    // MARK: The kernel's form

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1"])
    func `the kernel gives a bound IP address back`(text: String) throws {
        let address = SocketAddress.ip(try #require(IPAddress(text)), port: 0)
        let socket = try Socket(for: address)
        try socket.bind(to: address)
        let bound = try socket.localAddress
        #expect(bound.ipAddress == address.ipAddress)
        #expect(bound.port ?? 0 != 0)
    }

    @Test func `the port is in the order that the kernel wants`() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.listen(backlog: 1)
        let port = try #require(try listener.localAddress.port)
        let client = try Socket.connecting(to: .loopback(port: port))
        let peer = try client.peerAddress
        #expect(peer == .loopback(port: port))
        let accepted = try listener.accept()?.peer
        let own = try client.localAddress
        #expect(accepted == own)
    }

    @Test func `the kernel gives a bound path back`() throws {
        try withPath(to: "s\u{F6}cket") { path in
            let address = SocketAddress.unix(path: path)
            let socket = try Socket(for: address)
            try socket.bind(to: address)
            let bound = try socket.localAddress
            #expect(bound == address)
        }
    }

    // P2
    @Test func `a path of 107 bytes is the longest there is`() throws {
        try withPath(to: "socket", byteCount: 107) { path in
            let longest = SocketAddress.unix(path: path)
            let tooLong = SocketAddress.unix(path: path + "x")
            let socket = try Socket(for: longest)
            #expect(throws: SocketError(.bind, .nameTooLong, at: tooLong)) {
                try socket.bind(to: tooLong)
            }
            try socket.bind(to: longest)
            let bound = try socket.localAddress
            #expect(bound == longest)
        }
    }

    @Test func `a path that is too long names the operation that it was for`() throws {
        let tooLong = SocketAddress.unix(path: String(repeating: "x", count: 108))
        let socket = try Socket(for: tooLong)
        #expect(throws: SocketError(.connect, .nameTooLong, at: tooLong)) {
            _ = try socket.connect(to: tooLong)
        }
    }

    @Test(arguments: ["", "/tmp/a\u{0}b"])
    func `a path that is empty or holds a zero is refused`(path: String) throws {
        let address = SocketAddress.unix(path: path)
        let socket = try Socket(for: address)
        #expect(throws: SocketError(.bind, .invalidArgument, at: address)) {
            try socket.bind(to: address)
        }
    }

    @Test func `an abstract name may hold any bytes`() throws {
        let name = [0, 0xFF, 0x80, 0] + Array("\(getpid())".utf8)
        let address = SocketAddress.abstract(name: name)
        let socket = try Socket(for: address)
        try socket.bind(to: address)
        let bound = try socket.localAddress
        #expect(bound == address)
    }

    @Test func `an abstract name of 107 bytes is the longest there is`() throws {
        let longest = SocketAddress.abstract(name: [UInt8](repeating: 0x78, count: 107))
        let tooLong = SocketAddress.abstract(name: [UInt8](repeating: 0x78, count: 108))
        let socket = try Socket(for: longest)
        #expect(throws: SocketError(.bind, .nameTooLong, at: tooLong)) {
            try socket.bind(to: tooLong)
        }
        try socket.bind(to: longest)
        let bound = try socket.localAddress
        #expect(bound == longest)
    }

    // N20
    @Test func `a socket that is bound without a name is given one`() throws {
        let socket = try Socket(for: .unnamed)
        try socket.bind(to: .unnamed)
        guard case .abstract(let name) = try socket.localAddress else {
            Issue.record("the kernel gave no abstract name")
            return
        }
        #expect(name.count == 5)
    }

    @Test func `the ends of a pair are unnamed`() throws {
        let pair = try Socket.makePair()
        let names = (try pair.first.localAddress, try pair.first.peerAddress)
        #expect(names.0 == .unnamed)
        #expect(names.1 == .unnamed)
    }

    // MARK: Ranges

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3/8", "10.9.9.9", true), ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.6", false), ("192.0.2.7/32", "192.0.2.7", true),
        ("192.0.2.4/31", "192.0.2.5", true), ("192.0.2.4/31", "192.0.2.6", false),
        ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "::1", false),
        ("128.0.0.0/1", "127.255.255.255", false), ("128.0.0.0/1", "200.0.0.1", true),
        ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false),
        ("2001:db8::/64", "2001:db8::ffff:0:0:1", true), ("2001:db8::/64", "2001:db8:0:1::", false),
        ("2001:db8::/65", "2001:db8::7fff:0:0:1", true),
        ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::1", "::1", true),
        ("::1/128", "::2", false), ("::/0", "ffff::1", true), ("::/0", "1.2.3.4", false),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("10.0.0.0/8", "::ffff:11.1.1.1", false),
        ("::ffff:10.0.0.0/104", "10.1.1.1", true), ("::ffff:10.0.0.0/104", "11.1.1.1", false),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.1.1", true), ("::ffff:0.0.0.0/96", "9.9.9.9", true),
        ("fe80::1", "fe80::1%3", true),
    ])
    func `a block holds the addresses that share its first bits`(
        block: String, candidate: String, isHeld: Bool
    ) throws {
        let range = try #require(AddressRange(block))
        #expect(range.contains(try #require(IPAddress(candidate))) == isHeld)
    }

    @Test func `one address alone is a block of one`() {
        #expect(AddressRange("192.0.2.7")?.prefixLength == 32)
        #expect(AddressRange("::1")?.prefixLength == 128)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0", "10/8", "::/129", "::/", "example.org/8", "10.0.0.0 /8",
        "10.0.0.0/ 8", "10.0.0.0/+8", "10.0.0.0\u{0}/8",
    ])
    func `what is not a block is not read`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    // MARK: Endpoints

    // W15
    @Test func `a host that is written as a number needs no look-up`() {
        #expect(Endpoint.host("127.0.0.1", port: 5).numericAddress == .loopback(port: 5))
        #expect(Endpoint.host("::1", port: 5).numericAddress == .ip(.loopback6, port: 5))
        #expect(Endpoint.address(.unix(path: "/x")).numericAddress == .unix(path: "/x"))
    }

    @Test(arguments: ["localhost", "", "127.0.0.1.", "127.1", "1.2.3.4\u{0}.example"])
    func `a name needs a look-up`(name: String) {
        #expect(Endpoint.host(name, port: 5).numericAddress == nil)
    }

    @Test func `an endpoint prints as name and port, or as its address`() {
        #expect(Endpoint.host("example.org", port: 80).description == "example.org:80")
        #expect(Endpoint.address(.loopback(port: 80)).description == "127.0.0.1:80")
    }

    @Test func `a host that is an IPv6 address prints in brackets`() {
        #expect(Endpoint.host("2001:db8::1", port: 80).description == "[2001:db8::1]:80")
    }
}

/// Lends a path, padded to `byteCount` bytes, in a folder of its own; both are gone afterwards.
private func withPath(
    to name: String, byteCount: Int = 0, _ body: (String) throws -> Void
) throws {
    let folder = "/tmp/sluice-\(getpid())"
    try #require(mkdir(folder, 0o700) == 0)
    let bare = "\(folder)/\(name)"
    let path = bare + String(repeating: "x", count: max(0, byteCount - bare.utf8.count))
    defer {
        unlink(path)
        rmdir(folder)
    }
    try body(path)
}
