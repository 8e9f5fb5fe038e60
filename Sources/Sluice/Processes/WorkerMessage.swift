// SPDX-License-Identifier: Apache-2.0
//
// What a worker tells its supervisor, read from the text of a message. It comes from another
// process: no text makes a trap, and what is not understood is passed over.

/// A message of a worker.
struct WorkerMessage: Equatable {
    /// It serves (`READY=1`).
    var isReady = false
    /// It comes to its end (`STOPPING=1`).
    var isStopping = false
    /// It is alive (`WATCHDOG=1`).
    var isAlive = false
    /// What it does (`STATUS=`).
    var status: String?
    /// What it has done (`X_SLUICE_FIGURES=`).
    var figures: WorkerFigures?

    /// Reads lines of a name and a value; names that mean nothing here are passed over.
    ///
    /// `nil` for what is no UTF-8, a line without a name, or figures that are none.
    init?(_ bytes: some Collection<UInt8>) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        for line in text.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
                return nil
            }
            let value = line[line.index(after: equals)...]
            switch line[..<equals] {
            case "READY": isReady = isReady || value == "1"
            case "STOPPING": isStopping = isStopping || value == "1"
            case "WATCHDOG": isAlive = isAlive || value == "1"
            case "STATUS": status = String(value)
            case WorkerFigures.fieldName[...]:
                guard let figures = WorkerFigures(String(value)) else { return nil }
                self.figures = figures
            default: break
            }
        }
    }
}
