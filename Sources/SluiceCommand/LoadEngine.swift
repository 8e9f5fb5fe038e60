// SPDX-License-Identifier: Apache-2.0
//
// What a load session drives: a run in this process, or several workers.

import SluiceLoad

/// A load with phases, wherever it runs.
protocol LoadEngine: AnyObject {
    /// Called at the beginning of each phase.
    var onPhase: (LoadRun.Phase) -> Void { get set }
    /// What was measured so far.
    var result: LoadResult { get }
    /// What went wrong in the engine itself, as a sentence.
    var fault: String? { get }

    /// Starts to open the connections.
    func connect()
    /// Starts to send, once all is ready.
    func begin()
    /// Ends the measuring now; called again, it waits for nothing.
    func stop()
    /// Drives the reactor until the end; the connections stay open.
    func run()
    /// Closes the connections.
    func close()
}

extension LoadRun: LoadEngine {
    var fault: String? { nil }
}
