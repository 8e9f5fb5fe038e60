// SPDX-License-Identifier: Apache-2.0
//
// Addresses of all families: to the kernel's form and back, and by real sockets where this machine
// lets anybody have them.

import Glibc
import TestSupport
import Testing

@testable import Sluice

private let hasIPv6 = SocketRequest(.ipv6, .datagram, is: .udp).isPossible
private let hasVSock = SocketRequest(.vsock, .stream, is: .usual).isPossible
private let hasPacket = SocketRequest(.packet, .datagram, is: .usual).isPossible

/// Addresses of each family, with every part set.
private let addresses: [SocketAddress] = [
    .loopback(port: 80), .any(port: 0), .broadcast(port: 65_535),
    .ip(.loopback6, port: 443),
    .ip(.v6(high: 0xFE80_0000_0000_0000, low: 1, scope: 7), port: 9),
    .flow(.loopback6, port: 7, information: 0x0ABC_DEF1),
    .flow(.v6(high: 0xFE80_0000_0000_0000, low: 1, scope: 3), port: 7, information: 1),
    .unix(path: "/run/z\u{E4}hler"), .abstract(name: Array("bus".utf8)),
    .abstract(name: [0, 0, 7]), .abstract(name: []), .unnamed,
    .netlink(port: 0, groups: 0), .netlink(port: 4_711, groups: 0x8000_0001),
    .vsock(contextID: 2, port: 1_024), .vsock(contextID: .max, port: .max),
    .packet(LinkAddress(protocolNumber: 0x0800, interface: 3)),
    .packet(
        LinkAddress(
            protocolNumber: 3, interface: .max, hardwareAddress: [2, 0, 0, 0, 0, 1],
            hardwareType: 772, packetType: .outgoing)),
    .packet(
        LinkAddress(
            protocolNumber: 0, interface: 0, hardwareAddress: pattern(8), packetType: .other)),
    .other(family: .can, bytes: [1, 2, 3, 4, 5, 6]),
    .other(family: AddressFamily(rawValue: 200), bytes: pattern(126)),
    .other(family: AddressFamily(rawValue: 200), bytes: []),
    .other(family: .unix, bytes: [0x2F, 0xFF, 0xFE, 0]),
]

@Suite(.countingDescriptors)
struct FamiliesOfAddresses {
    // MARK: The kernel's form

    // P2, P3, P7, N20
    @Test(arguments: addresses)
    func `an address goes to the kernel's form and comes back`(address: SocketAddress) throws {
        let form = try address.kernelForm()
        #expect(SocketAddress(form.storage, length: form.length) == address)
    }

    @Test(arguments: addresses)
    func `an address that is cut off is never taken for a whole one`(
        address: SocketAddress
    ) throws {
        let form = try address.kernelForm()
        for length in 0..<form.length {
            let cut = SocketAddress(form.storage, length: length)
            if length < 2 {
                #expect(cut == .unnamed)
            } else {
                #expect(cut.family == address.family)
                // What Unix names and hardware addresses have behind their end is nothing.
                #expect(cut != address || [.unix, .packet].contains(address.family))
            }
        }
    }

    @Test func `whatever the kernel says is an address that can be said again, or is too long`() {
        var lottery = Lottery(seed: 20)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...128, using: &lottery)).map { _ in
                UInt8.random(in: 0...255, using: &lottery)
            }
            if let family = addresses.randomElement(using: &lottery)?.family, bytes.count >= 2 {
                bytes[0] = UInt8(truncatingIfNeeded: family.rawValue)
                bytes[1] = 0
            }
            let address = bytes.withUnsafeBytes { SocketAddress.read($0) }
            do throws(ErrorCode) {
                let form = try address.kernelForm()
                #expect(SocketAddress(form.storage, length: form.length) == address)
            } catch {
                #expect(error == .nameTooLong)
            }
        }
    }

    // P5
    @Test(arguments: [
        SocketAddress.other(family: AddressFamily(rawValue: 200), bytes: pattern(127)),
        .packet(LinkAddress(protocolNumber: 0, interface: 1, hardwareAddress: pattern(9))),
        .unix(path: String(repeating: "x", count: 108)),
        .abstract(name: [UInt8](repeating: 1, count: 108)),
    ])
    func `an address that does not fit is refused`(address: SocketAddress) throws {
        #expect(throws: ErrorCode.nameTooLong) { _ = try address.kernelForm() }
        let socket = try Socket(family: .unix, kind: .datagram)
        #expect(throws: SocketError(.bind, .nameTooLong, at: address)) {
            try socket.bind(to: address)
        }
        #expect(throws: SocketError(.connect, .nameTooLong, at: address)) {
            _ = try socket.connect(to: address)
        }
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .nameTooLong, at: address)) {
            _ = try socket.send(byte.span.bytes, to: address)
        }
    }

    // P2, P3
    @Test(arguments: [
        (SocketAddress.flow(.loopback6, port: 7, information: 16), "[::1]:7/16"),
        (.netlink(port: 5, groups: 0), "netlink:5"), (.netlink(port: 5, groups: 3), "netlink:5/3"),
        (.vsock(contextID: 2, port: 80), "vsock:2:80"),
        (.packet(LinkAddress(protocolNumber: 3, interface: 2)), "packet:2"),
        (.other(family: .can, bytes: [0, 10, 255]), "can:000aff"),
        (.other(family: AddressFamily(rawValue: 200), bytes: []), "family 200:"),
    ])
    func `addresses print on one line`(address: SocketAddress, text: String) {
        #expect(address.description == text)
    }

    @Test func `the port and the host of an address with flow information are its own`() {
        let address = SocketAddress.flow(.loopback6, port: 7, information: 16)
        #expect(address.port == 7)
        #expect(address.ipAddress == .loopback6)
        #expect(address.with(port: 9) == .flow(.loopback6, port: 9, information: 16))
        #expect(address.family == .ipv6)
    }

    // MARK: Real sockets

    // N20
    @Test func `the kernel gives a netlink socket its port, and names it`() throws {
        let first = try Socket(family: .netlink, kind: .raw)
        try first.bind(to: .netlink(port: 0, groups: 0))
        let name = try first.localAddress
        guard case .netlink(let port, groups: 0) = name else {
            Issue.record("\(name) is no name of netlink's")
            return
        }
        #expect(port != 0)
        let second = try Socket(family: .netlink, kind: .raw)
        #expect(throws: SocketError(.bind, .addressInUse, at: name)) {
            try second.bind(to: name)
        }
        let result = try first.connect(to: .netlink(port: 0, groups: 0))
        let peer = try first.peerAddress
        #expect(result == .connected)
        #expect(peer == .netlink(port: 0, groups: 0))
        let text = first.description
        #expect(text == "socket \(first.number), netlink raw, \(name) to netlink:0")
    }

    // N20
    @Test(.enabled(if: hasVSock))
    func `the kernel gives a socket of virtual machines its port`() throws {
        let any = SocketAddress.vsock(contextID: .max, port: .max)
        let socket = try Socket(for: any)
        try socket.bind(to: any)
        let name = try socket.localAddress
        guard case .vsock(contextID: .max, let port) = name else {
            Issue.record("\(name) is no name of a virtual machine's socket")
            return
        }
        #expect(port != .max)
    }

    // N20
    @Test(.enabled(if: hasPacket))
    func `a packet socket tells the interface, protocol and hardware of frames`() throws {
        let interface = if_nametoindex("lo")
        let everything = LinkAddress(protocolNumber: 3, interface: interface)
        let socket = try Socket(for: .packet(everything), kind: .datagram)
        try socket.bind(to: .packet(everything))
        guard case .packet(let own) = try socket.localAddress else {
            Issue.record("the socket has another name")
            return
        }
        #expect(own.interface == interface)
        #expect(own.protocolNumber == 3)
        #expect(own.hardwareType == 772)
        #expect(own.hardwareAddress == [0, 0, 0, 0, 0, 0])
        try DatagramEnds().send("framed")
        var frame = try socket.arrived(room: 2_000)
        // Connections of other tests may still say their farewell.
        for _ in 0..<1_000 where !frame.text.hasSuffix("framed") {
            frame = try socket.arrived(room: 2_000)
        }
        #expect(frame.text.hasSuffix("framed"))
        guard case .packet(let origin)? = frame.sender else {
            Issue.record("the frame tells no sender")
            return
        }
        #expect(origin.interface == interface)
        #expect(origin.protocolNumber == 0x0800)
        #expect([.host, .outgoing].contains(origin.packetType))
    }

    // N20
    @Test(.enabled(if: hasIPv6), arguments: [0x0100_0000, 0x0001_2345] as [UInt32])
    func `flow information is told where it is asked for`(information: UInt32) throws {
        let socket = try Socket(family: .ipv6, kind: .datagram)
        try socket.set(.ipv6SendFlowInfo, to: true)
        let address = SocketAddress.flow(.loopback6, port: 9, information: information)
        _ = try socket.connect(to: address)
        let peer = try socket.peerAddress
        #expect(peer == address)
    }

    // N20
    @Test(.enabled(if: hasIPv6))
    func `flow information is left out where it is not asked for`() throws {
        let socket = try Socket(family: .ipv6, kind: .datagram)
        _ = try socket.connect(to: .flow(.loopback6, port: 9, information: 0x0100_0000))
        let peer = try socket.peerAddress
        #expect(peer == .ip(.loopback6, port: 9))
    }

    // P2, N20
    @Test func `a path that is not UTF-8 is bound, told and connected to`() throws {
        let folder = try TemporaryFolder()
        let path = Array("\(folder.path)/".utf8) + [0xFF, 0xFE]
        defer { path.withUnsafeBytes { unlink(path: $0) } }
        let address = SocketAddress.other(family: .unix, bytes: path + [0])
        let listener = try Socket(for: address)
        try listener.bind(to: address)
        try listener.listen()
        let name = try listener.localAddress
        #expect(name == address)
        let client = try Socket(for: name)
        let result = try client.connect(to: name)
        let peer = try client.peerAddress
        #expect(result == .connected)
        #expect(peer == address)
    }

    private func unlink(path: UnsafeRawBufferPointer) {
        let text = Array(path) + [0]
        text.withUnsafeBytes { bytes in
            if let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress {
                Glibc.unlink(start)
            }
        }
    }

    // N20
    @Test func `an abstract name may be empty, which is not to have none`() throws {
        let socket = try Socket(for: .abstract(name: []))
        try socket.bind(to: .abstract(name: []))
        let name = try socket.localAddress
        #expect(name == .abstract(name: []))
    }

    // P3
    @Test(arguments: [
        SocketAddress.unix(path: "/tmp/x"), .netlink(port: 0, groups: 0),
        .vsock(contextID: 2, port: 80), .other(family: .can, bytes: pattern(14)),
    ])
    func `an address of another family is refused by the kernel`(address: SocketAddress) throws {
        let socket = try Socket(family: .ipv4, kind: .stream)
        let error = #expect(throws: SocketError.self) { try socket.bind(to: address) }
        #expect(error?.operation == .bind)
        #expect(error?.address == address)
    }

    @Test func `no family makes all addresses larger, for each channel holds one`() {
        #expect(MemoryLayout<SocketAddress>.size == 24)
    }
}
