// SPDX-License-Identifier: Apache-2.0
//
// What else may be done with the ends of a copy, and what ends it before its time: stopping,
// closing either end, the end of the reactor.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyStopping {
    private func expectBusy(
        _ operation: SocketError.Operation, _ channel: Channel,
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) {
        let busy = SocketError(operation, .busy, at: channel.peerAddress)
        do {
            try body()
            Issue.record("was not refused", sourceLocation: sourceLocation)
        } catch let error as SocketError {
            #expect(error == busy, sourceLocation: sourceLocation)
        } catch {
            let reason = error as? ChannelError
            let option = error as? OptionError
            #expect(
                reason == .socket(busy) || option == .socket(busy), sourceLocation: sourceLocation)
        }
    }

    // K33
    @Test func `reading the source is refused while it is copied`() throws {
        let ends = try CopyingEnds()
        try ends.send("abc")
        try ends.copy()
        let from = ends.from
        expectBusy(.read, from) { try from.read { _ in } }
        expectBusy(.read, from) { try from.parse { $0.byteCount } }
        expectBusy(.read, from) { _ = try from.readLine() }
        expectBusy(.read, from) { _ = try from.read(characters: 1) }
        expectBusy(.read, from) { _ = try from.hasMore() }
        expectBusy(.read, from) { try from.copy(to: ends.to) { _ in wrongly() } }
        expectBusy(.read, from) { try from.copy(to: ends.to) }
        #expect(try ends.received() == "abc")
        #expect(ends.results.isEmpty)
    }

    // K33
    @Test func `writing the destination is refused while it is copied to`() throws {
        let ends = try CopyingEnds()
        let other = try ConnectionEnds(on: ends.reactor)
        try ends.copy()
        let to = ends.to
        expectBusy(.write, to) { try to.write([1]) }
        expectBusy(.write, to) { try to.write("x") }
        expectBusy(.write, to) { try to.writeLine() }
        expectBusy(.write, to) { try to.sendFile("/etc/passwd") }
        expectBusy(.write, to) { try other.channel.copy(to: to) { _ in wrongly() } }
        expectBusy(.write, to) { try other.channel.copy(to: to) }
        try ends.send("abc")
        #expect(try ends.received() == "abc")
        #expect(ends.results.isEmpty)
    }

    // K33
    @Test func `a write that is refused meanwhile leaves the encoding's state as it was`() throws {
        var options = ChannelOptions()
        options.text.encoding = try TextEncoding(named: "iso2022-jp")
        let ends = try CopyingEnds(to: options)
        let copy = try ends.copy()
        expectBusy(.write, ends.to) { try ends.to.write("\u{65E5}") }
        copy.stop()
        try ends.to.write("\u{65E5}")
        ends.to.close()
        #expect(try ends.sink.receiveAll().text == "\u{1B}$BF|\u{1B}(B")
    }

    // K33
    @Test func `changing options by name is refused on both ends while they are copied`() throws {
        let ends = try CopyingEnds()
        let copy = try ends.copy(limit: 3)
        for channel in [ends.from, ends.to] {
            expectBusy(.setOption, channel) { try channel.configure("-translation", "crlf") }
            expectBusy(.setOption, channel) { try channel.configure("-blocking", "0") }
            #expect(try channel.configuration(of: "-blocking") == "0")
        }
        try ends.send("abc")
        ends.expectEnd(read: 3, written: 3)
        copy.expect(isUnderWay: false)
        try ends.from.configure("-translation", "crlf")
        try ends.to.configure("-translation", "crlf")
    }

    // K33
    @Test func `the opposite directions stay usable`() throws {
        let ends = try CopyingEnds()
        try ends.copy()
        try ends.from.write("to the source's peer")
        try ends.sink.peer?.sendAll("line\nrest")
        ends.reactor.settle()
        #expect(try ends.source.peer?.receiveNow()?.text == "to the source's peer")
        #expect(try ends.to.readLine() == "line")
        try ends.send("abc")
        #expect(try ends.received() == "abc")
    }

    // K33, N12
    @Test func `two copies run in opposite directions at once`() throws {
        let ends = try CopyingEnds()
        let back = Box<[CopyResult]>([])
        try ends.copy()
        try ends.to.copy(to: ends.from) { back.value.append($0) }
        for number in 1...3 {
            try ends.send("question \(number)")
            #expect(try ends.received() == "question \(number)")
            try ends.sink.peer?.sendAll("answer \(number)")
            ends.reactor.settle()
            #expect(try ends.source.peer?.receiveNow()?.text == "answer \(number)")
        }
        try ends.source.peer?.shutDown(.writing)
        ends.expectEnd(read: 30, written: 30)
        #expect(back.value.isEmpty)
        try ends.sink.peer?.shutDown(.writing)
        ends.reactor.settle()
        #expect(back.value.map(\.counts) == [CopyCounts(read: 24, bytesWritten: 24)])
    }

    // K33
    @Test func `a channel may be copied to itself`() throws {
        let ends = try ConnectionEnds(on: Reactor(), options: .binary)
        let result = Box<CopyResult?>(nil)
        try ends.channel.copy(to: ends.channel) { result.value = $0 }
        try ends.peer?.sendAll("echo")
        #expect(try ends.receive(4).text == "echo")
        try ends.peer?.shutDown(.writing)
        ends.reactor.settle()
        #expect(result.value?.counts == CopyCounts(read: 4, bytesWritten: 4))
    }

    // K34
    @Test func `closing the source stops the copy without a word and what was queued goes out`()
        throws
    {
        let ends = try CopyingEnds(smallBuffers: true)
        let filled = try ends.sink.fill()
        let copy = try ends.copy()
        try ends.send("queued")
        ends.reactor.settle()
        copy.expect(moved: 6)
        ends.from.close()
        copy.expect(isUnderWay: false)
        let bytes = try ends.sink.receive(filled + 6)
        #expect(Array(bytes.suffix(6)).text == "queued")
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
        try ends.to.write("free again")
        #expect(try ends.received() == "free again")
    }

    // K34
    @Test func `closing the source in the turn that read sends what was read`() throws {
        let ends = try CopyingEnds()
        try ends.from.copy(
            to: ends.to, progress: { [unowned ends] _ in ends.from.close() },
            completion: { _ in wrongly() })
        try ends.send("last")
        #expect(try ends.received() == "last")
    }

    // K34
    @Test func `closing the destination stops the copy without a word`() throws {
        let ends = try CopyingEnds(smallBuffers: true)
        let filled = try ends.sink.fill()
        let copy = try ends.copy()
        try ends.send("queued")
        ends.reactor.settle()
        ends.to.close()
        copy.expect(isUnderWay: false)
        #expect(Array(try ends.sink.receiveAll().dropFirst(filled)).text == "queued")
        try ends.send("more")
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
        #expect(try ends.from.readText() == "more")
    }

    // K34
    @Test(arguments: [false, true])
    func `aborting an end stops the copy without a word`(isSource: Bool) throws {
        let ends = try CopyingEnds()
        let copy = try ends.copy()
        (isSource ? ends.from : ends.to).abort()
        copy.expect(isUnderWay: false)
        ends.reactor.settle()
        #expect(ends.results.isEmpty)
        (isSource ? ends.to : ends.from).close()
    }

    // K34
    @Test func `closing the reading side of the source stops the copy without a word`() throws {
        let ends = try CopyingEnds()
        let copy = try ends.copy()
        try ends.from.closeReading()
        ends.reactor.settle()
        copy.expect(isUnderWay: false)
        #expect(ends.results.isEmpty)
        try ends.to.write("free again")
        #expect(try ends.received() == "free again")
    }

    // K34, K7
    @Test func `closing the destination during a copy still writes its end mark`() throws {
        var options = ChannelOptions.binary
        options.text.outputEndMark = "\u{1A}"
        let ends = try CopyingEnds(to: options)
        try ends.copy()
        try ends.send("text")
        #expect(try ends.received() == "text")
        ends.to.close()
        #expect(try ends.sink.receiveAll() == [0x1A])
    }

    // K34
    @Test func `a copy that was stopped reads no more and tells nobody`() throws {
        let ends = try CopyingEnds(smallBuffers: true)
        let filled = try ends.sink.fill()
        let copy = try ends.copy()
        try ends.send("before")
        ends.reactor.settle()
        copy.stop()
        copy.stop()
        copy.expect(isUnderWay: false)
        copy.expect(moved: 6)
        try ends.send("after")
        #expect(Array(try ends.sink.receive(filled + 6).suffix(6)).text == "before")
        ends.reactor.settle()
        #expect(try ends.from.readText() == "after")
        #expect(ends.results.isEmpty)
    }

    // K34
    @Test func `a copy may be stopped by whoever follows its progress`() throws {
        let ends = try CopyingEnds()
        let copy = Box<ChannelCopy?>(nil)
        copy.value = try ends.from.copy(
            to: ends.to,
            progress: { counts in if counts.read >= 4 { copy.value?.stop() } },
            completion: { _ in wrongly() })
        try ends.send("four")
        #expect(try ends.received() == "four")
        try ends.send("more")
        ends.reactor.settle()
        #expect(try ends.from.readText() == "more")
        copy.value = nil
    }

    // K34
    @Test func `the end of the reactor ends a copy without a word`() throws {
        var ends: CopyingEnds? = try CopyingEnds(smallBuffers: true)
        try ends?.sink.fill()
        let copy = try ends?.copy()
        try ends?.to.copy(to: try #require(ends?.from)) { _ in wrongly() }
        try ends?.send("queued")
        ends?.reactor.settle()
        ends = nil
        copy?.expect(isUnderWay: false)
    }

    // K31, K34
    @Test(arguments: [false, true])
    func `a copy that is over holds nothing more`(isStop: Bool) throws {
        let ends = try CopyingEnds()
        let copy = Box<ChannelCopy?>(nil)
        var token: Box<Int>? = Box(0)
        weak let held = token
        copy.value = try ends.from.copy(
            to: ends.to, limit: 3,
            progress: { [token] _ in
                token?.value += 1
                if isStop { copy.value?.stop() }
            },
            completion: { [token] _ in token?.value += 1 })
        token = nil
        #expect(held != nil)
        try ends.send("all")
        ends.reactor.settle()
        copy.value?.expect(isUnderWay: false)
        #expect(held == nil)
        copy.value = nil
    }

    // K36
    @Test func `the end of the source ends neither side of the destination`() throws {
        let ends = try CopyingEnds()
        try ends.copy()
        try ends.send("all", isLast: true)
        #expect(try ends.received() == "all")
        ends.expectEnd(read: 3, written: 3)
        #expect(ends.to.status == .open)
        #expect(try ends.sink.peer?.receiveNow() == [])
        try ends.to.write("and more")
        #expect(try ends.received() == "and more")
        try ends.sink.peer?.sendAll("back")
        ends.reactor.settle()
        #expect(try ends.to.readText() == "back")
    }
}
