// SPDX-License-Identifier: Apache-2.0
//
// The part of a worker: an echo of lines, which takes leave of its clients before it goes.

import ArgumentParser
import Glibc
import Sluice

/// What a worker says beside the echo.
enum Speech {
    /// Said to each client when the worker drains: send nothing more, and go.
    ///
    /// To end its own direction instead would leave a message unanswered that was already under
    /// way; the client alone knows of them all.
    static let farewell = "bye"
    private static let greeting = "worker "

    /// Said first of all: which process it is.
    static func greeting(of process: pid_t) -> String { greeting + "\(process)" }

    /// The process of a greeting; `nil` for any other line.
    static func greeter(in line: String) -> Int? {
        line.hasPrefix(greeting) ? Int(line.dropFirst(greeting.count)) : nil
    }
}

/// The hidden `reloads worker`, which the supervisor starts.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Play a worker.", shouldDisplay: false)

    private static let drainLimit = Duration.seconds(4)

    func run() throws {
        // First of all, for their numbers are fixed.
        let sockets = try InheritedSockets.fromEnvironment()
        signal(SIGPIPE, SIG_IGN)
        DescriptorLimit.raise()
        let reactor = try Reactor()
        // A client that goes at the farewell may not be there to hear it; clients count all that
        // matters.
        reactor.onError = { _, _ in }
        let greeting = Speech.greeting(of: getpid())
        let server = try Server(on: reactor, adopting: sockets) { channel, _ in
            channel.onLine { channel, line in try channel.writeLine(line) }
            channel.onDraining { channel in try channel.writeLine(Speech.farewell) }
            try channel.writeLine(greeting)
        }
        // In a turn, when the signal is watched already that may come as the answer.
        reactor.after(.zero) { try ServiceNotifier.fromEnvironment()?.notify(.ready) }
        let result = try reactor.serve([server], within: Self.drainLimit)
        throw ExitCode(result.exitStatus)
    }
}
