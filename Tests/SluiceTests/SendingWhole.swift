// SPDX-License-Identifier: Apache-2.0
//
// Sending that waits for room: a part, or all of it within one limit for the whole.
// What was sent of it when it fails is told to the byte.

import Glibc
import TestSupport
import Testing

@testable import Sluice

/// Long enough on any machine.
private let ample = Duration.seconds(20)
/// Nothing that this is waited for happens.
private let short = Duration.milliseconds(5)

@Suite(.countingDescriptors)
struct SendingWhole {
    // MARK: A part

    // P33, P35, N23
    @Test(arguments: [false, true])
    func `sending throws when its time is up, on a blocking socket as well`(
        isBlocking: Bool
    ) throws {
        let pair = try Socket.makePair()
        try pair.first.fill()
        try pair.first.setBlocking(isBlocking)
        let byte: [UInt8] = [1]
        for (limit, code) in [
            (Duration.zero, ErrorCode.wouldBlock), (.seconds(-1), .wouldBlock), (short, .timedOut),
        ] {
            #expect(throws: SocketError(.write, code)) {
                _ = try pair.first.send(byte.span.bytes, within: limit)
            }
        }
    }

    // P33, N23
    @Test(arguments: [nil, Duration.zero, short, .seconds(Int64.max)])
    func `what finds room is sent whatever the limit is`(limit: Duration?) throws {
        let pair = try Socket.makePair()
        let bytes = Array("hello".utf8)
        let count = try pair.first.send(bytes.span.bytes, within: limit)
        #expect(count == 5)
        try pair.first.sendAll(bytes.span.bytes, within: limit)
        let received = try pair.second.receiveNow()
        #expect(received?.text == "hellohello")
    }

    // P33, N23
    @Test(arguments: [nil, ample])
    func `sending waits for another thread to make room`(limit: Duration?) throws {
        let pair = try Socket.makePair()
        try pair.first.fill()
        let reader = try pair.second.duplicate()
        let thread = OtherThread {
            do {
                while try reader.receiveNow()?.isEmpty == false {}
            } catch {
                Issue.record(error)
            }
        }
        let byte: [UInt8] = [1]
        let count = try pair.first.send(byte.span.bytes, within: limit)
        #expect(count == 1)
        thread.join()
    }

    // MARK: All

    // N24
    @Test(arguments: [nil, ample])
    func `all is sent, however long the reader takes`(limit: Duration?) throws {
        let pair = try Socket.makePair()
        let bytes = pattern(1_000_000)
        let received = SharedValue<[UInt8]>([])
        let reader = try pair.second.duplicate()
        let thread = OtherThread {
            do {
                var count = 0
                while count < 1_000_000 {
                    let more = try reader.receive(upTo: 10_000, within: ample)
                    if more.isEmpty { break }
                    count += more.count
                    received.change { $0 += more }
                }
            } catch {
                Issue.record(error)
            }
        }
        try pair.first.sendAll(bytes.span.bytes, within: limit)
        thread.join()
        expectSame(received.value, bytes)
    }

    // N24
    @Test func `nothing at all is sent at once, and an empty datagram is one`() throws {
        let pair = try Socket.makePair()
        try pair.first.fill()
        let nothing: [UInt8] = []
        try pair.first.sendAll(nothing.span.bytes, within: .zero)
        let messages = try Socket.makePair(.datagram)
        try messages.first.sendAll(nothing.span.bytes, within: .zero)
        let message = try messages.second.arrived()
        #expect(message.byteCount == 0)
    }

    // N24
    @Test func `one limit holds for the whole, however often there is room`() throws {
        let pair = try Socket.makePair()
        try pair.first.set(.sendBufferByteCount, to: 4_096)
        let reader = try pair.second.duplicate()
        let count = Tally()
        // In pieces so small that all of it would take much longer than the limit.
        let thread = OtherThread {
            do {
                while case let more = try reader.receive(upTo: 16, within: ample), !more.isEmpty {
                    count.add(more.count)
                }
            } catch {
                Issue.record(error)
            }
        }
        let bytes = [UInt8](repeating: 7, count: 32_000_000)
        let calls = CallCount()
        let start = ContinuousClock.now
        let error = #expect(throws: IncompleteSendError.self) {
            try calls.count {
                try pair.first.sendAll(bytes.span.bytes, within: .milliseconds(50))
            }
        }
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(calls.of(.poll) > 2)
        #expect(error?.error == SocketError(.write, .timedOut))
        try pair.first.shutDown(.writing)
        thread.join()
        #expect(error?.byteCount == count.value)
    }

    // MARK: How much it was

    // N24
    @Test func `what had gone before a failure is counted`() throws {
        let pair = try Socket.makePair()
        let bytes = pattern(10_000)
        var calls = 0
        let threeTimes: SystemCall.Interceptor = { call in
            guard call == .send else { return nil }
            calls += 1
            return calls <= 3 ? .atMost(1_000) : .failure(.connectionReset)
        }
        let error = #expect(throws: IncompleteSendError.self) {
            try SystemCall.intercepting(threeTimes) {
                try pair.first.sendAll(bytes.span.bytes, within: ample)
            }
        }
        #expect(error?.error == SocketError(.write, .connectionReset))
        #expect(error?.byteCount == 3_000)
        #expect(error?.description == "write: Connection reset by peer (after 3000 bytes)")
        let received = try pair.second.receiveNow()
        #expect(received == Array(bytes[..<3_000]))
    }

    // N24
    @Test(arguments: [(Duration.zero, ErrorCode.wouldBlock), (short, .timedOut)])
    func `what had gone when the time is up is counted`(limit: Duration, code: ErrorCode) throws {
        let pair = try Socket.makePair()
        let bytes = pattern(1_000_000)
        let error = #expect(throws: IncompleteSendError.self) {
            try pair.first.sendAll(bytes.span.bytes, within: limit)
        }
        #expect(error?.error == SocketError(.write, code))
        var received: [UInt8] = []
        while let more = try pair.second.receiveNow(), !more.isEmpty { received += more }
        #expect(error?.byteCount == received.count)
        expectSame(received, Array(bytes[..<received.count]))
        #expect((1..<1_000_000).contains(received.count))
    }

    // P5, N24
    @Test func `a peer that goes away is told, with what the kernel had taken`() throws {
        var pair = try Socket.makePair()
        try pair.first.fill()
        let reader = try Socket.taken(from: &pair.second)
        let thread = OtherThread {
            // Makes some room, and closes.
            do {
                for _ in 0..<2 { _ = try reader.receiveNow() }
                try reader.shutDown(.both)
            } catch {
                Issue.record(error)
            }
        }
        let bytes = pattern(1_000_000)
        let error = #expect(throws: IncompleteSendError.self) {
            try pair.first.sendAll(bytes.span.bytes, within: ample)
        }
        thread.join()
        let code = try #require(error?.error.code)
        #expect([.brokenPipe, .connectionReset].contains(code))
        #expect((0..<1_000_000).contains(error?.byteCount ?? -1))
    }

    // N24
    @Test func `a blocking socket is not written to for longer than the limit`() throws {
        let pair = try Socket.makePair()
        try pair.first.setBlocking(true)
        let bytes = pattern(1_000_000)
        let error = #expect(throws: IncompleteSendError.self) {
            try pair.first.sendAll(bytes.span.bytes, within: short)
        }
        #expect(error?.error == SocketError(.write, .timedOut))
        #expect(error?.byteCount ?? 0 > 0)
    }

    // N24
    @Test func `sending that gets on waits for room alone, however often`() throws {
        let pair = try Socket.makePair()
        try pair.first.set(.sendBufferByteCount, to: 4_096)
        let reader = try pair.second.duplicate()
        let byteCount = 2 << 20
        let thread = OtherThread {
            var left = byteCount
            do {
                while left > 0 { left -= try reader.receive(upTo: 4_096, within: ample).count }
            } catch {
                Issue.record(error)
            }
        }
        var waits = 0
        let bytes = [UInt8](repeating: 1, count: byteCount)
        let time = try ContinuousClock().measure {
            try SystemCall.intercepting(
                { call in
                    waits += call == .poll ? 1 : 0
                    return nil
                },
                { try pair.first.sendAll(bytes, within: ample) })
        }
        thread.join()
        #expect(waits > 20)
        // A pause of 10 ms each time would be far more than the reader takes.
        #expect(time < .milliseconds(5) * waits)
    }
}

extension Socket {
    /// Sends until the kernel takes no more.
    fileprivate func fill() throws {
        let piece = [UInt8](repeating: 7, count: 65_536)
        while case .bytes = try send(piece.span.bytes) {}
    }
}
