// SPDX-License-Identifier: Apache-2.0
//
// The examples that need other sockets than those of TCP, run as a person or a service manager would
// run them.

import Glibc
import Sluice
import TestSupport
import Testing

/// Whether this process may open raw sockets.
private let maySendRaw: Bool = {
    // An error says that it may not.
    (try? Socket(family: .ipv4, kind: .raw, protocol: .icmp).close()) != nil
}()

extension CommandSuite {
    @Suite struct RunningSocketExamples {
        // P14, P16
        @Test(.enabled(if: maySendRaw, "raw sockets are for the privileged"))
        func `a ping is answered by this machine`() throws {
            let (end, output) = try CommandProcess(example: "Ping", ["127.0.0.1", "2"]).finish()
            #expect(end == .exited(0))
            let lines = output.split(separator: "\n")
            #expect(lines.count == 2)
            // 20 bytes of IP's header, 8 of ICMP's, 6 of content.
            #expect(lines.first?.hasPrefix("1: 34 bytes from 127.0.0.1, ") == true)
        }

        @Test(.enabled(if: getuid() == 0, "only the privileged can give their rights up"))
        func `a ping without the right to it says so`() throws {
            let user = try CommandProcess(
                "setpriv",
                ["--bounding-set=-all", "--inh-caps=-all", try CommandProcess.example("Ping")])
            #expect(try user.finish() == (.exited(77), ""))
            #expect(user.errors.text.contains("not permitted"))
        }

        // P8, P32, P34
        @Test func `the datagram echo sends each datagram back`() throws {
            let server = try CommandProcess(example: "DatagramEcho", [])
            let client = try Socket(family: .ipv4, kind: .datagram)
            try client.connect(to: .loopback(port: try server.listeningPort()), within: nil)
            for text in ["one", "", "three"] {
                _ = try client.send(Array(text.utf8).span.bytes)
                let answer = try client.receive(upTo: 100, within: .seconds(10))
                #expect(String(decoding: answer, as: UTF8.self) == text)
            }
        }

        // P17, N30
        @Test func `a server takes over what a service manager has opened`() throws {
            let manager = """
                import os, socket, sys
                first = socket.create_server(("127.0.0.1", 0))
                second = socket.socket(socket.AF_UNIX)
                second.bind("\\0sluice activated %d" % os.getpid())
                os.dup2(first.fileno(), 10)
                os.dup2(second.fileno(), 11)
                os.dup2(10, 3)
                os.dup2(11, 4)
                environment = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS="2",
                                   LISTEN_FDNAMES="stream:local")
                os.execve(sys.argv[1], sys.argv[1:], environment)
                """
            let path = try CommandProcess.example("ActivatedEcho")
            let server = try CommandProcess("python3", ["-c", manager, path], input: nil)
            let port = try server.listeningPort()
            let local = try server.line(with: "listening on @sluice activated ")
            for address in [
                SocketAddress.loopback(port: port),
                .abstract(name: Array(local.dropFirst("listening on @".count).utf8)),
            ] {
                let client = try Socket(for: address)
                try client.connect(to: address, within: .seconds(10))
                _ = try client.send(Array("hello".utf8).span.bytes)
                #expect(try client.receive(upTo: 100, within: .seconds(10)) == Array("hello".utf8))
            }
        }

        @Test func `without a service manager there is nothing to take over`() throws {
            let (end, _) = try CommandProcess(example: "ActivatedEcho", []).finish()
            #expect(end == .exited(64))
        }
    }
}
