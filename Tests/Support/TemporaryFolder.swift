// SPDX-License-Identifier: Apache-2.0
//
// A folder for the files of one test: Unix sockets, files to send, files received.

import Glibc
import Sluice

/// A new folder that goes, with all that is in it, when its life ends.
public final class TemporaryFolder {
    /// Where it is.
    public let path: String

    /// Makes the folder.
    public init() throws {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SocketError(.create, ErrorCode(rawValue: errno))
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// Removes a folder with all that is in it; what can't be removed is in the way of no test.
    private static func remove(_ folder: String) {
        for name in entries(of: folder) {
            let path = "\(folder)/\(name)"
            // A link to a folder is none itself. Source: unlink(2), `EISDIR`.
            if unlink(path) != 0, errno == EISDIR { remove(path) }
        }
        rmdir(folder)
    }

    /// The path of a file in it.
    public subscript(name: String) -> String { "\(path)/\(name)" }

    /// The files in it.
    public var names: [String] { Self.entries(of: path) }

    private static func entries(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            // The name stands in memory of the folder's until the next entry is read.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes a file, or makes it anew, and gives its path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String = "file") throws -> String {
        guard let file = fopen(self[name], "we") else {
            throw SocketError(.create, ErrorCode(rawValue: errno))
        }
        let count = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, count == bytes.count else {
            throw SocketError(.write, ErrorCode(rawValue: errno))
        }
        return self[name]
    }

    /// What a file holds; `nil` where there is none.
    public func read(_ name: String = "file") -> [UInt8]? {
        guard let file = fopen(self[name], "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 {
            bytes += piece[..<count]
        }
        return bytes
    }
}
