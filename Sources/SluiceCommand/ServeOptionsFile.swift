// SPDX-License-Identifier: Apache-2.0
//
// Options of `sluice serve` that stand in a file, so that they can change while it serves.

import Glibc
import Sluice

/// Options in a file: one on each line, as on the command line.
enum ServeOptionsFile {
    /// Why a file's options can't be had.
    struct Failure: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// The longest file that is read.
    private static let longest = 65_536

    /// Reads a file.
    ///
    /// - Throws: ``Failure``, a sentence that begins with the path; also for `--`, the mark for the
    ///   end of the options.
    static func arguments(at path: String) throws(Failure) -> [String] {
        guard let text = String(validating: try bytes(at: path), as: UTF8.self),
            !text.utf8.contains(0)
        else { throw Failure(description: "\(path): it is no UTF-8 text") }
        let arguments = arguments(in: text)
        // What is put behind them would be no options any more.
        guard !arguments.contains("--") else {
            throw Failure(description: "\(path): -- ends the options, and only they go in a file")
        }
        return arguments
    }

    /// The arguments in a text.
    ///
    /// Blanks around a line do not count, nor does a line that is empty then or begins with `#`. In
    /// `--name value` the value is all that stands behind the first blanks, without quotes; any
    /// other line is one argument.
    static func arguments(in text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).flatMap { line -> [String] in
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { return [] }
            let name = line.prefix { !$0.isWhitespace }
            guard name.hasPrefix("-"), !name.contains("="), name.endIndex < line.endIndex
            else { return [String(line)] }
            return [String(name), String(trimmed(line[name.endIndex...]))]
        }
    }

    private static func trimmed(_ line: Substring) -> Substring {
        let line = line.drop(while: \.isWhitespace)
        let end = line.lastIndex { !$0.isWhitespace }
        return end.map { line[...$0] } ?? ""
    }

    private static func bytes(at path: String) throws(Failure) -> [UInt8] {
        // A pipe that nobody writes to must not hold up those that are served.
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw failure(path) }
        defer { close(number) }
        var status = stat()
        guard fstat(number, &status) == 0 else { throw failure(path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(description: "\(path): it is no file")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: longest)
        while true {
            let count = read(number, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            if count == 0 { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= longest else {
                throw Failure(description: "\(path): it has more than \(longest) bytes")
            }
        }
    }

    private static func failure(_ path: String) -> Failure {
        Failure(description: "\(path): \(ErrorCode(rawValue: errno))")
    }
}
