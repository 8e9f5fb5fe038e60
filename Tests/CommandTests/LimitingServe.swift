// SPDX-License-Identifier: Apache-2.0
//
// The limits of `sluice serve`, as clients that go beyond them see it.

import Glibc
import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct LimitingServe {
        private func started(
            _ service: String = "echo", _ options: String...
        ) throws -> (CommandProcess, UInt16) {
            let server = try CommandProcess(sluice: ["serve", service] + options, input: nil)
            return (server, try server.listeningPort())
        }

        @Test(arguments: [
            ["--max-per-address", "1"], ["--max-per-network", "1"],
            ["--accept-rate-per-address", "0.001/1"],
            ["--accept-rate", "0.001/1", "--when-full", "refuse"],
            ["--max-connections", "1", "--when-full", "refuse"],
        ])
        func `who comes beyond a limit is told, and those within go on`(limit: [String]) throws {
            let server = try CommandProcess(
                sluice: ["serve", "echo", "--refuse", #"message:no room\r\n"#] + limit, input: nil)
            let port = try server.listeningPort()
            let first = try PlainClient.served(at: port)
            let second = try #require(PlainClient(port: port))
            #expect(second.receive() == Array("no room\r\n".utf8))
            first.send([2])
            #expect(first.receive(1) == [2])
            withExtendedLifetime(server) {}
        }

        @Test func `whoever is refused is closed, and reset where that is asked for`() throws {
            let (closing, port) = try started("echo", "--max-per-address", "1")
            let first = try PlainClient.served(at: port)
            let second = try #require(PlainClient(port: port))
            #expect(second.receive().isEmpty)
            #expect(second.failure == nil)
            let (resetting, other) = try started(
                "echo", "--max-per-address", "1", "--refuse", "reset")
            let third = try PlainClient.served(at: other)
            let fourth = try #require(PlainClient(port: other))
            #expect(fourth.receive().isEmpty)
            #expect(fourth.failure == .connectionReset)
            withExtendedLifetime((closing, first, resetting, third)) {}
        }

        @Test func `there is room again when a client has gone`() throws {
            let (server, port) = try started("echo", "--max-connections", "1")
            var first: PlainClient? = try PlainClient.served(at: port)
            // It waits in the backlog.
            let second = try #require(PlainClient(port: port))
            second.send([7])
            #expect(first != nil)
            first = nil
            #expect(second.receive(1) == [7])
            withExtendedLifetime(server) {}
        }

        @Test(arguments: ["--first-byte-timeout", "--lifetime", "--idle-timeout"])
        func `a client that says nothing is let go`(limit: String) throws {
            let (server, port) = try started("echo", limit, "50ms")
            let client = try #require(PlainClient(port: port))
            #expect(client.receive().isEmpty)
            #expect(client.failure == nil)
            withExtendedLifetime(server) {}
        }

        @Test func `a client that has said something may be silent then`() throws {
            let (server, port) = try started("echo", "--first-byte-timeout", "5s")
            let client = try PlainClient.served(at: port)
            let silent = try #require(PlainClient(port: port))
            // When the later one has to go, the time of the earlier one is over, too.
            #expect(silent.receive().isEmpty)
            #expect(silent.failure == nil)
            client.send([2])
            #expect(client.receive(1) == [2])
            withExtendedLifetime(server) {}
        }

        @Test func `a lifetime ends whoever is busy, too`() throws {
            let (server, port) = try started("chargen", "--lifetime", "100ms")
            let client = try #require(PlainClient(port: port))
            let most = 20_000_000_000
            var count = 0
            while count < most, case let size = client.receive(65_536).count, size > 0 {
                count += size
            }
            #expect(count > 0 && count < most)
            withExtendedLifetime(server) {}
        }

        @Test func `a line has its time, however steadily its bytes come`() throws {
            let (server, port) = try started(
                "echo", "--style", "lines", "--message-timeout", "200ms")
            let client = try #require(PlainClient(port: port))
            client.send(Array("whole\n".utf8))
            #expect(client.receive(6) == Array("whole\n".utf8))
            // Between lines nothing is under way.
            server.watch(for: .milliseconds(300))
            client.send(Array("again\npart".utf8))
            #expect(client.receive() == Array("again\n".utf8))
            withExtendedLifetime(server) {}
        }

        @Test(arguments: [
            ["--write-timeout", "100ms"], ["--buffer-limit", "64k"],
            ["--buffer-limit", "128k", "--workers", "2"],
        ])
        func `a client that sends and takes nothing is let go`(limit: [String]) throws {
            let server = try CommandProcess(sluice: ["serve", "echo"] + limit, input: nil)
            let port = try server.listeningPort()
            let client = try connected(to: port)
            let (_, code) = flood(client, within: .seconds(10))
            #expect(code == .connectionReset || code == .brokenPipe)
            // Others are served.
            try PlainClient.served(at: port)
            withExtendedLifetime(server) {}
        }

        private func connected(to port: UInt16) throws -> Socket {
            let address = SocketAddress.loopback(port: port)
            let client = try Socket(for: address)
            try client.connect(to: address, within: .seconds(10))
            return client
        }

        /// Sends and does not read, until nothing more is taken for a time.
        ///
        /// - Returns: how many bytes were taken, and why no more could be sent.
        private func flood(
            _ client: borrowing Socket, within limit: Duration
        ) -> (byteCount: Int, code: ErrorCode) {
            let bytes = [UInt8](repeating: 5, count: 65_536)
            var count = 0
            do throws(IncompleteSendError) {
                while true {
                    try client.sendAll(bytes, within: limit)
                    count += bytes.count
                }
            } catch {
                return (count + error.byteCount, error.error.code)
            }
        }

        // The same flood has the client closed with the other policy: the test above.
        @Test func `a client that sends and takes nothing may wait instead, and gets all`() throws {
            let (server, port) = try started(
                "echo", "--buffer-limit", "64k", "--buffer-policy", "pause")
            let early = try PlainClient.served(at: port)
            let client = try connected(to: port)
            let (sent, code) = flood(client, within: .seconds(1))
            #expect(code == .timedOut)
            // Others are served, those who are there and those who come.
            early.send([2])
            #expect(early.receive(1) == [2])
            try PlainClient.served(at: port)
            // When it reads it gets all that it has sent, and is served on.
            var received = 0
            while received < sent {
                let most = min(65_536, sent - received)
                let bytes = try client.receive(upTo: most, within: .seconds(10))
                if bytes.isEmpty { break }
                received += bytes.count
            }
            #expect(received == sent && sent > 65_536)
            try client.sendAll([6], within: .seconds(10))
            let last = try client.receive(upTo: 1, within: .seconds(10))
            #expect(last == [6])
            withExtendedLifetime(server) {}
        }

        @Test func `clients within the limit go on, whatever happens to others`() throws {
            let (server, port) = try started(
                "echo", "--buffer-limit", "1M", "--buffer-policy", "pause", "--workers", "2")
            let clients = try (0..<4).map { _ in try PlainClient.served(at: port) }
            for client in clients {
                client.send([UInt8](repeating: 5, count: 1_000))
                #expect(client.receive(1_000) == [UInt8](repeating: 5, count: 1_000))
            }
            withExtendedLifetime(server) {}
        }

        @Test(arguments: ["--receive-rate", "--send-rate"])
        func `bytes go no faster than they may`(limit: String) throws {
            let (server, port) = try started("echo", limit, "100k")
            let client = try #require(PlainClient(port: port))
            let bytes = [UInt8](repeating: 7, count: 60 * 1_024)
            let begin = ContinuousClock.now
            client.send(bytes)
            #expect(client.receive(bytes.count) == bytes)
            // A tenth of a second's bytes go at once.
            #expect(ContinuousClock.now - begin > .milliseconds(450))
            withExtendedLifetime(server) {}
        }
    }
}
