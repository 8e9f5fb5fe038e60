// SPDX-License-Identifier: Apache-2.0
//
// IP addresses as bytes both ways, in the old spellings of IPv4, and with interfaces.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct PackingAddresses {
    // MARK: Bytes

    // N33
    @Test(arguments: [
        ("1.2.3.4", [1, 2, 3, 4]), ("0.0.0.0", [0, 0, 0, 0]), ("255.0.128.1", [255, 0, 128, 1]),
        ("::", [UInt8](repeating: 0, count: 16)),
        ("102:304:506:708:90a:b0c:d0e:f10", Array(1...16)),
        ("::ffff:1.2.3.4", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4]),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", [UInt8](repeating: 255, count: 16)),
    ])
    func `bytes are in the order of the network, both ways`(text: String, bytes: [UInt8]) {
        #expect(IPAddress(text)?.packed == bytes)
        #expect(IPAddress(packed: bytes) == IPAddress(text))
    }

    // N33
    @Test func `only 4 and 16 bytes are an address`() {
        for count in 0...40 {
            let address = IPAddress(packed: [UInt8](repeating: 1, count: count))
            #expect((address != nil) == (count == 4 || count == 16), "\(count) bytes")
        }
        #expect(IPAddress(packed: [UInt8](repeating: 1, count: 100_000)) == nil)
    }

    @Test func `a part of other bytes is an address`() {
        let bytes: [UInt8] = Array(0...63)
        #expect(IPAddress(packed: bytes[5..<9]) == IPAddress("5.6.7.8"))
        #expect(IPAddress(packed: bytes[1..<17]) == IPAddress("102:304:506:708:90a:b0c:d0e:f10"))
        #expect(IPAddress(packed: bytes.lazy.filter { $0 < 4 }) == IPAddress("0.1.2.3"))
    }

    @Test func `an interface is not among the bytes`() throws {
        let address = try #require(IPAddress("fe80::1%7"))
        #expect(IPAddress(packed: address.packed) == IPAddress("fe80::1"))
    }

    // P4
    @Test func `the broadcast address is all ones`() {
        #expect(IPAddress.broadcast.description == "255.255.255.255")
        #expect(IPAddress.broadcast.packed == [255, 255, 255, 255])
    }

    // MARK: Old spellings

    // N33
    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("127.1", "127.0.0.1"), ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("0X7F000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"), ("017700000001", "127.0.0.1"), ("010.0.0.1", "8.0.0.1"),
        ("0", "0.0.0.0"), ("0.0", "0.0.0.0"), ("00", "0.0.0.0"), ("0x0", "0.0.0.0"),
        ("4294967295", "255.255.255.255"), ("037777777777", "255.255.255.255"),
        ("1.16777215", "1.255.255.255"), ("1.2.65535", "1.2.255.255"), ("1.2.3.255", "1.2.3.255"),
        ("0xff.0377.255", "255.255.0.255"), ("0000000000000000000000000000001", "0.0.0.1"),
    ])
    func `an old spelling of IPv4 is read`(text: String, address: String) {
        #expect(IPAddress(classicText: text)?.description == address)
    }

    // N33
    @Test(arguments: [
        "", " ", ".", "1.", ".1", "1..2", "1.2.3.4.", "1.2.3.4.5", "1.2.3.4.5.6", "4294967296",
        "040000000000", "0x100000000", "256.1", "1.256.1", "1.16777216", "1.2.65536", "1.2.3.256",
        "08", "09.1", "0x", "0x.1", "1.0x", "0xg", "00x1", "0b1", "1e3", "a", "localhost", "-1",
        "+1", "1.-2", "1.+2", "0x-1", "0x+1", " 127.1", "127.1 ", "127.1\n", "127.1\t", "127.1 x",
        "127. 1", "127.1\u{0}", "127.1\u{0}x", "127.1%lo", "127.1/8", "127.1:80", "::1",
        "\u{661}.1", "\u{FF11}.1", "1.\u{301}1", "0x\u{301}1", "1\u{301}", "127\u{3002}1",
        "99999999999999999999999999", "0xffffffffffffffffffffffffff",
    ])
    func `what is no old spelling is not read`(text: String) {
        #expect(IPAddress(classicText: text) == nil)
    }

    @Test func `endless text is refused`() {
        for piece in ["1.", "0", "9", ".", "0x", "f", ":", "1:", "%"] {
            let text = String(repeating: piece, count: 100_000) + "x"
            #expect(IPAddress(classicText: text) == nil)
            #expect(IPAddress(text) == nil)
        }
    }

    // MARK: Interfaces

    // N20
    @Test(arguments: ["fe80::1", "ff02::1", "ff05::2", "::1", "2001:db8::1"])
    func `any IPv6 address may have an interface, by name or number`(text: String) throws {
        let index = if_nametoindex("lo")
        try #require(index != 0)
        let named = try #require(IPAddress(text + "%lo"))
        #expect(named == IPAddress("\(text)%\(index)"))
        #expect(named.description == "\(text)%\(index)")
        #expect(named != IPAddress(text))
    }

    // N20
    @Test(arguments: [
        "fe80::1%", "fe80::1%0", "fe80::1%4294967296", "::1%99999999999", "1.2.3.4%lo", "1.2.3.4%1",
        "%lo", "%", "fe80::1%lo%lo", "fe80::1%%lo", "fe80::1%lo:1", "fe80::1%lo:", "fe80::1% lo",
        "fe80::1%lo ", "fe80::1%lo\n", "fe80::1%\u{661}", "fe80::1%LO", "fe80::1%lo/64",
        "fe80::1%sixteenbytesname", "fe80::1%lo\u{0}", "fe80::1%\u{0}", "fe80::1\u{0}%lo",
        "[fe80::1%lo]", "fe80::1%lo\u{301}", "fe80::1%\u{301}lo", "fe80::1\u{FF05}lo",
    ])
    func `what is no interface makes no address`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `the highest number of an interface is read`() {
        #expect(IPAddress("fe80::1%4294967295")?.description == "fe80::1%4294967295")
        #expect(IPAddress("fe80::1%007")?.description == "fe80::1%7")
    }

    // MARK: Blocks

    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3/0", "0.0.0.0/0"),
        ("192.0.2.7", "192.0.2.7/32"), ("192.0.2.7/31", "192.0.2.6/31"),
        ("255.255.255.255/1", "128.0.0.0/1"), ("fe80::1/10", "fe80::/10"), ("::1", "::1/128"),
        ("::1/0", "::/0"), ("ffff::1/1", "8000::/1"), ("2001:db8::f:0:0:1/64", "2001:db8::/64"),
        ("2001:db8::ffff:0:0:1/65", "2001:db8:0:0:8000::/65"), ("::7/127", "::6/127"),
        ("::ffff:10.1.2.3/104", "::ffff:10.0.0.0/104"), ("fe80::1%7/64", "fe80::/64"),
        ("::ffff:1.2.3.4/95", "::fffe:0:0/95"),
    ])
    func `a block prints as its first address and its prefix`(text: String, printed: String) throws
    {
        let range = try #require(AddressRange(text))
        #expect(range.description == printed)
        #expect(AddressRange(printed) == range)
        #expect(range.contains(range.address))
    }

    @Test func `blocks are equal whatever address inside of them was given`() {
        #expect(AddressRange("10.1.2.3/8") == AddressRange("10.200.0.0/8"))
        #expect(AddressRange("10.0.0.0/8") != AddressRange("10.0.0.0/9"))
        #expect(AddressRange("fe80::1%1/64") == AddressRange("fe80::2%2/64"))
    }

    @Test(arguments: [
        ("::ffff:1.2.3.4/95", "::fffe:1.2.3.4", true), ("::ffff:1.2.3.4/95", "::fffd:0:0", false),
        ("::ffff:1.2.3.4/95", "1.2.3.4", false), ("::ffff:1.2.3.4/96", "200.0.0.1", true),
        ("::ffff:1.2.3.4/128", "1.2.3.4", true), ("::ffff:1.2.3.4/128", "1.2.3.5", false),
        ("::/0", "::ffff:1.2.3.4", false), ("0.0.0.0/0", "::ffff:1.2.3.4", true),
    ])
    func `IPv4-mapped blocks and addresses are IPv4's`(
        block: String, candidate: String, isHeld: Bool
    ) throws {
        let range = try #require(AddressRange(block))
        #expect(range.contains(try #require(IPAddress(candidate))) == isHeld)
    }
}
