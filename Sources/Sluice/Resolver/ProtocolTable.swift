// SPDX-License-Identifier: Apache-2.0
//
// Protocols by name and number, from a file such as /etc/protocols.
// Text in, entries out: nothing here asks the system.

/// Protocols by name and number.
///
/// Source: protocols(5).
public struct ProtocolTable: Hashable, Sendable {
    /// A protocol.
    public struct Entry: Hashable, Sendable {
        /// Its official name.
        public let name: String
        /// Its number.
        public let number: SocketProtocol
        /// Its other names, such as the same in capitals.
        public let aliases: [String]
    }

    /// The protocols, in the order of the file.
    public let entries: [Entry]

    /// Reads the text of a file: name, number, aliases; `#` begins a comment.
    ///
    /// Lines that are no protocol are passed over.
    public init(parsing text: String) {
        entries = TableText.entries(of: text) { words in
            guard words.count >= 2, let number = CInt(digits: Substring(words[1])) else {
                return nil
            }
            return Entry(
                name: String(words[0]), number: SocketProtocol(rawValue: number),
                aliases: words.dropFirst(2).map { String($0) })
        }
    }

    /// Reads a file of at most 16 MiB.
    ///
    /// - Throws: ``ChannelError/file(path:_:)``.
    public init(file path: String = "/etc/protocols") throws(ChannelError) {
        self.init(parsing: try TableText.read(path))
    }

    /// The number of a protocol, by its name or an alias; the first in the file.
    public func number(of name: String) -> SocketProtocol? { entry(of: name)?.number }

    /// The official name of a protocol; the first in the file.
    public func name(of number: SocketProtocol) -> String? { entry(of: number)?.name }

    /// The protocol of a name or an alias; the first in the file.
    public func entry(of name: String) -> Entry? {
        entries.first { $0.name == name || $0.aliases.contains(name) }
    }

    /// The protocol of a number; the first in the file.
    public func entry(of number: SocketProtocol) -> Entry? {
        entries.first { $0.number == number }
    }
}
