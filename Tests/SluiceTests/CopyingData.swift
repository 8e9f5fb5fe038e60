// SPDX-License-Identifier: Apache-2.0
//
// Copies of bytes, texts, files and channels to a channel: blocks, sizes, text that is set for the
// duration, what is refused meanwhile (N50).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyingData {
    /// The kinds of sources.
    enum Kind: CaseIterable, Sendable { case bytes, text, file, channel }

    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A source of some kind that has these characters, and what has to live with it.
    private func source(
        _ kind: Kind, _ text: String = "0123456789", size: Int? = nil, on reactor: Reactor
    ) throws -> (TransferSource, ConnectionEnds?) {
        switch kind {
        case .bytes: return (.bytes(Array(text.utf8), size: size), nil)
        case .text: return (.text(text, size: size), nil)
        case .file: return (.file(try folder.write(Array(text.utf8)), size: size), nil)
        case .channel:
            let ends = try ConnectionEnds(on: reactor, options: .binary)
            try ends.peer?.sendAll(text)
            try ends.peer?.shutDown(.writing)
            return (.channel(ends.channel, size: size), ends)
        }
    }

    // N50
    @Test(arguments: Kind.allCases)
    func `a source arrives whole, and its end is told once, later`(kind: Kind) throws {
        let ends = try DataEnds()
        let (source, other) = try source(kind, on: ends.reactor)
        let copy = try ends.copy(source)
        copy.expect(isUnderWay: true)
        #expect(ends.told.results.isEmpty)
        ends.waitForEnd()
        ends.told.expect(10)
        copy.expect(isUnderWay: false)
        copy.expect(moved: 10)
        #expect(try ends.ends.receive(10).text == "0123456789")
        try ends.to.write("free")
        #expect(try ends.ends.receive(4).text == "free")
        withExtendedLifetime(other) {}
    }

    // N50
    @Test(arguments: Kind.allCases)
    func `progress is told after each block`(kind: Kind) throws {
        let ends = try DataEnds()
        let (source, other) = try source(kind, on: ends.reactor)
        var options = CopyOptions()
        options.blockSize = 4
        try ends.copy(source, options)
        ends.waitForEnd()
        ends.told.expect(10)
        #expect(ends.told.steps == [4, 8, 10])
        #expect(try ends.ends.receive(10).text == "0123456789")
        withExtendedLifetime(other) {}
    }

    // N50
    @Test(arguments: [(Int.min, [1, 2, 3]), (0, [1, 2, 3]), (2, [2, 3]), (Int.max, [3])])
    func `a block that can't be is brought to the nearest that can`(
        size: Int, steps: [Int]
    ) throws {
        let ends = try DataEnds()
        var options = CopyOptions()
        options.blockSize = size
        try ends.copy(.bytes([1, 2, 3]), options)
        ends.waitForEnd()
        #expect(ends.told.steps == steps)
    }

    // N50
    @Test func `blocks have 64 KiB unless told otherwise`() throws {
        let ends = try DataEnds()
        #expect(CopyOptions().blockSize == 65_536)
        try ends.copy(.bytes(pattern(150_000)))
        expectSame(try ends.ends.receive(150_000), pattern(150_000))
        ends.waitForEnd()
        #expect(ends.told.steps == [65_536, 131_072, 150_000])
    }

    // N50
    @Test(arguments: Kind.allCases)
    func `a part is copied where less is asked for than there is`(kind: Kind) throws {
        let ends = try DataEnds()
        let (source, other) = try source(kind, size: 4, on: ends.reactor)
        try ends.copy(source)
        ends.waitForEnd()
        ends.told.expect(4)
        #expect(try ends.ends.receive(4).text == "0123")
        if let other { #expect(try other.channel.readText() == "456789") }
    }

    // N50
    @Test(arguments: Kind.allCases)
    func `a size of 0 completes with nothing`(kind: Kind) throws {
        let ends = try DataEnds()
        let (source, other) = try source(kind, size: 0, on: ends.reactor)
        try ends.copy(source)
        #expect(ends.told.results.isEmpty)
        ends.waitForEnd()
        ends.told.expect(0)
        #expect(ends.told.pieces.isEmpty)
        try ends.to.write("|")
        #expect(try ends.ends.receive(1).text == "|")
        withExtendedLifetime(other) {}
    }

    // N50
    @Test func `asking bytes, a text or a file for more than there is is refused at once`() throws {
        let ends = try DataEnds()
        for kind in [Kind.bytes, .text] {
            let (source, _) = try source(kind, size: 11, on: ends.reactor)
            let error = refusal { () throws(TransferError) in _ = try ends.copy(source) }
            #expect(error == .notEnough(asked: 11, there: 10))
        }
        let (source, _) = try source(.file, size: 11, on: ends.reactor)
        let error = refusal { () throws(TransferError) in _ = try ends.copy(source) }
        #expect(error == .source(.file(path: folder["file"], .noData)))
        ends.reactor.settle()
        #expect(ends.told.results.isEmpty)
        try ends.to.write("free")
        #expect(try ends.ends.receive(4).text == "free")
    }

    // N50
    @Test func `asking a channel for more than there is is told when it ends`() throws {
        let ends = try DataEnds()
        let (source, other) = try source(.channel, size: 11, on: ends.reactor)
        try ends.copy(source)
        ends.waitForEnd()
        ends.told.expect(10, .cutShort(promised: 11, came: 10))
        #expect(try ends.ends.receive(10).text == "0123456789")
        withExtendedLifetime(other) {}
    }

    // N50
    @Test func `a text becomes bytes by its own options`() throws {
        var channel = ChannelOptions.tcl
        channel.isBlocking = false
        let ends = try DataEnds(options: channel)
        var text = TextOptions()
        text.encoding = .latin1
        text.outputTranslation = .crlf
        text.outputEndMark = "\u{1A}"
        try ends.copy(.text("né\nxyz", as: text, size: 4))
        ends.waitForEnd()
        #expect(try ends.ends.receive(6) == [0x6E, 0xE9, 0x0D, 0x0A, 0x78, 0x1A])
        ends.told.expect(6)
    }

    // N50
    @Test func `a text ends at a character that its encoding lacks`() throws {
        let ends = try DataEnds()
        var text = TextOptions()
        text.encoding = .latin1
        let long = String(repeating: "x", count: 16_384)
        try ends.copy(.text(long + "日", as: text))
        ends.waitForEnd()
        let reason = TextError.unencodable("日", .latin1)
        ends.told.expect(16_384, .source(.text(reason, at: "in memory")))
        #expect(try ends.ends.receive(16_384).count == 16_384)
    }

    // N50
    @Test func `a file goes by the kernel's hand`() throws {
        let ends = try DataEnds()
        let (source, _) = try source(.file, on: ends.reactor)
        let calls = CallCount()
        try calls.count {
            try ends.copy(source)
            ends.waitForEnd()
        }
        #expect(calls.of(.sendFile) == 1)
        #expect(calls.of(.readAt, .send, .sendVector) == 0)
    }

    // N50
    @Test(arguments: [Kind.bytes, .file])
    func `a large source waits for a slow peer, and never for itself`(kind: Kind) throws {
        let ends = try DataEnds(smallBuffers: true)
        let all = pattern(3_000_000)
        let source: TransferSource =
            kind == .bytes ? .bytes(all) : .file(try folder.write(all, to: "large"))
        try ends.copy(source)
        ends.reactor.expect("it is held back") { ends.to.unsentByteCount > 0 }
        ends.reactor.settle()
        #expect(ends.told.results.isEmpty)
        let limit = ends.to.options.highWaterMark + 2 * 65_536
        #expect((1...limit).contains(ends.to.unsentByteCount))
        expectSame(try ends.ends.receive(all.count), all)
        ends.waitForEnd()
        ends.told.expect(all.count)
        #expect(ends.told.steps == ends.told.steps.sorted())
        #expect(ends.told.pieces.count > 40)
    }
}

@Suite(.countingDescriptors)
struct CopyingDataMeanwhile {
    private var texts: CopyOptions {
        var options = CopyOptions()
        options.sourceText.encoding = .latin1
        options.sourceText.inputTranslation = .lf
        options.destinationText.outputTranslation = .crlf
        return options
    }

    enum Ending: CaseIterable, Sendable { case end, size, stop, failure, sourceClosed, sinkClosed }

    // N50
    @Test(arguments: Ending.allCases)
    func `text settings hold for the copy, and are as before however it ends`(
        ending: Ending
    ) throws {
        let ends = try CopyingEnds(from: .standard, to: .standard)
        let before = (ends.from.options.text, ends.to.options.text)
        let told = Told()
        let size = ending == .size ? 2 : nil
        let copy = try ends.to.copy(
            from: .channel(ends.from, size: size), options: texts, completion: told.end)
        #expect(ends.from.options.text.encoding == .latin1)
        #expect(ends.from.options.text.outputTranslation == before.0.outputTranslation)
        #expect(ends.to.options.text.outputTranslation == .crlf)
        try ends.send([0xE9, 0x0A])
        #expect(try ends.received() == "é\r\n")
        switch ending {
        case .end: try ends.send("", isLast: true)
        case .size: break
        case .stop: copy.stop()
        case .failure: try ends.sink.resetByPeer()
        case .sourceClosed: ends.from.close()
        case .sinkClosed: ends.to.close()
        }
        let isTold = [.end, .size, .failure].contains(ending)
        if isTold { ends.reactor.expect("the end") { told.isOver } }
        ends.reactor.settle()
        copy.expect(isUnderWay: false)
        #expect(ends.from.options.text == before.0)
        #expect(ends.to.options.text == before.1)
        #expect(told.results.count == (isTold ? 1 : 0))
        #expect((told.error == nil) == (ending != .failure))
    }

    // N50
    @Test func `what is unset of the text is left alone`() throws {
        let ends = try CopyingEnds(from: .standard, to: .tcl)
        ends.to.options.isBlocking = false
        let before = (ends.from.options.text, ends.to.options.text)
        let told = Told()
        let copy = try ends.to.copy(from: .channel(ends.from), completion: told.end)
        #expect(ends.from.options.text == before.0)
        #expect(ends.to.options.text == before.1)
        copy.stop()
    }

    // N50
    @Test func `bytes pass untouched between any channels where that is asked for`() throws {
        let ends = try CopyingEnds(from: .standard, to: .alore)
        ends.to.options.isBlocking = false
        let told = Told()
        try ends.to.copy(from: .channel(ends.from), options: .binary, completion: told.end)
        let all = (0...255).map { UInt8($0) }
        try ends.send(all + [0x0D, 0x0A])
        try ends.send("", isLast: true)
        ends.reactor.expect("the end") { told.isOver }
        told.expect(258)
        #expect(try ends.sink.receive(258) == all + [0x0D, 0x0A])
    }

    // N50
    @Test func `both ends are refused to others while it goes on`() throws {
        let ends = try CopyingEnds()
        let told = Told()
        try ends.to.copy(from: .channel(ends.from), completion: told.end)
        let writing = SocketError(.write, .busy, at: ends.to.peerAddress)
        let reading = SocketError(.read, .busy, at: ends.from.peerAddress)
        #expect(throws: writing) { try ends.to.write([1]) }
        let second = refusal { () throws(TransferError) in
            _ = try ends.to.copy(from: .bytes([1])) { _ in wrongly() }
        }
        #expect(second == .destination(.socket(writing)))
        let other = try ConnectionEnds(on: ends.reactor)
        let third = refusal { () throws(TransferError) in
            _ = try other.channel.copy(from: .channel(ends.from)) { _ in wrongly() }
        }
        #expect(third == .source(.socket(reading)))
        try ends.send("abc")
        #expect(try ends.received() == "abc")
    }

    // N50
    @Test(arguments: [CopyingData.Kind.bytes, .file])
    func `writing is refused while bytes or a file go out`(kind: CopyingData.Kind) throws {
        let folder = try TemporaryFolder()
        let ends = try DataEnds(smallBuffers: true)
        let all = pattern(500_000)
        try ends.copy(kind == .bytes ? .bytes(all) : .file(try folder.write(all)))
        ends.reactor.settle()
        let busy = SocketError(.write, .busy, at: ends.to.peerAddress)
        #expect(throws: busy) { try ends.to.write([1]) }
        let file = #expect(throws: ChannelError.self) { try ends.to.sendFile("/etc/passwd") }
        #expect(file == .socket(busy))
        expectSame(try ends.ends.receive(all.count), all)
        ends.waitForEnd()
    }

    // N50
    @Test func `channels that are closed, or elsewhere, are refused`() throws {
        let ends = try CopyingEnds()
        let elsewhere = try CopyingEnds()
        let far = refusal { () throws(TransferError) in
            _ = try ends.to.copy(from: .channel(elsewhere.from)) { _ in wrongly() }
        }
        let perform = SocketError(.perform, .invalidArgument, at: elsewhere.from.peerAddress)
        #expect(far == .source(.socket(perform)))
        ends.from.close()
        let source = refusal { () throws(TransferError) in
            _ = try ends.to.copy(from: .channel(ends.from)) { _ in wrongly() }
        }
        let read = SocketError(.read, .badDescriptor, at: ends.from.peerAddress)
        #expect(source == .source(.socket(read)))
        ends.to.close()
        let sink = refusal { () throws(TransferError) in
            _ = try ends.to.copy(from: .bytes([1])) { _ in wrongly() }
        }
        let write = SocketError(.write, .badDescriptor, at: ends.to.peerAddress)
        #expect(sink == .destination(.socket(write)))
    }

    // N50
    @Test(arguments: [CopyingData.Kind.bytes, .file])
    func `a copy that is stopped leaves the rest, and the channel is free`(
        kind: CopyingData.Kind
    ) throws {
        let folder = try TemporaryFolder()
        let ends = try DataEnds(smallBuffers: true)
        let all = pattern(3_000_000)
        let copy = try ends.copy(kind == .bytes ? .bytes(all) : .file(try folder.write(all)))
        ends.reactor.expect("it is held back") { ends.to.unsentByteCount > 0 }
        copy.stop()
        let moved = copy.counts.bytesWritten
        #expect((1..<1_000_000).contains(moved))
        try ends.to.write("|")
        ends.to.close()
        expectSame(try ends.ends.receiveAll(), all[..<moved] + Array("|".utf8))
        #expect(ends.told.results.isEmpty)
    }

    // N50
    @Test func `whoever follows the progress may stop the copy or close the channel`() throws {
        for closes in [false, true] {
            let ends = try DataEnds()
            let copy = Box<ChannelCopy?>(nil)
            let steps = Box(0)
            var options = CopyOptions()
            options.blockSize = 3
            copy.value = try ends.to.copy(
                from: .bytes(pattern(9)), options: options,
                progress: { _ in
                    steps.value += 1
                    if closes { ends.to.close() } else { copy.value?.stop() }
                }, completion: { _ in wrongly() })
            ends.reactor.expect("the first block") { steps.value > 0 }
            ends.reactor.settle()
            #expect(steps.value == 1)
            copy.value = nil
        }
    }
}
