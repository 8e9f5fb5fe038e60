// SPDX-License-Identifier: Apache-2.0
//
// The examples, run as a person would run them.
// `Scripts/test.sh` builds them beforehand, as the package of their own that they are.

import Glibc
import TestSupport
import Testing

extension CommandSuite {
    @Suite struct RunningExamples {
        private func start(
            _ name: String, _ arguments: String..., input: [UInt8]? = nil
        ) throws -> CommandProcess {
            try CommandProcess(example: name, arguments, input: input)
        }

        /// Waits for an example to end, and expects this status and one line on standard error.
        ///
        /// - Returns: the line.
        @discardableResult
        private func failure(
            of example: CommandProcess, with status: CInt = 1,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> String {
            let ending = try example.finish()
            #expect(ending == (.exited(status), ""), sourceLocation: sourceLocation)
            let lines = example.errors.text.split(separator: "\n")
            #expect(lines.count == 1, "\(lines)", sourceLocation: sourceLocation)
            return lines.first.map(String.init) ?? ""
        }

        private func connect(to server: CommandProcess) throws -> CommandProcess {
            try CommandProcess(sluice: "connect", "127.0.0.1", "\(try server.listeningPort())")
        }

        // T13, T28
        @Test func `the time server answers and closes, the time client reads a line`() throws {
            let server = try start("TimeServer")
            let port = try server.listeningPort()
            let client = try start("TimeClient", "localhost", "\(port)")
            let (end, output) = try client.finish()
            #expect(end == .exited(0))
            #expect(output.hasPrefix("20") && output.hasSuffix("Z\n"))
            let reader = try CommandProcess(sluice: "connect", "127.0.0.1", "\(port)")
            #expect(try reader.finish().end == .exited(0))
        }

        // T23, W2, W18
        @Test func `the accept demo's client waits until the reactor runs`() throws {
            let demo = try start("AcceptDemo")
            let (end, output) = try demo.finish()
            #expect(end == .exited(0))
            let lines = output.split(separator: "\n")
            #expect(lines.first == "client: connecting, and the server's reactor has not run yet")
            #expect(lines.last == "client: Welcome!")
            #expect(lines.count == 3)
        }

        /// The port that the example holds, waited for.
        private func portOfOnlyInstance(_ example: CommandProcess) throws -> String {
            let line = try example.line(with: "the only instance, holding ")
            return String(try #require(line.split(separator: ":").last))
        }

        // W11, W12
        @Test func `a second instance is told that there is one`() throws {
            let first = try start("SingleInstance", "0")
            let port = try portOfOnlyInstance(first)
            let second = try start("SingleInstance", port)
            #expect(try failure(of: second) == "another instance runs already")
            first.send(SIGKILL)
            try first.finish()
            let third = try start("SingleInstance", port)
            _ = try third.line(with: "the only instance")
        }

        // W19
        @Test(arguments: ["ChatRoom", "ChatRooms"])
        func `what one guest of the chat room says the others hear`(program: String) throws {
            let room = try start(program)
            let (anna, ben) = (try connect(to: room), try connect(to: room))
            for (guest, name) in [(anna, "Anna"), (ben, "Ben")] {
                #expect(try guest.nextLine() == "Your name?")
                guest.type("\(name)\n")
                #expect(try guest.nextLine().hasPrefix("Here: "))
            }
            #expect(try anna.nextLine() == "Ben comes in")
            ben.type("Hello!\n")
            #expect(try anna.nextLine() == "Ben: Hello!")
            ben.closeInput()
            #expect(try anna.nextLine() == "Ben has left")
        }

        @Test(
            arguments: ["ChatRoom", "ChatRooms"],
            ["Anna", "", "  ", String(repeating: "x", count: 65)])
        func `a name that is taken, empty or too long does not come in`(
            program: String, name: String
        ) throws {
            let room = try start(program)
            let anna = try connect(to: room)
            anna.type("Anna\n")
            #expect(try anna.nextLine() == "Your name?")
            #expect(try anna.nextLine() == "Here: Anna")
            let other = try connect(to: room)
            other.type("\(name)\n")
            let farewell = "Your name?\nThis name will not do.\n"
            #expect(try other.finish() == (.exited(0), farewell))
            let ben = try connect(to: room)
            ben.type("Ben\n")
            #expect(try anna.nextLine() == "Ben comes in")
        }

        @Test func `a signal has the rooms see everybody off`() throws {
            let rooms = try start("ChatRooms")
            let guest = try connect(to: rooms)
            #expect(try guest.nextLine() == "Your name?")
            guest.type("Anna\n")
            #expect(try guest.nextLine() == "Here: Anna")
            rooms.send(SIGTERM)
            #expect(try guest.finish() == (.exited(0), "The room closes.\n"))
            #expect(try rooms.ended() == .exited(0))
            #expect(rooms.errors.isEmpty, "\(rooms.errors.text)")
        }

        @Test func `the echo in tasks sends everything back`() throws {
            let echo = try start("AsyncEcho")
            let client = try connect(to: echo)
            for line in ["one", "two"] {
                client.type("\(line)\n")
                #expect(try client.nextLine() == line)
            }
        }

        @Test func `supervised workers give way to others at SIGHUP, and end at SIGTERM`() throws {
            let program = try start("Supervised", "0")
            for generation in 1...2 {
                _ = try program.line(with: "generation \(generation), ")
                let client = try connect(to: program)
                client.type("hello\n")
                #expect(try client.nextLine() == "hello")
                client.closeInput()
                #expect(try client.finish().end == .exited(0))
                program.send(generation == 1 ? SIGHUP : SIGTERM)
            }
            #expect(try program.ended() == .exited(0))
            #expect(program.errors.isEmpty, "\(program.errors.text)")
        }

        // W13
        @Test func `the line echo sends every line back`() throws {
            let echo = try start("LineEcho")
            let client = try connect(to: echo)
            client.type("one\r\ntwo\rthree\n")
            for line in ["one", "two", "three"] { #expect(try client.nextLine() == line) }
        }

        // K31, K33
        @Test func `a relay passes bytes both ways, and each end on`() throws {
            let echo = try CommandProcess(sluice: "serve", "echo")
            let relay = try start("Relay", "\(try echo.listeningPort())")
            let port = try relay.listeningPort()
            let descriptors = relay.descriptorCount
            let folder = try TemporaryFolder()
            try folder.fill("source", byteCount: 3_000_000)
            let file = folder["source"]
            let connection = try CommandProcess(
                shell: """
                    $sluice connect 127.0.0.1 \(port) <\(file) | cmp - \(file)
                    """)
            #expect(try connection.finish() == (.exited(0), ""))
            relay.expect("both connections are gone") { relay.descriptorCount == descriptors }
        }

        @Test func `a relay to nobody ends its client`() throws {
            let relay = try start("Relay", "1")
            let client = try connect(to: relay)
            #expect(try client.finish().output == "")
        }

        @Test func `the spam check passes bytes untouched and reads on after its own end`() throws {
            let server = try CommandProcess(
                "python3",
                [
                    "-u", "-c",
                    """
                    import socket
                    listener = socket.create_server(("127.0.0.1", 0))
                    print("listening on 127.0.0.1:%d" % listener.getsockname()[1])
                    connection, _ = listener.accept()
                    message = b"".join(iter(lambda: connection.recv(65536), b""))
                    expected = b"CHECK SPAMC/1.0\\r\\nSubject: gr\\xfc\\xdfe\\n\\r"
                    assert message == expected, message
                    connection.sendall(b"SPAMD/1.1 0 EX_OK\\r\\n")
                    connection.sendall(b"Spam: False ; 1.0 / 5.0\\r\\n\\r\\n")
                    """,
                ])
            // "grüße" in ISO 8859-1.
            let message = Array("Subject: gr".utf8) + [0xfc, 0xdf] + Array("e\n\r".utf8)
            let port = try server.listeningPort()
            let check = try start("SpamCheck", "127.0.0.1", "\(port)", input: message)
            let answer = "SPAMD/1.1 0 EX_OK\nSpam: False ; 1.0 / 5.0\n\n"
            #expect(try check.finish() == (.exited(0), answer))
            #expect(try server.finish().end == .exited(0))
        }

        // MARK: A file

        @Test func `a file comes whole from the sender to the receiver`() throws {
            let folder = try TemporaryFolder()
            try folder.fill("source", byteCount: 5_000_000)
            try folder.fill("copy", byteCount: 10)
            let receiver = try start("FileReceiver", folder["copy"])
            let port = try receiver.listeningPort()
            let sender = try start("FileSender", "127.0.0.1", "\(port)", folder["source"])
            #expect(try sender.finish() == (.exited(0), "sent 5000000 bytes\n"))
            #expect(try receiver.finish().end == .exited(0))
            let comparison = "cmp \(folder["source"]) \(folder["copy"]) && ls \(folder.path)"
            let result = try CommandProcess(shell: comparison).finish()
            #expect(result == (.exited(0), "copy\nsource\n"))
        }

        @Test func `a second sender changes nothing of the first one's file`() throws {
            let folder = try TemporaryFolder()
            try folder.fill("source", byteCount: 100_000)
            let receiver = try start("FileReceiver", folder["copy"])
            let port = try receiver.listeningPort()
            let first = try connect(to: receiver)
            first.type("all ")
            // The file begins to grow as soon as the first sender has been let in.
            try first.expect("the first sender is let in") {
                try CommandProcess(shell: "ls \(folder["copy"]).*.part").finish().end == .exited(0)
            }
            let second = try start("FileSender", "127.0.0.1", "\(port)", folder["source"])
            try failure(of: second)
            first.type("of it")
            first.closeInput()
            #expect(try first.nextLine() == "received 9 bytes")
            #expect(try receiver.finish().end == .exited(0))
            let copy = try CommandProcess(shell: "cat \(folder["copy"])").finish().output
            #expect(copy == "all of it")
        }

        @Test func `whoever sends nothing leaves the file as it was`() throws {
            let folder = try TemporaryFolder()
            let before = try CommandProcess(shell: "echo before >\(folder["copy"])")
            try before.finish()
            let receiver = try start("FileReceiver", folder["copy"])
            let scan = try connect(to: receiver)
            scan.closeInput()
            #expect(try receiver.line(with: "no whole file").hasPrefix("127.0.0.1:"))
            #expect(try receiver.finish().end == .exited(1))
            let after = try CommandProcess(shell: "cat \(folder.path)/*").finish().output
            #expect(after == "before\n")
        }

        @Test func `a file that can't be made ends the receiver, and its sender fails`() throws {
            let folder = try TemporaryFolder()
            try folder.fill("source", byteCount: 1_000)
            let receiver = try start("FileReceiver", folder["none/copy"])
            let port = try receiver.listeningPort()
            let sender = try start("FileSender", "127.0.0.1", "\(port)", folder["source"])
            try failure(of: sender)
            _ = try receiver.line(with: "No such file or directory")
            #expect(try receiver.finish().end == .exited(1))
        }

        @Test(arguments: [1_000, 5_000_000])
        func `the sender of a file fails where the receiver closes at once`(size: Int) throws {
            let folder = try TemporaryFolder()
            try folder.fill("source", byteCount: size)
            let receiver = try start("SingleInstance", "0")
            let port = try portOfOnlyInstance(receiver)
            try failure(of: try start("FileSender", "127.0.0.1", port, folder["source"]))
        }

        // MARK: Failures

        @Test func `a refused connection is told in a line`() throws {
            let refusal = "connect 127.0.0.1:1: Connection refused"
            for name in ["TimeClient", "SpamCheck"] {
                let client = try start(name, "127.0.0.1", "1", input: [])
                #expect(try failure(of: client) == refusal, "\(name)")
            }
            let sender = try start("FileSender", "127.0.0.1", "1", #filePath)
            #expect(try failure(of: sender) == refusal)
            #expect(try failure(of: try start("Greet", "127.0.0.1:1")) == refusal)
        }

        @Test func `an answer that does not come is a failure`() throws {
            let server = try start("SingleInstance", "0")
            let port = try portOfOnlyInstance(server)
            let time = try start("TimeClient", "127.0.0.1", port)
            #expect(try failure(of: time) == "read 127.0.0.1:\(port): the input has ended")
            try failure(of: try start("SpamCheck", "127.0.0.1", port, input: []))
        }

        @Test func `a port that is none is told, and taken for no other`() throws {
            for name in [
                "TimeServer", "LineEcho", "ChatRoom", "ChatRooms", "AsyncEcho", "SingleInstance",
                "DatagramEcho", "Supervised",
            ] {
                for port in ["none", "65536", "-1"] {
                    let line = try failure(of: try start(name, port), with: 64)
                    #expect(line.hasPrefix("usage: \(name) "))
                }
            }
            try failure(of: try start("FileReceiver", "/nowhere", "none"), with: 64)
            try failure(of: try start("FileSender", "127.0.0.1", "none", "/nowhere"), with: 64)
            try failure(of: try start("SpamCheck", "127.0.0.1", "none"), with: 64)
            try failure(of: try start("Supervised", "worker"), with: 69)
            let client = try start("TimeClient", "127.0.0.1", "none")
            #expect(try failure(of: client, with: 64).contains("\"none\""))
        }

        @Test func `a port in use is told in a line`() throws {
            let holder = try start("SingleInstance", "0")
            let port = try portOfOnlyInstance(holder)
            for name in ["TimeServer", "LineEcho", "ChatRoom", "ChatRooms", "Supervised"] {
                let line = try failure(of: try start(name, port))
                #expect(line == "bind 127.0.0.1:\(port): Address already in use", "\(name)")
            }
            try failure(of: try start("FileReceiver", "/nowhere", port))
        }
    }
}

extension TemporaryFolder {
    /// Makes a file of random bytes.
    fileprivate func fill(_ name: String, byteCount: Int) throws {
        var lottery = Lottery(seed: UInt64(byteCount))
        try write((0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &lottery) }, to: name)
    }
}
