// SPDX-License-Identifier: Apache-2.0
//
// Children of this process that have ended, and that nobody has waited for.

import Glibc
public import Sluice
public import Testing

/// Whether there is a child that has ended and that nobody has waited for; it stays as it is.
///
/// Source: waitid(2), `WNOWAIT`.
public func hasEndedChildren() -> Bool {
    var found = siginfo_t()
    let result = waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT)
    return result == 0 && found.si_signo == SIGCHLD
}

/// Whether a process is there, also one that has ended and that nobody has waited for.
public func isThere(_ process: Int32) -> Bool { kill(process, 0) == 0 }

/// Whether this process has any child.
public func hasChildren() -> Bool {
    var found = siginfo_t()
    return waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0
}

extension Reactor {
    /// Runs until `condition` holds, as ``expect(_:sourceLocation:until:)``; it is asked every two
    /// milliseconds, also where nothing happens here, for it is about another process.
    public func expectElsewhere(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: () -> Bool
    ) {
        let ticks = every(.milliseconds(2)) {}
        expect(what, sourceLocation: sourceLocation, until: condition)
        ticks.cancel()
    }
}
