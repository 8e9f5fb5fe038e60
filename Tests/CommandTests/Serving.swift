// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve` as its clients and its administrator see it.

import Glibc
import TestSupport
import Testing

@testable import SluiceCommand

extension CommandSuite {
    struct Serving {
        @Test func `echo sends back what it gets`() throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            client.send(Array("hello".utf8))
            client.endWriting()
            #expect(client.receive() == Array("hello".utf8))
        }

        @Test(arguments: [
            ["--style", "async"], ["--workers", "2"], ["--style", "async", "--workers", "3"],
            ["--workers", "2", "--distribution", "reuse-port"],
            ["--style", "async", "--workers", "2", "--distribution", "reuse-port"],
        ])
        func `tasks and threads serve alike`(options: [String]) throws {
            let server = try CommandProcess(sluice: ["serve", "echo"] + options, input: nil)
            let port = try server.listeningPort()
            let clients = try (0..<20).map { _ in try #require(PlainClient(port: port)) }
            for (number, client) in clients.enumerated() {
                client.send(Array("hello \(number)".utf8))
                client.endWriting()
            }
            for (number, client) in clients.enumerated() {
                #expect(client.receive() == Array("hello \(number)".utf8))
            }
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
            #expect(server.errors.text.isEmpty)
        }

        @Test(arguments: SimpleService.allCases)
        func `every service is there in tasks`(service: SimpleService) throws {
            let server = try CommandProcess(
                sluice: ["serve", service.rawValue, "--style", "async"], input: nil)
            let client = try #require(PlainClient(port: try server.listeningPort()))
            client.send(Array("hello".utf8))
            client.endWriting()
            switch service {
            case .echo: #expect(client.receive() == Array("hello".utf8))
            case .discard: #expect(client.receive().isEmpty)
            case .chargen: #expect(client.receive(100_000).count == 100_000)
            case .daytime: #expect(client.receive().text.hasSuffix("-UTC\r\n"))
            case .time: #expect(client.receive().count == 4)
            }
            #expect(server.errors.text.isEmpty)
        }

        @Test func `discard answers nothing`() throws {
            let server = try CommandProcess(sluice: "serve", "discard")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            client.send([UInt8](repeating: 1, count: 100_000))
            client.endWriting()
            #expect(client.receive().isEmpty)
        }

        @Test func `chargen sends its pattern without a seam`() throws {
            let server = try CommandProcess(sluice: "serve", "chargen")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            let count = 3_000_000
            let pattern = SimpleService.pattern
            let expected = (0..<count).map { pattern[$0 % pattern.count] }
            #expect(client.receive(count) == expected)
        }

        @Test func `chargen's first lines are those of RFC 864`() {
            let lines = String(decoding: SimpleService.pattern, as: UTF8.self)
                .split(separator: "\r\n", omittingEmptySubsequences: false)
            #expect(lines[0].hasPrefix(" !\"#$%&'()*+,-./0123456789:;<=>?@ABC"))
            #expect(lines[1].hasPrefix("!\"#$%&'()*+,-./0123456789:;<=>?@ABCD"))
            #expect(lines.dropLast().allSatisfy { $0.count == 72 } && lines.count == 96)
        }

        @Test func `daytime tells one line and closes`() throws {
            let server = try CommandProcess(sluice: "serve", "daytime")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            let line = String(decoding: client.receive(), as: UTF8.self)
            #expect(line.hasSuffix("-UTC\r\n"))
            let example = SimpleService.daytimeLine(at: 383_247_463)
            #expect(example == "Monday, February 22, 1982 17:37:43-UTC\r\n")
        }

        @Test func `time tells the seconds since 1900 and closes`() throws {
            let server = try CommandProcess(sluice: "serve", "time")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            let bytes = client.receive()
            let seconds = bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) } - 2_208_988_800
            #expect(bytes.count == 4)
            #expect(abs(seconds - Int64(Glibc.time(nil))) <= 10)
            #expect(SimpleService.timeBytes(at: 2_085_978_496) == [0, 0, 0, 0])
        }

        @Test func `every address has its line and one port`() throws {
            let server = try CommandProcess(
                sluice: "serve", "echo", "--host", "127.0.0.1", "--host", "127.0.0.2")
            let (first, second) = (try server.nextLine(), try server.nextLine())
            #expect(first.hasPrefix("listening on 127.0.0.1:"))
            #expect(second == first.replacingFirst("127.0.0.1", with: "127.0.0.2"))
        }

        @Test func `a Unix socket is removed at the end`() throws {
            let path = "/tmp/sluice-\(getpid()).socket"
            let server = try CommandProcess(sluice: "serve", "echo", "--unix", path)
            #expect(try server.nextLine() == "listening on \(path)")
            #expect(access(path, F_OK) == 0)
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
            #expect(access(path, F_OK) != 0)
        }

        @Test func `an address in use ends it with status 69 and its name`() throws {
            let first = try CommandProcess(sluice: "serve", "echo")
            let port = try first.listeningPort()
            let second = try CommandProcess(sluice: "serve", "echo", "--port", "\(port)")
            #expect(try second.finish().end == .exited(69))
            let refusal = "sluice: bind 127.0.0.1:\(port): Address already in use\n"
            #expect(second.errors.text == refusal)
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func `a signal ends an idle server with status 0`(signal: CInt) throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            _ = try server.listeningPort()
            server.send(signal)
            #expect(try server.finish().end == .exited(0))
        }

        @Test func `a draining server takes no more and waits for its clients`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--drain", "20s")
            let port = try server.listeningPort()
            do {
                let client = try #require(PlainClient(port: port))
                client.send([1])
                #expect(client.receive(1) == [1])
                server.send(SIGTERM)
                while PlainClient(port: port) != nil {}
                client.send([2])
                #expect(client.receive(1) == [2])
            }
            #expect(try server.finish().end == .exited(0))
        }

        @Test func `a second signal ends the server at once`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--drain", "1h")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            client.send([1])
            #expect(client.receive(1) == [1])
            server.send(SIGTERM)
            server.send(SIGINT)
            #expect(try server.finish().end == .exited(0))
        }

        @Test func `SIGTERM in full flow ends the server with status 0`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--drain", "200ms")
            let target = "tcp://127.0.0.1:\(try server.listeningPort())"
            let load = try CommandProcess(
                sluice: "load", target, "--connections", "20", "--ramp", "0", "--progress")
            load.expect("it reports") { load.errors.text.contains("requests/s") }
            server.send(SIGTERM)
            #expect(try server.finish().end == .exited(0))
            #expect(try load.finish().end == .exited(69))
            #expect(load.errors.text.hasSuffix("sluice: every connection was lost\n"))
        }

        @Test func `a silent client is let go after the idle timeout`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--idle-timeout", "50ms")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            #expect(client.receive().isEmpty)
        }

        @Test func `the descriptor limit is raised unless it is to be kept`() throws {
            let kept = try CommandProcess(
                shell: "ulimit -Sn 64; exec $sluice serve echo --keep-descriptor-limit")
            _ = try kept.listeningPort()
            #expect(try softLimit(of: kept) == "64")
            let raised = try CommandProcess(shell: "ulimit -Sn 64; exec $sluice serve echo")
            _ = try raised.listeningPort()
            #expect(try softLimit(of: raised) != "64")
        }

        private func softLimit(of program: CommandProcess) throws -> Substring {
            let text = try CommandProcess(
                shell: "grep 'open files' /proc/\(program.pid)/limits")
            return try #require(text.nextLine().split(separator: " ").dropFirst(3).first)
        }
    }
}

extension String {
    /// The text with the first place of another one replaced.
    fileprivate func replacingFirst(_ old: String, with new: String) -> String {
        guard let place = firstRange(of: old) else { return self }
        return replacingCharacters(in: place, with: new)
    }

    private func firstRange(of text: String) -> Range<Index>? {
        indices.lazy.map { self[$0...] }.first { $0.hasPrefix(text) }
            .map { $0.startIndex..<index($0.startIndex, offsetBy: text.count) }
    }

    private func replacingCharacters(in place: Range<Index>, with text: String) -> String {
        String(self[..<place.lowerBound]) + text + String(self[place.upperBound...])
    }
}
