// SPDX-License-Identifier: Apache-2.0
//
// Messages whose bytes stand in several arrays: gathered when they are sent, shared out when they
// come.

import Glibc
import Sluice
import TestSupport
import Testing

@Suite(.countingDescriptors)
struct GatheringMessages {
    // N26
    @Test func `several arrays leave as one datagram`() throws {
        let ends = try DatagramEnds()
        let pieces: [[UInt8]] = [Array("on".utf8), [], Array("e mess".utf8), Array("age".utf8)]
        let result = try ends.sender.send(gathering: pieces, to: ends.address)
        #expect(result == .bytes(11))
        let message = try ends.receiver.arrived()
        #expect(message.text == "one message")
    }

    // N26
    @Test func `no array at all is an empty datagram`() throws {
        let ends = try DatagramEnds()
        let result = try ends.sender.send(gathering: [], to: ends.address)
        #expect(result == .bytes(0))
        let message = try ends.receiver.arrived()
        #expect(message.byteCount == 0)
    }

    // N26
    @Test func `several arrays go over a stream in order`() throws {
        let ends = try TCPEnds()
        let pieces = (0..<100).map { pattern($0) }
        let whole = Array(pieces.joined())
        let result = try ends.client.send(gathering: pieces)
        #expect(result == .bytes(whole.count))
        let received = try ends.server.receiveNow()
        #expect(received == whole)
    }

    // N25, N26
    @Test func `a message fills one array after the other`() throws {
        let ends = try DatagramEnds()
        try ends.send("one message")
        var buffers = [3, 0, 5, 10].map { [UInt8](repeating: UInt8(ascii: "."), count: $0) }
        let message = try ends.receiver.scattered(into: &buffers)
        #expect(message?.byteCount == 11)
        #expect(message?.sender == ends.origin)
        #expect(buffers.map(\.text) == ["one", "", " mess", "age......."])
    }

    // N26
    @Test func `a message that is longer than all arrays is cut, and can say how long it was`()
        throws
    {
        let ends = try DatagramEnds()
        for flags in [[], MessageFlags.truncated] {
            try ends.send("one message")
            var buffers = [[UInt8](repeating: 0, count: 2), [UInt8](repeating: 0, count: 1)]
            let message = try ends.receiver.scattered(into: &buffers, flags: flags)
            #expect(message?.flags == .truncated)
            #expect(message?.byteCount == (flags == [] ? 3 : 11))
            #expect(buffers.map(\.text) == ["on", "e"])
        }
    }

    // N26
    @Test func `up to 1,024 arrays are taken`() throws {
        let ends = try DatagramEnds()
        let pieces = [[UInt8]](repeating: [7], count: 1_024)
        let result = try ends.sender.send(gathering: pieces, to: ends.address)
        #expect(result == .bytes(1_024))
        var buffers = [[UInt8]](repeating: [0], count: 1_024)
        let byteCount = try ends.receiver.receiveMessage(into: &buffers)?.byteCount
        #expect(byteCount == 1_024)
        #expect(buffers == pieces)
    }

    // P5, N26
    @Test func `more than 1,024 arrays are refused`() throws {
        let ends = try DatagramEnds()
        let pieces = [[UInt8]](repeating: [7], count: 1_025)
        #expect(throws: SocketError(.write, .messageTooLong, at: ends.address)) {
            _ = try ends.sender.send(gathering: pieces, to: ends.address)
        }
        var buffers = pieces
        #expect(throws: SocketError(.read, .messageTooLong)) {
            _ = try ends.receiver.receiveMessage(into: &buffers)
        }
        #expect(buffers == pieces)
    }

    // N26
    @Test func `what a stream takes of several arrays may be a part`() throws {
        let pair = try Socket.makePair()
        let pieces = [[UInt8]](repeating: pattern(65_536), count: 64)
        var sent: [UInt8] = []
        guard case .bytes(let count) = try pair.first.send(gathering: pieces) else {
            Issue.record("nothing was taken")
            return
        }
        sent = Array(pieces.joined().prefix(count))
        #expect((1..<64 * 65_536).contains(count))
        let again = try pair.first.send(gathering: pieces)
        #expect(again == .wouldBlock)
        var received: [UInt8] = []
        while let bytes = try pair.second.receiveNow(), !bytes.isEmpty { received += bytes }
        expectSame(received, sent)
    }

    // N26
    @Test func `a message that a signal interrupts is sent, and received, all the same`() throws {
        let ends = try DatagramEnds()
        let calls: Set<SystemCall> = [.sendMessage, .receiveMessage]
        let answers = Answers(.failure(.interrupted), to: calls) { $0 % 3 != 0 }
        let text = try answers.give {
            try ends.send("hello")
            return try ends.receiver.arrived().text
        }
        #expect(text == "hello")
        #expect(answers.count == 6)
    }

    // P5
    @Test(arguments: [ErrorCode.noBufferSpace, .noMemory])
    func `a message that can't be sent names its destination`(code: ErrorCode) throws {
        let ends = try DatagramEnds()
        #expect(throws: SocketError(.write, code, at: ends.address)) {
            try SystemCall.failing(.sendMessage, with: code) { try ends.send("hello") }
        }
        #expect(throws: SocketError(.read, code)) {
            try SystemCall.failing(.receiveMessage, with: code) {
                _ = try ends.receiver.arrived()
            }
        }
    }
}

extension Socket {
    /// Receives a message into several arrays, and gives all but its bytes.
    fileprivate func scattered(
        into buffers: inout [[UInt8]], flags: MessageFlags = []
    ) throws(SocketError) -> ArrivedMessage? {
        guard let message = try receiveMessage(into: &buffers, flags: flags) else { return nil }
        return ArrivedMessage(
            text: "", byteCount: message.byteCount, sender: message.sender, flags: message.flags,
            items: message.items)
    }
}
