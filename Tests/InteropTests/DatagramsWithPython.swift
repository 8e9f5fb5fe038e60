// SPDX-License-Identifier: Apache-2.0
//
// Datagrams between our channels and Python, over UDP and Unix sockets: each arrives by itself, in
// order, whole or marked as cut; many that are sent as one; and peers that are gone.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors, .serialized)
struct DatagramsWithPython {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Where one side is.
    enum Place: CaseIterable, Sendable {
        case ipv4, ipv6, path, abstract
    }

    private func address(_ place: Place) -> SocketAddress {
        switch place {
        case .ipv4: .loopback(port: 0)
        case .ipv6: .ip(.loopback6, port: 0)
        case .path: .unix(path: folder["ours"])
        case .abstract: .abstract(name: Array("sluice datagrams \(getpid())".utf8))
        }
    }

    // MARK: Echoes

    /// Python sends datagrams of all lengths up to 1,400 bytes and one of 65,507, which is all that
    /// IPv4 takes, and expects them back in order; 10 at a time, for which even a Unix socket has
    /// room: `max_dgram_qlen`, unix(7).
    private static let asking = """
        family, address = place(sys.argv[1])
        peer = socket.socket(family, socket.SOCK_DGRAM)
        peer.settimeout(20)
        if family == socket.AF_UNIX:
            peer.bind("")
        peer.connect(address)
        whole = numbered(70_000)
        lengths = [*range(1401), 65507]
        for start in range(0, len(lengths), 10):
            sent = [whole[number:number + lengths[number]]
                    for number in range(start, min(start + 10, len(lengths)))]
            for message in sent:
                assert peer.send(message) == len(message)
            for message in sent:
                assert peer.recv(100_000) == message, len(message)
        say(len(lengths))
        """

    // P8, P32, P34, N20, W1
    @Test(arguments: Place.allCases)
    func `1,402 datagrams come back to python, each by itself and in order`(place: Place) throws {
        let reactor = try Reactor()
        let channel = try DatagramChannel(on: reactor, at: address(place))
        defer { channel.close() }
        channel.onDatagram { channel, bytes, info in try channel.send(bytes, to: info.sender) }
        let python = try CommandProcess.pythonPeer(Self.asking, "\(try channel.localAddress)")
        #expect(try python.outcome(running: reactor) == "1402\n")
        #expect(channel.counters.datagramsReceived == 1_402)
        #expect(channel.counters.datagramsSent == 1_402)
        #expect(channel.counters.bytesSent == channel.counters.bytesReceived)
        #expect(channel.counters.errors == 0)
    }

    // P8, P32, P34, W1
    @Test(arguments: Place.allCases)
    func `1,402 datagrams come back to python from a task`(place: Place) async throws {
        let group = try ReactorGroup(count: 1)
        let channel = try await AsyncDatagramChannel.open(
            at: address(place), on: group.executors[0])
        let echo = Task {
            for try await datagram in channel.datagrams {
                _ = try await channel.send(datagram.bytes, to: datagram.sender)
            }
        }
        let python = try CommandProcess.pythonPeer(
            Self.asking, "\(try await channel.localAddress)")
        #expect(try python.outcome() == "1402\n")
        let counters = await channel.counters
        #expect(counters.datagramsSent == 1_402)
        await channel.close()
        try await echo.value
        await group.stop()
    }

    // MARK: socketserver

    /// A server of the module socketserver that answers in capitals, until it is told to stop.
    private static let serving = """
        import socketserver

        class Capitals(socketserver.BaseRequestHandler):
            def handle(self):
                data, answering = self.request
                answering.sendto(data.upper(), self.client_address)
                if data == b"stop":
                    threading.Thread(target=self.server.shutdown).start()

        kind = getattr(socketserver, sys.argv[1])
        with kind(place(sys.argv[2])[1], Capitals) as server:
            say(show(server.server_address))
            server.serve_forever()
        """

    // N40, P41, W1
    @Test(arguments: [
        ("UDPServer", Place.ipv4), ("ThreadingUDPServer", .ipv4), ("UnixDatagramServer", .path),
        ("ThreadingUnixDatagramServer", .abstract),
    ])
    func `a server of python's socketserver answers each of our datagrams`(
        kind: String, place: Place
    ) throws {
        let python = try CommandProcess.pythonPeer(Self.serving, kind, "\(address(place))")
        let server = SocketAddress(try python.nextLine()) ?? address(place)
        let reactor = try Reactor()
        let channel = try DatagramChannel(
            on: reactor, connectedTo: server, from: server.family == .unix ? .unnamed : nil)
        defer { channel.close() }
        let heard = Box<Set<String>>([])
        channel.onDatagram { _, bytes, _ in heard.value.insert(bytes.text) }
        for number in 0..<100 { try channel.send(Array("question \(number)".utf8)) }
        reactor.expect("an answer to each question") { heard.value.count == 100 }
        #expect(heard.value == Set((0..<100).map { "QUESTION \($0)" }))
        try channel.send(Array("stop".utf8))
        try python.outcome(running: reactor)
        #expect(heard.value.contains("STOP"))
    }

    // N40
    @Test(arguments: ["UDPServer", "ThreadingUDPServer"])
    func `a task asks a server of python's socketserver`(kind: String) async throws {
        let python = try CommandProcess.pythonPeer(Self.serving, kind, "127.0.0.1:0")
        let server = try #require(SocketAddress(try python.nextLine()))
        let group = try ReactorGroup(count: 1)
        let channel = try await AsyncDatagramChannel.open(
            connectedTo: server, on: group.executors[0])
        for question in ["one", "two", "stop"] {
            _ = try await channel.send(Array(question.utf8))
            let answer = try await channel.within(.seconds(20)) { try await channel.receive() }
            #expect(answer.bytes.text == question.uppercased())
            #expect(answer.sender == server)
        }
        try python.outcome()
        await channel.close()
        await group.stop()
    }

    // MARK: Cut, joined, segmented

    // P32, N26
    @Test func `a datagram that finds too little room is cut, and either side says so`() throws {
        let reactor = try Reactor()
        let channel = try DatagramChannel(on: reactor, at: address(.abstract))
        defer { channel.close() }
        let cut = Box<[Bool]>([])
        channel.onDatagram { channel, bytes, info in
            cut.value.append(info.isTruncated)
            try channel.send(bytes, to: info.sender)
        }
        let python = try CommandProcess.pythonPeer(
            """
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            peer.bind("")
            peer.connect(place(sys.argv[1])[1])
            for length in 65536, 65537:
                peer.send(numbered(length))
                data, items, flags, _ = peer.recvmsg(65535)
                say(data == numbered(65535), bool(flags & socket.MSG_TRUNC))
            """, "\(try channel.localAddress)")
        #expect(try python.outcome(running: reactor) == "True True\nTrue True\n")
        #expect(cut.value == [false, true])
    }

    // N26
    @Test func `what is sent in segments comes to python as single datagrams`() throws {
        let python = try CommandProcess.pythonPeer(
            """
            peer = bound("127.0.0.1:0", socket.SOCK_DGRAM)
            say(show(peer.getsockname()))
            parts = [peer.recv(100_000) for number in range(11)]
            say(*[len(part) for part in parts])
            assert b"".join(parts) == numbered(10_500)
            """)
        let peer = try #require(SocketAddress(try python.nextLine()))
        let reactor = try Reactor()
        let channel = try DatagramChannel(on: reactor, connectedTo: peer)
        defer { channel.close() }
        try channel.send(pattern(10_500).span.bytes, segmentedEvery: 1_000)
        channel.flush()
        let lengths = repeatElement("1000 ", count: 10).joined() + "500\n"
        #expect(try python.outcome(running: reactor) == lengths)
        #expect(channel.counters.datagramsSent == 11)
    }

    // N26
    @Test func `what python sends in segments is told as single datagrams, joined or not`() throws {
        for joins in [false, true] {
            let reactor = try Reactor()
            var options = DatagramOptions()
            options.joinsInput = joins
            let channel = try DatagramChannel(
                on: reactor, at: .loopback(port: 0), options: options)
            defer { channel.close() }
            let heard = Box<[[UInt8]]>([])
            channel.onDatagram { _, bytes, _ in heard.value.append(bytes.array) }
            // UDP_SEGMENT, which this module does not name.
            let python = try CommandProcess.pythonPeer(
                """
                peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                peer.setsockopt(socket.IPPROTO_UDP, 103, 1000)
                peer.sendto(numbered(10_500), place(sys.argv[1])[1])
                """, "\(try channel.localAddress)")
            reactor.expect("all segments") { heard.value.count == 11 }
            #expect(heard.value.map(\.count) == Array(repeating: 1_000, count: 10) + [500])
            expectSame(Array(heard.value.joined()), pattern(10_500))
            try python.outcome()
        }
    }

    // MARK: Peers that are gone

    // P23, P34, N35
    @Test func `we are told that python's socket is gone, by whom and of which address`() throws {
        let python = try CommandProcess.pythonPeer(
            """
            peer = bound("127.0.0.1:0", socket.SOCK_DGRAM)
            say(show(peer.getsockname()))
            peer.sendto(*peer.recvfrom(100))
            peer.close()
            say("closed")
            """)
        let peer = try #require(SocketAddress(try python.nextLine()))
        let reactor = try Reactor()
        let channel = try DatagramChannel(on: reactor, connectedTo: peer)
        defer { channel.close() }
        let heard = Box("")
        let errors = Box<[DatagramError]>([])
        channel.onDatagram { _, bytes, _ in heard.value += bytes.text }
        channel.onError { _, error in errors.value.append(error) }
        try channel.send(Array("hello".utf8))
        reactor.expect("the echo") { heard.value == "hello" }
        #expect(try python.nextLine() == "closed")
        try channel.send(Array("anybody?".utf8))
        reactor.expect("the refusal") { !errors.value.isEmpty }
        let error = try #require(errors.value.first)
        #expect(error.error == SocketError(.write, .connectionRefused, at: peer))
        #expect(error.origin == .icmp)
        #expect(error.offender?.ipAddress == .loopback)
        // Destination unreachable: no such port. RFC 792.
        #expect(error.icmpType == 3)
        #expect(error.icmpCode == 3)
        #expect(channel.isOpen)
        try python.outcome()
    }

    // P23, P34, N35
    @Test func `python is told that our socket is gone`() throws {
        let socket = try Socket(for: .loopback(port: 0), kind: .datagram)
        try socket.bind(to: .loopback(port: 0))
        let python = try CommandProcess.pythonPeer(
            """
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.settimeout(20)
            peer.connect(place(sys.argv[1])[1])
            peer.send(b"hello")
            assert peer.recv(100) == b"hello"
            say("heard")
            wait_for_test()
            peer.send(b"anybody?")
            try:
                peer.recv(100)
            except ConnectionRefusedError:
                say("refused")
            """, "\(try socket.localAddress)")
        try socket.withMessage { bytes, message in
            let sender = message.sender
            let sent = try socket.send(bytes.span.bytes, to: try #require(sender))
            #expect(sent == .bytes(5))
        }
        #expect(try python.nextLine() == "heard")
        try socket.close()
        python.goOn()
        #expect(try python.outcome() == "refused\n")
    }
}
