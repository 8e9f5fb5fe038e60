// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve` talks to Python's socket module and to asyncio.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct ServingPython {
    /// Sends from a thread of its own, ends the writing side, and reads to the end.
    private static let exchange = """
        import threading

        def send():
            connection.sendall(make_lines())
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = read_to_end(connection)
        sender.join()
        sys.stdout.buffer.write(received)
        """

    @Test func `python gets 10,000 lines back after it has ended its writing side`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess.python(
            "connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                + Self.exchange, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        withExtendedLifetime(server) {}
    }

    @Test func `python gets 10,000 lines back over IPv6`() throws {
        let server = try CommandProcess(sluice: ["serve", "echo", "--host", "::1"])
        let port = try #require(try server.listeningAddress().port)
        let client = try CommandProcess.python(
            "connection = socket.create_connection(('::1', int(sys.argv[1])))\n" + Self.exchange,
            "\(port)")
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
    }

    @Test func `python gets 10,000 lines back over a Unix socket`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/echo"
        let server = try CommandProcess(sluice: ["serve", "echo", "--unix", path])
        _ = try server.line(with: "listening on \(path)")
        let client = try CommandProcess.python(
            """
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(sys.argv[1])

            """ + Self.exchange, path)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        server.send(SIGTERM)
        #expect(try server.ended() == .exited(0))
        #expect(access(path, F_OK) != 0, "the file of the socket is still there")
    }

    @Test func `asyncio gets 10,000 lines back after it has ended its writing side`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess.python(
            """
            import asyncio

            async def main():
                reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))

                async def send():
                    for line in make_lines().splitlines(keepends=True):
                        writer.write(line)
                        await writer.drain()
                    writer.write_eof()

                received, _ = await asyncio.gather(reader.read(), send())
                sys.stdout.buffer.write(received)

            asyncio.run(main())
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        expectSame(client.output, Lines.bytes)
        withExtendedLifetime(server) {}
    }

    @Test func `asyncio asks with 100 connections at once, 100 lines each`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let client = try CommandProcess.python(
            """
            import asyncio

            async def ask(name):
                reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
                equal = 0
                for number in range(100):
                    line = b"%d of %d\\n" % (number, name)
                    writer.write(line)
                    equal += await reader.readline() == line
                writer.close()
                await writer.wait_closed()
                return equal

            async def main():
                print(sum(await asyncio.gather(*[ask(name) for name in range(100)])))

            asyncio.run(main())
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        #expect(client.output.text == "10000\n")
        withExtendedLifetime(server) {}
    }

    @Test func `python reads the day, the time and the end after each`() throws {
        let before = time(nil)
        let (day, dayPort) = try CommandProcess.serving("daytime")
        let (clock, clockPort) = try CommandProcess.serving("time")
        let client = try CommandProcess.python(
            """
            import calendar, struct, time
            line = read_to_end(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
            print(calendar.timegm(time.strptime(line.decode(), "%A, %B %d, %Y %H:%M:%S-UTC\\r\\n")))
            answer = read_to_end(socket.create_connection(("127.0.0.1", int(sys.argv[2]))))
            print(struct.unpack("!I", answer)[0] - 2208988800)
            """, dayPort, clockPort)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        let times = client.output.text.split(separator: "\n").compactMap { Int($0) }
        #expect(times.count == 2)
        #expect(times.allSatisfy { (before...time(nil)).contains($0) })
        withExtendedLifetime((day, clock)) {}
    }

    @Test func `python has 10,000 lines discarded and meets the end`() throws {
        let (server, port) = try CommandProcess.serving("discard")
        let client = try CommandProcess.python(
            "connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                + Self.exchange, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        #expect(client.output.isEmpty)
        withExtendedLifetime(server) {}
    }

    @Test func `python reads 10,000 lines of the character generator and goes away`() throws {
        let (server, port) = try CommandProcess.serving("chargen")
        let idle = server.descriptorCount
        let client = try CommandProcess.python(
            """
            connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            with connection, connection.makefile("rb") as stream:
                for number in range(10000):
                    line = bytes(32 + (number + place) % 95 for place in range(72)) + b"\\r\\n"
                    assert stream.readline() == line, number
            print("all equal")
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        #expect(client.output.text == "all equal\n")
        server.expect("the server lets go of the connection") { server.descriptorCount == idle }
    }

    @Test func `a reset by python ends its connection and no other`() throws {
        let (server, port) = try CommandProcess.serving("echo")
        let idle = server.descriptorCount
        let client = try CommandProcess.python(
            """
            import struct
            address = ("127.0.0.1", int(sys.argv[1]))
            other = socket.create_connection(address)
            for number in range(100):
                connection = socket.create_connection(address)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(b"half a li")
                connection.close()
                other.sendall(b"line\\n")
                assert other.recv(5, socket.MSG_WAITALL) == b"line\\n", number
            print("served on")
            """, port)
        #expect(try client.ended() == .exited(0), "\(client.errors.text)")
        #expect(client.output.text == "served on\n")
        server.expect("the server lets go of all") { server.descriptorCount == idle }
        #expect(server.errors.isEmpty, "\(server.errors.text)")
    }
}
