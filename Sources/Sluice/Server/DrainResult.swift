// SPDX-License-Identifier: Apache-2.0
//
// How the end of servers went, in figures and as the exit status of the process.

/// How a drain has ended.
public struct DrainResult: Hashable, Sendable {
    /// How many connections did not end by themselves, and had to be closed or cut off.
    public let closedCount: Int
    /// A second signal ended the drain before its limit.
    public let isInterrupted: Bool

    /// What the process may end with: 0 where all connections have ended by themselves, 75
    /// (`EX_TEMPFAIL`) where some had to be closed, 130 after a second signal.
    ///
    /// Source: sysexits.h(3head) for 75; 130 is what shells show for `SIGINT`, 128 + 2.
    public var exitStatus: CInt {
        if isInterrupted { return 130 }
        return closedCount > 0 ? 75 : 0
    }
}
