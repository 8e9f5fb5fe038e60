// SPDX-License-Identifier: Apache-2.0
//
// What a resolver answers: the value that was asked for, where it comes from and how long it holds.

/// An answer, and what is known of it.
public struct NameAnswer<Value: Hashable & Sendable>: Hashable, Sendable {
    /// What was asked for; never empty.
    public let value: Value
    /// Where it comes from.
    public let origin: NameOrigin
    /// How long it holds from now on; `nil` where nobody has told.
    public let timeToLive: Duration?
    /// The host's official name, where it is known and an alias was asked for.
    public let canonicalName: String?
    /// How long the question took.
    public let time: Duration
}

/// Where an answer comes from.
public enum NameOrigin: Hashable, Sendable {
    /// The name was a number.
    case number
    /// The name is this machine's for itself.
    ///
    /// Source: RFC 6761, 6.3.
    case localhost
    /// A list of hosts, such as /etc/hosts.
    case hosts
    /// An earlier answer that still holds.
    case cache
    /// The system's name service: getaddrinfo(3), getnameinfo(3).
    case system
    /// A name server.
    case server(SocketAddress)
}

extension NameOrigin: CustomStringConvertible {
    /// A word, and for a server its address.
    public var description: String {
        switch self {
        case .number: "number"
        case .localhost: "localhost"
        case .hosts: "hosts"
        case .cache: "cache"
        case .system: "system"
        case .server(let address): "server \(address)"
        }
    }
}
