// SPDX-License-Identifier: Apache-2.0
//
// `sluice connect --udp` between a person's streams and a peer.

import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct RelayingDatagrams {
        @Test func `a line is sent, and the answer printed`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--udp")
            let connection = try connected(to: try server.listeningPort(), "--wait", "10ms")
            connection.type("hello\n")
            #expect(try connection.nextLine() == "hello")
            connection.type("again\n")
            #expect(try connection.nextLine() == "again")
            connection.closeInput()
            #expect(try connection.finish() == (.exited(0), ""))
            #expect(connection.errors.text.isEmpty)
        }

        @Test func `what one read gives is one datagram`() throws {
            let peer = try PlainDatagramSocket()
            let connection = try connected(to: peer.port)
            for text in ["one\n", "two\nthree\n", "no end"] {
                connection.type(text)
                #expect(peer.receive()?.bytes.text == text)
            }
        }

        @Test func `a file is sent in the longest datagrams that there are`() throws {
            let folder = try TemporaryFolder()
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
            let file = try folder.write(bytes)
            let peer = try PlainDatagramSocket()
            let connection = try CommandProcess(
                shell: "exec $sluice connect --udp 127.0.0.1 \(peer.port) --wait 0 <\(file)")
            #expect(peer.receive()?.bytes == Array(bytes[..<65_507]))
            #expect(peer.receive()?.bytes == Array(bytes[65_507...]))
            #expect(try connection.finish() == (.exited(0), ""))
        }

        @Test func `datagrams are printed as they are`() throws {
            let peer = try PlainDatagramSocket()
            let connection = try connected(to: peer.port)
            connection.type("go\n")
            let port = try #require(peer.receive()?.port)
            for text in ["a", "", "b", "c\nd\n"] { peer.send(Array(text.utf8), to: port) }
            #expect(try connection.nextLine() == "abc")
            #expect(try connection.nextLine() == "d")
        }

        @Test func `answers have time to come after the end of the input`() throws {
            let peer = try PlainDatagramSocket()
            let connection = try connected(to: peer.port, "--wait", "1h")
            connection.type("question")
            connection.closeInput()
            let port = try #require(peer.receive()?.port)
            peer.send(Array("answer\n".utf8), to: port)
            #expect(try connection.nextLine() == "answer")
        }

        @Test func `a slow reader of the output is waited for`() throws {
            let peer = try PlainDatagramSocket()
            let line = "\"$0\" connect --udp 127.0.0.1 \(peer.port) --wait 10ms"
            let connection = try CommandProcess(
                "/bin/sh",
                ["-c", "\(line) | { head -c 1; sleep 0.2; wc -c; }", CommandProcess.sluice],
                input: nil)
            connection.type("go")
            let port = try #require(peer.receive()?.port)
            for _ in 0..<4 { peer.send([UInt8](repeating: 120, count: 50_000), to: port) }
            connection.closeInput()
            let (end, output) = try connection.finish()
            #expect(end == .exited(0))
            #expect(output == "x199999\n")
        }

        @Test func `without input it ends when the time is up`() throws {
            let peer = try PlainDatagramSocket()
            let connection = try CommandProcess(
                sluice: ["connect", "--udp", "127.0.0.1", "\(peer.port)", "--wait", "10ms"],
                input: [])
            #expect(try connection.finish() == (.exited(0), ""))
            #expect(peer.receiveNow() == nil)
        }

        @Test func `a peer that is not there is one line and status 69`() throws {
            let port = try #require(SocketAddress.unused().port)
            let connection = try connected(to: port, "--wait", "1h")
            connection.type("hello\n")
            #expect(try connection.finish().end == .exited(69))
            #expect(
                connection.errors.text == "sluice: write 127.0.0.1:\(port): Connection refused\n")
        }

        @Test func `what the network says in passing does not end it`() throws {
            let tooLong = try #require(report(of: EMSGSIZE))
            #expect(tooLong.isPassing(afterAnswer: false) && tooLong.isPassing(afterAnswer: true))
            for code in [EHOSTUNREACH, ENETUNREACH] {
                let unreachable = try #require(report(of: code))
                #expect(!unreachable.isPassing(afterAnswer: false))
                #expect(unreachable.isPassing(afterAnswer: true))
            }
            let refused = try #require(report(of: ECONNREFUSED))
            #expect(!refused.isPassing(afterAnswer: true))
        }

        /// What the kernel tells of a message of ICMP.
        ///
        /// Source: `sock_extended_err`, ip(7): the error's number, who says so, and the message.
        private func report(of code: CInt) -> DatagramError? {
            let number = withUnsafeBytes(of: code) { Array($0) }
            let item = AncillaryItem(
                level: CInt(IPPROTO_IP), type: IP_RECVERR,
                data: number + [2, 3, 0] + [UInt8](repeating: 0, count: 9))
            return DatagramError(item, destination: .loopback(port: 9))
        }

        @Test func `a time limit for opening is refused, since nothing opens`() throws {
            let connection = try CommandProcess(
                sluice: "connect", "--udp", "127.0.0.1", "9", "--timeout", "1s")
            #expect(try connection.finish().end == .exited(64))
        }

        @Test func `a reader of the output that goes away ends it quietly`() throws {
            let server = try CommandProcess(sluice: "serve", "daytime", "--udp")
            let connection = try CommandProcess(
                shell: """
                    yes | head -c 100000 | $sluice connect --udp 127.0.0.1 \
                    \(try server.listeningPort()) | head -c 1 | wc -c
                    """)
            #expect(try connection.finish().end == .exited(0))
            #expect(connection.errors.text.isEmpty)
        }

        @Test func `a Unix socket serves as well`() throws {
            let path = "/tmp/sluice-\(getpid()).datagrams"
            let server = try CommandProcess(sluice: "serve", "echo", "--udp", "--unix", path)
            #expect(try server.nextLine() == "listening on \(path)")
            let connection = try CommandProcess(
                sluice: "connect", "--udp", "--unix", path, "--wait", "10ms")
            connection.type("hello\n")
            #expect(try connection.nextLine() == "hello")
            connection.closeInput()
            #expect(try connection.finish().end == .exited(0))
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
            #expect(access(path, F_OK) != 0)
        }

        @Test func `a Unix socket that is not there is one line and status 69`() throws {
            let connection = try CommandProcess(
                sluice: "connect", "--udp", "--unix", "/tmp/sluice-no-such.socket")
            #expect(try connection.finish().end == .exited(69))
            #expect(
                connection.errors.text
                    == "sluice: connect /tmp/sluice-no-such.socket: No such file or directory\n")
        }

        private func connected(to port: UInt16, _ words: String...) throws -> CommandProcess {
            try CommandProcess(
                sluice: ["connect", "--udp", "127.0.0.1", "\(port)"] + words, input: nil)
        }
    }
}
