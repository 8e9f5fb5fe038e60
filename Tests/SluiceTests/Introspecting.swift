// SPDX-License-Identifier: Apache-2.0
//
// The list of what is open on a reactor: kinds, addresses, state and counters, found by name
// (W17, N8).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Introspecting: ConnectionSuite {
    let ends: ConnectionEnds

    /// What the list says of this suite's channel.
    private var entry: OpenSocket? {
        reactor.openSockets().first { $0.name == channel.name }
    }

    // MARK: What is listed

    // W17
    @Test func `channels and listeners are listed with kind and addresses`() throws {
        let server = try reactor.listen(at: [.loopback(port: 0), .loopback(port: 0)])
        let list = reactor.openSockets()
        #expect(list.count == 3)
        #expect(entry?.kind == .channel(.open))
        #expect(try entry?.localAddress == channel.localAddress)
        #expect(entry?.peerAddress == channel.peerAddress)
        let listeners = list.filter { $0.kind == .listener }
        #expect(Set(listeners.map(\.localAddress)) == Set(server.addresses))
        #expect(listeners.map(\.peerAddress) == [nil, nil])
        #expect(listeners.map(\.counters) == [ChannelCounters(), ChannelCounters()])
        server.close()
    }

    // W17
    @Test func `a reactor without sockets lists nothing`() throws {
        let reactor = try Reactor()
        let pipe = try PipeEnds()
        let watch = try reactor.watch(pipe.reading, for: .readable) { _ in }
        let timer = reactor.after(.seconds(10)) {}
        #expect(reactor.openSockets() == [])
        timer.cancel()
        watch.end()
    }

    // W17
    @Test func `each reactor lists its own`() throws {
        let other = try Reactor()
        let server = try other.listen()
        #expect(other.openSockets().map(\.kind) == [.listener])
        #expect(reactor.openSockets().map(\.kind) == [.channel(.open)])
        server.close()
    }

    // W17
    @Test func `accepted channels are listed with the rest, in the order of their numbers`() throws
    {
        let server = try reactor.listen()
        let peers = try (0..<3).map { _ in HeldSocket(try .connecting(to: server.address)) }
        reactor.expect("all are in") { server.connectionCount == 3 }
        let list = reactor.openSockets()
        #expect(list.count == 5)
        #expect(list.count { $0.kind == .listener } == 1)
        let numbers = list.map { Int($0.name.dropFirst(4)) ?? -1 }
        #expect(numbers == numbers.sorted())
        #expect(Set(numbers).count == 5)
        let told = list.compactMap(\.peerAddress)
        for peer in peers { #expect(told.contains(try peer.socket.localAddress)) }
        server.closeChannels()
        server.close()
    }

    // W17
    @Test func `Unix sockets are listed with their paths`() throws {
        let path = SocketAddress.unix(path: "/tmp/sluice-\(getpid())-introspecting.socket")
        let server = try reactor.listen(at: [path])
        let client = try Client(on: reactor).open(path)
        reactor.expect("it is in") { server.connectionCount == 1 && client.status == .open }
        let list = reactor.openSockets()
        #expect(list.count { $0.localAddress == path && $0.kind == .listener } == 1)
        #expect(list.first { $0.name == client.name }?.peerAddress == path)
        #expect(list.first { $0.name == client.name }?.localAddress == .unnamed)
        client.close()
        server.closeChannels()
        server.close()
    }

    // MARK: States

    // W17, W25
    @Test func `each state of a channel is on the list`() throws {
        let mute = try MuteListener()
        let connecting = try Client(on: reactor).open(mute.address)
        func kind(of channel: Channel) -> OpenSocket.Kind? {
            reactor.openSockets().first { $0.name == channel.name }?.kind
        }
        #expect(kind(of: connecting) == .channel(.connecting))
        #expect(kind(of: channel) == .channel(.open))
        try ends.peer?.shutDown(.writing)
        reactor.settle()
        #expect(kind(of: channel) == .channel(.peerClosed))
        try channel.closeWriting()
        #expect(kind(of: channel) == .channel(.halfClosed))
        let failing = try ConnectionEnds(on: reactor)
        try failing.resetByPeer()
        reactor.settle()
        #expect(kind(of: failing.channel) == .channel(.failed))
        connecting.abort()
    }

    // W17
    @Test func `an attempt to connect is listed while it is under way`() throws {
        let mute = try MuteListener()
        let attempt = try Client(on: reactor).connect(to: mute.address) { _ in wrongly() }
        let entry = reactor.openSockets().first { $0.kind == .channel(.connecting) }
        #expect(entry?.peerAddress == mute.address)
        attempt.cancel()
        #expect(reactor.openSockets().count == 1)
    }

    // W17
    @Test func `what is closed is listed no more, also while its rest goes out`() throws {
        let server = try reactor.listen()
        try ends.fill()
        channel.close()
        #expect(channel.status == .closing)
        #expect(channel.name == nil)
        #expect(reactor.openSockets().map(\.kind) == [.listener])
        server.close()
        #expect(reactor.openSockets() == [])
        _ = try ends.receiveAll()
        #expect(channel.status == .closed)
        #expect(channel.name == nil)
    }

    @Test func `a channel whose reactor has ended has no name`() throws {
        func orphan() throws -> Channel { try ConnectionEnds(on: Reactor()).channel }
        #expect(try orphan().name == nil)
    }

    // MARK: Counters

    // W17, N8
    @Test func `what went over a channel and what waits in it is listed`() throws {
        try ends.peer?.sendAll("four")
        try channel.parse { _ in 1 }
        try channel.write(text: "seven77")
        #expect(entry?.counters == channel.counters)
        #expect(entry?.counters.bytesReceived == 4)
        #expect(entry?.counters.writes == 1)
        #expect(entry?.unreadByteCount == 3)
        #expect(entry?.unsentByteCount == 7)
        reactor.settle()
        #expect(entry?.unsentByteCount == 0)
        #expect(entry?.counters.bytesSent == 7)
    }

    @Test func `a list stays as it was when it was made`() throws {
        let list = reactor.openSockets()
        try channel.write(text: "x")
        ends.peer = nil
        reactor.settle()
        channel.close()
        #expect(list.map(\.kind) == [.channel(.open)])
        #expect(list.first?.counters.writes == 0)
        #expect(list.first?.peerAddress == channel.peerAddress)
    }

    @Test func `a channel whose peer is gone still has its addresses`() throws {
        let (local, peer) = (try channel.localAddress, channel.peerAddress)
        try ends.resetByPeer()
        reactor.settle()
        #expect(entry?.localAddress == local)
        #expect(entry?.peerAddress == peer)
    }

    @Test func `an address that can't be had is left out, and the channel is listed`() {
        let list = SystemCall.failing(.localName, with: .noBufferSpace) { reactor.openSockets() }
        #expect(list.map(\.localAddress) == [nil])
        #expect(list.map(\.peerAddress) == [channel.peerAddress])
    }

    // MARK: Names

    // W17
    @Test func `a name is the same on the list and at its channel`() throws {
        let number = try #require(channel.socketNumber)
        #expect(channel.name == "sock\(number)")
        #expect(reactor.openSockets().map(\.name) == ["sock\(number)"])
    }

    // W17, N8
    @Test func `a pattern chooses by name`() throws {
        let server = try reactor.listen()
        let name = try #require(channel.name)
        let digit = try #require(name.last)
        for pattern in [
            name, "sock*", "*", "*\(digit)", "[s]*", "s?ck*", "sock[0-9]*", "\(name.dropLast())?",
            "\(name.dropLast())[\(digit)]",
        ] {
            #expect(reactor.openSockets(matching: pattern).map(\.name).contains(name), "\(pattern)")
        }
        #expect(reactor.openSockets(matching: name).map(\.name) == [name])
        server.close()
    }

    // W17
    @Test(arguments: [
        "", "sock", "file*", "SOCK*", "?", "[", "sock[", "sock[0-9", "\\", "[!s]*", " sock*",
        "sock*\u{0}", "sock*\u{0}x", "*\n", String(repeating: "?", count: 100_000),
    ])
    func `a pattern that fits no name finds nothing`(pattern: String) {
        #expect(reactor.openSockets(matching: pattern) == [])
    }

    @Test func `the list can be made inside a handler, where a channel is closed`() throws {
        let seen = Box<[[OpenSocket.Kind]]>([])
        channel.onReadable { [unowned reactor] channel in
            seen.value.append(reactor.openSockets().map(\.kind))
            channel.close()
            seen.value.append(reactor.openSockets().map(\.kind))
        }
        try ends.peer?.sendAll("x")
        reactor.settle()
        #expect(seen.value == [[.channel(.open)], []])
    }
}
