// SPDX-License-Identifier: Apache-2.0
//
// What never becomes ready, or is ready for something else: waits end in time, and nothing spins.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Nothing that this is waited for happens.
private let short = Duration.milliseconds(30)

@Suite(.countingDescriptors)
struct WaitingInVain {
    /// How many system calls of a kind `body` makes.
    private func count(_ call: SystemCall, _ body: () throws -> Void) rethrows -> Int {
        var count = 0
        try SystemCall.intercepting(
            { made in
                count += made == call ? 1 : 0
                return nil
            }, body)
        return count
    }

    // MARK: Bare sockets

    // N23
    @Test(arguments: [nil, .milliseconds(30)] as [Duration?])
    func `a socket that can't accept says so at once`(limit: Duration?) throws {
        let socket = try Socket(family: .ipv4, kind: .datagram)
        #expect(throws: SocketError(.accept, .notSupported)) {
            _ = try socket.accept(within: limit)
        }
    }

    // N23
    @Test func `a queue of errors is waited for apart from datagrams, and seldom asked`() throws {
        let socket = try Socket.datagrams()
        try socket.set(.ipv4ReceivesErrors, to: true)
        try socket.send("a datagram", to: try socket.localAddress)
        var storage = [UInt8](repeating: 0, count: 10)
        let calls = count(.receiveMessage) {
            #expect(throws: SocketError(.read, .timedOut)) {
                var span = storage.mutableSpan
                var bytes = span.mutableBytes
                _ = try socket.receiveMessage(
                    into: &bytes, ancillaryByteCount: 512, flags: .errorQueue, within: short)
            }
        }
        #expect(calls < 10)
    }

    @Test func `a look beyond what is there asks seldom`() throws {
        let pair = try Socket.makePair()
        try pair.first.sendAll("ab")
        try pair.second.set(.peekOffset, to: 2)
        let calls = count(.receive) {
            #expect(throws: SocketError(.read, .timedOut)) {
                _ = try pair.second.receive(upTo: 10, flags: .peek, within: short)
            }
        }
        #expect(calls < 20)
    }

    // N23, P23
    @Test func `a Unix listener with a full backlog is waited for, within the limit`() throws {
        let folder = try TemporaryFolder()
        let address = SocketAddress.unix(path: folder["socket"])
        let listener = try Socket(for: address)
        try listener.bind(to: address)
        try listener.listen(backlog: 0)
        let first = try Socket(for: address)
        try first.connect(to: address, within: short)
        let second = try Socket(for: address)
        #expect(throws: SocketError(.connect, .timedOut, at: address)) {
            try second.connect(to: address, within: short)
        }
        #expect(throws: SocketError(.connect, .wouldBlock, at: address)) {
            try second.connect(to: address, within: .zero)
        }
        let isAccepted = try listener.accept() != nil
        #expect(isAccepted)
        try second.connect(to: address, within: .seconds(20))
        _ = first.number
    }

    // N37
    @Test func `a peer that sends byte by byte does not stretch the time of a call`() throws {
        let pair = try Socket.makePair()
        var options = SocketFileOptions()
        options.timeLimit = .milliseconds(100)
        var file = try pair.first.makeFile(options)
        let number = pair.second.number
        let isOver = Flag()
        let thread = OtherThread {
            // At most 10 s, and far fewer bytes than are waited for.
            for _ in 0..<500 where !isOver.isSet {
                _ = Glibc.send(number, [UInt8(ascii: "x")], 1, 0)
                poll(nil, 0, 20)
            }
        }
        do {
            _ = try file.read(1_000)
            Issue.record("so many bytes never come")
        } catch {
            #expect(error == .socket(SocketError(.read, .timedOut)))
        }
        isOver.set()
        thread.join()
        _ = pair.second.number
    }

    // MARK: On a reactor

    @Test(arguments: [false, true])
    func `a socket that somebody has shut down is told of, and spins nothing`(
        isUnix: Bool
    ) throws {
        let reactor = try Reactor()
        let address = isUnix ? SocketAddress.unnamed : .loopback(port: 0)
        let socket = try Socket(for: address, kind: .datagram)
        try socket.bind(to: address)
        if !isUnix { _ = try socket.connect(to: try socket.localAddress) }
        let other = try socket.duplicate()
        let heard = DatagramRecord(try DatagramChannel(adopting: socket, on: reactor))
        try other.shutDown(.reading)
        reactor.expect("it is told") { heard.errors.map(\.error.code) == [.shutDown] }
        let calls = count(.receiveMessages) { reactor.settle() }
        #expect(calls == 0)
    }

    @Test func `errors that the program itself has asked the kernel for spin nothing`() throws {
        let reactor = try Reactor()
        var options = DatagramOptions()
        options.reportsErrors = false
        let heard = try DatagramRecord(on: reactor, options: options)
        try heard.channel.set(.ipv4ReceivesErrors, to: true)
        try heard.channel.send(text: "lost", to: try .unused())
        reactor.expect("it is told") { !heard.errors.isEmpty }
        #expect(heard.errors.allSatisfy { $0.code == .connectionRefused })
        let calls = count(.receiveMessages) { reactor.settle() }
        #expect(calls == 0)
    }
}
