// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve --processes`, as its clients, its administrator and a service manager see it.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct ServingWithProcesses {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        private func started(
            _ options: [String] = [], count: Int = 2
        ) throws -> (CommandProcess, UInt16) {
            let words = ["--processes", "\(count)", "--report", "20ms"] + options
            let server = try CommandProcess(
                CommandProcess.sluice, ["serve", "echo"] + words, temporaryFilesIn: folder,
                input: nil)
            return (server, try server.listeningPort())
        }

        @Test(arguments: [[], ["--workers", "2"], ["--style", "async"]])
        func `all of them serve, and the report adds them up`(options: [String]) throws {
            let (server, port) = try started(options)
            let clients = try (0..<40).map { _ in try PlainClient.served(at: port) }
            server.expect("both have clients") {
                guard let report = server.lastReport else { return false }
                return report.count("connections") == 40 && report.count("bytes_sent") == 40
                    && report.processes.allSatisfy { $0.count("connections") > 0 }
            }
            let report = try #require(server.lastReport)
            #expect(report.count("accepted") == 40 && report.count("refused") == 0)
            #expect(report.processes.map { $0.count("slot") } == [0, 1])
            #expect(report.processes.map { $0["state"] as? String } == ["ready", "ready"])
            withExtendedLifetime(clients) {}
        }

        @Test func `SIGTERM waits for the clients of all, and the status is 0`() throws {
            let (server, port) = try started(["--drain", "20s"])
            do {
                let clients = try (0..<8).map { _ in try PlainClient.served(at: port) }
                server.send(SIGTERM)
                server.expect("they drain") {
                    server.lastReport?.processes.contains { $0["state"] as? String == "draining" }
                        == true
                }
                for client in clients {
                    client.send([2])
                    #expect(client.receive(1) == [2])
                }
            }
            #expect(try server.finish().end == .exited(0))
            #expect(server.complaints.isEmpty)
        }

        @Test(arguments: [[], ["--workers", "2"], ["--style", "async"]])
        func `signals to all processes, again and again, still wait for the clients`(
            options: [String]
        ) throws {
            let (server, port) = try started(["--drain", "20s"] + options)
            let workers = try server.lastPIDs(waitingFor: 2)
            do {
                let clients = try (0..<8).map { _ in try PlainClient.served(at: port) }
                // As service managers and terminals do, and then the first process once more.
                for worker in workers { kill(worker, SIGTERM) }
                server.send(SIGTERM)
                server.expect("they drain") {
                    server.lastReport?.processes.contains { $0["state"] as? String == "draining" }
                        == true
                }
                for round: UInt8 in 2...4 {
                    for worker in workers {
                        kill(worker, SIGTERM)
                        kill(worker, SIGINT)
                    }
                    server.watch(for: .milliseconds(50))
                    for client in clients {
                        client.send([round])
                        #expect(client.receive(1) == [round])
                    }
                }
            }
            #expect(try server.finish().end == .exited(0))
            #expect(server.complaints.isEmpty)
        }

        @Test func `a second signal ends all of them at once`() throws {
            let (server, port) = try started(["--drain", "1h"])
            let client = try PlainClient.served(at: port)
            server.send(SIGTERM)
            server.send(SIGINT)
            #expect(try server.finish().end == .exited(0))
            #expect(server.complaints.isEmpty)
            withExtendedLifetime(client) {}
        }

        @Test func `another takes the place of one that is killed, and nobody is refused`() throws {
            let (server, port) = try started()
            let killed = try #require(server.lastPIDs(waitingFor: 2).first)
            kill(killed, SIGKILL)
            for _ in 0..<20 { try PlainClient.served(at: port) }
            server.expect("there is another one") {
                let pids = server.lastReport?.pids ?? []
                return pids.count == 2 && !pids.contains(killed)
            }
            for _ in 0..<20 { try PlainClient.served(at: port) }
            #expect(server.complaints == ["sluice: process 0 (\(killed)) was killed by signal 9"])
        }

        @Test func `another takes the place of one that hangs`() throws {
            let (server, port) = try started(["--watchdog", "3s"])
            let hanging = try #require(server.lastPIDs(waitingFor: 2).first)
            kill(hanging, SIGSTOP)
            let sentence = "sluice: process 0 (\(hanging)) says no more that it is alive"
            #expect(try server.line(with: "says no more") == sentence)
            server.expect("there is another one") {
                let pids = server.lastReport?.pids ?? []
                return pids.count == 2 && !pids.contains(hanging)
            }
            for _ in 0..<20 { try PlainClient.served(at: port) }
            #expect(
                server.complaints == [
                    sentence, "sluice: process 0 (\(hanging)) was killed by signal 9",
                ])
        }

        @Test(arguments: [[], ["--workers", "2"]])
        func `the report has a number for each reason to refuse`(options: [String]) throws {
            let (server, port) = try started(["--max-per-address", "1"] + options, count: 1)
            let first = try PlainClient.served(at: port)
            for _ in 0..<3 {
                let refused = try #require(PlainClient(port: port))
                #expect(refused.receive().isEmpty)
            }
            server.expect("they are told") { server.lastReport?.count("refused") == 3 }
            let report = try #require(server.lastReport)
            for part in [report] + report.processes {
                #expect(part.refusals?.count("addressConnections") == 3)
                #expect(part.refusals?.members.count == 1)
            }
            withExtendedLifetime(first) {}
        }

        /// Under a supervisor that is no `sluice`, so that it ends between two reports.
        @Test(arguments: ["1", "2"])
        func `what a process has done since its last report is told at its end`(
            threads: String
        ) throws {
            let reactor = try Reactor()
            let words = ["serve", "echo", "--processes", "1", "--as-process", "0/1"]
            var options = SupervisorOptions()
            options.workerCount = 1
            let supervisor = try Supervisor(
                on: reactor, at: [.loopback(port: 0)], options: options
            ) { _ in
                ProcessLaunch(
                    program: CommandProcess.sluice,
                    arguments: words + ["--report", "1h", "--workers", threads])
            }
            reactor.start(supervisor, 1)
            let port = try #require(supervisor.addresses[0].port)
            for _ in 0..<8 { try PlainClient.served(at: port) }
            supervisor.drain()
            reactor.expect("it ends") { supervisor.result != nil }
            #expect(supervisor.result?.exitStatus == 0)
            #expect(supervisor.figures.accepted == 8)
            #expect(supervisor.figures.bytesSent == 8)
        }

        @Test func `all of them go when the first one is killed`() throws {
            let (server, _) = try started()
            #expect(try server.lastPIDs(waitingFor: 2).count == 2)
            server.send(SIGKILL)
            // They hold its standard error: its end is theirs.
            #expect(try server.ended() == .killed(by: SIGKILL))
        }

        @Test func `a Unix socket is served, and its file removed at the end`() throws {
            let server = try CommandProcess(
                CommandProcess.sluice,
                ["serve", "time", "--processes", "2", "--unix", folder["socket"]],
                temporaryFilesIn: folder, input: nil)
            #expect(try server.nextLine() == "listening on \(folder["socket"])")
            let client = try Socket(for: .unix(path: folder["socket"]))
            try client.connect(to: .unix(path: folder["socket"]), within: .seconds(10))
            #expect(try client.receive(upTo: 10, within: .seconds(10)).count == 4)
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
            #expect(folder.names.isEmpty)
        }

        @Test func `an address in use ends it with status 69 and its name`() throws {
            let first = try CommandProcess(sluice: "serve", "echo")
            let port = try first.listeningPort()
            let second = try CommandProcess(
                sluice: "serve", "echo", "--processes", "2", "--port", "\(port)")
            #expect(try second.finish().end == .exited(69))
            let refusal = "sluice: bind 127.0.0.1:\(port): Address already in use\n"
            #expect(second.errors.text == refusal)
        }
    }

    struct ReloadingServe {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        private func write(_ text: String) throws -> String {
            try folder.write(Array(text.utf8), to: "options")
        }

        private func started(_ options: String...) throws -> (CommandProcess, UInt16) {
            let words = [
                "serve", "echo", "--processes", "1", "--drain", "20s", "--report", "20ms",
                "--options", folder["options"],
            ]
            let server = try CommandProcess(
                CommandProcess.sluice, words + options, temporaryFilesIn: folder, input: nil)
            return (server, try server.listeningPort())
        }

        @Test func `SIGHUP has new clients served by new options, and old ones go on`() throws {
            _ = try write("# As many as like to come\n")
            let (server, port) = try started("--refuse", "message:full")
            var clients = try (0..<2).map { _ in try PlainClient.served(at: port) }
            _ = try write("--max-per-address 1\n")
            server.send(SIGHUP)
            // The old one may let some in until it hears that it is to end.
            try server.expect("the new options hold") {
                let client = try #require(PlainClient(port: port))
                client.send([1])
                let answer = client.receive(1)
                if answer == [1] { clients.append(client) }
                return answer == [UInt8(ascii: "f")]
            }
            for client in clients {
                client.send([3])
                #expect(client.receive(1) == [3])
            }
            #expect(clients.count > 2)
            server.expect("it is told") { server.lastReport?.count("generation") == 2 }
            _ = try server.line(with: "sluice: reloaded: generation 2 serves")
            #expect(server.complaints == ["sluice: reloaded: generation 2 serves"])
        }

        @Test func `a SIGHUP that comes before it can be obeyed is obeyed when it can`() throws {
            // Who starts it has it wait, and the kernel keeps both over execve(2): signal(7).
            let script = """
                import os, signal, sys
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
                os.kill(os.getpid(), signal.SIGHUP)
                os.execv(sys.argv[1], sys.argv[1:])
                """
            let words = ["serve", "echo", "--processes", "1", "--report", "20ms"]
            let server = try CommandProcess(
                "python3", ["-S", "-c", script, CommandProcess.sluice] + words,
                temporaryFilesIn: folder, input: nil)
            let port = try server.listeningPort()
            server.expect("it has reloaded") { server.lastReport?.count("generation") == 2 }
            try PlainClient.served(at: port)
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
        }

        @Test func `SIGHUP to one of the processes leaves its clients alone`() throws {
            _ = try write("")
            let (server, port) = try started()
            let client = try PlainClient.served(at: port)
            let process = try server.lastPIDs(waitingFor: 1)[0]
            let name = try CommandProcess("cat", ["/proc/\(process)/comm"])
            #expect(try name.finish().end == .exited(0))
            #expect(name.output.text == "sluice\n")
            kill(process, SIGHUP)
            client.send([1])
            #expect(client.receive(1) == [1])
            #expect(server.complaints.isEmpty)
        }

        @Test func `a client that comes at any time of a reload is served`() throws {
            _ = try write("")
            let (server, port) = try started()
            for generation in 2...4 {
                server.send(SIGHUP)
                while server.lastReport?.count("generation") != generation {
                    try PlainClient.served(at: port)
                    server.watch(for: .milliseconds(1))
                }
                _ = try server.line(with: "sluice: reloaded: generation \(generation) serves")
            }
            #expect(server.complaints.count == 3)
        }

        @Test(arguments: [
            ("--max-connections none", "The value 'none' is invalid"),
            ("--lifetime 0", "--lifetime is more than 0"), ("--dance", "Unknown option '--dance'"),
            ("--port 1", "--port holds from the start on: it is for the command line"),
            ("--processes=3", "--processes holds from the start on: it is for the command line"),
            ("--as-process 0/1", "--as-process holds from the start on"),
            ("--watchdog 1s", "--watchdog holds from the start on"),
            ("--options other", "--options holds from the start on"),
            ("--udp", "--udp holds from the start on"),
            ("--lifetime 1h\n--\n", "-- ends the options, and only they go in a file"),
            ("--help", "it asks for help"), ("\u{0}", "it is no UTF-8 text"),
        ])
        func `a bad file is told of, and what served before goes on`(
            text: String, reason: String
        ) throws {
            _ = try write("")
            let (server, port) = try started()
            _ = try write(text)
            server.send(SIGHUP)
            let line = try server.line(with: "what served before goes on")
            #expect(line.hasPrefix("sluice: \(folder["options"]): \(reason)"))
            try PlainClient.served(at: port)
            // The last report may be one from before it served.
            server.expect("it is the first one") { server.lastReport?.count("generation") == 1 }
            _ = try write("--lifetime 1h")
            server.send(SIGHUP)
            server.expect("it is taken") { server.lastReport?.count("generation") ?? 0 > 1 }
            try PlainClient.served(at: port)
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
        }

        @Test func `a bad file at the start ends it with status 64`() throws {
            let path = try write("--lifetime 0\n")
            let server = try CommandProcess(
                sluice: "serve", "echo", "--processes", "1", "--options", path)
            #expect(try server.finish().end == .exited(64))
            #expect(server.errors.text == "sluice: \(path): --lifetime is more than 0\n")
        }
    }
}

// MARK: - What is told on standard error

/// A line of `--report`, or what it says of one process.
private struct Report {
    let members: [String: Any]

    subscript(name: String) -> Any? { members[name] }

    func count(_ name: String) -> Int { members[name] as? Int ?? -1 }

    var processes: [Report] {
        (members["processes"] as? [[String: Any]] ?? []).map { Report(members: $0) }
    }

    var refusals: Report? { (members["refusals"] as? [String: Any]).map { Report(members: $0) } }

    var pids: [pid_t] { processes.compactMap { ($0["pid"] as? Int).map(pid_t.init) } }
}

extension CommandProcess {
    /// The last whole line of the report.
    fileprivate var lastReport: Report? {
        let lines = errors.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard let line = lines.last(where: { $0.hasPrefix("{") }),
            // A line that is no object is no report.
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
        else { return nil }
        return (object as? [String: Any]).map(Report.init)
    }

    /// What is no report.
    fileprivate var complaints: [String] {
        errors.text.split(separator: "\n").filter { !$0.hasPrefix("{") }.map(String.init)
    }

    /// The processes of the last report, when there are as many.
    fileprivate func lastPIDs(waitingFor count: Int) throws -> [pid_t] {
        expect("they are there") { lastReport?.pids.count == count }
        return try #require(lastReport).pids
    }
}
