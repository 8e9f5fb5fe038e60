// SPDX-License-Identifier: Apache-2.0
//
// Copies that fail: at either end, once, with what was moved.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyFailures {
    private func isReset(_ error: ChannelError?, at address: SocketAddress) -> Bool {
        guard case .socket(let reason) = error else { return false }
        return reason.address == address
            && [.brokenPipe, .connectionReset].contains(reason.code)
    }

    // K31, K21
    @Test func `a destination that was reset is told once, with the counts`() throws {
        let ends = try CopyingEnds()
        try ends.copy()
        try ends.send("fine ")
        #expect(try ends.received() == "fine ")
        try ends.sink.resetByPeer()
        try ends.send("lost")
        ends.reactor.settle()
        try ends.send("more")
        ends.waitForEnd()
        #expect(ends.results.count == 1)
        #expect(isReset(ends.results.first?.error, at: ends.to.peerAddress))
        #expect((ends.results.first?.counts.read ?? 0) >= 5)
        #expect(ends.to.takeError() == nil)
        let error = #expect(throws: SocketError.self) { try ends.to.write([1]) }
        #expect(error == SocketError(.write, .brokenPipe, at: ends.to.peerAddress))
        ends.to.close()
        try ends.send("free")
        ends.reactor.settle()
        #expect(try ends.from.readText().hasSuffix("free"))
    }

    // K31, K21
    @Test(arguments: [false, true])
    func `a failed write is told though all of the source was read`(isEnd: Bool) throws {
        let ends = try CopyingEnds()
        try ends.send("last", isLast: isEnd)
        try ends.copy(limit: isEnd ? nil : 4)
        SystemCall.failing(.send, with: .noMemory) { ends.reactor.settle() }
        let error = SocketError(.write, .noMemory, at: ends.to.peerAddress)
        ends.expectEnd(read: 4, written: 4, .socket(error))
    }

    // K31, K21
    @Test func `a copy whose destination fails while it is held back ends`() throws {
        let ends = try CopyingEnds(smallBuffers: true)
        try ends.copy()
        let piece = [UInt8](repeating: 1, count: 65_536)
        for _ in 0..<50 {
            _ = try ends.source.peer?.send(piece.span.bytes)
            ends.reactor.runPending()
        }
        #expect(ends.to.unsentByteCount > ends.to.options.highWaterMark)
        try ends.sink.resetByPeer()
        ends.waitForEnd()
        #expect(ends.results.count == 1)
        #expect(isReset(ends.results.first?.error, at: ends.to.peerAddress))
    }

    // K31, K33
    @Test(arguments: [false, true])
    func `two copies both end when one connection is reset`(isHeld: Bool) throws {
        let ends = try CopyingEnds(smallBuffers: true)
        let back = Box<[CopyResult]>([])
        try ends.copy()
        try ends.to.copy(to: ends.from) { back.value.append($0) }
        let piece = [UInt8](repeating: 1, count: 65_536)
        for _ in 0..<(isHeld ? 50 : 0) {
            _ = try ends.source.peer?.send(piece.span.bytes)
            ends.reactor.runPending()
        }
        try ends.sink.resetByPeer()
        ends.reactor.settle()
        try ends.send("more")
        ends.waitForEnd()
        #expect(ends.results.count == 1)
        #expect(isReset(ends.results.first?.error, at: ends.to.peerAddress))
        #expect(back.value.count == 1)
        #expect(isReset(back.value.first?.error, at: ends.to.peerAddress))
    }

    // K31, K22
    @Test func `a source that was reset ends the copy with an error`() throws {
        let ends = try CopyingEnds()
        try ends.copy()
        try ends.send("before")
        #expect(try ends.received() == "before")
        try ends.source.resetByPeer()
        let error = SocketError(.read, .connectionReset, at: ends.from.peerAddress)
        ends.expectEnd(read: 6, written: 6, .socket(error))
        #expect(ends.from.endReason == .reset)
        #expect(try ends.received() == "")
        try ends.to.write("free")
        #expect(try ends.received() == "free")
    }

    // K31, K22
    @Test func `a copy that waits throws that the source was reset`() throws {
        let ends = try CopyingEnds()
        try ends.source.resetByPeer()
        let error = #expect(throws: ChannelError.self) { try ends.from.copy(to: ends.to) }
        let reset = SocketError(.read, .connectionReset, at: ends.from.peerAddress)
        #expect(error == .socket(reset))
    }

    // K31, K22
    @Test(arguments: [false, true])
    func `a limit that was met is no error where the source is reset then`(isBefore: Bool) throws {
        let ends = try CopyingEnds(smallBuffers: true)
        let filled = try ends.sink.fill()
        try ends.copy(limit: 4)
        try ends.send("four")
        if !isBefore { ends.reactor.settle() }
        try ends.source.peer?.shutDown(.writing)
        ends.reactor.settle()
        try ends.from.write("unread")
        ends.reactor.settle()
        try ends.source.resetByPeer()
        ends.reactor.settle()
        _ = try ends.sink.receive(filled + 4)
        ends.expectEnd(read: 4, written: 4)
    }

    // K31, K21
    @Test func `an input that ended before a write failed is whole`() throws {
        let ends = try CopyingEnds()
        try ends.send("whole", isLast: true)
        try ends.from.write("x")
        SystemCall.failing(.send, with: .brokenPipe) { ends.reactor.endTurn() }
        _ = ends.from.takeError()
        try ends.copy()
        ends.expectEnd(read: 5, written: 5)
    }

    // K31, K22
    @Test func `an input that a write found reset is not whole`() throws {
        let ends = try CopyingEnds()
        try ends.from.write("x")
        SystemCall.failing(.send, with: .connectionReset) { ends.reactor.endTurn() }
        _ = ends.from.takeError()
        try ends.send("part", isLast: true)
        try ends.copy()
        let error = SocketError(.read, .connectionReset, at: ends.from.peerAddress)
        ends.expectEnd(read: 4, written: 4, .socket(error))
    }

    // K31
    @Test func `a copy from a channel whose connection fails tells the failure, once`() throws {
        let ends = try CopyingEnds()
        let address = try Socket.listening().localAddress
        let channel = try Client(on: ends.reactor).open(address)
        let result = Box<CopyResult?>(nil)
        try channel.copy(to: ends.to) { result.value = $0 }
        ends.reactor.expect("the failure is told") { result.value != nil }
        let error = SocketError(.connect, .connectionRefused, at: address)
        #expect(result.value?.error == .socket(error))
        #expect(channel.takeError() == nil)
        channel.close()
    }

    // K31, K21
    @Test func `a destination that closes itself when it fails is told`() throws {
        let ends = try CopyingEnds()
        ends.to.onBytes { _, _ in wrongly() }
        try ends.copy()
        ends.reactor.settle()
        try ends.sink.resetByPeer()
        ends.waitForEnd()
        #expect(ends.to.status == .closed)
        #expect(ends.results.count == 1)
        #expect(isReset(ends.results.first?.error, at: ends.to.peerAddress))
    }

    // K34
    @Test func `a destination that the kernel watches no more stops the copy`() throws {
        let ends = try CopyingEnds(smallBuffers: true)
        // Its event changes as soon as something is queued.
        ends.to.onBytes { _, _ in wrongly() }
        let copy = try ends.copy()
        ends.reactor.settle()
        let all = pattern(200_000)
        _ = try ends.source.peer?.send(all.span.bytes)
        SystemCall.failing(.watch, with: .noMemory) { ends.reactor.settle() }
        #expect(ends.to.status == .closed)
        copy.expect(isUnderWay: false)
        #expect(ends.results.isEmpty)
    }

    // K31, K21
    @Test func `a copy that waits throws what the destination met and restores the modes`() throws {
        let ends = try CopyingEnds()
        try ends.send("abc", isLast: true)
        let error = #expect(throws: ChannelError.self) {
            try SystemCall.failing(.send, with: .noMemory) { try ends.from.copy(to: ends.to) }
        }
        let expected = SocketError(.write, .noMemory, at: ends.to.peerAddress)
        #expect(error == .socket(expected))
        #expect(!ends.from.options.isBlocking)
        #expect(!ends.to.options.isBlocking)
        #expect(ends.to.takeError() == nil)
    }

    // K31
    @Test func `a copy to a channel whose connection fails tells the failure`() throws {
        let ends = try CopyingEnds()
        let address = try Socket.listening().localAddress
        let channel = try Client(on: ends.reactor).open(address)
        let result = Box<CopyResult?>(nil)
        try ends.send("abc", isLast: true)
        try ends.from.copy(to: channel) { result.value = $0 }
        ends.reactor.expect("the failure is told") { result.value != nil }
        let error = SocketError(.connect, .connectionRefused, at: address)
        #expect(result.value?.error == .socket(error))
        channel.close()
    }

    // K31
    @Test func `a copy to a channel that is still connecting arrives when it is connected`() throws
    {
        let ends = try CopyingEnds()
        let listener = try Socket.listening()
        let channel = try Client(on: ends.reactor).open(listener.localAddress)
        let result = Box<CopyResult?>(nil)
        try ends.send("abc", isLast: true)
        try ends.from.copy(to: channel) { result.value = $0 }
        ends.reactor.settle()
        #expect(result.value?.counts == CopyCounts(read: 3, bytesWritten: 3))
        channel.abort()
    }

    // K31
    @Test func `an error that waited before the copy is thrown by it`() throws {
        let ends = try CopyingEnds()
        try ends.to.write("x")
        SystemCall.failing(.send, with: .noMemory) { ends.reactor.settle() }
        let error = #expect(throws: ChannelError.self) { try ends.copy() }
        let expected = SocketError(.write, .noMemory, at: ends.to.peerAddress)
        #expect(error == .socket(expected))
    }

    // K31, K20
    @Test func `closed ends are refused by name`() throws {
        let ends = try CopyingEnds()
        ends.to.close()
        let sink = #expect(throws: ChannelError.self) { try ends.copy() }
        let noSink = SocketError(.write, .badDescriptor, at: ends.to.peerAddress)
        #expect(sink == .socket(noSink))
        ends.from.close()
        let source = #expect(throws: ChannelError.self) { try ends.copy() }
        let noSource = SocketError(.read, .badDescriptor, at: ends.from.peerAddress)
        #expect(source == .socket(noSource))
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
    }

    // K35
    @Test func `bytes that are no text end the copy behind the good ones and stay unread`() throws {
        let ends = try CopyingEnds(from: .init(), to: .init())
        try ends.copy()
        try ends.send([0x61, 0x62, 0xFF, 0x63])
        #expect(try ends.received() == "ab")
        let place = "\(ends.from.peerAddress)"
        ends.expectEnd(read: 2, written: 2, .text(.undecodable([0xFF], .utf8), at: place))
        let rest = Box<[UInt8]>([])
        try ends.from.read { rest.value = $0.array }
        #expect(rest.value == [0xFF, 0x63])
    }

    // K35
    @Test func `a character that the input's end cuts off ends the copy with an error`() throws {
        let ends = try CopyingEnds(from: .init(), to: .init())
        try ends.copy()
        try ends.send([0x61, 0xC3])
        try ends.source.peer?.shutDown(.writing)
        #expect(try ends.received() == "a")
        let place = "\(ends.from.peerAddress)"
        ends.expectEnd(read: 1, written: 1, .text(.undecodable([0xC3], .utf8), at: place))
    }

    // K35
    @Test func `a character that the destination's encoding lacks ends the copy`() throws {
        var ascii = ChannelOptions()
        ascii.text.encoding = .ascii
        let ends = try CopyingEnds(from: .init(), to: ascii)
        try ends.copy()
        try ends.send("fine")
        #expect(try ends.received() == "fine")
        try ends.send("\u{E9}")
        let place = "\(ends.to.peerAddress)"
        ends.expectEnd(read: 4, written: 4, .text(.unencodable("\u{E9}", .ascii), at: place))
        try ends.to.write("free")
        #expect(try ends.received() == "free")
    }

    // K35
    @Test(
        arguments: ["utf-8", "utf-16be", "shiftjis", "euc-jp", "iso2022-jp"], [false, true])
    func `what stands before a character that the destination's encoding lacks is copied`(
        encoding: String, waits: Bool
    ) throws {
        var source = ChannelOptions()
        source.text.encoding = try TextEncoding(named: encoding)
        var ascii = ChannelOptions()
        ascii.text.encoding = .ascii
        let ends = try CopyingEnds(from: source, to: ascii)
        var output = TextOutput(source.text)
        var bytes: [UInt8] = []
        try output.append("fine\n\u{65E5}\u{672C} rest", to: &bytes)
        try ends.send(bytes)
        let error = ChannelError.text(
            .unencodable("\u{65E5}", .ascii), at: "\(ends.to.peerAddress)")
        if waits {
            let thrown = #expect(throws: ChannelError.self) { try ends.from.copy(to: ends.to) }
            #expect(thrown == error)
        } else {
            try ends.copy()
            ends.expectEnd(read: 5, written: 5, error)
        }
        #expect(try ends.received() == "fine\n")
        #expect(try ends.from.readText() == "\u{65E5}\u{672C} rest")
    }

    // K34
    @Test func `whoever closes both ends when one copy has ended is not told of the other`() throws
    {
        let ends = try CopyingEnds()
        var told: [String] = []
        try ends.from.copy(to: ends.to) { _ in
            told.append("there")
            ends.from.abort()
            ends.to.abort()
        }
        try ends.to.copy(to: ends.from) { _ in told.append("back") }
        ends.reactor.settle()
        try ends.source.resetByPeer()
        ends.reactor.expect("the end") { !told.isEmpty }
        ends.reactor.settle()
        #expect(told.count == 1)
    }

    // K31
    @Test func `a copy to another reactor's channel is refused`() throws {
        let ends = try CopyingEnds()
        let other = try ConnectionEnds(on: Reactor())
        let error = #expect(throws: ChannelError.self) {
            try ends.from.copy(to: other.channel) { _ in }
        }
        let peer = other.channel.peerAddress
        #expect(error == .socket(SocketError(.perform, .invalidArgument, at: peer)))
        withExtendedLifetime(other) {}
    }
}
