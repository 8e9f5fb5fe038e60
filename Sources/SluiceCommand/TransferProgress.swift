// SPDX-License-Identifier: Apache-2.0
//
// The progress of a transfer on standard error: a bar that moves, or a line each second.

import Glibc

/// Shows how far a transfer is.
struct TransferProgress {
    /// How often it is shown.
    let interval: Duration
    private let isTerminal: Bool
    private var width = 0

    /// `nil` where nobody wants it.
    ///
    /// - Parameter isWanted: what the command line says; `nil` for a bar on a terminal alone.
    init?(isWanted: Bool?) {
        isTerminal = isatty(STDERR_FILENO) == 1
        guard isWanted ?? isTerminal else { return nil }
        interval = isTerminal ? .milliseconds(200) : .seconds(1)
    }

    /// Shows how far it is.
    mutating func show(_ figures: TransferFigures, after time: Duration) {
        guard isTerminal else {
            return StandardStreams.write(figures.line(after: time) + "\n", to: STDERR_FILENO)
        }
        // A line that is wider would scroll at each step.
        replace(with: String(figures.bar(after: time).prefix(max(1, Self.columnCount - 1))))
    }

    /// Takes the bar away.
    mutating func erase() {
        guard width > 0 else { return }
        replace(with: "")
        StandardStreams.write("\r", to: STDERR_FILENO)
    }

    /// How wide the terminal is now; 80 where it does not say.
    private static var columnCount: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private mutating func replace(with line: String) {
        let padding = String(repeating: " ", count: max(0, width - line.count))
        StandardStreams.write("\r" + line + padding, to: STDERR_FILENO)
        width = line.count
    }
}
