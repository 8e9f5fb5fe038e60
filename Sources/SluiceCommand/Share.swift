// SPDX-License-Identifier: Apache-2.0
//
// Which part of something a process or a thread has, written as `0/4` for the first of four.

import ArgumentParser

/// One of several equal parts.
struct Share: ExpressibleByArgument, Hashable {
    /// Which part, counted from 0.
    let index: Int
    /// How many parts there are.
    let count: Int

    /// The one part of what is not divided.
    static let whole = Share(index: 0, count: 1)

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

    /// The part's size, 1 at least; the first ones have one more where a number does not divide.
    func part(of number: Int) -> Int {
        max(1, number / count + (index < number % count ? 1 : 0))
    }
}

extension Share: CustomStringConvertible {
    /// The text form.
    var description: String { "\(index)/\(count)" }
}
