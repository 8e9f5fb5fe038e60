// SPDX-License-Identifier: Apache-2.0
//
// The million benchmark with a thousand connections: every phase, and how it ends when it must.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct HoldingAMillion {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        /// Two servers, two clients, short times.
        private func start(
            _ arguments: String..., connections: String = "1000"
        ) throws -> CommandProcess {
            let place = CommandProcess.sluice.dropLast("sluice".count)
            let size = ["--connections", connections, "--servers", "2", "--clients", "2"]
            let churn = ["--churn", "10", "--churn-time", "1"]
            let times = ["--rest", "0", "--phase-limit", "20"]
            return try CommandProcess(
                "\(place)MillionBenchmark", size + churn + times + arguments,
                temporaryFilesIn: folder)
        }

        /// The processes that it has started and that are still there.
        private func workers(of benchmark: CommandProcess) throws -> [pid_t] {
            let list = try CommandProcess(
                shell: "cat /proc/\(benchmark.pid)/task/\(benchmark.pid)/children")
            return try list.finish().output.split(whereSeparator: \.isWhitespace)
                .compactMap { pid_t($0) }
        }

        /// Whether a process is there that has not ended.
        ///
        /// One that has, and that nobody has waited for, has no arguments any more.
        ///
        /// Source: proc(5).
        private func isRunning(_ process: pid_t) -> Bool {
            guard let file = fopen("/proc/\(process)/cmdline", "re") else { return false }
            defer { fclose(file) }
            return fgetc(file) != EOF
        }

        @Test func `a thousand connections are held and go through every phase`() throws {
            let benchmark = try start("--idle", "0.2", "--json")
            let (end, output) = try benchmark.finish()
            #expect(end == .exited(0), "\(benchmark.errors.text)")
            let object = try JSONSerialization.jsonObject(with: Data(output.utf8))
            let report = try #require(object as? [String: Any])
            #expect(report["opened"] as? Int == 1_000)
            #expect(report["held"] as? Int == 1_000)
            #expect(report["error_count"] as? Int == 0)
            #expect((report["missed"] as? [String])?.isEmpty == true)
            let phases = try #require(report["phases"] as? [[String: Any]])
            let names = ["open", "settle", "idle", "memory", "echo", "broadcast", "churn", "close"]
            #expect(phases.map { $0["name"] as? String } == names)
            #expect(phases.allSatisfy { $0["errors"] as? Int == 0 })
            // Of the churn it is those that were opened anew.
            let counts = phases.map { $0["connections"] as? Int }
            #expect(counts == [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 100, 1_000])
            #expect(report["bounded_by"] as? String == "")
            #expect(report["open_seconds"] as? Double ?? 0 > 0)
            let memory = try #require(report["memory_per_connection"] as? [String: Double])
            #expect(Set(memory.keys) == ["server", "client", "kernel"])
            #expect(memory["server"] ?? 0 > 0)
        }

        @Test func `people get the section of the page`() throws {
            let benchmark = try start("--idle", "0", "--note", "a note")
            let (end, output) = try benchmark.finish()
            #expect(end == .exited(0), "\(benchmark.errors.text)")
            let lines = output.split(separator: "\n")
            #expect(lines.first == "## A million connections")
            #expect(lines.contains("| connections held at once | >= 1,000 | 1,000 | yes |"))
            #expect(lines.contains("| errors in all phases | = 0 | 0 | yes |"))
            #expect(lines.contains { $0.hasPrefix("| opened, ") && $0.contains("not judged") })
            #expect(lines.contains("- a note"))
        }

        @Test func `what can't fit is refused before a process is started`() throws {
            let benchmark = try start(connections: "10000000")
            let (end, output) = try benchmark.finish()
            #expect(end == .exited(69))
            #expect(output.isEmpty)
            #expect(benchmark.errors.text.contains("room for"))
            let odd = try start("--servers", "0")
            #expect(try odd.finish().end == .exited(64))
        }

        @Test func `the most that fits is what the machine says, and why`() throws {
            let benchmark = try start("--idle", "3600", connections: "max")
            let reason = try benchmark.line(with: " connections fit, bounded by ")
            #expect(reason.contains(": for one more, "))
            // It heeds signals by then.
            _ = try benchmark.line(with: "2 servers, 2 clients, ")
            benchmark.send(SIGINT)
            #expect(try benchmark.finish().end == .exited(130))
        }

        @Test func `a run that misses a limit says so, and ends with status 99`() throws {
            let benchmark = try start("--idle", "0", "--open-limit", "0")
            let (end, output) = try benchmark.finish()
            #expect(end == .exited(99), "\(benchmark.errors.text)")
            let row = "| opened, until the servers have them all, in, s | <= 0 |"
            let lines = output.split(separator: "\n")
            #expect(lines.contains { $0.hasPrefix(row) && $0.hasSuffix("| **no** |") })
            #expect(benchmark.errors.text.contains("missed: opened, until the servers have them"))
        }

        @Test func `a worker that dies ends it with status 70, and the others with it`() throws {
            let benchmark = try start("--idle", "3600")
            _ = try benchmark.line(with: "settle: 1,000")
            let workers = try workers(of: benchmark)
            #expect(workers.count == 4)
            kill(try #require(workers.last), SIGKILL)
            #expect(try benchmark.finish().end == .exited(70))
            #expect(benchmark.errors.text.contains("has ended early"))
            #expect(!workers.contains(where: isRunning))
        }

        @Test func `a signal ends it with status 130, and all its processes`() throws {
            let benchmark = try start("--idle", "3600")
            _ = try benchmark.line(with: "settle: 1,000")
            let workers = try workers(of: benchmark)
            #expect(workers.count == 4)
            benchmark.send(SIGINT)
            #expect(try benchmark.finish().end == .exited(130))
            #expect(!workers.contains(where: isRunning))
        }

        @Test func `nobody is left behind where it is killed`() throws {
            let benchmark = try start("--idle", "3600")
            _ = try benchmark.line(with: "settle: 1,000")
            let workers = try workers(of: benchmark)
            #expect(workers.count == 4)
            benchmark.send(SIGKILL)
            // Its workers have its streams: those end where the last worker has.
            #expect(try benchmark.ended() == .killed(by: SIGKILL))
            benchmark.expect("no worker is left") { !workers.contains(where: isRunning) }
        }
    }
}
