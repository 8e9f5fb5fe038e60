// SPDX-License-Identifier: Apache-2.0
//
// Connections on which Tcl and Sluice talk in turns, one after the other: every pair of
// translations, Tcl's channel blocking or not, and either side first.

import Sluice
import TestSupport
import Testing

/// One connection: how each side is set, and who begins.
struct Turn: Sendable, CustomStringConvertible {
    let ends: LineEnds
    let first: First
    /// `-blocking` of Tcl's channel.
    let tclWaits: Bool

    var description: String { "\(ends), \(first) first, Tcl \(tclWaits ? "waits" : "polls")" }

    /// Every pair of translations; over the manners Tcl's channel is blocking and not with each.
    static func all(for manner: Manner) -> [Turn] {
        LineEnds.all.enumerated().map { index, ends in
            Turn(
                ends: ends, first: index.isMultiple(of: 2) ? .ours : .theirs,
                tclWaits: (index / 2 + manner.rawValue).isMultiple(of: 2))
        }
    }
}

/// A talk over some connections, in one encoding, where each side says the same lines.
struct TurnTalk {
    let speech: Speech
    let manner: Manner
    let turns: [Turn]
    let lines: [String]

    init(_ manner: Manner, _ speech: Speech) {
        self.speech = speech
        self.manner = manner
        turns = Turn.all(for: manner)
        lines = speech.lines(speech.encoding == "utf-8" ? 500 : 150)
    }

    /// What our channels are set to.
    var options: [ChannelOptions] {
        get throws {
            try turns.map {
                manner.options(
                    try ChannelOptions(
                        translation: $0.ends.translation, encoding: speech.encoding))
            }
        }
    }

    /// Tcl's side, over the channels that its command `next` gives.
    ///
    /// A stateful encoding is read in pieces as large as they come, so that no CR ends one.
    var tcl: String {
        let list = turns.map { "{\($0.ends.translation)} \($0.tclWaits ? 1 : 0) \($0.first)" }
        let buffer = speech.isStateful ? "-buffersize 1000000" : ""
        return """
            foreach {translation waits first} {\(list.joined(separator: " "))} {
                set channel [next]
                fconfigure $channel -translation $translation -encoding \(speech.encoding) \\
                    -blocking $waits \(buffer)
                if {$first eq "ours"} {
                    report [take $channel]
                    give $channel [lines \(lines.count)]
                    drain $channel
                } else {
                    give $channel [lines \(lines.count)]
                    close $channel write
                    report [take $channel]
                }
                close $channel
            }
            puts -nonewline $told
            """
    }

    /// Compares what both sides have heard with what was written.
    func compare(heard: [[String]], reports: [[UInt8]]) throws {
        try #require(heard.count == turns.count)
        try #require(reports.count == turns.count)
        for (index, turn) in turns.enumerated() {
            let expected = turn.ends.received(lines)
            #expect(heard[index] == expected, "\(turn)")
            // Nothing is said of what Tcl hears where it errs.
            if turn.ends.confusesTcl(speech) { continue }
            let said = report(expected)
            if reports[index] != said { Issue.record("\(turn): Tcl has heard something else") }
            expectSame(reports[index], said)
        }
    }
}

/// A talk of Tcl's own by events, in which neither side waits for the other.
enum TclEvents {
    /// Our side in every manner, and every encoding once at least.
    static let cases =
        Manner.allCases.map { ($0, Speech.utf8) }
        + zip(Manner.allCases, Speech.all.dropFirst())

    /// Where Tcl would err in CRLF, both sides write LF.
    static func translation(_ speech: Speech) -> String {
        speech.isStateful ? "auto lf" : "auto crlf"
    }

    /// Defines `talk CHANNEL`, which gives 10,000 lines, hears all and sets `done`.
    static func talk(_ speech: Speech) -> String {
        """
        proc hear {channel} {
            while {[gets $channel line] >= 0} {lappend ::got $line}
            if {[eof $channel]} {
                close $channel
                report $::got
                puts -nonewline $::told
                set ::done 1
            }
        }
        proc talk {channel} {
            fconfigure $channel -blocking 0 -encoding \(speech.encoding) \\
                -translation {\(translation(speech))}
            fileevent $channel readable [list hear $channel]
            give $channel [lines 10000]
            close $channel write
        }

        """
    }
}
