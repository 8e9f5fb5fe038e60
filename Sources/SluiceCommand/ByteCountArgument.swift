// SPDX-License-Identifier: Apache-2.0
//
// Numbers of bytes as a person writes them: `4096`, `64k`, `16M`, `2G`.

import ArgumentParser

/// A number of bytes on the command line, 1 or more.
struct ByteCountArgument: ExpressibleByArgument, Hashable {
    let byteCount: Int

    /// Reads a whole number and nothing, `k`, `M` or `G`, of which each is 1,024 of the one before.
    ///
    /// 0, more than 2^50 and anything else give `nil`.
    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int(digits), let unit = Self.units[argument.dropFirst(digits.count)],
            count > 0, count <= 1 << 50 / unit
        else { return nil }
        byteCount = count * unit
    }

    private static let units: [Substring: Int] = [
        "": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30,
    ]
}
