// SPDX-License-Identifier: Apache-2.0
//
// Lines that can't be given: too long, not decodable, missing, or of a channel that does not read.
// Whatever the error, nothing is consumed and memory stays flat.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LineLimits: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    private func setLineLimit(_ limit: Int) {
        channel.options.text.lineLimit = limit
    }

    private func tooLong(_ limit: Int) -> ChannelError {
        .text(.lineTooLong(limit: limit), at: "\(channel.peerAddress)")
    }

    // K15
    @Test func `a line may be as long as the limit`() throws {
        setLineLimit(5)
        try send("12345\r\n12345\n12345\r")
        for _ in 0..<3 { #expect(try channel.readLine() == "12345") }
    }

    // K15
    @Test(arguments: ["123456\n", "123456", "12345678901234567890"])
    func `a line over the limit is an error that consumes nothing`(_ text: String) throws {
        setLineLimit(5)
        try send("good\n" + text)
        #expect(try channel.readLine() == "good")
        for _ in 0..<2 {
            #expect(throws: tooLong(5)) { try channel.readLine() }
            #expect(channel.unreadByteCount == text.utf8.count)
        }
        #expect(try channel.readOnce() == text)
    }

    // K15
    @Test func `a limit that is raised lets the line through`() throws {
        setLineLimit(3)
        try send("12345\n")
        #expect(throws: tooLong(3)) { try channel.readLine() }
        setLineLimit(5)
        #expect(try channel.readLine() == "12345")
    }

    // K15
    @Test func `the error names the limit`() throws {
        setLineLimit(7)
        try send("12345678")
        let error = #expect(throws: ChannelError.self) { try channel.readLine() }
        #expect(error.map { "\($0)" }?.contains("7 bytes") == true)
    }

    // K15
    @Test func `a line that never ends takes no more than the limit and one read`() throws {
        let piece = [UInt8](repeating: 0x61, count: 60_000)
        for _ in 0..<40 {
            _ = try ends.peer?.send(piece.span.bytes)
            // Once the limit is passed, each further call tells so.
            _ = try? channel.readLine()
            #expect(channel.unreadByteCount <= 2 * 65_536)
        }
        #expect(throws: tooLong(65_536)) { try channel.readLine() }
    }

    // K15
    @Test func `a line that can't be decoded is an error that consumes nothing`() throws {
        var bytes = Array("good\nb".utf8)
        bytes += [0xC3, 0x28]
        bytes += Array("d\nnext\n".utf8)
        try ends.peer?.sendAll(bytes)
        #expect(try channel.readLine() == "good")
        let error = ChannelError.text(.undecodable([0xC3], .utf8), at: "\(channel.peerAddress)")
        #expect(throws: error) { try channel.readLine() }
        #expect(throws: error) { try channel.readLine() }
        #expect(channel.unreadByteCount == 10)
        channel.options.text.errorPolicy = .replacing
        #expect(try channel.readLine() == "b\u{FFFD}(d")
        #expect(try channel.readLine() == "next")
    }

    // A9
    @Test func `a line that must be there is an error at the end`() throws {
        let ends = try DrivenEnds(.alone, options: .alore)
        try ends.send("one\rtwo\r\nthree\ntail")
        ends.peer = nil
        try withoutWaiting { () throws in
            for line in ["one", "two", "three", "tail"] {
                #expect(try ends.channel.nextLine() == line)
            }
        }
        let end = ChannelError.endOfInput(ends.channel.peerAddress)
        #expect(throws: end) { try ends.channel.nextLine() }
        #expect(throws: end) { try ends.channel.nextLine() }
        ends.channel.close()
    }

    // A9
    @Test func `return and line feed in different pieces end one line`() throws {
        let ends = try DrivenEnds(.alone, options: .alore)
        try withoutWaiting { () throws in
            try ends.send("one\r")
            #expect(try ends.channel.nextLine() == "one")
            try ends.send("\ntwo\n")
            #expect(try ends.channel.nextLine() == "two")
        }
        ends.channel.close()
    }

    // A9
    @Test func `a line that must be there and is not yet would block`() throws {
        try send("not yet")
        let error = SocketError(.read, .wouldBlock, at: channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try channel.nextLine() }
        #expect(channel.unreadByteCount == 7)
    }

    // K15
    @Test func `walking over lines stops before one that is not complete`() throws {
        try send("a\nb\n\nrest")
        #expect(Array(channel.lines) == ["a", "b", ""])
        #expect(channel.isBlocked)
        #expect(channel.unreadByteCount == 4)
        try send("!\n")
        #expect(Array(channel.lines) == ["rest!"])
    }

    // A13
    @Test func `walking over the lines of a channel that stands alone ends with the input`() throws
    {
        let ends = try DrivenEnds(.alone)
        try ends.send("a\nb\ntail")
        ends.peer = nil
        var lines: [String] = []
        withoutWaiting { for line in ends.channel.lines { lines.append(line) } }
        #expect(lines == ["a", "b", "tail"])
        #expect(ends.channel.isAtEnd)
        ends.channel.close()
    }

    // A14
    @Test(arguments: Driving.allCases)
    func `no line is read from a closed channel`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("line\n")
        ends.channel.close()
        let error = SocketError(.read, .badDescriptor, at: ends.channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try ends.channel.readLine() }
        #expect(throws: ChannelError.socket(error)) { try ends.channel.nextLine() }
    }

    // K19
    @Test func `no line is read after the reading side was closed`() throws {
        try send("line\n")
        try channel.closeReading()
        let error = SocketError(.read, .shutDown, at: channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try channel.readLine() }
    }

    // K15
    @Test func `an error of a write in the background is told once, then the lines come`() throws {
        try send("line\n")
        try channel.write(text: "x")
        SystemCall.failing(.send, with: .noMemory) { reactor.settle() }
        let error = SocketError(.write, .noMemory, at: channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try channel.readLine() }
        #expect(try channel.readLine() == "line")
    }

    // K17
    @Test func `escape sequences without a character are an error at the input's limit`() throws {
        channel.options.text.encoding = try TextEncoding(named: "iso2022-jp")
        channel.options.inputLimit = 10_000
        let escapes = Array(repeatElement([0x1B, 0x28, 0x42] as [UInt8], count: 4_000).joined())
        try ends.peer?.sendAll(escapes)
        let error = #expect(throws: ChannelError.self) { try channel.read(characters: 1) }
        let peer = channel.peerAddress
        #expect(error == .socket(SocketError(.read, .messageTooLong, at: peer)))
        #expect(channel.endReason == .limit(.input))
    }

    // K15
    @Test func `a negative limit is none but 0`() throws {
        setLineLimit(-1)
        try send("1\n\n")
        #expect(throws: tooLong(0)) { try channel.readLine() }
    }
}
