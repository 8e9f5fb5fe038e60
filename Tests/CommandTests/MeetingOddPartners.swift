// SPDX-License-Identifier: Apache-2.0
//
// `sluice send` and `sluice receive` with partners that are silent, go away, answer or speak
// otherwise, with files that are replaced, and with nobody who reads standard output.

import Foundation
import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct MeetingOddPartners {
        private let folder: TemporaryFolder
        private let file: String
        private let copy: String

        init() throws {
            folder = try TemporaryFolder()
            file = try folder.write(Array("1234567890".utf8))
            copy = folder["copy"]
        }

        // MARK: Partners

        @Test func `standard input is not sent to a partner that does not read it`() throws {
            let sender = try CommandProcess(
                shell: "head -c 300000 /dev/zero | $sluice send - --listen 0")
            do {
                let partner = try #require(PlainClient(port: try sender.listeningPort()))
                partner.endWriting()
                #expect(partner.receive(10).count == 10)
            }
            #expect(try sender.finish().end == .exited(70))
        }

        @Test(arguments: ["file", "-"])
        func `a partner that closes at once has not got a file`(source: String) throws {
            let sender = try CommandProcess(
                shell: """
                    head -c 300000 /dev/zero >'\(file)'; exec $sluice send --listen 0 \
                    \(source == "-" ? "- <'\(file)'" : "'\(file)'")
                    """)
            _ = PlainClient(port: try sender.listeningPort())
            #expect(try sender.finish().end == .exited(70))
        }

        @Test func `standard input goes to a partner that has nothing to say`() throws {
            let sender = try CommandProcess(sluice: ["send", "-", "--listen", "0"], input: nil)
            let partner = try #require(PlainClient(port: try sender.listeningPort()))
            partner.endWriting()
            sender.type("hello")
            sender.closeInput()
            #expect(partner.receive().text == "hello")
            #expect(try sender.finish().end == .exited(0))
        }

        @Test(arguments: ["copy", "-", "resumed"])
        func `a partner that sends nothing is not waited for without end`(what: String) throws {
            let options = what == "resumed" ? [copy, "--resume"] : what == "-" ? ["-"] : [copy]
            let receiver = try CommandProcess(
                sluice: ["receive", "--listen", "0", "--idle", "50ms"] + options)
            let partner = try #require(PlainClient(port: try receiver.listeningPort()))
            #expect(try receiver.finish().end == .exited(70))
            #expect(receiver.errors.text.contains(": nothing has moved for 50ms"))
            withExtendedLifetime(partner) {}
        }

        @Test(arguments: ["file", "-"])
        func `a partner that takes nothing is not waited for without end`(source: String) throws {
            let sender = try CommandProcess(
                shell: """
                    head -c 30000000 /dev/zero >'\(file)'; exec $sluice send --listen 0 \
                    --idle 200ms \(source == "-" ? "- <'\(file)'" : "'\(file)'")
                    """)
            let partner = try #require(PlainClient(port: try sender.listeningPort()))
            #expect(try sender.finish().end == .exited(70))
            #expect(sender.errors.text.contains(": nothing has moved for 200ms after "))
            withExtendedLifetime(partner) {}
        }

        @Test func `whoever types has as long as they like`() throws {
            let sender = try CommandProcess(
                sluice: ["send", "-", "--listen", "0", "--idle", "20ms"], input: nil)
            let partner = try #require(PlainClient(port: try sender.listeningPort()))
            sender.watch(for: .milliseconds(200))
            sender.type("hello")
            #expect(partner.receive(5).text == "hello")
            partner.endWriting()
            sender.closeInput()
            #expect(try sender.finish().end == .exited(0))
        }

        @Test func `a partner that answers stops nothing`() throws {
            let echo = try CommandProcess(sluice: "serve", "echo", "--port", "0")
            let port = try echo.listeningPort()
            let sender = try CommandProcess(
                shell: """
                    head -c 30000000 /dev/zero >'\(file)'; \
                    exec $sluice send '\(file)' 127.0.0.1 \(port)
                    """)
            #expect(try sender.finish().end == .exited(0), "\(sender.errors.text)")
        }

        // MARK: Resuming

        @Test(arguments: [
            "sluice-resume-1 size 5", "sluice-resume-1 si", "size 5\n12345", "12345", "",
        ])
        func `a partner that cuts its line, or has another, does not resume`(said: String) throws {
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--resume", "--listen", "0")
            let partner = try #require(PlainClient(port: try receiver.listeningPort()))
            partner.send(Array(said.utf8))
            partner.endWriting()
            #expect(try receiver.finish().end == .exited(65))
            #expect(receiver.errors.text.contains("it needs --resume, too"))
            #expect(folder.read("copy") == nil)
        }

        @Test func `a file that looks like a line is not taken for one`() throws {
            try folder.write(Array("size 5\n12345".utf8))
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--resume", "--listen", "0")
            let port = "\(try receiver.listeningPort())"
            let sender = try CommandProcess(sluice: "send", file, "127.0.0.1", port)
            #expect(try receiver.finish().end == .exited(65))
            #expect(try sender.finish().end == .exited(70))
            #expect(folder.read("copy") == nil)
        }

        // MARK: Files

        @Test func `a file that is replaced before the partner comes is not sent`() throws {
            let sender = try CommandProcess(sluice: "send", file, "--listen", "0")
            let port = try sender.listeningPort()
            #expect(rename(try folder.write(Array("abcdefghij".utf8), to: "other"), file) == 0)
            let partner = try #require(PlainClient(port: port))
            #expect(partner.receive().isEmpty)
            #expect(try sender.finish().end == .exited(65))
            #expect(sender.errors.text == "sluice: \(TransferFile.changed(file))\n")
        }

        @Test func `a file that is replaced while it comes is not told as received`() throws {
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--listen", "0", "--progress")
            let partner = try #require(PlainClient(port: try receiver.listeningPort()))
            partner.send(Array("12345".utf8))
            _ = try receiver.line(with: "5 B, ")
            #expect(rename(file, copy) == 0)
            partner.send(Array("67890".utf8))
            partner.endWriting()
            #expect(try receiver.finish().end == .exited(65))
            #expect(receiver.errors.text.hasSuffix("sluice: \(TransferFile.changed(copy))\n"))
            #expect(folder.read("copy") == Array("1234567890".utf8))
        }

        @Test func `a file that has gone when the partner comes is status 66`() throws {
            let sender = try CommandProcess(sluice: "send", file, "--listen", "0")
            let port = try sender.listeningPort()
            unlink(file)
            let partner = try #require(PlainClient(port: port))
            #expect(try sender.finish().end == .exited(66))
            withExtendedLifetime(partner) {}
        }

        @Test func `a file that can't be made when the partner comes is status 73`() throws {
            let inner = folder["inner"]
            #expect(mkdir(inner, 0o755) == 0)
            let receiver = try CommandProcess(sluice: "receive", inner + "/copy", "--listen", "0")
            let port = try receiver.listeningPort()
            rmdir(inner)
            let partner = try #require(PlainClient(port: port))
            #expect(try receiver.finish().end == .exited(73))
            withExtendedLifetime(partner) {}
        }

        @Test(arguments: [(4, CInt(70)), (5, 0), (6, 70)])
        func `as many bytes come as were asked for, or it fails`(
            count: Int, status: CInt
        ) throws {
            for path in [copy, "-"] {
                let receiver = try CommandProcess(
                    sluice: "receive", path, "--listen", "0", "--size", "5")
                do {
                    let partner = try #require(PlainClient(port: try receiver.listeningPort()))
                    partner.send([UInt8](repeating: 1, count: count))
                }
                #expect(try receiver.finish().end == .exited(status))
            }
        }

        // MARK: Standard output, and interrupts

        @Test(arguments: [SIGINT, SIGTERM], [true, false])
        func `nobody who reads standard output can keep a signal from ending it`(
            signal: CInt, endsBefore: Bool
        ) throws {
            let pipe = folder["pipe"]
            #expect(mkfifo(pipe, 0o600) == 0)
            let reader = open(pipe, O_RDWR | O_CLOEXEC)
            defer { close(reader) }
            let receiver = try CommandProcess(
                shell: "exec $sluice receive - --listen 0 --progress >'\(pipe)'")
            let partner = try #require(PlainClient(port: try receiver.listeningPort()))
            partner.send([UInt8](repeating: 1, count: 200_000))
            if endsBefore { partner.endWriting() }
            _ = try receiver.line(with: " KiB, ")
            receiver.send(signal)
            #expect(try receiver.finish().end == .exited(130))
            #expect(receiver.errors.text.contains("standard output has not taken "))
        }

        @Test func `an interrupted wait says nothing of a file`() throws {
            let receiver = try CommandProcess(
                sluice: "receive", file, "--resume", "--listen", "0")
            _ = try receiver.listeningPort()
            receiver.send(SIGINT)
            #expect(try receiver.finish().end == .exited(130))
            #expect(receiver.errors.text == "sluice: interrupted\n")
        }

        @Test func `an interrupted transfer reports what has come`() throws {
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--listen", "0", "--progress")
            let partner = try #require(PlainClient(port: try receiver.listeningPort()))
            partner.send([1, 2, 3])
            _ = try receiver.line(with: "3 B, ")
            receiver.send(SIGINT)
            let (end, output) = try receiver.finish()
            #expect(end == .exited(130))
            #expect(output.contains("received 3 bytes from 127.0.0.1:"))
        }

        @Test(arguments: [["copy"], ["file"], ["copy", "--timeout", "10ms"]])
        func `what fails has a JSON report, too`(arguments: [String]) throws {
            let path = folder[arguments[0]]
            let receiver = try CommandProcess(
                sluice: ["receive", path, "--listen", "0", "--json"] + arguments.dropFirst())
            if arguments == ["copy"] {
                _ = try receiver.listeningPort()
                receiver.send(SIGINT)
            }
            let (end, output) = try receiver.finish()
            #expect(end != .exited(0))
            let line = try #require(output.split(separator: "\n").last)
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let report = try #require(object)
            #expect(report["bytes"] as? Int == 0)
            #expect(report["sha256"] is NSNull)
            let error = try #require(report["error"] as? String)
            #expect(receiver.errors.text == "sluice: \(error)\n")
        }
    }
}
