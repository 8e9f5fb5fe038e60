// SPDX-License-Identifier: Apache-2.0
//
// Services by name and port, from a file such as /etc/services or the list that IANA keeps.
// Text in, entries out: nothing here asks the system.

/// Services by name and port.
///
/// Source: services(5).
public struct ServiceTable: Hashable, Sendable {
    /// How a file is laid out.
    public enum Format: Hashable, Sendable {
        /// Name, port/protocol, aliases; `#` begins a comment. Source: services(5).
        case services
        /// Name, port/protocol, a description; anything else is passed over. Source: RFC 6335.
        case assignedNumbers
    }

    /// A service.
    public struct Entry: Hashable, Sendable {
        /// Its official name.
        public let name: String
        /// Its port.
        public let port: UInt16
        /// The protocol, such as `tcp`.
        public let transport: String
        /// Its other names.
        public let aliases: [String]
    }

    /// The services, in the order of the file.
    public let entries: [Entry]

    /// Reads the text of a file; lines that are no service are passed over.
    public init(parsing text: String, as format: Format = .services) {
        entries = TableText.entries(of: text) { Entry($0, format) }
    }

    /// Reads a file of at most 16 MiB.
    ///
    /// - Throws: ``ChannelError/file(path:_:)``.
    public init(
        file path: String = "/etc/services", as format: Format = .services
    ) throws(ChannelError) {
        self.init(parsing: try TableText.read(path), as: format)
    }

    /// The port of a service, by its name or an alias; the first in the file.
    ///
    /// `transport`: the protocol, `nil` for any.
    public func port(of name: String, _ transport: String? = "tcp") -> UInt16? {
        entry(of: name, transport)?.port
    }

    /// The official name of the service at a port; the first in the file.
    ///
    /// `transport`: the protocol, `nil` for any.
    public func name(of port: UInt16, _ transport: String? = "tcp") -> String? {
        entry(of: port, transport)?.name
    }

    /// The service of a name or an alias; the first in the file.
    ///
    /// `transport`: the protocol, `nil` for any.
    public func entry(of name: String, _ transport: String? = "tcp") -> Entry? {
        entries.first { $0.isOf(transport) && ($0.name == name || $0.aliases.contains(name)) }
    }

    /// The service at a port; the first in the file.
    ///
    /// `transport`: the protocol, `nil` for any.
    public func entry(of port: UInt16, _ transport: String? = "tcp") -> Entry? {
        entries.first { $0.isOf(transport) && $0.port == port }
    }
}

extension ServiceTable.Entry {
    fileprivate init?(_ words: [TableText.Word], _ format: ServiceTable.Format) {
        guard words.count >= 2 else { return nil }
        let place = words[1].split(separator: "/", omittingEmptySubsequences: false)
        // `80/443` in running text is no service.
        guard place.count == 2, let port = UInt16(digits: Substring(place[0])),
            place[1].first?.properties.isAlphabetic == true
        else { return nil }
        self.init(
            name: String(words[0]), port: port, transport: String(place[1]),
            aliases: format == .services ? words.dropFirst(2).map { String($0) } : [])
    }

    fileprivate func isOf(_ transport: String?) -> Bool {
        transport == nil || transport == self.transport
    }
}
