// SPDX-License-Identifier: Apache-2.0
//
// How a run can end before it has anything to report.

/// Why a run has no results.
package enum Fault: Error {
    /// A signal has ended it.
    case interrupted
    /// A process has ended, or its line.
    case lost(String)
    /// Something did not happen in time.
    case late(String)
    /// Anything else, in its own words.
    case failed(String)
}

extension Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .interrupted: "interrupted"
        case .lost(let who): "\(who) has ended early"
        case .late(let what): "not in time: \(what)"
        case .failed(let what): what
        }
    }
}
