// SPDX-License-Identifier: Apache-2.0
//
// Transmitters and receivers that find one another: both modes, one run at a time, the close at the
// end, what is told (N52).

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TransmittingAndReceiving {
    let reactor: Reactor
    let folder: TemporaryFolder

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
    }

    // N52
    @Test(arguments: TransferPair.Direction.allCases)
    func `a file goes from one to the other, whichever of them waits`(
        passive: TransferPair.Direction
    ) throws {
        let all = pattern(3_000_000)
        let path = try folder.write(all)
        let pair = try TransferPair(
            .file(path), .file(folder["copy"]), on: reactor, passive: passive)
        #expect((pair.sender.port == nil) == (passive == .receiving))
        #expect((pair.receiver.port == nil) == (passive == .sending))
        pair.waitForBoth()
        pair.sender.told.expect(all.count)
        pair.receiver.told.expect(all.count)
        #expect(isSame(path, folder["copy"]))
        for told in [pair.sender.told, pair.receiver.told] {
            #expect(told.steps == told.steps.sorted())
            #expect(told.steps.last == all.count)
        }
    }

    // N52
    @Test(arguments: [0, 1, 200_000])
    func `bytes go from memory to memory`(count: Int) throws {
        let pair = try TransferPair(
            .bytes(pattern(count)), .bytes(upTo: count), on: reactor)
        pair.waitForBoth()
        pair.sender.told.expect(count)
        pair.receiver.told.expect(count)
        expectSame(pair.receiver.told.results.first?.bytes ?? [], pattern(count))
    }

    // N52
    @Test func `channels are the ends of a relay, and bytes pass untouched`() throws {
        let near = try ConnectionEnds(on: reactor, options: .standard)
        let far = try ConnectionEnds(on: reactor, options: .standard)
        let all = (0...255).map { UInt8($0) } + [0x0D, 0x0A]
        let pair = try TransferPair(
            .channel(near.channel, size: all.count), .channel(far.channel), on: reactor)
        #expect(try near.peer?.send(all.span.bytes) == .bytes(all.count))
        pair.waitForBoth()
        #expect(try far.receive(all.count) == all)
        #expect(near.channel.options.text == TextOptions())
        #expect(far.channel.options.text == TextOptions())
    }

    // N52
    @Test func `text is translated where that is asked for`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .standard)
        var options = TransferOptions.waiting
        #expect(options.connector.text == .binary)
        options.connector.text.isBinary = false
        options.connector.text.encoding = .latin1
        options.connector.text.outputTranslation = .crlf
        options.channelText = TextSettings()
        let sender = TransferEnd(on: reactor, sending: .channel(ends.channel), options)
        try ends.peer?.sendAll("é\n")
        try ends.peer?.shutDown(.writing)
        let peer = try sender.startWithPeer()
        var got: [UInt8] = []
        reactor.expect("all has come") {
            got += (try? peer.receiveNow()) ?? []
            return got.count == 3
        }
        #expect(got == [0xE9, 0x0D, 0x0A])
        try peer.close()
        sender.waitForEnd()
        #expect(sender.told.counts == CopyCounts(read: 2, bytesWritten: 3))
    }

    // MARK: One run at a time

    // N52
    @Test func `a run that is under way keeps others out, and then another may begin`() throws {
        let receiver = TransferEnd(on: reactor, receiving: .bytes(upTo: 10), .waiting)
        #expect(!receiver.isBusy)
        for round in 1...3 {
            let peer = try receiver.startWithPeer()
            #expect(receiver.isBusy)
            #expect(refusal { () throws(TransferError) in try receiver.start() } == .busy)
            try peer.sendAll("\(round)")
            try peer.close()
            receiver.told.results = []
            receiver.waitForEnd()
            receiver.told.expect(1)
            #expect(receiver.told.results.first?.bytes.text == "\(round)")
            #expect(!receiver.isBusy)
        }
    }

    // N52
    @Test func `a completion may begin the next run`() throws {
        let listener = try Socket.listening()
        let address = try listener.localAddress
        let transmitter = Transmitter(
            on: reactor, source: .text("x"), options: .going(to: address.port))
        let told = Told()
        func end(_ result: TransferResult) {
            #expect(!transmitter.isBusy)
            told.end(result)
            if told.results.count == 3 { return }
            #expect(refusal { () throws(TransferError) in try transmitter.start(end) } == nil)
        }
        try transmitter.start(end)
        while told.results.count < 3 {
            let before = told.results.count
            reactor.expect("a run") {
                if var accepted = try? listener.accept() {
                    // Closed at once: it has nothing to say.
                    try? Socket.taken(from: &accepted.socket).close()
                }
                return told.results.count > before
            }
            if told.results.count == before { break }
        }
        #expect(told.results.count == 3)
    }

    // N52
    @Test func `the port is known while one waits, and no longer`() throws {
        let transmitter = Transmitter(on: reactor, source: .text("x"), options: .waiting)
        #expect(transmitter.port == nil)
        let port = try transmitter.start { _ in wrongly() }
        #expect(port != nil)
        #expect(transmitter.port == port)
        transmitter.cancel()
        #expect(transmitter.port == nil)
    }

    // MARK: The end

    // N52
    @Test func `a transmitter is done when its partner has closed`() throws {
        let sender = TransferEnd(on: reactor, sending: .text("all"), .waiting)
        let peer = try sender.startWithPeer()
        var got: [UInt8] = []
        var isAtEnd = false
        // What the peer can read is no event of the reactor's.
        let limit = ContinuousClock.now + .seconds(20)
        while !isAtEnd, ContinuousClock.now < limit {
            reactor.runPending()
            if let more = try peer.receiveNow() { got += more } else { isAtEnd = true }
        }
        #expect(isAtEnd)
        #expect(got.text == "all")
        reactor.settle()
        #expect(sender.told.results.isEmpty)
        #expect(sender.isBusy)
        try peer.sendAll("what a partner says is not asked for")
        reactor.settle()
        #expect(sender.told.results.isEmpty)
        try peer.close()
        sender.waitForEnd()
        sender.told.expect(3)
    }

    // N52
    @Test func `a partner that has ended its side already need only have everything`() throws {
        let sender = TransferEnd(on: reactor, sending: .text("all"), .waiting)
        let peer = try sender.startWithPeer()
        try peer.shutDown(.writing)
        sender.waitForEnd()
        sender.told.expect(3)
        let got = try peer.receiveNow()
        #expect(got?.text == "all")
    }

    // N52
    @Test func `a slow partner has as long as it gets on`() throws {
        var options = TransferOptions.waiting
        options.closeLimit = .milliseconds(400)
        let all = pattern(40_000)
        let sender = TransferEnd(on: reactor, sending: .bytes(all), options)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        reactor.expect("all is in the kernel") { sender.told.steps.last == all.count }
        // A piece within each limit, and more than one limit in all.
        var count = 0
        let begin = ContinuousClock.now
        reactor.poll("all has come") {
            let due = Int((ContinuousClock.now - begin) / .milliseconds(1)) * 40
            if count < due, let more = try? peer.receiveNow() { count += more.count }
            return count == all.count || sender.told.isOver
        }
        #expect(count == all.count)
        #expect(ContinuousClock.now - begin > .milliseconds(500))
        try peer.close()
        sender.waitForEnd()
        sender.told.expect(all.count)
    }

    // N52
    @Test func `a partner that answers more than anybody reads does not stop a transmitter`()
        throws
    {
        let all = pattern(3_000_000)
        let sender = TransferEnd(on: reactor, sending: .bytes(all), .waiting)
        let peer = try sender.startWithPeer(receiveBuffer: 4_096)
        try peer.set(.sendBufferByteCount, to: 4_096)
        var (rest, count, isAtEnd) = ([UInt8](), 0, false)
        reactor.poll("all has come back") {
            // As an echo: it takes more only when its answer has gone.
            if rest.isEmpty, !isAtEnd {
                do {
                    if let more = try peer.receiveNow() { rest = more } else { isAtEnd = true }
                } catch {
                    return true
                }
            }
            if case .bytes(let sent)? = try? peer.send(rest.span.bytes) {
                rest.removeFirst(sent)
                count += sent
            }
            return count == all.count && isAtEnd
        }
        #expect(count == all.count)
        try peer.close()
        sender.waitForEnd()
        sender.told.expect(all.count)
    }

    // N52
    @Test func `a partner that never closes but has everything is enough in the end`() throws {
        var options = TransferOptions.waiting
        options.closeLimit = .milliseconds(200)
        let sender = TransferEnd(on: reactor, sending: .text("all"), options)
        let peer = try sender.startWithPeer()
        sender.waitForEnd()
        sender.told.expect(3)
        let got = (try peer.receiveNow(), try peer.receiveNow())
        #expect(got.0?.text == "all")
        #expect(got.1 == nil)
    }

    // N52
    @Test func `a receiver that has its size waits for no end`() throws {
        let receiver = TransferEnd(on: reactor, receiving: .bytes(upTo: 5, size: 5), .waiting)
        let peer = try receiver.startWithPeer()
        try peer.sendAll("12345")
        receiver.waitForEnd()
        receiver.told.expect(5)
        let got = try peer.receiveNow()
        #expect(got == nil)
    }

    // MARK: Fire and forget

    // N52
    @Test(arguments: TransferPair.Direction.allCases)
    func `one call sends and one receives, and nobody holds either`(
        passive: TransferPair.Direction
    ) throws {
        let path = try folder.write(pattern(100_000))
        let copy = folder["copy"]
        let told = (Told(), Told())
        func send(to host: String, _ port: UInt16) throws(TransferError) -> UInt16? {
            try Transmitter.send(
                .file(path), to: host, port: port, on: reactor, completion: told.0.end
            ).port
        }
        func receive(from host: String, _ port: UInt16) throws(TransferError) -> UInt16? {
            try Receiver.receive(
                into: .file(copy), from: host, port: port, on: reactor, completion: told.1.end
            ).port
        }
        if passive == .receiving {
            let port = try #require(try receive(from: "", 0))
            #expect(try send(to: "127.0.0.1", port) == nil)
        } else {
            let port = try #require(try send(to: "", 0))
            #expect(try receive(from: "localhost", port) == nil)
        }
        reactor.expect("both ends") { told.0.isOver && told.1.isOver }
        told.0.expect(100_000)
        told.1.expect(100_000)
        #expect(isSame(path, copy))
    }

    // N52
    @Test func `nobody need be told`() throws {
        let receiver = TransferEnd(on: reactor, receiving: .bytes(upTo: 10), .waiting)
        try receiver.start()
        let port = try #require(receiver.port)
        try Transmitter.send(.text("hello"), to: "127.0.0.1", port: port, on: reactor)
        receiver.waitForEnd()
        #expect(receiver.told.results.first?.bytes.text == "hello")
    }

    // MARK: More

    // N52, C12
    @Test func `connections may be opened in a way of the program's own`() throws {
        let opening = WordOpening("sesame")
        let receiver = Receiver(
            on: reactor, destination: .bytes(upTo: 10), options: .waiting, opening: opening)
        let told = (Told(), Told())
        let port = try receiver.start(told.1.end)
        let sender = Transmitter(
            on: reactor, source: .text("hello"), options: .going(to: port), opening: opening)
        try sender.start(told.0.end)
        reactor.expect("both ends") { told.0.isOver && told.1.isOver }
        told.0.expect(5)
        #expect(told.1.results.first?.bytes.text == "hello")
    }

    // N52
    @Test func `a transfer goes on where another was cut short`() throws {
        let path = try folder.write(pattern(10_000))
        let copy = folder["copy"]
        let first = try TransferPair(.file(path, size: 4_000), .file(copy), on: reactor)
        first.waitForBoth()
        let second = try TransferPair(
            .file(path, from: 4_000), .file(copy, from: 4_000, size: 6_000), on: reactor)
        second.waitForBoth()
        second.receiver.told.expect(6_000)
        #expect(isSame(path, copy))
    }

    // N52
    @Test func `a file of 100 MB goes without being loaded`() throws {
        let path = try folder.write([])
        try #require(truncate(path, 100_000_000) == 0)
        let before = residentByteCount()
        let pair = try TransferPair(.file(path), .file(folder["copy"]), on: reactor)
        pair.waitForBoth()
        pair.sender.told.expect(100_000_000)
        pair.receiver.told.expect(100_000_000)
        #expect(residentByteCount() - before < 20_000_000)
        #expect(isSame(path, folder["copy"]))
    }
}
