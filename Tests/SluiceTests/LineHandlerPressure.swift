// SPDX-License-Identifier: Apache-2.0
//
// Handlers of lines that write much or are sent much: who is held back, and who has their turn.
// Nothing is lost and nobody starves.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LineHandlerPressure: ConnectionSuite {
    let ends: ConnectionEnds

    static func makeEnds() throws -> ConnectionEnds {
        try ConnectionEnds(on: Reactor(), smallBuffers: true)
    }

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    /// Answers each line with more than the kernel and the mark hold together.
    private func answerAtLength() -> Heard {
        let heard = Heard(channel, reactor)
        let answer = [UInt8](repeating: 1, count: 400_000)
        channel.onLine { channel, line in
            heard.lines.append(line)
            try channel.write(answer)
        }
        return heard
    }

    // K13, K15
    @Test(arguments: ["", "on"])
    func `lines wait while the answers pile up`(_ beginning: String) throws {
        let heard = answerAtLength()
        try send(beginning)
        reactor.settle()
        try send("\("one".dropFirst(beginning.count))\ntwo\nthree\n")
        reactor.settle()
        #expect(heard.lines == ["one"])
        #expect(try ends.receive(1_200_000).count == 1_200_000)
        #expect(heard.lines == ["one", "two", "three"])
    }

    // K15
    @Test func `lines do not wait where both directions are unrelated`() throws {
        channel.options.pausesReadingAboveMark = false
        channel.options.outputLimit = 100_000_000
        let heard = answerAtLength()
        try send("one\ntwo\nthree\n")
        reactor.settle()
        #expect(heard.lines == ["one", "two", "three"])
        channel.abort()
    }

    // K15
    @Test func `lines that wait when the input has ended come all the same`() throws {
        try send("one\ntwo\nthree\ntail")
        try ends.peer?.shutDown(.writing)
        try channel.parse { _ in 0 }
        #expect(try channel.parse { _ in 0 } == .endOfStream)
        let heard = answerAtLength()
        channel.onInputEnd { channel in
            heard.ends += 1
            channel.close()
        }
        #expect(try ends.receiveAll().count == 1_600_000)
        #expect(heard.lines == ["one", "two", "three", "tail"])
        #expect(heard.ends == 1)
    }

    // K15
    @Test func `a flood of lines leaves the others their turn`() throws {
        channel.options.bytesPerTurn = 1
        let other = try DrivenEnds(on: reactor)
        let heard = Heard(channel, reactor)
        let flood = String(repeating: String(repeating: "x", count: 99) + "\n", count: 500)
        let before = Box<Int?>(nil)
        channel.onLine { heard.lines.append($1) }
        other.channel.onLine { _, _ in before.value = heard.lines.count }
        var sent = 0
        let bytes = Array(flood.utf8)
        for _ in 0..<40 {
            guard case .bytes(let count)? = try ends.peer?.send(bytes.span.bytes) else { break }
            sent += count
            if count < bytes.count { break }
        }
        try other.send("other\n")
        reactor.expect("all has come") { heard.lines.count == sent / 100 && before.value != nil }
        #expect(sent < 70_000 || (before.value ?? .max) < sent / 100)
        other.channel.close()
    }

    // K15
    @Test func `another channel is closed by the handler of lines`() throws {
        let other = try DrivenEnds(on: reactor)
        let second = other.channel
        let lines = Box<[String]>([])
        channel.onLine { _, line in
            lines.value.append(line)
            second.close()
        }
        second.onLine { _, _ in wrongly() }
        try send("a\nb\n")
        reactor.settle()
        #expect(lines.value == ["a", "b"])
    }

    // K15, T12
    @Test func `a handler of lines may be there before the connection is`() throws {
        let listener = try Socket.listening()
        let opened = try Client(on: reactor).open(listener.localAddress)
        let lines = Box<[String]>([])
        let ended = Box(false)
        opened.onLine { lines.value.append($1) }
        opened.onClose { _, _ in ended.value = true }
        reactor.expect("it is connected") { opened.status == .open }
        guard var accepted = try listener.accept() else { throw Mishap() }
        do {
            let peer = try Socket.taken(from: &accepted.socket)
            try peer.sendAll("one\ntwo")
        }
        reactor.expect("it ends") { ended.value }
        #expect(lines.value == ["one", "two"])
    }
}
