// SPDX-License-Identifier: Apache-2.0
//
// Texts of addresses, good and bad, for us and for Python: made by rules, and listed where none fits.
// How many of each there are is part of the test, so that none gets lost.

/// Texts of addresses.
enum AddressTexts {
    /// What is an address by inet_pton(3), without an interface.
    static let wellFormed: [String] = [
        edges, compressed, withTails, spelledOut, inFull, listed,
    ].flatMap { $0 }
    /// What is none by inet_pton(3), without a percent sign; some are old spellings of IPv4.
    static let malformed: [String] = [
        strays, zeros, numbers, groups, wrongCounts, doubledGaps, emptyGaps, tails,
        oldSpellings.map(\.text), unlisted,
    ].flatMap { $0 }
    /// Addresses with something behind a percent sign.
    static let zoned: [String] = bases.flatMap { base in zones.map { base + "%" + $0 } }

    private static let eight: [String] = ["1", "20", "300", "4000", "a", "bb", "ccc", "dddd"]
}

// MARK: - Well formed

extension AddressTexts {
    /// Each of IPv4's numbers where it has one digit more or less, or is at its bounds.
    private static let edges: [String] = inNumbers(
        "0", "1", "9", "10", "19", "99", "100", "109", "199", "200", "249", "250", "254", "255")

    /// Every run of groups left out.
    private static let compressed: [String] = gaps(in: eight)

    /// Every run of groups left out before an IPv4 address, and none.
    private static let withTails: [String] =
        [colons(eight[..<6]) + ":192.0.2.33"]
        + gaps(in: Array(eight[..<6])).map { text in
            text + (text.hasSuffix(":") ? "192.0.2.33" : ":192.0.2.33")
        }

    /// Every run of groups left out, in capitals and with leading zeros.
    private static let spelledOut: [String] = gaps(
        in: eight.map { String(repeating: "0", count: 4 - $0.count) + $0.uppercased() })

    /// Every choice of groups that are 0, none of them left out.
    private static let inFull: [String] = (0..<256).map { choice in
        colons(eight.indices.map { choice >> $0 & 1 == 0 ? "0" : eight[$0] })
    }

    private static let listed: [String] = [
        "::", "::0", "0::", "0::0", "0:0::", "::0:0", "::1", "0::1", "::0001", "1::", "::0.0.0.0",
        "::0.0.0.1", "::1.2.3.4", "::255.255.255.255", "::ffff:1.2.3.4", "::FFFF:1.2.3.4",
        "::ffff:0.0.0.0", "::ffff:255.255.255.255", "::ffff:c000:201", "0:0:0:0:0:ffff:1.2.3.4",
        "0::ffff:1.2.3.4", "::ffff:0:1.2.3.4", "::fffe:1.2.3.4", "1::ffff:1.2.3.4",
        "64:ff9b::1.2.3.4", "64:ff9b:1::1", "2002:c000:201::", "2001:0::1", "fe80::", "febf::1",
        "fec0::1", "fc00::", "FDff::1", "ff01::1", "ff02::1", "FF02::1:FF00:0", "ff0e::1:2",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "FfFf::fFfF", "2001:db8::", "2001:DB8::A:b",
        "1:0:0:2:0:0:0:3", "1:0:0:0:2:0:0:3", "1:0:0:2:3:0:0:4", "0.0.0.0", "255.255.255.255",
        "127.0.0.1", "10.0.0.0", "224.0.0.1", "239.255.255.255", "169.254.169.254",
    ]

    /// The groups with every run of them left out.
    private static func gaps(in groups: [String]) -> [String] {
        groups.indices.flatMap { start in
            (start + 1...groups.count).map { end in
                colons(groups[..<start]) + "::" + colons(groups[end...])
            }
        }
    }
}

// MARK: - Malformed

extension AddressTexts {
    /// A character in every place where it does not belong.
    private static let strays: [String] = ["192.0.2.1", "2001:db8::1"].flatMap { text in
        [
            " ", "\n", "\r\n", "\t", "\u{0}", "g", "x", "/", "-", "+", "[", "]", "_", "\u{301}",
            "\u{E9}", "\u{663}", "\u{FF11}", "\u{FF05}", "\u{A0}", "\u{200B}", "\u{1F600}",
        ].flatMap { (stray: String) in
            (0...text.count).map { "\(text.prefix($0))\(stray)\(text.dropFirst($0))" }
        }
    }

    /// Leading zeros in each of IPv4's numbers, which inet_aton(3) takes for octal.
    private static let zeros: [String] = inNumbers("00", "000", "01", "001", "010", "0255", "08")

    /// What is no number of IPv4's, in the place of each.
    private static let numbers: [String] = inNumbers(
        "", "256", "300", "999", "1000", "4294967297", "a", "ff", "0x", "0xg", "1e1", "*")

    /// What is no group, in the place of each.
    private static let groups: [String] = eight.indices.flatMap { place in
        ["00000", "12345", "fffff", "g", "0x1", "1.", "."].map {
            colons(replacing(place, of: eight, with: $0))
        }
    }

    /// Too few groups, and too many.
    private static let wrongCounts: [String] = [2, 3, 4, 5, 6, 7, 9, 10, 11, 16].map {
        colons((eight + eight)[..<$0])
    }

    /// Two gaps in one address.
    private static let doubledGaps: [String] = (0...5).flatMap { first in
        (first...5).map { second in
            let parts = [eight[..<first], eight[first..<second], eight[second..<5]]
            return parts.map(colons).joined(separator: "::")
        }
    }

    /// A gap that leaves out nothing, and one of three colons.
    private static let emptyGaps: [String] = (0...8).flatMap { place in
        ["::", ":::"].map { colons(eight[..<place]) + $0 + colons(eight[place...]) }
    }

    /// An IPv4 address within IPv6 where it can't stand, and what is none where one can.
    private static let tails: [String] =
        (0..<6).map { colons(replacing($0, of: Array(eight[..<7]), with: "1.2.3.4")) } + [
            "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "1:2:3:4:5:6::1.2.3.4", "::1.2.3",
            "::1.2.3.4.5", "::256.1.1.1", "::01.2.3.4", "::1.2.3.04", "::ffff:1.2.3.00",
            "::1.2.3.", "::1.2.3.4:", "::1.2.3.4:5", "::1.2.3.4::", "1.2.3.4::", "1.2.3.4:1::",
            "::.1.2.3", "::1..2.3", "::ffff:127.1", "::ffff:0x7f.0.0.1", "::ffff:2130706433.",
            "::a.b.c.d", "1.2.3.4:1.2.3.4", "::1.2.3.4.", "::1.2.3.4/96", ":1.2.3.4",
            "::ffff:1.2.3.4 ", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", ":1::", "::1:", "1::2:", ":1::2",
            ":", ":::",
        ]

    private static let unlisted: [String] = [
        "", "localhost", "example.org", "1.2.3.4.example", ".", "..", "...", "1.2.3.4.", ".1.2.3.4",
        "1..2.3.4", "1.2.3.4..", "1,2,3,4", "1.2.3.4:80", "1.2.3.4:", "1.2.3.4/8", "1.2.3.4/32",
        "[1.2.3.4]", "[::1]", "[::1]:80", "[::1", "::1]", "::1/128", "(::1)", "::1,",
        "http://[::1]", "1.2.3.4.5", "1.2.3.4.5.6.7.8", "1.2.3.256", "-1.2.3.4", "1.2.3.-4",
        "+1.2.3.4", "1 .2.3.4", "0x7f.0.0.0.1", "0x1ffffffff", "4294967296", "1.16777216",
        "1.2.65536", "256.1", "1.256.1",
        "08", "1.09", "0x", "0X", "00x1", "0b1", "0o1", "0xx1", "x1", "1.0x", "1.2.3.0x", "0x-1",
        "1e3", "0x1p3", "1_000", "1.2.3.4\u{0}", "\u{0}", "\u{0}1.2.3.4", "::1\u{0}", "::\u{0}1",
        "\u{663}.2.3.4", "\u{FF11}.\u{FF12}.\u{FF13}.\u{FF14}", "1\u{3002}2\u{3002}3\u{3002}4",
        "\u{B9}.1.1.1", "\u{2460}.1.1.1", "\u{966}.0.0.1", "::\u{FF11}", "::\u{661}", "\u{FEFF}::1",
        "\u{1D7D9}.2.3.4", "1.2.3.4\u{85}", "\u{2003}::1", ":\u{2236}1", "\u{FF1A}\u{FF1A}1",
        String(repeating: "1.", count: 1_000) + "1", String(repeating: "1:", count: 1_000) + "1",
        String(repeating: "f", count: 10_000), String(repeating: ":", count: 1_000),
        String(repeating: "9", count: 1_000), "0x" + String(repeating: "f", count: 1_000),
        "1.2.3." + String(repeating: "0", count: 1_000) + "x",
        "::" + String(repeating: "0", count: 1_000) + "1",
    ]
}

// MARK: - Making texts

extension AddressTexts {
    /// Each of the parts in each of the places of IPv4's four numbers.
    private static func inNumbers(_ parts: String...) -> [String] {
        (0..<4).flatMap { place in
            parts.map {
                replacing(place, of: ["1", "2", "3", "4"], with: $0).joined(separator: ".")
            }
        }
    }

    private static func replacing(_ place: Int, of parts: [String], with part: String) -> [String] {
        var parts = parts
        parts[place] = part
        return parts
    }

    private static func colons(_ groups: some Sequence<String>) -> String {
        groups.joined(separator: ":")
    }
}

// MARK: - Old spellings

extension AddressTexts {
    /// Old spellings of IPv4, with the address: each number of digits, in each notation.
    static let oldSpellings: [(text: String, value: UInt32)] =
        [0x7F00_0001, 0x0102_0304, 0xFFFF_FFFF, 0, 0x0A00_00FF].flatMap(allSpellings) + [
            ("127.1", 0x7F00_0001), ("0x7f.1", 0x7F00_0001), ("0177.0.0.0x1", 0x7F00_0001),
            ("1.0xFFffFF", 0x01FF_FFFF), ("00000000000000000000000000000000000017", 15),
            ("0x00000000000000000000000000000000000017", 23), ("255.0377.0xff.0255", 0xFFFF_FFAD),
        ]

    private static func allSpellings(of value: UInt32) -> [(text: String, value: UInt32)] {
        (1...4).flatMap { count in
            [("", 10), ("0", 8), ("000", 8), ("0x", 16), ("0X", 16)].compactMap { sign, radix in
                // This one is not old.
                if count == 4 && radix == 10 { return nil }
                return (spelling(of: value, count, sign, radix), value)
            }
        }
    }

    private static func spelling(
        of value: UInt32, _ count: Int, _ sign: String, _ radix: Int
    ) -> String {
        let bytes = (0..<count - 1).map { value >> UInt32(24 - 8 * $0) & 0xFF }
        let last = value & UInt32.max >> UInt32(8 * bytes.count)
        return (bytes + [last]).map { sign + String($0, radix: radix) }.joined(separator: ".")
    }
}

// MARK: - Interfaces

extension AddressTexts {
    private static let bases: [String] = [
        "fe80::1", "FEBF::A", "ff01::1", "ff02::1", "ff05::2", "::1", "::", "2001:db8::1",
        "fec0::1", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:7:8", "1.2.3.4", "127.1", "fe80:::1",
        "", "lo",
    ]

    private static let zones: [String] = [
        "1", "7", "007", "2147483648", "4294967295", "lo", "0", "00", "4294967296", "99999999999",
        "18446744073709551616", "", " ", " 1", "1 ", "-1", "+1", "1.0", "0x1", "1a", "LO", "lo ",
        " lo", "lo:", "lo:1", "lo/", "lo0000000000000", "nosuchinterface", "sixteenbytesname",
        "7%8", "%7", "%", "\u{663}", "\u{FF11}", "lo\u{0}", "1\u{0}", "\u{301}", "l\u{F6}", "1]",
        String(repeating: "0", count: 1_000) + "1", String(repeating: "lo", count: 1_000),
    ]
}
