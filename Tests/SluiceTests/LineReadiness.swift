// SPDX-License-Identifier: Apache-2.0
//
// When a channel counts as readable for those who read by the line.
// What was read before counts, but the beginning of a line does not until more comes: K27.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LineReadiness: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    /// What one call of a handler that reads once found.
    enum Found: Equatable {
        case line(String)
        case notYet
        case end
    }

    /// Has a handler read one line a call, and notes what it found.
    private func listen() -> Box<[Found]> {
        let found = Box<[Found]>([])
        channel.onReadable { channel in
            if let line = try channel.readLine() {
                found.value.append(.line(line))
            } else {
                found.value.append(channel.isAtEnd ? .end : .notYet)
            }
        }
        return found
    }

    // K27
    @Test func `lines in our own buffer raise the event one by one`() throws {
        let found = listen()
        try send("a\nb\n\nc\n")
        reactor.settle()
        #expect(found.value == [.line("a"), .line("b"), .line(""), .line("c")])
    }

    // K27
    @Test func `a line that is not complete does not count until more comes`() throws {
        let found = listen()
        try send("a\nb")
        reactor.settle()
        #expect(found.value == [.line("a"), .notYet])
        reactor.settle()
        #expect(found.value.count == 2)
        try send("c")
        reactor.settle()
        #expect(found.value == [.line("a"), .notYet, .notYet])
        try send("d\n")
        reactor.settle()
        #expect(found.value.last == .line("bcd"))
        #expect(found.value.count == 4)
    }

    // K27
    @Test func `waiting for the rest of a line costs nothing`() throws {
        _ = listen()
        try send("not yet")
        reactor.settle()
        let calls = CallCount()
        calls.count { reactor.settle() }
        #expect(calls.of(.receive) == 0)
    }

    // K27
    @Test func `a batch of lines costs one read`() throws {
        let found = listen()
        try send("a\nb\nc\nd\n")
        let calls = CallCount()
        calls.count { reactor.settle() }
        #expect(found.value.count == 4)
        #expect(calls.of(.receive) == 1)
    }

    // K27
    @Test func `what was read before there was a handler raises the event`() throws {
        try send("a\nb\nc\n")
        #expect(try channel.readLine() == "a")
        let found = listen()
        reactor.settle()
        #expect(found.value == [.line("b"), .line("c")])
    }

    // K27
    @Test func `an incomplete line does not count for a new handler either`() throws {
        try send("a\nrest")
        #expect(try channel.readLine() == "a")
        #expect(try channel.readLine() == nil)
        let found = listen()
        reactor.settle()
        #expect(found.value == [])
        try send("\n")
        reactor.settle()
        #expect(found.value == [.line("rest")])
    }

    // K27
    @Test func `characters that were left raise the event`() throws {
        let texts = Box<[String]>([])
        channel.onReadable { texts.value.append(try $0.read(characters: 2)) }
        try send("abcde")
        reactor.settle()
        #expect(texts.value == ["ab", "cd", "e"])
    }

    // K27
    @Test func `an incomplete character does not count until more comes`() throws {
        let texts = Box<[String]>([])
        channel.onReadable { texts.value.append(try $0.read(characters: 2)) }
        let bytes = Array("a€".utf8)
        try ends.peer?.sendAll(Array(bytes[..<3]))
        reactor.settle()
        #expect(texts.value == ["a"])
        try ends.peer?.sendAll(Array(bytes[3...]))
        reactor.settle()
        #expect(texts.value.filter { !$0.isEmpty } == ["a", "€"])
        #expect(texts.value.count <= 3)
    }

    // K27
    @Test func `a read that takes less lifts the wait for the rest of a line`() throws {
        let calls = Box(0)
        try send("abc")
        #expect(try channel.readLine() == nil)
        #expect(try channel.read(characters: 1) == "a")
        channel.onReadable { channel in
            calls.value += 1
            _ = try channel.readText()
        }
        reactor.settle()
        #expect(calls.value == 1)
    }

    // K27
    @Test func `a line feed that belongs to the line before does not count for long`() throws {
        let found = listen()
        try send("a\r")
        reactor.settle()
        try send("\n")
        reactor.settle()
        #expect(found.value.filter { $0 != .notYet } == [.line("a")])
        #expect(found.value.count <= 3)
    }

    // K27
    @Test func `nothing counts while reading is paused`() throws {
        let found = listen()
        channel.pauseReading()
        try send("a\nb\n")
        reactor.settle()
        #expect(found.value == [])
        channel.resumeReading()
        reactor.settle()
        #expect(found.value == [.line("a"), .line("b")])
    }

    // K27
    @Test func `other settings of the text lift the wait for the rest of a line`() throws {
        let found = listen()
        channel.options.text.inputTranslation = .lf
        try send("a\rb")
        reactor.settle()
        #expect(found.value == [.notYet])
        channel.options.text.inputTranslation = .cr
        reactor.settle()
        #expect(found.value == [.notYet, .line("a"), .notYet])
    }

    // K27
    @Test func `a change that is none of the text's does not lift it`() throws {
        let found = listen()
        try send("rest")
        reactor.settle()
        channel.options.highWaterMark = 1
        reactor.settle()
        #expect(found.value == [.notYet])
    }

    // MARK: The end

    // K27, K29
    @Test func `the end counts after an incomplete line, and keeps the channel readable`() throws {
        let found = listen()
        try send("a\ntail")
        reactor.settle()
        #expect(found.value == [.line("a"), .notYet])
        ends.peer = nil
        reactor.settle()
        #expect(found.value[2] == .line("tail"))
        #expect(found.value.count > 6)
        #expect(found.value.dropFirst(3).allSatisfy { $0 == .end })
    }

    // K29
    @Test func `the end is told by the attempt to read, not by the event`() throws {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            #expect(!channel.isAtEnd)
        }
        ends.peer = nil
        reactor.settle()
        #expect(calls.value > 3)
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
    }

    // K29
    @Test func `an error keeps the channel readable`() throws {
        let found = listen()
        try ends.resetByPeer()
        reactor.settle()
        #expect(found.value.count > 3)
        #expect(found.value.allSatisfy { $0 == .end })
    }

    // K29
    @Test func `a handler that closes at the end is not called again`() throws {
        let calls = Box(0)
        channel.onReadable { channel in
            calls.value += 1
            if try channel.readLine() == nil, channel.isAtEnd { channel.close() }
        }
        ends.peer = nil
        reactor.settle()
        #expect(calls.value == 1)
        #expect(ends.endReasons.count == 1)
    }

    // K29
    @Test func `the end mark keeps the channel readable`() throws {
        channel.options.text.inputEndMark = "!"
        let found = listen()
        try send("a\nb!c\n")
        reactor.settle()
        #expect(found.value.prefix(2) == [.line("a"), .line("b")])
        #expect(found.value.count > 5)
        #expect(found.value.dropFirst(2).allSatisfy { $0 == .end })
    }

    // K29
    @Test func `a mark that is none any more is an ordinary character`() throws {
        channel.options.text.inputEndMark = "!"
        let found = listen()
        try send("a!b\n")
        reactor.settle()
        found.value = []
        channel.options.text.inputEndMark = nil
        #expect(!channel.isAtEnd)
        reactor.settle()
        #expect(found.value == [.line("!b")])
    }

    // K29
    @Test func `an error of a write in the background raises the event`() throws {
        let errors = Box<[ChannelError]>([])
        channel.onReadable { channel in
            do throws(ChannelError) {
                _ = try channel.readLine()
            } catch {
                errors.value.append(error)
            }
        }
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        let error = SocketError(.write, .noMemory, at: channel.peerAddress)
        #expect(errors.value == [.socket(error)])
    }

    // K27
    @Test(arguments: ["hasMore", "characters", "line"])
    func `what somebody else has read into the buffer raises the event`(way: String) throws {
        let found = listen()
        channel.pauseReading()
        try send(way == "line" ? "\u{FF}\nb\n" : "a\nb\n")
        reactor.settle()
        switch way {
        case "hasMore": #expect(try channel.hasMore())
        case "characters": #expect(try channel.read(characters: 2) == "a\n")
        default:
            channel.options.text.encoding = .ascii
            #expect(throws: ChannelError.self) { try channel.readLine() }
            channel.options.text.encoding = .utf8
        }
        channel.resumeReading()
        reactor.settle()
        #expect(found.value.last == .line("b"))
    }

    // K17, K27
    @Test func `bytes that are no text are met though nothing more comes`() throws {
        let heard = Heard(channel, reactor)
        channel.onReadable { heard.lines.append(try $0.read(characters: 100)) }
        try ends.peer?.sendAll("a\u{C3}".unicodeScalars.map { UInt8($0.value) })
        reactor.settle()
        #expect(heard.lines == ["a"])
        #expect(heard.errors.isEmpty, "the beginning of a character may be completed")
        try ends.peer?.sendAll([0xA9, 0x62, 0xFF])
        reactor.expect("the error") { !heard.errors.isEmpty }
        #expect(heard.lines == ["a", "éb"])
        let error = ChannelError.text(.undecodable([0xFF], .utf8), at: "\(channel.peerAddress)")
        #expect(heard.channelErrors == [error])
    }
}
