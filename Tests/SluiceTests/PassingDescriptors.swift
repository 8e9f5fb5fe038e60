// SPDX-License-Identifier: Apache-2.0
//
// Open descriptors that go over channels: with the right bytes, in order, within limits.
// Whatever becomes of a channel, none is left open.

import Glibc
import Sluice
import TestSupport
import Testing

/// A descriptor from which a text is read.
private func holding(_ text: String) throws -> Descriptor {
    let pipe = try PipeEnds()
    pipe.write(text)
    return Descriptor(adopting: fcntl(pipe.reading, F_DUPFD_CLOEXEC, 0))
}

private func list(_ texts: String...) throws -> DescriptorList {
    var list = DescriptorList()
    for text in texts { list.append(try holding(text)) }
    return list
}

/// So many descriptors of one file.
private func list(of count: Int) throws -> DescriptorList {
    var list = DescriptorList()
    let file = try holding("")
    for _ in 0..<count { list.append(try file.duplicate()) }
    return list
}

/// What is read from a descriptor; it is closed then.
private func text(_ descriptor: consuming Descriptor) -> String {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor.number, &bytes, bytes.count)
    return Array(bytes[..<max(0, count)]).text
}

extension Socket {
    /// Receives what is there: its bytes, and the texts of the descriptors that came with them.
    fileprivate func receiveAll() throws -> (bytes: [UInt8], texts: [String])? {
        var storage = [UInt8](repeating: 0, count: 65_536)
        var span = storage.mutableSpan
        var free = span.mutableBytes
        guard var message = try receiveMessage(into: &free, ancillaryByteCount: 1_040) else {
            return nil
        }
        let byteCount = message.byteCount
        var texts: [String] = []
        while let descriptor = message.descriptors.popFirst() { texts.append(text(descriptor)) }
        return (Array(storage[..<byteCount]), texts)
    }

    fileprivate func send(_ bytes: String, passing texts: String...) throws {
        var files = DescriptorList()
        for text in texts { files.append(try holding(text)) }
        let bytes = Array(bytes.utf8)
        let result = try send(bytes.span.bytes, passing: files)
        #expect(result == .bytes(bytes.count))
    }
}

extension Channel {
    /// Takes all descriptors that wait, and gives their texts.
    fileprivate func takeTexts() -> [String] {
        var texts: [String] = []
        while let descriptor = takeDescriptor() { texts.append(text(descriptor)) }
        return texts
    }
}

@Suite(.countingDescriptors)
struct PassingDescriptors {
    let reactor: Reactor
    let ends: UnixEnds
    var channel: Channel { ends.channel }

    init() throws {
        reactor = try Reactor()
        ends = try UnixEnds(on: reactor)
    }

    // MARK: Out

    // N27
    @Test func `descriptors go out with their bytes, in order`() throws {
        try channel.write([1], passing: try list("a"))
        try channel.write(text: "between")
        try channel.write(Array("two".utf8), passing: try list("b", "c"))
        try channel.write(text: "after")
        try channel.flush()
        var bytes: [UInt8] = []
        var texts: [(at: Int, text: String)] = []
        while let more = try ends.peer?.receiveAll(), !more.bytes.isEmpty {
            bytes += more.bytes
            texts += more.texts.map { (at: bytes.count, text: $0) }
        }
        #expect(bytes == [1] + Array("betweentwoafter".utf8))
        #expect(texts.map(\.text) == ["a", "b", "c"])
        // Each comes by the read that brings the first of its bytes, and no later.
        #expect(texts.map(\.at) == [1, 11, 11])
    }

    // N27
    @Test func `descriptors wait behind megabytes that were written before`() throws {
        let count = 2_000_000
        try channel.write([UInt8](repeating: 7, count: count))
        try channel.write(Array("tail".utf8), passing: try list("late"))
        #expect(channel.unsentByteCount > 0)
        var received = 0
        var arrival: Range<Int>?
        let limit = ContinuousClock.now + .seconds(20)
        while received < count + 4, ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try ends.peer?.receiveAll() else { continue }
            if more.texts == ["late"] { arrival = received..<received + more.bytes.count }
            received += more.bytes.count
        }
        #expect(received == count + 4)
        #expect(arrival?.contains(count) == true)
        #expect(channel.unsentByteCount == 0)
    }

    // N27
    @Test func `the sender keeps no descriptor that has gone`() throws {
        let before = openDescriptorCount()
        try channel.write([1], passing: try list("a", "b"))
        try channel.flush()
        #expect(openDescriptorCount() == before)
        #expect(try ends.peer?.receiveAll()?.texts == ["a", "b"])
    }

    @Test func `no descriptors are bytes as any others`() throws {
        try channel.write(Array("plain".utf8), passing: DescriptorList())
        try channel.flush()
        #expect(try ends.peer?.receiveNow()?.text == "plain")
    }

    // N27
    @Test func `a channel that blocks passes descriptors at once`() throws {
        var pair = try Socket.makePair()
        let channel = try Channel(blocking: .taken(from: &pair.first))
        try channel.write([1], passing: try list("a"))
        let received = try pair.second.receiveAll()
        #expect(received?.bytes == [1])
        #expect(received?.texts == ["a"])
        channel.close()
    }

    // K4
    @Test func `what is buffered behind descriptors waits for a full buffer`() throws {
        var options = ChannelOptions()
        options.buffering = .full
        let ends = try UnixEnds(on: reactor, options: options)
        try ends.channel.write([UInt8](repeating: 7, count: 1_000_000))
        try ends.channel.write([1], passing: try list("a"))
        try ends.channel.write(text: "held")
        var count = 0
        let limit = ContinuousClock.now + .seconds(20)
        while count < 1_000_001, ContinuousClock.now < limit {
            reactor.runPending()
            count += try ends.peer?.receiveAll()?.bytes.count ?? 0
        }
        #expect(count == 1_000_001)
        #expect(ends.channel.unsentByteCount == 4)
        try ends.channel.flush()
        #expect(try ends.peer?.receiveNow()?.text == "held")
        ends.channel.close()
    }

    // MARK: Refused

    // P5, N27
    @Test func `descriptors need a byte, and are 253 at most`() throws {
        let error = SocketError(.write, .invalidArgument, at: .unnamed)
        #expect(throws: error) { try channel.write([], passing: try list("a")) }
        #expect(throws: error) { try channel.write([1], passing: try list(of: 254)) }
        try channel.write([1], passing: try list(of: 253))
        try channel.flush()
        #expect(try ends.peer?.receiveAll()?.texts.count == 253)
    }

    // N27
    @Test func `descriptors go over no other channels`() throws {
        let other = try ConnectionEnds(on: reactor)
        let peer = other.channel.peerAddress
        let before = openDescriptorCount()
        #expect(throws: SocketError(.write, .notSupported, at: peer)) {
            try other.channel.write([1], passing: try list("a"))
        }
        #expect(openDescriptorCount() == before)
        #expect(other.channel.status == .open)
        other.channel.close()
    }

    @Test func `more than 1,024 descriptors do not wait`() throws {
        DescriptorLimit.raise()
        try channel.write([UInt8](repeating: 7, count: 1_000_000))
        for _ in 0..<4 { try channel.write([1], passing: try list(of: 250)) }
        try channel.write([1], passing: try list(of: 24))
        let before = openDescriptorCount()
        #expect(throws: SocketError(.write, .noBufferSpace, at: .unnamed)) {
            try channel.write([1], passing: try list(of: 1))
        }
        #expect(openDescriptorCount() == before)
        channel.abort()
    }

    @Test func `a channel that is closed takes none`() throws {
        channel.close()
        reactor.settle()
        #expect(throws: SocketError(.write, .badDescriptor, at: .unnamed)) {
            try channel.write([1], passing: try list("a"))
        }
    }

    @Test func `a channel that writes no more takes none`() throws {
        try channel.closeWriting()
        #expect(throws: SocketError(.write, .shutDown, at: .unnamed)) {
            try channel.write([1], passing: try list("a"))
        }
        channel.close()
    }

    // MARK: In

    // N27
    @Test func `descriptors come with their bytes, in order`() throws {
        channel.receiveDescriptors(upTo: 8)
        var seen: [String] = []
        channel.onBytes { channel, bytes in
            seen.append(bytes.text)
            seen += channel.takeTexts()
        }
        try ends.peer?.send("one", passing: "a")
        reactor.settle()
        try ends.peer?.sendAll("two")
        reactor.settle()
        try ends.peer?.send("three", passing: "b", "c")
        reactor.settle()
        #expect(seen == ["one", "a", "two", "three", "b", "c"])
        channel.close()
    }

    // N27
    @Test func `descriptors wait to be taken`() throws {
        channel.receiveDescriptors(upTo: 8)
        channel.onBytes { _, _ in }
        for name in ["a", "b", "c"] { try ends.peer?.send("x", passing: name) }
        reactor.expect("all have come") { channel.receivedDescriptorCount == 3 }
        #expect(channel.takeTexts() == ["a", "b", "c"])
        #expect(channel.receivedDescriptorCount == 0)
        #expect(channel.takeTexts() == [])
        channel.close()
    }

    // N27
    @Test func `descriptors that nobody asked for are closed as they come`() throws {
        channel.onBytes { _, _ in }
        let before = openDescriptorCount()
        try ends.peer?.send("x", passing: "a", "b")
        reactor.expect("the byte has come") { channel.counters.bytesReceived == 1 }
        #expect(openDescriptorCount() == before)
        #expect(channel.receivedDescriptorCount == 0)
        channel.close()
    }

    // N27
    @Test(arguments: [0, -1])
    func `who asks for none any more loses those that wait`(limit: Int) throws {
        channel.onBytes { _, _ in }
        let before = openDescriptorCount()
        channel.receiveDescriptors(upTo: 8)
        try ends.peer?.send("x", passing: "a")
        reactor.expect("it has come") { channel.receivedDescriptorCount == 1 }
        channel.receiveDescriptors(upTo: 9)
        #expect(channel.receivedDescriptorCount == 1)
        channel.receiveDescriptors(upTo: limit)
        #expect(channel.receivedDescriptorCount == 0)
        #expect(openDescriptorCount() == before)
        try ends.peer?.send("y", passing: "b")
        reactor.expect("the byte has come") { channel.counters.bytesReceived == 2 }
        #expect(channel.receivedDescriptorCount == 0)
        channel.close()
    }

    // N27
    @Test func `a descriptor that this process can't have is not lost without a word`() throws {
        channel.onBytes { _, _ in }
        channel.receiveDescriptors(upTo: 8)
        try ends.peer?.send("x", passing: "a")
        withDescriptors(spare: 0) { reactor.settle() }
        #expect(channel.receivedDescriptorCount == 1 || channel.endReason != nil)
        channel.close()
    }

    // MARK: Limits and ends

    // N27
    @Test func `a peer that passes more than are taken ends the channel`() throws {
        channel.onBytes { _, _ in }
        let before = openDescriptorCount()
        channel.receiveDescriptors(upTo: 2)
        try ends.peer?.send("x", passing: "a", "b")
        reactor.settle()
        #expect(channel.status == .open)
        try ends.peer?.send("y", passing: "c")
        reactor.expect("the channel has ended") { !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [.limit(.descriptors)])
        #expect(channel.endReason == .limit(.descriptors))
        // The channel's own descriptor has gone, and all that was passed.
        #expect(openDescriptorCount() == before - 1)
    }

    @Test func `who takes what comes is passed as many as the peer likes`() throws {
        channel.receiveDescriptors(upTo: 2)
        var taken: [String] = []
        channel.onBytes { channel, _ in taken += channel.takeTexts() }
        for name in ["a", "b", "c", "d", "e"] {
            try ends.peer?.send("x", passing: name, name)
            reactor.settle()
        }
        #expect(taken.joined() == "aabbccddee")
        #expect(channel.status == .open)
        channel.close()
    }

    // N27
    @Test func `a channel's end closes what waits to be taken`() throws {
        channel.onBytes { _, _ in }
        channel.receiveDescriptors(upTo: 8)
        try ends.peer?.send("x", passing: "a", "b")
        reactor.expect("they have come") { channel.receivedDescriptorCount == 2 }
        let before = openDescriptorCount()
        channel.close()
        reactor.settle()
        #expect(channel.receivedDescriptorCount == 0)
        #expect(channel.takeTexts() == [])
        #expect(openDescriptorCount() == before - 3)
    }

    // N27
    @Test func `a channel's end closes what waits to go out`() throws {
        try channel.write([UInt8](repeating: 7, count: 1_000_000))
        let before = openDescriptorCount()
        try channel.write([1], passing: try list(of: 5))
        #expect(openDescriptorCount() == before + 5)
        channel.abort()
        reactor.settle()
        #expect(openDescriptorCount() == before - 1)
    }

    // N27
    @Test func `a peer's end closes what waits to go out`() throws {
        try channel.write([UInt8](repeating: 7, count: 1_000_000))
        try channel.write([1], passing: try list(of: 5))
        channel.onBytes { _, _ in }
        ends.peer = nil
        reactor.expect("the channel has ended") { !ends.endReasons.isEmpty }
        #expect(channel.unsentByteCount == 0)
    }
}
