// SPDX-License-Identifier: Apache-2.0
//
// Which part of a load a process has, written as `0/4` for the first of four.

import ArgumentParser

/// One of several equal parts.
struct LoadShare: ExpressibleByArgument, Hashable {
    /// Which part, counted from 0.
    let index: Int
    /// How many parts there are.
    let count: Int

    init(index: Int, count: Int) {
        self.index = index
        self.count = count
    }

    /// Reads `0/4`; a part that is not one of the count gives `nil`.
    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]), count > 0,
            (0..<count).contains(index)
        else { return nil }
        self.init(index: index, count: count)
    }
}

extension LoadShare: CustomStringConvertible {
    /// The text form.
    var description: String { "\(index)/\(count)" }
}
