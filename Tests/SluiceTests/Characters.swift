// SPDX-License-Identifier: Apache-2.0
//
// Characters read on request: how many come, what stays, and when the end is met.
// A character is a Unicode scalar, and each line end counts as one.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Characters: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    private func send(_ bytes: [UInt8]) throws {
        try ends.peer?.sendAll(bytes)
    }

    // K17
    @Test(arguments: Driving.allCases)
    func `exactly as many characters come as were asked for`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("äöü€😀e\u{301}xyz")
        try withoutWaiting { () throws in
            #expect(try ends.channel.read(characters: 3) == "äöü")
            #expect(try ends.channel.read(characters: 2) == "€😀")
            #expect(try ends.channel.read(characters: 1) == "e")
            #expect(try ends.channel.read(characters: 2) == "\u{301}x")
        }
        #expect(!ends.channel.isBlocked)
        ends.channel.close()
    }

    // K17, K19
    @Test func `fewer characters than were asked for are what is there, and not the end`() throws {
        try send("abc")
        #expect(try channel.read(characters: 5) == "abc")
        #expect(channel.isBlocked)
        #expect(!channel.isAtEnd)
        #expect(try channel.read(characters: 5) == "")
        #expect(channel.isBlocked)
    }

    // K17
    @Test(arguments: Driving.allCases)
    func `no characters are asked for and none come`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("abc")
        try withoutWaiting { () throws in #expect(try ends.channel.read(characters: 0) == "") }
        #expect(!ends.channel.isBlocked && !ends.channel.isAtEnd)
        try withoutWaiting { () throws in #expect(try ends.channel.read(characters: 3) == "abc") }
        ends.channel.close()
    }

    // K17
    @Test(arguments: [-1, Int.min])
    func `fewer characters than none are an error`(_ count: Int) throws {
        try send("abc")
        let error = SocketError(.read, .invalidArgument, at: channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try channel.read(characters: count) }
        #expect(try channel.read(characters: 3) == "abc")
    }

    // K18
    @Test(arguments: Driving.allCases)
    func `a read of exactly the rest does not meet the end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("abcd")
        ends.peer = nil
        try withoutWaiting { () throws in
            #expect(try ends.channel.read(characters: 4) == "abcd")
            #expect(!ends.channel.isAtEnd)
            #expect(try ends.channel.read(characters: 1) == "")
            #expect(ends.channel.isAtEnd)
        }
        ends.channel.close()
    }

    // K17, K18
    @Test(arguments: Driving.allCases)
    func `a read of more than the rest gives it and meets the end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("abc")
        ends.peer = nil
        try withoutWaiting { () throws in #expect(try ends.channel.read(characters: 10) == "abc") }
        #expect(ends.channel.isAtEnd)
        #expect(!ends.channel.isBlocked)
        ends.channel.close()
    }

    // K17
    @Test func `the bytes of an incomplete character stay until it is complete`() throws {
        let bytes = Array("a€😀".utf8)
        var text = ""
        for (index, byte) in bytes.enumerated() {
            try send([byte])
            text += try channel.read(characters: 10)
            #expect(channel.isBlocked)
            #expect(channel.unreadByteCount == [0, 1, 2, 0, 1, 2, 3, 0][index])
        }
        #expect(text == "a€😀")
    }

    // K17
    @Test func `a character that the end cuts short is an error in strict text`() throws {
        try send([0x61, 0xE2, 0x82])
        ends.peer = nil
        #expect(try channel.read(characters: 10) == "a")
        let error = TextError.undecodable([0xE2, 0x82], .utf8)
        #expect(throws: ChannelError.text(error, at: "\(channel.peerAddress)")) {
            try channel.read(characters: 10)
        }
    }

    // K17
    @Test func `a character that the end cuts short is replaced where that is wanted`() throws {
        channel.options.text.errorPolicy = .replacing
        try send([0x61, 0xE2, 0x82])
        ends.peer = nil
        #expect(try channel.read(characters: 10) == "a\u{FFFD}")
        #expect(channel.isAtEnd)
    }

    // K17
    @Test func `good text comes before bytes that are no character`() throws {
        try send([0x61, 0x62, 0xFF, 0x63])
        #expect(try channel.read(characters: 10) == "ab")
        let error = ChannelError.text(.undecodable([0xFF], .utf8), at: "\(channel.peerAddress)")
        for _ in 0..<2 {
            #expect(throws: error) { try channel.read(characters: 10) }
            #expect(channel.unreadByteCount == 2)
        }
        channel.options.text.encoding = .latin1
        #expect(try channel.read(characters: 10) == "ÿc")
    }

    // K17
    @Test func `each line end counts as one character`() throws {
        try send("a\r\nb\rc\nd")
        #expect(try channel.read(characters: 3) == "a\nb")
        #expect(try channel.read(characters: 4) == "\nc\nd")
    }

    // K17
    @Test func `a line end in two pieces counts as one character`() throws {
        try send("a\r")
        #expect(try channel.read(characters: 2) == "a\n")
        try send("\nb")
        #expect(try channel.read(characters: 1) == "b")
    }

    // K17
    @Test func `text that is asked for by the character is the same wherever it is cut`() throws {
        let input = Array("a\r\nb\n\rü€\r\r\n😀\r\n".utf8)
        for cut in 0...input.count {
            let ends = try DrivenEnds(on: reactor)
            var text = ""
            for piece in [input[..<cut], input[cut...]] where !piece.isEmpty {
                try ends.send(Array(piece))
                while case let more = try ends.channel.read(characters: 1), !more.isEmpty {
                    text += more
                }
            }
            #expect(text == "a\nb\n\nü€\n\n😀\n", "cut at \(cut)")
            ends.channel.close()
        }
    }

    // K17
    @Test func `a channel that does not wait reads all that is there`() throws {
        try send("abc\ndef")
        #expect(try channel.readText() == "abc\ndef")
        #expect(channel.isBlocked && !channel.isAtEnd)
        try send("ghi")
        ends.peer = nil
        #expect(try channel.readText() == "ghi")
        #expect(channel.isAtEnd && !channel.isBlocked)
    }

    // K17, A8
    @Test(arguments: [Driving.blocking, .alone])
    func `a channel that waits reads to the end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("abc\ndef\n")
        ends.peer = nil
        #expect(try ends.channel.readText() == "abc\ndef\n")
        #expect(ends.channel.isAtEnd)
        #expect(try ends.channel.readText() == "")
        ends.channel.close()
    }

    // A8
    @Test func `the rest of the text can be read and the channel closed in one`() throws {
        let ends = try DrivenEnds(.alone, options: .alore)
        try ends.send("first\nrest\u{E9}")
        ends.peer = nil
        #expect(try ends.channel.nextLine() == "first")
        #expect(try ends.channel.readTextAndClose() == "rest\u{C3}\u{A9}")
        #expect(ends.channel.status == .closed)
        let error = SocketError(.read, .badDescriptor, at: ends.channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try ends.channel.read(characters: 1) }
        #expect(throws: ChannelError.socket(error)) { try ends.channel.readTextAndClose() }
    }

    // A8
    @Test func `the rest of a text that has ended is empty`() throws {
        let ends = try DrivenEnds(.alone)
        ends.peer = nil
        #expect(try ends.channel.readText() == "")
        #expect(try ends.channel.readTextAndClose() == "")
        #expect(ends.channel.status == .closed)
    }

    // A10
    @Test func `the rest of the lines can be read and the channel closed in one`() throws {
        let ends = try DrivenEnds(.alone)
        try ends.send("a\n\nb\r\ntail")
        ends.peer = nil
        #expect(try ends.channel.readLinesAndClose() == ["a", "", "b", "tail"])
        #expect(ends.channel.status == .closed)
        #expect(throws: ChannelError.self) { try ends.channel.readLinesAndClose() }
    }

    // A10
    @Test func `reading the rest closes also when it fails`() throws {
        let ends = try DrivenEnds(.alone)
        try ends.send([0x61, 0x0A, 0xFF, 0x0A])
        ends.peer = nil
        #expect(throws: ChannelError.self) { try ends.channel.readLinesAndClose() }
        #expect(ends.channel.status == .closed)
    }
}
