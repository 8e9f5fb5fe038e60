// SPDX-License-Identifier: Apache-2.0
//
// Sockets of every family, kind and protocol: what they are when they are new, who else may have
// them, and what each says of itself.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct OpeningSockets {
    // MARK: Families, kinds, protocols

    // P7, P8, P9, P16, P19, N20, N30, N31
    @Test(arguments: SocketRequest.usual + SocketRequest.rare)
    func `a socket is of the family, kind and protocol that was asked for`(
        request: SocketRequest
    ) throws {
        let socket = try request.open()
        let family = try socket.family
        let kind = try socket.kind
        let number = try socket.protocolNumber
        #expect(family == request.family)
        #expect(kind == request.kind)
        #expect(number == request.told)
    }

    // P35, N11, N31
    @Test(arguments: SocketRequest.usual + SocketRequest.rare)
    func `a socket neither blocks nor goes to other programs`(request: SocketRequest) throws {
        let socket = try request.open()
        let isBlocking = try socket.isBlocking
        let isInheritable = try socket.isInheritable
        #expect(!isBlocking)
        #expect(!isInheritable)
    }

    // P5, P6, P14, N35
    @Test(arguments: [
        (SocketRequest(.ipv4, .stream, .udp, is: .usual), ErrorCode.protocolNotSupported),
        (SocketRequest(.ipv4, .datagram, .tcp, is: .usual), .protocolNotSupported),
        (SocketRequest(.ipv4, .raw, is: .usual), .protocolNotSupported),
        (SocketRequest(.unix, .stream, .tcp, is: .usual), .protocolNotSupported),
        (SocketRequest(.ipv4, .reliableDatagram, is: .usual), .init(rawValue: ESOCKTNOSUPPORT)),
        (SocketRequest(.unix, .reliableDatagram, is: .usual), .init(rawValue: ESOCKTNOSUPPORT)),
        (SocketRequest(.unspecified, .stream, is: .usual), .addressFamilyNotSupported),
        (SocketRequest(.init(rawValue: 99), .stream, is: .usual), .addressFamilyNotSupported),
        (SocketRequest(.init(rawValue: -1), .stream, is: .usual), .addressFamilyNotSupported),
        (SocketRequest(.ipv4, .init(rawValue: 77), is: .usual), .invalidArgument),
        (SocketRequest(.ipv4, .stream, .init(rawValue: 99_999), is: .usual), .invalidArgument),
        (SocketRequest(.ipv4, .stream, .init(rawValue: -1), is: .usual), .invalidArgument),
    ])
    func `what the kernel does not have is refused`(request: SocketRequest, code: ErrorCode) {
        #expect(throws: SocketError(.create, code)) { _ = try request.open() }
    }

    // P8, P14, N35
    @Test func `a raw socket is for the privileged`() throws {
        let request = SocketRequest(.ipv4, .raw, .icmp, is: .icmp)
        if request.isPossible {
            let kind = try request.open().kind
            #expect(kind == .raw)
        } else {
            #expect(throws: SocketError(.create, .notPermitted)) { _ = try request.open() }
        }
    }

    // P7, N20
    @Test func `a family tells whether this machine has it`() {
        #expect(AddressFamily.ipv4.isSupported)
        #expect(AddressFamily.unix.isSupported)
        #expect(!AddressFamily(rawValue: 99).isSupported)
        #expect(!AddressFamily.unspecified.isSupported)
    }

    // N31
    @Test func `the flags that may stand in a kind are no part of it`() throws {
        let flags = CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let flagged = SocketKind(rawValue: SocketKind.stream.rawValue | flags)
        #expect(flagged == .stream)
        let kind = try Socket(family: .ipv4, kind: flagged).kind
        #expect(kind == .stream)
    }

    @Test func `a kind that the kernel takes for another is told as that`() throws {
        let kind = try Socket(family: .unix, kind: .raw).kind
        #expect(kind == .datagram)
    }

    // P9
    @Test(arguments: [
        ("\(AddressFamily.ipv6)", "ipv6"), ("\(AddressFamily(rawValue: 99))", "family 99"),
        ("\(SocketKind.sequentialPacket)", "sequentialPacket"),
        ("\(SocketKind(rawValue: 10))", "kind 10"), ("\(SocketProtocol.udpLite)", "udpLite"),
        ("\(SocketProtocol(rawValue: 99))", "protocol 99"),
    ])
    func `families, kinds and protocols print as names or numbers`(text: String, name: String) {
        #expect(text == name)
    }

    // MARK: Other programs

    // N31
    @Test func `a socket can be opened for other programs, too`() throws {
        let socket = try SocketRequest.usual[0].open(isInheritable: true)
        let isInheritable = try socket.isInheritable
        let isBlocking = try socket.isBlocking
        #expect(isInheritable)
        #expect(!isBlocking)
    }

    // N31
    @Test func `who may have a socket can be changed`() throws {
        let socket = try SocketRequest.usual[0].open()
        try socket.setInheritable(true)
        let after = try socket.isInheritable
        #expect(after)
        #expect(fcntl(socket.number, F_GETFD, 0) & FD_CLOEXEC == 0)
        try socket.setInheritable(false)
        let afterwards = try socket.isInheritable
        #expect(!afterwards)
    }

    // N31
    @Test func `a duplicate is not for other programs, whatever the original is`() throws {
        let socket = try SocketRequest.usual[0].open(isInheritable: true)
        let copy = try socket.duplicate()
        let isInheritable = try copy.isInheritable
        let isOriginal = try socket.isInheritable
        #expect(!isInheritable)
        #expect(isOriginal)
    }

    // N31
    @Test func `a program that is started has the sockets that are meant for it`() throws {
        // What this process was started with is kept from programs when the first one starts.
        try CommandProcess(shell: "exit 0").ended()
        let kept = try SocketRequest.usual[0].open()
        let given = try SocketRequest.usual[0].open(isInheritable: true)
        let changed = try SocketRequest.usual[0].open()
        try changed.setInheritable(true)
        let withdrawn = try SocketRequest.usual[0].open(isInheritable: true)
        try withdrawn.setInheritable(false)
        let numbers = [kept.number, given.number, changed.number, withdrawn.number]
        let endings = try numbers.map {
            try CommandProcess(shell: "test -S /proc/self/fd/\($0)").ended()
        }
        #expect(endings == [.exited(1), .exited(0), .exited(0), .exited(1)])
    }

    // MARK: Waiting or not

    // P35, N23
    @Test func `whether calls wait can be changed`() throws {
        let socket = try SocketRequest.usual[0].open()
        try socket.setBlocking(true)
        let isBlocking = try socket.isBlocking
        #expect(isBlocking)
        #expect(fcntl(socket.number, F_GETFL, 0) & O_NONBLOCK == 0)
        try socket.setBlocking(false)
        let isStillBlocking = try socket.isBlocking
        #expect(!isStillBlocking)
    }

    // P35
    @Test func `a duplicate waits as the original does`() throws {
        let socket = try SocketRequest.usual[0].open()
        let copy = try socket.duplicate()
        try socket.setBlocking(true)
        let isBlocking = try copy.isBlocking
        #expect(isBlocking)
    }

    @Test func `what is so already is not set again`() throws {
        let socket = try SocketRequest.usual[0].open()
        let failure = Answers(.failure(.noMemory), to: [.stopBlocking, .setDescriptorFlags])
        try failure.give {
            try socket.setBlocking(false)
            try socket.setInheritable(false)
        }
        #expect(failure.count == 0)
    }

    // P35
    @Test func `a blocking socket waits for bytes`() throws {
        let pair = try Socket.makePair()
        try pair.first.setBlocking(true)
        let other = try pair.second.duplicate()
        let thread = OtherThread {
            do { try other.sendAll("late") } catch { Issue.record(error) }
        }
        let bytes = try pair.first.receive(upTo: 9)
        #expect(bytes?.text == "late")
        thread.join()
    }

    // MARK: Pairs

    // N29
    @Test(arguments: [SocketKind.stream, .datagram, .sequentialPacket])
    func `the ends of a pair are of the kind that was asked for, and belong together`(
        kind: SocketKind
    ) throws {
        let pair = try Socket.makePair(kind)
        let kinds = [try pair.first.kind, try pair.second.kind]
        let families = [try pair.first.family, try pair.second.family]
        #expect(kinds == [kind, kind])
        #expect(families == [.unix, .unix])
        try pair.first.sendAll("there")
        try pair.second.sendAll("back")
        let received = [try pair.second.receiveNow(), try pair.first.receiveNow()]
        #expect(received == [Array("there".utf8), Array("back".utf8)])
        let peer = try pair.first.get(.peerCredentials)
        #expect(peer.processID == getpid())
    }

    // N29
    @Test(arguments: [SocketKind.stream, .datagram, .sequentialPacket])
    func `the ends of a pair neither block nor go to other programs`(kind: SocketKind) throws {
        let pair = try Socket.makePair(kind)
        let modes = [
            try pair.first.isBlocking, try pair.second.isBlocking, try pair.first.isInheritable,
            try pair.second.isInheritable,
        ]
        #expect(modes == [false, false, false, false])
    }

    // P8
    @Test(arguments: [SocketKind.datagram, .sequentialPacket])
    func `a pair of messages keeps them apart`(kind: SocketKind) throws {
        let pair = try Socket.makePair(kind)
        try pair.first.sendAll("one")
        try pair.first.sendAll("two")
        let received = [try pair.second.receiveNow(), try pair.second.receiveNow()]
        #expect(received == [Array("one".utf8), Array("two".utf8)])
    }

    @Test func `a pair of another kind is refused`() {
        let code = ErrorCode(rawValue: ESOCKTNOSUPPORT)
        #expect(throws: SocketError(.create, code)) { _ = try Socket.makePair(.reliableDatagram) }
    }

    // MARK: What a socket says of itself

    @Test func `an open socket says its number, family, kind and address`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        let number = socket.number
        let bare = socket.description
        #expect(bare == "socket \(number), ipv4 datagram, 0.0.0.0:0")
        try socket.bind(to: .loopback(port: 0))
        let address = try socket.localAddress
        let bound = socket.description
        #expect(bound == "socket \(number), ipv4 datagram, \(address)")
    }

    @Test func `a connected socket says its peer, too`() throws {
        let ends = try TCPEnds()
        let text = ends.client.description
        let names = (try ends.client.localAddress, try ends.client.peerAddress)
        #expect(text == "socket \(ends.client.number), ipv4 stream, \(names.0) to \(names.1)")
        let pair = try Socket.makePair()
        let ofPair = pair.first.description
        #expect(ofPair == "socket \(pair.first.number), unix stream, unnamed to unnamed")
    }

    @Test func `a socket that has failed leaves its peer out`() throws {
        let ends = try TCPEnds()
        try ends.client.resetOnClose()
        let server = try ends.closingClient()
        let text = server.description
        #expect(text.hasPrefix("socket \(server.number), ipv4 stream, 127.0.0.1:"))
        #expect(!text.contains(" to "))
    }

    @Test func `a socket of which nothing is known says its number`() throws {
        let socket = try SocketRequest.usual[0].open()
        let failure = Answers(.failure(.noBufferSpace), to: [.getOption, .localName, .peerName])
        let text = failure.give { socket.description }
        #expect(text == "socket \(socket.number)")
    }

    // MARK: Closing

    // P22
    @Test func `what was sent before a close is what the peer gets`() throws {
        let ends = try TCPEnds()
        try ends.client.sendAll("queued")
        let server = try ends.closingClient()
        let bytes = try server.receive(upTo: 100)
        let rest = try server.receive(upTo: 100)
        #expect(bytes?.text == "queued")
        #expect(rest == [])
    }

    // P25
    @Test func `a socket's number can be waited for by anybody`() throws {
        let pair = try Socket.makePair()
        var question = pollfd(fd: pair.first.number, events: Int16(POLLIN), revents: 0)
        #expect(poll(&question, 1, 0) == 0)
        try pair.second.sendAll("x")
        #expect(poll(&question, 1, 0) == 1)
    }
}
