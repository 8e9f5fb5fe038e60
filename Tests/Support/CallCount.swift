// SPDX-License-Identifier: Apache-2.0
//
// How many system calls something costs: the library's own, by kind.

package import Sluice

/// Counts system calls by kind.
package final class CallCount {
    private var counts: [SystemCall: Int] = [:]

    /// Nothing is counted to begin with.
    package init() {}

    /// How many calls of these kinds were made.
    package func of(_ calls: SystemCall...) -> Int { calls.reduce(0) { $0 + (counts[$1] ?? 0) } }

    /// How many sends were made.
    package var sends: Int { of(.send, .sendVector) }

    /// How many calls were made, of whatever kind.
    package var all: Int { counts.values.reduce(0, +) }

    /// Counts the calls of `body`.
    package func count<Result>(_ body: () throws -> Result) rethrows -> Result {
        try SystemCall.intercepting(
            { call in
                self.counts[call, default: 0] += 1
                return nil
            }, body)
    }
}
