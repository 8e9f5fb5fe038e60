// SPDX-License-Identifier: Apache-2.0
//
// Clients that connect again: what they tell, when they give up, and that there are never two
// connections at once (W31).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct Reconnecting {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    /// Stops a client and waits until it says so.
    private func end(_ record: ReconnectingRecord) {
        record.client.stop()
        reactor.expect("the last state") { record.states.last == "stopped" }
    }

    // W31
    @Test func `a client connects again when the server closes`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.close()
        }
        let record = ReconnectingRecord(on: reactor, to: server.address)
        record.client.start()
        #expect(record.states.isEmpty)
        reactor.expect("three connections") { record.channels.count == 3 }
        end(record)
        #expect(
            record.states == [
                "connecting 1", "connected", "waiting", "connecting 2", "connected", "waiting",
                "connecting 3", "connected", "stopped",
            ])
        #expect(record.losses == [.ended(.finished), .ended(.finished)])
        #expect(record.reason == .asked)
        server.close()
    }

    // W31
    @Test func `a server that comes back at the same port is found again`() throws {
        let address = try SocketAddress.unused()
        let first = try reactor.listen(at: [address])
        let record = ReconnectingRecord(on: reactor, to: address)
        record.client.start()
        reactor.expect("both ends") { record.channels.count == 1 && first.connectionCount == 1 }
        first.closeChannels()
        first.close()
        reactor.expect("refusals") { record.losses.count >= 3 }
        #expect(record.losses.first == .ended(.finished))
        let refused = SocketError(.connect, .connectionRefused, at: address)
        guard case .failed(let error)? = record.losses.last else {
            Issue.record("nothing was refused: \(record.losses)")
            return
        }
        #expect(error.cause == .refused(refused))
        let second = try reactor.listen(at: [address])
        reactor.expect("it is back") { record.channels.count == 2 }
        end(record)
        second.close()
    }

    @Test func `a connection that was stable has everything counted from the beginning`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            channel.close()
        }
        let record = ReconnectingRecord(on: reactor, to: server.address) {
            $0.stableAfter = .zero
            $0.mostAttempts = 1
        }
        record.client.start()
        reactor.expect("three connections") { record.channels.count == 3 }
        #expect(record.states.filter { $0.hasPrefix("connecting") }.count == 3)
        #expect(!record.states.contains("connecting 2"))
        end(record)
        server.close()
    }

    @Test func `a program that closes its channel gets another`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address)
        record.whenConnected = { if record.channels.count < 3 { $0.close() } }
        record.client.start()
        reactor.expect("three connections") { record.channels.count == 3 }
        #expect(record.losses == [.ended(.local), .ended(.local)])
        end(record)
        record.whenConnected = { _ in }
        server.close()
    }

    @Test func `a handler that throws has its channel closed, and the client goes on`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address)
        let errors = Box(0)
        reactor.onError = { error, channel in
            #expect(error is Mishap)
            #expect(channel === record.channels.last)
            errors.value += 1
        }
        record.whenConnected = { _ in throw Mishap() }
        record.client.start()
        reactor.expect("two connections") { record.channels.count == 2 }
        #expect(errors.value == 2)
        end(record)
        reactor.onError = { _, _ in }
        server.close()
    }

    @Test func `what this side lacks for a moment is waited for like a refusal`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address)
        let shortage: SystemCall.Interceptor = {
            $0 == .createSocket ? .failure(.tooManyOpenFiles) : nil
        }
        SystemCall.intercepting(shortage) { record.client.start() }
        reactor.expect("a connection") { record.channels.count == 1 }
        guard case .failed(let error)? = record.losses.first, case .refused(let cause) = error.cause
        else {
            Issue.record("nothing failed: \(record.losses)")
            return
        }
        #expect(cause.code == .tooManyOpenFiles)
        #expect(error.attempts == [cause])
        end(record)
        server.close()
    }

    @Test func `a wait can be cut short`() throws {
        let address = try SocketAddress.unused()
        let record = ReconnectingRecord(on: reactor, to: address) { $0.firstDelay = .seconds(600) }
        record.client.reconnectNow()
        record.client.start()
        record.client.start()
        reactor.expect("a refusal") { record.states.last == "waiting" }
        let server = try reactor.listen(at: [address])
        record.client.reconnectNow()
        record.client.reconnectNow()
        reactor.expect("a connection") { record.channels.count == 1 }
        #expect(record.states == ["connecting 1", "waiting", "connecting 2", "connected"])
        end(record)
        server.close()
    }

    // MARK: Copies

    @Test func `a peer that closes during a copy to it is left when the copy is over`() throws {
        let accepted = Box<Channel?>(nil)
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            accepted.value = channel
            try channel.closeWriting()
        }
        let record = ReconnectingRecord(on: reactor, to: server.address) {
            $0.firstDelay = .seconds(600)
        }
        let isOver = Box(false)
        record.whenConnected = { channel in
            try channel.set(.sendBufferByteCount, to: 32_768)
            let bytes = [UInt8](repeating: 0x6D, count: 10_000_000)
            try channel.copy(from: .bytes(bytes)) { _ in isOver.value = true }
        }
        record.client.start()
        reactor.expect("the peer's end") { record.channels.first?.status == .peerClosed }
        #expect(!isOver.value)
        #expect(record.losses.isEmpty)
        accepted.value?.onBytes { _, _ in }
        reactor.expect("the loss") { record.losses == [.ended(.finished)] }
        #expect(isOver.value)
        #expect(record.channels.first?.counters.bytesSent == 10_000_000)
        end(record)
        accepted.value = nil
        record.whenConnected = { _ in }
        server.close()
    }

    @Test func `a peer that closes behind what is copied from it is left`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { channel, _ in
            try channel.write("hello")
            channel.close()
        }
        let sink = try reactor.listen()
        let other = try Client(on: reactor).open(to: .address(sink.address))
        let record = ReconnectingRecord(on: reactor, to: server.address) {
            $0.firstDelay = .seconds(600)
        }
        let isOver = Box(false)
        record.whenConnected = { channel in
            try channel.copy(to: other) { _ in isOver.value = true }
        }
        record.client.start()
        reactor.expect("the loss") { record.losses == [.ended(.finished)] }
        #expect(isOver.value)
        #expect(other.counters.bytesSent == 5)
        end(record)
        record.whenConnected = { _ in }
        other.close()
        sink.close()
        server.close()
    }

    // MARK: Limits

    // W31
    @Test func `attempts in a row have a limit`() throws {
        let address = try SocketAddress.unused()
        let record = ReconnectingRecord(on: reactor, to: address) { $0.mostAttempts = 3 }
        record.client.start()
        reactor.expect("the last state") { record.states.last == "stopped" }
        #expect(
            record.states == [
                "connecting 1", "waiting", "connecting 2", "waiting", "connecting 3", "stopped",
            ])
        guard case .tooManyAttempts(3, .failed(let error))? = record.reason else {
            Issue.record("it stopped for another reason: \(String(describing: record.reason))")
            return
        }
        #expect(error.cause == .refused(SocketError(.connect, .connectionRefused, at: address)))
        record.client.start()
        reactor.expect("it may be started again") { record.states.count == 12 }
    }

    // W31
    @Test func `the time without a connection has a limit`() throws {
        let address = try SocketAddress.unused()
        let record = ReconnectingRecord(on: reactor, to: address) {
            $0.firstDelay = .seconds(600)
            $0.longestTimeWithoutConnection = .milliseconds(50)
        }
        record.client.start()
        reactor.expect("the last state") { record.states.last == "stopped" }
        // On a machine that stands still for so long the refusal comes too late.
        let waits = record.losses.map { _ in "waiting" }
        #expect(record.states == ["connecting 1"] + waits + ["stopped"])
        let loss = record.losses.first
        #expect(record.reason == .tooLongWithoutConnection(.milliseconds(50), after: loss))
    }

    @Test func `a connection ends the time without one`() throws {
        let server = try reactor.listen()
        let record = ReconnectingRecord(on: reactor, to: server.address) {
            $0.firstDelay = .seconds(600)
            $0.longestTimeWithoutConnection = .seconds(600)
        }
        record.client.start()
        #expect(record.client.limit?.isPending == true)
        reactor.expect("a connection") {
            record.channels.count == 1 && server.connectionCount == 1
        }
        #expect(record.client.limit?.isPending == false)
        server.closeChannels()
        reactor.expect("the loss") { record.states.last == "waiting" }
        #expect(record.client.limit?.isPending == true)
        end(record)
        #expect(record.client.limit?.isPending == false)
        server.close()
    }

    // MARK: Everything at once

    // W31
    @Test(arguments: 0..<20)
    func `whatever comes, states are in order and connections alone`(seed: UInt64) throws {
        let address = try SocketAddress.unused()
        var server: Server?
        var lottery = Lottery(seed: seed)
        let record = ReconnectingRecord(on: reactor, to: address) {
            $0.stableAfter = .seconds(600)
            if seed.isMultiple(of: 2) { $0.whatToDoWithUnsent = .keep }
        }
        let client = record.client
        for _ in 0..<300 {
            switch Int.random(in: 0..<20, using: &lottery) {
            case 0, 1, 2:
                client.start()
                // So that it is told: else an end would follow on an end.
                reactor.run(for: .milliseconds(1))
            case 3: client.stop()
            case 4: client.abort()
            case 5: client.reconnectNow()
            case 6: server?.closeChannels()
            case 7:
                server?.close()
                server = server == nil ? try reactor.listen(at: [address]) : nil
            case 8: record.channels.last?.close()
            case 9..<14: _ = client.send(Array("hello\n".utf8))
            default: reactor.run(for: .milliseconds(1))
            }
            reactor.runPending()
            #expect(reactor.channels.filter { $0.peerAddress == address }.count <= 1)
        }
        client.start()
        reactor.run(for: .milliseconds(1))
        end(record)
        reactor.settle()
        expectOrder(of: record.states)
        #expect(reactor.channels.allSatisfy { $0.peerAddress != address })
        server?.closeChannels()
        server?.close()
    }

    private func expectOrder(of states: [String]) {
        var last = "stopped"
        var attempts = 0
        for state in states {
            switch state {
            case "connected": #expect(last.hasPrefix("connecting"))
            case "waiting": #expect(last.hasPrefix("connecting") || last == "connected")
            case "stopped":
                #expect(last != "stopped")
                attempts = 0
            default:
                #expect(last == "waiting" || last == "stopped")
                attempts += 1
                #expect(state == "connecting \(attempts)")
            }
            last = state
        }
        #expect(states.last == "stopped")
    }
}

extension Reactor {
    /// Handles the events of some time.
    fileprivate func run(for time: Duration) {
        let isOver = Box(false)
        after(time) { isOver.value = true }
        run { isOver.value }
    }
}
