// SPDX-License-Identifier: Apache-2.0
//
// One line on standard error that is rewritten each second while a load runs.

import Glibc
import SluiceLoad
import SluiceReport

/// The progress line of a load.
struct LoadProgress {
    /// What is counted as open, such as `connections`.
    let noun: String
    private var seconds = 0
    private var lastCount = 0
    private var width = 0

    init(counting noun: String) { self.noun = noun }

    /// Whether somebody sits at standard error.
    static var isWanted: Bool { isatty(STDERR_FILENO) == 1 }

    /// Starts to count the seconds.
    mutating func measuringBegins() { seconds = 0 }

    /// Shows how far the load is; called once a second.
    mutating func show(_ result: LoadResult) {
        seconds += 1
        let fresh = result.requestCount - lastCount
        lastCount = result.requestCount
        let line =
            result.connectionCount == 0
            ? "connecting"
            : "\(seconds) s, \(result.connectionCount) \(noun), "
                + "\(NumberText.grouped(fresh)) requests/s, \(result.errorCount) errors"
        replace(with: line)
    }

    /// Takes the line away.
    mutating func erase() {
        if width > 0 { replace(with: "") }
        if width > 0 { StandardStreams.write("\r", to: STDERR_FILENO) }
    }

    private mutating func replace(with line: String) {
        let padding = String(repeating: " ", count: max(0, width - line.count))
        StandardStreams.write("\r" + line + padding, to: STDERR_FILENO)
        width = max(width, line.count)
    }
}
