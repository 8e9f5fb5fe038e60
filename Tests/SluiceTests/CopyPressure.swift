// SPDX-License-Identifier: Apache-2.0
//
// Copies to a peer that reads slowly or not at all: the source is held back, memory stays at the
// mark, and all arrives whole and in order.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyPressure {
    /// Sends as much as the source's peer can get rid of while nobody reads at the other end.
    private func flood(_ ends: CopyingEnds, _ highest: Box<Int>) throws -> Int {
        let piece = [UInt8](repeating: 0x66, count: 65_536)
        var sent = 0
        var idle = 0
        while idle < 50 {
            idle += 1
            while case .bytes(let count)? = try ends.source.peer?.send(piece.span.bytes) {
                sent += count
                idle = 0
            }
            ends.reactor.runPending()
            highest.value = max(highest.value, ends.to.unsentByteCount)
        }
        return sent
    }

    // K31, K35
    @Test(arguments: [false, true])
    func `a peer that does not read holds the source back at the mark`(isText: Bool) throws {
        var options = ChannelOptions.binary
        options.highWaterMark = 50_000
        options.lowWaterMark = 10_000
        if isText { options.text.outputTranslation = .crlf }
        let ends = try CopyingEnds(to: options, smallBuffers: true)
        let copy = try ends.copy()
        let highest = Box(0)
        let sent = try flood(ends, highest)
        #expect(highest.value > 50_000)
        #expect(highest.value <= 50_000 + 2 * Reactor.scratchByteCount)
        #expect(ends.from.unreadByteCount <= 2 * Reactor.scratchByteCount)
        try ends.source.peer?.shutDown(.writing)
        #expect(try ends.sink.receive(sent).count == sent)
        copy.expect(moved: sent)
        ends.expectEnd(read: sent, written: sent)
    }

    // K31
    @Test func `a held copy does not spin`() throws {
        let ends = try CopyingEnds(smallBuffers: true)
        try ends.copy()
        _ = try flood(ends, Box(0))
        #expect(ends.reactor.turnCount() < 5)
    }

    // K31
    @Test(arguments: [0, 1_000])
    func `a copy at its limit does not spin while the rest goes out`(limit: Int) throws {
        let ends = try CopyingEnds(smallBuffers: true)
        let filled = try ends.sink.fill()
        try ends.copy(limit: limit)
        let all = pattern(30_000)
        #expect(try ends.source.peer?.send(all.span.bytes) == .bytes(all.count))
        ends.reactor.settle()
        #expect(ends.to.unsentByteCount < ends.to.options.highWaterMark)
        #expect(ends.results.isEmpty)
        #expect(ends.reactor.turnCount() < 5)
        _ = try ends.sink.receive(filled + limit)
        ends.expectEnd(read: limit, written: limit)
    }

    // K31, K7
    @Test func `a copy at an end mark does not spin while the rest goes out`() throws {
        var options = ChannelOptions()
        options.text.inputEndMark = "\u{1A}"
        let ends = try CopyingEnds(from: options, to: .init(), smallBuffers: true)
        let filled = try ends.sink.fill()
        try ends.copy()
        try ends.send("text\u{1A}behind")
        ends.reactor.settle()
        try ends.send("and more")
        #expect(ends.reactor.turnCount() < 5)
        _ = try ends.sink.receive(filled + 4)
        ends.expectEnd(read: 4, written: 4)
    }

    // K28, K32
    @Test func `a copy into a channel with a writable handler does not spin`() throws {
        let ends = try CopyingEnds()
        ends.to.onWritable { [unowned ends] _ in #expect(!ends.results.isEmpty) }
        try ends.copy()
        ends.reactor.settle()
        #expect(ends.reactor.turnCount() < 5)
        try ends.sink.resetByPeer()
        ends.waitForEnd()
        #expect(ends.results.first?.error != nil)
        ends.to.onWritable(nil)
    }

    // K31
    @Test func `a copy at a limit above the mark ends when all has gone out`() throws {
        var options = ChannelOptions.binary
        options.highWaterMark = 1_000
        options.lowWaterMark = 0
        let ends = try CopyingEnds(to: options, smallBuffers: true)
        let filled = try ends.sink.fill()
        try ends.copy(limit: 30_000)
        let all = pattern(30_000)
        #expect(try ends.source.peer?.send(all.span.bytes) == .bytes(30_000))
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
        expectSame(Array(try ends.sink.receive(filled + 30_000).dropFirst(filled)), all)
        ends.expectEnd(read: 30_000, written: 30_000)
    }

    // K31
    @Test func `an output limit below one read holds the source back and refuses nothing`() throws {
        var options = ChannelOptions.binary
        options.outputLimit = 10_000
        let ends = try CopyingEnds(to: options, smallBuffers: true)
        let all = pattern(300_000)
        try ends.copy(limit: all.count)
        let got = try ends.exchange(all)
        expectSame(got, all)
        ends.expectEnd(read: all.count, written: all.count)
    }

    // K31, K32
    @Test func `an output limit below one read is no hindrance to a copy that waits`() throws {
        let ends = try CopyingEnds()
        let all = pattern(50_000)
        #expect(try ends.source.peer?.send(all.span.bytes) == .bytes(50_000))
        try ends.source.peer?.shutDown(.writing)
        ends.to.options.outputLimit = 10_000
        let counts = try ends.from.copy(to: ends.to)
        #expect(counts.bytesWritten == 50_000)
        expectSame(try ends.sink.receive(50_000), all)
    }

    // K31, K33
    @Test func `both directions are held back and go on by themselves`() throws {
        let ends = try CopyingEnds()
        let back = Box<CopyResult?>(nil)
        let all = pattern(3_000_000)
        try ends.copy()
        try ends.to.copy(to: ends.from) { back.value = $0 }
        var sent = (0, 0)
        for _ in 0..<200 {
            sent.0 += try ends.source.peer?.some(of: all, from: sent.0) ?? 0
            sent.1 += try ends.sink.peer?.some(of: all, from: sent.1) ?? 0
            ends.reactor.runPending()
        }
        var got: ([UInt8], [UInt8]) = ([], [])
        let limit = ContinuousClock.now + .seconds(20)
        while got.0.count < all.count || got.1.count < all.count, ContinuousClock.now < limit {
            sent.0 += try ends.source.peer?.some(of: all, from: sent.0) ?? 0
            sent.1 += try ends.sink.peer?.some(of: all, from: sent.1) ?? 0
            ends.reactor.runPending()
            got.0 += try ends.sink.peer?.receiveNow() ?? []
            got.1 += try ends.source.peer?.receiveNow() ?? []
        }
        expectSame(got.0, all)
        expectSame(got.1, all)
        try ends.source.peer?.shutDown(.writing)
        try ends.sink.peer?.shutDown(.writing)
        ends.expectEnd(read: all.count, written: all.count)
        #expect(back.value?.counts == CopyCounts(read: all.count, bytesWritten: all.count))
    }

    // K31, K35
    @Test func `100 MB come whole and in order to a peer that reads slowly`() throws {
        let ends = try CopyingEnds()
        let block = pattern(1_000_003)
        let total = 100 * block.count
        let memory = virtualByteCount()
        try ends.copy()
        var sent = 0
        var got = 0
        var isSame = true
        let limit = ContinuousClock.now + .seconds(60)
        while got < total, ContinuousClock.now < limit {
            while sent < total,
                let count = try ends.source.peer?.some(of: block, from: sent % block.count),
                count > 0
            {
                sent += count
            }
            ends.reactor.runPending()
            for _ in 0..<3 {
                let bytes = try ends.sink.peer?.receiveNow() ?? []
                isSame = isSame && bytes.isSame(as: block, from: got % block.count)
                got += bytes.count
            }
        }
        #expect(got == total)
        #expect(isSame)
        #expect(virtualByteCount() - memory < 30_000_000)
        try ends.source.peer?.shutDown(.writing)
        ends.expectEnd(read: total, written: total)
    }

    // K31
    @Test func `many small pieces come in order and each is told`() throws {
        let ends = try CopyingEnds()
        try ends.copy()
        var text = ""
        for number in 0..<2_000 {
            try ends.send("\(number),")
            text += "\(number),"
            if number.isMultiple(of: 3) { ends.reactor.runPending() }
        }
        try ends.source.peer?.shutDown(.writing)
        #expect(Array(try ends.sink.receive(text.utf8.count)).text == text)
        ends.expectEnd(read: text.utf8.count, written: text.utf8.count)
        #expect(ends.pieces.count > 600)
        #expect(ends.pieces.map(\.read) == ends.pieces.map(\.read).sorted())
        #expect(ends.pieces.last?.bytesWritten == text.utf8.count)
    }

    // K31
    @Test func `what was left unread before the copy is copied first`() throws {
        let ends = try CopyingEnds()
        try ends.send("head:left ")
        try ends.from.parse { _ in 5 }
        #expect(ends.from.unreadByteCount == 5)
        try ends.copy()
        ends.reactor.settle()
        try ends.send("fresh", isLast: true)
        #expect(try ends.received() == "left fresh")
        ends.expectEnd(read: 10, written: 10)
    }

    // K31
    @Test func `what was left unread ends at the limit`() throws {
        let ends = try CopyingEnds()
        try ends.send("abcdef")
        try ends.from.parse { _ in 0 }
        try ends.copy(limit: 4)
        #expect(try ends.received() == "abcd")
        ends.expectEnd(read: 4, written: 4)
        #expect(try ends.from.readText() == "ef")
    }

    // K31, K32
    @Test func `a fast source leaves others their turns`() throws {
        var options = ChannelOptions.binary
        options.bytesPerTurn = 1
        let ends = try CopyingEnds(from: options)
        let all = pattern(200_000)
        try ends.copy(limit: all.count)
        expectSame(try ends.exchange(all), all)
        ends.expectEnd(read: all.count, written: all.count)
    }
}

extension Socket {
    /// Sends what the kernel takes of a block, from a place on.
    fileprivate borrowing func some(of block: [UInt8], from start: Int) throws -> Int {
        if start == block.count { return 0 }
        let rest = block.span.bytes.extracting(droppingFirst: start)
        if case .bytes(let count) = try send(rest) { return count }
        return 0
    }
}

extension [UInt8] {
    /// Whether these are the bytes of a block that is repeated over and over, from a place on.
    fileprivate func isSame(as block: [UInt8], from start: Int) -> Bool {
        let first = Swift.min(count, block.count - start)
        return withUnsafeBytes { mine in
            block.withUnsafeBytes { whole in
                guard let bytes = mine.baseAddress, let base = whole.baseAddress else {
                    return true
                }
                return memcmp(bytes, base + start, first) == 0
                    && memcmp(bytes + first, base, mine.count - first) == 0
            }
        }
    }
}
