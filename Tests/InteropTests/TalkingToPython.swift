// SPDX-License-Identifier: Apache-2.0
//
// Streams between our bare sockets and files and Python's: who ends first, who waits for whom, how
// lines and packets arrive, and sockets that one program starts the other with.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct TalkingToPython {
    private let limit = Duration.seconds(20)

    // MARK: To the end and back

    // P23, P31, P33, P37, P39, W27
    @Test func `python answers once we have ended our side, and then ends its own`() throws {
        let ends = try PythonEnds(
            dialling: .ip(.loopback6, port: 0),
            """
            received = read_to_end(connection)
            connection.sendall(received[::-1])
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
            """)
        let bytes = Lines.bytes
        try ends.socket.sendAll(bytes.span.bytes, within: limit)
        try ends.socket.shutDown(.writing)
        expectSame(try ends.socket.readToEnd(), bytes.reversed())
        try ends.python.outcome()
    }

    // P20, P31, P37, P39
    @Test func `we answer once python has ended its side, and then end our own`() throws {
        let ends = try PythonEnds(
            """
            connection.sendall(numbered(300_000))
            connection.shutdown(socket.SHUT_WR)
            assert read_to_end(connection) == numbered(300_000)[::-1]
            """)
        let received = try ends.socket.readToEnd()
        expectSame(received, longPattern(300_000))
        let answer = [UInt8](received.reversed())
        try ends.socket.sendAll(answer.span.bytes, within: limit)
        try ends.socket.shutDown(.writing)
        try ends.python.outcome()
    }

    // P35, N23, N24
    @Test func `four million bytes go each way at once`() throws {
        let ends = try PythonEnds(
            """
            def send():
                connection.sendall(numbered(4_000_000))
                connection.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            assert read_to_end(connection) == numbered(4_000_000)
            sender.join()
            """)
        let bytes = longPattern(4_000_000)
        expectSame(try exchange(bytes, over: ends.socket), bytes)
        try ends.python.outcome()
    }

    // P3, P4, P39, P40, X8
    @Test func `host and port may be given apart, and an echo goes on until nothing comes`() throws
    {
        let listener = try Socket(family: .ipv4, kind: .stream)
        try listener.bind(to: "", port: 0)
        try listener.listen()
        let port = try #require(try listener.localAddress.port)
        let asking = try CommandProcess.pythonPeer(
            """
            connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            connection.sendall(b"an echo")
            assert connection.recv(7, socket.MSG_WAITALL) == b"an echo"
            """, "\(port)")
        let accepted = try listener.accept(within: limit)
        try echo(accepted.socket)
        try asking.outcome()

        let answering = try CommandProcess.pythonPeer(
            """
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            server.bind(("", 0))
            server.listen()
            say(server.getsockname()[1])
            connection, _ = server.accept()
            while received := connection.recv(1024):
                connection.sendall(received)
            """)
        let client = try Socket(family: .ipv4, kind: .stream)
        let place = try #require(UInt16(try answering.nextLine()))
        _ = try client.connect(to: "127.0.0.1", port: place)
        try client.say("an echo")
        try client.shutDown(.writing)
        #expect(try client.readToEnd().text == "an echo")
        try answering.outcome()
    }

    private func echo(_ socket: borrowing Socket) throws {
        while case let bytes = try socket.receive(upTo: 1_024, within: limit), !bytes.isEmpty {
            try socket.sendAll(bytes.span.bytes, within: limit)
        }
    }

    /// Sends and receives as either is possible, ends its side, and reads to the end.
    private func exchange(_ bytes: [UInt8], over socket: borrowing Socket) throws -> [UInt8] {
        var sent = 0
        var received: [UInt8] = []
        while true {
            let rest = bytes[sent...]
            if !rest.isEmpty, case .bytes(let count) = try socket.send(rest.span.bytes) {
                sent += count
                if sent == bytes.count { try socket.shutDown(.writing) }
            }
            while let piece = try socket.receive(upTo: 65_536) {
                if piece.isEmpty { return received }
                received += piece
            }
            let readiness: Socket.Readiness = sent < bytes.count ? .readableOrWritable : .readable
            let isReady = try socket.wait(until: readiness, within: limit)
            try #require(isReady)
        }
    }

    // MARK: Slow readers and time limits

    // N24
    @Test func `a send of millions of bytes waits for a reader that takes a thousand at a time`()
        throws
    {
        let ends = try PythonEnds(
            """
            received = bytearray()
            while part := connection.recv(1000):
                received += part
            assert received == numbered(3_000_000)
            """)
        try ends.socket.set(.sendBufferByteCount, to: 65_536)
        let bytes = longPattern(3_000_000)
        // None is answered in the kernel's place; they are only counted.
        let waits = Answers(.atMost(0), to: [.poll]) { _ in false }
        try waits.give { try ends.socket.sendAll(bytes.span.bytes, within: limit) }
        try ends.socket.shutDown(.writing)
        try ends.python.outcome()
        #expect(waits.count > 0)
    }

    // N24
    @Test func `python's sendall waits for us, who take a thousand bytes at a time`() throws {
        let ends = try PythonEnds("connection.sendall(numbered(3_000_000))")
        var received: [UInt8] = []
        while case let piece = try ends.socket.receive(upTo: 1_000, within: limit), !piece.isEmpty {
            received += piece
        }
        expectSame(received, longPattern(3_000_000))
        try ends.python.outcome()
    }

    // N24
    @Test func `a send that runs out of time tells how much python is going to get`() throws {
        let ends = try PythonEnds(
            """
            wait_for_test()
            received = read_to_end(connection)
            assert received == numbered(len(received))
            say(len(received))
            """)
        try ends.socket.set(.sendBufferByteCount, to: 65_536)
        let bytes = longPattern(8_000_000)
        var sent = 0
        do throws(IncompleteSendError) {
            try ends.socket.sendAll(bytes.span.bytes, within: .milliseconds(50))
            Issue.record("python has read nothing, and yet all was sent")
        } catch {
            #expect(error.error == SocketError(.write, .timedOut))
            sent = error.byteCount
        }
        #expect(sent > 0)
        try ends.socket.shutDown(.writing)
        ends.python.goOn()
        #expect(try ends.python.outcome() == "\(sent)\n")
    }

    // N24
    @Test func `what python had sent when its time was up is the beginning of it all`() throws {
        let ends = try PythonEnds(
            """
            connection.settimeout(0.05)
            try:
                connection.sendall(numbered(8_000_000))
            except socket.timeout:
                say("timed out")
            """)
        #expect(try ends.python.nextLine() == "timed out")
        let received = try ends.socket.readToEnd()
        #expect((1..<8_000_000).contains(received.count))
        expectSame(received, longPattern(received.count))
        try ends.python.outcome()
    }

    // N23, N35
    @Test func `a read that runs out of time leaves the connection as it is, on either side`()
        throws
    {
        let ends = try PythonEnds(
            """
            connection.settimeout(0.03)
            try:
                connection.recv(1)
            except socket.timeout:
                say("timed out")
            connection.settimeout(20)
            assert connection.recv(4, socket.MSG_WAITALL) == b"late"
            connection.sendall(b"later")
            """)
        #expect(throws: SocketError(.read, .timedOut)) {
            _ = try ends.socket.receive(upTo: 1, within: .milliseconds(30))
        }
        #expect(try ends.python.nextLine() == "timed out")
        try ends.socket.say("late")
        #expect(try ends.socket.readToEnd().text == "later")
        try ends.python.outcome()
    }

    // X3, W23, N35
    @Test func `a reset is told once, and then the end, on either side`() throws {
        let ours = try PythonEnds(
            """
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            """)
        #expect(throws: SocketError(.read, .connectionReset)) {
            _ = try ours.socket.receive(upTo: 1, within: limit)
        }
        #expect(try ours.socket.receive(upTo: 1, within: limit) == [])
        try ours.python.outcome()

        let theirs = try PythonEnds(
            """
            say("connected")
            try:
                connection.recv(1)
            except ConnectionResetError:
                assert connection.recv(1) == b""
                say("reset")
            """)
        let python = theirs.python
        #expect(try python.nextLine() == "connected")
        try theirs.socket.resetOnClose()
        try theirs.socket.close()
        #expect(try python.outcome() == "reset\n")
    }

    // P26, P27, P3
    @Test(arguments: [SocketAddress.loopback(port: 0), .ip(.loopback6, port: 0), .unnamed])
    func `each side has the addresses that the other has`(address: SocketAddress) throws {
        let ends = try PythonEnds(
            listeningAt: address,
            "say(show(connection.getsockname()), show(connection.getpeername()))")
        let names = try "\(ends.socket.peerAddress) \(ends.socket.localAddress)\n"
        #expect(try ends.python.outcome() == names)
    }

    // MARK: Files

    // P30, N37
    @Test func `lines with carriage returns go to and fro between the two sides' files`() throws {
        let ends = try PythonEnds(
            #"""
            with connection.makefile("rw", encoding="utf-8", newline="\r\n") as lines:
                for number in range(200):
                    line = lines.readline()
                    assert line == f"Zeile {number} für Python ✓\r\n", line
                    lines.write(f"{len(line)} Zeichen, grüßt 🐍\n")
                    lines.flush()
            """#)
        var options = SocketFileOptions(.both)
        options.text.outputTranslation = .crlf
        options.timeLimit = limit
        var file = try ends.socket.makeFile(options)
        for number in 0..<200 {
            let line = "Zeile \(number) für Python ✓"
            try file.write(line + "\n")
            try file.flush()
            let answer = try file.readLine()
            #expect(answer == "\(line.unicodeScalars.count + 2) Zeichen, grüßt 🐍")
        }
        try ends.python.outcome()
        let end = try file.readLine()
        #expect(end == nil)
        try file.close()
    }

    // P30, N37
    @Test func `a head of lines and a body of bytes go through one file`() throws {
        let ends = try PythonEnds(
            #"""
            with connection.makefile("rwb") as stream:
                length = int(stream.readline().removeprefix(b"Length: "))
                assert stream.readline() == b"\r\n"
                body = stream.read(length)
                assert body == numbered(length)
                stream.write(b"Length: %d\r\n\r\n%s" % (length // 2, body[::2]))
            """#)
        var options = SocketFileOptions(.both)
        options.text.outputTranslation = .crlf
        options.timeLimit = limit
        var file = try ends.socket.makeFile(options)
        let body = longPattern(100_000)
        try file.write("Length: \(body.count)\n\n")
        try file.write(body.span.bytes)
        try file.flush()
        let head = [try file.readLine(), try file.readLine()]
        #expect(head == ["Length: 50000", ""])
        expectSame(try file.read(50_000), stride(from: 0, to: body.count, by: 2).map { body[$0] })
        try ends.python.outcome()
    }

    // P30, N37
    @Test func `a file lives on when its socket is closed, on either side`() throws {
        let ends = try PythonEnds(
            #"""
            stream = connection.makefile("rwb")
            connection.close()
            stream.write(stream.readline() + b"still here, too\n")
            stream.close()
            say("closed")
            wait_for_test()
            """#)
        let python = ends.python
        var options = SocketFileOptions(.both)
        options.timeLimit = limit
        var file = try ends.socket.makeFile(options)
        try ends.socket.close()
        try file.write("still here\n")
        try file.flush()
        let rest = try file.readText()
        #expect(rest == "still here\nstill here, too\n")
        #expect(try python.nextLine() == "closed")
        python.goOn()
        try python.outcome()
    }

    // N37
    @Test func `a file that has run out of time refuses to read on, on either side`() throws {
        let ends = try PythonEnds(
            #"""
            connection.settimeout(0.03)
            stream = connection.makefile("rb")
            for attempt in range(2):
                try:
                    stream.readline()
                except OSError as error:
                    say(isinstance(error, socket.timeout))
            wait_for_test()
            connection.sendall(b"late\n")
            """#)
        #expect(try ends.python.nextLine() == "True")
        #expect(try ends.python.nextLine() == "False")
        var options = SocketFileOptions()
        options.timeLimit = .milliseconds(30)
        var file = try ends.socket.makeFile(options)
        for round in 0..<2 {
            do throws(ChannelError) {
                _ = try file.readLine()
                Issue.record("a line came")
            } catch {
                #expect(error == .socket(SocketError(.read, .timedOut)))
            }
            if round > 0 { break }
            ends.python.goOn()
            let isThere = try ends.socket.wait(until: .readable, within: limit)
            #expect(isThere)
        }
        #expect(try ends.socket.receive(upTo: 9, within: limit).text == "late\n")
        try ends.python.outcome()
    }
}
