// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve --udp` as those see it who send datagrams to it.

import Glibc
import Sluice
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct ServingDatagrams {
        @Test func `echo sends every datagram back, also the empty and the longest one`() throws {
            let (server, port) = try started("echo")
            let client = try PlainDatagramSocket()
            for size in [5, 0, 1, 65_507] {
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
                client.send(bytes, to: port)
                #expect(client.receive()?.bytes == bytes)
            }
            withExtendedLifetime(server) {}
        }

        @Test func `discard answers nothing`() throws {
            let (server, port) = try started("discard")
            let client = try PlainDatagramSocket()
            for _ in 0..<10 { client.send([1], to: port) }
            server.send(SIGTERM)
            #expect(try server.finish() == (.exited(0), ""))
            #expect(client.receiveNow() == nil)
        }

        @Test func `chargen answers with 0 to 512 characters`() throws {
            let (server, port) = try started("chargen")
            let client = try PlainDatagramSocket()
            var sizes: Set<Int> = []
            for _ in 0..<20 {
                client.send([], to: port)
                let bytes = try #require(client.receive()?.bytes)
                #expect(bytes.count <= 512)
                #expect(bytes == Array(SimpleService.pattern.prefix(bytes.count)))
                sizes.insert(bytes.count)
            }
            #expect(sizes.count > 1)
            withExtendedLifetime(server) {}
        }

        @Test func `daytime answers with a line`() throws {
            let (server, port) = try started("daytime")
            let client = try PlainDatagramSocket()
            client.send([], to: port)
            #expect(client.receive()?.bytes.text.hasSuffix("-UTC\r\n") == true)
            withExtendedLifetime(server) {}
        }

        @Test func `time answers with the seconds since 1900`() throws {
            let (server, port) = try started("time")
            let client = try PlainDatagramSocket()
            client.send(Array("what time is it".utf8), to: port)
            let bytes = try #require(client.receive()?.bytes)
            let seconds = bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) } - 2_208_988_800
            #expect(bytes.count == 4)
            #expect(abs(seconds - Int64(Glibc.time(nil))) <= 10)
            withExtendedLifetime(server) {}
        }

        @Test func `every address has its line and one port`() throws {
            let server = try CommandProcess(
                sluice: "serve", "echo", "--udp", "--host", "127.0.0.1", "--host", "127.0.0.2")
            let (first, second) = (try server.nextLine(), try server.nextLine())
            let port = try server.listeningPort()
            #expect(first == "listening on 127.0.0.1:\(port)")
            #expect(second == "listening on 127.0.0.2:\(port)")
            for byte in 1...2 as ClosedRange<UInt32> {
                let client = try PlainDatagramSocket()
                client.send([1, 2], to: port, lastByte: byte)
                #expect(client.receive()?.bytes == [1, 2])
            }
        }

        @Test func `workers have a socket each, and serve all senders`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--udp", "--workers", "3")
            let port = try server.listeningPort()
            let digits = String(port, radix: 16, uppercase: true)
            let count = try CommandProcess(
                shell: "grep -c '0100007F:0*\(digits) 00000000:0000' /proc/net/udp")
            #expect(try count.finish().output == "3\n")
            let clients = try (0..<20).map { _ in try PlainDatagramSocket() }
            for (number, client) in clients.enumerated() {
                client.send(Array("hello \(number)".utf8), to: port)
            }
            for (number, client) in clients.enumerated() {
                #expect(client.receive()?.bytes.text == "hello \(number)")
            }
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
            #expect(server.errors.text.isEmpty)
        }

        @Test(arguments: ["127.0.0.1", "127.0.0.2"])
        func `workers serve at several addresses`(host: String) throws {
            let server = try CommandProcess(
                sluice: "serve", "echo", "--udp", "--workers", "2", "--host", "127.0.0.1",
                "--host", "127.0.0.2")
            let port = try server.listeningPort()
            _ = try server.line(with: "127.0.0.2:")
            let client = try PlainDatagramSocket()
            client.send([7], to: port, lastByte: host == "127.0.0.1" ? 1 : 2)
            #expect(client.receive()?.bytes == [7])
        }

        @Test func `workers serve at a Unix socket, which is the first one's`() throws {
            let path = "/tmp/sluice-\(getpid()).shared-datagrams"
            let server = try CommandProcess(
                sluice: "serve", "echo", "--udp", "--unix", path, "--workers", "2")
            #expect(try server.nextLine() == "listening on \(path)")
            let connection = try CommandProcess(sluice: "connect", "--udp", "--unix", path)
            connection.type("hello\n")
            #expect(try connection.nextLine() == "hello")
            server.send(SIGTERM)
            #expect(try server.finish() == (.exited(0), ""))
            #expect(server.errors.text.isEmpty)
            #expect(access(path, F_OK) != 0)
        }

        @Test func `closed standard streams are not taken for its sockets`() throws {
            let server = try CommandProcess(shell: "exec $sluice serve echo --udp <&- 2>&-")
            _ = try server.listeningPort()
            let names = try CommandProcess(
                shell: "readlink /proc/\(server.pid)/fd/0 /proc/\(server.pid)/fd/2")
            #expect(try names.finish() == (.exited(0), "/dev/null\n/dev/null\n"))
        }

        @Test(arguments: [SIGINT, SIGTERM], ["1", "2"])
        func `a signal ends it with status 0 and without a word`(
            signal: CInt, workers: String
        ) throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--udp", "--workers", workers)
            _ = try server.nextLine()
            server.send(signal)
            #expect(try server.finish() == (.exited(0), ""))
            #expect(server.errors.text.isEmpty)
        }

        @Test func `a sender at the service's own port is not answered`() throws {
            let (server, port) = try started("echo")
            let twin = try PlainDatagramSocket(lastByte: 2, port: port)
            twin.send([1], to: port)
            let client = try PlainDatagramSocket()
            client.send([2], to: port)
            // Datagrams are answered in their order.
            #expect(client.receive()?.bytes == [2])
            #expect(twin.receiveNow() == nil)
            withExtendedLifetime(server) {}
        }

        @Test(arguments: [0, 7, 13, 19, 37, 4_711] as [UInt16])
        func `nobody at the port of a service that answers is answered`(port: UInt16) {
            let peers = AnsweredPeers(ownPort: 4_711)
            #expect(!peers.contains(.loopback(port: port)))
            #expect(!peers.contains(.ip(.loopback6, port: port)))
        }

        @Test(
            arguments: [
                .loopback(port: 9), .loopback(port: 1_023), .loopback(port: 40_000),
                .unix(path: "/a"),
            ] as [SocketAddress])
        func `all others are answered`(sender: SocketAddress) {
            #expect(AnsweredPeers(ownPort: 4_711).contains(sender))
            #expect(AnsweredPeers(ownPort: nil).contains(sender))
        }

        @Test func `a sender who has gone does not end the server`() throws {
            let (server, port) = try started("echo")
            for _ in 0..<100 { try PlainDatagramSocket().send([1], to: port) }
            let client = try PlainDatagramSocket()
            client.send([2], to: port)
            #expect(client.receive()?.bytes == [2])
            #expect(server.errors.text.isEmpty)
        }

        @Test func `an address in use ends it with status 69 and its name`() throws {
            let (first, port) = try started("echo")
            let second = try CommandProcess(sluice: "serve", "echo", "--udp", "--port", "\(port)")
            #expect(try second.finish().end == .exited(69))
            let refusal = "sluice: bind 127.0.0.1:\(port): Address already in use\n"
            #expect(second.errors.text == refusal)
            withExtendedLifetime(first) {}
        }

        @Test func `servers that both ask for it share a port`() throws {
            let first = try CommandProcess(sluice: "serve", "echo", "--udp", "--reuse-port")
            let port = try first.listeningPort()
            let second = try CommandProcess(
                sluice: "serve", "echo", "--udp", "--reuse-port", "--port", "\(port)")
            #expect(try second.listeningPort() == port)
        }

        private func started(_ service: String) throws -> (CommandProcess, port: UInt16) {
            let server = try CommandProcess(sluice: "serve", service, "--udp")
            let line = try server.nextLine()
            let port = try server.listeningPort()
            #expect(line == "listening on 127.0.0.1:\(port)")
            return (server, port)
        }
    }
}
