// SPDX-License-Identifier: Apache-2.0
//
// The kinds of addresses that the kernel knows, as named constants.
// Only those that a socket layer meets have names; every number can be held.

import CSystemCalls
import Glibc

/// A kind of addresses, and of the sockets that have them.
///
/// Source: address_families(7).
public struct AddressFamily: RawRepresentable, Hashable, Sendable {
    /// The number, as in C.
    public let rawValue: CInt

    /// Wraps a number that C calls an address family.
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// No family, or any (`AF_UNSPEC`).
    public static let unspecified = Self(rawValue: AF_UNSPEC)
    /// Sockets of this machine alone, named by paths (`AF_UNIX`).
    ///
    /// Source: unix(7).
    public static let unix = Self(rawValue: AF_UNIX)
    /// IPv4 (`AF_INET`).
    ///
    /// Source: ip(7).
    public static let ipv4 = Self(rawValue: AF_INET)
    /// IPv6 (`AF_INET6`).
    ///
    /// Source: ipv6(7).
    public static let ipv6 = Self(rawValue: AF_INET6)
    /// Messages from and to the kernel (`AF_NETLINK`).
    ///
    /// Source: netlink(7).
    public static let netlink = Self(rawValue: AF_NETLINK)
    /// Whole frames of a link (`AF_PACKET`).
    ///
    /// Source: packet(7).
    public static let packet = Self(rawValue: AF_PACKET)
    /// A virtual machine and its host (`AF_VSOCK`).
    ///
    /// Source: vsock(7).
    public static let vsock = Self(rawValue: AF_VSOCK)
    /// A vehicle's bus (`AF_CAN`).
    ///
    /// Source: Linux, networking/can.rst.
    public static let can = Self(rawValue: AF_CAN)
    /// Bluetooth (`AF_BLUETOOTH`).
    public static let bluetooth = Self(rawValue: AF_BLUETOOTH)
    /// Clusters (`AF_TIPC`).
    public static let tipc = Self(rawValue: AF_TIPC)
    /// The kernel's cryptography (`AF_ALG`).
    public static let cryptography = Self(rawValue: AF_ALG)
    /// The router of Qualcomm's modems (`AF_QIPCRTR`).
    public static let qualcommRouter = Self(rawValue: 42)

    /// Whether this machine can open sockets of the family.
    ///
    /// Source: socket(2), `EAFNOSUPPORT`.
    public var isSupported: Bool {
        let kind = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let number = Glibc.socket(rawValue, kind, 0)
        let code = ErrorCode.last
        if number < 0 { return code != .addressFamilyNotSupported && code != .invalidArgument }
        _ = Descriptor(adopting: number)
        return true
    }
}

extension AddressFamily: CustomStringConvertible {
    /// The name, such as `ipv4`, or `family 40`.
    public var description: String {
        switch self {
        case .unspecified: "unspecified"
        case .unix: "unix"
        case .ipv4: "ipv4"
        case .ipv6: "ipv6"
        case .netlink: "netlink"
        case .packet: "packet"
        case .vsock: "vsock"
        case .can: "can"
        case .bluetooth: "bluetooth"
        case .tipc: "tipc"
        case .cryptography: "cryptography"
        case .qualcommRouter: "qualcommRouter"
        default: "family \(rawValue)"
        }
    }
}
