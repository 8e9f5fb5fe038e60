// SPDX-License-Identifier: Apache-2.0
//
// What a load and its worker processes say to each other: one line of text for each message.
// A worker's lines are those of its result and, after them, the phase that it has entered.

import SluiceLoad

/// What a worker process is told to do.
enum WorkerOrder: String {
    /// Open the connections.
    case connect
    /// Start to send.
    case begin
    /// Stop to measure.
    case stop
    /// Close the connections and exit.
    case close
}

/// The line by which a worker tells the phase that it has entered.
enum PhaseLine {
    private static let prefix = "phase "

    /// The line of a phase.
    static func line(_ phase: LoadRun.Phase) -> String { "\(prefix)\(phase.rawValue)" }

    /// The phase that a line tells; `nil` for any other line.
    static func phase(in line: String) -> LoadRun.Phase? {
        guard line.hasPrefix(prefix), let number = Int(line.dropFirst(prefix.count))
        else { return nil }
        return LoadRun.Phase(rawValue: number)
    }
}
