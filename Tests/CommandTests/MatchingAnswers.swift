// SPDX-License-Identifier: Apache-2.0
//
// How the answers to datagrams find their requests, without a socket.

import Testing

@testable import SluiceLoad

extension CommandSuite {
    struct MatchingAnswers {
        @Test func `a number names one request, once`() {
            var table = RequestTable(capacity: 3)
            let numbers = (0..<3).compactMap { table.add(due: 10 + $0, at: 0) }
            #expect(Set(numbers).count == 3)
            #expect(table.isFull)
            var due = [table.remove(numbers[1]), table.remove(numbers[1])]
            #expect(due == [11, nil])
            due = [table.remove(numbers[2]), table.remove(numbers[0])]
            #expect(due == [12, 10])
            #expect(table.isEmpty)
        }

        @Test func `a full table takes no more until a place is free`() {
            var table = RequestTable(capacity: 1)
            let first = table.add(due: 1, at: 1) ?? 0
            var next = table.add(due: 2, at: 2)
            #expect(next == nil)
            _ = table.remove(first)
            next = table.add(due: 2, at: 2)
            #expect(next != nil && next != first)
        }

        @Test func `a number is known for good, and a strange one never`() {
            var table = RequestTable(capacity: 2)
            let number = table.add(due: 1, at: 1) ?? 0
            _ = table.remove(number)
            #expect(table.hasGiven(number))
            // None, one of a place that there is not, and one that is still to come.
            for strange in [0, 1, number | 0xFFFF, number + (1 << 16), .max] {
                let due = table.remove(strange)
                #expect(due == nil)
                #expect(!table.hasGiven(strange))
            }
        }

        @Test func `requests are given up by the time when they were sent`() {
            var table = RequestTable(capacity: 8)
            for time in 0..<6 as Range<UInt64> { _ = table.add(due: 100 + time, at: time) }
            var due = table.removeAll(sentUpTo: 2).sorted()
            #expect(due == [100, 101, 102])
            due = table.removeAll(sentUpTo: 2)
            #expect(due.isEmpty)
            #expect(!table.isEmpty)
            due = table.removeAll().sorted()
            #expect(due == [103, 104, 105])
            #expect(table.isEmpty)
        }

        @Test func `what is too young to be given up is seen without a search`() {
            var table = RequestTable(capacity: 8)
            #expect(table.sentFrom == .max)
            let first = table.add(due: 1, at: 10) ?? 0
            for time in [20, 30] as [UInt64] { _ = table.add(due: time, at: time) }
            _ = table.remove(first)
            // Answers leave it as it is, which is low enough.
            #expect(table.sentFrom == 10)
            var due = table.removeAll(sentUpTo: 15)
            #expect(due.isEmpty)
            #expect(table.sentFrom == 20)
            due = table.removeAll(sentUpTo: 20)
            #expect(due == [20])
            #expect(table.sentFrom == 30)
        }

        @Test func `the oldest is the one that was sent first`() {
            var table = RequestTable(capacity: 3)
            let numbers = (0..<3).compactMap { table.add(due: $0, at: $0) }
            // Its place is the first to be taken again.
            _ = table.remove(numbers[0])
            _ = table.add(due: 3, at: 3)
            let due = (0..<4).map { _ in table.removeOldest() }
            #expect(due == [1, 2, 3, nil])
        }

        @Test func `a request carries its number in front, and the pattern behind`() {
            let pattern = RequestPattern(byteCount: 20)
            var request = pattern.bytes
            RequestPattern.setNumber(0x0102_0304_0506_0708, of: &request)
            #expect(request[..<8] == [1, 2, 3, 4, 5, 6, 7, 8])
            #expect(request[8...] == pattern.bytes[8...])
            let number = RequestPattern.number(of: request.span.bytes)
            #expect(number == 0x0102_0304_0506_0708)
            var isWhole = pattern.matchesBehindNumber(request.span.bytes)
            #expect(isWhole)
            for place in 8..<20 {
                var answer = request
                answer[place] ^= 1
                isWhole = pattern.matchesBehindNumber(answer.span.bytes)
                #expect(!isWhole)
            }
        }

        @Test(arguments: [0, 1, 7, 19, 21])
        func `an answer of another length is none`(count: Int) {
            let pattern = RequestPattern(byteCount: 20)
            let answer = Array((pattern.bytes + [1]).prefix(count))
            let isWhole = pattern.matchesBehindNumber(answer.span.bytes)
            #expect(!isWhole)
            let number = RequestPattern.number(of: answer.span.bytes)
            #expect((number == 0) == (count < 8))
        }
    }
}
