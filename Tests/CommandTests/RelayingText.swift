// SPDX-License-Identifier: Apache-2.0
//
// `sluice connect` and `sluice serve` where a connection carries text: people write UTF-8 lines,
// and on the wire stands what the options say.

import Sluice
import TestSupport
import Testing

extension CommandSuite {
    struct RelayingText {
        @Test func `what is typed goes out in the encoding and with the line ends named`() throws {
            let (connection, channel) = try connected(
                "--encoding", "iso8859-1", "--translation", "auto crlf")
            connection.type("Grüße\n")
            connection.closeInput()
            // In binary a character is a byte.
            #expect(try channel.read(characters: 7) == "Gr\u{FC}\u{DF}e\r\n")
            channel.close()
            #expect(try connection.finish() == (.exited(0), ""))
        }

        @Test func `what comes is shown in UTF-8 and with plain line ends`() throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            let connection = try CommandProcess(
                sluice: "connect", "127.0.0.1", "\(try server.listeningPort())", "--encoding",
                "shiftjis", "--translation", "crlf")
            connection.type("日本\nテ\n")
            connection.closeInput()
            #expect(try connection.finish() == (.exited(0), "日本\nテ\n"))
        }

        @Test func `an end mark ends what comes, and is sent at the end`() throws {
            let server = try CommandProcess(sluice: "serve", "echo")
            let port = "\(try server.listeningPort())"
            let reading = try CommandProcess(
                sluice: "connect", "127.0.0.1", port, "--end-mark", ". {}", "--keep-open")
            reading.type("seen. unseen")
            #expect(try reading.finish() == (.exited(0), "seen"))
            let writing = try CommandProcess(
                sluice: "connect", "127.0.0.1", port, "--end-mark", "{} .")
            writing.type("text")
            writing.closeInput()
            #expect(try writing.finish() == (.exited(0), "text."))
        }

        @Test(arguments: ["{}a", "abc{}"])
        func `a character that the encoding lacks is one complaint and status 70`(
            form: String
        ) throws {
            // A character cut off by the end of the input can't be sent either.
            let text = form.replacing("{}", with: form.hasPrefix("{") ? "\\304\\205" : "\\303")
            let server = try CommandProcess(sluice: "serve", "echo")
            let connection = try CommandProcess(
                shell: """
                    printf '\(text)' | $sluice connect 127.0.0.1 \(try server.listeningPort()) \
                    --encoding iso8859-1
                    """)
            #expect(try connection.finish().end == .exited(70))
            #expect(connection.errors.text.split(separator: "\n").count == 1)
            #expect(connection.errors.text.contains("iso8859-1"))
        }

        @Test func `bytes that are no text are one complaint and status 70`() throws {
            let (connection, channel) = try connected("--encoding", "utf-8")
            try channel.write([0x61, 0xFF, 0x0A])
            #expect(try connection.finish() == (.exited(70), "a"))
            #expect(connection.errors.text.split(separator: "\n").count == 1)
            #expect(connection.errors.text.contains("utf-8"))
            channel.close()
        }

        @Test func `a server of lines answers each line, whatever ends it`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--style", "lines")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            client.send(Array("a\rb\r\nc\n\nd".utf8))
            client.endWriting()
            #expect(client.receive() == Array("a\nb\nc\n\nd\n".utf8))
        }

        @Test func `a server of lines speaks the encoding named`() throws {
            let server = try CommandProcess(
                sluice: "serve", "echo", "--style", "lines", "--encoding", "utf-16be",
                "--translation", "lf crlf")
            let client = try #require(PlainClient(port: try server.listeningPort()))
            client.send([0, 0x41, 0x20, 0xAC, 0, 0x0A])
            client.endWriting()
            #expect(client.receive() == [0, 0x41, 0x20, 0xAC, 0, 0x0D, 0, 0x0A])
        }

        @Test func `a line that is no text ends its client alone`() throws {
            let server = try CommandProcess(sluice: "serve", "echo", "--style", "lines")
            let port = try server.listeningPort()
            let other = try #require(PlainClient(port: port))
            let client = try #require(PlainClient(port: port))
            client.send([0x61, 0xFF, 0x0A])
            #expect(client.receive().isEmpty)
            other.send(Array("still here\n".utf8))
            other.endWriting()
            #expect(other.receive() == Array("still here\n".utf8))
        }

        /// A `sluice connect` with these options, and our end of its connection.
        private func connected(
            _ options: String...
        ) throws -> (connection: CommandProcess, channel: Channel) {
            let server = try ServerSocket(at: .loopback(port: 0))
            let port = "\(server.address.port ?? 0)"
            let connection = try CommandProcess(
                sluice: ["connect", "127.0.0.1", port] + options, input: nil)
            return (connection, try server.accept(options: .binary))
        }
    }
}
