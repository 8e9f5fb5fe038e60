// SPDX-License-Identifier: Apache-2.0
//
// The parts of a transfer that need no network: what is said, shown and summed up.

import ArgumentParser
import Sluice
import SluiceReport
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct ReportingTransfers {
        @Test func `the line tells how far it is, how fast and how long it takes`() {
            var figures = TransferFigures(direction: .sending, file: "file")
            figures.size = 4 << 20
            figures.offset = 1 << 20
            figures.moved = 1 << 20
            #expect(
                figures.line(after: .seconds(2))
                    == "50 %, 2.0 MiB of 4.0 MiB, 512.0 KiB/s, 4 s left")
            #expect(figures.bar(after: .seconds(2)).hasPrefix("[#####     ] 50 %, "))
        }

        @Test func `without a size there is no share`() {
            var figures = TransferFigures(direction: .receiving, file: "file")
            figures.moved = 1_024
            #expect(figures.line(after: .seconds(1)) == "1.0 KiB, 1.0 KiB/s")
            #expect(figures.bar(after: .zero) == "1.0 KiB, 0 B/s")
        }

        @Test func `an empty file is whole from the beginning`() {
            var figures = TransferFigures(direction: .sending, file: "file")
            figures.size = 0
            #expect(figures.line(after: .zero) == "100 %, 0 B of 0 B, 0 B/s")
        }

        @Test(arguments: [
            (0, "0 s left"), (99, "99 s left"), (120, "2 min left"), (7_200, "2 h left"),
            (1_000_000, "days left"),
        ])
        func `the time that is left is a round number`(seconds: Int, text: String) {
            var figures = TransferFigures(direction: .sending, file: "file")
            figures.moved = 100
            figures.size = 100 + seconds * 100
            #expect(figures.line(after: .seconds(1)).hasSuffix(", \(text)"))
        }

        @Test(arguments: [("a b", "a b"), ("a\\b", "a\\\\b"), ("a\nb\r", "a\\nb\\r")])
        func `names are written as sha256sum does`(name: String, text: String) throws {
            let folder = try TemporaryFolder()
            let path = try folder.write([1, 2, 3], to: name)
            let sum = try CommandProcess("sha256sum", [path])
            let line = try sum.finish().output
            let sha256 = try #require(line.split { $0 == " " || $0 == "\\" }.first)
            #expect(TransferFigures.checksumLine(String(sha256), path) + "\n" == line)
            #expect(line.hasSuffix("/\(text)\n"))
        }

        @Test func `a digest goes on after it was asked for`() throws {
            var digest = try Digest()
            #expect(
                try digest.text()
                    == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
            // Source: FIPS 180-2, B.1.
            Array("ab".utf8).withUnsafeBytes { digest.add($0) }
            _ = try digest.text()
            Array("c".utf8).withUnsafeBytes { digest.add($0) }
            let text = try digest.text()
            #expect(text == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        }

        @Test(arguments: [
            "have 12 \(String(repeating: "0f", count: 32))", "size 0", "size 9223372036854775807",
            "have 9223372036854775807 \(String(repeating: "0f", count: 32))",
            "shorter 7", "differs", "reading",
        ])
        func `what partners say reads back as it was written`(words: String) {
            let line = "sluice-resume-1 \(words)"
            #expect(ResumeLine(line)?.description == line)
            #expect(line.utf8.count <= ResumeLine.longest)
        }

        @Test(arguments: [
            "", "have", "have 1", "have 1 2",
            "have -1 \(String(repeating: "0", count: 64))",
            "have 1 \(String(repeating: "F", count: 64))", "size", "size ", "size  1", "size +1",
            "size 9223372036854775808", "size 1 ", "differs 1", "Size 1", "size 1\r",
        ])
        func `anything else is nothing that partners say`(words: String) {
            #expect(ResumeLine("sluice-resume-1 \(words)") == nil)
        }

        @Test(arguments: ["size 5", "sluice-resume-2 size 5", " sluice-resume-1 size 5"])
        func `a line without the mark is a file's own`(line: String) {
            #expect(ResumeLine(line) == nil)
        }

        @Test(
            arguments: [
                ("sluice-resume-1 size 5\n12345", .some(.size(5)), 23),
                ("sluice-resume-1 reading\nsluice-resume-1 differs\n", .some(.differs), 48),
                ("size 5\n12345", .some(nil), 7),
                (String(repeating: "x", count: 121), .some(nil), 0),
                ("sluice-resume-1 reading\nsluice-resume-1 size 5", nil, 24),
                ("sluice-resume-1 size 5", nil, 0), ("", nil, 0),
            ] as [(String, ResumeLine??, Int)])
        func `a line counts with its end alone`(text: String, line: ResumeLine??, count: Int) {
            var end = 0
            let found = Array(text.utf8).withUnsafeBytes { ResumeLine.first(in: $0, upTo: &end) }
            #expect(found == line)
            #expect(end == count)
        }

        @Test func `the bar fits 80 columns, whatever the figures`() {
            var figures = TransferFigures(direction: .sending, file: "file")
            for size in [0, 1, 1_023, 1_047_552, 1_099_511_627_775, 1_125_899_906_842_623, .max] {
                for share in [0, 1, 2, 3] {
                    figures.size = size
                    figures.moved = size / 3 * share
                    for time in [.zero, .seconds(1), .seconds(100), .seconds(1_000_000_000)]
                        as [Duration]
                    {
                        #expect(figures.bar(after: time).count <= 79)
                    }
                }
            }
        }

        @Test func `JSON has nothing in it that a terminal would act upon`() {
            let text = "a\"\\\n\u{1B}\u{7F}\u{9B}\u{2028}\u{202E}\u{E0001}é"
            let escapes = ["000a", "001b", "007f", "009b", "2028", "202e", "db40", "dc01"]
            let quoted = escapes.map { "\\u" + $0 }.joined()
            #expect(JSONValue.string(text).description == "\"a\\\"\\\\" + quoted + "é\"")
        }

        @Test(arguments: [
            ["send"], ["send", "file"], ["send", "file", "h"], ["send", "file", "h", "0"],
            ["send", "file", "h", "65536"], ["send", "file", "h", "klingon"],
            ["send", "file", "h", "1", "--listen", "0"], ["send", "file", "--listen", "h:1"],
            ["send", "file", "--listen", "::1:1"], ["send", "file", "--listen", "klingon"],
            ["send", "file", "h", "1", "--offset", "-1"],
            ["send", "file", "h", "1", "--offset", "1", "--resume"],
            ["send", "-", "h", "1", "--resume"], ["send", "-", "h", "1", "--offset", "1"],
            ["send", "file", "h", "1", "--timeout", "0"],
            ["receive"], ["receive", "file"], ["receive", "file", "h", "0"],
            ["receive", "file", "h", "1", "--resume", "--force"],
            ["receive", "file", "h", "1", "--size", "-1"],
            ["receive", "file", "h", "1", "--size", "1", "--resume"],
            ["receive", "file", "h", "1", "--idle", "soon"],
            ["receive", "-", "h", "1", "--resume"], ["receive", "-", "h", "1", "--force"],
        ])
        func `wrong usage is refused with status 64`(arguments: [String]) {
            #expect {
                _ = try RootCommand.parseAsRoot(arguments)
            } throws: {
                RootCommand.exitCode(for: $0).rawValue == 64
            }
        }

        // T5
        @Test(arguments: [
            ["send", "file", "h", "http"], ["send", "file", "--listen", "[::1]:http"],
            ["receive", "file", "--listen", "0x1F90"], ["connect", "h", "http"],
            ["connect", "--udp", "h", "domain"], ["serve", "echo", "--port", "http"],
            ["load", "tcp://h:http"], ["load", "udp://h:domain"],
        ])
        func `a port may be a service`(arguments: [String]) throws {
            _ = try RootCommand.parseAsRoot(arguments)
        }
    }
}
