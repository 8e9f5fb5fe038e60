// SPDX-License-Identifier: Apache-2.0
//
// Tasks that read and write a connection: each wait ends by what it waits for, by a cancellation,
// by a deadline or by the connection's end, and nothing is lost on the way.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReadingInTasks: ConnectionSuite {
    let ends: ConnectionEnds

    /// Runs `body` in a task on the reactor, and has the test fail where it throws.
    @discardableResult
    private func start(
        _ done: Flag = Flag(),
        _ body: @escaping @Sendable (isolated Connection) async throws -> Void
    ) throws -> (connection: Connection, task: Task<Void, Never>) {
        let connection = try Connection.adopting(channel)
        let task = Task(executorPreference: reactor.executor) {
            do { try await body(connection) } catch { Issue.record(error) }
            done.set()
        }
        return (connection, task)
    }

    @Test func `a read waits for bytes`() throws {
        let done = Flag()
        try start(done) { connection in
            let found1 = try await connection.read()
            #expect(found1 == Array("hello".utf8))
            let found2 = try await connection.read(upTo: 2)
            #expect(found2 == Array("wo".utf8))
            let found3 = try await connection.read()
            #expect(found3 == Array("rld".utf8))
            let found4 = try await connection.read()
            #expect(found4 == [])
            let found5 = try await connection.read()
            #expect(found5 == [])
        }
        reactor.settle()
        #expect(!done.isSet)
        try ends.peer?.sendAll("hello")
        reactor.settle()
        try ends.peer?.sendAll("world")
        reactor.settle()
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
    }

    @Test func `whoever reads from another thread waits on the reactor's`() throws {
        let lines = Log()
        let connection = try Connection.adopting(channel)
        Task.detached {
            while let line = try await connection.readLine() { lines.append(line.utf8.count) }
            lines.append(0)
        }
        // What another thread does wakes no reactor.
        let tick = reactor.every(.milliseconds(1)) {}
        for count in 1...5 {
            reactor.settle()
            try ends.peer?.sendAll(String(repeating: "x", count: count) + "\n")
            reactor.expect("line \(count)") { lines.count == count }
        }
        ends.peer = nil
        reactor.expect("the end") { lines.count == 6 }
        tick.cancel()
        #expect(lines.entries == [1, 2, 3, 4, 5, 0])
    }

    @Test func `bytes are lent, and what is not taken stays`() throws {
        let done = Flag()
        try start(done) { connection in
            var sum = 0
            try await connection.read(upTo: 3) { sum += $0.byteCount }
            #expect(sum == 3)
            let found6 = try await connection.readLine()
            #expect(found6 == "de")
            let isMore = try await connection.read { _ in }
            #expect(!isMore)
        }
        try ends.peer?.sendAll("abcde\n")
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
    }

    @Test func `an exact read waits for all of it`() throws {
        let done = Flag()
        try start(done) { connection in
            let found7 = try await connection.read(exactly: 5)
            #expect(found7 == Array("abcde".utf8))
            let found8 = try await connection.read(exactly: 0)
            #expect(found8 == [])
            let error = await #expect(throws: ChannelError.self) {
                try await connection.read(exactly: 5)
            }
            #expect(error == .endOfInput(connection.peerAddress))
            let found9 = try await connection.read()
            #expect(found9 == Array("fg".utf8), "what came is still there")
        }
        for piece in ["ab", "c", "def", "g"] {
            try ends.peer?.sendAll(piece)
            reactor.settle()
        }
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
    }

    @Test func `lines come one by one, with a wait between`() throws {
        let done = Flag()
        let lines = Log()
        try start(done) { connection in
            for try await line in connection.lines { lines.append(line.utf8.count) }
        }
        for piece in ["a\nbb\nc", "cc\n", "dddd"] {
            try ends.peer?.sendAll(piece)
            reactor.settle()
        }
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
        #expect(lines.entries == [1, 2, 3, 4])
    }

    @Test func `chunks come to the end of the input`() throws {
        let done = Flag()
        let sizes = Log()
        try start(done) { connection in
            for try await chunk in connection.chunks { sizes.append(chunk.count) }
        }
        for piece in ["abc", "de"] {
            try ends.peer?.sendAll(piece)
            reactor.settle()
        }
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
        #expect(sizes.entries == [3, 2])
    }

    @Test func `characters are exact, and none is lost by a cancellation`() throws {
        let done = Flag()
        let (connection, task) = try start { connection in
            let error = await #expect(throws: ChannelError.self) {
                try await connection.read(characters: 4)
            }
            #expect(error == .socket(SocketError(.read, .cancelled, at: connection.peerAddress)))
        }
        try ends.peer?.sendAll("aé")
        reactor.settle()
        task.cancel()
        reactor.settle()
        Task(executorPreference: reactor.executor) {
            let text = try await connection.read(characters: 4)
            #expect(text == "aé€b")
            done.set()
        }
        try ends.peer?.sendAll("€b")
        reactor.expect("the text") { done.isSet }
    }

    @Test func `a second reader is refused, and the first goes on`() throws {
        let done = Flag()
        let (connection, _) = try start(done) { connection in
            let found10 = try await connection.readLine()
            #expect(found10 == "line")
        }
        reactor.settle()
        let refused = Flag()
        Task(executorPreference: reactor.executor) {
            let error = await #expect(throws: SocketError.self) { try await connection.read() }
            #expect(error == SocketError(.read, .busy, at: connection.peerAddress))
            refused.set()
        }
        reactor.expect("the refusal") { refused.isSet }
        try ends.peer?.sendAll("line\n")
        reactor.expect("the line") { done.isSet }
    }

    @Test func `a cancelled read ends at once and closes nothing`() throws {
        let done = Flag()
        let (connection, task) = try start(done) { connection in
            let error = await #expect(throws: SocketError.self) { try await connection.read() }
            #expect(error == SocketError(.read, .cancelled, at: connection.peerAddress))
            let again = await #expect(throws: SocketError.self) { try await connection.read() }
            #expect(again?.code == .cancelled, "the task stays cancelled")
        }
        reactor.settle()
        task.cancel()
        reactor.expect("the end") { done.isSet }
        #expect(channel.status == .open)
        try ends.peer?.sendAll("later")
        let later = Flag()
        Task(executorPreference: reactor.executor) {
            let found11 = try await connection.read()
            #expect(found11 == Array("later".utf8))
            later.set()
        }
        reactor.expect("it reads on") { later.isSet }
    }

    @Test func `a deadline ends a read, and the connection reads on`() throws {
        let done = Flag()
        try start(done) { connection in
            let error = await #expect(throws: ChannelError.self) {
                try await connection.within(.milliseconds(10)) { try await connection.readLine() }
            }
            #expect(error == .socket(SocketError(.read, .timedOut, at: connection.peerAddress)))
            let found12 = try await connection.readLine()
            #expect(found12 == "whole")
        }
        try ends.peer?.sendAll("who")
        let timer = Flag()
        reactor.after(.milliseconds(30)) { timer.set() }
        reactor.expect("the deadline") { timer.isSet }
        try ends.peer?.sendAll("le\n")
        reactor.expect("the line") { done.isSet }
    }

    @Test func `closing ends every wait`() throws {
        let done = Flag()
        let (connection, _) = try start(done) { connection in
            let error = await #expect(throws: SocketError.self) { try await connection.read() }
            #expect(error?.code == .badDescriptor)
            let reason = try await connection.closed()
            #expect(reason == .local)
        }
        reactor.settle()
        Task(executorPreference: reactor.executor) { await connection.close() }
        reactor.expect("the end") { done.isSet }
    }

    @Test func `the reactor's end ends every wait`() throws {
        let ended = Flag()
        do {
            let reactor = try Reactor()
            let ends = try ConnectionEnds(on: reactor)
            let connection = try Connection.adopting(ends.channel)
            Task(executorPreference: reactor.executor) {
                let error = await #expect(throws: SocketError.self) { try await connection.read() }
                #expect(error?.code == .badDescriptor)
                ended.set()
            }
            reactor.settle()
        }
        #expect(ended.isSet)
    }

    @Test func `a connection that nobody has any more is closed`() throws {
        do { _ = try Connection.adopting(channel) }
        reactor.settle()
        #expect(channel.status == .closed)
    }

    @Test func `the peer's end is told to who does not read`() throws {
        let done = Flag()
        try start(done) { connection in
            try await connection.peerClosed()
            #expect(connection.status == .peerClosed)
            let found13 = try await connection.read()
            #expect(found13 == Array("unread".utf8))
        }
        try ends.peer?.sendAll("unread")
        reactor.settle()
        #expect(!done.isSet)
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
    }
}

@Suite(.countingDescriptors)
struct WritingInTasks: ConnectionSuite {
    let ends: ConnectionEnds

    static func makeEnds() throws -> ConnectionEnds {
        try ConnectionEnds(on: Reactor(), smallBuffers: true)
    }

    @Test func `whoever writes above the mark waits for room`() throws {
        let written = Tally()
        let connection = try Connection.adopting(channel)
        Task(executorPreference: reactor.executor) {
            for _ in 0..<100 {
                try await connection.write([UInt8](repeating: 1, count: 10_000))
                written.add(10_000)
            }
        }
        reactor.settle()
        #expect(written.value < 300_000)
        #expect(channel.unsentByteCount < 80_000)
        #expect(try ends.receive(1_000_000).count == 1_000_000)
        reactor.expect("all is written") { written.value == 1_000_000 }
    }

    @Test func `many tasks may wait for room`() throws {
        let written = Tally()
        let connection = try Connection.adopting(channel)
        for _ in 0..<20 {
            Task(executorPreference: reactor.executor) {
                for _ in 0..<10 { try await connection.write([UInt8](repeating: 1, count: 10_000)) }
                written.add(1)
            }
        }
        #expect(try ends.receive(2_000_000).count == 2_000_000)
        reactor.expect("all have written") { written.value == 20 }
    }

    @Test func `a flush waits until the kernel has all`() throws {
        let done = Flag()
        let connection = try Connection.adopting(channel)
        Task(executorPreference: reactor.executor) {
            await connection.change { $0.highWaterMark = 1_000_000 }
            try await connection.write([UInt8](repeating: 1, count: 500_000))
            try await connection.flush()
            #expect(await connection.unsentByteCount == 0)
            done.set()
        }
        reactor.settle()
        #expect(!done.isSet)
        #expect(try ends.receive(500_000).count == 500_000)
        reactor.expect("the flush") { done.isSet }
    }

    @Test func `a write to a peer that is gone is told`() throws {
        let done = Flag()
        let connection = try Connection.adopting(channel)
        try ends.resetByPeer()
        Task(executorPreference: reactor.executor) {
            let error = await #expect(throws: SocketError.self) {
                for _ in 0..<100 {
                    try await connection.write([1])
                    try await connection.flush()
                }
            }
            #expect([.brokenPipe, .connectionReset].contains(error?.code))
            done.set()
        }
        reactor.expect("the error") { done.isSet }
    }

    @Test func `a cancelled write has written all the same`() throws {
        let done = Flag()
        let connection = try Connection.adopting(channel)
        let task = Task(executorPreference: reactor.executor) {
            let bytes = [UInt8](repeating: 1, count: 1_000_000)
            let error = await #expect(throws: SocketError.self) {
                try await connection.write(bytes)
            }
            #expect(error == SocketError(.write, .cancelled, at: connection.peerAddress))
            done.set()
        }
        reactor.settle()
        task.cancel()
        reactor.expect("the error") { done.isSet }
        #expect(try ends.receive(1_000_000).count == 1_000_000)
    }
}

@Suite(.countingDescriptors)
struct ServingInTasks {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    @Test func `each client has a task, whose end closes its connection`() throws {
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { connection in
            for try await line in connection.lines { try await connection.writeLine("<\(line)>") }
        }
        let clients = try (0..<10).map { _ in try HeldSocket(.connecting(to: server.address)) }
        reactor.expect("all are in") { server.connectionCount == 10 }
        for client in clients { try client.socket.sendAll("a\nb\n") }
        reactor.settle()
        for client in clients { #expect(try client.socket.receiveNow()?.text == "<a>\n<b>\n") }
        for client in clients { try client.socket.shutDown(.writing) }
        reactor.expect("all are gone") { server.connectionCount == 0 }
        server.close()
    }

    @Test func `what a handler throws is told, and closes its connection alone`() throws {
        var errors: [any Error] = []
        reactor.onError = { error, _ in errors.append(error) }
        let server = try Server(on: reactor, at: [.loopback(port: 0)]) { connection in
            _ = try await connection.readLine()
            throw Mishap()
        }
        let quiet = try HeldSocket(.connecting(to: server.address))
        let client = try HeldSocket(.connecting(to: server.address))
        reactor.expect("both are in") { server.connectionCount == 2 }
        try client.socket.sendAll("line\n")
        reactor.expect("one is gone") { server.connectionCount == 1 }
        #expect(errors.count == 1 && errors.first is Mishap)
        withExtendedLifetime(quiet) {}
        server.close()
    }
}
