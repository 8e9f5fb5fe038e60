// SPDX-License-Identifier: Apache-2.0
//
// Channels that are there before their connection is: what they answer until it is decided, and how
// its outcome is told (T10, W9, W10, W30).

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// A listener whose backlog is full: what connects to it from now on gets no answer.
final class MuteListener {
    private let listener: Socket
    private var fillers: [HeldSocket] = []
    let address: SocketAddress

    init() throws {
        listener = try Socket(for: .loopback(port: 0))
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 0)
        address = try listener.localAddress
        for _ in 0..<3 { fillers.append(HeldSocket(try .connecting(to: address))) }
    }
}

@Suite(.countingDescriptors)
struct OpeningChannels {
    let reactor: Reactor
    let client: Client

    init() throws {
        reactor = try Reactor()
        client = Client(on: reactor)
    }

    // MARK: Before it is decided

    // T10
    @Test func `the channel is there at once, and connecting`() throws {
        let mute = try MuteListener()
        let channel = try client.open(mute.address)
        #expect(channel.status == .connecting)
        #expect(channel.peerAddress == mute.address)
        #expect(channel.takeError() == nil)
        #expect(channel.endReason == nil)
        reactor.settle()
        #expect(channel.status == .connecting)
        channel.abort()
    }

    @Test func `nobody is told anything before it is decided`() throws {
        let mute = try MuteListener()
        let channel = try client.open(mute.address)
        channel.onReadable { _ in wrongly() }
        channel.onWritable { _ in wrongly() }
        channel.onPeerClosed { _ in wrongly() }
        channel.onDrained { _ in wrongly() }
        #expect(channel.handled == [.readable, .writable, .peerClosed])
        reactor.settle()
        channel.abort()
        reactor.settle()
    }

    @Test func `reading finds nothing yet, and that is not the end`() throws {
        let mute = try MuteListener()
        let channel = try client.open(mute.address)
        #expect(try channel.read { _ in wrongly() } == .wouldBlock)
        #expect(try channel.readLine() == nil)
        #expect(channel.isBlocked)
        #expect(!channel.isAtEnd)
        channel.abort()
    }

    @Test func `a channel that is closed with nothing written keeps no descriptor`() throws {
        let mute = try MuteListener()
        let before = openDescriptorCount()
        let channel = try client.open(mute.address)
        channel.onClose { _, reason in #expect(reason == .local) }
        #expect(openDescriptorCount() == before + 1)
        channel.close()
        #expect(channel.status == .closed)
        #expect(openDescriptorCount() == before)
        reactor.settle()
    }

    @Test func `a reactor may end while a channel connects`() throws {
        let mute = try MuteListener()
        let before = openDescriptorCount()
        func orphan() throws -> Channel { try Client(on: Reactor()).open(mute.address) }
        let channel = try orphan()
        #expect(channel.status == .closed)
        #expect(channel.endReason == .drained)
        #expect(openDescriptorCount() == before)
    }

    // T8, T10
    @Test func `a local address that can't be used is told at once`() throws {
        let server = try reactor.listen()
        var options = ClientOptions()
        options.localAddress = IPAddress("192.0.2.1")
        let before = openDescriptorCount()
        let error = #expect(throws: SocketError.self) {
            try Client(on: reactor, options: options).open(server.address)
        }
        #expect(error?.operation == .bind)
        #expect(error?.code == .addressNotAvailable)
        #expect(openDescriptorCount() == before)
        server.close()
    }

    // MARK: The outcome

    // T10, W9, W10
    @Test func `a connection makes the channel writable, with no error to take`() throws {
        let server = try reactor.listen()
        let channel = try client.open(server.address)
        let seen = Box<[String]>([])
        channel.onWritable { channel in
            channel.onWritable(nil)
            seen.value.append("\(channel.status), \(String(describing: channel.takeError()))")
        }
        reactor.expect("the handler is called") { !seen.value.isEmpty }
        #expect(seen.value == ["open, nil"])
        #expect(try channel.write([UInt8]()) == .accepted)
        #expect(channel.peerAddress == server.address)
        #expect(try channel.get(.pendingError).rawValue == 0)
        reactor.expect("the server sees it") { server.connectionCount == 1 }
        channel.close()
        server.close()
    }

    // T10, W9, W10
    @Test func `a refusal makes the channel writable, with the error to be taken once`() throws {
        let address = try SocketAddress.unused()
        let channel = try client.open(address)
        let errors = Box<[SocketError?]>([])
        channel.onWritable { channel in
            #expect(channel.status == .failed)
            errors.value += [channel.takeError(), channel.takeError()]
            channel.close()
        }
        reactor.expect("the handler is called") { !errors.value.isEmpty }
        let refused = SocketError(.connect, .connectionRefused, at: address)
        #expect(errors.value == [refused, nil])
        #expect(channel.endReason == .failed(refused))
        #expect(channel.status == .closed)
    }

    // W9
    @Test func `a refusal makes the channel readable as well, and reading tells it`() throws {
        let address = try SocketAddress.unused()
        let channel = try client.open(address)
        let errors = Box<[SocketError?]>([])
        channel.onReadable { channel in
            errors.value.append(#expect(throws: SocketError.self) { try channel.read { _ in } })
            let next = try channel.read { _ in }
            #expect(next == .endOfStream)
            channel.close()
        }
        reactor.expect("the handler is called") { !errors.value.isEmpty }
        #expect(errors.value == [SocketError(.connect, .connectionRefused, at: address)])
    }

    @Test func `a refusal is told by the next write, once`() throws {
        let address = try SocketAddress.unused()
        let channel = try client.open(address)
        try channel.write(text: "too early")
        reactor.expect("it is decided") { channel.status != .connecting }
        #expect(channel.unsentByteCount == 0)
        let first = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(first == SocketError(.connect, .connectionRefused, at: address))
        let second = #expect(throws: SocketError.self) { try channel.write(text: "x") }
        #expect(second == SocketError(.write, .brokenPipe, at: address))
        #expect(channel.takeError() == nil)
        channel.close()
    }

    @Test(arguments: [SocketAddress.abstract(name: Array("sluice-nobody".utf8)), .unnamed])
    func `a refusal that comes at once is told as later ones are`(address: SocketAddress) throws {
        let channel = try client.open(address)
        let calls = Box(0)
        channel.onWritable { channel in
            calls.value += 1
            channel.onWritable(nil)
        }
        #expect(calls.value == 0)
        reactor.expect("the handler is called") { calls.value == 1 }
        #expect(channel.status == .failed)
        #expect(channel.takeError()?.operation == .connect)
        #expect(channel.takeError() == nil)
        channel.close()
    }

    @Test func `a connection that was closed meanwhile is told as closed`() throws {
        let address = try SocketAddress.unused()
        let channel = try client.open(address)
        let reasons = Box<[EndReason]>([])
        channel.onClose { reasons.value.append($1) }
        try channel.write(text: "nobody reads this")
        channel.close()
        reactor.expect("it is over") { !reasons.value.isEmpty }
        #expect(channel.status == .closed)
        #expect(reasons.value.count == 1)
    }

    // MARK: Many

    // W30
    @Test func `three hundred channels at once each have their own outcome`() throws {
        let server = try reactor.listen()
        let unused = try SocketAddress.unused()
        let mute = try MuteListener()
        let addresses = [server.address, unused, mute.address]
        let outcomes = Box<[Int: [String]]>([:])
        var channels: [Channel] = []
        for number in 0..<300 {
            let channel = try client.open(addresses[number % 3])
            channel.onWritable { channel in
                channel.onWritable(nil)
                let error = channel.takeError()
                outcomes.value[number, default: []].append(error.map { "\($0)" } ?? "connected")
                #expect(channel.takeError() == nil)
            }
            channels.append(channel)
        }
        #expect(channels.allSatisfy { $0.status == .connecting || $0.status == .open })
        #expect(outcomes.value.isEmpty)
        reactor.expect("all but the mute ones are decided") { outcomes.value.count == 200 }
        reactor.settle()
        for number in 0..<300 {
            let expected = [["connected"], ["connect \(unused): Connection refused"], nil][
                number % 3]
            #expect(outcomes.value[number] == expected)
        }
        #expect(channels.count { $0.status == .connecting } == 100)
        for channel in channels { channel.abort() }
        server.close()
    }
}
