// SPDX-License-Identifier: Apache-2.0
//
// Copying from one channel to another: what is counted, where it ends, and when that is told.
// In the background first, then by the form that waits.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Copying {
    // K31
    @Test func `a copy goes on to the end of the input and tells the counts once`() throws {
        let ends = try CopyingEnds()
        let copy = try ends.copy()
        try ends.send("one ")
        #expect(try ends.received() == "one ")
        copy.expect(isUnderWay: true)
        copy.expect(moved: 4)
        #expect(ends.results.isEmpty)
        try ends.send("two", isLast: true)
        #expect(try ends.received() == "two")
        ends.expectEnd(read: 7, written: 7)
        copy.expect(isUnderWay: false)
    }

    // K31
    @Test(arguments: [nil, -1, 0, 1, 3, 5, 100])
    func `a copy calls back in a later turn whatever waits`(limit: Int?) throws {
        let ends = try CopyingEnds()
        try ends.send("abcde", isLast: true)
        ends.reactor.settle()
        try ends.copy(limit: limit)
        #expect(ends.results.isEmpty)
        #expect(ends.pieces.isEmpty)
        let count = limit.map { $0 < 0 ? 5 : min($0, 5) } ?? 5
        #expect(try ends.received() == String("abcde".prefix(count)))
        ends.expectEnd(read: count, written: count)
    }

    // K31
    @Test func `a copy at the end of the input calls back in a later turn`() throws {
        let ends = try CopyingEnds()
        try ends.source.peer?.shutDown(.writing)
        #expect(try ends.from.read { _ in } == .endOfStream)
        try ends.copy()
        #expect(ends.results.isEmpty)
        ends.expectEnd(read: 0, written: 0)
        #expect(ends.pieces.isEmpty)
    }

    // K31, X7
    @Test func `a copy started inside a handler calls back after the handler`() throws {
        let ends = try CopyingEnds()
        let isInside = Box(false)
        ends.from.onReadable { [unowned ends] _ in
            isInside.value = true
            try ends.from.copy(to: ends.to, limit: 0) { result in
                #expect(!isInside.value)
                ends.results.append(result)
            }
            ends.from.onReadable(nil)
            isInside.value = false
        }
        try ends.send("x")
        ends.expectEnd(read: 0, written: 0)
    }

    // K31
    @Test func `what a limit leaves can be read and copied afterwards`() throws {
        let ends = try CopyingEnds()
        try ends.send("headBODYtail")
        #expect(try ends.from.read(characters: 4) == "head")
        try ends.copy(limit: 4)
        #expect(try ends.received() == "BODY")
        ends.expectEnd(read: 4, written: 4)
        #expect(try ends.from.read(characters: 4) == "tail")
    }

    // K31
    @Test func `a copy goes on as pieces come until its limit is met`() throws {
        let ends = try CopyingEnds()
        try ends.copy(limit: 5)
        for piece in ["a", "bc", "defg"] {
            try ends.send(piece)
            ends.reactor.settle()
        }
        #expect(try ends.received() == "abcde")
        ends.expectEnd(read: 5, written: 5)
        #expect(ends.pieces.map(\.read) == [1, 3, 5])
        #expect(try ends.from.readText() == "fg")
    }

    // K31, K32
    @Test func `a copy that waits gives both counts and leaves the modes as they were`() throws {
        let ends = try CopyingEnds()
        var options = ends.to.options
        options.buffering = .full
        ends.to.options = options
        try ends.send("abcdef", isLast: true)
        #expect(try ends.from.copy(to: ends.to) == CopyCounts(read: 6, bytesWritten: 6))
        #expect(ends.to.options == options)
        #expect(!ends.from.options.isBlocking)
        #expect(try ends.sink.peer?.receiveNow()?.text == "abcdef")
    }

    // K31
    @Test(arguments: [-5, 0, 1, 4, 6, 7])
    func `a copy that waits keeps to its limit`(limit: Int) throws {
        let ends = try CopyingEnds()
        try ends.send("abcdef", isLast: true)
        let count = limit < 0 ? 6 : min(6, limit)
        let counts = try ends.from.copy(to: ends.to, limit: limit)
        #expect(counts == CopyCounts(read: count, bytesWritten: count))
        #expect(try ends.from.readText() == String("abcdef".dropFirst(count)))
    }

    // K31
    @Test func `a copy that waits calls no handler`() throws {
        let ends = try CopyingEnds()
        ends.from.onReadable { _ in wrongly() }
        ends.to.onWritable { _ in wrongly() }
        try ends.send("abc", isLast: true)
        #expect(try ends.from.copy(to: ends.to).read == 3)
        ends.from.onReadable(nil)
        ends.to.onWritable(nil)
    }

    // K31
    @Test func `channels that stand alone copy and wait`() throws {
        let source = try AloneEnds()
        let sink = try AloneEnds()
        try source.peer?.sendAll("one\ntwo\n")
        source.peer = nil
        let counts = try source.channel.copy(to: sink.channel)
        #expect(counts == CopyCounts(read: 8, bytesWritten: 8))
        #expect(try sink.peer?.receiveNow()?.text == "one\ntwo\n")
        #expect(source.channel.options.isBlocking)
        source.channel.close()
        sink.channel.close()
    }

    // K31
    @Test func `a copy in the background needs a reactor on both sides`() throws {
        let ends = try CopyingEnds()
        let alone = try AloneEnds()
        let bad = ErrorCode.badDescriptor
        for (from, to) in [(ends.from, alone.channel), (alone.channel, ends.to)] {
            let error = #expect(throws: ChannelError.self) {
                try from.copy(to: to) { _ in wrongly() }
            }
            guard case .socket(let reason) = error else { return wrongly() }
            #expect(reason.code == bad)
        }
        alone.channel.close()
        try ends.copy(limit: 0)
        ends.expectEnd(read: 0, written: 0)
    }

    // K31, K35
    @Test(arguments: [false, true])
    func `a copy that waits passes text on as it comes`(isText: Bool) throws {
        let source = try AloneEnds()
        let sink = try AloneEnds()
        if isText { source.channel.options.text.inputTranslation = .crlf }
        let isHeard = Flag()
        let peers = RelayPeers(asking: try source.takePeer(), hearing: try sink.takePeer())
        let thread = OtherThread { if peers.ask() { isHeard.set() } }
        try source.channel.copy(to: sink.channel)
        thread.join()
        #expect(isHeard.isSet, "the question was held back until the input ended")
        source.channel.close()
        sink.channel.close()
    }

    // K31, K35
    @Test func `a copy that waits inside a handler waits for what the kernel does not have yet`()
        throws
    {
        var options = ChannelOptions()
        options.text.inputTranslation = .crlf
        let ends = try CopyingEnds(from: options, to: .init())
        let counts = Box<CopyCounts?>(nil)
        ends.from.onReadable { [unowned ends] channel in
            channel.onReadable(nil)
            counts.value = try channel.copy(to: ends.to)
        }
        try ends.send("a\r\nb", isLast: true)
        // Each wait is a poll; one that goes on for ever is ended.
        let polls = Answers(.failure(.noMemory), to: [.poll]) { $0 > 100 }
        polls.give { ends.reactor.settle() }
        #expect(counts.value == CopyCounts(read: 3, bytesWritten: 3))
        #expect(try ends.received() == "a\nb")
    }

    // K31, K35
    @Test func `a copy that waits goes on behind a character that the encoding holds back`() throws
    {
        let ends = try CopyingEnds()
        ends.from.options.text.encoding = .utf16BigEndian
        ends.to.options.text.encoding = try TextEncoding(named: "euc-jisx0213")
        try ends.send([0x30, 0x4B, 0, 0x78, 0, 0x79])
        try ends.source.peer?.shutDown(.writing)
        let count = Box(0)
        let answers: SystemCall.Interceptor = { call in
            guard call == .receive else { return nil }
            count.value += 1
            return [1: .atMost(2), 2: .failure(.wouldBlock)][count.value]
        }
        let counts = try SystemCall.intercepting(answers) { try ends.from.copy(to: ends.to) }
        #expect(counts == CopyCounts(read: 3, bytesWritten: 4))
    }

    // K13, K31
    @Test(arguments: [false, true], [false, true])
    func `after a copy the source is at its end if the copy met that`(
        isText: Bool, waits: Bool
    )
        throws
    {
        let ends = try CopyingEnds()
        if isText { ends.from.options.text.inputTranslation = .crlf }
        func copy(_ limit: Int) throws {
            if waits {
                try ends.from.copy(to: ends.to, limit: limit)
            } else {
                try ends.copy(limit: limit)
            }
            ends.reactor.settle()
        }
        #expect(try ends.from.readLine() == nil)
        #expect(ends.from.isBlocked)
        try ends.send("abc", isLast: true)
        try copy(2)
        #expect(!ends.from.isBlocked)
        #expect(!ends.from.isAtEnd)
        try copy(2)
        #expect(ends.from.isAtEnd)
        try copy(0)
        #expect(!ends.from.isAtEnd)
    }

    // K31, T10
    @Test func `a copy from a channel that is connecting leaves that as it is`() throws {
        let ends = try CopyingEnds()
        let mute = try MuteListener()
        let channel = try Client(on: ends.reactor).open(mute.address)
        let copy = try channel.copy(to: ends.to) { _ in wrongly() }
        ends.reactor.settle()
        #expect(channel.status == .connecting)
        copy.stop()
        let result = Box<CopyResult?>(nil)
        try channel.copy(to: ends.to, limit: 0) { result.value = $0 }
        #expect(result.value == nil)
        ends.reactor.settle()
        #expect(result.value?.counts == CopyCounts())
        #expect(channel.status == .connecting)
        channel.abort()
    }

    // K31, T10
    @Test func `a copy from a channel that is connecting begins when it is connected`() throws {
        let ends = try CopyingEnds()
        let listener = try Socket.listening()
        let channel = try Client(on: ends.reactor).open(listener.localAddress)
        let result = Box<CopyResult?>(nil)
        try channel.copy(to: ends.to) { result.value = $0 }
        guard let peer = try listener.accept() else { return wrongly() }
        try peer.socket.sendAll("abc")
        try peer.socket.shutDown(.writing)
        ends.reactor.settle()
        #expect(result.value?.error == nil)
        #expect(result.value?.counts == CopyCounts(read: 3, bytesWritten: 3))
        channel.abort()
    }

    // K31, K32
    @Test func `a copy that waits waits for the source's connection`() throws {
        let ends = try CopyingEnds()
        let listener = try Socket.listening()
        let channel = try Client(on: ends.reactor).open(listener.localAddress)
        guard let peer = try listener.accept() else { return wrongly() }
        try peer.socket.sendAll("abc")
        try peer.socket.shutDown(.writing)
        let polls = Answers(.failure(.noMemory), to: [.poll]) { $0 > 100 }
        let counts = try polls.give { try channel.copy(to: ends.to) }
        #expect(counts.bytesWritten == 3)
        channel.abort()
    }

    // K31, K32
    @Test func `a copy that waits waits for the destination's connection`() throws {
        let ends = try CopyingEnds()
        let server = try ends.reactor.listen()
        let channel = try Client(on: ends.reactor).open(server.address)
        try ends.send("abc", isLast: true)
        // Each wait is a poll; one that goes on for ever is ended.
        let polls = Answers(.failure(.noMemory), to: [.poll]) { $0 > 100 }
        let counts = try polls.give { try ends.from.copy(to: channel) }
        #expect(counts.bytesWritten == 3)
        channel.abort()
        server.close()
    }
}

/// Peers of two channels that another thread moves: the one asks, the other hears.
private final class RelayPeers: Sendable {
    private let asking: Socket
    private let hearing: Socket

    init(asking: consuming Socket, hearing: consuming Socket) {
        self.asking = asking
        self.hearing = hearing
    }

    /// Asks, and ends its side when the question was heard or two seconds have passed.
    func ask() -> Bool {
        var question = pollfd(fd: hearing.number, events: Int16(POLLIN), revents: 0)
        do {
            try asking.sendAll("question\r\n")
            let isHeard = poll(&question, 1, 2_000) == 1
            try asking.shutDown(.writing)
            return isHeard
        } catch {
            return false
        }
    }
}
