// SPDX-License-Identifier: Apache-2.0
//
// Time limits of connections that tasks read: frames, lines and counted bytes that come byte by
// byte, and tasks that take their own time.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct LimitingTimesInTasks {
    let reactor: Reactor

    init() throws { reactor = try Reactor() }

    private func connect(messageTimeout: Duration) throws -> UnixEnds {
        var options = ChannelOptions()
        options.messageTimeout = messageTimeout
        return try UnixEnds(on: reactor, options: options)
    }

    @Test(arguments: TaskReader.allCases)
    func `a message that comes byte by byte is ended`(reader: TaskReader) throws {
        let ends = try connect(messageTimeout: .milliseconds(50))
        let connection = try Connection.adopting(ends.channel)
        let executor = reactor.executor
        let ended = Flag()
        Task(executorPreference: executor) {
            // That it fails is what is waited for.
            try? await reader.read(connection)
            ended.set()
        }
        let timer = reactor.every(.milliseconds(5)) { [unowned ends] in
            // A length of 120 before what never is so long.
            if ends.channel.status == .open { try ends.peer?.sendAll("x") }
        }
        reactor.expect("the connection is closed") { !ends.endReasons.isEmpty && ended.isSet }
        #expect(ends.endReasons == [.timedOut(.message)])
        timer.cancel()
    }

    @Test(arguments: TaskReader.allCases)
    func `a task that takes its time over a message does not end the next one`(
        reader: TaskReader
    ) throws {
        let ends = try connect(messageTimeout: .milliseconds(20))
        let connection = try Connection.adopting(ends.channel)
        let executor = reactor.executor
        let count = Tally()
        Task(executorPreference: executor) {
            do {
                for _ in 0..<3 {
                    try await reader.read(connection)
                    count.add(1)
                    try await executor.sleep(for: .milliseconds(60))
                }
            } catch {
                // The last rest is cut short by the end of the test.
                if count.value < 3 { Issue.record(error) }
            }
        }
        // Three whole messages, and the beginning of a fourth that nobody waits for.
        try ends.peer?.sendAll(String(repeating: reader.message, count: 3) + reader.beginning)
        reactor.expect("three messages are read") { count.value == 3 || !ends.endReasons.isEmpty }
        #expect(ends.endReasons == [])
    }

    @Test func `a message that the task has begun by word is ended`() throws {
        let ends = try connect(messageTimeout: .milliseconds(40))
        let connection = try Connection.adopting(ends.channel)
        Task(executorPreference: reactor.executor) {
            await connection.beginMessage()
            // That it fails is what is waited for.
            while let bytes = try? await connection.read(), !bytes.isEmpty {}
        }
        let timer = reactor.every(.milliseconds(5)) { [unowned ends] in
            if ends.channel.status == .open { try ends.peer?.sendAll("x") }
        }
        reactor.expect("the connection is closed") { ends.endReasons == [.timedOut(.message)] }
        timer.cancel()
    }

    @Test func `a message that the task has ended by word stays`() throws {
        let ends = try connect(messageTimeout: .milliseconds(20))
        let connection = try Connection.adopting(ends.channel)
        let isEnded = Flag()
        Task(executorPreference: reactor.executor) {
            await connection.beginMessage()
            await connection.endMessage()
            isEnded.set()
        }
        let isOver = Box(false)
        reactor.after(.milliseconds(60)) { isOver.value = true }
        reactor.expect("time passes") { isOver.value }
        #expect(isEnded.isSet)
        #expect(ends.endReasons == [])
    }
}

/// A way in which a task reads messages.
enum TaskReader: CaseIterable {
    case frames
    case lines
    case countedBytes

    /// One whole message.
    var message: String {
        switch self {
        case .frames: "\u{2}ab"
        case .lines: "ab\n"
        case .countedBytes: String(repeating: "a", count: 3_000)
        }
    }

    /// What is none yet.
    var beginning: String { self == .frames ? "\u{2}a" : "a" }

    /// Reads one.
    func read(_ connection: Connection) async throws {
        switch self {
        case .frames:
            var frames = connection.frames(by: LengthFraming(.oneByte)).makeAsyncIterator()
            _ = try await frames.next()
        case .lines: _ = try await connection.readLine()
        case .countedBytes: _ = try await connection.read(exactly: 3_000)
        }
    }
}
