// SPDX-License-Identifier: Apache-2.0
//
// What an address is for: loopback, multicast, one link, the whole Internet.
// Each answer rests on an RFC or on IANA's registries of special purposes.

extension IPAddress {
    /// Whether this stands for any address: 0.0.0.0, :: or ::ffff:0.0.0.0.
    ///
    /// Source: RFC 1122, 3.2.1.3, RFC 4291, 2.5.2.
    public var isUnspecified: Bool {
        switch unmapped {
        case .v4(let value): value == 0
        case .v6(let high, let low, _): high == 0 && low == 0
        }
    }

    /// Whether this leads back to the same machine: 127.0.0.0/8, ::1, or the former in IPv4-mapped
    /// form.
    ///
    /// Source: RFC 1122, 3.2.1.3, RFC 4291, 2.5.3.
    public var isLoopback: Bool {
        switch unmapped {
        case .v4(let value): value >> 24 == 127
        case .v6(let high, let low, _): high == 0 && low == 1
        }
    }

    /// Whether this is a group of machines: 224.0.0.0/4, ff00::/8, or the former in IPv4-mapped
    /// form.
    ///
    /// Source: RFC 5771, 3, RFC 4291, 2.7.
    public var isMulticast: Bool {
        switch unmapped {
        case .v4(let value): value >> 28 == 0xE
        case .v6(let high, _, _): high >> 56 == 0xFF
        }
    }

    /// Whether this has a meaning on one link alone: 169.254.0.0/16, fe80::/10, or the former in
    /// IPv4-mapped form; a group never is.
    ///
    /// Source: RFC 3927, 2.1, RFC 4291, 2.5.6.
    public var isLinkLocal: Bool {
        switch unmapped {
        case .v4(let value): value >> 16 == 0xA9FE
        case .v6(let high, _, _): high >> 54 == 0x3FA
        }
    }

    /// Whether this may be reached from all of the Internet.
    ///
    /// It is so unless IANA's registries of special purposes, as of October 2025, say otherwise of
    /// the smallest block that holds the address; where they leave it open, as for 2002::/16, it is
    /// not. Groups are not in these registries and count as global. An IPv4-mapped address is what
    /// the IPv4 address is. Source: RFC 6890, RFC 8190; Python's `ipaddress`, `is_global`.
    public var isGlobal: Bool { !isPrivate && !Self.shared.contains(self) }

    /// Whether this can't be reached from all of the Internet, and is not of a provider's shared
    /// block, 100.64.0.0/10, either.
    ///
    /// Among others private networks (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7),
    /// loopback, one link's addresses, and those of examples. Source: as ``isGlobal``; Python's
    /// `ipaddress`, `is_private`.
    public var isPrivate: Bool {
        let address = unmapped
        let blocks = address.isIPv6 ? Self.special6 : Self.special4
        return blocks.closed.contains { $0.contains(address) }
            && !blocks.open.contains { $0.contains(address) }
    }
}

// MARK: - IANA's registries

extension IPAddress {
    /// Blocks that are not reached from everywhere, and blocks inside of them that are.
    private typealias Blocks = (closed: [AddressRange], open: [AddressRange])

    private static let shared = AddressRange(.v4(0x6440_0000), prefixLength: 10)

    /// Source: iana-ipv4-special-registry.
    private static let special4: Blocks = (
        closed: [
            four(0, 0, 0, 0, 8), four(10, 0, 0, 0, 8), four(127, 0, 0, 0, 8),
            four(169, 254, 0, 0, 16), four(172, 16, 0, 0, 12), four(192, 0, 0, 0, 24),
            four(192, 0, 2, 0, 24), four(192, 88, 99, 2, 32), four(192, 168, 0, 0, 16),
            four(198, 18, 0, 0, 15), four(198, 51, 100, 0, 24), four(203, 0, 113, 0, 24),
            four(240, 0, 0, 0, 4),
        ],
        open: [four(192, 0, 0, 9, 32), four(192, 0, 0, 10, 32)]
    )

    /// Source: iana-ipv6-special-registry.
    private static let special6: Blocks = (
        closed: [
            AddressRange(.any6, prefixLength: 128), AddressRange(.loopback6, prefixLength: 128),
            six(0x0064_FF9B_0001_0000, 48), six(0x0100_0000_0000_0000, 64),
            six(0x0100_0000_0000_0001, 64), six(0x2001_0000_0000_0000, 23),
            six(0x2001_0DB8_0000_0000, 32), six(0x2002_0000_0000_0000, 16),
            six(0x3FFF_0000_0000_0000, 20), six(0x5F00_0000_0000_0000, 16),
            six(0xFC00_0000_0000_0000, 7), six(0xFE80_0000_0000_0000, 10),
        ],
        open: [
            six(0x2001_0001_0000_0000, low: 1, 128), six(0x2001_0001_0000_0000, low: 2, 128),
            six(0x2001_0001_0000_0000, low: 3, 128), six(0x2001_0003_0000_0000, 32),
            six(0x2001_0004_0112_0000, 48), six(0x2001_0020_0000_0000, 28),
            six(0x2001_0030_0000_0000, 28),
        ]
    )

    private static func four(
        _ first: UInt32, _ second: UInt32, _ third: UInt32, _ fourth: UInt32, _ prefixLength: Int
    ) -> AddressRange {
        let value = first << 24 | second << 16 | third << 8 | fourth
        return AddressRange(.v4(value), prefixLength: prefixLength)
    }

    private static func six(
        _ high: UInt64, low: UInt64 = 0, _ prefixLength: Int
    ) -> AddressRange {
        AddressRange(.v6(high: high, low: low, scope: 0), prefixLength: prefixLength)
    }
}
