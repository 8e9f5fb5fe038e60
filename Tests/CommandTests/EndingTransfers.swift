// SPDX-License-Identifier: Apache-2.0
//
// `sluice send` and `sluice receive` beside other programs and other streams, and where they fail.

import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct EndingTransfers {
        private let folder: TemporaryFolder
        private let file: String
        private let copy: String

        init() throws {
            folder = try TemporaryFolder()
            file = try folder.write(Array("1234567890".utf8))
            copy = folder["copy"]
        }

        @Test func `standard input and standard output are files as well`() throws {
            let receiver = try CommandProcess(
                shell: "$sluice receive - --listen 0 >'\(copy)' || exit 1")
            let port = try receiver.listeningPort()
            let sender = try CommandProcess(
                shell: """
                    head -c 3000000 /dev/zero | $sluice send - 127.0.0.1 \(port); \
                    head -c 3000000 /dev/zero | sha256sum
                    """)
            let lines = try sender.finish().output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(lines.dropFirst().first == lines.last)
            #expect(try receiver.finish() == (.exited(0), ""))
            #expect(receiver.errors.text.contains(lines.last ?? "none"))
            #expect(folder.read("copy")?.count == 3_000_000)
        }

        @Test func `standard input may be a file`() throws {
            let receiver = try CommandProcess(sluice: "receive", copy, "--listen", "0")
            let port = try receiver.listeningPort()
            let sender = try CommandProcess(shell: "$sluice send - 127.0.0.1 \(port) <'\(file)'")
            #expect(try sender.finish().end == .exited(0))
            #expect(try receiver.finish().end == .exited(0))
            #expect(folder.read("copy") == folder.read("file"))
        }

        // N52
        @Test func `Tcl's transmitter sends to it`() throws {
            let receiver = try CommandProcess(sluice: "receive", copy, "--listen", "0")
            let script = """
                package require transfer::transmitter
                transfer::transmitter stream file {\(file)} 127.0.0.1 \
                \(try receiver.listeningPort()) -command {apply {args {exit}}}
                after 20000 {exit 1}
                vwait forever
                """
            let sender = try CommandProcess("tclsh", [], input: Array(script.utf8))
            #expect(try sender.finish().end == .exited(0))
            #expect(try receiver.finish().end == .exited(0))
            #expect(folder.read("copy") == folder.read("file"))
        }

        // N52
        @Test func `Tcl's receiver gets what it sends`() throws {
            let sender = try CommandProcess(sluice: "send", file, "--listen", "0")
            let script = """
                package require transfer::receiver
                set file [open {\(copy)} w]
                fconfigure $file -translation binary
                transfer::receiver receiver -channel $file -translation binary \
                -host 127.0.0.1 -port \(try sender.listeningPort()) \
                -command {apply {args {exit}}}
                receiver start
                after 20000 {exit 1}
                vwait forever
                """
            let receiver = try CommandProcess("tclsh", [], input: Array(script.utf8))
            #expect(try receiver.finish().end == .exited(0))
            #expect(try sender.finish().end == .exited(0))
            #expect(folder.read("copy") == folder.read("file"))
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func `an interrupted receiver keeps what has come`(signal: CInt) throws {
            let receiver = try CommandProcess(
                sluice: "receive", copy, "--listen", "0", "--progress")
            let sender = try #require(PlainClient(port: try receiver.listeningPort()))
            sender.send([UInt8](repeating: 1, count: 1_000))
            _ = try receiver.line(with: "1000 B, ")
            receiver.send(signal)
            #expect(try receiver.finish().end == .exited(130))
            #expect(
                receiver.errors.text.hasSuffix("sluice: interrupted; \(copy) has 1,000 bytes\n"))
            #expect(folder.read("copy")?.count == 1_000)
        }

        @Test func `an interrupted sender cuts the connection`() throws {
            let sender = try CommandProcess(sluice: "send", "-", "--listen", "0")
            let client = try Socket(family: .ipv4, kind: .stream)
            try client.connect(
                to: .loopback(port: try sender.listeningPort()), within: .seconds(10))
            sender.type("hello")
            #expect(try client.receive(upTo: 5, within: .seconds(10)).text == "hello")
            sender.send(SIGINT)
            #expect(try sender.finish().end == .exited(130))
            #expect(sender.errors.text == "sluice: interrupted after 5 bytes\n")
            do throws(SocketError) {
                _ = try client.receive(upTo: 5, within: .seconds(10))
                Issue.record("the end of the input says that all was sent")
            } catch {
                #expect(error.code == .connectionReset)
            }
        }

        @Test(arguments: ["send", "receive"])
        func `waiting can be interrupted`(command: String) throws {
            let path = command == "send" ? file : copy
            let process = try CommandProcess(sluice: command, path, "--listen", "0")
            _ = try process.listeningPort()
            process.send(SIGINT)
            #expect(try process.finish().end == .exited(130))
            #expect(command == "send" || folder.read("copy") == nil)
        }

        @Test(arguments: ["send", "receive"])
        func `a refused connect is one line and status 69`(command: String) throws {
            let port = try #require(SocketAddress.unused().port)
            let path = command == "send" ? file : copy
            let process = try CommandProcess(sluice: command, path, "127.0.0.1", "\(port)")
            #expect(try process.finish() == (.exited(69), ""))
            #expect(
                process.errors.text == "sluice: connect 127.0.0.1:\(port): Connection refused\n")
            #expect(command == "send" || folder.read("copy") == nil)
        }

        @Test func `nobody is waited for longer than the time limit`() throws {
            let sender = try CommandProcess(
                sluice: "send", file, "--listen", "0", "--timeout", "50ms")
            #expect(try sender.finish().end == .exited(69))
            #expect(sender.errors.text == "sluice: nobody has connected within 50ms\n")
        }

        @Test func `a port that is taken is told with status 69`() throws {
            let first = try CommandProcess(sluice: "send", file, "--listen", "0")
            let port = try first.listeningPort()
            let second = try CommandProcess(sluice: "send", file, "--listen", "\(port)")
            #expect(try second.finish() == (.exited(69), ""))
            let refusal = "sluice: bind 127.0.0.1:\(port): Address already in use\n"
            #expect(second.errors.text == refusal)
        }

        @Test func `a partner that cuts the connection is status 70`() throws {
            let receiver = try CommandProcess(sluice: "receive", copy, "--listen", "0")
            do {
                let sender = try Socket(family: .ipv4, kind: .stream)
                try sender.connect(
                    to: .loopback(port: try receiver.listeningPort()), within: .seconds(10))
                try sender.sendAll("12345")
                receiver.expect("it has come") { folder.read("copy") == Array("12345".utf8) }
                try sender.resetOnClose()
            }
            #expect(try receiver.finish().end == .exited(70))
            let end = "Connection reset by peer; \(copy) has 5 bytes\n"
            #expect(receiver.errors.text.hasSuffix(end))
        }

        @Test func `a file that can't be read is status 66`() throws {
            for (path, reason) in [
                (folder["none"], "No such file or directory"), (folder.path, "no regular file"),
            ] {
                let sender = try CommandProcess(sluice: "send", path, "--listen", "0")
                #expect(try sender.finish() == (.exited(66), ""))
                #expect(sender.errors.text == "sluice: \(path): \(reason)\n")
            }
        }

        @Test func `a file that can't be made is status 73`() throws {
            let path = folder["none/copy"]
            let receiver = try CommandProcess(sluice: "receive", path, "--listen", "0")
            #expect(try receiver.finish() == (.exited(73), ""))
            #expect(receiver.errors.text == "sluice: \(path): No such file or directory\n")
        }
    }
}
