// SPDX-License-Identifier: Apache-2.0
//
// A reactor whose channels hold too much, and pause: what was read already is handed out all the
// same, whoever reads, for only that makes room.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct HandingOutWhilePaused {
    let reactor: Reactor

    init() throws {
        reactor = try Reactor()
        reactor.bufferLimit = BufferLimit(byteCount: 20_000, policy: .pause)
    }

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x62, count: count) }

    // MARK: Readers

    /// A way to take one of the lines that are there, each of three letters.
    enum Taker: CaseIterable, Sendable {
        case line, characters, parser

        func begin(on channel: Channel, _ taken: Box<[String]>) {
            channel.onReadable { channel in try take(from: channel, taken) }
        }

        private func take(from channel: Channel, _ taken: Box<[String]>) throws {
            switch self {
            case .line:
                if let line = try channel.readLine() { taken.value.append(line) }
            case .characters:
                let text = try channel.read(characters: 4)
                if !text.isEmpty { taken.value.append(String(text.dropLast())) }
            case .parser:
                try channel.parse { bytes in
                    if bytes.byteCount < 4 { return 0 }
                    taken.value.append(bytes.extracting(first: 3).text)
                    return 4
                }
            }
        }
    }

    /// Has a channel be read so, while another one holds too much.
    private func begin(_ taker: Taker) throws -> (PairedChannels, Box<[String]>) {
        let pairs = try PairedChannels(2, on: reactor)
        let taken = Box<[String]>([])
        try pairs.exceed()
        taker.begin(on: pairs.channels[1], taken)
        return (pairs, taken)
    }

    // Above the limit those that hold most are paused; an eighth above it each one that keeps any.
    @Test(arguments: [22_000, 25_000])
    func `who takes a line a call is given all that were read`(byteCount: Int) throws {
        let pairs = try PairedChannels(1, on: reactor)
        let count = Box(0)
        pairs.channels[0].onReadable { channel in
            guard try channel.readLine() != nil else { return }
            count.value += 1
        }
        try pairs.send(String(repeating: "line\n", count: byteCount / 5), to: 0)
        reactor.expect("all lines come") { count.value == byteCount / 5 }
        reactor.settle()
        #expect(!pairs.channels[0].isPausedByLimit)
    }

    @Test(arguments: Taker.allCases)
    func `who takes a piece a call is given all, and read on, whatever others hold`(
        taker: Taker
    ) throws {
        let (pairs, taken) = try begin(taker)
        try pairs.send("one\ntwo\nsix\n", to: 1)
        reactor.expect("all come") { taken.value == ["one", "two", "six"] }
        reactor.settle()
        #expect(!pairs.channels[1].isPausedByLimit)
        try pairs.send("ten\n", to: 1)
        reactor.expect("it is read on") { taken.value.last == "ten" }
        #expect(reactor.buffers.isOver)
    }

    @Test(arguments: [Taker.line, .parser])
    func `what is no whole piece waits for room, and nobody asks for it meanwhile`(
        taker: Taker
    ) throws {
        let (pairs, taken) = try begin(taker)
        try pairs.send("one\ntwo\nte", to: 1)
        reactor.expect("the whole ones come") { taken.value == ["one", "two"] }
        reactor.settle()
        try pairs.send("n\n", to: 1)
        #expect(reactor.turnCount() < 5)
        #expect(pairs.channels[1].unreadByteCount == 2)
        #expect(pairs.channels[1].isPausedByLimit)
        pairs.closePeer(0)
        reactor.expect("it is read on") { taken.value == ["one", "two", "ten"] }
    }

    @Test(arguments: [false, true])
    func `a body that came with its header is handed over`(isParsed: Bool) throws {
        let pairs = try PairedChannels(1, on: reactor)
        let count = Box(0)
        let takeBody = { (channel: Channel) in
            channel.onBytes { _, bytes in count.value += bytes.byteCount }
        }
        if isParsed {
            pairs.channels[0].onReadable { channel in
                try channel.parse { _ in 5 }
                takeBody(channel)
            }
        } else {
            pairs.channels[0].onLine { channel, _ in takeBody(channel) }
        }
        try pairs.send("head\n" + String(repeating: "x", count: 25_000), to: 0)
        reactor.expect("the body comes") { count.value == 25_000 }
        reactor.settle()
        #expect(!pairs.channels[0].isPausedByLimit)
    }

    @Test func `who answers a line a call waits for a peer that does not read`() throws {
        let pairs = try PairedChannels(2, on: reactor, room: 8_192)
        let filled = try pairs.fill(1)
        try pairs.exceed()
        let lines = Box<[String]>([])
        pairs.channels[1].onReadable { channel in
            guard let line = try channel.readLine() else { return }
            lines.value.append(line)
            try channel.writeLine(line)
        }
        try pairs.send("one\ntwo\nthree\n", to: 1)
        reactor.settle()
        #expect(lines.value == ["one"])
        #expect(reactor.turnCount() < 5)
        _ = try pairs.receive(filled + 14, at: 1)
        #expect(lines.value == ["one", "two", "three"])
        #expect(reactor.buffers.isOver)
    }

    // MARK: Copies

    /// Has a channel keep 60,000 bytes that nobody has taken.
    private func keepMuch(_ place: Int, of pairs: PairedChannels) throws {
        try pairs.send(String(repeating: "x", count: 60_000), to: place)
        #expect(try pairs.channels[place].parse { _ in 0 } == .bytes(0))
        #expect(pairs.channels[place].isPausedByLimit)
    }

    @Test(arguments: [false, true])
    func `a copy moves what was read already`(isUntouched: Bool) throws {
        let options = isUntouched ? ChannelOptions.binary : ChannelOptions()
        let pairs = try PairedChannels(2, on: reactor, options: options)
        try keepMuch(0, of: pairs)
        try pairs.channels[0].copy(to: pairs.channels[1]) { _ in }
        #expect(try pairs.receive(60_000, at: 1).count == 60_000)
        reactor.settle()
        #expect(!pairs.channels[0].isPausedByLimit)
    }

    @Test func `a copy of what it has read itself goes on with it`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        try pairs.channels[0].copy(to: pairs.channels[1]) { _ in }
        try pairs.send(String(repeating: "x", count: 60_000), to: 0)
        #expect(try pairs.receive(60_000, at: 1).count == 60_000)
    }

    @Test func `a copy of what was read waits for a peer that does not read`() throws {
        let pairs = try PairedChannels(2, on: reactor, room: 8_192)
        let filled = try pairs.fill(1)
        try keepMuch(0, of: pairs)
        try pairs.channels[0].copy(to: pairs.channels[1]) { _ in }
        reactor.settle()
        #expect(pairs.channels[0].unreadByteCount < 60_000)
        #expect(pairs.channels[1].unsentByteCount < 40_000)
        #expect(try pairs.receive(filled + 60_000, at: 1).count == filled + 60_000)
    }

    // MARK: Output that waits for a buffer to fill

    /// Pauses at the first line, so that the others are kept, and answers each other one.
    private func answer(with bytes: [UInt8], on channel: Channel) -> Box<[String]> {
        let lines = Box<[String]>([])
        channel.options.buffering = .full
        channel.onLine { channel, line in
            lines.value.append(line)
            if lines.value.count == 1 {
                channel.pauseReading()
            } else {
                try channel.write(bytes)
            }
        }
        return lines
    }

    @Test func `an answer that waits for its buffer to fill is sent, and more is read`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        try pairs.exceed()
        let lines = answer(with: bytes(2), on: pairs.channels[1])
        try pairs.send("one\ntwo\n", to: 1)
        reactor.settle()
        #expect(lines.value == ["one"])
        #expect(pairs.channels[1].isPausedByLimit)
        pairs.channels[1].resumeReading()
        #expect(try pairs.receive(2, at: 1).count == 2)
        try pairs.send("three\n", to: 1)
        reactor.expect("the next line comes") { lines.value == ["one", "two", "three"] }
        #expect(reactor.buffers.isOver)
    }

    @Test func `a part of an answer that waits for its buffer to fill holds no line back`() throws {
        let pairs = try PairedChannels(2, on: reactor, room: 8_192)
        let filled = try pairs.fill(1)
        try pairs.exceed()
        let lines = answer(with: bytes(5_000), on: pairs.channels[1])
        try pairs.send("one\ntwo\nthree\n", to: 1)
        reactor.settle()
        pairs.channels[1].resumeReading()
        reactor.settle()
        #expect(lines.value == ["one", "two"])
        #expect(pairs.channels[1].isPausedByLimit)
        _ = try pairs.receive(filled + 4_096, at: 1)
        reactor.expect("the next line comes") { lines.value == ["one", "two", "three"] }
        #expect(reactor.buffers.isOver)
    }

    @Test func `what is written behind output that waits is sent behind it`() throws {
        let pairs = try PairedChannels(2, on: reactor, room: 8_192)
        let filled = try pairs.fill(1)
        // So much that its channel is one of the largest.
        let more = 18_000 - pairs.channels[1].unsentByteCount
        try pairs.channels[1].write(bytes(more))
        pairs.channels[1].onLine { _, _ in }
        try pairs.exceed()
        #expect(pairs.channels[1].isPausedByLimit)
        pairs.channels[1].options.buffering = .full
        try pairs.channels[1].write(text: "ok")
        let received = try pairs.receive(filled + more + 2, at: 1)
        #expect(Array(received.suffix(2)).text == "ok")
        reactor.settle()
        #expect(!pairs.channels[1].isPausedByLimit)
        #expect(reactor.buffers.isOver)
    }

    // MARK: Times

    @Test func `who has sent what is not read yet is not idle`() throws {
        let pairs = try PairedChannels(2, on: reactor)
        let lines = Box<[String]>([])
        pairs.channels[1].onLine { _, line in lines.value.append(line) }
        try pairs.exceed()
        for text in ["hel", "lo\n"] {
            try pairs.send(text, to: 1)
            reactor.settle()
        }
        #expect(pairs.channels[1].isPausedByLimit)
        pairs.channels[1].options.idleTimeout = .milliseconds(50)
        let isOver = Box(false)
        reactor.after(.milliseconds(200)) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
        #expect(pairs.reasons == [nil, nil])
        pairs.closePeer(0)
        reactor.expect("it is read on") { lines.value == ["hello"] }
    }

    @Test func `who has sent nothing is idle all the same`() throws {
        let pairs = try PairedChannels(1, on: reactor)
        try pairs.exceed()
        pairs.channels[0].options.idleTimeout = .milliseconds(50)
        reactor.expect("it is ended") { pairs.reasons == [.timedOut(.idle)] }
    }
}
