// SPDX-License-Identifier: Apache-2.0
//
// Text and bytes read from the same channel in turn, and looks at what is there.
// A line feed that belongs to a line before is nobody's byte.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct MixedReading: ConnectionSuite {
    let ends: ConnectionEnds

    private func send(_ text: String) throws { try ends.peer?.sendAll(text) }

    /// The ways to read bytes.
    enum Way: CaseIterable {
        case lent, stored, parsed
    }

    private func readBytes(_ way: Way, of channel: Channel) throws -> String {
        let text = Box("")
        switch way {
        case .lent: try channel.read { text.value = $0.text }
        case .stored:
            var storage = [UInt8](repeating: 0, count: 100)
            var span = storage.mutableSpan
            var bytes = span.mutableBytes
            guard case .bytes(let count) = try channel.read(into: &bytes) else { return "" }
            text.value = Array(storage[..<count]).text
        case .parsed:
            try channel.parse {
                text.value = $0.text
                return $0.byteCount
            }
        }
        return text.value
    }

    // K15, K17
    @Test(arguments: Driving.allCases, Way.allCases)
    func `bytes follow a line, and a line follows bytes`(_ driving: Driving, _ way: Way) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("length 4\r\n\r\nbody")
        try withoutWaiting { () throws in
            #expect(try ends.channel.readLine() == "length 4")
            #expect(try ends.channel.readLine() == "")
            #expect(try readBytes(way, of: ends.channel) == "body")
            try ends.send("next\n")
            #expect(try ends.channel.readLine() == "next")
        }
        ends.channel.close()
    }

    // K15, K17
    @Test func `characters follow a line, and a line follows characters`() throws {
        try send("one\ntwothree\nfour\n")
        #expect(try channel.readLine() == "one")
        #expect(try channel.read(characters: 3) == "two")
        #expect(try channel.readLine() == "three")
        #expect(try channel.readBytes(upTo: 2).text == "fo")
        #expect(try channel.readLine() == "ur")
    }

    // K15
    @Test(arguments: Way.allCases)
    func `a line feed that comes later is no byte of what follows the line`(_ way: Way) throws {
        try send("head\r")
        #expect(try channel.readLine() == "head")
        try send("\nbody")
        #expect(try readBytes(way, of: channel) == "body")
        try send("\nline\n")
        #expect(try channel.readLine() == "")
        #expect(try channel.readLine() == "line")
    }

    // K15
    @Test func `a line feed that comes later is no byte that is pushed`() throws {
        try send("head\r")
        #expect(try channel.readLine() == "head")
        let text = Box("")
        channel.onBytes { text.value += $1.text }
        try send("\nbody\n")
        reactor.settle()
        #expect(text.value == "body\n")
    }

    // K15
    @Test func `a line feed behind other bytes is an ordinary byte`() throws {
        try send("head\r")
        #expect(try channel.readLine() == "head")
        try send("body")
        #expect(try channel.readOnce() == "body")
        try send("\nnext\n")
        #expect(try channel.readLine() == "")
        #expect(try channel.readLine() == "next")
    }

    // K17
    @Test func `bytes of a character that was begun are still there for a reader of bytes`() throws
    {
        try ends.peer?.sendAll("ab€")
        #expect(try channel.read(characters: 2) == "ab")
        #expect(try channel.readBytes(upTo: 1) == [0xE2])
        channel.options.text.encoding = .latin1
        #expect(try channel.read(characters: 2) == "\u{82}\u{AC}")
    }

    // K15, K17
    @Test func `bytes follow a line of an encoding with wide characters`() throws {
        channel.options.text.encoding = .utf16LittleEndian
        let bytes: [UInt8] = [0x61, 0, 0x0D, 0, 0x0A, 0, 1, 2, 3, 0x62, 0, 0x0A, 0]
        try ends.peer?.sendAll(bytes)
        #expect(try channel.readLine() == "a")
        #expect(try channel.readBytes(upTo: 3) == [1, 2, 3])
        #expect(try channel.readLine() == "b")
    }

    // A13
    @Test func `peeking shows what was read, without reading or consuming`() throws {
        let ends = try DrivenEnds(.alone)
        try ends.send("one\r\ntwo\r\nthree")
        let nothing = try withoutWaiting { try ends.channel.peekText() }
        #expect(nothing == "")
        #expect(ends.channel.counters.reads == 0)
        #expect(try ends.channel.readLine() == "one")
        for _ in 0..<2 {
            let rest = try withoutWaiting { try ends.channel.peekText() }
            #expect(rest == "two\nthree")
        }
        #expect(ends.channel.counters.reads == 1)
        #expect(try ends.channel.readLine() == "two")
        ends.channel.close()
    }

    // A12
    @Test(arguments: [Driving.blocking, .alone])
    func `more is known at once where something is in the buffer`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("a\nb")
        try withoutWaiting { () throws in
            #expect(try ends.channel.hasMore())
            #expect(try ends.channel.readLine() == "a")
            #expect(try ends.channel.hasMore())
            #expect(try ends.channel.read(characters: 1) == "b")
        }
        ends.peer = nil
        try withoutWaiting { () throws in
            #expect(try !ends.channel.hasMore())
            #expect(try !ends.channel.hasMore())
        }
        ends.channel.close()
    }

    // A12
    @Test func `a line feed that belongs to the line before is not more`() throws {
        let ends = try DrivenEnds(.alone)
        try ends.send("a\r")
        #expect(try ends.channel.readLine() == "a")
        try ends.send("\n")
        ends.peer = nil
        #expect(try !ends.channel.hasMore())
        ends.channel.close()
    }

    // A12
    @Test func `a channel that does not wait can't know whether more comes`() throws {
        let error = SocketError(.read, .wouldBlock, at: channel.peerAddress)
        #expect(throws: ChannelError.socket(error)) { try channel.hasMore() }
        try send("x")
        #expect(try channel.hasMore())
        #expect(try channel.readText() == "x")
    }

    // A12
    @Test func `nothing is more behind the end mark`() throws {
        channel.options.text.inputEndMark = "!"
        try send("a!b")
        #expect(try channel.hasMore())
        #expect(try channel.readText() == "a")
        #expect(channel.isAtEnd)
        #expect(try !channel.hasMore())
    }

    // MARK: Encodings with a state

    /// Bytes that make one character after the other, each as the ones before had it.
    static let stateful: [(encoding: String, bytes: [UInt8])] = [
        ("utf-16", [0xFE, 0xFF, 0, 0x61, 0, 0x0A, 0, 0x62, 0, 0x63, 0, 0x0A]),
        (
            "iso2022-jp",
            [0x61, 0x0A, 0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x0A]
        ),
    ]

    // A12, A13
    @Test(arguments: stateful)
    func `asking and peeking leave the state as it was`(
        encoding: String, bytes: [UInt8]
    ) throws {
        channel.options.text.encoding = try TextEncoding(named: encoding)
        try ends.peer?.sendAll(bytes)
        #expect(try channel.readLine() == "a")
        let second = encoding == "utf-16" ? "bc" : "日本"
        #expect(try channel.hasMore())
        #expect(try channel.peekText() == second + "\n")
        let first = try channel.read(characters: 1)
        #expect(first == String(second.first ?? " "))
        #expect(try channel.hasMore())
        #expect(try channel.peekText() == "\(second.last ?? " ")\n")
        #expect(try channel.readLine() == String(second.last ?? " "))
    }

    // K9
    @Test func `a line feed in two parts is not for the reader of bytes`() throws {
        channel.options.text.encoding = .utf16BigEndian
        try ends.peer?.sendAll([0, 0x61, 0, 0x0D] as [UInt8])
        #expect(try channel.readLine() == "a")
        try ends.peer?.sendAll([0] as [UInt8])
        #expect(try channel.readBytes(upTo: 9) == [])
        try ends.peer?.sendAll([0x0A, 1, 2] as [UInt8])
        #expect(try channel.readBytes(upTo: 9) == [1, 2])
    }

    // K9
    @Test func `a line feed that comes late is not for a handler of bytes`() throws {
        try send("a\r")
        #expect(try channel.readLine() == "a")
        let received = Box("")
        channel.onBytes { _, bytes in received.value += bytes.text }
        reactor.settle()
        try send("\nb")
        reactor.expect("the rest") { received.value == "b" }
    }

    @Test func `a reader of text within a handler of bytes reads what comes behind them`() throws {
        channel.options.text.encoding = .utf16LittleEndian
        try send("x")
        #expect(try channel.parse { _ in 0 } == .bytes(0))
        var seen: [String] = []
        channel.onBytes { channel, bytes in
            seen.append("\(bytes.byteCount)")
            if let line = try channel.readLine() { seen.append(line) }
        }
        try ends.peer?.sendAll([0x61, 0, 0x62, 0] as [UInt8])
        reactor.settle()
        try ends.peer?.sendAll([0x63, 0, 0x0A, 0] as [UInt8])
        reactor.settle()
        #expect(seen.first == "1")
        #expect(channel.status == .open)
    }

    @Test func `a parser that reads text itself finds the bytes that it left`() throws {
        try send("ab")
        _ = try channel.parse { _ in 0 }
        try send("cd")
        _ = try channel.parse { bytes in
            #expect(bytes.text == "abcd")
            let line = try channel.readLine()
            #expect(line == nil)
            return 1
        }
        try send("e\n")
        #expect(try channel.readLine() == "bcde")
    }

    // A13
    @Test func `a read of nothing does not wait for a line feed`() throws {
        let ends = try DrivenEnds(.alone)
        try ends.send("a\r")
        #expect(try ends.channel.readLine() == "a")
        let count = try withoutWaiting { try ends.channel.read(upTo: 0) { _ in } }
        #expect(count == .bytes(0))
        ends.channel.close()
    }
}
