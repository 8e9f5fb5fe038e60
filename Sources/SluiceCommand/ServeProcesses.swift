// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve --processes`: the first process opens the sockets and looks after the others, which
// serve.

import ArgumentParser
import Glibc
import Sluice

extension ServeCommand {
    /// Serves with several processes until a signal ends that.
    func serveWithProcesses() throws {
        // A reload may be asked for while names are looked up; that must not end this process.
        Self.setHangUpWaits(true)
        // What follows the program's name and `serve`.
        let words = Array(CommandLine.arguments.dropFirst(2))
        do throws(ServeOptionsFile.Failure) {
            _ = try arguments(after: words, for: .whole)
        } catch {
            StandardStreams.complain("\(error)")
            throw ExitCode.validationFailure
        }
        let places = try places()
        let reactor = try Reactor()
        reactor.onError = complain
        let supervisor = try supervisor(on: reactor, places, words)
        let log = ServeLog(of: supervisor)
        if let interval = processes.report?.duration {
            reactor.every(interval) { log.report() }
        }
        // In the first turn it is watched, and what has come meanwhile is obeyed.
        reactor.after(.zero) { Self.setHangUpWaits(false) }
        // The status stays 0: clients that had to be cut had their time, and a second signal is
        // obeyed as well.
        _ = try supervisor.run(
            reloadingOn: [.hangUp], drainingOn: [.interrupt, .terminate],
            telling: ServiceNotifier.fromEnvironment())
    }

    /// Whether SIGHUP waits for this thread to let it come.
    ///
    /// Threads that begin meanwhile never get it, and need not: this one does. Workers begin with
    /// no signal blocked.
    private static func setHangUpWaits(_ waits: Bool) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGHUP)
        pthread_sigmask(waits ? SIG_BLOCK : SIG_UNBLOCK, &signals, nil)
    }

    private func supervisor(
        on reactor: Reactor, _ places: consuming ServePlaces, _ words: [String]
    ) throws(SocketError) -> Supervisor {
        var options = SupervisorOptions()
        options.workerCount = processes.processes ?? 1
        options.listener = listenerOptions
        options.samePort = true
        // What was written by then may take as long again to go out.
        options.drainLimit = drainLimit * 2
        options.watchdog = processes.watchdogLimit
        let launch = { [self, count = options.workerCount] index in
            let words = try arguments(after: words, for: Share(index: index, count: count))
            return ProcessLaunch(arguments: ["serve"] + words)
        }
        switch consume places {
        case .addresses(let addresses):
            return try Supervisor(on: reactor, at: addresses, options: options, launch: launch)
        case .sockets(let sockets):
            return try Supervisor(on: reactor, adopting: sockets, options: options, launch: launch)
        }
    }

    /// The arguments of one of the processes: those of this one and, behind them, those of the file
    /// as it is now.
    ///
    /// - Throws: `ServeOptionsFile.Failure` where the file can't be read, or its options are not
    ///   allowed.
    private func arguments(
        after words: [String], for part: Share
    ) throws(ServeOptionsFile.Failure) -> [String] {
        var further: [String] = []
        if let path = processes.options {
            further = try ServeOptionsFile.arguments(at: path)
            if let name = Self.fixedName(in: further) {
                let reason = "\(name) holds from the start on: it is for the command line"
                throw ServeOptionsFile.Failure(description: "\(path): \(reason)")
            }
        }
        // Behind the mark for the end of the options there are none.
        let end = words.firstIndex(of: "--") ?? words.endIndex
        let options = words[..<end] + further
        if let path = processes.options { try check(Array(options + words[end...]), path) }
        return Array(options + ["--as-process", "\(part)"] + words[end...])
    }

    private func check(_ words: [String], _ path: String) throws(ServeOptionsFile.Failure) {
        do {
            _ = try ServeCommand.parse(words)
        } catch {
            let isRefusal = ServeCommand.exitCode(for: error) != .success
            // Behind the first line may stand how the command is used.
            let sentence = ServeCommand.message(for: error).prefix { !$0.isNewline }
            throw ServeOptionsFile.Failure(
                description: "\(path): \(isRefusal ? sentence : "it asks for help")")
        }
    }

    /// The first option that can't change, since the sockets stay as they are and the first process
    /// goes on; `nil` where there is none.
    private static func fixedName(in words: [String]) -> Substring? {
        let fixed: Set<Substring> = [
            "--host", "--port", "--unix", "--udp", "--backlog", "--reuse-port", "--drain",
            "--processes", "--options", "--report", "--watchdog", "--activated", "--as-process",
        ]
        return words.lazy.map { $0.prefix { $0 != "=" } }.first(where: fixed.contains)
    }
}
