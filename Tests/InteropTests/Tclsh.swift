// SPDX-License-Identifier: Apache-2.0
//
// tclsh as the other end of our channels: how it is started, connects, listens and tells.
// Calls of ours that wait without a limit end with it, and it ends after a minute at the latest.

import Sluice
import TestSupport

extension CommandProcess {
    /// Runs a Tcl script in which these stand ready: `lines COUNT`; `take CHANNEL`, all its lines
    /// to the end; `give CHANNEL LINES`; `drain CHANNEL`, until all is sent; `report LINES`; `dial
    /// PORT`, which tells that there is a connection, and `listen COMMAND`, which tells the port.
    ///
    /// A script that has not ended after 60 s is ended by SIGALRM.
    static func tclsh(talking speech: Speech, _ script: String) throws -> CommandProcess {
        // An alarm outlives exec(2).
        let alarm = "alarm 60; exec @ARGV or die qq(@ARGV: $!\\n)"
        let process = try CommandProcess(
            "perl", ["-e", alarm, "tclsh", "/dev/stdin"],
            input: Array((TclProcedures.all + speech.tcl + script).utf8))
        // It has all of the script now, so nobody need attend to its input.
        _ = try process.line(with: "ready")
        return process
    }

    /// What `report` has said each time, after the end is waited for.
    func reports() throws -> [[UInt8]] {
        try said().split(separator: 0x1D, omittingEmptySubsequences: false).dropLast()
            .map { Array($0) + [0x1D] }
    }

    /// Waits for the end and gives what was said on standard output, behind the lines that were
    /// taken; the test fails where the script did.
    func said() throws -> [UInt8] {
        let (end, _) = try finish()
        if end != .exited(0) {
            throw Failure.silent(waitingFor: "its end, not \(end)", errors: errors.text)
        }
        var said = output[...]
        for start in ["ready", "listening on "] where said.starts(with: start.utf8) {
            said = said.drop { $0 != UInt8(ascii: "\n") }.dropFirst()
        }
        return Array(said)
    }

    /// Waits until the script has dialled this often; throws with its standard error where it ends
    /// before.
    func dialled(_ count: Int) throws {
        _ = try line(with: "connection \(count) is there")
    }

    /// Does something with a connection to the script; where both fail, the script's failure with
    /// its standard error is thrown.
    func blamed<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch {
            _ = try said()
            throw error
        }
    }
}

extension ServerSocket {
    /// Accepts a connection that a script has dialled, counted from 1.
    ///
    /// Accepting has no limit, so the connection has to be there first.
    func accept(
        _ number: Int, from script: CommandProcess, options: ChannelOptions = .standard
    ) throws -> Channel {
        try script.dialled(number)
        return try accept(options: options)
    }
}

/// What every script begins with.
private enum TclProcedures {
    static let all = """
        fconfigure stdout -translation lf -encoding utf-8
        proc take {channel} {
            set got {}
            while 1 {
                while {[gets $channel line] >= 0} {lappend got $line}
                if {[eof $channel]} {return $got}
                fileevent $channel readable {set ::readable 1}
                vwait readable
                fileevent $channel readable {}
            }
        }
        proc give {channel lines} {foreach line $lines {puts $channel $line}}
        proc drain {channel} {
            flush $channel
            if {[fconfigure $channel -blocking]} return
            # It is held back for as long as something is to be sent.
            fileevent $channel writable {set ::drained 1}
            vwait drained
            fileevent $channel writable {}
        }
        proc report {lines} {
            append ::told [llength $lines]
            foreach line $lines {append ::told \\x1e $line}
            append ::told \\x1d
        }
        proc dial {port} {
            set channel [socket 127.0.0.1 $port]
            puts stderr "connection [incr ::connections] is there"
            return $channel
        }
        proc listen {command} {
            set server [socket -server $command -myaddr 127.0.0.1 0]
            puts "listening on 127.0.0.1:[lindex [fconfigure $server -sockname] 2]"
            flush stdout
            return $server
        }
        set told ""
        puts ready
        flush stdout

        """
}
