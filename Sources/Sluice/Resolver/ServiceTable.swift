// SPDX-License-Identifier: Apache-2.0
//
// Services by name and port, from a file such as /etc/services or the list that IANA keeps.
// Text in, entries out: nothing here asks the system.

import CSystemCalls
import Glibc

/// Services by name and port.
///
/// Source: services(5).
public struct ServiceTable: Sendable {
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
        entries = text.split(whereSeparator: \.isNewline).compactMap { Self.entry($0, format) }
    }

    /// Reads a file.
    ///
    /// - Throws: ``ChannelError/file(path:_:)``.
    public init(
        file path: String = "/etc/services", as format: Format = .services
    ) throws(ChannelError) {
        self.init(parsing: try Self.text(of: path), as: format)
    }

    /// The port of a service, by its name or an alias; the first in the file.
    public func port(of name: String, _ transport: String = "tcp") -> UInt16? {
        entries.first {
            $0.transport == transport && ($0.name == name || $0.aliases.contains(name))
        }?.port
    }

    /// The official name of the service at a port; the first in the file.
    public func name(of port: UInt16, _ transport: String = "tcp") -> String? {
        entries.first { $0.transport == transport && $0.port == port }?.name
    }

    private static func entry(_ line: Substring, _ format: Format) -> Entry? {
        // By scalars: a mark that combines with the `#` does not hide it.
        let words = line.unicodeScalars.prefix { $0 != "#" }
            .split { $0.properties.isWhitespace }
        guard words.count >= 2 else { return nil }
        let place = words[1].split(separator: "/", omittingEmptySubsequences: false)
        // `80/443` in running text is no service.
        guard place.count == 2, let port = UInt16(String(place[0])),
            place[1].first?.properties.isAlphabetic == true
        else { return nil }
        return Entry(
            name: String(words[0]), port: port, transport: String(place[1]),
            aliases: format == .services ? words.dropFirst(2).map { String($0) } : [])
    }

    private static func text(of path: String) throws(ChannelError) -> String {
        // C would take the path up to there for the whole.
        if path.utf8.contains(0) { throw .file(path: path, .invalidArgument) }
        let number = SystemCall.open.made { Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        if number < 0 { throw .file(path: path, .last) }
        let file = Descriptor(adopting: number)
        var bytes: [UInt8] = []
        // The largest list in use is far below this limit.
        while bytes.count < 16 << 20 {
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count: Int
            do throws(ErrorCode) {
                count = try retrying {
                    SystemCall.read.made(upTo: piece.count) { read(file.number, &piece, $0) }
                }
            } catch {
                throw .file(path: path, error)
            }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece[..<count]
        }
        throw .file(path: path, .messageTooLong)
    }
}
