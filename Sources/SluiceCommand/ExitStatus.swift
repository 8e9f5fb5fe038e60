// SPDX-License-Identifier: Apache-2.0
//
// What the command's exit statuses mean, and the one line on standard error that goes with them.

import ArgumentParser

extension ExitCode {
    /// The two ends do not fit: their files differ, or one of them does not speak as the other.
    ///
    /// Source: `EX_DATAERR`, sysexits(3).
    static let mismatch = ExitCode(65)
    /// A file that is to be sent can't be read.
    ///
    /// Source: `EX_NOINPUT`, sysexits(3).
    static let noInput = ExitCode(66)
    /// No connection, or no address to listen on, could be had.
    ///
    /// Source: `EX_UNAVAILABLE`, sysexits(3).
    static let unavailable = ExitCode(69)
    /// Something failed that should not.
    ///
    /// Source: `EX_SOFTWARE`, sysexits(3).
    static let software = ExitCode(70)
    /// A file that is to be written exists already, or can't be made.
    ///
    /// Source: `EX_CANTCREAT`, sysexits(3).
    static let cannotCreate = ExitCode(73)
    /// A threshold was missed.
    static let missed = ExitCode(99)
    /// Ended by a signal, after what there was to say.
    static let interrupted = ExitCode(130)
}

/// Runs a command's body: an error that is no exit status ends it with one line and status 70.
func reportingFaults(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let code as ExitCode {
        throw code
    } catch {
        StandardStreams.complain("\(error)")
        throw ExitCode.software
    }
}
