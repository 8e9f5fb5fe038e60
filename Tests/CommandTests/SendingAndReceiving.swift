// SPDX-License-Identifier: Apache-2.0
//
// `sluice send` and `sluice receive` with each other: whoever connects, whole files and parts.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct SendingAndReceiving {
        private let folder: TemporaryFolder
        private let file: String
        private let copy: String

        init() throws {
            folder = try TemporaryFolder()
            file = folder["file"]
            copy = folder["copy"]
        }

        // N52
        @Test(arguments: [true, false], [0, 1, 100_000])
        func `a file comes over whole, whoever connects`(
            senderListens: Bool, byteCount: Int
        ) throws {
            try write(byteCount)
            let ends = try started(senderListens: senderListens)
            try expectSameFiles(ends)
        }

        @Test(arguments: [true, false])
        func `50 MB have one checksum at both ends and in sha256sum`(senderListens: Bool) throws {
            let made = try CommandProcess(shell: "head -c 50000000 /dev/urandom >'\(file)'")
            #expect(try made.finish().end == .exited(0))
            let ends = try started(senderListens: senderListens)
            let (sent, received) = try expectSameFiles(ends)
            #expect(sent.contains("sent 50,000,000 bytes to 127.0.0.1:"))
            #expect(received.contains("received 50,000,000 bytes from 127.0.0.1:"))
        }

        @Test(arguments: [true, false])
        func `what is lacking is sent alone`(senderListens: Bool) throws {
            let bytes = try write(300_000)
            try folder.write(Array(bytes[..<100_000]), to: "copy")
            let ends = try started(senderListens: senderListens, "--resume")
            let (sent, received) = try expectSameFiles(ends)
            #expect(sent.contains("sent 200,000 bytes"))
            for output in [sent, received] {
                #expect(output.contains("; resumed from 100,000, the checksum is of all 300,000"))
            }
        }

        @Test(arguments: [0, 300_000])
        func `who has nothing, or all, may resume, too`(byteCount: Int) throws {
            let bytes = try write(300_000)
            if byteCount > 0 { try folder.write(bytes, to: "copy") }
            let ends = try started(senderListens: true, "--resume")
            let (sent, _) = try expectSameFiles(ends)
            #expect(sent.contains("sent \(byteCount == 0 ? "300,000" : "0") bytes"))
        }

        @Test func `a transfer that was cut says so, and is resumed`() throws {
            let bytes = try write(200_000)
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--resume", "--listen", "0")
            do {
                let sender = try #require(PlainClient(port: try receiver.listeningPort()))
                let line = "sluice-resume-1 have 0 \(Self.emptyChecksum)\n"
                #expect(sender.receive(line.utf8.count).text == line)
                sender.send(Array("sluice-resume-1 size 200000\n".utf8) + bytes[..<150_000])
            }
            #expect(try receiver.finish().end == .exited(70))
            let error = "sluice: \(copy): cut short: 150,000 of 200,000 bytes have come\n"
            #expect(receiver.errors.text == error)
            #expect(folder.read("copy") == Array(bytes[..<150_000]))
            let (sent, _) = try expectSameFiles(started(senderListens: false, "--resume"))
            #expect(sent.contains("sent 50,000 bytes"))
        }

        @Test func `bytes that are not the file's first ones are told at both ends`() throws {
            try write(1_000)
            try folder.write([1, 2, 3], to: "copy")
            let (sender, receiver) = try started(senderListens: false, "--resume")
            #expect(try sender.finish().end == .exited(65))
            #expect(try receiver.finish().end == .exited(65))
            #expect(
                sender.errors.text
                    == "sluice: \(file): the partner's 3 bytes are not its first ones\n")
            #expect(
                receiver.errors.text
                    == "sluice: \(copy): the partner's file does not begin with its 3 bytes\n")
            #expect(folder.read("copy") == [1, 2, 3])
        }

        @Test func `a file that is shorter than what is there is told at both ends`() throws {
            try write(2)
            try folder.write([1, 2, 3], to: "copy")
            let (sender, receiver) = try started(senderListens: true, "--resume")
            #expect(try sender.finish().end == .exited(65))
            #expect(try receiver.finish().end == .exited(65))
            #expect(sender.errors.text.contains("it has 2 bytes, and the partner has 3 already"))
            #expect(receiver.errors.text.contains("it has 3 bytes, and the partner's file only 2"))
        }

        @Test func `a receiver that resumes needs a sender that does`() throws {
            try write(5_000)
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--resume", "--listen", "0")
            let port = "\(try receiver.listeningPort())"
            let sender = try CommandProcess(sluice: "send", file, "127.0.0.1", port)
            #expect(try receiver.finish().end == .exited(65))
            #expect(receiver.errors.text.contains("it needs --resume, too"))
            #expect(try sender.finish().end == .exited(70))
        }

        @Test func `a sender that resumes needs a receiver that does`() throws {
            try write(5_000)
            let sender = try CommandProcess(sluice: "send", file, "--resume", "--listen", "0")
            let receiver = try #require(PlainClient(port: try sender.listeningPort()))
            receiver.send(Array("hello\n".utf8))
            #expect(try sender.finish().end == .exited(65))
            #expect(sender.errors.text.contains("it needs --resume, too"))
            #expect(receiver.receive().isEmpty)
        }

        @Test func `a part of a file is sent from an offset on`() throws {
            let bytes = try write(1_000)
            let sender = try CommandProcess(
                sluice: "send", file, "--offset", "400", "--listen", "0")
            let receiver = try #require(PlainClient(port: try sender.listeningPort()))
            #expect(receiver.receive() == Array(bytes[400...]))
            receiver.endWriting()
            let (end, output) = try sender.finish()
            #expect(end == .exited(0))
            #expect(output.contains("; from byte 400 on, the checksum is of these bytes\n"))
            let sum = try CommandProcess(shell: "tail -c 600 '\(file)' | sha256sum")
            #expect(output.contains(try sum.nextLine().prefix(64)))
        }

        @Test func `a file that is there is kept`() throws {
            try folder.write([1, 2, 3], to: "copy")
            let receiver = try CommandProcess(sluice: "receive", copy, "--listen", "0")
            #expect(try receiver.finish() == (.exited(73), ""))
            #expect(receiver.errors.text.hasPrefix("sluice: \(copy): File exists; --resume goes "))
            #expect(folder.read("copy") == [1, 2, 3])
        }

        @Test func `a file that is there is replaced where that is asked for`() throws {
            try write(1_000)
            try folder.write([UInt8](repeating: 1, count: 2_000), to: "copy")
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--force", "--listen", "127.0.0.1:0")
            let port = "\(try receiver.listeningPort())"
            let sender = try CommandProcess(sluice: "send", file, "127.0.0.1", port)
            try expectSameFiles((sender, receiver))
        }

        @Test func `the JSON report tells what both ends have`() throws {
            let bytes = try write(3_000)
            try folder.write(Array(bytes[..<1_000]), to: "copy")
            let ends = try started(senderListens: false, "--resume", "--json")
            let reports = try [ends.sender, ends.receiver].map { end in
                let (status, output) = try end.finish()
                #expect(status == .exited(0), "\(end.errors.text)")
                return try report(in: output)
            }
            let sum = try CommandProcess(shell: "sha256sum '\(file)'")
            let sha256 = String(try sum.nextLine().prefix(64))
            for report in reports {
                #expect(report["bytes"] as? Int == 2_000)
                #expect(report["sha256"] as? String == sha256)
                #expect(report["resumed_from"] as? Int == 1_000)
                #expect(report["offset"] as? Int == 1_000)
                #expect(report["error"] is NSNull)
                #expect(report["seconds"] is Double)
                #expect((report["peer"] as? String)?.hasPrefix("127.0.0.1:") == true)
            }
            #expect(reports.map { $0["file"] as? String } == [file, copy])
            #expect(reports.map { $0["direction"] as? String } == ["send", "receive"])
        }

        private static let emptyChecksum =
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

        private typealias Ends = (sender: CommandProcess, receiver: CommandProcess)

        /// Makes the file that is to be sent, of bytes by chance.
        @discardableResult
        private func write(_ byteCount: Int) throws -> [UInt8] {
            let bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255) }
            try folder.write(bytes)
            return bytes
        }

        /// Has both ends begin, the one that listens first.
        private func started(senderListens: Bool, _ options: String...) throws -> Ends {
            let send = ["send", file] + options
            let receive = ["receive", copy] + options
            let first = try CommandProcess(
                sluice: (senderListens ? send : receive) + ["--listen", "0"], input: nil)
            let place = ["127.0.0.1", "\(try first.listeningPort())"]
            let second = try CommandProcess(
                sluice: (senderListens ? receive : send) + place, input: nil)
            return senderListens ? (first, second) : (second, first)
        }

        /// Both ends end well, with equal files, and show what sha256sum does.
        @discardableResult
        private func expectSameFiles(_ ends: Ends) throws -> (sent: String, received: String) {
            let (sent, received) = (try ends.sender.finish(), try ends.receiver.finish())
            #expect(sent.end == .exited(0), "\(ends.sender.errors.text)")
            #expect(received.end == .exited(0), "\(ends.receiver.errors.text)")
            let comparison = try CommandProcess(shell: "cmp '\(file)' '\(copy)'")
            #expect(try comparison.finish() == (.exited(0), ""))
            for (output, path) in [(sent.output, file), (received.output, copy)] {
                let sum = try CommandProcess(shell: "sha256sum '\(path)'")
                #expect(output.hasSuffix("\n" + (try sum.finish().output)))
            }
            return (sent.output, received.output)
        }

        private func report(in output: String) throws -> [String: Any] {
            let line = try #require(output.split(separator: "\n").last)
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return try #require(object as? [String: Any])
        }
    }
}
