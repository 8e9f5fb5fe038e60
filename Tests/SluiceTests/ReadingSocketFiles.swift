// SPDX-License-Identifier: Apache-2.0
//
// Sockets as files that are read: bytes and text of one stream, within buffers and limits.
// A file that has run out of time has lost its place.

import Glibc
import Sluice
import TestSupport
import Testing

/// Long enough on any machine.
private let ample = Duration.seconds(20)
/// Nothing that this is waited for happens.
private let short = Duration.milliseconds(5)

/// The options of a file that never waits long.
private func options(
    _ mode: SocketFileOptions.Mode = .reading, buffer: Int = 8_192, within limit: Duration = ample
) -> SocketFileOptions {
    var options = SocketFileOptions(mode)
    options.bufferByteCount = buffer
    options.timeLimit = limit
    return options
}

/// What `body` throws, where it is the error of a file.
private func failure<Result>(_ body: () throws -> Result) -> ChannelError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? ChannelError
    }
}

@Suite(.countingDescriptors)
struct ReadingSocketFiles {
    // MARK: Bytes

    // P30, N37
    @Test func `bytes are read whole, as they come, and to the end`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try pair.second.sendAll("abcdefghijkl")
        let whole = try file.read(3)
        let none = try file.read(0)
        let some = try file.read(upTo: 2)
        let noneAgain = try file.read(upTo: 0)
        try pair.second.shutDown(.writing)
        let rest = try file.readToEnd()
        #expect(
            [whole, none, some, noneAgain, rest].map(\.text) == ["abc", "", "de", "", "fghijkl"])
        let ends = [try file.read(3), try file.read(upTo: 3), try file.readToEnd()]
        #expect(ends == [[], [], []])
    }

    // P30
    @Test(arguments: [0, 1, 3, 8_192])
    func `a read waits for all that was asked for`(buffer: Int) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: buffer))
        let writer = try pair.second.duplicate()
        let thread = OtherThread {
            do {
                for letter in "abcdefg" { try writer.sendAll("\(letter)") }
                try writer.shutDown(.writing)
            } catch {
                Issue.record(error)
            }
        }
        let first = try file.read(5)
        let second = try file.read(5)
        #expect(first.text == "abcde")
        #expect(second.text == "fg")
        thread.join()
    }

    // N37
    @Test(arguments: [0, 1, 8_192])
    func `bytes are read through a delimiter`(buffer: Int) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: buffer))
        try pair.second.sendAll("one\n\ntwo;three")
        try pair.second.shutDown(.writing)
        var pieces = [try file.readBytes(), try file.readBytes()]
        pieces.append(try file.readBytes(through: UInt8(ascii: ";")))
        pieces.append(try file.readBytes())
        pieces.append(try file.readBytes())
        #expect(pieces.map(\.text) == ["one\n", "\n", "two;", "three", ""])
    }

    // N37
    @Test(arguments: [0, 1, 8_192])
    func `a limit holds for what has no delimiter, and leaves it unread`(buffer: Int) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: buffer))
        try pair.second.sendAll("abcd\nefgh\n")
        let tooLong = ChannelError.socket(SocketError(.read, .messageTooLong))
        let early = failure { try file.readBytes(limit: 4) }
        #expect(early == tooLong)
        let line = try file.readBytes(limit: 5)
        #expect(line.text == "abcd\n")
        let never = [0, -1, Int.min].map { limit in failure { try file.readBytes(limit: limit) } }
        #expect(never == [tooLong, tooLong, tooLong])
        let rest = try file.read(5)
        #expect(rest.text == "efgh\n")
    }

    // N37
    @Test func `a limit holds for what is read to the end, and leaves it unread`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try pair.second.sendAll("abcdef")
        try pair.second.shutDown(.writing)
        let tooLong = ChannelError.socket(SocketError(.read, .messageTooLong))
        let errors = [
            failure { try file.readToEnd(limit: 5) }, failure { try file.readToEnd(limit: -1) },
            failure { try file.readText(limit: 5) },
        ]
        #expect(errors == [tooLong, tooLong, tooLong])
        let rest = try file.readToEnd(limit: 6)
        #expect(rest.text == "abcdef")
    }

    // P5
    @Test(arguments: [-1, Int.min])
    func `a negative count is refused`(count: Int) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        let refused = ChannelError.socket(SocketError(.read, .invalidArgument))
        let errors = [
            failure { try file.read(count) }, failure { try file.read(upTo: count) },
            failure { try file.read(characters: count) },
        ]
        #expect(errors == [refused, refused, refused])
    }

    // MARK: Without a buffer

    // N37
    @Test func `without a buffer nothing is read ahead`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: 0))
        try pair.second.sendAll("abcdef\nghijkl")
        let first = try file.read(2)
        let some = try file.read(upTo: 2)
        let line = try file.readBytes()
        let left = try pair.first.receiveNow()
        #expect([first, some, line].map(\.text) == ["ab", "cd", "ef\n"])
        #expect(left?.text == "ghijkl")
    }

    // P30
    @Test func `with a buffer what follows is read ahead`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try pair.second.sendAll("abcdef")
        let first = try file.read(2)
        let left = try pair.first.receiveNow()
        #expect(first.text == "ab")
        #expect(left == [])
        let rest = try file.read(4)
        #expect(rest.text == "cdef")
    }

    // N37
    @Test func `without a buffer there is no text`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(.both, buffer: 0))
        let refused = [
            failure { try file.readLine() }, failure { try file.read(characters: 1) },
            failure { try file.readText() }, failure { try file.write("x") },
        ]
        let reading = ChannelError.socket(SocketError(.read, .notSupported))
        let writing = ChannelError.socket(SocketError(.write, .notSupported))
        #expect(refused == [reading, reading, reading, writing])
    }

    // MARK: Text

    // P30, N37
    @Test func `text and bytes take turns`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try pair.second.sendAll("length 4\r\n\u{1}\u{2}\r\nz\u{E4}hl\nmixed")
        try pair.second.shutDown(.writing)
        let header = try file.readLine()
        let body = try file.read(4)
        let characters = try file.read(characters: 2)
        let bytes = try file.read(2)
        let end = try file.readLine()
        let rest = try file.readText()
        #expect(header == "length 4")
        #expect(body == [1, 2, 13, 10])
        #expect(characters == "z\u{E4}")
        #expect(bytes.text == "hl")
        #expect(end == "")
        #expect(rest == "mixed")
        let after = try file.readLine()
        #expect(after == nil)
    }

    // N37
    @Test func `lines and characters may come in pieces`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        let writer = try pair.second.duplicate()
        let thread = OtherThread {
            do {
                for byte in Array("a\r\n\u{20AC}\rb\n\u{1F600}last".utf8) {
                    try writer.sendAll([byte])
                }
                try writer.shutDown(.writing)
            } catch {
                Issue.record(error)
            }
        }
        var lines = [try file.readLine(), try file.readLine(), try file.readLine()]
        let characters = try file.read(characters: 2)
        lines.append(try file.readLine())
        lines.append(try file.readLine())
        #expect(lines == ["a", "\u{20AC}", "b", "ast", nil])
        #expect(characters == "\u{1F600}l")
        thread.join()
    }

    // N37
    @Test func `a line's length has a limit`() throws {
        let pair = try Socket.makePair()
        var options = options()
        options.text.lineLimit = 4
        var file = try pair.first.makeFile(options)
        try pair.second.sendAll("abcd\nabcde\n")
        let line = try file.readLine()
        #expect(line == "abcd")
        let error = failure { try file.readLine() }
        #expect(error == .text(.lineTooLong(limit: 4), at: "unnamed"))
        let rest = try file.read(6)
        #expect(rest.text == "abcde\n")
    }

    // P6, N9, N37
    @Test func `bytes that are no text are told behind the good text`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try pair.second.sendAll([0x61, 0x62, 0xFF, 0x63, 0x0A])
        let wrong = ChannelError.text(.undecodable([0xFF], .utf8), at: "unnamed")
        let good = try file.read(characters: 4)
        #expect(good == "ab")
        let error = failure { try file.read(characters: 1) }
        #expect(error == wrong)
        #expect(error?.description == "text unnamed: byte FF is no utf-8")
        let rest = try file.read(3)
        #expect(rest == [0xFF, 0x63, 0x0A])
    }

    // N9, N37
    @Test func `bytes that are no text may be replaced`() throws {
        let pair = try Socket.makePair()
        var options = options()
        options.text.errorPolicy = .replacing
        var file = try pair.first.makeFile(options)
        try pair.second.sendAll([0x61, 0xFF, 0x63, 0x0A])
        let line = try file.readLine()
        #expect(line == "a\u{FFFD}c")
    }

    // N37
    @Test func `text of another encoding is read`() throws {
        let pair = try Socket.makePair()
        var options = options()
        options.text.encoding = .latin1
        var file = try pair.first.makeFile(options)
        try pair.second.sendAll([0xE4, 0x0A])
        let line = try file.readLine()
        #expect(line == "\u{E4}")
    }
}

@Suite(.countingDescriptors)
struct RunningOutOfTime {
    // N37
    @Test func `once its time was up a file is not read any more`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(.both, within: short))
        let late = ChannelError.socket(SocketError(.read, .timedOut))
        let first = failure { try file.read(3) }
        #expect(first == late)
        try pair.second.sendAll("abc\n")
        let errors = [
            failure { try file.read(1) }, failure { try file.read(upTo: 1) },
            failure { try file.readToEnd() }, failure { try file.readBytes() },
            failure { try file.readLine() }, failure { try file.read(characters: 1) },
            failure { try file.readText() },
        ]
        #expect(errors == [ChannelError?](repeating: late, count: 7))
        let left = try pair.first.receiveNow()
        #expect(left?.text == "abc\n")
    }

    // N37
    @Test func `once its time was up a file does not give what it has, either`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(within: short))
        try pair.second.sendAll("a\nc")
        let late = ChannelError.socket(SocketError(.read, .timedOut))
        let first = failure { try file.read(4) }
        #expect(first == late)
        let errors = [
            failure { try file.read(1) }, failure { try file.read(upTo: 1) },
            failure { try file.readBytes() }, failure { try file.readLine() },
            failure { try file.read(characters: 1) },
        ]
        #expect(errors == [ChannelError?](repeating: late, count: 5))
    }

    // N37
    @Test func `a file whose reading time was up is still written to`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(.both, within: short))
        _ = failure { try file.read(1) }
        try file.write("still")
        try file.flush()
        let bytes = try pair.second.receiveNow()
        #expect(bytes?.text == "still")
    }

    // N37
    @Test func `a file that never waits goes on where it was`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(within: .zero))
        try pair.second.sendAll("abc")
        let empty = ChannelError.socket(SocketError(.read, .wouldBlock))
        let errors = [failure { try file.read(5) }, failure { try file.readLine() }]
        #expect(errors == [empty, empty])
        try pair.second.sendAll("de")
        let bytes = try file.read(5)
        #expect(bytes.text == "abcde")
    }

    // N37
    @Test func `characters that had come when others are missing are still unread`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(within: .zero))
        try pair.second.sendAll("abc")
        let error = failure { try file.read(characters: 5) }
        #expect(error == .socket(SocketError(.read, .wouldBlock)))
        try pair.second.sendAll("de")
        let characters = try file.read(characters: 5)
        #expect(characters == "abcde")
    }
}
