// SPDX-License-Identifier: Apache-2.0
//
// What a resolver can be asked, and the records that answer it.
// Values only: who asks whom stands in Resolver.swift, who answers in NameSource.swift.

/// A question about a name or an address.
public enum NameQuestion: Hashable, Sendable {
    /// The addresses of a host: of one family, `.ipv4` or `.ipv6`, or `.unspecified` for both.
    case addresses(of: String, family: AddressFamily)
    /// The names of the host that has an address.
    case names(of: IPAddress)
    /// Where a service is offered, by a name such as `_imap._tcp.example.org`.
    ///
    /// Source: RFC 2782.
    case services(of: String)
    /// The texts that stand beside a name.
    ///
    /// Source: RFC 1035, 3.3.14.
    case texts(of: String)

    /// The name that is asked for; an address as text.
    public var name: String {
        switch self {
        case .addresses(let name, _), .services(let name), .texts(let name): name
        case .names(let address): "\(address)"
        }
    }
}

/// A host that offers a service.
///
/// Source: RFC 2782.
public struct ServiceRecord: Hashable, Sendable {
    /// The host's name.
    public let host: String
    /// The service's port there.
    public let port: UInt16
    /// Hosts with a lower number are tried first.
    public let priority: UInt16
    /// How often a host is chosen among those of the same priority, in proportion.
    public let weight: UInt16

    /// A host that offers a service.
    public init(host: String, port: UInt16, priority: UInt16, weight: UInt16) {
        self.host = host
        self.port = port
        self.priority = priority
        self.weight = weight
    }
}

/// The text that stands beside a name.
///
/// Source: RFC 1035, 3.3.14.
public struct TextRecord: Hashable, Sendable {
    /// Its pieces, of at most 255 bytes each.
    public let pieces: [[UInt8]]

    /// A text of pieces.
    public init(pieces: [[UInt8]]) { self.pieces = pieces }

    /// The pieces joined, as UTF-8; bytes that are none become U+FFFD.
    public var text: String { String(decoding: pieces.joined(), as: UTF8.self) }
}
