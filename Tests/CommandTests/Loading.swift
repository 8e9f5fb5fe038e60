// SPDX-License-Identifier: Apache-2.0
//
// `sluice load` against a server of its own, in processes of their own.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct Loading {
        @Test func `the JSON report has its keys and counts every answer`() throws {
            let (server, target) = try echoServer()
            let report = try report(of: ["load", target, "--connections", "10", "--size", "100"])
            #expect(report["connections"] as? Int == 10)
            #expect(report["errors"] as? Int == 0)
            let requests = try #require(report["requests"] as? Int)
            #expect(requests > 0)
            #expect(report["bytes_received"] as? Int == requests * 100)
            #expect(report["bytes_sent"] as? Int ?? 0 >= requests * 100)
            #expect(report["seconds"] as? Double ?? 0 >= 0.2)
            // They are opened over a ramp of no time.
            let connectSeconds = try #require(report["connect_seconds"] as? Double)
            #expect(connectSeconds > 0 && connectSeconds < 5)
            #expect(report["requests_per_second"] is Double)
            let latency = try #require(report["latency_us"] as? [String: Double])
            #expect(Set(latency.keys) == ["p50", "p90", "p99", "p99_9", "max"])
            withExtendedLifetime(server) {}
        }

        @Test func `people get a table`() throws {
            let (server, target) = try echoServer()
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "2", "--ramp", "0", "--duration", "100ms")
            let (end, output) = try load.finish()
            #expect(end == .exited(0))
            for name in ["load", "connections", "measured", "requests", "latency", "errors"] {
                #expect(output.split(separator: "\n").contains { $0.hasPrefix(name + " ") })
            }
            #expect(load.errors.text.isEmpty)
            withExtendedLifetime(server) {}
        }

        @Test func `a rate sends exactly what was due`() throws {
            let (server, target) = try echoServer()
            let report = try report(of: ["load", target, "--connections", "7", "--rate", "1000"])
            #expect(report["requests"] as? Int == 200)
            #expect(report["errors"] as? Int == 0)
            #expect(report["bytes_sent"] as? Int == 200 * 64)
            #expect(report["requests_per_second"] as? Double == 1_000)
            withExtendedLifetime(server) {}
        }

        @Test func `a stalled server shows in the latencies of a rate`() throws {
            let (server, target) = try echoServer()
            let load = try CommandProcess(
                sluice: "load", target, "--rate", "500", "--connections", "5", "--ramp", "0",
                "--duration", "4s", "--json", "--progress")
            load.expect("it reports") { load.errors.text.contains("1 s, 5 connections") }
            server.send(SIGSTOP)
            load.expect("it reports") { load.errors.text.contains("2 s, 5 connections") }
            server.send(SIGCONT)
            let report = try report(in: load.finish().output)
            let latency = try #require(report["latency_us"] as? [String: Double])
            #expect(report["requests"] as? Int == 2_000)
            #expect(latency["max"] ?? 0 > 700_000)
            #expect(latency["p90"] ?? 0 > 300_000)
        }

        @Test func `churn counts connections`() throws {
            let (server, target) = try echoServer()
            let report = try report(of: ["load", target, "--churn", "--connections", "5"])
            #expect(report["connections_per_second"] as? Double ?? 0 > 0)
            #expect(report["errors"] as? Int == 0)
            withExtendedLifetime(server) {}
        }

        @Test func `receive counts what the server sends`() throws {
            let server = try CommandProcess(sluice: "serve", "chargen")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let report = try report(of: ["load", target, "--receive", "--connections", "2"])
            #expect(report["bytes_received"] as? Int ?? 0 > 1_000_000)
            #expect(report["bytes_sent"] as? Int == 0)
        }

        @Test func `hold sends nothing and loses nobody`() throws {
            let (server, target) = try echoServer()
            let report = try report(of: ["load", target, "--hold", "--connections", "50"])
            #expect(report["connections"] as? Int == 50)
            #expect(report["requests"] as? Int == 0)
            #expect(report["errors"] as? Int == 0)
            withExtendedLifetime(server) {}
        }

        @Test func `large requests in a pipeline come back whole`() throws {
            let (server, target) = try echoServer()
            let report = try report(
                of: ["load", target, "--connections", "2", "--size", "300000", "--pipeline", "4"])
            #expect(report["requests"] as? Int ?? 0 > 0)
            #expect(report["errors"] as? Int == 0)
            withExtendedLifetime(server) {}
        }

        @Test func `a refused connect is one line and status 69`() throws {
            let port = try #require(SocketAddress.unused().port)
            let load = try CommandProcess(sluice: "load", "tcp://127.0.0.1:\(port)", "--json")
            let (end, output) = try load.finish()
            #expect(end == .exited(69))
            #expect(output.isEmpty)
            #expect(load.errors.text == "sluice: connect 127.0.0.1:\(port): Connection refused\n")
        }

        @Test func `a missed threshold is named with status 99`() throws {
            let (server, target) = try echoServer()
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "2", "--ramp", "0", "--duration", "50ms",
                "--min-rate", "1000000000")
            #expect(try load.finish().end == .exited(99))
            #expect(load.errors.text.contains("is below"))
            withExtendedLifetime(server) {}
        }

        @Test func `a load that nobody answers ends with status 69`() throws {
            let server = try CommandProcess(sluice: "serve", "discard")
            let load = try CommandProcess(
                sluice: "load", "tcp://127.0.0.1:\(try server.listeningPort())", "--connections",
                "2",
                "--ramp", "0", "--duration", "100ms")
            #expect(try load.finish().end == .exited(69))
            #expect(load.errors.text == "sluice: no request was answered\n")
        }

        @Test(arguments: [SIGINT, SIGTERM], [1, 2])
        func `an interrupted load reports and ends with status 130`(
            signal: CInt, processes: Int
        ) throws {
            let (server, target) = try echoServer()
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "4", "--ramp", "0", "--duration", "1h",
                "--processes", "\(processes)", "--json", "--progress")
            load.expect("it reports") { load.errors.text.contains("requests/s") }
            load.send(signal)
            let (end, output) = try load.finish()
            #expect(end == .exited(130))
            #expect(try report(in: output)["requests"] as? Int ?? 0 > 0)
            withExtendedLifetime(server) {}
        }

        @Test func `a server that dies is counted and ends the load with status 69`() throws {
            let (server, target) = try echoServer()
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "4", "--ramp", "0", "--json", "--progress")
            load.expect("it reports") { load.errors.text.contains("requests/s") }
            server.send(SIGKILL)
            let (end, output) = try load.finish()
            #expect(end == .exited(69))
            #expect(try report(in: output)["errors"] as? Int == 4)
        }

        @Test func `an answer that differs is an error`() throws {
            let server = try CommandProcess(sluice: "serve", "chargen")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "3", "--ramp", "0", "--json")
            #expect(try load.finish().end == .exited(69))
        }

        private func echoServer() throws -> (CommandProcess, target: String) {
            let server = try CommandProcess(sluice: "serve", "echo")
            return (server, "tcp://127.0.0.1:\(try server.listeningPort())")
        }

        /// The report of a load of 200 ms that ends well.
        private func report(of arguments: [String]) throws -> [String: Any] {
            let words = arguments.map { "'\($0)'" }.joined(separator: " ")
            let load = try CommandProcess(
                shell: "exec $sluice \(words) --ramp 0 --duration 200ms --json")
            let (end, output) = try load.finish()
            #expect(end == .exited(0), "\(load.errors.text)")
            return try report(in: output)
        }

        private func report(in output: String) throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(object as? [String: Any])
        }
    }
}
