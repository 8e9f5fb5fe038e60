// SPDX-License-Identifier: Apache-2.0
//
// Input that was read and not consumed: its bytes stay in order, and the memory that a large
// message took is not kept for the little that follows it.

import TestSupport
import Testing

@testable import Sluice

@Suite
struct QueueingInput {
    private func append(_ bytes: [UInt8], to queue: inout InputQueue) {
        bytes.withUnsafeBytes { queue.append($0) }
    }

    private func address(_ queue: InputQueue) -> Int {
        queue.withBytes { bytes in bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) } }
    }

    @Test func `a small rest keeps no memory of the large message before it`() {
        let message = pattern(1_000_000)
        var queue = InputQueue()
        append(message, to: &queue)
        queue.drop(999_999)
        append([7], to: &queue)
        let capacity = queue.capacity
        #expect(capacity < 4_096)
        let rest = queue.withBytes { $0.array }
        #expect(rest == [message[999_999], 7])
    }

    @Test func `nor does it where each message ends in the read that begins the next`() {
        let piece = pattern(65_536)
        var queue = InputQueue()
        var capacities: [Int] = []
        for _ in 0..<50 {
            append(piece, to: &queue)
            queue.drop(queue.byteCount - 10)
            capacities.append(queue.capacity)
        }
        #expect(capacities.allSatisfy { $0 < 4_096 })
        let rest = queue.withBytes { $0.array }
        #expect(rest == Array(piece.suffix(10)))
    }

    @Test func `a little that comes and goes does not move all that is kept`() {
        var queue = InputQueue()
        append(pattern(1_000_000), to: &queue)
        let piece = pattern(10)
        var moves = 0
        for _ in 0..<10_000 {
            let before = address(queue)
            queue.drop(10)
            append(piece, to: &queue)
            if address(queue) != before + 10 { moves += 1 }
        }
        #expect(moves < 5)
        #expect(queue.byteCount == 1_000_000)
    }

    @Test(arguments: 0..<8)
    func `whatever comes and goes, a queue does what an array does`(seed: UInt64) {
        var lottery = Lottery(seed: seed)
        var queue = InputQueue()
        var expected: [UInt8] = []
        let numbers = pattern(10_000)
        var mistakes: [Int] = []
        for step in 0..<10_000 {
            let most = Int.random(in: 0..<20, using: &lottery) == 0 ? 10_000 : 100
            let count = Int.random(in: 0...most, using: &lottery)
            switch Int.random(in: 0..<40, using: &lottery) {
            case 0:
                // All but a little goes.
                let dropped = max(0, expected.count - count)
                queue.drop(dropped)
                expected.removeFirst(dropped)
            case 1..<20:
                let start = Int.random(in: 0...numbers.count - count, using: &lottery)
                let piece = Array(numbers[start..<start + count])
                append(piece, to: &queue)
                expected += piece
            default:
                let dropped = min(count, expected.count)
                queue.drop(dropped)
                expected.removeFirst(dropped)
            }
            let isRight = queue.byteCount == expected.count
            let isSmall = queue.capacity <= 8_192 + 4 * queue.byteCount
            let isSame = step % 20 > 0 || queue.withBytes { $0.array } == expected
            if !isRight || !isSmall || !isSame { mistakes.append(step) }
        }
        #expect(mistakes == [])
    }
}
