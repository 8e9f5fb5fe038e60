// SPDX-License-Identifier: Apache-2.0
//
// The lists that people keep in files: a line for each entry, words between blanks, and comments.
// Services, protocols and hosts are listed in this one way.

import CSystemCalls
import Glibc

/// The text of a list such as /etc/services, /etc/protocols or /etc/hosts.
enum TableText {
    /// A word of a line; by scalars, for a mark that combines with a `#` or a `/` does not hide it.
    typealias Word = Substring.UnicodeScalarView

    /// Reads the words of each line into an entry; `#` begins a comment, and lines that give `nil`
    /// are passed over.
    static func entries<Entry>(of text: String, reading read: ([Word]) -> Entry?) -> [Entry] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            read(line.unicodeScalars.prefix { $0 != "#" }.split { $0.properties.isWhitespace })
        }
    }

    /// The text of a file of at most 16 MiB; bytes that are no UTF-8 become U+FFFD.
    ///
    /// - Throws: ``ChannelError/file(path:_:)``.
    static func read(_ path: String) throws(ChannelError) -> String {
        // C would take the path up to there for the whole.
        if path.utf8.contains(0) { throw .file(path: path, .invalidArgument) }
        let number = SystemCall.open.made { Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        if number < 0 { throw .file(path: path, .last) }
        let file = Descriptor(adopting: number)
        var bytes: [UInt8] = []
        // The largest list in use is far below this limit.
        while bytes.count <= 16 << 20 {
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count: Int
            do throws(ErrorCode) {
                count = try retrying {
                    SystemCall.read.made(upTo: piece.count) {
                        Glibc.read(file.number, &piece, $0)
                    }
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
