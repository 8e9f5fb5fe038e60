// SPDX-License-Identifier: Apache-2.0
//
// `sluice load udp://...` against a server of its own, and against peers that lose, change, double
// and hold back what they should send back.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct LoadingDatagrams {
        @Test func `the JSON report has its keys and counts every answer`() throws {
            let (server, target) = try server("echo")
            let report = try report(
                of: [target, "--connections", "4", "--pipeline", "8", "--size", "100"])
            #expect(report["target"] as? String == target)
            #expect(report["connections"] as? Int == 4)
            #expect(report["errors"] as? Int == 0)
            let requests = try #require(report["requests"] as? Int)
            #expect(requests > 0)
            #expect(report["bytes_received"] as? Int == requests * 100)
            #expect(report["bytes_sent"] as? Int ?? 0 >= requests * 100)
            #expect(report["requests_per_second"] is Double)
            let latency = try #require(report["latency_us"] as? [String: Double])
            #expect(Set(latency.keys) == ["p50", "p90", "p99", "p99_9", "max"])
            withExtendedLifetime(server) {}
        }

        @Test func `an observed server has its cost told`() throws {
            let (server, target) = try server("echo")
            let report = try report(of: [target, "--observe", "\(server.pid)"])
            let time = try #require(report["server_cpu_us_per_request"] as? [String: Double])
            #expect(time["total"] ?? 0 > 0)
        }

        @Test func `people get a table and progress of sockets`() throws {
            let (server, target) = try server("echo")
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "2", "--ramp", "0", "--duration", "1500ms",
                "--progress")
            let (end, output) = try load.finish()
            #expect(end == .exited(0))
            for name in ["load", "sockets", "measured", "requests", "latency", "errors"] {
                #expect(output.split(separator: "\n").contains { $0.hasPrefix(name + " ") })
            }
            #expect(load.errors.text.contains("1 s, 2 sockets, "))
            withExtendedLifetime(server) {}
        }

        @Test(arguments: [8, 65_507])
        func `the shortest and the longest datagrams come back whole`(size: Int) throws {
            let (server, target) = try server("echo")
            let report = try report(of: [target, "--connections", "2", "--size", "\(size)"])
            #expect(report["requests"] as? Int ?? 0 > 0)
            #expect(report["errors"] as? Int == 0)
            withExtendedLifetime(server) {}
        }

        @Test(arguments: [[], ["--workers", "3"], ["--processes", "3"]])
        func `a rate sends exactly what was due, whoever shares it`(words: [String]) throws {
            let (server, target) = try server("echo")
            let report = try report(of: [target, "--connections", "7", "--rate", "1000"] + words)
            #expect(report["connections"] as? Int == 7)
            #expect(report["requests"] as? Int == 200)
            #expect(report["errors"] as? Int == 0)
            #expect(report["bytes_sent"] as? Int == 200 * 64)
            withExtendedLifetime(server) {}
        }

        @Test func `a name is looked up`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--udp", "--host", "localhost")
            let target = "udp://localhost:\(try server.listeningPort())"
            let report = try report(of: [target, "--connections", "2"])
            #expect(report["requests"] as? Int ?? 0 > 0)
        }

        private func server(_ service: String) throws -> (CommandProcess, target: String) {
            let server = try CommandProcess(sluice: "serve", service, "--udp")
            return (server, "udp://127.0.0.1:\(try server.listeningPort())")
        }
    }
}

// MARK: - Odd peers

extension CommandSuite.LoadingDatagrams {
    @Test func `each request that a peer drops is one that is lost, and no other`() throws {
        let peer = try OddPeer { request, number in number % 3 == 0 ? [] : [request] }
        let report = try report(
            of: [peer.target, "--datagram-timeout", "500ms"] + Self.steady)
        #expect(report["requests"] as? Int == 133)
        #expect(try kinds(in: report) == ["lost": 67])
        #expect(report["bytes_received"] as? Int == 133 * 64)
    }

    @Test func `a closed loop goes on past losses`() throws {
        let peer = try OddPeer { request, number in number % 3 == 0 ? [] : [request] }
        let report = try report(
            of: [
                peer.target, "--connections", "2", "--pipeline", "4", "--datagram-timeout", "20ms",
            ])
        // More than the pipelines hold.
        #expect(report["requests"] as? Int ?? 0 > 8)
        #expect(Set(try kinds(in: report).keys) == ["lost"])
    }

    @Test func `an answer that comes late is passed over`() throws {
        let held = SharedValue<[UInt8]>([])
        let peer = try OddPeer { request, number in
            if number == 0 { held.change { $0 = request } }
            // The second request is sent when the first was given up.
            return number == 0 ? [] : number == 1 ? [held.value, request] : [request]
        }
        let report = try report(
            of: [peer.target, "--connections", "1", "--datagram-timeout", "250ms"],
            for: "1s")
        #expect(try kinds(in: report) == ["lost": 1])
        let requests = try #require(report["requests"] as? Int)
        #expect(requests > 0)
        #expect(report["bytes_received"] as? Int == requests * 64)
    }

    @Test func `an answer that comes twice counts once`() throws {
        let peer = try OddPeer { request, _ in [request, request] }
        let report = try report(of: [peer.target] + Self.steady)
        #expect(report["requests"] as? Int == 200)
        #expect(report["errors"] as? Int == 0)
        #expect(report["bytes_received"] as? Int == 200 * 64)
    }

    @Test func `answers may overtake one another`() throws {
        let held = SharedValue<[UInt8]>([])
        let peer = try OddPeer { request, number in
            defer { held.change { $0 = request } }
            return number % 2 == 0 ? [] : [request, held.value]
        }
        let report = try report(of: [peer.target, "--pipeline", "8"] + Self.steady)
        #expect(report["requests"] as? Int == 200)
        #expect(report["errors"] as? Int == 0)
    }

    @Test(arguments: [9, 63])
    func `an answer that differs is an error of its own`(place: Int) throws {
        let peer = try OddPeer { request, number in
            var answer = request
            if number % 3 == 0 { answer[place] ^= 0x80 }
            return [answer]
        }
        let report = try report(of: [peer.target] + Self.steady)
        #expect(report["requests"] as? Int == 133)
        #expect(try kinds(in: report) == ["wrong answer": 67])
    }

    @Test(arguments: [[], [1], [UInt8](repeating: 1, count: 64)] as [[UInt8]])
    func `an answer without a number that was sent is an error, and its request is lost`(
        answer: [UInt8]
    ) throws {
        let peer = try OddPeer { request, number in [number % 3 == 1 ? answer : request] }
        let report = try report(of: [peer.target, "--datagram-timeout", "500ms"] + Self.steady)
        #expect(report["requests"] as? Int == 133)
        #expect(try kinds(in: report) == ["wrong answer": 67, "lost": 67])
    }

    @Test func `a stray datagram takes no request's place`() throws {
        let peer = try OddPeer { request, number in number == 0 ? [request] : [[1], request] }
        let report = try report(of: [peer.target] + Self.steady)
        #expect(report["requests"] as? Int == 200)
        #expect(try kinds(in: report) == ["wrong answer": 199])
    }

    /// 200 requests, numbered by the peer from 0 to 199.
    private static let steady = ["--connections", "1", "--rate", "1000"]
}

// MARK: - Nobody there

extension CommandSuite.LoadingDatagrams {
    @Test(arguments: [[], ["--rate", "100"], ["--workers", "2"], ["--processes", "2"]])
    func `where nobody is there is one line and status 69`(words: [String]) throws {
        let port = try #require(SocketAddress.unused().port)
        let load = try CommandProcess(
            sluice: ["load", "udp://127.0.0.1:\(port)", "--ramp", "0", "--json"] + words,
            input: nil)
        let (end, output) = try load.finish()
        #expect(end == .exited(69))
        #expect(output.isEmpty)
        #expect(load.errors.text == "sluice: write 127.0.0.1:\(port): Connection refused\n")
    }

    @Test func `a name that nobody has is one line and status 69`() throws {
        // No label of a name has more than 63 letters, so nobody is asked.
        let name = String(repeating: "a", count: 64)
        let load = try CommandProcess(sluice: "load", "udp://\(name):9")
        #expect(try load.finish().end == .exited(69))
        #expect(load.errors.text.split(separator: "\n").count == 1)
    }

    @Test(arguments: ["discard", "chargen"])
    func `a load that nobody answers ends with status 69`(service: String) throws {
        let server = try CommandProcess(sluice: "serve", service, "--udp")
        let load = try CommandProcess(
            sluice: "load", "udp://127.0.0.1:\(try server.listeningPort())", "--connections", "2",
            "--ramp", "0", "--duration", "100ms", "--datagram-timeout", "50ms", "--json")
        let (end, output) = try load.finish()
        #expect(end == .exited(69))
        #expect(load.errors.text == "sluice: no request was answered\n")
        let kind = service == "discard" ? "lost" : "wrong answer"
        #expect(try kinds(in: report(in: output))[kind] ?? 0 > 0)
    }

    @Test func `a server that dies costs requests, and says why`() throws {
        let (server, load) = try started()
        server.send(SIGKILL)
        load.expect("errors show") {
            let last = load.errors.text.split(separator: "\r").last ?? ""
            return last.contains(" errors") && !last.contains(" 0 errors")
        }
        load.send(SIGINT)
        let (end, output) = try load.finish()
        #expect(end == .exited(130))
        #expect(try kinds(in: report(in: output))["refused"] ?? 0 > 0)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `an interrupted load reports and ends with status 130`(signal: CInt) throws {
        let (server, load) = try started()
        load.send(signal)
        let (end, output) = try load.finish()
        #expect(end == .exited(130))
        #expect(try report(in: output)["requests"] as? Int ?? 0 > 0)
        withExtendedLifetime(server) {}
    }

    /// A load that has been answered, and would go on for an hour.
    private func started() throws -> (server: CommandProcess, load: CommandProcess) {
        let server = try CommandProcess(sluice: "serve", "echo", "--udp")
        let load = try CommandProcess(
            sluice: "load", "udp://127.0.0.1:\(try server.listeningPort())", "--connections", "4",
            "--ramp", "0", "--duration", "1h", "--datagram-timeout", "50ms", "--json", "--progress")
        load.expect("it reports") { load.errors.text.contains("requests/s") }
        return (server, load)
    }
}

// MARK: - Reports

extension CommandSuite.LoadingDatagrams {
    /// The report of a load that ends well.
    private func report(
        of arguments: [String], for duration: String = "200ms"
    ) throws -> [String: Any] {
        let load = try CommandProcess(
            sluice: ["load"] + arguments + ["--ramp", "0", "--duration", duration, "--json"],
            input: nil)
        let (end, output) = try load.finish()
        #expect(end == .exited(0), "\(load.errors.text)")
        return try report(in: output)
    }

    private func report(in output: String) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(output.utf8))
        return try #require(object as? [String: Any])
    }

    private func kinds(in report: [String: Any]) throws -> [String: Int] {
        try #require(report["error_kinds"] as? [String: Int])
    }
}
