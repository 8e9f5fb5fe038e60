// SPDX-License-Identifier: Apache-2.0
//
// Channels that go from one reactor to another: what goes along, what stays, and who is told.

import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct MovingChannels {
    let reactor: Reactor
    let other: Reactor

    init() throws {
        reactor = try Reactor()
        other = try Reactor()
    }

    /// All that the peer gets within a while of the other reactor's.
    private func received(by peer: borrowing Socket, _ count: Int) throws -> Int {
        var total = 0
        let limit = ContinuousClock.now + .seconds(20)
        while total < count, ContinuousClock.now < limit {
            other.runPending()
            total += try peer.receiveNow()?.count ?? count
        }
        return total
    }

    // N13
    @Test func `what was read and not consumed goes along`() throws {
        let ends = try UnixEnds(on: reactor)
        ends.channel.onReadable { channel in
            _ = try channel.parse { bytes in bytes.byteCount > 4 ? 2 : 0 }
        }
        try ends.peer?.sendAll("abcdef")
        reactor.settle()
        #expect(ends.channel.unreadByteCount > 0)
        let moved = try Channel(attaching: ends.channel.detach(), on: other)
        let heard = Box("")
        moved.onBytes { _, bytes in heard.value += bytes.text }
        try ends.peer?.sendAll("gh")
        other.expect("the rest comes") { heard.value.hasSuffix("gh") }
        #expect("abcdefgh".hasSuffix(heard.value))
        #expect(heard.value.utf8.count >= 4)
        moved.close()
    }

    // N13
    @Test func `what was written and not sent goes out from there`() throws {
        let ends = try UnixEnds(on: reactor)
        let bytes = [UInt8](repeating: 7, count: 1_000_000)
        try ends.channel.write(bytes)
        reactor.runPending()
        #expect(ends.channel.unsentByteCount > 0)
        let moved = try Channel(attaching: ends.channel.detach(), on: other)
        moved.close()
        guard let peer = ends.peer.take() else {
            Issue.record("nobody is there")
            return
        }
        #expect(try received(by: peer, bytes.count) == bytes.count)
    }

    // N13
    @Test func `the old channel is closed, and told so once`() throws {
        let ends = try UnixEnds(on: reactor)
        ends.channel.onBytes { _, _ in Issue.record("a handler has gone along") }
        let detached = try ends.channel.detach()
        #expect(ends.channel.status == .closed)
        #expect(throws: SocketError.self) { try ends.channel.write([1]) }
        #expect(throws: SocketError.self) { _ = try ends.channel.detach() }
        let moved = try Channel(attaching: detached, on: other)
        try ends.peer?.sendAll("x")
        reactor.settle()
        other.settle()
        #expect(ends.endReasons == [.moved])
        #expect(moved.status == .open)
        moved.close()
    }

    // N13
    @Test func `one that connects still goes on connecting there`() throws {
        let listener = try Socket.listening()
        let channel = try Client(on: reactor).open(try listener.localAddress)
        try channel.write("hello")
        #expect(channel.status == .connecting)
        let moved = try Channel(attaching: channel.detach(), on: other)
        #expect(moved.status == .connecting)
        other.expect("it connects") { moved.status == .open && moved.unsentByteCount == 0 }
        guard let accepted = try listener.accept() else {
            Issue.record("nobody is there")
            return
        }
        let peer = accepted.intoSocket()
        #expect(try received(by: peer, 5) == 5)
        moved.close()
    }

    // N13
    @Test func `a thread of its own goes on with it`() throws {
        let ends = try UnixEnds(on: reactor)
        let group = try ReactorGroup(count: 1)
        let detached = try ends.channel.detach()
        group.handles[0].performOrFail { reactor in
            let channel = try Channel(attaching: detached, on: reactor)
            channel.onBytes { channel, bytes in try channel.write(bytes) }
        }
        guard let peer = ends.peer.take() else {
            Issue.record("nobody is there")
            return
        }
        try peer.sendAll("there and back")
        let answer = try peer.receive(upTo: 64, within: .seconds(20))
        #expect(answer.text == "there and back")
        group.stopAndWait()
    }

    @Test func `it may go in the middle of its own handler`() throws {
        let ends = try UnixEnds(on: reactor)
        let place = Box<DetachedChannel?>(nil)
        ends.channel.onLine { channel, line in
            #expect(line == "first")
            place.value = try channel.detach()
        }
        try ends.peer?.sendAll("first\nsecond\nthi")
        reactor.expect("it has gone") { place.value != nil }
        let moved = try Channel(attaching: #require(place.value), on: other)
        let lines = Box<[String]>([])
        moved.onLine { _, line in lines.value.append(line) }
        try ends.peer?.sendAll("rd\n")
        other.expect("the other lines come") { lines.value.count == 2 }
        #expect(lines.value == ["second", "third"])
        moved.close()
    }

    @Test func `what its own turn still does touches nothing that has gone`() throws {
        let ends = try UnixEnds(on: reactor)
        let lines = Box<[String]>([])
        let moved = Box<Channel?>(nil)
        ends.channel.onLine { [other] channel, _ in
            moved.value = try Channel(attaching: channel.detach(), on: other)
            moved.value?.onLine { _, line in lines.value.append(line) }
            // As a thread of its own would: in the middle of the turn of the old channel.
            other.runPending()
        }
        try ends.peer?.sendAll("first\nsecond\nthi")
        reactor.expect("it has gone") { moved.value != nil }
        #expect(lines.value == ["second"])
        try ends.peer?.sendAll("rd\n")
        other.expect("the last line comes") { lines.value.count == 2 }
        #expect(lines.value == ["second", "third"])
        moved.value?.close()
    }

    @Test func `it may go when its queue has drained`() throws {
        let ends = try UnixEnds(on: reactor)
        let place = Box<DetachedChannel?>(nil)
        ends.channel.onDrained { place.value = try $0.detach() }
        try ends.channel.write([UInt8](repeating: 1, count: 1_000_000))
        guard let peer = ends.peer.take() else {
            Issue.record("nobody is there")
            return
        }
        var count = 0
        let limit = ContinuousClock.now + .seconds(20)
        while place.value == nil, ContinuousClock.now < limit {
            reactor.runPending()
            count += try peer.receiveNow()?.count ?? 0
        }
        let moved = try Channel(attaching: #require(place.value), on: other)
        moved.close()
        #expect(try received(by: peer, 1_000_000 - count) == 1_000_000 - count)
    }

    @Test func `where nobody takes it the connection ends`() throws {
        let ends = try UnixEnds(on: reactor)
        var detached: DetachedChannel? = try ends.channel.detach()
        #expect(detached != nil)
        detached = nil
        guard let peer = ends.peer.take() else {
            Issue.record("nobody is there")
            return
        }
        #expect(try peer.receive(upTo: 8, within: .seconds(20)).isEmpty)
    }

    @Test func `one reactor takes it, and no second`() throws {
        let ends = try UnixEnds(on: reactor)
        let detached = try ends.channel.detach()
        let moved = try Channel(attaching: detached, on: other)
        do throws(SocketError) {
            _ = try Channel(attaching: detached, on: reactor)
            Issue.record("it was taken twice")
        } catch {
            #expect(error.code == .badDescriptor)
        }
        moved.close()
    }

    @Test func `a copy keeps it where it is`() throws {
        let ends = try UnixEnds(on: reactor)
        let sink = try UnixEnds(on: reactor)
        let copy = try ends.channel.copy(to: sink.channel) { _ in }
        for channel in [ends.channel, sink.channel] {
            do throws(SocketError) {
                _ = try channel.detach()
                Issue.record("it has gone in the middle of a copy")
            } catch {
                #expect(error.code == .busy)
            }
        }
        copy.stop()
        _ = try ends.channel.detach()
        sink.channel.close()
    }

    @Test func `a server counts it no more`() throws {
        let place = Box<DetachedChannel?>(nil)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            place.value = try channel.detach()
        }
        let client = try Socket.connecting(to: server.addresses[0])
        reactor.expect("it has come and gone") { place.value != nil }
        #expect(server.connectionCount == 0)
        #expect(server.counters.accepted == 1)
        let moved = try Channel(attaching: #require(place.value), on: other)
        moved.onBytes { channel, bytes in try channel.write(bytes) }
        try client.sendAll("x")
        #expect(try received(by: client, 1) == 1)
        moved.close()
        server.close()
    }

    @Test func `its bytes count once`() throws {
        let ends = try UnixEnds(on: reactor)
        ends.channel.onBytes { _, _ in }
        try ends.peer?.sendAll("12345")
        reactor.expect("they come") { ends.channel.counters.bytesReceived == 5 }
        let moved = try Channel(attaching: ends.channel.detach(), on: other)
        moved.onBytes { _, _ in }
        try ends.peer?.sendAll("678")
        other.expect("they come") { moved.counters.bytesReceived == 8 }
        #expect(reactor.counters.bytesReceived == 5)
        #expect(other.counters.bytesReceived == 3)
        moved.close()
    }
}

@Suite(.countingDescriptors)
struct MovingConnections {
    @Test func `a task goes on with it on another thread`() async throws {
        let group = try ReactorGroup(count: 2)
        let listener = try Socket.listening()
        let endpoint = Endpoint.address(try listener.localAddress)
        let connection = try await Connection.connect(to: endpoint, on: group.executors[0])
        guard let accepted = try listener.accept() else {
            Issue.record("nobody is there")
            return
        }
        let peer = accepted.intoSocket()
        try await connection.write("one\n")
        let moved = try await connection.moved(to: group.executors[1])
        #expect(await connection.status == .closed)
        #expect(await connection.endReason == .moved)
        #expect(moved.executor === group.executors[1])
        try await moved.write("two\n")
        try peer.sendAll("three\n")
        #expect(try await moved.readLine() == "three")
        await moved.close()
        var text = ""
        while text.utf8.count < 8, let bytes = try peer.receiveNow() { text += bytes.text }
        #expect(text == "one\ntwo\n")
        await group.stop()
    }
}
