// SPDX-License-Identifier: Apache-2.0
//
// What a person writes to limit clients, to serve with processes, and to load from many addresses.

import ArgumentParser
import Sluice
import SluiceLoad
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct ReadingScaleOptions {
        @Test(arguments: [
            ("1", 1), ("4096", 4_096), ("64k", 65_536), ("64K", 65_536), ("16M", 16_777_216),
            ("2G", 2_147_483_648), ("1048576G", 1 << 50),
        ])
        func `a number of bytes may have a unit`(text: String, count: Int) {
            #expect(ByteCountArgument(argument: text)?.byteCount == count)
        }

        @Test(arguments: [
            "", "0", "0k", "k", "-1", "+1", "1.5M", "1 k", "1kB", "1T", "1048577G", "٣",
            "99999999999999999999",
        ])
        func `anything else is no number of bytes`(text: String) {
            #expect(ByteCountArgument(argument: text) == nil)
        }

        @Test(arguments: [
            ("100", 100.0, 100), ("0.5", 0.5, 1), ("2.5", 2.5, 3), ("100/20", 100, 20),
        ])
        func `a rate has a burst, a second's where none is said`(
            text: String, perSecond: Double, burst: Int
        ) {
            let rate = AcceptRateArgument(argument: text)?.rate(in: .whole)
            #expect(rate == ConnectionRate(perSecond: perSecond, burst: burst))
        }

        @Test(arguments: [
            "", "0", "-1", "/", "1/", "/1", "1/0", "1/2/3", "1/-1", "1e3", "nan", "inf", "1000001",
        ])
        func `anything else is no rate`(text: String) {
            #expect(AcceptRateArgument(argument: text) == nil)
        }

        @Test func `processes share a rate and a number`() {
            let parts = (0..<3).map { Share(index: $0, count: 3) }
            let rates = parts.compactMap { AcceptRateArgument(argument: "9/5")?.rate(in: $0) }
            #expect(rates.map(\.perSecond) == [3, 3, 3])
            #expect(rates.map(\.burst) == [2, 2, 1])
            #expect(parts.map { $0.part(of: 7) } == [3, 2, 2])
            #expect(parts.map { $0.part(of: 2) } == [1, 1, 1])
        }

        @Test(arguments: [
            ("close", Refusal.close), ("reset", .reset),
            ("message:full", .message(Array("full".utf8))),
            (#"message:try \\ later\r\n\t"#, .message(Array("try \\ later\r\n\t".utf8))),
        ])
        func `a refusal is a word, or a message with line ends`(text: String, refusal: Refusal) {
            #expect(RefusalArgument(argument: text)?.refusal == refusal)
        }

        @Test(arguments: ["", "drop", "message", "message:", #"message:\x"#, #"message:\"#])
        func `anything else is no refusal`(text: String) {
            #expect(RefusalArgument(argument: text) == nil)
        }

        @Test func `a message has at most 4,096 bytes`() {
            let longest = String(repeating: "a", count: 4_096)
            #expect(RefusalArgument(argument: "message:\(longest)") != nil)
            #expect(RefusalArgument(argument: "message:\(longest)a") == nil)
        }

        @Test(arguments: [
            ("127.0.1.1", ["127.0.1.1"]), ("127.0.1.1,127.0.1.9", ["127.0.1.1", "127.0.1.9"]),
            ("127.0.1.254-127.0.2.1", ["127.0.1.254", "127.0.1.255", "127.0.2.0", "127.0.2.1"]),
            ("127.0.2.5/30", ["127.0.2.4", "127.0.2.5", "127.0.2.6", "127.0.2.7"]),
            ("255.255.255.255/32", ["255.255.255.255"]),
            (
                "2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::",
                ["2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::"]
            ),
            ("2001:db8::/127", ["2001:db8::", "2001:db8::1"]),
        ])
        func `sources are addresses, ranges and networks`(
            text: String, addresses: [String]
        ) throws {
            #expect(try SourceList(text).addresses.map(\.description) == addresses)
        }

        @Test(arguments: [
            "", ",", "127.0.0.1,", "host", "127.0.0.2-127.0.0.1", "127.0.0.1-::1", "127.0.0.1-",
            "127.0.0.1-127.0.0.2-127.0.0.3", "127.0.0.0/33", "127.0.0.0/255.0.0.0", "10.0.0.0/15",
            "::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.0/0",
            "0.0.0.0-255.255.255.255", "10.0.0.0/16,10.1.0.0",
        ])
        func `anything else, and more than 65,536, are no sources`(text: String) {
            #expect(throws: ValidationError.self) { _ = try SourceList(text) }
        }

        @Test func `65,536 sources are had, each once`() throws {
            let network = try SourceList("10.0.0.0/16")
            #expect(try SourceList.united([network, network]).count == 65_536)
        }

        @Test func `a file's line is an option, with its value behind blanks`() {
            let text = """
                # Limits
                  --max-connections 10
                --refuse  message:not now\r
                --idle-timeout=5 s

                --drain
                2s
                --refuse=message:a b
                """
            #expect(
                ServeOptionsFile.arguments(in: text) == [
                    "--max-connections", "10", "--refuse", "message:not now", "--idle-timeout=5 s",
                    "--drain", "2s", "--refuse=message:a b",
                ])
        }

        @Test(arguments: ["--", "-- echo", "--drain 1s\n  --  \n", "--refuse --"])
        func `a file has no mark for the end of the options`(text: String) throws {
            let folder = try TemporaryFolder()
            let path = try folder.write(Array(text.utf8), to: "options")
            #expect(failure(path) == "\(path): -- ends the options, and only they go in a file")
        }

        @Test func `a file that can't be read is told by its path`() throws {
            let folder = try TemporaryFolder()
            let missing = folder["missing"]
            let binary = try folder.write([0xff, 0x0a], to: "binary")
            let zero = try folder.write([0x2d, 0, 0x0a], to: "zero")
            let long = try folder.write([UInt8](repeating: 10, count: 65_537), to: "long")
            #expect(failure(missing) == "\(missing): No such file or directory")
            #expect(failure(folder.path) == "\(folder.path): it is no file")
            #expect(failure(binary) == "\(binary): it is no UTF-8 text")
            #expect(failure(zero) == "\(zero): it is no UTF-8 text")
            #expect(failure(long) == "\(long): it has more than 65536 bytes")
        }

        private func failure(_ path: String) -> String? {
            do throws(ServeOptionsFile.Failure) {
                _ = try ServeOptionsFile.arguments(at: path)
                return nil
            } catch {
                return error.description
            }
        }

        @Test(arguments: [
            (["--processes", "0"], "--processes is a number from 1 to 256"),
            (["--processes", "257"], "--processes is a number from 1 to 256"),
            (
                ["--processes", "2", "--udp"],
                "--processes is for connections; --udp is served by threads, with --workers"
            ),
            (["--options", "/dev/null"], "--options needs --processes"),
            (["--report", "1s"], "--report needs --processes"),
            (["--watchdog", "1s"], "--watchdog needs --processes"),
            (["--processes", "2", "--report", "9ms"], "--report is 10ms or more"),
            (["--processes", "2", "--watchdog", "99ms"], "--watchdog is 100ms or more"),
            (["--activated", "--port", "7"], "--port and --activated exclude each other"),
            (["--activated", "--host", "::1"], "--host and --activated exclude each other"),
            (["--activated", "--unix", "/a"], "--unix and --activated exclude each other"),
            (["--activated", "--udp"], "--udp and --activated exclude each other"),
            (["--activated", "--reuse-port"], "--reuse-port and --activated exclude each other"),
            (
                ["--activated", "--distribution", "reuse-port"],
                "--distribution reuse-port opens sockets, and --activated has some already"
            ),
            (
                ["--processes", "2", "--distribution", "reuse-port"],
                "--distribution reuse-port is for threads alone: each process has sockets already"
            ),
            (
                ["--processes", "3", "--max-connections", "2"],
                "--max-connections is shared by the processes, and less than one for each"
            ),
            (
                ["--processes", "3", "--accept-rate", "100/2"],
                """
                --accept-rate is shared by the processes: for each its rate is 0.001 or more, and \
                its burst 1 or more
                """
            ),
            (
                ["--processes", "2", "--accept-rate", "0.001/2"],
                """
                --accept-rate is shared by the processes: for each its rate is 0.001 or more, and \
                its burst 1 or more
                """
            ),
            (
                ["--buffer-limit", "63k"],
                "--buffer-limit is 64k or more for each thread of each process: they share it"
            ),
            (
                ["--processes", "2", "--workers", "3", "--buffer-limit", "383k"],
                "--buffer-limit is 64k or more for each thread of each process: they share it"
            ),
            (["--max-connections", "0"], "--max-connections is 1 or more"),
            (["--max-per-address", "0"], "--max-per-address is 1 or more"),
            (["--max-per-network", "0"], "--max-per-network is 1 or more"),
            (["--when-full", "refuse"], "--when-full needs --max-connections or --accept-rate"),
            (["--idle-timeout", "0"], "--idle-timeout is more than 0"),
            (["--first-byte-timeout", "0"], "--first-byte-timeout is more than 0"),
            (["--write-timeout", "0s"], "--write-timeout is more than 0"),
            (["--lifetime", "0"], "--lifetime is more than 0"),
            (
                ["--message-timeout", "1s"],
                "--message-timeout needs --style lines: a line is a message"
            ),
            (["--buffer-policy", "end"], "--buffer-policy needs --buffer-limit"),
        ])
        func `what does not go together is refused in words`(
            options: [String], sentence: String
        ) {
            expectRefusal(of: ["serve", "echo"] + options, sentence)
        }

        @Test(arguments: [
            ["--processes", "3", "--accept-rate", "100/3"],
            ["--processes", "2", "--accept-rate", "0.002/2"],
            ["--processes", "2", "--workers", "3", "--buffer-limit", "384k"],
            ["--processes", "2", "--report", "10ms", "--watchdog", "100ms"],
        ])
        func `what is just enough for all is taken`(options: [String]) throws {
            _ = try RootCommand.parseAsRoot(["serve", "echo"] + options)
        }

        @Test(arguments: [
            ["--max-per-address", "1"], ["--max-per-network", "1"], ["--accept-rate", "1"],
            ["--accept-rate-per-address", "1"], ["--refuse", "reset"], ["--lifetime", "1s"],
            ["--first-byte-timeout", "1s"], ["--write-timeout", "1s"], ["--buffer-limit", "1M"],
            ["--receive-rate", "1M"], ["--send-rate", "1M"],
        ])
        func `datagrams have no connections to limit`(options: [String]) {
            expectRefusal(
                of: ["serve", "echo", "--udp"] + options,
                "\(options[0]) is for connections, and --udp has none")
        }

        @Test(arguments: [
            (
                ["tcp://127.0.0.1:1", "--source", "::1"],
                "--source: ::1 can't connect to tcp://127.0.0.1:1, which is of the other family"
            ),
            (
                ["udp://[::1]:1", "--source", "127.0.0.1"],
                "--source: 127.0.0.1 can't connect to udp://[::1]:1, which is of the other family"
            ),
            (
                ["tcp://host:1", "--source", "127.0.0.1", "--source", "::1"],
                "--source: all addresses are IPv4, or all are IPv6"
            ),
            (["unix:/run/socket", "--source", "127.0.0.1"], "--source is for tcp:// and udp://"),
            (
                ["tcp://host:1", "--source", "10.0.0.0/16", "--source", "10.1.0.0"],
                "--source: there are 65536 addresses at most"
            ),
        ])
        func `sources that can't do are refused in words`(options: [String], sentence: String) {
            expectRefusal(of: ["load"] + options, sentence)
        }

        private func expectRefusal(
            of arguments: [String], _ sentence: String,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            do {
                _ = try RootCommand.parseAsRoot(arguments)
                Issue.record("it is not refused", sourceLocation: sourceLocation)
            } catch {
                let message = RootCommand.message(for: error)
                #expect(message == sentence, sourceLocation: sourceLocation)
                #expect(
                    RootCommand.exitCode(for: error).rawValue == 64, sourceLocation: sourceLocation)
            }
        }
    }
}
