// SPDX-License-Identifier: Apache-2.0
//
// Clients that connect again, stopped in every state, inside handlers and out, and by the end of
// their reactor (W31).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct EndingReconnection {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Stops a client and waits until it says so.
    private func end(_ record: ReconnectingRecord) {
        record.client.stop()
        reactor.expect("the last state") { record.states.last == "stopped" }
    }

    // W31
    @Test(arguments: ["connecting 1", "connected", "waiting"])
    func `a client can be stopped inside the handler of each state`(state: String) throws {
        let server = try reactor.listen()
        let address = state == "waiting" ? try SocketAddress.unused() : server.address
        let record = ReconnectingRecord(on: reactor, to: address)
        record.whenState = { if $0 == state { record.client.stop() } }
        record.client.start()
        reactor.expect("the last state") { record.states.last == "stopped" }
        reactor.settle()
        #expect(record.states.suffix(2) == [state, "stopped"])
        #expect(record.channels.isEmpty)
        #expect(reactor.channels.allSatisfy { $0.peerAddress != address })
        record.whenState = { _ in }
        server.close()
    }

    @Test func `a client that is stopped at once tells nothing but that`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address)
        record.client.stop()
        let before = openDescriptorCount()
        record.client.start()
        #expect(openDescriptorCount() == before + 1)
        record.client.stop()
        record.client.stop()
        #expect(openDescriptorCount() == before)
        #expect(record.states.isEmpty)
        reactor.expect("the last state") { record.states == ["stopped"] }
        reactor.settle()
        #expect(record.states == ["stopped"])
        server.close()
    }

    @Test func `an end that was not told gives way to the one that follows`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address)
        for _ in 0..<3 {
            record.client.start()
            record.client.stop()
        }
        reactor.expect("the last state") { !record.states.isEmpty }
        reactor.settle()
        #expect(record.states == ["stopped"])
        server.close()
    }

    @Test func `a client can be stopped between its states`() throws {
        let server = try reactor.listen()
        let unused = try SocketAddress.unused()
        for (address, last) in [(server.address, "connected"), (unused, "waiting")] {
            let record = ReconnectingRecord(on: reactor, to: address) {
                $0.firstDelay = .seconds(600)
            }
            record.client.start()
            reactor.expect("a state") { record.states.last == last }
            record.client.stop()
            #expect(record.states.last == last)
            reactor.expect("the last state") { record.states.last == "stopped" }
            reactor.settle()
            #expect(record.states == ["connecting 1", last, "stopped"])
            #expect(reactor.channels.allSatisfy { $0.peerAddress != address })
        }
        server.close()
    }

    @Test func `a client that is stopped while its channel opens tells nothing more`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address)
        record.whenConnected = { channel in
            channel.onBytes { _, _ in wrongly() }
            record.client.stop()
            record.client.reconnectNow()
        }
        record.client.start()
        reactor.expect("the last state") { record.states.last == "stopped" }
        reactor.settle()
        #expect(record.states == ["connecting 1", "connected", "stopped"])
        record.whenConnected = { _ in }
        server.close()
    }

    // W31
    @Test func `a start waits until the old connection has sent its last bytes`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        record.whenConnected = { try $0.set(.sendBufferByteCount, to: 32_768) }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let message = [UInt8](repeating: 0x6D, count: 1_000_000)
        #expect(record.client.send(message) == .aboveMark)
        reactor.settle()
        try peer.accept()
        record.client.stop()
        record.client.start()
        reactor.settle()
        #expect(record.states == ["connecting 1", "connected"])
        #expect(reactor.channels.count == 1)
        #expect(record.client.send(message) == .refused(.notConnected))
        #expect(try peer.receive(reactor) == message)
        reactor.expect("a second connection") { record.channels.count == 2 }
        #expect(
            record.states == [
                "connecting 1", "connected", "stopped", "connecting 1", "connected",
            ])
        #expect(record.unsent.isEmpty)
        end(record)
        record.whenConnected = { _ in }
    }

    @Test func `an abort does not wait for anything`() throws {
        let peer = try SlowPeer()
        let record = ReconnectingRecord(on: reactor, to: peer.address)
        record.whenConnected = { try $0.set(.sendBufferByteCount, to: 32_768) }
        record.client.start()
        reactor.expect("a connection") { record.channels.count == 1 }
        let message = [UInt8](repeating: 0x6D, count: 1_000_000)
        #expect(record.client.send(message) == .aboveMark)
        reactor.settle()
        record.client.abort()
        #expect(reactor.channels.isEmpty)
        reactor.expect("the last state") { record.states.last == "stopped" }
        let sent = try #require(record.channels.first).counters.bytesSent
        #expect(sent > 0 && sent < 1_000_000)
        #expect(record.unsent.map(\.bytes) == [message])
        #expect(record.unsent.map(\.handedOverByteCount) == [Int(sent)])
        record.whenConnected = { _ in }
    }

    @Test(arguments: ["connecting 1", "connected", "waiting"])
    func `the end of the reactor ends a client without a call`(state: String) throws {
        weak var client: ReconnectingClient?
        func begin() throws {
            let reactor = try Reactor()
            let server = try reactor.listen()
            let address = state == "waiting" ? try SocketAddress.unused() : server.address
            let record = ReconnectingRecord(on: reactor, to: address)
            client = record.client
            record.client.start()
            if state == "connecting 1" { return }
            reactor.expect("the state") { record.states.last == state }
        }
        try begin()
        #expect(client == nil)
    }

    @Test func `a client that has stopped is kept by nobody`() throws {
        let server = try reactor.listen()
        weak var client: ReconnectingClient?
        let hasStopped = Box(false)
        func begin() {
            let made = ReconnectingClient(on: reactor, to: .address(server.address))
            client = made
            made.onConnected { [weak made] _ in made?.stop() }
            made.onState { state in
                if case .stopped = state { hasStopped.value = true }
            }
            made.start()
        }
        begin()
        #expect(client != nil)
        reactor.expect("the last state") { hasStopped.value }
        // A timer of no length, which keeps it, may still be due.
        let ticks = reactor.every(.milliseconds(1)) {}
        reactor.expect("nobody to keep it") { client == nil }
        ticks.cancel()
        server.close()
    }
}
