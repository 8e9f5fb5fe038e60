// SPDX-License-Identifier: Apache-2.0
//
// What a supervisor says of its workers: a list at one moment, what happens, and how it ended.

/// A worker of a supervisor, as it was when the report was made.
public struct WorkerReport: Hashable, Sendable {
    /// Where a worker is in its life.
    public enum State: String, Hashable, Sendable {
        /// Its program runs, and has not said that it is ready.
        case starting
        /// It serves.
        case ready
        /// It was asked to end, or says that it does.
        case draining
        /// It has ended; the next one of its place is not started yet.
        case ended
    }

    /// Its place, from 0 on: there are ``SupervisorOptions/workerCount``.
    ///
    /// During a reload, and for as long as the old one drains, a place has two workers.
    public let slot: Int
    /// Its process; `nil` for a place without one.
    public let processID: Int32?
    /// Where it is in its life.
    public let state: State
    /// Of which generation it is: 1 from the start, and one more for each reload, also one that has
    /// failed.
    public let generation: Int
    /// How often a worker of this place was started again.
    public let restarts: Int
    /// What it has told last of what it has done.
    public let figures: WorkerFigures
    /// What it has told last that it does (`STATUS=`); at most 4,096 bytes.
    public let status: String
}

/// Something that has happened to a supervisor or its workers.
public enum SupervisorEvent: Hashable, Sendable {
    /// A worker's program runs.
    case started(WorkerReport)
    /// A worker could not be started, for a reason: its program's, or an error of what the launch
    /// is asked of.
    case startFailed(slot: Int, reason: String)
    /// A worker serves.
    case ready(WorkerReport)
    /// A worker was not ready within ``SupervisorOptions/startLimit``, and is killed or, in a
    /// reload, asked to end.
    case late(WorkerReport)
    /// A worker has not said that it is alive within ``SupervisorOptions/watchdog``, and is killed.
    case silent(WorkerReport)
    /// A worker was asked to end and did not within ``SupervisorOptions/drainLimit`` and a second,
    /// and is killed.
    case unwilling(WorkerReport)
    /// A worker has ended.
    case ended(WorkerReport, ProcessEnd)
    /// A worker is started again, after a wait.
    case restarting(slot: Int, after: Duration)
    /// All workers of a generation are ready: it is the one that serves.
    case serving(generation: Int)
    /// A reload was asked for and waits: for the end of the one that is under way or, where four
    /// generations drain already, for the end of one of these.
    case reloadWaits
    /// A new generation is started.
    case reloading(generation: Int)
    /// A new generation was given up, and the old one goes on.
    case reloadFailed(generation: Int, ReloadError)
    /// The workers were asked to end.
    case draining
    /// All workers have ended.
    case finished(SupervisorResult)
}

/// Why a reload has failed; the old workers go on.
public enum ReloadError: Error, Hashable, Sendable {
    /// What the launch is asked of has thrown, such as for a bad configuration, with this text.
    case refused(String)
    /// A worker could not be started, for this reason.
    case startFailed(slot: Int, reason: String)
    /// A worker has ended before all were ready.
    case ended(slot: Int, ProcessEnd)
    /// A worker has said that it comes to its end before all were ready.
    case stopping(slot: Int)
    /// A worker was not ready within ``SupervisorOptions/startLimit``.
    case late(slot: Int)
    /// The supervisor drains, or has ended.
    case draining
    /// The supervisor was not started.
    case notStarted
}

extension ReloadError: CustomStringConvertible {
    /// One sentence.
    public var description: String {
        switch self {
        case .refused(let text): text
        case .startFailed(let slot, let reason): "worker \(slot) could not be started: \(reason)"
        case .ended(let slot, let end): "worker \(slot) was not ready when it \(end.inSentence)"
        case .stopping(let slot): "worker \(slot) came to its end before all were ready"
        case .late(let slot): "worker \(slot) was not ready in time"
        case .draining: "the supervisor comes to its end"
        case .notStarted: "the supervisor was not started"
        }
    }
}

extension ProcessEnd {
    fileprivate var inSentence: String {
        if case .killed = self { "was \(self)" } else { "\(self)" }
    }
}

/// How a supervisor has ended.
public struct SupervisorResult: Hashable, Sendable {
    /// How many workers did not end in an orderly way: they had to be killed, ended by a signal
    /// when they were ready, or had another status than 0.
    public let cutCount: Int
    /// Whether they were killed because the end at once was asked for.
    public let isInterrupted: Bool

    /// The status for exit(3): 0 where all ended in an orderly way, 75 (`EX_TEMPFAIL`) where some
    /// did not, 130 where it was interrupted.
    ///
    /// Source: sysexits.h.
    public var exitStatus: CInt { isInterrupted ? 130 : cutCount > 0 ? 75 : 0 }
}
