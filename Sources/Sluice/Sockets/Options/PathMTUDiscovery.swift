// SPDX-License-Identifier: Apache-2.0
//
// How a socket treats packets that are too long for a link on their way.

import CSystemCalls
import Glibc

/// How a socket finds out which packets are too long for a link on their way, and treats them.
///
/// The numbers are the same for IPv4 and IPv6. Source: `IP_MTU_DISCOVER`, ip(7).
public struct PathMTUDiscovery: RawRepresentable, Hashable, Sendable {
    /// The number, as in C.
    public let rawValue: CInt

    /// Wraps a number that C calls `IP_PMTUDISC_*`.
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// Routers may cut packets; nothing is found out (`IP_PMTUDISC_DONT`).
    public static let never = Self(rawValue: IP_PMTUDISC_DONT)
    /// As the route says: too long datagrams are cut here, others are kept whole
    /// (`IP_PMTUDISC_WANT`).
    public static let byRoute = Self(rawValue: IP_PMTUDISC_WANT)
    /// No packet is cut: sending a datagram that is too long is `.messageTooLong`
    /// (`IP_PMTUDISC_DO`).
    public static let always = Self(rawValue: IP_PMTUDISC_DO)
    /// No packet is cut, and what is known of the way is ignored, as for a probe of RFC 4821
    /// (`IP_PMTUDISC_PROBE`).
    public static let probe = Self(rawValue: IP_PMTUDISC_PROBE)
    /// What is told of the way is not believed: the interface's limit counts
    /// (`IP_PMTUDISC_INTERFACE`, since Linux 3.13).
    public static let interface = Self(rawValue: IP_PMTUDISC_INTERFACE)
    /// As ``interface``, but too long datagrams are cut here (`IP_PMTUDISC_OMIT`, since Linux
    /// 3.15).
    public static let interfaceCutting = Self(rawValue: IP_PMTUDISC_OMIT)
}
