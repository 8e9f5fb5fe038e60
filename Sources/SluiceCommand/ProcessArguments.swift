// SPDX-License-Identifier: Apache-2.0
//
// With how many processes `sluice serve` serves, where their sockets and options come from, and
// what is told of them.

import ArgumentParser
import Sluice

/// The options of serving with several processes, and under a service manager.
struct ProcessArguments: ParsableArguments {
    @Option(
        help: """
            Serve with so many processes. One that dies is started anew; SIGHUP starts all anew \
            and ends the old ones when the new ones serve.
            """)
    var processes: Int?

    @Option(
        help: ArgumentHelp(
            """
            With --processes: further options, one a line, that are read anew at SIGHUP; they \
            count after those of the command line. A line with # is a remark.
            """, valueName: "file"))
    var options: String?

    @Option(
        help: ArgumentHelp(
            """
            With --processes: tell as often, 10ms or more, on standard error what they do, in a \
            line of JSON of at most 4096 bytes; where that is too few, only the sums. A line that \
            can't be written at once is left out.
            """, valueName: "time"))
    var report: DurationArgument?

    @Option(
        help: ArgumentHelp(
            """
            With --processes: kill one that has not said for so long, 100ms or more, that it is \
            alive, and start another; its first thread speaks for all. (default: 30s)
            """, valueName: "time"))
    var watchdog: DurationArgument?

    @Flag(help: "Serve the sockets that a service manager has opened (LISTEN_FDS).")
    var activated = false

    @Option(help: .hidden)
    var asProcess: Share?

    /// How many processes there may be.
    private static let limit = 256

    /// The shortest times between reports, and for signs of life.
    private static let shortestReport = Duration.milliseconds(10)
    private static let shortestWatchdog = Duration.milliseconds(100)

    /// How long a process may be silent.
    var watchdogLimit: Duration { watchdog?.duration ?? .seconds(30) }

    /// Which part of the whole this process is.
    var part: Share { asProcess ?? .whole }

    func validate() throws {
        if let processes, !(1...Self.limit).contains(processes) {
            throw ValidationError("--processes is a number from 1 to \(Self.limit)")
        }
        for (name, isGiven) in [
            ("--options", options != nil), ("--report", report != nil),
            ("--watchdog", watchdog != nil),
        ] where isGiven && processes == nil {
            throw ValidationError("\(name) needs --processes")
        }
        if let report, report.duration < Self.shortestReport {
            throw ValidationError("--report is 10ms or more")
        }
        if let watchdog, watchdog.duration < Self.shortestWatchdog {
            throw ValidationError("--watchdog is 100ms or more")
        }
    }
}
