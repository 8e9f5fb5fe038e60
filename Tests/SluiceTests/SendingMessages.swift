// SPDX-License-Identifier: Apache-2.0
//
// Bytes with flags, in several pieces, to and from an address: over streams, UDP and Unix sockets.
// Messages of UDP are waited for, though on loopback they are mostly there at once.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct SendingMessages {
    // MARK: Into an array of its own

    // P1, P31
    @Test func `what is received comes in an array of its own, up to a limit`() throws {
        let pair = try Socket.makePair()
        try pair.first.sendAll("hello")
        let received = [try pair.second.receive(upTo: 3), try pair.second.receive(upTo: 3)]
        #expect(received == [Array("hel".utf8), Array("lo".utf8)])
    }

    // P31
    @Test func `nothing there, the end and no room are told apart`() throws {
        let pair = try Socket.makePair()
        let nothing = try pair.second.receive(upTo: 3)
        #expect(nothing == nil)
        let noRoom = try pair.second.receive(upTo: 0)
        #expect(noRoom == [])
        try pair.first.shutDown(.writing)
        let end = try pair.second.receive(upTo: 3)
        #expect(end == [])
    }

    // P5
    @Test(arguments: [-1, Int.min])
    func `a negative limit is refused`(limit: Int) throws {
        let pair = try Socket.makePair()
        #expect(throws: SocketError(.read, .invalidArgument)) {
            _ = try pair.second.receive(upTo: limit)
        }
    }

    @Test func `a limit beyond all memory is cut`() throws {
        let pair = try Socket.makePair()
        try pair.first.sendAll("hello")
        let bytes = try pair.second.receive(upTo: .max)
        #expect(bytes?.text == "hello")
    }

    // MARK: Flags

    // P9, P31
    @Test func `what is peeked at stays`() throws {
        let pair = try Socket.makePair()
        try pair.first.sendAll("hello")
        let peeked = [
            try pair.second.receive(upTo: 2, flags: .peek),
            try pair.second.receive(upTo: 9, flags: .peek), try pair.second.receive(upTo: 9),
            try pair.second.receive(upTo: 9),
        ]
        #expect(peeked == [Array("he".utf8), Array("hello".utf8), Array("hello".utf8), nil])
    }

    // P31, P35
    @Test func `a blocking socket waits for all that was asked for`() throws {
        let pair = try Socket.makePair()
        try pair.second.setBlocking(true)
        let other = try pair.first.duplicate()
        let thread = OtherThread {
            do {
                for letter in ["a", "b", "c", "d"] { try other.sendAll(letter) }
            } catch {
                Issue.record(error)
            }
        }
        let bytes = try pair.second.receive(upTo: 4, flags: .waitAll)
        #expect(bytes?.text == "abcd")
        thread.join()
    }

    // P31
    @Test func `the end cuts a wait for all short`() throws {
        let pair = try Socket.makePair()
        try pair.second.setBlocking(true)
        try pair.first.sendAll("ab")
        try pair.first.shutDown(.writing)
        let bytes = try pair.second.receive(upTo: 4, flags: .waitAll)
        #expect(bytes?.text == "ab")
    }

    // P31, P33
    @Test func `a blocking socket does not wait where it is told not to`() throws {
        let pair = try Socket.makePair()
        try pair.first.setBlocking(true)
        let nothing = try pair.first.receive(upTo: 1, flags: .dontWait)
        #expect(nothing == nil)
        let piece = [UInt8](repeating: 7, count: 65_536)
        while case .bytes = try pair.first.send(piece.span.bytes, flags: .dontWait) {}
        let result = try pair.first.send(piece.span.bytes, flags: .dontWait)
        #expect(result == .wouldBlock)
    }

    // P9, P33
    @Test func `a byte out of band overtakes the others`() throws {
        let ends = try TCPEnds()
        let urgent: [UInt8] = [UInt8(ascii: "!")]
        try ends.client.sendAll("ab")
        let result = try ends.client.send(urgent.span.bytes, flags: .outOfBand)
        #expect(result == .bytes(1))
        try ends.client.sendAll("cd")
        let overtaking = try ends.server.arrived(flags: .outOfBand)
        #expect(overtaking.text == "!")
        #expect(overtaking.flags == .outOfBand)
        let before = try ends.server.receive(upTo: 9)
        let behind = try ends.server.receive(upTo: 9)
        #expect(before?.text == "ab")
        #expect(behind?.text == "cd")
        #expect(throws: SocketError(.read, .invalidArgument)) {
            _ = try ends.server.receive(upTo: 1, flags: .outOfBand)
        }
    }

    // P9
    @Test func `datagrams of which more is to come leave as one`() throws {
        let ends = try DatagramEnds()
        try ends.send("one ", flags: .more)
        try ends.send("two")
        let message = try ends.receiver.arrived()
        #expect(message.text == "one two")
    }

    // MARK: Too long

    // N26
    @Test func `a datagram that is cut says so`() throws {
        let ends = try DatagramEnds()
        try ends.send("hello")
        try ends.send("next")
        let cut = try ends.receiver.arrived(room: 2)
        #expect(cut.text == "he")
        #expect(cut.byteCount == 2)
        #expect(cut.flags == .truncated)
        let next = try ends.receiver.arrived()
        #expect(next.text == "next")
        #expect(next.flags == [])
    }

    // N26
    @Test(arguments: [0, 2, 5, 100])
    func `the real length of a datagram is told where it is asked for`(room: Int) throws {
        let ends = try DatagramEnds()
        try ends.send("hello")
        let message = try ends.receiver.arrived(room: room, flags: .truncated)
        #expect(message.byteCount == 5)
        #expect(message.text == String("hello".prefix(room)))
        #expect(message.flags.contains(.truncated) == (room < 5))
    }

    // P1, N26
    @Test func `a real length that is longer than the room is not taken for bytes`() throws {
        let pair = try Socket.makePair(.datagram)
        try pair.first.sendAll("hello")
        let bytes = try pair.second.receive(upTo: 2, flags: .truncated)
        #expect(bytes?.text == "he")
        try pair.first.sendAll("hello")
        var storage = [UInt8](repeating: 0, count: 2)
        var span = storage.mutableSpan
        var room = span.mutableBytes
        let result = try pair.second.receive(into: &room, flags: .truncated)
        #expect(result == .bytes(5))
    }

    // P34
    @Test func `a datagram that is too long is not sent`() throws {
        let ends = try DatagramEnds()
        let bytes = [UInt8](repeating: 0, count: 65_508)
        #expect(throws: SocketError(.write, .messageTooLong, at: ends.address)) {
            _ = try ends.sender.send(bytes.span.bytes, to: ends.address)
        }
    }

    // MARK: Senders and destinations

    // P32, P34, N25
    @Test func `a datagram tells its sender`() throws {
        let ends = try DatagramEnds()
        try ends.send("hello")
        let message = try ends.receiver.arrived()
        #expect(message.text == "hello")
        #expect(message.sender == ends.origin)
    }

    // P2, P32, P34
    @Test func `a Unix datagram tells its sender's name, where it has one`() throws {
        let address = SocketAddress.abstract(name: Array("sluice-\(getpid())-messages".utf8))
        let receiver = try Socket(for: address, kind: .datagram)
        try receiver.bind(to: address)
        let unnamed = try Socket(for: address, kind: .datagram)
        let named = try Socket(for: address, kind: .datagram)
        try named.bind(to: .unnamed)
        let bytes = Array("hello".utf8)
        _ = try unnamed.send(bytes.span.bytes, to: address)
        _ = try named.send(bytes.span.bytes, to: address)
        let name = try named.localAddress
        let senders = [try receiver.arrived().sender, try receiver.arrived().sender]
        #expect(senders == [nil, name])
    }

    @Test func `a stream tells no sender`() throws {
        let ends = try TCPEnds()
        try ends.client.sendAll("hello")
        let message = try ends.server.arrived()
        #expect(message.sender == nil)
    }

    // P33
    @Test func `a datagram needs a destination`() throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .destinationRequired)) {
            _ = try socket.send(byte.span.bytes)
        }
    }

    // P34
    @Test func `a connected stream takes no destination`() throws {
        let pair = try Socket.makePair()
        let address = SocketAddress.abstract(name: [1])
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .isConnected, at: address)) {
            _ = try pair.first.send(byte.span.bytes, to: address)
        }
    }

    // P4, P34
    @Test func `a broadcast has to be allowed`() throws {
        let ends = try DatagramEnds()
        let everybody = SocketAddress.ip(.v4(0x7FFF_FFFF), port: 9)
        let byte: [UInt8] = [1]
        #expect(throws: SocketError(.write, .permissionDenied, at: everybody)) {
            _ = try ends.sender.send(byte.span.bytes, to: everybody)
        }
        try ends.sender.set(.broadcast, to: true)
        let result = try ends.sender.send(byte.span.bytes, to: everybody)
        #expect(result == .bytes(1))
    }

    // P23, P33, P34
    @Test func `a datagram socket may have one peer, and lose it again`() throws {
        let ends = try DatagramEnds()
        let stranger = try DatagramEnds()
        let socket = try Socket(family: .ipv4, kind: .datagram)
        let address = try SocketAddress.unused()
        try socket.bind(to: address)
        let begun = try socket.connect(to: ends.origin)
        #expect(begun == .connected)
        let byte: [UInt8] = [1]
        _ = try stranger.sender.send(byte.span.bytes, to: address)
        _ = try ends.sender.send(byte.span.bytes, to: address)
        let first = try socket.arrived()
        #expect(first.sender == ends.origin)
        try socket.sendAll("answer")
        let answer = try ends.sender.arrived()
        #expect(answer.sender == address)
        try socket.disconnect()
        #expect(throws: SocketError(.name, .notConnected)) { _ = try socket.peerAddress }
        _ = try stranger.sender.send(byte.span.bytes, to: address)
        let second = try socket.arrived()
        #expect(second.sender == stranger.origin)
    }

    // P23
    @Test func `a port that the kernel chose stays when the peer is taken away`() throws {
        let ends = try DatagramEnds()
        _ = try ends.receiver.connect(to: ends.origin)
        try ends.receiver.disconnect()
        let address = try ends.receiver.localAddress
        #expect(address == ends.address)
    }

    // P5, P33, N35
    @Test func `a datagram that finds nobody is told as refused`() throws {
        let ends = try DatagramEnds()
        let address = try SocketAddress.unused()
        _ = try ends.sender.connect(to: address)
        try ends.sender.sendAll("anybody?")
        #expect(throws: SocketError(.read, .connectionRefused)) { _ = try ends.sender.arrived() }
    }

    // MARK: Nothing

    // P31, P32
    @Test func `an empty datagram is a message like any other`() throws {
        let ends = try DatagramEnds()
        try ends.send("")
        try ends.send("next")
        let empty = try ends.receiver.arrived()
        #expect(empty == ArrivedMessage(text: "", byteCount: 0, sender: ends.origin))
        let next = try ends.receiver.arrived()
        #expect(next.text == "next")
    }

    // P31
    @Test func `the end of a stream is a message of no bytes`() throws {
        let pair = try Socket.makePair()
        try pair.first.shutDown(.writing)
        for _ in 0..<2 {
            let end = try pair.second.arrived()
            #expect(end.byteCount == 0)
        }
    }

    @Test func `where no message is there, none is given`() throws {
        let ends = try DatagramEnds()
        var buffers = [[UInt8](repeating: 0, count: 3)]
        let isNothing = try ends.receiver.receiveMessage(into: &buffers) == nil
        #expect(isNothing)
        #expect(buffers == [[0, 0, 0]])
    }

    @Test func `bytes of a stream that are dropped unseen are zeros`() throws {
        let ends = try TCPEnds()
        try ends.client.sendAll("hello")
        let isThere = try ends.server.wait(until: .readable, within: .seconds(20))
        #expect(isThere)
        let received = try ends.server.receive(upTo: 10, flags: .truncated)
        #expect(received == [0, 0, 0, 0, 0])
    }
}
