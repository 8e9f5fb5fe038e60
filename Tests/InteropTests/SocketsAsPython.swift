// SPDX-License-Identifier: Apache-2.0
//
// The same calls on the same kinds of sockets, by Python and by us, and the same answers: the
// numbers of errors, in every state that a socket can be in, and what options are at first.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct SocketsAsPython {
    /// What a script may call to tell the number of the error that a call gives, 0 for none.
    private static let start = """
        def code(call, *words):
            try:
                call(*words)
                return 0
            except OSError as error:
                return error.errno

        def made(family, kind):
            found = socket.socket(family, kind)
            found.setblocking(False)
            return found


        """

    private func lines(of script: String, _ words: [String] = []) throws -> [String] {
        let python = try CommandProcess.pythonPeer(
            Self.start + script, words.joined(separator: ","))
        return try python.outcome().split(separator: "\n").map { String($0) }
    }

    private func line(_ codes: [CInt]) -> String {
        codes.map { "\($0)" }.joined(separator: " ")
    }

    private let kinds: [(family: AddressFamily, kind: SocketKind)] = [
        (.ipv4, .stream), (.ipv4, .datagram), (.ipv6, .stream), (.ipv6, .datagram),
        (.unix, .stream), (.unix, .datagram), (.unix, .sequentialPacket),
    ]

    private var kindsInPython: String {
        "[" + kinds.map { "(\($0.rawValue), \($1.rawValue))" }.joined(separator: ", ") + "]"
    }

    // MARK: Making and adopting

    // P6, P8, P16, N20, N35
    @Test func `a socket that can't be made is refused alike`() throws {
        let numbers: [[CInt]] = [
            [2, 1, 0], [2, 1, 6], [2, 1, 17], [2, 2, 6], [2, 2, 136], [2, 5, 0], [2, 4, 0],
            [2, 99, 0], [2, 1, 255], [2, 1, 1_000], [10, 1, 6], [10, 2, 6], [1, 1, 0], [1, 1, 1],
            [1, 1, 2], [1, 3, 0], [1, 5, 0], [16, 3, 0], [16, 2, 0], [16, 2, 99], [0, 1, 0],
            [99, 1, 0],
        ]
        let theirs = try lines(
            of: """
                for numbers in \(numbers):
                    print(code(socket.socket, *numbers))
                """)
        let ours = numbers.map { number in
            code {
                _ = try Socket(
                    family: AddressFamily(rawValue: number[0]),
                    kind: SocketKind(rawValue: number[1]),
                    protocol: SocketProtocol(rawValue: number[2]))
            }
        }
        #expect(ours.map { "\($0)" } == theirs)
    }

    // P17, N30
    @Test func `a number that is no socket is refused alike`() throws {
        let pipe = try PipeEnds()
        let theirs = try lines(
            of: """
                reading, writing = os.pipe()
                os.close(writing)
                for number in reading, writing:
                    print(code(lambda: socket.socket(fileno=number)))
                try:
                    socket.socket(fileno=-1)
                except ValueError:
                    print("no number")
                """)
        let closed = try Socket(for: .unnamed).number
        let ours = [pipe.reading, closed, -1].map { number in
            code { _ = try Socket(adoptingNumber: number) }
        }
        // A negative number is an error of another class in Python.
        #expect(ours.dropLast().map { "\($0)" } + ["no number"] == theirs)
        #expect(ours.last == EBADF)
    }

    // MARK: Connecting

    /// Sockets of ours for both to connect to, or to fail to bind to.
    private struct Places: ~Copyable {
        let folder: TemporaryFolder
        private var held: [HeldSocket] = []

        init() throws {
            let folder = try TemporaryFolder()
            try folder.write([], to: "file")
            self.folder = folder
        }

        /// A socket that stays until the end of this value; where it is.
        mutating func open(
            _ address: SocketAddress, _ kind: SocketKind, isListening: Bool = false
        ) throws -> SocketAddress {
            let socket = try Socket(for: address, kind: kind)
            try socket.bind(to: address)
            if isListening { try socket.listen(backlog: 16) }
            held.append(HeldSocket(socket))
            return try held[held.count - 1].socket.localAddress
        }

        func path(_ name: String) -> SocketAddress { .unix(path: folder[name]) }
    }

    // P23, P24, N35
    @Test func `connecting three times gives the same three codes`() throws {
        var places = try Places()
        let listening = try places.open(.loopback(port: 0), .stream, isListening: true)
        let six = try places.open(.ip(.loopback6, port: 0), .stream, isListening: true)
        let deaf = try places.open(.loopback(port: 0), .stream)
        let datagrams = try places.open(.loopback(port: 0), .datagram)
        let path = try places.open(places.path("live"), .stream, isListening: true)
        let datagramPath = try places.open(places.path("datagrams"), .datagram)
        let deafPath = try places.open(places.path("deaf"), .stream)
        let nobody = SocketAddress.abstract(name: Array("nobody is here".utf8))
        let cases: [(kind: SocketKind, address: SocketAddress)] = [
            (.stream, listening), (.stream, six), (.stream, deaf), (.stream, datagrams),
            (.datagram, datagrams), (.datagram, deaf), (.stream, listening.with(port: 0)),
            (.stream, .any(port: listening.port ?? 0)), (.datagram, .broadcast(port: 9)),
            (.stream, path), (.datagram, path), (.sequentialPacket, path),
            (.stream, datagramPath), (.datagram, datagramPath), (.stream, deafPath),
            (.stream, places.path("file")), (.stream, places.path("missing")),
            (.stream, places.path("file/missing")), (.stream, nobody), (.datagram, nobody),
            (.stream, .unnamed),
        ]
        let theirs = try lines(
            of: """
                for word in sys.argv[1].split(","):
                    kind, _, text = word.partition(" ")
                    family, address = place(text)
                    connection = made(family, int(kind))
                    codes = []
                    for attempt in range(3):
                        codes.append(connection.connect_ex(address))
                        select.select([], [connection], [], 20)
                    print(*codes)
                """, cases.map { "\($0.kind.rawValue) \($0.address)" })
        let ours = try cases.map { kind, address in
            let socket = try Socket(for: address, kind: kind)
            var codes: [CInt] = []
            for _ in 0..<3 {
                codes.append(socket.connectCode(to: address).rawValue)
                _ = try socket.wait(until: .writable, within: .seconds(20))
            }
            return line(codes)
        }
        #expect(theirs.count == cases.count)
        for (place, codes) in zip(cases, zip(ours, theirs)) {
            #expect(codes.0 == codes.1, "\(place)")
        }
        let success = [CInt(EINPROGRESS), 0, EISCONN]
        #expect(ours.first == line(success))
    }

    // P21, P35, N35, W11
    @Test func `an address that can't be had is refused alike, the second time, too`() throws {
        var places = try Places()
        let listening = try places.open(.loopback(port: 0), .stream, isListening: true)
        let six = try places.open(.ip(.loopback6, port: 0), .stream)
        let datagrams = try places.open(.loopback(port: 0), .datagram)
        let path = try places.open(places.path("live"), .stream)
        let abstract = try places.open(.unnamed, .stream)
        let texts = ["192.0.2.1", "224.0.0.1", "2001:db8::1", "fe80::1", "ff02::1"]
        let foreign = texts.compactMap { IPAddress($0) }.map { SocketAddress.ip($0, port: 0) }
        let cases: [(kind: SocketKind, address: SocketAddress)] =
            [
                (.stream, listening), (.stream, six), (.stream, datagrams), (.datagram, datagrams),
                (.stream, .any(port: listening.port ?? 0)), (.stream, path), (.datagram, path),
                (.stream, abstract), (.stream, places.path("file")),
                (.stream, places.path("none/socket")), (.stream, places.path("file/socket")),
                (.stream, .unnamed), (.stream, .loopback(port: 0)),
            ] + foreign.map { (.stream, $0) } + foreign.map { (.datagram, $0) }
        let theirs = try lines(
            of: """
                for word in sys.argv[1].split(","):
                    kind, _, text = word.partition(" ")
                    family, address = place(text)
                    found = made(family, int(kind))
                    print(code(found.bind, address), code(found.bind, address))
                """, cases.map { "\($0.kind.rawValue) \($0.address)" })
        let ours = try cases.map { kind, address in
            let socket = try Socket(for: address, kind: kind)
            let codes = [
                code { try socket.bind(to: address) }, code { try socket.bind(to: address) },
            ]
            return line(codes)
        }
        #expect(theirs.count == cases.count)
        for (place, codes) in zip(cases, zip(ours, theirs)) {
            #expect(codes.0 == codes.1, "\(place)")
        }
        #expect(ours.first == line([EADDRINUSE, EADDRINUSE]))
    }

    // MARK: In the wrong state

    // P20, P26, P29, P31, P33, P37, N35, N39
    @Test func `a socket that was just made refuses the same calls`() throws {
        let theirs = try lines(
            of: """
                for family, kind in \(kindsInPython):
                    fresh = made(family, kind)
                    print(code(fresh.recv, 10), code(fresh.send, b"x"), code(fresh.send, b""),
                          code(fresh.getpeername), code(fresh.getsockname), code(fresh.accept),
                          code(fresh.shutdown, socket.SHUT_RD),
                          code(fresh.shutdown, socket.SHUT_WR),
                          code(fresh.shutdown, socket.SHUT_RDWR),
                          code(fresh.recv, 10), code(fresh.send, b"x"), code(fresh.listen, 1),
                          code(fresh.accept))
                """)
        let ours = try kinds.map { family, kind in
            let fresh = try Socket(family: family, kind: kind)
            let codes = [
                fresh.codeOfReading(), fresh.codeOfSending("x"), fresh.codeOfSending(""),
                code { _ = try fresh.peerAddress }, code { _ = try fresh.localAddress },
                fresh.codeOfAccepting(), code { try fresh.shutDown(.reading) },
                code { try fresh.shutDown(.writing) }, code { try fresh.shutDown(.both) },
                fresh.codeOfReading(), fresh.codeOfSending("x"),
                code { try fresh.listen(backlog: 1) }, fresh.codeOfAccepting(),
            ]
            return line(codes)
        }
        #expect(ours == theirs)
    }

    private let directions: [Socket.Direction] = [.reading, .writing, .both]

    // P31, P33, P37, N39
    @Test func `each half that is shut down refuses the same calls, on both ends of a pair`() throws
    {
        let theirs = try lines(
            of: """
                for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
                    for how in socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR:
                        a, b = socket.socketpair(socket.AF_UNIX, kind)
                        a.setblocking(False)
                        b.setblocking(False)
                        print(code(a.shutdown, how), code(a.shutdown, how), code(a.recv, 10),
                              code(a.send, b"x"), code(b.recv, 10), code(b.recv, 10),
                              code(b.send, b"x"), code(a.recv, 10), code(a.getpeername),
                              code(b.send, b"x"), code(b.shutdown, socket.SHUT_RDWR))
                """)
        var ours: [String] = []
        for kind in [SocketKind.stream, .datagram, .sequentialPacket] {
            for direction in directions {
                let ends = try Socket.makePair(kind)
                let codes = [
                    code { try ends.first.shutDown(direction) },
                    code { try ends.first.shutDown(direction) }, ends.first.codeOfReading(),
                    ends.first.codeOfSending("x"), ends.second.codeOfReading(),
                    ends.second.codeOfReading(), ends.second.codeOfSending("x"),
                    ends.first.codeOfReading(), code { _ = try ends.first.peerAddress },
                    ends.second.codeOfSending("x"), code { try ends.second.shutDown(.both) },
                ]
                ours.append(line(codes))
            }
        }
        #expect(ours == theirs)
    }

    // P31, P33, P37, N39
    @Test func `each half of a TCP connection that is shut down refuses the same calls`() throws {
        let theirs = try lines(
            of: """
                server = socket.create_server(("127.0.0.1", 0))
                for how in socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR:
                    a = socket.create_connection(server.getsockname())
                    b, _ = server.accept()
                    a.setblocking(False)
                    b.setblocking(False)
                    codes = [code(a.shutdown, how), code(a.shutdown, how), code(a.recv, 10),
                             code(a.send, b"x")]
                    select.select([b], [], [], 20)
                    print(*codes, code(b.recv, 10), code(b.getpeername))
                """)
        let ours = try directions.map { direction in
            let ends = try TCPEnds()
            var codes = [
                code { try ends.client.shutDown(direction) },
                code { try ends.client.shutDown(direction) }, ends.client.codeOfReading(),
                ends.client.codeOfSending("x"),
            ]
            _ = try ends.server.wait(until: .readable, within: .seconds(20))
            codes += [ends.server.codeOfReading(), code { _ = try ends.server.peerAddress }]
            return line(codes)
        }
        #expect(ours == theirs)
    }

    // P4, P34, N35
    @Test func `a datagram that can't be sent is refused alike`() throws {
        let theirs = try lines(
            of: """
                peer = made(socket.AF_INET, socket.SOCK_DGRAM)
                here = "127.0.0.1", 9
                print(code(peer.sendto, bytes(65_507), here),
                      code(peer.sendto, bytes(65_508), here),
                      code(peer.sendto, b"", ("<broadcast>", 9)),
                      code(peer.sendto, b"", ("127.255.255.255", 9)),
                      code(peer.sendto, b"", ("127.0.0.1", 0)))
                one, other = socket.socketpair()
                print(code(one.sendto, b"x", "/nowhere"))
                """)
        let socket = try Socket(for: .loopback(port: 0), kind: .datagram)
        let broadcast = try #require(SocketAddress(host: "<broadcast>", port: 9))
        let codes = [
            socket.codeOfSending(65_507, to: .loopback(port: 9)),
            socket.codeOfSending(65_508, to: .loopback(port: 9)),
            socket.codeOfSending(0, to: broadcast),
            socket.codeOfSending(0, to: .ip(.v4(0x7FFF_FFFF), port: 9)),
            socket.codeOfSending(0, to: .loopback(port: 0)),
        ]
        let ends = try Socket.makePair()
        let connected = ends.first.codeOfSending(1, to: .unix(path: "/nowhere"))
        #expect([line(codes), line([connected])] == theirs)
    }
}

/// The number of the error that a call gives, 0 for none.
private func code(_ call: () throws -> Void) -> CInt {
    do {
        try call()
        return 0
    } catch let error as SocketError {
        return error.code.rawValue
    } catch {
        return -1
    }
}

extension Socket {
    fileprivate func codeOfReading() -> CInt {
        code { if try receive(upTo: 10) == nil { throw SocketError(.read, .wouldBlock) } }
    }

    fileprivate func codeOfSending(_ text: String) -> CInt {
        let bytes = Array(text.utf8)
        return code {
            if try send(bytes.span.bytes) == .wouldBlock { throw SocketError(.write, .wouldBlock) }
        }
    }

    fileprivate func codeOfSending(_ count: Int, to address: SocketAddress) -> CInt {
        let bytes = [UInt8](repeating: 0, count: count)
        return code { _ = try send(bytes.span.bytes, to: address) }
    }

    fileprivate func codeOfAccepting() -> CInt {
        code {
            let accepted = try accept()
            if accepted == nil { throw SocketError(.accept, .wouldBlock) }
        }
    }
}
