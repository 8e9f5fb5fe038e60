// SPDX-License-Identifier: Apache-2.0
//
// Copies and files in tasks: the call returns with the counts when all has gone, and every other
// end of it is an error.

import SluiceText
import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct CopyingInTasks {
    let ends: CopyingEnds
    let from: Connection
    let to: Connection
    var reactor: Reactor { ends.reactor }

    init() throws {
        ends = try CopyingEnds()
        from = try .adopting(ends.from)
        to = try .adopting(ends.to)
    }

    /// Has a task copy, and says what came of it.
    private func start(limit: Int? = nil) -> (result: Log, error: Errors, task: Task<Void, Never>) {
        let (result, errors) = (Log(), Errors())
        let (from, to) = (from, to)
        let task = Task(executorPreference: reactor.executor) {
            do throws(ChannelError) {
                result.append(try await from.copy(to: to, limit: limit).bytesWritten)
            } catch {
                errors.append(error)
            }
        }
        return (result, errors, task)
    }

    // K31
    @Test func `a copy returns with its counts at the end of the input`() throws {
        let (result, errors, _) = start()
        try ends.send("hello ")
        reactor.settle()
        #expect(result.count == 0)
        try ends.send("world", isLast: true)
        reactor.expect("the end") { result.count == 1 }
        #expect(result.entries == [11])
        #expect(errors.all.isEmpty)
        #expect(try ends.received() == "hello world")
    }

    // K31
    @Test func `a copy returns at its limit, and the connection reads on`() throws {
        let (result, _, _) = start(limit: 4)
        try ends.send("headbody\n")
        reactor.expect("the end") { result.count == 1 }
        let line = Flag()
        let from = from
        Task(executorPreference: reactor.executor) {
            let found = try await from.readLine()
            #expect(found == "body")
            line.set()
        }
        reactor.expect("the line") { line.isSet }
    }

    // K34
    @Test(arguments: ["source", "sink", "writing"])
    func `a copy whose end is closed by the program fails`(end: String) throws {
        let (_, errors, _) = start()
        reactor.settle()
        switch end {
        case "source": ends.from.close()
        case "sink": ends.to.close()
        default: try ends.to.closeWriting()
        }
        reactor.expect("the error") { errors.all.count == 1 }
        let peer = ends.from.peerAddress
        #expect(errors.all == [.socket(SocketError(.read, .badDescriptor, at: peer))])
    }

    @Test func `a cancelled copy stops, and the connection reads on`() throws {
        let (_, errors, task) = start()
        try ends.send("copied")
        reactor.settle()
        task.cancel()
        reactor.expect("the error") { errors.all.count == 1 }
        let peer = ends.from.peerAddress
        #expect(errors.all == [.socket(SocketError(.read, .cancelled, at: peer))])
        let done = Flag()
        let from = from
        Task(executorPreference: reactor.executor) {
            let bytes = try await from.read()
            #expect(bytes == Array("kept".utf8))
            done.set()
        }
        try ends.send("kept")
        reactor.expect("the rest") { done.isSet }
    }

    // K33
    @Test func `a copy beside a reader is refused`() throws {
        let from = from
        let reader = Task(executorPreference: reactor.executor) { _ = try? await from.read() }
        reactor.settle()
        let (_, errors, _) = start()
        reactor.expect("the error") { errors.all.count == 1 }
        let peer = ends.from.peerAddress
        #expect(errors.all == [.socket(SocketError(.read, .busy, at: peer))])
        reader.cancel()
        reactor.settle()
    }

    // W16
    @Test func `a file goes out and comes in`() throws {
        let folder = try TemporaryFolder()
        let bytes = pattern(300_000)
        let path = try folder.write(bytes, to: "source")
        let copy = folder["copy"]
        let (from, to) = (from, to)
        let sent = Log()
        Task(executorPreference: reactor.executor) {
            sent.append(try await to.sendFile(path, from: 100).bytesWritten)
            try await to.closeWriting()
        }
        #expect(try ends.sink.receive(299_900) == Array(bytes[100...]))
        reactor.expect("it is sent") { sent.count == 1 }
        #expect(sent.entries == [299_900])
        let received = Log()
        Task(executorPreference: reactor.executor) {
            received.append(try await from.receiveFile(copy).read)
        }
        try ends.send(Array(bytes[..<1_000]))
        try ends.send("", isLast: true)
        reactor.expect("it is received") { received.count == 1 }
        #expect(folder.read("copy") == Array(bytes[..<1_000]))
    }

    @Test func `a file that is not there, and a channel that closes, are errors`() throws {
        let errors = Errors()
        let to = to
        let folder = try TemporaryFolder()
        let path = try folder.write([UInt8](repeating: 1, count: 20_000_000), to: "large")
        Task(executorPreference: reactor.executor) {
            for path in ["/nowhere/at/all", path] {
                do throws(ChannelError) {
                    try await to.sendFile(path)
                } catch {
                    errors.append(error)
                }
            }
        }
        reactor.settle()
        #expect(errors.all == [.file(path: "/nowhere/at/all", .noEntry)])
        ends.to.abort()
        reactor.expect("the second") { errors.all.count == 2 }
        let peer = ends.to.peerAddress
        #expect(errors.all.last == .socket(SocketError(.read, .badDescriptor, at: peer)))
    }
}

/// Errors that a task has met.
private final class Errors: Sendable {
    private let list = Locked<[ChannelError]>([])
    var all: [ChannelError] { list.withLock { $0 } }
    func append(_ error: ChannelError) { list.withLock { $0.append(error) } }
}
