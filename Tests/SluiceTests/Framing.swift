// SPDX-License-Identifier: Apache-2.0
//
// Messages in a stream, cut anywhere: by a length before them, by a delimiter behind them.

import TestSupport
import Testing

@testable import Sluice

/// All messages of a stream that comes in pieces of one size.
private func messages<Rule: Framing>(
    _ rule: Rule, _ bytes: [UInt8], by size: Int
) throws -> [Rule.Frame] {
    var rule = rule
    var held: [UInt8] = []
    var rest = bytes[...]
    var frames: [Rule.Frame] = []
    while !rest.isEmpty {
        held += rest.prefix(size)
        rest = rest.dropFirst(size)
        while let found = try rule.next(in: held.span.bytes) {
            frames.append(found.frame)
            held.removeFirst(found.byteCount)
        }
    }
    #expect(held.isEmpty)
    return frames
}

@Suite(.countingDescriptors)
struct FramingMessages: ConnectionSuite {
    let ends: ConnectionEnds

    @Test(arguments: [LengthFraming.Prefix.oneByte, .twoBytes, .fourBytes, .eightBytes])
    func `messages behind their length are found however they are cut`(
        prefix: LengthFraming.Prefix
    ) throws {
        let rule = LengthFraming(prefix, limit: 200)
        let expected = [0, 1, 17, 200, 3].map { pattern($0) }
        let bytes = try expected.flatMap { try rule.framed($0) }
        for size in 1...bytes.count { #expect(try messages(rule, bytes, by: size) == expected) }
    }

    @Test func `a length over the limit is refused before its message comes`() {
        let rule = LengthFraming(.fourBytes, limit: 200)
        for bytes in [[0, 0, 0, 201], [0xFF, 0xFF, 0xFF, 0xFF]] as [[UInt8]] {
            #expect(throws: FramingError.tooLong(limit: 200)) {
                _ = try rule.next(in: bytes.span.bytes)
            }
        }
        let all = [UInt8](repeating: 0xFF, count: 8)
        #expect(throws: FramingError.tooLong(limit: 200)) {
            _ = try LengthFraming(.eightBytes, limit: 200).next(in: all.span.bytes)
        }
        #expect(throws: FramingError.tooLong(limit: 255)) {
            _ = try LengthFraming(.oneByte).framed(pattern(256))
        }
    }

    @Test(arguments: ["\n", "\r\n", "abab"])
    func `messages before a delimiter are found however they are cut`(delimiter: String) throws {
        let rule = DelimiterFraming(Array(delimiter.utf8), limit: 20)
        let expected = ["", "one", "a", "\r", "aba\r", String(repeating: "x", count: 20)]
        let bytes = Array(expected.map { $0 + delimiter }.joined().utf8)
        let whole = try messages(rule, bytes, by: bytes.count)
        for size in 1...bytes.count { #expect(try messages(rule, bytes, by: size) == whole) }
        if delimiter == "\n" { #expect(whole.map(\.text) == expected) }
    }

    @Test func `a message without an end is refused at the limit`() {
        var rule = DelimiterFraming([0], limit: 20)
        #expect(throws: FramingError.tooLong(limit: 20)) {
            let bytes = pattern(25).map { $0 | 1 }
            _ = try rule.next(in: bytes.span.bytes)
        }
    }

    @Test func `a connection gives messages, and tells one that is cut off`() throws {
        let done = Flag()
        let connection = try Connection.adopting(channel)
        let sizes = Log()
        Task(executorPreference: reactor.executor) {
            do {
                for try await frame in connection.frames(by: LengthFraming(.twoBytes)) {
                    sizes.append(frame.count)
                }
                Issue.record("the end was met in the middle of a message")
            } catch {
                #expect(error as? ChannelError == .endOfInput(connection.peerAddress))
            }
            done.set()
        }
        for piece in [[0], [2, 1], [2, 0, 0, 0], [3, 1, 2]] as [[UInt8]] {
            try ends.peer?.sendAll(piece)
            reactor.settle()
        }
        #expect(sizes.entries == [2, 0])
        ends.peer = nil
        reactor.expect("the end") { done.isSet }
    }
}
