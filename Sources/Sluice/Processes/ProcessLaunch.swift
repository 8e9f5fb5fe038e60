// SPDX-License-Identifier: Apache-2.0
//
// What a child process runs, with which words and variables, and how it has ended.

import Glibc

/// A program that is to be started: what it is, its arguments and its environment.
public struct ProcessLaunch: Hashable, Sendable {
    /// The program's file; it is not looked for in `PATH`.
    ///
    /// Initially `/proc/self/exe`: the program that this process runs, also where its file was
    /// replaced since.
    public var program = "/proc/self/exe"
    /// The words behind the program's name.
    ///
    /// Its name is ``program``; where that is initial, this process's own name. Initially none.
    public var arguments: [String]
    /// What its environment has besides this process's own, or in its place.
    ///
    /// `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` speak of the sockets that are passed,
    /// whatever stands here. Initially nothing.
    public var environment: [String: String]
    /// Whether it ends when this process ends, for whatever reason: the kernel kills it then.
    ///
    /// It is killed as well where the reactor that looks after it ends. One that does not end so
    /// is not waited for once that reactor has ended: it stays in the table of processes, when it
    /// has ended, until this process has. The kernel forgets this for a program that has the rights
    /// of its file's owner or capabilities of its own, and for a process that takes on another user
    /// or group: such a one must look to it itself. Initially on. Source: prctl(2),
    /// `PR_SET_PDEATHSIG`, `SIGKILL`.
    public var endsWithParent = true
    /// Whether it gets a process group of its own, so that the signals of a terminal, such as
    /// Ctrl-C, reach this process alone.
    ///
    /// Initially on. Source: setpgid(2).
    public var hasOwnGroup = true

    /// A launch of a program; initially of this process's own.
    public init(
        program: String = "/proc/self/exe", arguments: [String] = [],
        environment: [String: String] = [:]
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
    }
}

/// How a process has ended.
public enum ProcessEnd: Hashable, Sendable {
    /// By itself, with this status: 0 to 255.
    case exited(CInt)
    /// By this signal.
    case killed(Signal)
    /// Nobody knows: another part of this program has waited for all children, or has children's
    /// ends ignored. Source: waitid(2), `ECHILD`.
    case unknown
}

extension ProcessEnd: CustomStringConvertible {
    /// `exited with status 1`, `killed by signal 9` or `ended`.
    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .killed(let signal): "killed by signal \(signal.rawValue)"
        case .unknown: "ended"
        }
    }
}

extension Signal {
    /// The end at once, which no process can put off (`SIGKILL`): to be sent, not watched.
    public static let kill = Signal(rawValue: SIGKILL)
    /// A request to end, from the terminal, with an image of the memory (`SIGQUIT`).
    public static let quit = Signal(rawValue: SIGQUIT)
}
