// SPDX-License-Identifier: Apache-2.0
//
// Channels with a rate of their own: whoever reads or writes them, and however, no byte comes or
// goes faster than it may, and none is lost.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// 1 MB a second, so that what the tests move takes some tenths of a second.
private let rate = ByteRate(bytesPerSecond: 1_000_000, burst: 20_000)

/// 1,500 lines of 100 bytes.
private let lines = (0..<1_500).map { number in
    String(number) + String(repeating: "x", count: 99 - String(number).utf8.count) + "\n"
}
private let bytes = lines.flatMap { Array($0.utf8) }

/// How a channel is read.
enum WayToRead: CaseIterable {
    case bytes, lines, readable, storage, parsed, characters, line

    /// Has a channel read in this way.
    func install(on channel: Channel, _ found: Box<[UInt8]>) {
        switch self {
        case .bytes:
            channel.onBytes { _, bytes in found.value += bytes.withUnsafeBytes { Array($0) } }
        case .lines: channel.onLine { _, line in found.value += Array("\(line)\n".utf8) }
        case .readable:
            channel.onReadable { channel in
                try channel.read { found.value += $0.withUnsafeBytes { Array($0) } }
            }
        case .storage: channel.onReadable { try readIntoStorage($0, found) }
        case .parsed:
            channel.onReadable { channel in
                try channel.parse { bytes in
                    let whole = bytes.extracting(first: bytes.byteCount / 100 * 100)
                    found.value += whole.withUnsafeBytes { Array($0) }
                    return whole.byteCount
                }
            }
        case .characters:
            channel.onReadable { found.value += Array(try $0.read(characters: 7_000).utf8) }
        case .line:
            channel.onReadable { channel in
                while let line = try channel.readLine() { found.value += Array("\(line)\n".utf8) }
            }
        }
    }

    private func readIntoStorage(_ channel: Channel, _ found: Box<[UInt8]>) throws {
        var storage = [UInt8](repeating: 0, count: 5_000)
        var span = storage.mutableSpan
        var free = span.mutableBytes
        let result = try channel.read(into: &free)
        if case .bytes(let count) = result { found.value += storage[..<count] }
    }
}

/// How a channel is written.
enum WayToWrite: CaseIterable {
    case pieces, whole, text, unbuffered, byLines, full, flushed

    var options: ChannelOptions {
        var options = ChannelOptions.binary
        switch self {
        case .unbuffered: options.buffering = .none
        case .byLines: options.buffering = .line
        case .full: options.buffering = .full
        case .pieces, .whole, .text, .flushed: break
        }
        return options
    }

    func write(_ channel: Channel) throws {
        if self == .whole {
            try channel.write(bytes)
            return
        }
        for line in lines {
            switch self {
            case .text: try channel.write(line)
            default: try channel.write(Array(line.utf8))
            }
            if self == .flushed { try channel.flush() }
        }
        try channel.flush()
    }
}

@Suite(.countingDescriptors)
struct LimitingRates {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func makeEnds(_ options: ChannelOptions = .binary) throws -> PacedEnds {
        try PacedEnds(rate, on: reactor, options: options)
    }

    @Test func `a channel without limits keeps nothing for them`() throws {
        let ends = try ConnectionEnds(on: reactor)
        #expect(ends.channel.rare?.rates == nil)
        #expect(!ends.channel.flags.contains(.isSendRated))
    }

    // MARK: Reading

    @Test(arguments: WayToRead.allCases)
    func `bytes come no faster than they may, whoever takes them`(reading: WayToRead) throws {
        let paced = try makeEnds()
        let found = Box<[UInt8]>([])
        reading.install(on: paced.channel, found)
        paced.feed(bytes)
        try paced.run("all is read") { found.value.count >= bytes.count }
        #expect(found.value == bytes)
    }

    @Test func `a readable handler is not called in vain`() throws {
        let paced = try makeEnds()
        let count = Box(0)
        let vain = Box(0)
        paced.channel.onReadable { channel in
            if try channel.read(upTo: 3_000, { count.value += $0.byteCount }) == .wouldBlock {
                vain.value += 1
            }
        }
        paced.feed(bytes)
        try paced.run("all is read") { count.value == bytes.count }
        #expect(vain.value == 0)
    }

    @Test func `the peer's end comes behind all of its bytes`() throws {
        let paced = try makeEnds()
        let found = Box(0)
        let ended = Box(0)
        paced.channel.onBytes { _, bytes in found.value += bytes.byteCount }
        paced.channel.onInputEnd { _ in ended.value = found.value }
        paced.feed(Array(bytes[..<60_000]), isLast: true)
        try paced.run("the end is told") { ended.value > 0 }
        #expect(ended.value == 60_000)
    }

    @Test func `a channel that may not read rests`() throws {
        var options = ChannelOptions.binary
        options.receiveRate = ByteRate(bytesPerSecond: 1, burst: 10)
        let ends = try ConnectionEnds(on: reactor, options: options)
        let found = Box("")
        ends.channel.onBytes { _, bytes in found.value += bytes.text }
        try ends.peer?.sendAll("0123456789abcdefghij")
        reactor.settle()
        #expect(found.value.hasPrefix("0123456789"))
        #expect(found.value.utf8.count < 20)
        #expect(reactor.turnCount() < 5)
    }

    @Test func `what was read before is given while nothing may be read`() throws {
        var options = ChannelOptions.binary
        options.receiveRate = ByteRate(bytesPerSecond: 1, burst: 10)
        let ends = try ConnectionEnds(on: reactor, options: options)
        let found = Box("")
        ends.channel.onReadable { try $0.parse { _ in 0 } }
        try ends.peer?.sendAll("0123456789abcdefghij")
        reactor.expect("the burst is read") { ends.channel.unreadByteCount >= 10 }
        ends.channel.onBytes { _, bytes in found.value += bytes.text }
        reactor.settle()
        #expect(found.value.hasPrefix("0123456789"))
        #expect(found.value.utf8.count < 20)
    }

    @Test func `a pause of the program's outlasts one of the limit's`() throws {
        let paced = try makeEnds()
        let found = Box(0)
        paced.channel.onBytes { channel, bytes in
            found.value += bytes.byteCount
            if found.value >= 20_000 { channel.pauseReading() }
        }
        paced.feed(Array(bytes[..<40_000]))
        try paced.run("it pauses") { found.value >= 20_000 }
        let before = found.value
        let isOver = Box(false)
        reactor.after(.milliseconds(60)) { isOver.value = true }
        try paced.run("more may be read") { isOver.value }
        #expect(found.value == before)
        paced.channel.onBytes { _, bytes in found.value += bytes.byteCount }
        paced.channel.resumeReading()
        try paced.run("the rest is read") { found.value == 40_000 }
    }

    @Test(arguments: [false, true])
    func `a connection's tasks wait for their bytes`(readsLines: Bool) throws {
        let paced = try makeEnds()
        let count = Tally()
        let connection = try Connection.adopting(paced.channel)
        Task(executorPreference: reactor.executor) {
            do { try await Self.count(connection, readsLines, count) } catch { Issue.record(error) }
        }
        paced.feed(bytes)
        try paced.run("all is read") { count.value == bytes.count }
    }

    private static func count(
        _ connection: isolated Connection, _ readsLines: Bool, _ count: Tally
    ) async throws {
        while count.value < bytes.count {
            if readsLines {
                count.add((try await connection.readLine() ?? "").utf8.count + 1)
            } else {
                count.add(try await connection.read(upTo: 9_000).count)
            }
        }
    }

    @Test(arguments: [false, true])
    func `a blocking channel waits for its bytes`(readsLines: Bool) throws {
        var options = ChannelOptions.binary
        options.receiveRate = rate
        let watch = RateWatch(rate)
        try withClient(options: options) { (client) throws in
            try client.write(bytes)
        } serving: { (channel) throws in
            var count = 0
            while count < bytes.count {
                if readsLines {
                    count += (try channel.readLine() ?? "").utf8.count + 1
                } else if case .bytes(let more) = try channel.read({ _ in }) {
                    count += more
                }
                watch.expect(Int(channel.counters.bytesReceived))
            }
            #expect(count == bytes.count)
        }
    }

    @Test func `a copy takes from a limited channel what it may`() throws {
        let paced = try makeEnds()
        let sink = try ConnectionEnds(on: reactor, options: .binary)
        let results = Box<[CopyResult]>([])
        try paced.channel.copy(to: sink.channel, limit: bytes.count) { results.value.append($0) }
        paced.feed(bytes)
        var received: [UInt8] = []
        try paced.run("it is over") {
            received += (try? sink.peer?.receiveNow()) ?? []
            return !results.value.isEmpty
        }
        received += try sink.receive(bytes.count - received.count)
        #expect(received == bytes)
        #expect(results.value.first?.error == nil)
    }

    // MARK: Sending

    @Test(arguments: WayToWrite.allCases)
    func `bytes go no faster than they may, however they are written`(writing: WayToWrite) throws {
        let paced = try makeEnds(writing.options)
        try writing.write(paced.channel)
        try paced.run("all has come") { paced.received.count >= bytes.count }
        #expect(paced.received == bytes)
        #expect(paced.channel.unsentByteCount == 0)
    }

    @Test func `a writable handler goes on as the limit lets it`() throws {
        let paced = try makeEnds()
        let count = Box(0)
        paced.channel.onWritable { channel in
            let end = min(count.value + 7_000, bytes.count)
            try channel.write(Array(bytes[count.value..<end]))
            count.value = end
            if end == bytes.count { channel.onWritable(nil) }
        }
        try paced.run("all has come") { paced.received.count == bytes.count }
        #expect(paced.received == bytes)
    }

    @Test func `a file goes no faster than it may`() throws {
        let paced = try makeEnds()
        let folder = try TemporaryFolder()
        let path = try folder.write(bytes)
        let results = Box<[CopyResult]>([])
        try paced.channel.write(Array("head".utf8))
        try paced.channel.sendFile(path) { results.value.append($0) }
        try paced.channel.write(Array("tail".utf8))
        try paced.run("all has come") { paced.received.count == bytes.count + 8 }
        reactor.expect("it is told") { !results.value.isEmpty }
        #expect(paced.received == Array("head".utf8) + bytes + Array("tail".utf8))
        #expect(results.value.first?.counts.bytesWritten == bytes.count)
    }

    @Test func `a copy into a limited channel is held back`() throws {
        let paced = try makeEnds()
        let source = try ConnectionEnds(on: reactor, options: .binary)
        let results = Box<[CopyResult]>([])
        try source.channel.copy(to: paced.channel, limit: bytes.count) {
            results.value.append($0)
        }
        var rest = bytes
        var highest = 0
        try paced.run("all has come") {
            // What can't be sent is missed at the end.
            if !rest.isEmpty, case .bytes(let count)? = try? source.peer?.send(rest) {
                rest.removeFirst(count)
            }
            highest = max(highest, paced.channel.unsentByteCount)
            return !results.value.isEmpty && paced.received.count >= bytes.count
        }
        #expect(paced.received == bytes)
        #expect(highest <= 65_536 + 2 * Reactor.scratchByteCount)
    }

    @Test func `a close still sends what was written, no faster than it may`() throws {
        let paced = try makeEnds()
        try paced.channel.write(bytes)
        paced.channel.close()
        #expect(paced.channel.status == .closing)
        try paced.run("it has closed") { !paced.ends.endReasons.isEmpty }
        try paced.run("all has come") { paced.received.count == bytes.count }
        #expect(paced.received == bytes)
        #expect(paced.ends.endReasons == [.local])
    }

    @Test func `a closed channel's limit does not outlast the time to linger`() throws {
        var options = ChannelOptions.binary
        options.lingerLimit = .milliseconds(20)
        options.sendRate = ByteRate(bytesPerSecond: 1, burst: 10)
        let ends = try ConnectionEnds(on: reactor, options: options)
        try ends.channel.write(bytes)
        ends.channel.close()
        reactor.settle()
        #expect(reactor.turnCount(passes: 5) < 5)
        reactor.expect("it is cut") { ends.endReasons == [.timedOut(.linger)] }
    }

    @Test func `the end of writing comes behind all bytes`() throws {
        let paced = try makeEnds()
        try paced.channel.write(Array(bytes[..<60_000]))
        try paced.channel.closeWriting()
        let received = try paced.ends.receiveAll()
        paced.watch.expect(received.count)
        #expect(received == Array(bytes[..<60_000]))
    }

    @Test func `a channel that may not send rests`() throws {
        var options = ChannelOptions.binary
        options.sendRate = ByteRate(bytesPerSecond: 1, burst: 10)
        let ends = try ConnectionEnds(on: reactor, options: options)
        ends.channel.onWritable { _ in }
        try ends.channel.write(Array(bytes[..<100]))
        reactor.settle()
        #expect(ends.channel.unsentByteCount > 80)
        #expect(reactor.turnCount() < 5)
    }

    @Test func `a task's flush waits for the limit`() throws {
        let paced = try makeEnds()
        let done = Flag()
        let connection = try Connection.adopting(paced.channel)
        Task(executorPreference: reactor.executor) {
            do {
                try await connection.write(bytes)
                try await connection.flush()
            } catch {
                Issue.record(error)
            }
            done.set()
        }
        try paced.run("it is done") { done.isSet }
        try paced.run("all has come") { paced.received.count == bytes.count }
    }

    @Test func `a blocking channel waits until it may send`() throws {
        var options = ChannelOptions.binary
        options.sendRate = rate
        let watch = RateWatch(rate)
        let count = Tally()
        try withClient(options: options) { (client) throws in
            count.add(try client.countToEnd())
        } serving: { (channel) throws in
            for start in stride(from: 0, to: bytes.count, by: 30_000) {
                try channel.write(Array(bytes[start..<start + 30_000]))
                #expect(channel.unsentByteCount == 0)
                watch.expect(start + 30_000)
            }
        }
        #expect(count.value == bytes.count)
    }
}
