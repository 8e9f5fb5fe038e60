// SPDX-License-Identifier: Apache-2.0
//
// `sluice connect` talks to socat, which puts any program behind a socket.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct ConnectingToSocat {
    /// A socat that serves one connection with `program`, and its port as text.
    private func serve(_ program: String) throws -> (server: CommandProcess, port: String) {
        let server = try CommandProcess(
            "socat", ["-d", "-d", "-t", "10", "TCP-LISTEN:0,bind=127.0.0.1,reuseaddr", program])
        return (server, "\(try server.listeningAddress().port ?? 0)")
    }

    private func connect(_ arguments: String..., input: [UInt8]?) throws -> CommandProcess {
        try CommandProcess(sluice: ["connect"] + arguments, input: input)
    }

    @Test func `10,000 lines come back from cat byte for byte`() throws {
        let (server, port) = try serve("EXEC:cat")
        let client = try connect("127.0.0.1", port, input: Lines.bytes)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        #expect(try server.ended() == .exited(0))
    }

    @Test func `wc, which answers only after the end, counts 10,000 lines`() throws {
        let (server, port) = try serve("EXEC:wc -l -c")
        let client = try connect("127.0.0.1", port, input: Lines.bytes)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let numbers = client.output.text.split(whereSeparator: \.isWhitespace)
        #expect(numbers == ["10000", "\(Lines.bytes.count)"])
        #expect(try server.ended() == .exited(0))
    }

    @Test func `10,000 lines come back from sort in another order`() throws {
        let (server, port) = try serve("SYSTEM:LC_ALL=C sort -r")
        let client = try connect("127.0.0.1", port, input: Lines.bytes)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let lines = Lines.bytes.split(separator: UInt8(ascii: "\n"))
            .sorted { $1.lexicographicallyPrecedes($0) }
        expectSame(client.output, lines.flatMap { Array($0) + [UInt8(ascii: "\n")] })
        #expect(try server.ended() == .exited(0))
    }

    @Test func `10,000 lines come back through a Unix socket`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/cat"
        let server = try CommandProcess(
            "socat", ["-d", "-d", "-t", "10", "UNIX-LISTEN:\(path)", "EXEC:cat"])
        _ = try server.line(with: "listening on ")
        let client = try connect("--unix", path, input: Lines.bytes)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        #expect(try server.ended() == .exited(0))
    }

    @Test func `the server's end is the end, though standard input is open`() throws {
        let (server, port) = try serve("EXEC:seq 10000")
        let client = try connect("127.0.0.1", port, input: nil)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, (1...10_000).flatMap { Array("\($0)\n".utf8) })
        #expect(try server.ended() == .exited(0))
    }

    @Test func `a server that speaks before it listens is heard`() throws {
        // Both directions are full at once: the client must read while it can't write.
        let (server, port) = try serve("SYSTEM:head -c 20000000 /dev/zero; wc -c")
        let input = (0..<40).flatMap { _ in Lines.bytes }
        let client = try connect("127.0.0.1", port, input: input)
        #expect(try client.ended(within: .seconds(10)) == .exited(0), "\(client.errors.text)")
        #expect(client.output.count > 20_000_000)
        #expect(Array(client.output.dropFirst(20_000_000)).text == "\(input.count)\n")
        #expect(try server.ended() == .exited(0))
    }

    @Test func `a line is answered before the next one is known`() throws {
        let (server, port) = try serve("EXEC:cat")
        let client = try connect("127.0.0.1", port, input: nil)
        for number in 1...100 {
            client.type("line \(number)\n")
            #expect(try client.line(with: "line \(number)") == "line \(number)")
        }
        client.closeInput()
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        #expect(try server.ended() == .exited(0))
    }

    @Test func `a connection that nobody accepts is status 69 and one line`() throws {
        // Bound, so that nobody else gets the port, but not listening.
        let socket = try Socket(for: .loopback(port: 0))
        try socket.bind(to: .loopback(port: 0))
        let address = try socket.localAddress
        let client = try connect("127.0.0.1", "\(address.port ?? 0)", input: Lines.bytes)
        #expect(try client.ended() == .exited(69))
        #expect(client.output.isEmpty)
        #expect(client.errors.text == "sluice: connect \(address): Connection refused\n")
    }

    @Test func `a Unix socket that does not exist is status 69`() throws {
        let folder = try TemporaryFolder()
        let client = try connect("--unix", folder.path + "/nobody", input: [])
        #expect(try client.ended() == .exited(69))
        #expect(client.errors.text.contains("No such file or directory"))
    }

    @Test func `socat as a client gets 10,000 lines back from an echo`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess(
            "socat", ["-t", "10", "-", "TCP:127.0.0.1:\(port)"], input: Lines.bytes)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        withExtendedLifetime(server) {}
    }
}
