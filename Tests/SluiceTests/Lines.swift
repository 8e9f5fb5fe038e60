// SPDX-License-Identifier: Apache-2.0
//
// Lines read on request: complete ones alone, and how blank, missing and last ones are told apart.
// A line that is not complete consumes nothing.

import TestSupport
import Testing

@testable import Sluice

/// How the channel of a test is moved.
enum Driving: CaseIterable {
    /// By a reactor, without waiting.
    case reactor
    /// It is on a reactor and waits by itself.
    case blocking
    /// It has no reactor.
    case alone
}

/// A channel over one end of a socket pair, and the other end for the test to move.
final class DrivenEnds {
    let reactor: Reactor
    let channel: Channel
    var peer: Socket?

    init(
        _ driving: Driving = .reactor, options: ChannelOptions = .init(),
        on reactor: Reactor? = nil
    ) throws {
        let reactor = try reactor ?? Reactor()
        self.reactor = reactor
        var pair = try Socket.makePair()
        let socket = try Socket.taken(from: &pair.first)
        peer = try Socket.taken(from: &pair.second)
        var options = options
        options.isBlocking = driving != .reactor
        channel =
            switch driving {
            case .reactor, .blocking:
                try Channel(adopting: socket, on: reactor, options: options)
            case .alone: try Channel(blocking: socket, options: options)
            }
    }

    func send(_ text: String) throws { try peer?.sendAll(text) }

    func send(_ bytes: [UInt8]) throws { try peer?.sendAll(bytes) }
}

/// Fails what would have to wait, so that a mistake does not hang the test.
@discardableResult
func withoutWaiting<Result>(_ body: () throws -> Result) rethrows -> Result {
    try SystemCall.failing(.poll, with: .noMemory, body)
}

extension Socket {
    /// Sends all of some bytes; the test fails where the kernel takes only a part.
    func sendAll(_ bytes: [UInt8]) throws {
        #expect(try send(bytes.span.bytes) == .bytes(bytes.count))
    }
}

extension Channel {
    /// Reads bytes once, at most this many.
    func readBytes(upTo count: Int) throws -> [UInt8] {
        let bytes = Box<[UInt8]>([])
        try read(upTo: count) { bytes.value = $0.array }
        return bytes.value
    }
}

@Suite(.countingDescriptors)
struct Lines: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    // K15
    @Test(arguments: Driving.allCases)
    func `a line comes without its end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("one\r\ntwo\nthree\rfour\n")
        try withoutWaiting { () throws in
            #expect(try ends.channel.readLine() == "one")
            #expect(try ends.channel.readLine() == "two")
            #expect(try ends.channel.readLine() == "three")
            #expect(try ends.channel.readLine() == "four")
        }
        #expect(!ends.channel.isBlocked)
        #expect(!ends.channel.isAtEnd)
        ends.channel.close()
    }

    // K15
    @Test func `a line that is not complete consumes nothing`() throws {
        try send("not yet")
        #expect(try channel.readLine() == nil)
        #expect(channel.unreadByteCount == 7)
        #expect(try channel.readLine() == nil)
        #expect(try channel.readOnce() == "not yet")
    }

    // K15
    @Test func `a line comes whole when its last piece has come`() throws {
        for piece in ["so", "me", " ", "line"] {
            try send(piece)
            #expect(try channel.readLine() == nil)
        }
        try send("\nnext")
        #expect(try channel.readLine() == "some line")
        #expect(channel.unreadByteCount == 4)
    }

    // K15, K16, K19
    @Test func `a blank line, not yet and the end are told apart`() throws {
        try send("\nx")
        #expect(try channel.readLine() == "")
        #expect(!channel.isBlocked && !channel.isAtEnd)
        #expect(try channel.readLine() == nil)
        #expect(channel.isBlocked && !channel.isAtEnd)
        try send("\n")
        #expect(try channel.readLine() == "x")
        #expect(!channel.isBlocked && !channel.isAtEnd)
        ends.peer = nil
        #expect(try channel.readLine() == nil)
        #expect(!channel.isBlocked && channel.isAtEnd)
    }

    // K19
    @Test func `nothing at all is not yet`() throws {
        #expect(!channel.isBlocked)
        #expect(try channel.readLine() == nil)
        #expect(channel.isBlocked)
        #expect(channel.unreadByteCount == 0)
    }

    // K15, K18
    @Test(arguments: Driving.allCases)
    func `what follows the last line end is a line, and meets the end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("line\ntail")
        ends.peer = nil
        try withoutWaiting { () throws in
            #expect(try ends.channel.readLine() == "line")
            #expect(!ends.channel.isAtEnd)
            #expect(try ends.channel.readLine() == "tail")
            #expect(ends.channel.isAtEnd)
            #expect(try ends.channel.readLine() == nil)
            #expect(ends.channel.isAtEnd)
        }
        ends.channel.close()
    }

    // K18
    @Test(arguments: Driving.allCases)
    func `the last complete line does not meet the end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("line\n")
        ends.peer = nil
        try withoutWaiting { () throws in
            #expect(try ends.channel.readLine() == "line")
            #expect(!ends.channel.isAtEnd)
            #expect(try ends.channel.readLine() == nil)
            #expect(ends.channel.isAtEnd)
        }
        ends.channel.close()
    }

    // K18
    @Test(arguments: Driving.allCases)
    func `the end stays the end`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        ends.peer = nil
        try withoutWaiting { () throws in
            for _ in 0..<3 {
                #expect(try ends.channel.readLine() == nil)
                #expect(ends.channel.isAtEnd)
                #expect(try ends.channel.read(characters: 1) == "")
                #expect(ends.channel.isAtEnd)
            }
        }
        #expect(ends.channel.endReason == .finished)
        ends.channel.close()
    }

    // K15, K18
    @Test(arguments: Driving.allCases)
    func `a tail before the end mark is a line, and meets the end`(_ driving: Driving) throws {
        var options = ChannelOptions()
        options.text.inputEndMark = "\u{1A}"
        let ends = try DrivenEnds(driving, options: options)
        try ends.send("a\nbcd\u{1A}xyz")
        try withoutWaiting { () throws in
            #expect(try ends.channel.readLine() == "a")
            #expect(!ends.channel.isAtEnd)
            #expect(try ends.channel.readLine() == "bcd")
            #expect(ends.channel.isAtEnd)
            #expect(try ends.channel.readLine() == nil)
            #expect(ends.channel.isAtEnd)
        }
        ends.channel.close()
    }

    // K22
    @Test func `a reset is the end`() throws {
        try send("line\n")
        #expect(try channel.readLine() == "line")
        try ends.resetByPeer()
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
        #expect(channel.endReason == .reset)
        #expect(try channel.readLine() == nil)
        #expect(channel.isAtEnd)
    }

    // K22
    @Test func `what was read before a reset is a last line`() throws {
        try send("tail")
        #expect(try channel.readLine() == nil)
        try ends.resetByPeer()
        #expect(try channel.readLine() == "tail")
        #expect(channel.isAtEnd)
        #expect(channel.endReason == .reset)
        #expect(try channel.readLine() == nil)
    }

    // X5
    @Test(arguments: [["a\r", "\n", "\n"], ["a\r", "\n\n"], ["a", "\r", "\n\n"]])
    func `at most one line feed goes with a return`(_ pieces: [String]) throws {
        var lines: [String] = []
        for piece in pieces {
            try send(piece)
            while let line = try channel.readLine() { lines.append(line) }
            #expect(channel.isBlocked)
        }
        #expect(lines == ["a", ""])
        #expect(channel.unreadByteCount == 0)
    }

    // K15, K16
    @Test func `a line feed that belongs to the line before is not a blank line`() throws {
        try send("a\r")
        #expect(try channel.readLine() == "a")
        try send("\n")
        #expect(try channel.readLine() == nil)
        #expect(channel.isBlocked)
        try send("b\n")
        #expect(try channel.readLine() == "b")
    }

    // K15, X5
    @Test func `lines are the same wherever they are cut`() throws {
        let input = Array("a\r\nb\n\rc\r\rd\n\nü€😀\r\n\r\nend".utf8)
        let expected = ["a", "b", "", "c", "", "d", "", "ü€😀", "", "end"]
        for cut in 0...input.count {
            let ends = try DrivenEnds(on: reactor)
            var lines: [String] = []
            for piece in [input[..<cut], input[cut...]] where !piece.isEmpty {
                try ends.send(Array(piece))
                while let line = try ends.channel.readLine() { lines.append(line) }
            }
            ends.peer = nil
            while let line = try ends.channel.readLine() { lines.append(line) }
            #expect(lines == expected, "cut at \(cut)")
            #expect(ends.channel.isAtEnd)
            ends.channel.close()
        }
    }
}
