// SPDX-License-Identifier: Apache-2.0
//
// Unix sockets between us and Python, by path and by abstract name: streams, packets, names that
// the kernel chooses; and sockets that a program is started with.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct UnixSocketsWithPython {
    private let limit = Duration.seconds(20)
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// How a Unix socket is named.
    enum Name: CaseIterable, Sendable {
        case path
        case abstract
    }

    private func address(_ name: Name) -> SocketAddress {
        switch name {
        case .path: .unix(path: folder["socket"])
        case .abstract: .abstract(name: Array("sluice python \(getpid())".utf8))
        }
    }

    // MARK: Streams

    // P2, P7, N20
    @Test(arguments: Name.allCases)
    func `python dials our Unix stream by its name`(name: Name) throws {
        let ends = try PythonEnds(
            listeningAt: address(name),
            """
            connection.sendall(numbered(100_000))
            connection.shutdown(socket.SHUT_WR)
            assert read_to_end(connection) == numbered(100_000)[::-1]
            """)
        let received = try ends.socket.readToEnd()
        expectSame(received, longPattern(100_000))
        let answer = [UInt8](received.reversed())
        try ends.socket.sendAll(answer.span.bytes, within: limit)
        try ends.socket.shutDown(.writing)
        try ends.python.outcome()
    }

    // P2, P7, N20
    @Test(arguments: Name.allCases)
    func `we dial python's Unix stream by its name`(name: Name) throws {
        let ends = try PythonEnds(
            dialling: address(name),
            "connection.sendall(read_to_end(connection)[::-1])")
        let bytes = longPattern(100_000)
        try ends.socket.sendAll(bytes.span.bytes, within: limit)
        try ends.socket.shutDown(.writing)
        expectSame(try ends.socket.readToEnd(), bytes.reversed())
        let peer = try ends.socket.peerAddress
        #expect(peer == address(name))
        try ends.python.outcome()
    }

    // N20
    @Test func `names that the kernel has chosen are the same on either side`() throws {
        let listener = try Socket(for: .unnamed)
        try listener.bind(to: .unnamed)
        try listener.listen(backlog: 1)
        let ours = try listener.localAddress
        let python = try CommandProcess.pythonPeer(
            """
            connection = socket.socket(socket.AF_UNIX)
            connection.bind("")
            connection.connect(place(sys.argv[1])[1])
            say(show(connection.getsockname()), show(connection.getpeername()))
            """, "\(ours)")
        let accepted = try listener.accept(within: limit)
        let theirs = accepted.peer
        #expect(try python.outcome() == "\(theirs) \(ours)\n")
        #expect(theirs != .unnamed)
        #expect("\(ours)".hasPrefix("@"))
        let rest = try accepted.socket.readToEnd()
        #expect(rest.isEmpty)
    }

    // MARK: Packets

    // P8, N20
    @Test(arguments: Name.allCases)
    func `packets come back from python each by itself, last first`(name: Name) throws {
        let ends = try PythonEnds(
            dialling: address(name), kind: .sequentialPacket,
            """
            packets = []
            while packet := connection.recv(100_000):
                packets.append(packet)
            for packet in reversed(packets):
                connection.send(packet)
            """)
        let lengths = [1, 2, 100, 1, 60_000, 3]
        for length in lengths {
            let packet = pattern(length)
            let count = try ends.socket.send(packet.span.bytes, within: limit)
            #expect(count == length)
        }
        try ends.socket.shutDown(.writing)
        for length in lengths.reversed() {
            expectSame(try ends.socket.receive(upTo: 100_000, within: limit), pattern(length))
        }
        try ends.python.outcome()
        #expect(try ends.socket.receive(upTo: 100_000, within: limit) == [])
    }

    // P8, P32, N26
    @Test func `a packet that finds too little room is cut, and either side says so`() throws {
        let ends = try PythonEnds(
            listeningAt: address(.abstract), kind: .sequentialPacket,
            """
            connection.send(b"0123456789")
            connection.send(b"next")
            for room in 4, 10:
                data, items, flags, _ = connection.recvmsg(room)
                say(data.decode(), bool(flags & socket.MSG_TRUNC))
            """)
        try ends.socket.withMessage(room: 4) { bytes, message in
            #expect(bytes.text == "0123")
            let isTruncated = message.isTruncated
            #expect(isTruncated)
        }
        try ends.socket.withMessage(room: 10) { bytes, message in
            #expect(bytes.text == "next")
            let isTruncated = message.isTruncated
            #expect(!isTruncated)
        }
        try ends.socket.say("abcdefghij")
        try ends.socket.say("next")
        #expect(try ends.python.outcome() == "abcd True\nnext False\n")
    }

    // MARK: Sockets that a program is started with

    /// Says what it finds at each number.
    private static let finding = """
        for number in sys.argv[1:]:
            try:
                found = socket.socket(fileno=int(number))
                say(int(found.family), int(found.type), found.proto, found.get_inheritable())
                found.detach()
            except OSError as error:
                say(error.errno)

        """

    /// The first program that is started in this process keeps what is open from all later ones.
    private func startAny() throws {
        try CommandProcess("true").ended()
    }

    // N30, N31, P17
    @Test func `python finds inherited sockets by their numbers, and no others`() throws {
        try startAny()
        let stream = try Socket(family: .ipv4, kind: .stream, isInheritable: true)
        let datagrams = try Socket(family: .ipv6, kind: .datagram, isInheritable: true)
        let packets = try Socket(family: .unix, kind: .sequentialPacket, isInheritable: true)
        let kept = try Socket(family: .ipv4, kind: .stream)
        let python = try CommandProcess.pythonPeer(
            Self.finding, "\(stream.number)", "\(datagrams.number)", "\(packets.number)",
            "\(kept.number)")
        #expect(
            try python.outcome() == """
                \(AF_INET) \(SocketKind.stream.rawValue) \(IPPROTO_TCP) True
                \(AF_INET6) \(SocketKind.datagram.rawValue) \(IPPROTO_UDP) True
                \(AF_UNIX) \(SocketKind.sequentialPacket.rawValue) 0 True
                \(EBADF)

                """)
    }

    // N29, N30, N31
    @Test func `python talks over the end of a pair that it was started with`() throws {
        try startAny()
        var pair = try Socket.makePair()
        try pair.second.setInheritable(true)
        let python = try CommandProcess.pythonPeer(
            """
            connection = socket.socket(fileno=int(sys.argv[1]))
            connection.setblocking(True)
            connection.sendall(read_to_end(connection)[::-1])
            """, "\(pair.second.number)")
        // Only python has it now.
        try Socket.taken(from: &pair.second).close()
        let bytes = longPattern(100_000)
        try pair.first.sendAll(bytes.span.bytes, within: limit)
        try pair.first.shutDown(.writing)
        expectSame(try pair.first.readToEnd(), bytes.reversed())
        try python.outcome()
    }

    // A worker of `sluice load` takes its orders from the socket that is its standard input.
    // P17, N30, N31
    @Test func `a program of ours takes orders by the socket that python has started it with`()
        throws
    {
        let python = try CommandProcess.pythonPeer(
            """
            import subprocess
            server = socket.create_server(("127.0.0.1", 0))
            target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            ours, theirs = socket.socketpair()
            worker = subprocess.Popen(
                [sys.argv[1], "load-worker", "--share", "0/1", target, "--connections", "1"],
                stdin=theirs)
            theirs.close()
            with ours, ours.makefile("r") as told:
                ours.sendall(b"connect\\n")
                connection, _ = server.accept()
                say(next(line.strip() for line in told if line.startswith("phase 2")))
            say(worker.wait())
            """, CommandProcess.sluice)
        #expect(try python.outcome() == "phase 2\n0\n")
    }
}
