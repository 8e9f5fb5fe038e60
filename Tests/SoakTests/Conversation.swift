// SPDX-License-Identifier: Apache-2.0
//
// The clients of the soak: each talks with the server in ways that chance chooses, and knows what must
// come back.

import Sluice
import TestSupport
import Testing

/// What one client does on one connection.
struct Conversation: Sendable {
    private var chance: Lottery
    private let done: Tally
    /// What this end has cancelled, cut off or ended early on purpose.
    private let broken: Tally
    /// From when it is set the server may end, and cut off whatever is under way.
    private let serverMayEnd: Flag

    init(seed: UInt64, done: Tally, broken: Tally, serverMayEnd: Flag) {
        chance = Lottery(seed: seed)
        self.done = done
        self.broken = broken
        self.serverMayEnd = serverMayEnd
    }

    private func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds, !serverMayEnd.isSet { Issue.record("\(what())") }
    }

    /// How long somebody waits for this conversation before he cancels it; mostly to its end.
    mutating func patience() -> Duration? {
        chance.draw(1...10) == 1 ? .milliseconds(chance.draw(0...300)) : nil
    }

    /// Gives up connecting, once in a while; then nothing must be left of it.
    mutating func connectInVain(
        to address: SocketAddress, on executor: Reactor.Executor
    ) async throws {
        guard chance.draw(1...10) == 1 else { return }
        let attempt = Task(executorPreference: executor) {
            try await Connection.connect(to: .address(address), on: executor)
        }
        if Bool.random(using: &chance) { await Task.yield() }
        attempt.cancel()
        broken.add(1)
        do {
            // It may have come first.
            try await attempt.value.abort()
        } catch let error as ConnectError {
            guard case .refused(let cause) = error.cause, cause.code == .cancelled else {
                throw error
            }
        }
    }

    /// Talks until it has said enough, or something that ends the connection.
    mutating func run(_ connection: isolated Connection) async throws {
        for _ in 0..<chance.draw(5...40) {
            done.add(1)
            guard try await step(connection) else { return }
            if chance.draw(1...3) == 1 {
                try await connection.executor.sleep(for: .milliseconds(chance.draw(1...40)))
            }
        }
        if chance.draw(1...4) > 1 { connection.abort() }
    }

    /// - Returns: whether the connection goes on.
    private mutating func step(_ connection: isolated Connection) async throws -> Bool {
        switch chance.draw(1...24) {
        case 1...4: try await sendLines(connection)
        case 5...7: try await sendBytes(connection)
        case 8...9: try await beFlooded(connection)
        case 10...11: try await fillSink(connection)
        case 12...13: try await sendFrame(connection)
        case 14: try await keepSilent(connection)
        case 15: try await waitTooShort(connection)
        case 16...17: try await cancelReader(connection)
        case 18: return try await endWriting(connection)
        case 19: return try await cutOff(connection)
        case 20: return try await cancelWriter(connection)
        case 21: return try await stopReading(connection)
        case 22...23: try await sendFramesAtOnce(connection)
        default: return try await beDropped(connection)
        }
        return true
    }

    private func ask(_ wish: Wish, _ number: Int, _ connection: isolated Connection) async throws {
        try await connection.writeLine("\(wish.rawValue) \(number)")
    }

    private func expectLine(_ text: String, _ connection: isolated Connection) async throws {
        let line = try await connection.readLine()
        expect(line == text, "\(line ?? "the end") in place of '\(text)'")
    }

    // MARK: What ends well

    private mutating func sendLines(_ connection: isolated Connection) async throws {
        let lines = (0..<chance.draw(1...20)).map {
            "line \($0) " + String(repeating: "x", count: chance.draw(0...90))
        }
        try await ask(.lines, lines.count, connection)
        for line in lines { try await connection.writeLine(line) }
        for line in lines { try await expectLine(line, connection) }
    }

    private mutating func sendBytes(_ connection: isolated Connection) async throws {
        let bytes = pattern(from: 0, to: chance.draw(1...60_000))
        try await ask(.bytes, bytes.count, connection)
        try await connection.write(bytes)
        let answer = try await connection.read(exactly: bytes.count)
        expect(answer == bytes, "other bytes came back")
    }

    /// Reads slowly, so that the server has to wait.
    private mutating func beFlooded(_ connection: isolated Connection) async throws {
        let size = drawSize()
        try await ask(.flood, size, connection)
        var place = 0
        while place < size {
            let bytes = try await connection.read(upTo: min(size - place, chance.draw(1...65_536)))
            if bytes.isEmpty { break }
            expect(bytes == pattern(from: place, to: place + bytes.count), "a wrong flood")
            place += bytes.count
            if chance.draw(1...4) == 1 {
                try await connection.executor.sleep(for: .milliseconds(chance.draw(1...5)))
            }
        }
        expect(place == size, "\(place) B of \(size)")
    }

    /// Writes more than the server reads at once, so that this side has to wait.
    private mutating func fillSink(_ connection: isolated Connection) async throws {
        let size = drawSize()
        try await ask(.sink, size, connection)
        for start in stride(from: 0, to: size, by: 50_000) {
            try await connection.write(pattern(from: start, to: min(start + 50_000, size)))
        }
        try await expectLine("swallowed", connection)
    }

    private mutating func sendFrame(_ connection: isolated Connection) async throws {
        var rule = LengthFraming(.twoBytes)
        let message = pattern(from: 0, to: chance.draw(0...10_000))
        try await ask(.frame, 1, connection)
        try await connection.write(rule.framed(message))
        let answer = try await connection.read(by: &rule)
        expect(answer == message, "another message came back")
    }

    /// Several questions leave in one piece, and the answers may come in one.
    private mutating func sendFramesAtOnce(_ connection: isolated Connection) async throws {
        var rule = LengthFraming(.twoBytes)
        let messages = (0..<chance.draw(2...6)).map { _ in pattern(from: 0, to: chance.draw(0...90))
        }
        var bytes: [UInt8] = []
        for message in messages {
            bytes += Array("\(Wish.frame.rawValue) 1\n".utf8) + (try rule.framed(message))
        }
        try await connection.write(bytes)
        for message in messages {
            let answer = try await connection.read(by: &rule)
            expect(answer == message, "another message came back")
        }
    }

    private mutating func keepSilent(_ connection: isolated Connection) async throws {
        try await ask(.silence, chance.draw(1...20), connection)
        try await expectLine("silence", connection)
    }

    /// A deadline passes, or the task that reads is cancelled: nothing is lost by that.
    private mutating func waitTooShort(_ connection: isolated Connection) async throws {
        let limit = Duration.milliseconds(chance.draw(0...5))
        broken.add(1)
        do {
            let line = try await connection.within(limit) { try await connection.readLine() }
            expect(false, "\(line ?? "the end") came unasked")
        } catch ChannelError.socket(let error) where error.code == .timedOut {}
        try await sendLines(connection)
    }

    private mutating func cancelReader(_ connection: isolated Connection) async throws {
        let reader = Task { try await connection.readLine() }
        if Bool.random(using: &chance) {
            try await connection.executor.sleep(for: .milliseconds(chance.draw(0...5)))
        }
        reader.cancel()
        broken.add(1)
        do {
            let line = try await reader.value
            expect(false, "\(line ?? "the end") came unasked")
        } catch ChannelError.socket(let error) where error.code == .cancelled {}
        try await sendLines(connection)
    }

    /// Mostly what the kernel's buffers hold, now and then more.
    private mutating func drawSize() -> Int {
        chance.draw(1...15) == 1 ? chance.draw(4_000_000...8_000_000) : chance.draw(1...200_000)
    }

    // MARK: What ends the connection

    /// A task is cancelled while it writes more than the server reads.
    private mutating func cancelWriter(_ connection: isolated Connection) async throws -> Bool {
        try await ask(.sink, 50_000_000, connection)
        let writer = Task {
            let bytes = pattern(from: 0, to: 65_536)
            while true { try await connection.write(bytes) }
        }
        try await connection.executor.sleep(for: .milliseconds(chance.draw(0...20)))
        writer.cancel()
        broken.add(1)
        let result = await writer.result
        if case .failure(let error as SocketError) = result, error.code == .cancelled {
        } else {
            expect(false, "a cancelled writer ended with \(result)")
        }
        connection.abort()
        return false
    }

    private mutating func endWriting(_ connection: isolated Connection) async throws -> Bool {
        let size = chance.draw(0...100_000)
        try await ask(.count, 0, connection)
        try await connection.write(pattern(from: 0, to: size))
        try await connection.flush()
        try connection.closeWriting()
        try await expectLine("\(size)", connection)
        let end = try await connection.readLine()
        expect(end == nil, "\(end ?? "") behind the end")
        return false
    }

    /// A task reads while this side stops reading: it learns that.
    private mutating func stopReading(_ connection: isolated Connection) async throws -> Bool {
        let reader = Task { try await connection.readLine() }
        if Bool.random(using: &chance) { await Task.yield() }
        try connection.closeReading()
        broken.add(1)
        let result = await reader.result
        if case .failure(ChannelError.socket(let error)) = result, error.code == .shutDown {
        } else {
            expect(false, "a reader whose side was closed got \(result)")
        }
        connection.abort()
        return false
    }

    /// Resets in the middle of a message.
    private mutating func cutOff(_ connection: isolated Connection) async throws -> Bool {
        broken.add(1)
        try await ask(.bytes, 50_000, connection)
        try await connection.write(pattern(from: 0, to: chance.draw(1...40_000)))
        connection.abort()
        return false
    }

    private mutating func beDropped(_ connection: isolated Connection) async throws -> Bool {
        try await ask(.drop, 0, connection)
        let end = try await connection.readLine()
        expect(end == nil && connection.endReason == .reset, "no reset")
        return false
    }
}

extension Lottery {
    fileprivate mutating func draw(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &self)
    }
}
