// SPDX-License-Identifier: Apache-2.0
//
// Lines handed to a handler as they come: each once, however the input is cut, to the very end.
// What a handler throws, and a line that can't be given, ends the channel.

import TestSupport
import Testing

@testable import Sluice

/// What a handler of lines was given, and what was reported besides.
final class Heard {
    var lines: [String] = []
    var ends = 0
    var errors: [any Error] = []
    var reasons: [EndReason] = []

    /// Listens to all that a channel tells but its lines.
    init(_ channel: Channel, _ reactor: Reactor) {
        channel.onClose { self.reasons.append($1) }
        reactor.onError = { error, _ in self.errors.append(error) }
    }

    /// The errors that are about text.
    var channelErrors: [ChannelError] { errors.compactMap { $0 as? ChannelError } }
}

@Suite(.countingDescriptors)
struct LineHandlers: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    private func listen() -> Heard {
        let heard = Heard(channel, reactor)
        channel.onLine { heard.lines.append($1) }
        return heard
    }

    // K15
    @Test func `each line is given once, without its end`() throws {
        let heard = listen()
        try send("one\r\ntwo\n\nthree\rfour\n")
        reactor.settle()
        #expect(heard.lines == ["one", "two", "", "three", "four"])
        try send("five\n")
        reactor.settle()
        #expect(heard.lines.last == "five")
        #expect(heard.lines.count == 6)
    }

    // K15
    @Test func `a line that is not complete is not given`() throws {
        let heard = listen()
        for piece in ["a", "b", "c", "\nd"] {
            #expect(heard.lines == [])
            try send(piece)
            reactor.settle()
        }
        #expect(heard.lines == ["abc"])
        #expect(channel.unreadByteCount == 1)
    }

    // K15, X5
    @Test func `lines are the same wherever the input is cut`() throws {
        let input = Array("a\r\nb\n\rc\r\rd\n\nü€😀\r\n\r\nend".utf8)
        for cut in 0...input.count {
            let ends = try DrivenEnds(on: reactor)
            let heard = Heard(ends.channel, reactor)
            ends.channel.onLine { heard.lines.append($1) }
            ends.channel.onInputEnd { _ in heard.ends += 1 }
            for piece in [input[..<cut], input[cut...]] where !piece.isEmpty {
                try ends.send(Array(piece))
                reactor.settle(passes: 3)
            }
            ends.peer = nil
            reactor.settle(passes: 5)
            #expect(
                heard.lines == ["a", "b", "", "c", "", "d", "", "ü€😀", "", "end"], "cut at \(cut)")
            #expect(heard.ends == 1)
            ends.channel.close()
        }
    }

    // K15, X5
    @Test func `lines are the same when every byte comes by itself`() throws {
        let heard = listen()
        for byte in Array("a\r\n\nb\r\rü\r\n".utf8) {
            try ends.peer?.sendAll([byte])
            reactor.settle(passes: 3)
        }
        #expect(heard.lines == ["a", "", "b", "", "ü"])
    }

    // K15
    @Test func `lines that were read before there was a handler are given to it`() throws {
        try send("a\nb\nc\nrest")
        #expect(try channel.readLine() == "a")
        let heard = listen()
        reactor.settle()
        #expect(heard.lines == ["b", "c"])
        try send("!\n")
        reactor.settle()
        #expect(heard.lines == ["b", "c", "rest!"])
    }

    // K15
    @Test func `a handler waits for nothing on a blocking channel`() throws {
        channel.options.isBlocking = true
        let heard = listen()
        try send("a\nb\nrest")
        withoutWaiting { reactor.settle() }
        #expect(heard.lines == ["a", "b"])
        #expect(heard.errors.isEmpty)
        channel.options.isBlocking = false
    }

    // MARK: The end

    // K15, K18
    @Test func `the tail is a line, then the end is told once`() throws {
        let heard = listen()
        channel.onInputEnd { channel in
            heard.ends += 1
            #expect(heard.lines == ["a", "tail"])
            try channel.writeLine("goodbye")
        }
        try send("a\ntail")
        try ends.peer?.shutDown(.writing)
        reactor.settle()
        #expect(heard.ends == 1)
        #expect(heard.reasons == [])
        #expect(try ends.peer?.receiveNow()?.text == "goodbye\n")
    }

    // K15
    @Test func `without anybody to tell the end to, the channel closes after the tail`() throws {
        let heard = listen()
        try send("a\ntail")
        ends.peer = nil
        reactor.expect("the channel closes") { heard.reasons == [.finished] }
        #expect(heard.lines == ["a", "tail"])
    }

    // K15
    @Test func `the end after a complete line brings no blank line`() throws {
        let heard = listen()
        try send("a\r")
        reactor.settle()
        try send("\n")
        ends.peer = nil
        reactor.expect("the channel closes") { heard.reasons == [.finished] }
        #expect(heard.lines == ["a"])
    }

    // K15, K18
    @Test(arguments: ["a\nb\u{1A}c\n", "a\nb\n\u{1A}", "a\nb\u{1A}"])
    func `an end mark ends the lines as the peer's end does`(_ text: String) throws {
        channel.options.text.inputEndMark = "\u{1A}"
        let heard = listen()
        channel.onInputEnd { _ in heard.ends += 1 }
        try send(text)
        reactor.settle()
        #expect(heard.lines == ["a", "b"])
        #expect(heard.ends == 1)
    }

    // K27
    @Test func `nothing more is done once the end mark was met`() throws {
        channel.options.text.inputEndMark = "\u{1A}"
        // A turn in vain is short then, and is counted.
        channel.options.bytesPerTurn = 1
        let heard = listen()
        channel.onInputEnd { _ in heard.ends += 1 }
        try send("a\n\u{1A}rest\n")
        reactor.expect("the end is told") { heard.ends == 1 }
        let passes = Box(0)
        let isOver = Box(false)
        reactor.after(.milliseconds(30)) { isOver.value = true }
        reactor.expect("time passes") {
            passes.value += 1
            return isOver.value
        }
        #expect(passes.value < 15)
        #expect(heard.lines == ["a"])
    }

    // K22
    @Test func `a reset gives the tail and closes`() throws {
        let heard = listen()
        try send("a\ntail")
        reactor.settle()
        try ends.resetByPeer()
        reactor.expect("the channel closes") { heard.reasons == [.reset] }
        #expect(heard.lines == ["a", "tail"])
        #expect(heard.errors.isEmpty)
    }

    // K21
    @Test(arguments: ["", "a\n", "part"])
    func `a failed write closes once what the peer had sent is given`(_ text: String) throws {
        let heard = listen()
        try send(text)
        reactor.settle()
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .brokenPipe) { reactor.settle() }
        #expect(heard.reasons == [.reset])
    }

    // MARK: Errors

    // K15
    @Test func `what a handler throws is reported and closes, and no line follows`() throws {
        let heard = Heard(channel, reactor)
        channel.onLine { _, line in
            heard.lines.append(line)
            if line == "b" { throw Mishap() }
        }
        try send("a\nb\nc\n")
        reactor.settle()
        #expect(heard.lines == ["a", "b"])
        #expect(heard.errors.count == 1 && heard.errors.first is Mishap)
        #expect(heard.reasons == [.local])
    }

    // K15
    @Test(arguments: ["a\n123456\nb\n", "a\n123456", "a\n12345678901234567890"])
    func `a line over the limit closes with that reason`(_ text: String) throws {
        channel.options.text.lineLimit = 5
        let heard = listen()
        try send(text)
        reactor.settle()
        #expect(heard.lines == ["a"])
        let error = TextError.lineTooLong(limit: 5)
        #expect(heard.channelErrors == [.text(error, at: "\(channel.peerAddress)")])
        #expect(heard.errors.first.map { "\($0)" }?.contains("5 bytes") == true)
        #expect(heard.reasons == [.limit(.line)])
    }

    // K15
    @Test func `a line over the limit in many pieces closes at the limit`() throws {
        channel.options.text.lineLimit = 5
        let heard = listen()
        for _ in 0..<5 { try sendAndSettle("x") }
        #expect(heard.reasons == [])
        try sendAndSettle("x")
        #expect(heard.reasons == [.limit(.line)])
        #expect(heard.lines == [])
    }

    // K15
    @Test func `a line that can't be decoded closes, after the lines before it`() throws {
        let heard = listen()
        let bytes: [UInt8] = [0x61, 0x0A, 0xFF, 0x0A, 0x62, 0x0A]
        try ends.peer?.sendAll(bytes)
        reactor.settle()
        #expect(heard.lines == ["a"])
        let error = TextError.undecodable([0xFF], .utf8)
        #expect(heard.channelErrors == [.text(error, at: "\(channel.peerAddress)")])
        #expect(heard.reasons == [.local])
    }

    private func sendAndSettle(_ text: String) throws {
        try send(text)
        reactor.settle()
    }
}
