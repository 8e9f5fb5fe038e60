// SPDX-License-Identifier: Apache-2.0
//
// What of the options of `sluice serve` does not go together, told in words.

import ArgumentParser
import Sluice

extension ServeCommand {
    func validate() throws {
        _ = try portNumber()
        if let backlog, backlog < 1 || Int32(exactly: backlog) == nil {
            throw ValidationError("--backlog is 1 or more")
        }
        guard (1...1_024).contains(workers) else {
            throw ValidationError("--workers is a number from 1 to 1024")
        }
        try validateText()
        if udp { try validateDatagrams() }
        try validateSockets()
        try validateProcesses()
        guard buffers.isEnough(for: (processes.processes ?? 1) * workers) else {
            throw ValidationError(
                "--buffer-limit is 64k or more for each thread of each process: they share it")
        }
    }

    private func validateText() throws {
        if style == .lines, !service.hasLines {
            throw ValidationError("--style lines is for echo and discard")
        }
        if style != .lines, text.areGiven {
            throw ValidationError("--encoding, --translation and --end-mark need --style lines")
        }
        // The other styles consume bytes as they come: no message is ever incomplete.
        if style != .lines, times.messageTimeout != nil {
            throw ValidationError("--message-timeout needs --style lines: a line is a message")
        }
    }

    /// Refuses what means nothing where there are no connections.
    private func validateDatagrams() throws {
        let refused =
            [
                ("--style", style != .callback), ("--backlog", backlog != nil),
                ("--drain", drain != nil), ("--encoding", text.encoding != nil),
                ("--translation", text.translation != nil), ("--end-mark", text.endMark != nil),
            ].filter(\.1).map(\.0) + admission.given + times.given + buffers.given
        if let name = refused.first {
            throw ValidationError("\(name) is for connections, and --udp has none")
        }
        if processes.processes != nil {
            throw ValidationError(
                "--processes is for connections; --udp is served by threads, with --workers")
        }
    }

    private func validateSockets() throws {
        guard processes.activated else { return }
        let refused = [
            ("--host", !host.isEmpty), ("--port", port != PortArgument(0)),
            ("--unix", unix != nil), ("--udp", udp), ("--reuse-port", reusePort),
        ]
        if let (name, _) = refused.first(where: \.1) {
            throw ValidationError("\(name) and --activated exclude each other")
        }
        if distribution == .reusePort {
            throw ValidationError(
                "--distribution reuse-port opens sockets, and --activated has some already")
        }
    }

    private func validateProcesses() throws {
        guard let count = processes.processes else { return }
        if distribution == .reusePort {
            throw ValidationError(
                "--distribution reuse-port is for threads alone: each process has sockets already")
        }
        if let limit = admission.maxConnections, limit < count {
            throw ValidationError(
                "--max-connections is shared by the processes, and less than one for each")
        }
        if let rate = admission.acceptRate, !rate.isEnough(for: count) {
            throw ValidationError(
                """
                --accept-rate is shared by the processes: for each its rate is 0.001 or more, and \
                its burst 1 or more
                """)
        }
    }
}
