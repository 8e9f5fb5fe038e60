// SPDX-License-Identifier: Apache-2.0
//
// A load that several processes share, and what it tells of the process that it observes.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct Sharing {
        @Test(arguments: ["--processes", "--workers"])
        func `workers share connections and rate and report as one`(kind: String) throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let load = try CommandProcess(
                sluice: "load", target, kind, "3", "--connections", "10", "--rate", "1000",
                "--ramp", "0", "--duration", "500ms", "--json")
            let report = try report(of: load)
            #expect(report["connections"] as? Int == 10)
            #expect(report["requests"] as? Int == 500)
            #expect(report["errors"] as? Int == 0)
        }

        @Test(arguments: ["--processes", "--workers"])
        func `where no worker can connect there is one line and status 69`(kind: String) throws {
            let port = try #require(SocketAddress.unused().port)
            let load = try CommandProcess(
                sluice: "load", "tcp://127.0.0.1:\(port)", kind, "2")
            #expect(try load.finish().end == .exited(69))
            #expect(load.errors.text == "sluice: connect 127.0.0.1:\(port): Connection refused\n")
        }

        @Test func `a worker that dies is told with status 70 and the rest goes on`() throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let load = try CommandProcess(
                sluice: "load", target, "--processes", "2", "--connections", "4", "--ramp", "0",
                "--duration", "3s", "--json", "--progress")
            load.expect("it reports") { load.errors.text.contains("requests/s") }
            let children = try CommandProcess(
                shell: "cat /proc/\(load.pid)/task/\(load.pid)/children")
            let words = try children.finish().output.split(whereSeparator: \.isWhitespace)
            let child = try #require(words.first.flatMap { pid_t($0) })
            kill(child, SIGKILL)
            let (end, output) = try load.finish()
            #expect(end == .exited(70))
            #expect(output.contains("\"worker lost\": 1"))
            #expect(load.errors.text.contains("has ended early"))
        }

        @Test func `a load that is killed leaves no process behind`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--drain", "20s")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let load = try CommandProcess(
                sluice: "load", target, "--processes", "2", "--connections", "4", "--ramp", "0",
                "--duration", "1h", "--progress")
            load.expect("it reports") { load.errors.text.contains("requests/s") }
            load.send(SIGKILL)
            // The workers hold its standard error: its end is theirs.
            #expect(try load.finish().end == .killed(by: SIGKILL))
        }

        @Test func `an observed server has its cost told`() throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let load = try CommandProcess(
                sluice: "load", target, "--observe", "\(server.pid)", "--connections", "100",
                "--ramp", "0", "--duration", "300ms", "--json")
            let report = try report(of: load)
            let time = try #require(report["server_cpu_us_per_request"] as? [String: Double])
            let memory = try #require(report["server_memory_per_connection"] as? [String: Double])
            #expect(time["total"] ?? 0 > 0)
            #expect(time["user"] ?? 1e9 <= time["total"] ?? 0)
            #expect(Set(memory.keys) == ["idle", "after_traffic"])
            #expect(report["server_cpu_us_per_connection"] as? Double ?? 0 > 0)
        }

        private func report(of load: CommandProcess) throws -> [String: Any] {
            let (end, output) = try load.finish()
            #expect(end == .exited(0), "\(load.errors.text)")
            let object = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(object as? [String: Any])
        }
    }
}
