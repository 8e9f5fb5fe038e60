// SPDX-License-Identifier: Apache-2.0
//
// Transfers in tasks: the call returns when all has been moved, and every other end of it is an
// error (N50, N52).

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct TransfersInTasks {
    let reactor: Reactor
    let folder: TemporaryFolder

    init() throws {
        reactor = try Reactor()
        folder = try TemporaryFolder()
    }

    /// Has a task do something, and notes what it ends with.
    private func start(
        on executor: Reactor.Executor? = nil, _ body: @escaping @Sendable () async throws -> Int
    ) -> (result: Log, error: Thrown, task: Task<Void, Never>) {
        let (result, thrown) = (Log(), Thrown([]))
        let task = Task(executorPreference: executor ?? reactor.executor) {
            do {
                result.append(try await body())
            } catch {
                thrown.change { $0.append(error as? TransferError) }
            }
        }
        return (result, thrown, task)
    }

    private typealias Thrown = SharedValue<[TransferError?]>

    // N52
    @Test(arguments: TransferPair.Direction.allCases)
    func `a file is sent and received, whichever side waits`(
        passive: TransferPair.Direction
    ) throws {
        let path = try folder.write(pattern(1_000_000))
        let copy = folder["copy"]
        let executor = reactor.executor
        let port = SharedValue<UInt16?>(nil)
        let steps = Log()
        let receive = { (host: String, place: UInt16) in
            start {
                try await Receiver.receive(
                    into: .file(copy), from: host, port: place, on: executor,
                    listening: { place in port.change { $0 = place } },
                    progress: { steps.append($0.read) }
                ).bytesWritten
            }
        }
        let send = { (host: String, place: UInt16) in
            start {
                try await Transmitter.send(
                    .file(path), to: host, port: place, on: executor,
                    listening: { place in port.change { $0 = place } }
                ).bytesWritten
            }
        }
        let first = passive == .sending ? send("", 0) : receive("", 0)
        reactor.expect("it waits") { port.value != nil }
        let place = port.value ?? 0
        let second = passive == .sending ? receive("127.0.0.1", place) : send("127.0.0.1", place)
        reactor.expect("both") { first.result.count == 1 && second.result.count == 1 }
        #expect(first.result.entries + second.result.entries == [1_000_000, 1_000_000])
        #expect(steps.entries.last == 1_000_000)
        #expect(isSame(path, copy))
    }

    // N52
    @Test func `bytes are received into memory`() throws {
        let executor = reactor.executor
        let got = SharedValue<[UInt8]>([])
        let port = SharedValue<UInt16?>(nil)
        let receiving = start {
            let bytes = try await Receiver.receive(
                upTo: 100, size: 5, options: TransferOptions(.waiting), on: executor,
                listening: { place in port.change { $0 = place } })
            got.change { $0 = bytes }
            return bytes.count
        }
        reactor.expect("it waits") { port.value != nil }
        let place = port.value ?? 0
        let sending = start {
            try await Transmitter.send(
                .text("hello"), options: .going(to: place), on: executor
            ).bytesWritten
        }
        reactor.expect("both") { receiving.result.count == 1 && sending.result.count == 1 }
        #expect(got.value.text == "hello")
    }

    // N52
    @Test func `what fails is thrown`() throws {
        let executor = reactor.executor
        let place = try SocketAddress.unused()
        let gone = folder["gone"]
        let missing = start {
            try await Transmitter.send(.file(gone), to: "", port: 0, on: executor).read
        }
        let refused = start {
            try await Transmitter.send(.text("x"), options: .going(to: place.port), on: executor)
                .read
        }
        reactor.expect("both") { missing.error.value.count == 1 && refused.error.value.count == 1 }
        #expect(missing.error.value == [.source(.file(path: gone, .noEntry))])
        guard case .connecting(.connect) = refused.error.value.first else { throw Mishap() }
    }

    /// A task that receives, and a partner that has sent a part of it.
    private func receiving(
        within limit: Duration? = nil
    ) throws -> (task: Task<Void, Never>, error: Thrown, peer: HeldSocket) {
        let executor = reactor.executor
        let port = SharedValue<UInt16?>(nil)
        let steps = Log()
        let path = folder["copy"]
        let receive = { @Sendable () async throws(TransferError) in
            try await Receiver.receive(
                into: .file(path), options: .waiting, on: executor,
                listening: { place in port.change { $0 = place } },
                progress: { steps.append($0.read) }
            ).read
        }
        let (_, error, task) = start {
            guard let limit else { return try await receive() }
            return try await executor.within(limit) { try await receive() }
        }
        reactor.expect("it waits") { port.value != nil }
        let peer = HeldSocket(try .connecting(to: .loopback(port: port.value ?? 0)))
        try peer.socket.sendAll("a part")
        reactor.expect("it moves") { steps.count > 0 }
        return (task, error, peer)
    }

    private func expectReset(
        _ peer: HeldSocket, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            throws: SocketError(.read, .connectionReset), sourceLocation: sourceLocation
        ) {
            _ = try peer.socket.receiveNow()
        }
    }

    // N52
    @Test func `cancelling the task ends the transfer`() throws {
        let (task, error, peer) = try receiving()
        task.cancel()
        reactor.expect("the error") { error.value.count == 1 }
        #expect(error.value == [.cancelled])
        expectReset(peer)
        #expect(folder.read("copy")?.text == "a part")
    }

    // N52
    @Test func `a deadline ends the transfer`() throws {
        let (_, error, peer) = try receiving(within: .milliseconds(300))
        reactor.expect("the error") { error.value.count == 1 }
        #expect(error.value == [.timedOut])
        expectReset(peer)
    }

    // N52
    @Test func `a task that waits for a partner is cancelled, and nothing stays open`() throws {
        let executor = reactor.executor
        let port = SharedValue<UInt16?>(nil)
        let open = openDescriptorCount()
        let (_, error, task) = start {
            try await Transmitter.send(
                .text("x"), to: "", port: 0, on: executor,
                listening: { place in port.change { $0 = place } }
            ).read
        }
        reactor.expect("it waits") { port.value != nil }
        task.cancel()
        reactor.expect("the error") { error.value.count == 1 }
        #expect(error.value == [.cancelled])
        reactor.settle()
        #expect(openDescriptorCount() == open)
    }

    // N52
    @Test func `the end of the reactor ends a transfer`() throws {
        let error: Thrown
        do {
            let other = try Reactor()
            let executor = other.executor
            let waits = Flag()
            error =
                start(on: executor) {
                    try await Transmitter.send(
                        .text("x"), to: "", port: 0, on: executor, listening: { _ in waits.set() }
                    ).read
                }.error
            other.expect("it waits") { waits.isSet }
        }
        #expect(error.value == [.cancelled])
    }

    // MARK: Copies to connections

    // N50
    @Test func `a source is copied to a connection`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        let connection = try Connection.adopting(ends.channel)
        let path = try folder.write(pattern(200_000))
        let copying = start {
            let file = try await connection.copy(from: .file(path)).bytesWritten
            return try await connection.copy(from: .text("end")).bytesWritten + file
        }
        expectSame(try ends.receive(200_003), pattern(200_000) + Array("end".utf8))
        reactor.expect("the end") { copying.result.count == 1 }
        #expect(copying.result.entries == [200_003])
    }

    // N50
    @Test func `a copy that fails, or whose task is cancelled, throws`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary, smallBuffers: true)
        let connection = try Connection.adopting(ends.channel)
        let lacking = start {
            try await connection.copy(from: .bytes([1], size: 2)).read
        }
        reactor.expect("the first") { lacking.error.value.count == 1 }
        #expect(lacking.error.value == [.notEnough(asked: 2, there: 1)])
        let long = start {
            try await connection.copy(from: .bytes(pattern(3_000_000))).read
        }
        reactor.expect("it is held back") { ends.channel.unsentByteCount > 0 }
        long.task.cancel()
        reactor.expect("the second") { long.error.value.count == 1 }
        #expect(long.error.value == [.cancelled])
        let cut = start {
            try await connection.copy(from: .bytes(pattern(3_000_000))).read
        }
        reactor.settle()
        try ends.resetByPeer()
        reactor.expect("the third") { cut.error.value.count == 1 }
        guard case .destination(.socket) = cut.error.value.first else { throw Mishap() }
    }

    // N50
    @Test func `a copy whose connection is closed meanwhile throws`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary, smallBuffers: true)
        let connection = try Connection.adopting(ends.channel)
        let copying = start {
            try await connection.copy(from: .bytes(pattern(3_000_000))).read
        }
        reactor.expect("it is held back") { ends.channel.unsentByteCount > 0 }
        ends.channel.abort()
        reactor.expect("the error") { copying.error.value.count == 1 }
        let closed = SocketError(.write, .badDescriptor, at: ends.channel.peerAddress)
        #expect(copying.error.value == [.destination(.socket(closed))])
    }

    // N50
    @Test func `a copy whose source is closed meanwhile blames the source`() throws {
        let (from, to) = (
            try ConnectionEnds(on: reactor, options: .binary),
            try ConnectionEnds(on: reactor, options: .binary)
        )
        let connection = try Connection.adopting(to.channel)
        // Unsafe: the task is on the thread of both channels.
        nonisolated(unsafe) let source = TransferSource.channel(from.channel)
        let copying = start { try await connection.copy(from: source).read }
        try from.peer?.sendAll("abc")
        #expect(try to.receive(3).text == "abc")
        from.channel.close()
        reactor.expect("the error") { copying.error.value.count == 1 }
        let closed = SocketError(.read, .badDescriptor, at: from.channel.peerAddress)
        #expect(copying.error.value == [.source(.socket(closed))])
        #expect(to.channel.status == .open)
    }

    // N50
    @Test func `what a connection reads is copied to a file`() throws {
        let ends = try ConnectionEnds(on: reactor, options: .binary)
        let connection = try Connection.adopting(ends.channel)
        let path = folder["copy"]
        let copying = start { try await connection.copy(to: .file(path, size: 3)).bytesWritten }
        try ends.peer?.sendAll("abcd")
        reactor.expect("the end") { copying.result.count == 1 }
        #expect(copying.result.entries == [3])
        #expect(folder.read("copy")?.text == "abc")
        let cut = start { try await connection.copy(to: .file(path, size: 3)).bytesWritten }
        try ends.peer?.shutDown(.writing)
        reactor.expect("the error") { cut.error.value.count == 1 }
        #expect(cut.error.value == [.cutShort(promised: 3, came: 1)])
        #expect(folder.read("copy")?.text == "d")
    }
}
