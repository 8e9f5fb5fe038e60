// SPDX-License-Identifier: Apache-2.0
//
// Hosts by name and address, from a file such as /etc/hosts.
// Text in, entries out: no name service is asked.

/// Hosts by name and address.
///
/// Names are the same whatever the case of their ASCII letters. Source: hosts(5), RFC 4343.
public struct HostTable: Hashable, Sendable {
    /// A line: an address and the names of the host that has it.
    public struct Entry: Hashable, Sendable {
        /// The address.
        public let address: IPAddress
        /// The host's primary name.
        public let name: String
        /// The host's other names.
        public let aliases: [String]
    }

    /// The lines that name a host, in the order of the file.
    public let entries: [Entry]

    /// Reads the text of a file: address, name, aliases; `#` begins a comment.
    ///
    /// Lines that name no host are passed over.
    public init(parsing text: String) {
        entries = TableText.entries(of: text) { words in
            guard words.count >= 2, let address = IPAddress(String(words[0])) else { return nil }
            return Entry(
                address: address, name: String(words[1]),
                aliases: words.dropFirst(2).map { String($0) })
        }
    }

    /// Reads a file of at most 16 MiB.
    ///
    /// - Throws: ``ChannelError/file(path:_:)``.
    public init(file path: String = "/etc/hosts") throws(ChannelError) {
        self.init(parsing: try TableText.read(path))
    }

    /// The addresses of a host, by any of its names, from every line that has the name; none where
    /// it is unknown.
    public func addresses(of name: String) -> [IPAddress] { entry(of: name)?.addresses ?? [] }

    /// The primary name of the host that has an address; the first in the file.
    public func name(of address: IPAddress) -> String? { entry(of: address)?.name }

    /// The host of a name: all lines that have the name, taken together.
    ///
    /// The first line's name is the primary one.
    public func entry(of name: String) -> HostEntry? {
        HostEntry(entries.filter { $0.isOf(name) })
    }

    /// The host that has an address: all lines of the address, taken together.
    ///
    /// The first line's name is the primary one.
    public func entry(of address: IPAddress) -> HostEntry? {
        HostEntry(entries.filter { $0.address == address })
    }
}

extension HostTable.Entry {
    fileprivate func isOf(_ name: String) -> Bool {
        let bytes = name.utf8
        return ([self.name] + aliases).contains {
            $0.utf8.elementsEqual(bytes) { $0.smallLetter == $1.smallLetter }
        }
    }
}

extension HostEntry {
    /// Lines taken together; no name and no address stands in it twice.
    fileprivate init?(_ lines: [HostTable.Entry]) {
        guard let first = lines.first else { return nil }
        var names: Set<[UInt8]> = [first.name.utf8.map(\.smallLetter)]
        var seen: Set<IPAddress> = []
        self.init(
            name: first.name,
            aliases: lines.flatMap { [$0.name] + $0.aliases }.filter {
                names.insert($0.utf8.map(\.smallLetter)).inserted
            },
            addresses: lines.map(\.address).filter { seen.insert($0).inserted })
    }
}
