// SPDX-License-Identifier: Apache-2.0
//
// Tasks that pass descriptors over a connection and take those that come.

import Glibc
import Sluice
import TestSupport
import Testing

/// A descriptor from which a text is read.
private func holding(_ text: String) throws -> Descriptor {
    let pipe = try PipeEnds()
    pipe.write(text)
    return Descriptor(adopting: fcntl(pipe.reading, F_DUPFD_CLOEXEC, 0))
}

private func list(_ texts: String...) throws -> DescriptorList {
    var list = DescriptorList()
    for text in texts { list.append(try holding(text)) }
    return list
}

/// What is read from a descriptor; it is closed then.
private func text(_ descriptor: consuming Descriptor) -> String {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor.number, &bytes, bytes.count)
    return Array(bytes[..<max(0, count)]).text
}

@Suite(.countingDescriptors)
struct PassingDescriptorsInTasks {
    let reactor: Reactor
    let ends: UnixEnds

    init() throws {
        reactor = try Reactor()
        ends = try UnixEnds(on: reactor)
    }

    /// Runs `body` in a task on the reactor, and has the test fail where it throws.
    private func start(
        _ done: Flag, _ body: @escaping @Sendable (isolated Connection) async throws -> Void
    ) throws {
        let connection = try Connection.adopting(ends.channel)
        Task(executorPreference: reactor.executor) {
            do { try await body(connection) } catch { Issue.record(error) }
            done.set()
        }
    }

    // N27
    @Test func `a task passes descriptors with its bytes`() throws {
        let done = Flag()
        try start(done) { connection in
            try await connection.write(Array("one".utf8), passing: try list("a", "b"))
            try await connection.flush()
        }
        reactor.expect("they have gone") { done.isSet }
        var buffers = [[UInt8](repeating: 0, count: 3)]
        guard var message = try ends.peer?.receiveMessage(into: &buffers, ancillaryByteCount: 100)
        else {
            Issue.record("no message has come")
            return
        }
        #expect(buffers == [Array("one".utf8)])
        var texts: [String] = []
        while let descriptor = message.descriptors.popFirst() { texts.append(text(descriptor)) }
        #expect(texts == ["a", "b"])
        ends.channel.close()
    }

    // N27
    @Test func `a task waits for bytes and takes the descriptors that came with them`() throws {
        let done = Flag()
        try start(done) { connection in
            connection.receiveDescriptors(upTo: 4)
            for round in ["first", "second"] {
                let bytes = try await connection.read()
                #expect(bytes.text == round)
                var texts: [String] = []
                while let descriptor = connection.takeDescriptor() {
                    texts.append(text(descriptor))
                }
                #expect(texts == ["\(round) a", "\(round) b"])
            }
        }
        for round in ["first", "second"] {
            reactor.settle()
            let bytes = Array(round.utf8)
            let files = try list("\(round) a", "\(round) b")
            let result = try ends.peer?.send(bytes.span.bytes, passing: files)
            #expect(result == .bytes(bytes.count))
        }
        reactor.expect("both have come") { done.isSet }
        ends.channel.close()
    }

    // N27
    @Test func `a task that passes descriptors waits for room`() throws {
        let done = Flag()
        let passed = Flag()
        try start(done) { connection in
            try connection.write([UInt8](repeating: 7, count: 1_000_000).span.bytes)
            try await connection.write([1], passing: try list("late"))
            passed.set()
        }
        reactor.settle()
        #expect(!passed.isSet)
        var received = 0
        var texts: [String] = []
        let limit = ContinuousClock.now + .seconds(20)
        while received < 1_000_001, ContinuousClock.now < limit {
            reactor.runPending()
            var buffers = [[UInt8](repeating: 0, count: 65_536)]
            guard
                var message = try ends.peer?.receiveMessage(into: &buffers, ancillaryByteCount: 100)
            else { continue }
            received += message.byteCount
            while let descriptor = message.descriptors.popFirst() { texts.append(text(descriptor)) }
        }
        reactor.expect("the task has ended") { done.isSet }
        #expect(received == 1_000_001)
        #expect(texts == ["late"])
        ends.channel.close()
    }

    // P5, N27
    @Test func `a task is told that descriptors can't go`() throws {
        let done = Flag()
        let other = try ConnectionEnds(on: reactor)
        let connection = try Connection.adopting(other.channel)
        let peer = other.channel.peerAddress
        Task(executorPreference: reactor.executor) {
            do {
                try await connection.write([1], passing: try list("a"))
                wrongly()
            } catch {
                #expect(error as? SocketError == SocketError(.write, .notSupported, at: peer))
            }
            done.set()
        }
        reactor.expect("the task has ended") { done.isSet }
        other.channel.close()
        ends.channel.close()
    }

    // N27
    @Test func `a peer that passes more than are taken ends the connection`() throws {
        let done = Flag()
        try start(done) { connection in
            connection.receiveDescriptors(upTo: 1)
            do {
                let bytes = try await connection.read()
                #expect(bytes == [])
            } catch {
                #expect((error as? SocketError)?.code == .badDescriptor)
            }
            #expect(connection.endReason == .limit(.descriptors))
            let isNothing = connection.takeDescriptor() == nil
            #expect(isNothing)
        }
        reactor.settle()
        let byte: [UInt8] = [1]
        let result = try ends.peer?.send(byte.span.bytes, passing: try list("a", "b"))
        #expect(result == .bytes(1))
        reactor.expect("the connection has ended") { done.isSet }
    }
}
