// SPDX-License-Identifier: Apache-2.0
//
// `sluice connect` between a person's streams and a server.

import Glibc
import Testing

extension CommandSuite {
    struct Relaying {
        @Test func `the end of the input ends one direction alone`() throws {
            let (server, port) = try started("echo")
            let connection = try RunningProgram(sluice: "connect", "127.0.0.1", port)
            connection.write("hello\n")
            #expect(try connection.line() == "hello")
            connection.write("good bye")
            connection.closeInput()
            #expect(connection.finish() == (.exited(0), "good bye"))
            withExtendedLifetime(server) {}
        }

        @Test func `the server's end ends the connection`() throws {
            let (server, port) = try started("daytime")
            let connection = try RunningProgram(sluice: "connect", "127.0.0.1", port)
            let (end, output) = connection.finish()
            #expect(end == .exited(0))
            #expect(output.hasSuffix("-UTC\r\n"))
            withExtendedLifetime(server) {}
        }

        @Test func `a file is sent and comes back whole`() throws {
            let (server, port) = try started("echo")
            let connection = try RunningProgram(
                shell: """
                    file=$(mktemp); head -c 20000000 /dev/urandom >$file
                    $sluice connect 127.0.0.1 \(port) <$file 2>/dev/null | cmp - $file
                    status=$?; rm $file; exit $status
                    """)
            #expect(connection.finish() == (.exited(0), ""))
            withExtendedLifetime(server) {}
        }

        @Test func `a slow reader of the output is waited for`() throws {
            let (server, port) = try started("echo")
            let connection = try RunningProgram(
                shell: """
                    head -c 5000000 /dev/zero | $sluice connect 127.0.0.1 \(port) \
                    | { head -c 1; sleep 0.2; wc -c; }
                    """)
            let (end, output) = connection.finish()
            #expect(end == .exited(0))
            #expect(output == "\u{0}4999999\n")
            withExtendedLifetime(server) {}
        }

        @Test func `a reader of the output that goes away ends it quietly`() throws {
            let (server, port) = try started("chargen")
            let connection = try RunningProgram(
                shell: "$sluice connect 127.0.0.1 \(port) | head -c 5 | wc -c")
            let (end, output) = connection.finish()
            #expect(end == .exited(0))
            #expect(output.split(separator: " ") == ["5\n"])
            #expect(connection.errorText.isEmpty)
            withExtendedLifetime(server) {}
        }

        @Test func `a refused connect is one line and status 69`() throws {
            let port = makeUnusedPort()
            let connection = try RunningProgram(sluice: "connect", "127.0.0.1", "\(port)")
            #expect(connection.finish().end == .exited(69))
            #expect(
                connection.errorText == "sluice: connect 127.0.0.1:\(port): Connection refused\n")
        }

        @Test func `a connection that is cut is status 70`() throws {
            let (server, port) = try started("echo")
            let connection = try RunningProgram(sluice: "connect", "127.0.0.1", port)
            connection.write("hello\n")
            #expect(try connection.line() == "hello")
            // Unread input makes the kernel reset the connection of a process that is killed.
            server.send(SIGSTOP)
            connection.write("more")
            try waitForArrival(at: port)
            server.send(SIGKILL)
            #expect(connection.finish().end == .exited(70))
            #expect(connection.errorText.contains("Connection reset by peer"))
        }

        @Test func `a Unix socket serves as well`() throws {
            let path = "/tmp/sluice-\(getpid()).socket"
            let server = try RunningProgram(sluice: "serve", "echo", "--unix", path)
            _ = try server.line()
            let connection = try RunningProgram(sluice: "connect", "--unix", path)
            connection.write("hello")
            connection.closeInput()
            #expect(connection.finish() == (.exited(0), "hello"))
            server.send(SIGTERM)
            #expect(server.finish().end == .exited(0))
        }

        private func started(_ service: String) throws -> (RunningProgram, port: String) {
            let server = try RunningProgram(sluice: "serve", service)
            return (server, "\(try server.listeningPort())")
        }

        /// Waits until the kernel holds input for the one connection of a stopped server.
        private func waitForArrival(at port: String) throws {
            let waiting = try RunningProgram(
                shell: """
                    row="$(printf %04X \(port)) [0-9A-F:]* 01 [0-9A-F]*:0*[1-9A-F]"
                    until grep -q "$row" /proc/net/tcp; do :; done
                    """)
            #expect(waiting.finish().end == .exited(0))
        }
    }
}
