// SPDX-License-Identifier: Apache-2.0
//
// What `sluice resolve` can ask for, and the question that a name makes of it.

import ArgumentParser
import Sluice

/// What is asked for.
enum NameKind: String, CaseIterable, ExpressibleByArgument {
    /// IPv4 addresses. Source: RFC 1035, 3.4.1.
    case a
    /// IPv6 addresses. Source: RFC 3596.
    case aaaa
    /// Addresses of both families.
    case addresses
    /// The names of an address. Source: RFC 1035, 3.3.12.
    case ptr
    /// The hosts that offer a service. Source: RFC 2782.
    case srv
    /// Texts. Source: RFC 1035, 3.3.14.
    case txt

    /// Whether the system's name service has no such records.
    var needsNameServers: Bool { self == .srv || self == .txt }

    /// What is asked for where nobody says: an address has names, a name has addresses.
    static func usual(for name: String) -> NameKind {
        IPAddress(name) == nil ? .addresses : .ptr
    }

    /// The question; `nil` for the names of what is no address.
    func question(for name: String) -> NameQuestion? {
        switch self {
        case .a: .addresses(of: name, family: .ipv4)
        case .aaaa: .addresses(of: name, family: .ipv6)
        case .addresses: .addresses(of: name, family: .unspecified)
        case .ptr: IPAddress(name).map { .names(of: $0) }
        case .srv: .services(of: name)
        case .txt: .texts(of: name)
        }
    }

    /// What the answers are called.
    var noun: String {
        switch self {
        case .a, .aaaa, .addresses: "addresses"
        case .ptr: "names"
        case .srv: "services"
        case .txt: "texts"
        }
    }
}
