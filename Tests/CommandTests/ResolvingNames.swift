// SPDX-License-Identifier: Apache-2.0
//
// `sluice resolve` as a person runs it, by itself and against a name server on loopback.

import ArgumentParser
import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct ResolvingNames {
        // W15
        @Test func `a number is its own address`() throws {
            let (output, errors) = try resolved("--type", "addresses", "192.0.2.7")
            let rows = rows(of: output)
            #expect(rows["name"] == ["192.0.2.7"])
            #expect(rows["addresses"] == ["192.0.2.7"])
            #expect(rows["source"] == ["number"])
            #expect(rows["time to live"] == ["unknown"])
            #expect(rows["time taken"]?.count == 1)
            #expect(errors.isEmpty)
        }

        @Test func `localhost is answered by this machine alone`() throws {
            let rows = rows(of: try resolved("localhost").output)
            #expect(Set(rows["addresses"] ?? []) == ["::1", "127.0.0.1"])
            #expect(rows["source"] == ["localhost"])
        }

        @Test func `a name server's answer has its time to live and the official name`() throws {
            let server = try NameServer()
            let (output, _) = try resolved("--server", server.place, "www.example.test.")
            let rows = rows(of: output)
            #expect(rows["canonical"] == ["host.example.test"])
            #expect(Set(rows["addresses"] ?? []) == ["192.0.2.1", "2001:db8::1"])
            #expect(rows["source"] == ["server \(server.place)"])
            #expect(rows["time to live"] == ["300 s"])
        }

        @Test(arguments: [("a", "192.0.2.1"), ("aaaa", "2001:db8::1")])
        func `one family can be asked for`(type: String, address: String) throws {
            let server = try NameServer()
            let (output, _) = try resolved(
                "--server", server.place, "--type", type, "host.example.test.")
            #expect(rows(of: output)["addresses"] == [address])
        }

        @Test func `an address has names`() throws {
            let server = try NameServer()
            let rows = rows(of: try resolved("--server", server.place, "192.0.2.1").output)
            #expect(rows["names"] == ["host.example.test"])
        }

        @Test func `services have hosts, ports, priorities and weights`() throws {
            let server = try NameServer()
            let (output, _) = try resolved(
                "--server", server.place, "--type", "srv", "_imap._tcp.example.test.")
            #expect(
                rows(of: output)["services"] == ["mail.example.test:993, priority 5, weight 10"])
        }

        @Test func `texts do nothing to the terminal`() throws {
            let server = try NameServer()
            let (output, _) = try resolved(
                "--server", server.place, "--type", "txt", "text.example.test.")
            #expect(rows(of: output)["texts"] == ["\"a\\u{1B}[2Jb\""])
        }

        @Test func `what does not resolve is told with its reason, and the rest is shown`() throws {
            let server = try NameServer()
            let command = try CommandProcess(
                sluice: "resolve", "--server", server.place, "nowhere.example.test.",
                "host.example.test.", "example.org.")
            let (end, output) = try command.finish()
            #expect(end == .exited(69))
            #expect(rows(of: output)["name"] == ["host.example.test."])
            let unknown = ResolverError("nowhere.example.test.", .unknownName)
            let refused = ResolverError("example.org.", .refused)
            #expect(command.errors.text == "sluice: \(unknown)\nsluice: \(refused)\n")
        }

        @Test func `a name server that is not there is told`() throws {
            let place = try SocketAddress.unused()
            let command = try CommandProcess(
                sluice: "resolve", "--server", "\(place)", "host.example.test.")
            #expect(try command.finish() == (.exited(69), ""))
            let error = ResolverError("host.example.test.", .unreachable)
            #expect(command.errors.text == "sluice: \(error)\n")
        }

        @Test func `a name server that says nothing costs no more than the time limit`() throws {
            let silent = try Socket(family: .ipv4, kind: .datagram)
            try silent.bind(to: .loopback(port: 0))
            let start = ContinuousClock.now
            let command = try CommandProcess(
                sluice: "resolve", "--server", "\(try silent.localAddress)", "--timeout", "200ms",
                "host.example.test.")
            #expect(try command.finish() == (.exited(69), ""))
            let error = ResolverError("host.example.test.", .timedOut)
            #expect(command.errors.text == "sluice: \(error)\n")
            #expect(ContinuousClock.now - start < .seconds(10))
        }

        @Test func `the system is asked unless something else is said`() throws {
            // No machine knows it. Source: RFC 6761, 6.4.
            let command = try CommandProcess(
                sluice: "resolve", "--timeout", "5s", "nowhere.invalid")
            #expect(try command.finish() == (.exited(69), ""))
            #expect(command.errors.text.hasPrefix("sluice: resolve nowhere.invalid: "))
        }

        @Test func `the JSON report has an object for each name, in their order`() throws {
            let server = try NameServer()
            let command = try CommandProcess(
                sluice: "resolve", "--json", "--server", server.place, "www.example.test.",
                "nowhere.example.test.", "192.0.2.1")
            let (end, output) = try command.finish()
            #expect(end == .exited(69))
            let report = try objects(in: output)
            #expect(
                report.map { $0["name"] as? String }
                    == ["www.example.test.", "nowhere.example.test.", "192.0.2.1"])
            #expect(report.map { $0["type"] as? String } == ["addresses", "addresses", "ptr"])
            let first = try #require(report.first)
            #expect(
                Set(first["answers"] as? [String] ?? []) == ["192.0.2.1", "2001:db8::1"])
            #expect(first["source"] as? String == "server \(server.place)")
            #expect(first["time_to_live"] as? Double == 300)
            #expect(first["canonical_name"] as? String == "host.example.test")
            #expect(first["time_us"] as? Double ?? 0 > 0)
            #expect((report[1]["error"] as? String)?.hasPrefix("resolve nowhere") == true)
        }

        @Test(arguments: [
            ["resolve"], ["resolve", "--type", "mx", "name"], ["resolve", "--type", "ptr", "name"],
            ["resolve", "--timeout", "0", "name"], ["resolve", "--server", "name", "name"],
            ["resolve", "--server", "127.0.0.1:0", "name"],
            ["resolve", "--server", "[127.0.0.1]", "name"],
        ])
        func `wrong usage is refused with status 64`(arguments: [String]) {
            #expect {
                _ = try RootCommand.parseAsRoot(arguments)
            } throws: {
                RootCommand.exitCode(for: $0).rawValue == 64
            }
        }

        @Test(arguments: [
            ("192.0.2.1", "192.0.2.1:53"), ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"), ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ])
        func `a name server's port may be left out`(text: String, place: String) {
            #expect(NameServerArgument(argument: text)?.address.description == place)
        }

        private func resolved(_ arguments: String...) throws -> (output: String, errors: String) {
            let command = try CommandProcess(sluice: ["resolve"] + arguments)
            let (end, output) = try command.finish()
            #expect(end == .exited(0), "\(command.errors.text)")
            return (output, command.errors.text)
        }

        /// The table's values by their names; those of all names are together.
        private func rows(of output: String) -> [String: [String]] {
            var rows: [String: [String]] = [:]
            var name = ""
            for line in output.split(separator: "\n") {
                let begin = String(line.prefix(14)).trimmingCharacters(in: .whitespaces)
                if !begin.isEmpty { name = begin }
                rows[name, default: []].append(String(line.dropFirst(14)))
            }
            return rows
        }

        private func objects(in output: String) throws -> [[String: Any]] {
            let values = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(values as? [[String: Any]])
        }
    }
}

/// Debian's dnsmasq, with a small zone of ours, and with no other server to ask.
private final class NameServer {
    let place: String
    private let process: CommandProcess

    init() throws {
        let address = try SocketAddress.unused()
        place = "\(address)"
        process = try CommandProcess(
            "dnsmasq",
            [
                "--no-daemon", "--conf-file=/dev/null", "--port=\(address.port ?? 0)",
                "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
                "--pid-file=", "--local=/example.test/",
                "--host-record=host.example.test,192.0.2.1,2001:db8::1,300",
                "--cname=www.example.test,host.example.test,300",
                "--txt-record=text.example.test,a\u{1B}[2Jb",
                "--srv-host=_imap._tcp.example.test,mail.example.test,993,5,10",
            ])
        _ = try process.line(with: "started")
    }
}
