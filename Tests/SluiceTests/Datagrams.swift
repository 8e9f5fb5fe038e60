// SPDX-License-Identifier: Apache-2.0
//
// Datagrams that come and go: families, addresses, sizes, peers, and what a channel counts.
// Its handlers' liberties, its output and its errors have files of their own.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Datagrams {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    // MARK: Families

    // P8, P32, P34, W1
    @Test func `a datagram comes whole, with its sender, and can be answered`() throws {
        let heard = try DatagramRecord(on: reactor)
        let peer = try Socket.datagrams()
        try peer.send("question", to: try heard.address)
        reactor.expect("it comes") { heard.count == 1 }
        let (own, other) = (try heard.address, try peer.localAddress)
        #expect(heard.texts == ["question"])
        #expect(heard.senders == [other])
        #expect(heard.infos.first?.isTruncated == false)
        #expect(heard.infos.first?.items == [])
        #expect(try heard.channel.send(text: "answer", to: other) == .accepted)
        reactor.settle()
        let answer = try peer.receiveDatagram()
        #expect(answer?.bytes.text == "answer")
        #expect(answer?.sender == own)
    }

    // P8, P32, P34
    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `IPv6 is like IPv4`() throws {
        let first = try DatagramRecord(on: reactor, at: .loopback6(port: 0))
        let second = try DatagramRecord(on: reactor, at: .loopback6(port: 0))
        try first.channel.send(text: "a", to: try second.address)
        reactor.expect("it comes") { second.count == 1 }
        #expect(try second.senders == [first.address])
        #expect(second.texts == ["a"])
    }

    // P32, P34
    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `one socket has both families, and tells IPv4 as such`() throws {
        var options = DatagramOptions()
        options.acceptsBothFamilies = true
        let heard = try DatagramRecord(on: reactor, at: .ip(.any6, port: 0), options: options)
        let port = try heard.address.port ?? 0
        let peer4 = try Socket.datagrams()
        let peer6 = try Socket.datagrams(at: .loopback6(port: 0))
        try peer4.send("four", to: .loopback(port: port))
        try peer6.send("six", to: .loopback6(port: port))
        reactor.expect("both come") { heard.count == 2 }
        let (address4, address6) = (try peer4.localAddress, try peer6.localAddress)
        #expect(heard.senders == [address4, address6])
        #expect(heard.texts == ["four", "six"])
        for sender in heard.senders { try heard.channel.send(text: "answer", to: sender) }
        reactor.settle()
        let (answer4, answer6) = (try peer4.receiveDatagram(), try peer6.receiveDatagram())
        #expect(answer4?.bytes.text == "answer")
        #expect(answer4?.sender == .loopback(port: port))
        #expect(answer6?.bytes.text == "answer")
        #expect(answer6?.sender == .loopback6(port: port))
    }

    @Test(.enabled(if: SocketAddress.hasLoopback6, "this machine has no ::1"))
    func `a socket on :: leaves IPv4 to others unless it is told not to`() throws {
        let heard6 = try DatagramRecord(on: reactor, at: .ip(.any6, port: 0))
        let port = try heard6.address.port ?? 0
        let heard4 = try DatagramRecord(on: reactor, at: .any(port: port))
        let peer = try Socket.datagrams()
        try peer.send("four", to: .loopback(port: port))
        reactor.expect("it comes") { heard4.count == 1 }
        #expect(heard6.count == 0)
    }

    // P8, P32, P34
    @Test func `Unix datagrams go by path, and the file goes with the socket`() throws {
        let folder = try TemporaryFolder()
        let heard = try DatagramRecord(on: reactor, at: .unix(path: folder["server"]))
        let client = try DatagramRecord(on: reactor, at: .unix(path: folder["client"]))
        try client.channel.send(text: "question", to: .unix(path: folder["server"]))
        reactor.expect("it comes") { heard.count == 1 }
        #expect(heard.senders == [.unix(path: folder["client"])])
        try heard.channel.send(text: "answer", to: heard.senders[0])
        reactor.expect("so does the answer") { client.texts == ["answer"] }
        #expect(folder.names.sorted() == ["client", "server"])
        heard.channel.close()
        #expect(folder.names == ["client"])
    }

    @Test func `Unix datagrams go by abstract name, and by none`() throws {
        let heard = try DatagramRecord(on: reactor, at: .unnamed)
        let name = try heard.address
        guard case .abstract(let bytes) = name else { throw Mishap() }
        #expect(bytes.count == 5)
        let nameless = try Socket(for: .unnamed, kind: .datagram)
        let named = try Socket.datagrams(at: .abstract(name: bytes + [0, 1]))
        try nameless.send("a", to: name)
        try named.send("b", to: name)
        reactor.expect("both come") { heard.count == 2 }
        #expect(heard.texts == ["a", "b"])
        #expect(heard.senders == [.unnamed, .abstract(name: bytes + [0, 1])])
    }

    @Test func `a Unix path that is in use is refused, and a dead one replaced where asked`() throws
    {
        let folder = try TemporaryFolder()
        let address = SocketAddress.unix(path: folder["socket"])
        _ = try Socket.datagrams(at: address)
        var options = DatagramOptions()
        let inUse = SocketError(.bind, .addressInUse, at: address)
        #expect(throws: inUse) { try DatagramChannel(on: reactor, at: address, options: options) }
        options.unixPath.existing = .replaceDead
        let heard = try DatagramRecord(on: reactor, at: address, options: options)
        #expect(throws: inUse) { try DatagramChannel(on: reactor, at: address, options: options) }
        let peer = try Socket(for: address, kind: .datagram)
        try peer.send("a", to: address)
        reactor.expect("the live one hears") { heard.texts == ["a"] }
    }

    // MARK: Peers

    @Test func `a connected channel sends to its peer and hears it alone`() throws {
        let peer = try Socket.datagrams()
        let stranger = try Socket.datagrams()
        let address = try peer.localAddress
        let heard = try DatagramRecord(on: reactor, connectedTo: address)
        let own = try heard.address
        #expect(heard.channel.peerAddress == address)
        #expect(heard.channel.description == "\(own) to \(address)")
        #expect(own.ipAddress == .loopback)
        try heard.channel.send(text: "question")
        reactor.settle()
        #expect(try peer.receiveTexts() == ["question"])
        try stranger.send("lost", to: own)
        try peer.send("answer", to: own)
        reactor.expect("the answer comes") { heard.count > 0 }
        reactor.settle()
        #expect(heard.texts == ["answer"])
        #expect(heard.senders == [address])
    }

    @Test func `a connected channel is where it was told to be`() throws {
        let peer = try Socket.datagrams()
        let local = SocketAddress.ip(.v4(0x7F00_0002), port: 0)
        let heard = try DatagramRecord(on: reactor, connectedTo: peer.localAddress, from: local)
        #expect(try heard.address.ipAddress == local.ipAddress)
        try heard.channel.send(text: "a")
        reactor.settle()
        let datagram = try peer.receiveDatagram()
        #expect(try datagram?.sender == heard.address)
    }

    @Test func `a Unix peer answers who has a name`() throws {
        let folder = try TemporaryFolder()
        let address = SocketAddress.unix(path: folder["server"])
        let refused = SocketError(.connect, .noEntry, at: address)
        #expect(throws: refused) { try DatagramChannel(on: reactor, connectedTo: address) }
        let server = try DatagramRecord(on: reactor, at: address)
        let client = try DatagramRecord(on: reactor, connectedTo: address, from: .unnamed)
        try client.channel.send(text: "question")
        reactor.expect("the question") { server.texts == ["question"] }
        try server.channel.send(text: "answer", to: server.senders[0])
        reactor.expect("the answer") { client.texts == ["answer"] }
        #expect(client.senders == [address])
    }

    @Test func `the peer may change, and what was sent goes where it was meant to`() throws {
        let first = try Socket.datagrams()
        let second = try Socket.datagrams()
        let (address1, address2) = (try first.localAddress, try second.localAddress)
        let heard = try DatagramRecord(on: reactor)
        let channel = heard.channel
        #expect(channel.peerAddress == nil)
        #expect(channel.description == "\(try heard.address)")
        try channel.connect(to: address1)
        try channel.send(text: "a")
        try channel.connect(to: address2)
        #expect(channel.peerAddress == address2)
        try channel.send(text: "b")
        reactor.settle()
        #expect(try first.receiveTexts() == ["a"])
        #expect(try second.receiveTexts() == ["b"])
        try first.send("lost", to: try heard.address)
        try second.send("heard", to: try heard.address)
        reactor.expect("the peer is heard") { heard.texts == ["heard"] }
    }

    /// The kernel takes a port that it has chosen away with the peer.
    @Test func `a channel without a peer any more hears anybody, where it was before`() throws {
        let peer = try Socket.datagrams()
        let stranger = try Socket.datagrams()
        let heard = try DatagramRecord(on: reactor)
        let own = try heard.address
        try heard.channel.connect(to: try peer.localAddress)
        try heard.channel.connect(to: nil)
        #expect(heard.channel.peerAddress == nil)
        #expect(try heard.address == own)
        #expect(throws: SocketError(.write, .destinationRequired)) {
            try heard.channel.send(text: "a")
        }
        try stranger.send("heard", to: own)
        reactor.settle()
        #expect(heard.texts == ["heard"])
    }

    @Test func `a connected channel may send elsewhere, too`() throws {
        let peer = try Socket.datagrams()
        let other = try Socket.datagrams()
        let channel = try DatagramChannel(on: reactor, connectedTo: peer.localAddress)
        try channel.send(text: "there", to: try other.localAddress)
        try channel.send(text: "here")
        reactor.settle()
        #expect(try peer.receiveTexts() == ["here"])
        #expect(try other.receiveTexts() == ["there"])
    }

    // MARK: Adopting

    // P8
    @Test func `an open datagram socket is adopted as it is bound`() throws {
        let socket = try Socket.datagrams()
        try socket.setBlocking(true)
        let address = try socket.localAddress
        let heard = DatagramRecord(try DatagramChannel(adopting: socket, on: reactor))
        #expect(try heard.address == address)
        let peer = try Socket.datagrams()
        try peer.send("a", to: address)
        reactor.expect("it comes") { heard.texts == ["a"] }
        reactor.settle()
    }

    // P8
    @Test(arguments: [SocketKind.stream, .sequentialPacket])
    func `a socket of another kind is refused and closed`(kind: SocketKind) throws {
        let socket = try Socket(family: .unix, kind: kind)
        do {
            _ = try DatagramChannel(adopting: socket, on: reactor)
            wrongly()
        } catch {
            #expect(error == SocketError(.adopt, .wrongProtocolKind))
        }
    }

    @Test func `one of a pair is connected from the start`() throws {
        var ends = try Socket.makePair(.datagram)
        let first = try Socket.taken(from: &ends.first)
        let heard = DatagramRecord(try DatagramChannel(adopting: first, on: reactor))
        #expect(heard.channel.peerAddress == .unnamed)
        try ends.second.sendAll("a")
        try heard.channel.send(text: "b")
        reactor.expect("it comes") { heard.texts == ["a"] }
        #expect(try ends.second.receiveTexts() == ["b"])
        #expect(heard.senders == [.unnamed])
    }

    // MARK: A closed channel

    @Test func `a closed channel refuses`() throws {
        let heard = try DatagramRecord(on: reactor)
        let (channel, address) = (heard.channel, try heard.address)
        channel.close()
        channel.close()
        #expect(!channel.isOpen)
        #expect(heard.closeCount == 1)
        #expect(channel.description == "closed")
        #expect(channel.unsentByteCount == 0)
        #expect(throws: SocketError(.write, .badDescriptor, at: address)) {
            try channel.send(text: "a", to: address)
        }
        #expect(throws: SocketError(.write, .badDescriptor)) {
            try channel.send([1, 2].span.bytes, segmentedEvery: 1)
        }
        #expect(throws: SocketError(.connect, .badDescriptor, at: address)) {
            try channel.connect(to: address)
        }
        #expect(throws: SocketError(.name, .badDescriptor)) { try channel.localAddress }
        #expect(throws: SocketError(.getOption, .badDescriptor)) { try channel.get(.broadcast) }
        #expect(throws: SocketError(.setOption, .badDescriptor)) {
            try channel.set(.broadcast, to: true)
        }
        let group = IPAddress.v4(0xEF01_0203)
        #expect(throws: SocketError(.setOption, .badDescriptor)) { try channel.join(group) }
        #expect(throws: SocketError(.setOption, .badDescriptor)) { try channel.leave(group) }
        channel.onDatagram { _, _, _ in wrongly() }
        channel.pauseReceiving()
        channel.resumeReceiving()
        channel.flush()
        reactor.settle()
        // The port is free again.
        try DatagramChannel(on: reactor, at: address).close()
    }

    @Test func `a channel may outlive its reactor`() throws {
        let heard: DatagramRecord
        do { heard = try DatagramRecord(on: Reactor()) }
        #expect(!heard.channel.isOpen)
        #expect(heard.closeCount == 0)
        #expect(throws: SocketError(.write, .badDescriptor)) { try heard.channel.send(text: "a") }
        heard.channel.close()
        heard.channel.resumeReceiving()
        #expect(heard.closeCount == 0)
    }

    @Test func `what was sent and not flushed is counted where the reactor ends before`() throws {
        let peer = try Socket.datagrams()
        let channel: DatagramChannel
        do {
            let reactor = try Reactor()
            channel = try DatagramChannel(on: reactor, connectedTo: peer.localAddress)
            try withExtendedLifetime(reactor) { _ = try channel.send(text: "a") }
        }
        let counters = channel.counters
        #expect(counters.datagramsSent + counters.datagramsDropped == 1)
        #expect(try peer.receiveTexts().count == Int(counters.datagramsSent))
    }
}
