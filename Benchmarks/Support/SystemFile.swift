// SPDX-License-Identifier: Apache-2.0
//
// The small files of the kernel.

import Glibc

/// A small file of the kernel, as it was when it was read; empty where it can't be read.
///
/// Source: proc(5).
package struct SystemFile {
    /// Its first 16 KiB.
    package let text: String

    package init(_ path: String) {
        guard let stream = fopen(path, "re") else {
            text = ""
            return
        }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = fread(&bytes, 1, bytes.count, stream)
        text = String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// The numbers in it that stand alone.
    package var numbers: [Int] { text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) } }

    /// What follows a name and a colon, without the blanks around it.
    package func value(of name: String) -> Substring? {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].split(separator: "\t").first == name[...] else {
                continue
            }
            return parts[1].drop(while: \.isWhitespace)
        }
        return nil
    }

    /// The size that a line tells in KiB.
    package func byteCount(of name: String) -> Int? {
        value(of: name)?.split(separator: " ").first.flatMap { Int($0) }.map { $0 * 1_024 }
    }
}
