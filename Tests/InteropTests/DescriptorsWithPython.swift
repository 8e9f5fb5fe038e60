// SPDX-License-Identifier: Apache-2.0
//
// Open files and sockets that go between us and Python over Unix sockets, and what the kernel says
// there of who is at the other end.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct DescriptorsWithPython {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Makes files, opens them, and removes their names: what they hold is only had by descriptor.
    private func openFiles(_ contents: [String]) throws -> DescriptorList {
        var files = DescriptorList()
        for content in contents {
            let path = try folder.write(Array(content.utf8))
            let number = open(path, O_RDONLY | O_CLOEXEC)
            try #require(number >= 0)
            files.append(Descriptor(adopting: number))
            unlink(path)
        }
        return files
    }

    /// What is read from each file.
    private func contents(_ files: inout DescriptorList) -> [String] {
        var contents: [String] = []
        while let file = files.popFirst() { contents.append(content(file)) }
        return contents
    }

    private func content(_ file: borrowing Descriptor) -> String {
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = read(file.number, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count))).text
    }

    /// Makes files of the texts that are given, for Python to pass; reads those that it is passed.
    private static let files = """
        import tempfile

        def opened(*texts):
            files = []
            for text in texts:
                files.append(tempfile.TemporaryFile())
                files[-1].write(text.encode())
                files[-1].seek(0)
            return files

        def content(number):
            with open(number) as file:
                return file.read()


        """

    // MARK: Files

    // N27
    @Test func `python reads the files that we pass over a stream`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            Self.files + """
                data, numbers, flags, _ = socket.recv_fds(connection, 100, 10)
                say(data.decode(), *map(content, numbers))
                data, numbers, flags, _ = socket.recv_fds(connection, 100, 10)
                say(data.decode(), *map(content, numbers))
                """)
        let bytes = Array("files".utf8)
        let three = try openFiles(["one", "two", "three"])
        let sent = try ends.socket.send(bytes.span.bytes, passing: three)
        #expect(sent == .bytes(5))
        #expect(try ends.python.nextLine() == "files one two three")
        var one = try openFiles(["alone"])
        if let file = one.popFirst() { _ = try ends.socket.send(bytes.span.bytes, passing: file) }
        #expect(try ends.python.outcome() == "files alone\n")
    }

    // N26, N27
    @Test func `we read the files that python passes over a stream`() throws {
        let ends = try PythonEnds(
            dialling: .abstract(name: Array("sluice files \(getpid())".utf8)),
            Self.files + """
                files = opened("one", "two", "three")
                socket.send_fds(connection, [b"fi", b"les"], [file.fileno() for file in files])
                for file in files:
                    file.close()
                """)
        let room = try AncillaryItem.space(forData: 3 * MemoryLayout<CInt>.size)
        try ends.socket.withMessage(ancillaryByteCount: room) { bytes, message in
            let count = message.descriptors.count
            #expect(bytes.text == "files")
            #expect(count == 3)
            let flags = message.flags
            #expect(flags == [])
            let texts = contents(&message.descriptors)
            #expect(texts == ["one", "two", "three"])
        }
        try ends.python.outcome()
    }

    // N26, N27
    @Test func `descriptors that find no room are closed, and either side is told`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            Self.files + """
                files = opened("one", "two", "three")
                socket.send_fds(connection, [b"files"], [file.fileno() for file in files])
                data, numbers, flags, _ = socket.recv_fds(connection, 100, 1)
                say(bool(flags & socket.MSG_CTRUNC), *map(content, numbers))
                """)
        let room = try AncillaryItem.byteCount(ofData: MemoryLayout<CInt>.size)
        try ends.socket.withMessage(ancillaryByteCount: room) { bytes, message in
            #expect(bytes.text == "files")
            let flags = message.flags
            #expect(flags == .controlTruncated)
            let texts = contents(&message.descriptors)
            #expect(texts == ["one"])
        }
        let bytes = Array("files".utf8)
        let files = try openFiles(["one", "two"])
        _ = try ends.socket.send(bytes.span.bytes, passing: files)
        #expect(try ends.python.outcome() == "True one\n")
    }

    // N27
    @Test func `files go both ways with datagrams`() throws {
        let socket = try Socket(for: .unnamed, kind: .datagram)
        try socket.bind(to: .unnamed)
        let python = try CommandProcess.pythonPeer(
            Self.files + """
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                peer.bind("")
                peer.connect(place(sys.argv[1])[1])
                files = opened("one", "two")
                socket.send_fds(peer, [b"files"], [file.fileno() for file in files])
                data, numbers, flags, _ = socket.recv_fds(peer, 100, 10)
                say(data.decode(), *map(content, numbers))
                """, "\(try socket.localAddress)")
        let sender = try socket.withMessage(ancillaryByteCount: 100) { bytes, message in
            #expect(bytes.text == "files")
            let texts = contents(&message.descriptors)
            #expect(texts == ["one", "two"])
            return message.sender
        }
        let bytes = Array("back".utf8)
        let files = try openFiles(["three", "four"])
        _ = try socket.send(bytes.span.bytes, passing: files, to: sender)
        #expect(try python.outcome() == "back three four\n")
    }

    // N27
    @Test func `a datagram channel closes what python passes to it`() throws {
        let reactor = try Reactor()
        var options = DatagramOptions()
        options.ancillaryByteCount = 100
        let channel = try DatagramChannel(on: reactor, at: .unnamed, options: options)
        defer { channel.close() }
        let heard = Box<[String]>([])
        channel.onDatagram { _, bytes, info in
            heard.value.append("\(bytes.text) \(info.items.count)")
        }
        let python = try CommandProcess.pythonPeer(
            """
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            peer.connect(place(sys.argv[1])[1])
            reading, writing = os.pipe()
            socket.send_fds(peer, [b"a pipe"], [writing])
            os.close(writing)
            # Its end comes when nobody can write any more.
            assert os.read(reading, 1) == b""
            """, "\(try channel.localAddress)")
        try python.outcome(running: reactor)
        #expect(heard.value == ["a pipe 0"])
    }

    // N27
    @Test func `files come with the lines of a channel, and go with its bytes`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            Self.files + """
                for number, file in enumerate(opened("one", "two", "three")):
                    socket.send_fds(connection, [b"line %d\\n" % number], [file.fileno()])
                told = ""
                while "end" not in told:
                    data, numbers, flags, _ = socket.recv_fds(connection, 10_000, 10)
                    told += data.decode()
                    if numbers:
                        say(*map(content, numbers))
                say(told)
                """)
        let python = ends.python
        let reactor = try Reactor()
        let channel = try Channel(adopting: ends.socket, on: reactor)
        defer { channel.abort() }
        channel.receiveDescriptors(upTo: 10)
        let heard = Box<[String]>([])
        channel.onLine { channel, line in
            guard let file = channel.takeDescriptor() else { return wrongly() }
            heard.value.append("\(line): \(content(file))")
        }
        reactor.expect("a file with each line") { heard.value.count == 3 }
        #expect(heard.value == ["line 0: one", "line 1: two", "line 2: three"])
        try channel.write(text: "before, ")
        try channel.write(Array("with, ".utf8), passing: try openFiles(["four", "five"]))
        try channel.write(Array("again, ".utf8), passing: try openFiles(["six"]))
        try channel.write(text: "end")
        let said = try python.outcome(running: reactor)
        #expect(said == "four five\nsix\nbefore, with, again, end\n")
    }

    // N27
    @Test func `a channel that wants no descriptors closes what python passes`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            """
            reading, writing = os.pipe()
            socket.send_fds(connection, [b"a pipe\\n"], [writing])
            os.close(writing)
            assert os.read(reading, 1) == b""
            """)
        let python = ends.python
        let reactor = try Reactor()
        let channel = try Channel(adopting: ends.socket, on: reactor)
        defer { channel.abort() }
        let heard = Box<[String]>([])
        channel.onLine { _, line in heard.value.append(line) }
        try python.outcome(running: reactor)
        #expect(heard.value == ["a pipe"])
    }

    // MARK: Sockets

    // N27, N30, P17
    @Test func `a connection that python has accepted goes on with us`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            """
            server = listen("127.0.0.1:0", socket.SOCK_STREAM)
            accepted, _ = server.accept()
            accepted.sendall(b"python, ")
            socket.send_fds(connection, [b"yours"], [accepted.fileno()])
            """)
        let address = try #require(SocketAddress(try ends.python.nextLine()))
        let client = try Socket.connecting(to: address)
        let own = try client.localAddress
        try ends.socket.withMessage(ancillaryByteCount: 100) { bytes, message in
            #expect(bytes.text == "yours")
            guard let descriptor = message.descriptors.popFirst() else { return wrongly() }
            let socket = try Socket(adopting: descriptor)
            let peer = try socket.peerAddress
            let family = try socket.family
            let kind = try socket.kind
            #expect(peer == own)
            #expect(family == .ipv4)
            #expect(kind == .stream)
            try socket.say("and we")
        }
        #expect(try ends.python.outcome() == "")
        #expect(try client.readToEnd().text == "python, and we")
    }

    // N27, N30, P17
    @Test func `a connection that we have accepted goes on with python`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            """
            data, numbers, flags, _ = socket.recv_fds(connection, 100, 10)
            with socket.socket(fileno=numbers[0]) as accepted:
                say(accepted.family.name, accepted.type.name, accepted.proto)
                say(show(accepted.getpeername()))
                accepted.setblocking(True)
                accepted.sendall(b"and python")
            """)
        var both = try TCPEnds()
        let own = try both.client.localAddress
        try both.server.say("we ")
        let bytes = Array("yours".utf8)
        let descriptor = try Socket.taken(from: &both.server).release()
        _ = try ends.socket.send(bytes.span.bytes, passing: descriptor)
        try ends.python.expectLines(["AF_INET SOCK_STREAM \(IPPROTO_TCP)", "\(own)"])
        try descriptor.close()
        #expect(try both.client.readToEnd().text == "we and python")
    }

    // MARK: Who is at the other end

    // N26, P28, P36
    @Test func `we are told who python is, whether it says so or not`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            """
            own = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
            wait_for_test()
            connection.send(b"plain")
            wait_for_test()
            connection.sendmsg([b"told"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, own)])
            """)
        try ends.socket.set(.receivesCredentials, to: true)
        let python = PeerCredentials(
            processID: ends.python.pid, userID: getuid(), groupID: getgid())
        for text in ["plain", "told"] {
            ends.python.goOn()
            try ends.socket.withMessage(ancillaryByteCount: 100) { bytes, message in
                let told = message.items.map(\.credentials)
                #expect(bytes.text == text)
                #expect(told == [python])
            }
        }
        try ends.python.outcome()
    }

    // N26, P28, P36
    @Test func `python is told who we are, whether we say so or not`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            """
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            say("ready")
            for number in range(2):
                data, items, flags, _ = connection.recvmsg(100, socket.CMSG_SPACE(12))
                (level, kind, told), = items
                say(data.decode(), kind == socket.SCM_CREDENTIALS, *struct.unpack("=iII", told))
            """)
        let own = PeerCredentials(processID: getpid(), userID: getuid(), groupID: getgid())
        let told = "True \(own.processID) \(own.userID) \(own.groupID)"
        try ends.python.expectLines(["ready"], isAll: false)
        try ends.socket.say("plain")
        try ends.python.expectLines(["plain \(told)"], isAll: false)
        let bytes = Array("told".utf8)
        _ = try ends.socket.send(message: bytes.span.bytes, with: [.credentials(own)])
        try ends.python.expectLines(["told \(told)"])
    }

    // P28
    @Test func `the kernel vouches for each side to the other`() throws {
        let ends = try PythonEnds(
            listeningAt: .unnamed,
            """
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            say(*struct.unpack("=iII", data))
            say(*sorted(os.getgroups()))
            """)
        let peer = try ends.socket.get(.peerCredentials)
        #expect(peer.processID == ends.python.pid)
        #expect(peer.userID == geteuid())
        #expect(peer.groupID == getegid())
        let groups = try ends.socket.get(.peerGroups).sorted().map { "\($0)" }
        try ends.python.expectLines([
            "\(getpid()) \(geteuid()) \(getegid())", groups.joined(separator: " "),
        ])
    }
}
