// SPDX-License-Identifier: Apache-2.0
//
// `sluice connect` between a person's streams and a server.

import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct Relaying {
        @Test func `the end of the input ends one direction alone`() throws {
            let (server, port) = try started("echo")
            let connection = try CommandProcess(sluice: "connect", "127.0.0.1", port)
            connection.type("hello\n")
            #expect(try connection.nextLine() == "hello")
            connection.type("good bye")
            connection.closeInput()
            #expect(try connection.finish() == (.exited(0), "good bye"))
            withExtendedLifetime(server) {}
        }

        @Test func `the server's end ends the connection`() throws {
            let (server, port) = try started("daytime")
            let connection = try CommandProcess(sluice: "connect", "127.0.0.1", port)
            let (end, output) = try connection.finish()
            #expect(end == .exited(0))
            #expect(output.hasSuffix("-UTC\r\n"))
            withExtendedLifetime(server) {}
        }

        @Test func `a file is sent and comes back whole`() throws {
            let (server, port) = try started("echo")
            let connection = try CommandProcess(
                shell: """
                    file=$(mktemp); head -c 20000000 /dev/urandom >$file
                    $sluice connect 127.0.0.1 \(port) <$file 2>/dev/null | cmp - $file
                    status=$?; rm $file; exit $status
                    """)
            #expect(try connection.finish() == (.exited(0), ""))
            withExtendedLifetime(server) {}
        }

        @Test func `a slow reader of the output is waited for`() throws {
            let (server, port) = try started("echo")
            let connection = try CommandProcess(
                shell: """
                    head -c 5000000 /dev/zero | $sluice connect 127.0.0.1 \(port) \
                    | { head -c 1; sleep 0.2; wc -c; }
                    """)
            let (end, output) = try connection.finish()
            #expect(end == .exited(0))
            #expect(output == "\u{0}4999999\n")
            withExtendedLifetime(server) {}
        }

        @Test func `a reader of the output that goes away ends it quietly`() throws {
            let (server, port) = try started("chargen")
            let connection = try CommandProcess(
                shell: "$sluice connect 127.0.0.1 \(port) | head -c 5 | wc -c")
            let (end, output) = try connection.finish()
            #expect(end == .exited(0))
            #expect(output.split(separator: " ") == ["5\n"])
            #expect(connection.errors.text.isEmpty)
            withExtendedLifetime(server) {}
        }

        @Test func `a refused connect is one line and status 69`() throws {
            let port = try #require(SocketAddress.unused().port)
            let connection = try CommandProcess(sluice: "connect", "127.0.0.1", "\(port)")
            #expect(try connection.finish().end == .exited(69))
            #expect(
                connection.errors.text == "sluice: connect 127.0.0.1:\(port): Connection refused\n")
        }

        @Test func `a connection that is cut is status 70`() throws {
            let (server, port) = try started("echo")
            let connection = try CommandProcess(sluice: "connect", "127.0.0.1", port)
            connection.type("hello\n")
            #expect(try connection.nextLine() == "hello")
            // Unread input makes the kernel reset the connection of a process that is killed.
            server.send(SIGSTOP)
            connection.type("more")
            try waitForArrival(at: port)
            server.send(SIGKILL)
            #expect(try connection.finish().end == .exited(70))
            #expect(connection.errors.text.contains("Connection reset by peer"))
        }

        @Test func `a Unix socket serves as well`() throws {
            let path = "/tmp/sluice-\(getpid()).socket"
            let server = try CommandProcess(sluice: "serve", "echo", "--unix", path)
            _ = try server.nextLine()
            let connection = try CommandProcess(sluice: "connect", "--unix", path)
            connection.type("hello")
            connection.closeInput()
            #expect(try connection.finish() == (.exited(0), "hello"))
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
        }

        private func started(_ service: String) throws -> (CommandProcess, port: String) {
            let server = try CommandProcess(sluice: "serve", service)
            return (server, "\(try server.listeningPort())")
        }

        /// Waits until the kernel holds input for the one connection of a stopped server.
        private func waitForArrival(at port: String) throws {
            let waiting = try CommandProcess(
                shell: """
                    row="$(printf %04X \(port)) [0-9A-F:]* 01 [0-9A-F]*:0*[1-9A-F]"
                    until grep -q "$row" /proc/net/tcp; do :; done
                    """)
            #expect(try waiting.finish().end == .exited(0))
        }
    }
}
