// SPDX-License-Identifier: Apache-2.0
//
// Where a load goes, as a person writes it: `tcp://HOST:PORT`, `udp://HOST:PORT` or `unix:PATH`.
// Names are resolved later, by the client that connects.

public import Sluice

/// The place that a load is put on.
public struct LoadTarget: Hashable, Sendable {
    /// Where to connect to.
    public let endpoint: Endpoint
    /// Whether datagrams go there, and not a stream.
    public let usesDatagrams: Bool

    /// A target at any place, by a stream or by datagrams.
    public init(_ endpoint: Endpoint, usesDatagrams: Bool = false) {
        self.endpoint = endpoint
        self.usesDatagrams = usesDatagrams
    }

    /// Reads `tcp://example.org:80`, `tcp://[::1]:80`, the same with `udp`, or `unix:/run/socket`;
    /// anything else gives `nil`.
    ///
    /// Ports are 1 to 65535 or the names of services; only the bracketed form may have colons in
    /// the host.
    public init?(_ text: String) {
        if let path = text.dropping(prefix: "unix:") {
            guard !path.isEmpty else { return nil }
            endpoint = .address(.unix(path: String(path)))
            usesDatagrams = false
        } else {
            usesDatagrams = text.hasPrefix("udp://")
            guard let place = text.dropping(prefix: usesDatagrams ? "udp://" : "tcp://"),
                let found = Self.endpoint(of: place, usesDatagrams ? "udp" : "tcp")
            else { return nil }
            endpoint = found
        }
    }

    private static func endpoint(of place: Substring, _ transport: String) -> Endpoint? {
        guard let colon = place.lastIndex(of: ":"),
            let port = port(of: place[place.index(after: colon)...], transport)
        else { return nil }
        var host = place[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard let address = IPAddress(String(host)), address.isIPv6 else { return nil }
            return .address(.ip(address, port: port))
        }
        let isPlain = !host.isEmpty && !host.contains { ":[]/@".contains($0) || $0.isWhitespace }
        return isPlain ? .host(String(host), port: port) : nil
    }

    private static func port(of text: Substring, _ transport: String) -> UInt16? {
        // A sign has no place behind a colon.
        if text.first == "+" || text.first == "-" { return nil }
        // Why it is none does not matter: the whole is no target then.
        guard let port = try? ServicePort.number(of: String(text), transport) else { return nil }
        return port > 0 ? port : nil
    }
}

extension LoadTarget: CustomStringConvertible {
    /// The text form, which reads back as the same target.
    ///
    /// A Unix socket of datagrams has the form of one of streams.
    public var description: String {
        if case .address(.unix(let path)) = endpoint { return "unix:\(path)" }
        return "\(usesDatagrams ? "udp" : "tcp")://\(endpoint)"
    }
}

extension String {
    /// What follows a prefix; `nil` where the text does not begin with it.
    fileprivate func dropping(prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
