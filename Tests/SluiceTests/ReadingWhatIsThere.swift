// SPDX-License-Identifier: Apache-2.0
//
// What has come already is read without a wait, however it came: behind another message, in the rest
// of one that was given up, or before a change of mind.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReadingWhatIsThere: ConnectionSuite {
    let ends: ConnectionEnds

    /// Sends once, closes if asked to, and then waits for what a task makes of it.
    private func expect(
        _ text: String, thenEnds: Bool = false,
        _ body: @escaping @Sendable (isolated Connection) async throws -> Void
    ) throws {
        let connection = try Connection.adopting(channel)
        try ends.peer?.sendAll(text)
        if thenEnds { ends.peer = nil }
        let done = Flag()
        let task = Task(executorPreference: reactor.executor) {
            do { try await body(connection) } catch { Issue.record(error) }
            done.set()
        }
        reactor.expect("all that was sent is read") { done.isSet }
        task.cancel()
        reactor.settle()
    }

    @Test(arguments: [false, true])
    func `a head and a body that came together`(thenEnds: Bool) throws {
        try expect("headbody of 18 B...", thenEnds: thenEnds) { connection in
            let head = try await connection.read(exactly: 4)
            #expect(head == Array("head".utf8))
            let body = try await connection.read(exactly: 15)
            #expect(body == Array("body of 18 B...".utf8))
        }
    }

    @Test(arguments: [false, true])
    func `frames that came together`(thenEnds: Bool) throws {
        try expect("one;two;three;", thenEnds: thenEnds) { connection in
            var frames: [String] = []
            var rule = DelimiterFraming([0x3B])
            while frames.count < 3, let frame = try await connection.read(by: &rule) {
                frames.append(String(decoding: frame, as: UTF8.self))
            }
            #expect(frames == ["one", "two", "three"])
        }
    }

    @Test func `a part of a line, when bytes will do`() throws {
        try expect("no line") { connection in
            let error = await #expect(throws: ChannelError.self) {
                try await connection.within(.milliseconds(5)) { try await connection.readLine() }
            }
            #expect(
                error == .socket(SocketError(.read, .timedOut, at: connection.peerAddress)))
            let two = try await connection.read(exactly: 2)
            #expect(two == Array("no".utf8))
            let rest = try await connection.read()
            #expect(rest == Array(" line".utf8))
        }
    }

    @Test func `bytes that a rule has refused`() throws {
        try expect("much too long") { connection in
            var rule = LengthFraming(.oneByte, limit: 10)
            await #expect(throws: FramingError.tooLong(limit: 10)) {
                try await connection.read(by: &rule)
            }
            let bytes = try await connection.read()
            #expect(bytes == Array("much too long".utf8))
        }
    }

    @Test func `a length beyond all numbers is refused`() throws {
        try expect("\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}\u{7F}") { connection in
            var rule = LengthFraming(.eightBytes, limit: .max)
            // It fits an integer, and with its own eight bytes too: it is waited for.
            let error = await #expect(throws: (any Error).self) {
                try await connection.within(.milliseconds(5)) {
                    try await connection.read(by: &rule)
                }
            }
            #expect((error as? SocketError)?.code == .timedOut)
        }
        let rule = LengthFraming(.eightBytes, limit: .max)
        let longest: [UInt8] = [0x7F] + [UInt8](repeating: 0xFF, count: 7)
        #expect(throws: FramingError.tooLong(limit: .max)) {
            try rule.next(in: longest.span.bytes)
        }
    }

    /// The task that reads may not have begun, be on its way or wait when this side ends.
    @Test(arguments: 0..<8, [false, true])
    func `a reader learns that this side reads no more`(yields: Int, closes: Bool) throws {
        try expect("") { connection in
            let reader = Task { try await connection.readLine() }
            for _ in 0..<yields { await Task.yield() }
            if closes { connection.close() } else { try connection.closeReading() }
            let error = await #expect(throws: ChannelError.self) { try await reader.value }
            let code = closes ? ErrorCode.badDescriptor : .shutDown
            #expect(error == .socket(SocketError(.read, code, at: connection.peerAddress)))
        }
    }

    @Test(arguments: 0..<8)
    func `whoever waits learns that a connection ends, however far the wait has come`(
        yields: Int
    ) throws {
        try ends.fill()
        try channel.write([UInt8](repeating: 0, count: 200_000))
        try expect("") { connection in
            let waits = [
                Task { _ = try? await connection.waitForRoom() },
                Task { _ = try? await connection.flush() },
                Task { _ = try? await connection.peerClosed() },
                Task { _ = try? await connection.closed() },
            ]
            for _ in 0..<yields { await Task.yield() }
            connection.abort()
            for wait in waits { await wait.value }
        }
    }

    @Test(arguments: [ChannelOptions.tcl, .alore])
    func `a connection never blocks its reactor`(options: ChannelOptions) throws {
        channel.options = options
        let connection = try Connection.adopting(channel)
        #expect(!channel.options.isBlocking)
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            let line = try await connection.readLine()
            #expect(line == "late")
            done.set()
        }
        // Would not return.
        reactor.settle()
        try ends.peer?.sendAll("late\n")
        reactor.expect("the line") { done.isSet }
    }

    // MARK: Waiting to write

    @Test func `there is room where nothing waits`() throws {
        try expect("") { connection in
            try await connection.waitForRoom()
            try connection.write([1, 2, 3].span.bytes)
            try await connection.waitForRoom()
            try await connection.flush()
            try await connection.waitForRoom()
            connection.close()
            try await connection.waitForRoom()
        }
    }

    @Test func `nobody waits for room on a connection that closes with a full queue`() throws {
        let connection = try Connection.adopting(channel)
        try ends.fill()
        try channel.write([UInt8](repeating: 0, count: 200_000))
        let log = Log()
        for number in 1...2 {
            Task(executorPreference: reactor.executor) {
                if number == 1 { try await connection.waitForRoom() }
                if number == 2 { try? await connection.flush() }
                log.append(number)
            }
        }
        reactor.settle()
        #expect(log.count == 0)
        channel.close()
        reactor.settle()
        channel.abort()
        reactor.expect("both") { log.count == 2 }
    }

    @Test func `whoever flushes learns that bytes were dropped`() throws {
        let connection = try Connection.adopting(channel)
        try ends.fill()
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            let error = await #expect(throws: SocketError.self) { try await connection.flush() }
            #expect(error?.code == .badDescriptor)
            done.set()
        }
        reactor.settle()
        channel.abort()
        reactor.expect("the error") { done.isSet }
    }

    @Test func `a file that can't be sent has the reason of the connection`() throws {
        let address = try SocketAddress.unused()
        let connection = try Connection.adopting(Client(on: reactor).open(address))
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            let error = await #expect(throws: ChannelError.self) {
                try await connection.sendFile("/proc/self/exe")
            }
            #expect(error == .socket(SocketError(.connect, .connectionRefused, at: address)))
            done.set()
        }
        reactor.expect("the refusal") { done.isSet }
    }

    @Test func `whoever waits on a channel that can't connect goes on`() throws {
        let address = try SocketAddress.unused()
        let channel = try Client(on: reactor).open(address)
        let connection = try Connection.adopting(channel)
        let log = Log()
        Task(executorPreference: reactor.executor) {
            try? await connection.write([UInt8](repeating: 0, count: 100_000))
            try? await connection.flush()
            log.append(1)
        }
        Task(executorPreference: reactor.executor) {
            _ = try? await connection.read()
            log.append(2)
        }
        reactor.expect("both") { log.count == 2 }
    }
}
