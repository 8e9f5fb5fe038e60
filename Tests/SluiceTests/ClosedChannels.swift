// SPDX-License-Identifier: Apache-2.0
//
// Channels that stand alone: what they do not have, signals, and what a closed one answers.
// Every call after a close fails by its name.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ClosedChannels {
    let ends: DrivenEnds

    init() throws { ends = try DrivenEnds(.alone) }

    private var channel: Channel { ends.channel }

    // A14
    @Test func `closing again does nothing`() throws {
        try channel.writeLine("once")
        for _ in 0..<3 {
            channel.close()
            #expect(channel.status == .closed)
            #expect(channel.endReason == .local)
        }
        #expect(try ends.peer?.receiveNow()?.text == "once\n")
        #expect(try ends.peer?.receiveNow() == nil)
    }

    // A14, A8
    @Test(arguments: Driving.allCases)
    func `every way to read a closed channel fails by name`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        let channel = ends.channel
        try ends.send("unread\n")
        channel.close()
        let closed = SocketError(.read, .badDescriptor, at: channel.peerAddress)
        let text = ChannelError.socket(closed)
        #expect(throws: text) { try channel.readLine() }
        #expect(throws: text) { try channel.nextLine() }
        #expect(throws: text) { try channel.read(characters: 1) }
        #expect(throws: text) { try channel.read(characters: 0) }
        #expect(throws: text) { try channel.readText() }
        #expect(throws: text) { try channel.hasMore() }
        #expect(throws: text) { try channel.readTextAndClose() }
        #expect(throws: text) { try channel.readLinesAndClose() }
        #expect(throws: closed) { try channel.read { _ in } }
        #expect(throws: closed) { try channel.parse { _ in 0 } }
        #expect("\(closed)" == "read \(channel.peerAddress): Bad file descriptor")
    }

    // A14
    @Test(arguments: Driving.allCases)
    func `every way to write to a closed channel or change it fails by name`(
        _ driving: Driving
    ) throws {
        let ends = try DrivenEnds(driving)
        let channel = ends.channel
        channel.close()
        let place = channel.peerAddress
        let closed = SocketError(.write, .badDescriptor, at: place)
        #expect(throws: ChannelError.socket(closed)) { try channel.write("x") }
        #expect(throws: ChannelError.socket(closed)) { try channel.writeLine("x") }
        #expect(throws: ChannelError.socket(closed)) { try channel.print("x") }
        #expect(throws: closed) { try channel.write([1]) }
        #expect(throws: closed) { try channel.flush() }
        let shut = SocketError(.shutDown, .badDescriptor, at: place)
        #expect(throws: shut) { try channel.closeWriting() }
        #expect(throws: shut) { try channel.closeReading() }
        #expect(throws: SocketError(.getOption, .badDescriptor, at: place)) {
            try channel.get(.sendBufferByteCount)
        }
        #expect(throws: SocketError(.setOption, .badDescriptor, at: place)) {
            try channel.set(.sendBufferByteCount, to: 4_096)
        }
        #expect(throws: SocketError(.name, .badDescriptor, at: place)) {
            try channel.localAddress
        }
    }

    // A14, A15
    @Test func `addresses that were asked for before a close are still known`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let client = try Channel.connected(to: server.address)
        let channel = try server.accept()
        let local = try client.localAddress
        #expect(channel.peerAddress == local)
        #expect(client.peerAddress == server.address)
        #expect(try channel.localAddress == server.address)
        #expect(local.ipAddress == .loopback)
        #expect(local.port != 0)
        client.close()
        channel.close()
        #expect(try client.localAddress == local)
        #expect(try channel.localAddress == server.address)
        #expect(client.peerAddress == server.address)
    }

    // A13, A14
    @Test func `nothing is left to look at once a channel is closed`() throws {
        try ends.send("a\nb\n")
        #expect(try channel.readLine() == "a")
        channel.close()
        #expect(throws: ChannelError.self) { try channel.peekText() }
        #expect(channel.unreadByteCount == 0)
        #expect(Array(channel.lines) == [])
    }

    // K20
    @Test func `a channel that nobody holds any more lets its descriptor go`() throws {
        let ends = try DrivenEnds(.alone)
        try ends.channel.writeLine("x")
    }

    // K3
    @Test func `a channel that stands alone always waits, and has no reactor`() throws {
        channel.options.isBlocking = false
        #expect(channel.options.isBlocking)
        let none = SocketError(.perform, .badDescriptor, at: channel.peerAddress)
        #expect(throws: none) { try channel.reactor }
        channel.onReadable { _ in wrongly() }
        channel.onLine { _, _ in wrongly() }
        channel.onWritable { _ in wrongly() }
        channel.onClose { _, _ in }
        channel.options.idleTimeout = .nanoseconds(1)
        try ends.send("line\n")
        #expect(try channel.readLine() == "line")
        channel.close()
    }

    // K3
    @Test(arguments: [Driving.blocking, .alone])
    func `a parser is given what is in the buffer without a wait`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        try ends.send("head\nbody")
        #expect(try ends.channel.readLine() == "head")
        let text = Box("")
        try withoutWaiting { () throws in
            try ends.channel.parse {
                text.value = $0.text
                return $0.byteCount
            }
        }
        #expect(text.value == "body")
        ends.channel.close()
    }

    // K3
    @Test(arguments: [Driving.blocking, .alone])
    func `a signal breaks no wait, no read and no write`(_ driving: Driving) throws {
        let ends = try DrivenEnds(driving)
        let answers = Answers(
            .failure(.interrupted), to: [.poll, .receive, .send, .sendVector],
            where: { $0 % 3 != 0 })
        try ends.send("line\n")
        try answers.give { () throws in
            #expect(try ends.channel.readLine() == "line")
            try ends.channel.writeLine("answer")
            try ends.channel.flush()
        }
        #expect(answers.count >= 6)
        #expect(try ends.peer?.receiveNow()?.text == "answer\n")
        ends.channel.close()
    }

    // K3
    @Test func `a signal does not end the wait for a line`() throws {
        let answers = Answers(.failure(.interrupted), to: [.poll], where: { $0 < 4 })
        try withClient { (client) throws in
            #expect(try client.readLine() == "ready")
            try client.writeLine("line")
        } serving: { (channel) throws in
            try channel.writeLine("ready")
            try answers.give { () throws in #expect(try channel.readLine() == "line") }
        }
    }

    // K3
    @Test func `a wait that fails is told as such`() throws {
        let error = SocketError(.watch, .noMemory, at: channel.peerAddress)
        withoutWaiting {
            #expect(throws: ChannelError.socket(error)) { try channel.readLine() }
        }
        try ends.send("line\n")
        #expect(try channel.readLine() == "line")
        channel.close()
    }

    // K3
    @Test func `a channel on a reactor waits and stops waiting as it is told`() throws {
        let ends = try DrivenEnds(.reactor)
        #expect(try ends.channel.readLine() == nil)
        try ends.channel.configure("-blocking", "1")
        try ends.send("line\n")
        #expect(try ends.channel.readLine() == "line")
        try ends.channel.configure("-blocking", "0")
        #expect(try withoutWaiting { () throws in try ends.channel.readLine() } == nil)
        #expect(ends.channel.isBlocked)
        ends.channel.close()
    }

    // T29
    @Test func `a client gets one line of a server as Tcl has them, and closes`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        let client = try Channel.connected(to: server.address)
        let channel = try server.accept(options: .tcl)
        try channel.writeLine("Tue 21 Nov")
        channel.close()
        #expect(try client.readLine() == "Tue 21 Nov")
        #expect(!client.isAtEnd)
        client.close()
    }

    // A2
    @Test func `a client as Alore has it is one call`() throws {
        let server = try ServerSocket(at: .loopback(port: 0))
        var options = ClientOptions()
        options.channel = .alore
        let port = try #require(server.address.port)
        let client = try Channel.connected(to: .host("127.0.0.1", port: port), options: options)
        #expect(client.options.buffering == .none)
        #expect(client.options.isBlocking)
        let channel = try server.accept(options: .alore)
        try client.writeLine("caf\u{E9}")
        #expect(try channel.readBytes(upTo: 9) == [0x63, 0x61, 0x66, 0xE9, 0x0A])
        client.close()
        #expect(try channel.readTextAndClose() == "")
    }
}
