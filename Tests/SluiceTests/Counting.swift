// SPDX-License-Identifier: Apache-2.0
//
// What a channel and a server tell of themselves: counters, ages, addresses, status.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Counting: ConnectionSuite {
    let ends: ConnectionEnds

    @Test func `a new channel has counted nothing`() {
        #expect(channel.counters == ChannelCounters())
    }

    @Test func `reads and the bytes they brought are counted`() throws {
        try ends.peer?.sendAll("12345")
        try channel.read(upTo: 2) { _ in }
        try channel.read { _ in }
        try channel.read { _ in }
        #expect(channel.counters.reads == 2)
        #expect(channel.counters.bytesReceived == 5)
    }

    @Test func `writes are counted when made and bytes when the kernel took them`() throws {
        try channel.write(text: "123")
        try channel.write(text: "45")
        #expect(channel.counters.writes == 2)
        #expect(channel.counters.bytesSent == 0)
        reactor.runPending()
        #expect(channel.counters.bytesSent == 5)
    }

    @Test func `queued bytes do not count as sent`() throws {
        let filled = try ends.fill()
        let queued = channel.unsentByteCount
        #expect(queued > 0)
        #expect(channel.counters.bytesSent == UInt64(filled - queued))
        #expect(try ends.receive(filled).count == filled)
        #expect(channel.counters.bytesSent == UInt64(filled))
    }

    @Test func `a refused write is not counted`() throws {
        channel.options.outputLimit = 1
        #expect(throws: SocketError.self) { try channel.write(text: "12") }
        #expect(channel.counters.writes == 0)
    }

    @Test func `counters outlive the channel's close`() throws {
        try channel.write(text: "12345")
        channel.close()
        reactor.settle()
        #expect(channel.status == .closed)
        #expect(channel.counters.bytesSent == 5)
    }

    @Test func `age grows and traffic ends the idle time`() throws {
        let isOver = Box(false)
        reactor.after(.milliseconds(10)) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
        #expect(channel.age >= .milliseconds(10))
        #expect(channel.idleTime >= .milliseconds(10))
        let age = channel.age
        try channel.write(text: "x")
        reactor.runPending()
        #expect(channel.idleTime < age)
        #expect(channel.age >= age)
    }

    @Test func `the peer's address answers after the close`() throws {
        let address = try ends.peer?.localAddress
        #expect(channel.peerAddress == address)
        ends.peer = nil
        channel.close()
        reactor.settle()
        #expect(channel.peerAddress == address)
    }

    @Test func `this side's address answers after the close if it was asked before`() throws {
        let address = try ends.peer?.peerAddress
        #expect(try channel.localAddress == address)
        channel.close()
        reactor.settle()
        #expect(try channel.localAddress == address)
    }

    @Test func `this side's address that nobody asked for is gone with the channel`() {
        channel.close()
        let error = #expect(throws: SocketError.self) { try channel.localAddress }
        #expect(error == SocketError(.name, .badDescriptor, at: channel.peerAddress))
    }

    @Test func `unread and unsent bytes are told`() throws {
        try ends.peer?.sendAll("12345")
        try channel.parse { _ in 2 }
        #expect(channel.unreadByteCount == 3)
        try channel.write(text: "1234")
        #expect(channel.unsentByteCount == 4)
        reactor.runPending()
        #expect(channel.unsentByteCount == 0)
    }

    @Test func `options of the socket can be read and set, and not after the close`() throws {
        try channel.set(.noDelay, to: false)
        #expect(try !channel.get(.noDelay))
        try channel.set(.noDelay, to: true)
        #expect(try channel.get(.noDelay))
        channel.close()
        let reading = #expect(throws: SocketError.self) { try channel.get(.noDelay) }
        #expect(reading == SocketError(.getOption, .badDescriptor, at: channel.peerAddress))
        let setting = #expect(throws: SocketError.self) { try channel.set(.noDelay, to: true) }
        #expect(setting == SocketError(.setOption, .badDescriptor, at: channel.peerAddress))
    }

    @Test func `a channel prints its peer and its status`() throws {
        #expect("\(channel)" == "\(channel.peerAddress), open")
        channel.close()
        #expect("\(channel)" == "\(channel.peerAddress), closed")
    }

    // W26
    @Test func `the pending error of the socket is taken once`() throws {
        #expect(channel.takeError() == nil)
        try ends.resetByPeer()
        #expect(channel.takeError()?.code == .connectionReset)
        #expect(channel.takeError() == nil)
    }

    @Test func `a server counts whom it let in and whom it turned away`() throws {
        var options = ServerOptions()
        options.denied = [AddressRange(.v4(0x7F00_0002), prefixLength: 32)]
        let server = try Server(on: reactor, at: [.loopback(port: 0)], options: options) { _, _ in }
        let good = try Socket.connecting(to: server.addresses[0])
        let bad = try Socket(for: server.addresses[0])
        try bad.bind(to: .ip(.v4(0x7F00_0002), port: 0))
        _ = try bad.connect(to: server.addresses[0])
        reactor.expect("both are decided") {
            server.counters.accepted == 1 && server.counters.refused == 1
        }
        #expect(server.connectionCount == 1)
        #expect(try bad.receiveNow() == nil)
        #expect(try good.receiveNow() == [])
        server.close()
    }
}
