// SPDX-License-Identifier: Apache-2.0
//
// Datagram channels opened and used with every system call failing in turn: what went wrong is
// told, nothing traps or hangs, and neither a descriptor nor a Unix socket's file is left.

import TestSupport
import Testing

@testable import Sluice

/// A way to open a datagram channel.
struct DatagramOpening: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let open: @Sendable (Reactor, TemporaryFolder) throws -> DatagramChannel

    private init(
        _ description: String,
        _ open: @escaping @Sendable (Reactor, TemporaryFolder) throws -> DatagramChannel
    ) {
        testDescription = description
        self.open = open
    }

    /// All that a channel can be asked for.
    private static var everything: DatagramOptions {
        var options = DatagramOptions()
        options.reuseAddress = true
        options.allowsBroadcast = true
        options.joinsInput = true
        options.ancillaryByteCount = 64
        return options
    }

    static let all: [DatagramOpening] = [
        Self("at an address") { reactor, _ in
            try DatagramChannel(on: reactor, at: .loopback(port: 0), options: everything)
        },
        Self("for both families") { reactor, _ in
            var options = everything
            options.acceptsBothFamilies = true
            let place = SocketAddress.hasLoopback6 ? IPAddress.any6 : .any
            return try DatagramChannel(on: reactor, at: .ip(place, port: 0), options: options)
        },
        Self("connected") { reactor, _ in
            try DatagramChannel(on: reactor, connectedTo: .loopback(port: 9), options: everything)
        },
        Self("connected from an address") { reactor, _ in
            try DatagramChannel(
                on: reactor, connectedTo: .loopback(port: 9), from: .loopback(port: 0),
                options: everything)
        },
        Self("at a path") { reactor, folder in
            var options = everything
            options.unixPath.permissions = 0o600
            options.unixPath.existing = .replaceDead
            return try DatagramChannel(
                on: reactor, at: .unix(path: folder["socket"]), options: options)
        },
        Self("connected from a path") { reactor, folder in
            let server = try DatagramChannel(on: reactor, at: .unnamed)
            defer { server.close() }
            return try DatagramChannel(
                on: reactor, connectedTo: server.localAddress, from: .unix(path: folder["socket"]))
        },
        Self("of an open socket") { reactor, _ in
            let socket = try Socket.datagrams()
            try socket.setBlocking(true)
            return try DatagramChannel(adopting: socket, on: reactor, options: everything)
        },
    ]
}

@Suite(.countingDescriptors)
struct DatagramTorture {
    let reactor: Reactor
    let folder: TemporaryFolder

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
    }

    /// The calls of `body` in order, but for those that undo.
    private func calls(_ body: () throws -> Void) rethrows -> [SystemCall] {
        var calls: [SystemCall] = []
        try SystemCall.intercepting(
            { call in
                if call != .close, call != .unlink { calls.append(call) }
                return nil
            }, body)
        return calls
    }

    /// Has the call with this number fail, counted from 0 and without those that undo.
    private func failing<Result>(
        _ number: Int, with code: ErrorCode, _ body: () throws -> Result
    ) rethrows -> Result {
        var count = 0
        return try SystemCall.intercepting(
            { call in
                if call == .close || call == .unlink { return nil }
                count += 1
                return count - 1 == number ? .failure(code) : nil
            }, body)
    }

    /// What a channel does without: who its peer is, whether the kernel cuts and joins.
    private let spared: Set<SystemCall> = [.peerName, .getOption, .setOption, .changeMode]

    @Test(arguments: DatagramOpening.all)
    func `whichever call fails, opening tells it or does without`(
        opening: DatagramOpening
    ) throws {
        let calls = try calls { try opening.open(reactor, folder).close() }
        #expect(calls.count >= 5)
        let before = openDescriptorCount()
        var told = 0
        for (number, call) in calls.enumerated() {
            let what = Comment("call \(number), \(call)")
            do {
                let channel = try failing(number, with: .noMemory) {
                    try opening.open(reactor, folder)
                }
                #expect(spared.contains(call), what)
                #expect(channel.isOpen, what)
                channel.close()
            } catch let error as SocketError {
                told += 1
                #expect(error.code == .noMemory, what)
            }
            #expect(openDescriptorCount() == before, what)
            #expect(folder.names == [], what)
        }
        // Only what is about the kernel's extras is done without.
        #expect(told >= calls.count - 4)
        reactor.settle()
    }

    @Test(arguments: DatagramOpening.all)
    func `an interrupted call is made again`(opening: DatagramOpening) throws {
        let calls = try calls { try opening.open(reactor, folder).close() }
        // These are never interrupted, says the manual.
        let others: Set<SystemCall> = [.localName, .peerName, .connect]
        for number in calls.indices where !others.contains(calls[number]) {
            let channel = try failing(number, with: .interrupted) {
                try opening.open(reactor, folder)
            }
            #expect(channel.isOpen)
            channel.close()
        }
        #expect(folder.names == [])
    }

    @Test func `a connected channel knows its peer although the kernel does not tell it`() throws {
        let peer = try Socket.datagrams()
        let place = try peer.localAddress
        let channel = try SystemCall.failing(.peerName, with: .noMemory) {
            try DatagramChannel(on: reactor, connectedTo: place)
        }
        #expect(channel.peerAddress == place)
        try channel.send(text: "a")
        reactor.settle()
        let texts = try peer.receiveTexts()
        #expect(texts == ["a"])
    }

    /// Two channels, the second of which answers the first; told is what went wrong.
    private func converse(_ told: Box<[String]>) throws -> Int {
        let reactor = try Reactor()
        reactor.onError = { error, _ in told.value.append("notice: \(error)") }
        let server = try DatagramChannel(on: reactor, at: .loopback(port: 0))
        server.onDatagram { try $0.send($1, to: $2.sender) }
        let client = try DatagramChannel(on: reactor, connectedTo: server.localAddress)
        var count = 0
        client.onDatagram { _, _, _ in count += 1 }
        for channel in [server, client] {
            channel.onError { _, error in told.value.append("error: \(error)") }
        }
        for number in 0..<40 {
            try client.send(text: "\(number)")
            if number % 10 == 9 { client.flush() }
        }
        reactor.settle(passes: 10)
        let dropped = [server, client].reduce(0) { $0 + Int($1.counters.datagramsDropped) }
        server.close()
        client.close()
        return count + dropped
    }

    @Test func `whichever call of a conversation fails, nothing is lost silently`() throws {
        let calls = try calls {
            let told = Box<[String]>([])
            let count = try converse(told)
            #expect(count == 40)
            #expect(told.value == [])
        }
        #expect(calls.count > 20)
        let codes: [ErrorCode] = [
            .noMemory, .noBufferSpace, .notPermitted, .interrupted, .wouldBlock, .connectionRefused,
        ]
        for (number, call) in calls.enumerated() {
            for code in codes {
                let before = openDescriptorCount()
                let told = Box<[String]>([])
                var count = 0
                do {
                    count = try failing(number, with: code) { try converse(told) }
                } catch {
                    told.value.append("thrown: \(error)")
                }
                let what = Comment("call \(number), \(call), \(code): \(told.value)")
                #expect(openDescriptorCount() == before, what)
                // A channel that can't be watched is closed, and refuses what comes next.
                #expect(told.value.count <= (call == .watch ? 2 : 1), what)
                #expect(count == 40 || !told.value.isEmpty, what)
            }
        }
    }
}
