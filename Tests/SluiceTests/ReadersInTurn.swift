// SPDX-License-Identifier: Apache-2.0
//
// Two tasks that read one connection: the second is refused, whatever it asks for, and takes nothing of
// what the first one has seen.

import TestSupport
import Testing

@testable import Sluice

@Suite(.countingDescriptors)
struct ReadersInTurn: ConnectionSuite {
    let ends: ConnectionEnds

    /// A way to read, and what it says of what came first.
    enum Way: String, CaseIterable, Sendable {
        case bytes, exactly, storage, line, characters, text, frame, copy

        func read(_ connection: isolated Connection) async throws {
            switch self {
            case .bytes: _ = try await connection.read()
            case .exactly: _ = try await connection.read(exactly: 1)
            case .storage:
                var storage = [UInt8](repeating: 0, count: 10)
                _ = try await connection.read(into: &storage)
            case .line: _ = try await connection.readLine()
            case .characters: _ = try await connection.read(characters: 1)
            case .text: _ = try await connection.readText()
            case .frame:
                var rule = DelimiterFraming([0x0A])
                _ = try await connection.read(by: &rule)
            case .copy: _ = try await connection.receiveFile("/dev/null")
            }
        }
    }

    /// Has a task wait for ten bytes with five there, and another one read.
    @Test(arguments: Way.allCases)
    func `a second reader takes nothing of what the first waits with`(way: Way) throws {
        let connection = try Connection.adopting(channel)
        let done = Flag()
        let first = Task(executorPreference: reactor.executor) {
            let bytes = try await connection.read(exactly: 10)
            #expect(bytes == Array("ab\ncdefghi".utf8))
            done.set()
        }
        try ends.peer?.sendAll("ab\ncd")
        reactor.settle()
        let refused = Flag()
        Task(executorPreference: reactor.executor) {
            do {
                try await way.read(connection)
                Issue.record("two tasks read")
            } catch {
                let code = (error as? SocketError)?.code ?? (error as? ChannelError)?.code
                #expect(code == .busy)
            }
            refused.set()
        }
        reactor.expect("the refusal") { refused.isSet }
        try ends.peer?.sendAll("efghi")
        reactor.expect("the rest") { done.isSet }
        withExtendedLifetime(first) {}
    }

    @Test func `a reader that was woken and has not run yet still comes first`() throws {
        let connection = try Connection.adopting(channel)
        let log = Log()
        Task(executorPreference: reactor.executor) {
            let line = try await connection.readLine()
            #expect(line == "first")
            log.append(1)
        }
        reactor.settle()
        // In the turn in which the line comes, before the task that waits for it runs.
        reactor.after(.zero) { [ends] in
            try ends.peer?.sendAll("first\n")
            connection.assumeIsolated { $0.reading.resume() }
            Task.immediate(executorPreference: connection.executor) {
                let error = await #expect(throws: ChannelError.self) {
                    try await connection.readLine()
                }
                #expect(error?.code == .busy)
                log.append(2)
            }
        }
        reactor.expect("both") { log.count == 2 }
        #expect(log.entries == [2, 1])
    }

    @Test func `bytes go into the caller's storage, as many as it holds`() throws {
        let connection = try Connection.adopting(channel)
        let done = Flag()
        Task(executorPreference: reactor.executor) {
            var none: [UInt8] = []
            var count = try await connection.read(into: &none)
            #expect(count == 0)
            var storage = [UInt8](repeating: 0x2E, count: 4)
            count = try await connection.read(into: &storage)
            #expect(count == 4)
            #expect(storage == Array("abcd".utf8))
            count = try await connection.read(into: &storage)
            #expect(count == 2)
            #expect(storage == Array("efcd".utf8))
            count = try await connection.read(into: &storage)
            #expect(count == 0, "the end")
            done.set()
        }
        reactor.settle()
        try ends.peer?.sendAll("abcdef")
        reactor.settle()
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
    }
}

extension ChannelError {
    /// What the system or a rule says, of an error of a socket.
    fileprivate var code: ErrorCode? {
        if case .socket(let error) = self { error.code } else { nil }
    }
}
