// SPDX-License-Identifier: Apache-2.0
//
// How a conversation changes its manners: another encoding in mid-stream, the end of one direction,
// and the mark that is no such end (W3, W19, W27, W28).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Conversing: ConnectionSuite {
    let ends: ConnectionEnds

    // W3
    @Test func `the encoding may change in mid-stream, for what is unread as well`() throws {
        let bytes = Array("encoding: latin1\n".utf8) + [0xE9, 0x0A] + Array("é\n".utf8)
        _ = try ends.peer?.send(bytes.span.bytes)
        #expect(try channel.readLine() == "encoding: latin1")
        channel.options.text.encoding = .latin1
        #expect(try channel.readLine() == "é")
        channel.options.text.encoding = .utf8
        #expect(try channel.readLine() == "é")
    }

    // W3
    @Test func `each write is in the encoding that holds then`() throws {
        try channel.write("é")
        channel.options.text.encoding = .latin1
        try channel.write("é")
        channel.options.text.encoding = .utf16BigEndian
        try channel.write("é")
        #expect(try ends.receive(5) == [0xC3, 0xA9, 0xE9, 0x00, 0xE9])
    }

    // W19
    @Test func `many clients talk to each other by events alone`() throws {
        let guests = Box<[Channel]>([])
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            guests.value.append(channel)
            channel.onLine { speaker, line in
                for guest in guests.value where guest !== speaker { try guest.writeLine(line) }
            }
            channel.onClose { gone, _ in guests.value.removeAll { $0 === gone } }
        }
        let peers = try (0..<3).map { _ in HeldSocket(try .connecting(to: server.address)) }
        reactor.expect("all are in") { guests.value.count == 3 }
        try peers[0].socket.sendAll("hel")
        reactor.settle()
        try peers[1].socket.sendAll("good morning\n")
        try peers[0].socket.sendAll("lo\r\n")
        reactor.settle()
        #expect(try peers[0].socket.receiveNow()?.text == "good morning\n")
        #expect(try peers[1].socket.receiveNow()?.text == "hello\n")
        #expect(try peers[2].socket.receiveNow()?.text == "good morning\nhello\n")
        try peers[2].socket.shutDown(.writing)
        reactor.expect("one has left") { guests.value.count == 2 }
        server.close()
        server.closeChannels()
        reactor.expect("all have left") { guests.value.isEmpty }
    }

    // W27
    @Test func `a server that answers only after the end is answered by the same connection`()
        throws
    {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            let message = Box("")
            channel.onBytes { _, bytes in message.value += bytes.text }
            channel.onInputEnd { channel in
                try channel.writeLine("\(message.value.count) characters")
                channel.close()
            }
        }
        let client = try Client(on: reactor).open(server.address)
        let answer = Box<[String]>([])
        client.onLine { _, line in answer.value.append(line) }
        try client.write("CHECK\r\nmessage")
        reactor.settle()
        #expect(answer.value == [])
        try client.closeWriting()
        #expect(client.status == .halfClosed || client.status == .connecting)
        reactor.expect("the answer comes") { answer.value == ["13 characters"] }
        #expect(throws: ChannelError.self) { try client.write("more") }
        reactor.expect("both have ended") {
            client.status == .closed && server.connectionCount == 0
        }
        server.close()
    }

    // W27
    @Test func `a channel that stands alone half-closes and reads on`() throws {
        let lone = try LoneTCPEnds()
        try lone.channel.write("question")
        try lone.channel.closeWriting()
        #expect(try lone.peer?.socket.receiveNow()?.text == "question")
        #expect(try lone.peer?.socket.receiveNow() == nil)
        try lone.peer?.socket.sendAll("answer")
        lone.closePeer()
        #expect(try lone.channel.readText() == "answer")
        lone.channel.close()
    }

    // W28
    @Test func `an end mark in the text ends nothing but the reading`() throws {
        channel.options.text.inputEndMark = "\u{1A}"
        channel.onPeerClosed { _ in wrongly() }
        try ends.peer?.sendAll("question\u{1A}")
        reactor.settle()
        #expect(try channel.readText() == "question")
        #expect(channel.isAtEnd)
        #expect(channel.status == .open)
        #expect(channel.endReason == nil)
        try channel.write("answer")
        #expect(try ends.receive(6).text == "answer")
        channel.options.text.inputEndMark = nil
        try ends.peer?.sendAll("more")
        #expect(try channel.readText() == "\u{1A}more")
    }

    // W28
    @Test func `an end mark that is written leaves the peer's reading open`() throws {
        try channel.write("question\u{1A}")
        #expect(try ends.receive(9).text == "question\u{1A}")
        #expect(try ends.peer?.receiveNow() == [])
        #expect(channel.status == .open)
        try channel.write("more")
        #expect(try ends.receive(4).text == "more")
    }

    // W28
    @Test func `a half-close writes the end mark and then ends the direction`() throws {
        channel.options.text.outputEndMark = "\u{1A}"
        try channel.write("question")
        try channel.closeWriting()
        #expect(try ends.receiveAll().text == "question\u{1A}")
        #expect(channel.status == .halfClosed)
        try ends.peer?.sendAll("answer")
        #expect(try channel.readText() == "answer")
    }
}
