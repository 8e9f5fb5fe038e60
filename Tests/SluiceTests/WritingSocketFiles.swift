// SPDX-License-Identifier: Apache-2.0
//
// Sockets as files that are written: when what is buffered goes out, and who closes what.
// A file and its socket end independently, and the connection with the last of them.

import Glibc
import Sluice
import TestSupport
import Testing

/// The options of a file that never waits long.
private func options(
    _ mode: SocketFileOptions.Mode = .writing, buffer: Int = 8_192,
    within limit: Duration = .seconds(20)
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
struct WritingSocketFiles {
    // MARK: Making

    // P30, N37
    @Test(arguments: [SocketFileOptions.Mode.reading, .writing, .both])
    func `a file has the directions that were asked for`(mode: SocketFileOptions.Mode) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(mode))
        try pair.second.sendAll("x")
        let reading = failure { try file.read(1) }
        let writing = failure { try file.write("y") }
        let noReading = ChannelError.socket(SocketError(.read, .badDescriptor))
        let noWriting = ChannelError.socket(SocketError(.write, .badDescriptor))
        #expect(reading == (mode == .writing ? noReading : nil))
        #expect(writing == (mode == .reading ? noWriting : nil))
        try file.close()
        let received = try pair.second.receiveNow()
        #expect(received?.text == (mode == .reading ? "" : "y"))
    }

    // P30
    @Test func `a file reads, unless it is asked for more`() throws {
        let initial = SocketFileOptions()
        #expect(initial.mode == .reading)
        #expect(initial.bufferByteCount == 8_192)
        #expect(initial.timeLimit == nil)
        #expect(!initial.flushesLines)
    }

    // P5, P30
    @Test(arguments: [-1, Int.min, (16 << 20) + 1, Int.max])
    func `a buffer out of bounds is refused`(byteCount: Int) throws {
        let pair = try Socket.makePair()
        #expect(throws: SocketError(.create, .invalidArgument)) {
            _ = try pair.first.makeFile(options(buffer: byteCount))
        }
    }

    // P30
    @Test(arguments: [0, 1, 16 << 20])
    func `a buffer within bounds is taken`(byteCount: Int) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: byteCount))
        try file.write(Array("x".utf8).span.bytes)
        try file.close()
        let received = try pair.second.receiveNow()
        #expect(received?.text == "x")
    }

    // P30
    @Test func `a file that can't have a descriptor says so`() throws {
        let pair = try Socket.makePair()
        #expect(throws: SocketError(.duplicate, .tooManyOpenFiles)) {
            try SystemCall.failing(.duplicate, with: .tooManyOpenFiles) {
                _ = try pair.first.makeFile()
            }
        }
    }

    // MARK: Going out

    // P30
    @Test func `what is written waits for a full buffer, or to be flushed`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: 8))
        try file.write("1234567")
        let nothing = try pair.second.receiveNow()
        try file.write("8")
        let full = try pair.second.receiveNow()
        try file.write("9")
        try file.flush()
        let flushed = try pair.second.receiveNow()
        try file.flush()
        let again = try pair.second.receiveNow()
        #expect(nothing == [])
        #expect(full?.text == "12345678")
        #expect(flushed?.text == "9")
        #expect(again == [])
    }

    // N37
    @Test func `a line's end may flush`() throws {
        let pair = try Socket.makePair()
        var options = options(.both)
        options.flushesLines = true
        var file = try pair.first.makeFile(options)
        try file.write("one")
        let nothing = try pair.second.receiveNow()
        try file.write(" line\nand")
        let line = try pair.second.receiveNow()
        try file.write(Array("\n".utf8).span.bytes)
        let rest = try pair.second.receiveNow()
        #expect(nothing == [])
        #expect(line?.text == "one line\nand")
        #expect(rest?.text == "\n")
    }

    // N37
    @Test func `without a buffer every write goes out at once`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: 0))
        let calls = CallCount()
        try calls.count {
            for text in ["a", "bc", "def"] { try file.write(Array(text.utf8).span.bytes) }
        }
        #expect(calls.sends == 3)
        let received = try pair.second.receiveNow()
        #expect(received?.text == "abcdef")
    }

    // P30
    @Test func `small writes leave in one call`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(buffer: 1_000))
        let calls = CallCount()
        try calls.count {
            for _ in 0..<100 { try file.write("0123456789") }
        }
        #expect(calls.sends == 1)
        let received = try pair.second.receiveNow()
        #expect(received?.count == 1_000)
    }

    // P30
    @Test func `more than the socket takes is waited for`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        let bytes = pattern(1_000_000)
        let reader = try pair.second.duplicate()
        let received = SharedValue<[UInt8]>([])
        let thread = OtherThread {
            do {
                while case let more = try reader.receive(upTo: 65_536, within: .seconds(20)),
                    !more.isEmpty
                {
                    received.change { $0 += more }
                }
            } catch {
                Issue.record(error)
            }
        }
        try file.write(bytes.span.bytes)
        try file.close()
        try pair.first.shutDown(.writing)
        thread.join()
        expectSame(received.value, bytes)
    }

    // N24, N37
    @Test(arguments: [(Duration.zero, ErrorCode.wouldBlock), (.milliseconds(5), .timedOut)])
    func `what the socket has not taken in time stays in the buffer`(
        limit: Duration, code: ErrorCode
    ) throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(within: limit))
        let bytes = pattern(1_000_000)
        let error = failure { try file.write(bytes.span.bytes) }
        #expect(error == .socket(SocketError(.write, code)))
        var received: [UInt8] = []
        for _ in 0..<1_000 where received.count < bytes.count {
            while let more = try pair.second.receiveNow(), !more.isEmpty { received += more }
            _ = failure { try file.flush() }
        }
        expectSame(received, bytes)
    }

    // MARK: Text

    // N37
    @Test func `text is written in its encoding, with its line ends`() throws {
        let pair = try Socket.makePair()
        var options = options()
        options.text.encoding = .latin1
        options.text.outputTranslation = .crlf
        var file = try pair.first.makeFile(options)
        try file.write("z\u{E4}hl\n")
        try file.write(Array("\u{7}\n".utf8).span.bytes)
        try file.close()
        let received = try pair.second.receiveNow()
        #expect(received == [0x7A, 0xE4, 0x68, 0x6C, 13, 10, 7, 10])
    }

    // P6, N9, N37
    @Test func `text that the encoding lacks is refused, and nothing of it is written`() throws {
        let pair = try Socket.makePair()
        var options = options()
        options.text.encoding = .latin1
        var file = try pair.first.makeFile(options)
        try file.write("good ")
        let error = failure { try file.write("bad \u{20AC}") }
        #expect(error == .text(.unencodable("\u{20AC}", .latin1), at: "unnamed"))
        try file.write("again")
        try file.close()
        let received = try pair.second.receiveNow()
        #expect(received?.text == "good again")
    }

    // MARK: Closing

    // P30, N37
    @Test func `closing writes out what is buffered, and leaves the socket open`() throws {
        let pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try file.write("last")
        try file.close()
        let received = try pair.second.receiveNow()
        #expect(received?.text == "last")
        try pair.first.sendAll("still")
        let still = try pair.second.receiveNow()
        #expect(still?.text == "still")
    }

    // P30
    @Test func `the end of a file's life writes out what is buffered`() throws {
        let pair = try Socket.makePair()
        do {
            var file = try pair.first.makeFile(options())
            try file.write("last")
        }
        let received = try pair.second.receiveNow()
        #expect(received?.text == "last")
    }

    // P22, P30, N37
    @Test func `a file lives on when its socket is closed, and the connection with it`() throws {
        var pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(.both))
        try Socket.taken(from: &pair.first).close()
        try pair.second.sendAll("ping")
        let ping = try file.read(4)
        #expect(ping.text == "ping")
        try file.write("pong")
        try file.flush()
        let pong = try pair.second.receiveNow()
        #expect(pong?.text == "pong")
        let nothing = try pair.second.receiveNow()
        #expect(nothing == [])
        try file.close()
        let end = try pair.second.receiveNow()
        #expect(end == nil)
    }

    // P30, N37
    @Test func `several files of one socket are closed independently`() throws {
        var pair = try Socket.makePair()
        var reader = try pair.first.makeFile(options(.reading))
        var writer = try pair.first.makeFile(options(.writing))
        try Socket.taken(from: &pair.first).close()
        try pair.second.sendAll("question")
        try pair.second.shutDown(.writing)
        let question = try reader.readToEnd()
        try reader.close()
        try writer.write("answer")
        try writer.close()
        let answer = [try pair.second.receiveNow(), try pair.second.receiveNow()]
        #expect(question.text == "question")
        #expect(answer == [Array("answer".utf8), nil])
    }

    // P5, P30
    @Test func `a close that can't write says so, and leaves nothing open`() throws {
        var pair = try Socket.makePair()
        var file = try pair.first.makeFile(options())
        try file.write("nobody")
        try Socket.taken(from: &pair.second).close()
        var told: ChannelError?
        do throws(ChannelError) { try file.close() } catch { told = error }
        #expect(told == .socket(SocketError(.write, .brokenPipe)))
    }

    // P6, N35, N37
    @Test func `errors print as sentences`() throws {
        var pair = try Socket.makePair()
        var file = try pair.first.makeFile(options(.both, within: .milliseconds(5)))
        let late = failure { try file.read(1) }
        #expect(late?.description == "read: Connection timed out")
        try Socket.taken(from: &pair.second).close()
        try file.write("x")
        let broken = failure { try file.flush() }
        #expect(broken?.description == "write: Broken pipe")
    }
}
