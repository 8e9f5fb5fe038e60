// SPDX-License-Identifier: Apache-2.0
//
// All tests of the command: one after the other, since many of them start processes and count
// descriptors.

import Glibc
import TestSupport
import Testing

/// The tests of the command and of its load engine.
@Suite(.serialized, .countingDescriptors, .timeLimit(.minutes(1)))
struct CommandSuite {}

extension CommandProcess {
    /// Where an example was built.
    static func example(_ name: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(root)/Examples/.build/debug/\(name)"
        try #require(access(path, X_OK) == 0, "\(path) is not built")
        return path
    }

    /// Starts an example, with its input left open unless some is given.
    convenience init(example name: String, _ arguments: [String], input: [UInt8]? = nil) throws {
        try self.init(Self.example(name), arguments, input: input)
    }
}
