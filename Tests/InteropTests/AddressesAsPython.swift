// SPDX-License-Identifier: Apache-2.0
//
// Addresses, interfaces and orders of bytes as Python's modules socket and ipaddress have them.
// One process is asked about all texts of a test, in hexadecimal digits, which any text survives.

import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct AddressesAsPython {
    // N33
    @Test func `what inet_pton takes, and what it refuses, is the same here`() throws {
        #expect(AddressTexts.wellFormed.count == 457)
        #expect(AddressTexts.malformed.count == 866)
        let wellFormed = try Answer.all(of: AddressTexts.wellFormed)
        for (text, answer) in zip(AddressTexts.wellFormed, wellFormed) {
            #expect(answer.parsed != nil, "\(text)")
            #expect(IPAddress(text).map { hexadecimal($0.packed) } == answer.parsed, "\(text)")
        }
        let malformed = try Answer.all(of: AddressTexts.malformed)
        for (text, answer) in zip(AddressTexts.malformed, malformed) {
            #expect(answer.parsed == nil, "\(text)")
            #expect(IPAddress(text) == nil, "\(text)")
        }
    }

    // N33
    @Test func `an address prints as inet_ntop prints it, and reads back`() throws {
        for (text, answer) in zip(
            AddressTexts.wellFormed, try Answer.all(of: AddressTexts.wellFormed))
        {
            let address = try #require(IPAddress(text))
            #expect(address.description == answer.printed, "\(text)")
            #expect(IPAddress(address.description) == address, "\(text)")
            #expect(IPAddress(packed: address.packed) == address, "\(text)")
        }
    }

    // The module prints IPv4 inside IPv6 in hexadecimal digits, or not, by its version; so that text
    // must only mean the same.
    @Test func `the module ipaddress takes, refuses and prints the same`() throws {
        let texts = AddressTexts.wellFormed + AddressTexts.malformed
        for (text, answer) in zip(texts, try Answer.all(of: texts)) where answer.knowsValues {
            let address = IPAddress(text)
            #expect(address.map { hexadecimal($0.packed) } == answer.value, "\(text)")
            #expect(answer.canonical.flatMap { IPAddress($0) } == address, "\(text)")
            if address?.description.contains(".") == false || address?.isIPv6 == false {
                #expect(address?.description == answer.canonical, "\(text)")
            }
        }
    }

    // It takes the old spellings of IPv4 too, so it stands against both of our initialisers together.
    // Python lets a zero byte end the text, so no such text is asked.
    @Test func `getaddrinfo takes the same numbers`() throws {
        let texts = AddressTexts.wellFormed + AddressTexts.malformed
        for (text, answer) in zip(texts, try Answer.all(of: texts))
        where !text.utf8.contains(0) {
            let address = IPAddress(text) ?? IPAddress(classicText: text)
            #expect(address.map { hexadecimal($0.packed) + "%0" } == answer.resolved, "\(text)")
        }
    }

    // The C library ignores what follows a blank, and we refuse it; without blanks they agree.
    // N33
    @Test func `old spellings are what inet_aton takes`() throws {
        #expect(AddressTexts.oldSpellings.count == 102)
        for spelling in AddressTexts.oldSpellings {
            #expect(IPAddress(classicText: spelling.text) == .v4(spelling.value), "\(spelling)")
        }
        let texts = AddressTexts.wellFormed + AddressTexts.malformed + AddressTexts.zoned
        for (text, answer) in zip(texts, try Answer.all(of: texts)) {
            let address = IPAddress(classicText: text)
            let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
            if text.utf8.contains(where: isBlank) {
                #expect(address == nil, "\(text)")
            } else {
                #expect(address.map { hexadecimal($0.packed) } == answer.classic, "\(text)")
            }
        }
    }

    // Only getaddrinfo looks interfaces up: inet_pton takes none, and ipaddress any. We differ from it
    // in three: it takes 0 for no interface, and we refuse that; it takes names with addresses of one
    // link alone, and we with all, such as groups of a site; the kernel reads a name up to a colon.
    // N20, N33
    @Test func `interfaces are what getaddrinfo takes`() throws {
        #expect(AddressTexts.zoned.count == 697)
        var agreed = 0
        for (text, answer) in zip(AddressTexts.zoned, try Answer.all(of: AddressTexts.zoned))
        where !text.utf8.contains(0) {
            let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
            let (base, zone) = (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
            let address = IPAddress(text)
            if ["0", "00"].contains(zone) || zone.hasPrefix("lo:") {
                #expect(address == nil, "\(text)")
            } else if zone == "lo" {
                let bare = IPAddress(base)
                let index = try NetworkInterface.index(of: "lo")
                let isOurs = bare?.isIPv6 == true
                #expect(address?.scoped == (isOurs ? bare.map { "\($0.digits)%\(index)" } : nil))
                if let resolved = answer.resolved { #expect(address?.scoped == resolved) }
            } else {
                #expect(address?.scoped == answer.resolved, "\(text)")
                agreed += answer.resolved == nil ? 0 : 1
            }
            if let address, answer.knowsValues { #expect(address.digits == answer.value) }
        }
        #expect(agreed == 72)
    }

    // Python's versions differ in blocks that IANA has changed since, and in IPv4-mapped addresses;
    // neither is asked here.
    @Test func `addresses have the purposes that the module ipaddress tells`() throws {
        for (text, answer) in zip(Self.purposeful, try Answer.all(of: Self.purposeful)) {
            #expect(try #require(IPAddress(text)).purposes == answer.purposes, "\(text)")
        }
    }

    // N34
    @Test func `python lists the same interfaces`() throws {
        let client = try CommandProcess.python(
            """
            for index, name in socket.if_nameindex():
                assert socket.if_nametoindex(name) == index
                print(index, socket.if_indextoname(index))
            """)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let lines = try NetworkInterface.all().map { "\($0.index) \($0.name)\n" }
        #expect(client.output.text == lines.joined())
    }

    // P18, N36
    @Test func `python orders bytes alike, and refuses the same numbers`() throws {
        let client = try CommandProcess.python(
            """
            import warnings
            warnings.simplefilter("error")

            def ordered(name, number):
                try:
                    return str(getattr(socket, name)(number))
                except (OverflowError, DeprecationWarning):
                    return "-"

            for number in sys.argv[1].split():
                print(*[ordered(name, int(number)) for name in "htons ntohs htonl ntohl".split()])
            """, Self.numbers.map(String.init).joined(separator: " "))
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let lines = Self.numbers.map { number in
            // What is refused prints as in the script.
            let two = [try? ByteOrder.htons(number), try? ByteOrder.ntohs(number)]
            let four = [try? ByteOrder.htonl(number), try? ByteOrder.ntohl(number)]
            let words = (two.map { $0.map(UInt32.init) } + four).map { $0.map { "\($0)" } ?? "-" }
            return words.joined(separator: " ") + "\n"
        }
        #expect(client.output.text == lines.joined())
    }

    private static let numbers = [
        0, 1, 2, 80, 255, 256, 258, 32_767, 32_768, 65_534, 65_535, 65_536, 65_537, 16_777_216,
        2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, .max, -1, -65_536, .min,
    ]

    private static let purposeful = """
        0.0.0.0 0.0.0.1 0.255.255.255 1.0.0.0 1.1.1.1 9.255.255.255 10.0.0.0 10.255.255.255 11.0.0.0
        100.63.255.255 100.64.0.0 100.127.255.255 100.128.0.0 126.255.255.255 127.0.0.0 127.0.0.1
        127.255.255.255 128.0.0.0 169.253.255.255 169.254.0.0 169.254.255.255 169.255.0.0
        172.15.255.255 172.16.0.0 172.31.255.255 172.32.0.0 191.255.255.255 192.0.0.0 192.0.0.7
        192.0.0.170 192.0.0.171 192.0.1.0 192.0.1.255 192.0.2.0 192.0.2.255 192.0.3.0 192.31.196.1
        192.52.193.1 192.167.255.255 192.168.0.0 192.168.255.255 192.169.0.0 192.175.48.1
        198.17.255.255 198.18.0.0 198.19.255.255 198.20.0.0 198.51.99.255 198.51.100.0
        198.51.100.255 198.51.101.0 203.0.112.255 203.0.113.0 203.0.113.255 203.0.114.0
        223.255.255.255 224.0.0.0 224.0.0.251 239.255.255.255 240.0.0.0 255.255.255.254
        255.255.255.255 :: ::1 ::2 ::1.2.3.4 64:ff9b::1.2.3.4 ff:: 100::1 100:0:0:0:ffff:: 2000::
        2001:: 2001::1 2001:2::1 2001:10::1 2001:1ff:ffff:: 2001:200:: 2001:db7:ffff::
        2001:db8:: 2001:db8:ffff:: 2001:db9:: 2003:: 2606:4700::1111 2620:4f:8000::1 3ffe::
        fbff:ffff:: fc00:: fdff:ffff:: fe00:: fe7f:ffff:: fe80:: fe80::1 febf:ffff:: fec0:: feff::
        ff00:: ff01::1 ff02::1 ff05::2 ff0e::1 ffff::
        """.split { $0.isWhitespace }.map(String.init)
}

extension IPAddress {
    fileprivate var digits: String { hexadecimal(packed) }

    /// The bytes, and the interface behind a percent sign, 0 for none.
    fileprivate var scoped: String {
        if case .v6(_, _, let scope) = self { return "\(digits)%\(scope)" }
        return "\(digits)%0"
    }

    /// A letter for each purpose, in the order of the script's.
    fileprivate var purposes: String {
        let answers = [
            ("L", isLoopback), ("M", isMulticast), ("K", isLinkLocal), ("P", isPrivate),
            ("U", isUnspecified), ("G", isGlobal),
        ]
        return answers.map { $1 ? $0 : "." }.joined()
    }
}

/// What Python makes of one text; `nil` for what it refuses.
private struct Answer {
    /// inet_pton's bytes, of either family.
    let parsed: String?
    /// inet_ntop's text of these bytes.
    let printed: String?
    /// The bytes and the interface that getaddrinfo finds.
    let resolved: String?
    /// inet_aton's bytes.
    let classic: String?
    /// Whether this Python's ipaddress is strict: before 3.9.5 it took leading zeros.
    let knowsValues: Bool
    /// The bytes that ipaddress has.
    let value: String?
    /// The text that ipaddress prints.
    let canonical: String?
    /// The purposes that ipaddress tells, a letter each.
    let purposes: String?

    private init(_ line: Substring) throws {
        let fields = line.split(separator: " ").map { $0 == "-" ? nil : String($0) }
        try #require(fields.count == 7, "\(line)")
        (parsed, printed, resolved, classic) = (fields[0], fields[1], fields[2], fields[3])
        knowsValues = fields[4] != "?"
        (value, canonical, purposes) = (fields[4], fields[5], fields[6])
    }

    static func all(of texts: [String]) throws -> [Answer] {
        let input = texts.map { hexadecimal($0.utf8) + "\n" }.joined()
        let python = try CommandProcess("python3", ["-c", script], input: Array(input.utf8))
        #expect(try python.ended() == .exited(0), "\(python.errors.text)")
        let answers = try python.output.text.split(separator: "\n").map { try Answer($0) }
        try #require(answers.count == texts.count)
        return answers
    }

    /// Names are given to getaddrinfo as bytes: as texts it would read them by the rules of
    /// international names, in which other digits are digits.
    private static let script = """
        import ipaddress, socket, sys

        def answer(call):
            try:
                return call()
            except (OSError, ValueError):
                return "-"

        def parse(text):
            try:
                return socket.inet_pton(socket.AF_INET, text)
            except OSError:
                return socket.inet_pton(socket.AF_INET6, text)

        def show(packed):
            return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)

        def resolve(text):
            found = socket.getaddrinfo(
                text.encode(), 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            address = found[0][4]
            return "%s%%%d" % (parse(address[0].split("%")[0]).hex(), (address + (0, 0))[3])

        def look_up(text):
            if sys.version_info < (3, 9, 5):
                return "?"
            return ipaddress.ip_address(text).packed.hex()

        def purposes(text):
            names = "loopback multicast link_local private unspecified global".split()
            address = ipaddress.ip_address(text)
            return "".join(letter if getattr(address, "is_" + name) else "."
                           for letter, name in zip("LMKPUG", names))

        for line in sys.stdin:
            text = bytes.fromhex(line.strip()).decode()
            zoned = "%" in text
            print(answer(lambda: parse(text).hex()),
                  answer(lambda: show(parse(text))),
                  answer(lambda: resolve(text)),
                  answer(lambda: socket.inet_aton(text).hex()),
                  answer(lambda: look_up(text)),
                  "-" if zoned else answer(lambda: str(ipaddress.ip_address(text))),
                  "-" if zoned else answer(lambda: purposes(text)))
        """
}
