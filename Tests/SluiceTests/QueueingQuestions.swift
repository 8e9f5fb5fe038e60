// SPDX-License-Identifier: Apache-2.0
//
// The queue that questions wait in, against a plain list: in order, though any may leave early.

import TestSupport
import Testing

@testable import Sluice

@Suite
struct QueueingQuestions {
    @Test func `an empty queue has nothing`() {
        var queue = LinkedQueue<Int>()
        #expect(queue.isEmpty)
        #expect(queue.first == nil)
        #expect(queue.popFirst() == nil)
    }

    @Test func `what has left is not found again, whoever has its place now`() {
        var queue = LinkedQueue<Int>()
        let first = queue.append(1)
        #expect(queue.remove(first) == 1)
        #expect(queue.remove(first) == nil)
        _ = queue.append(2)
        #expect(queue.remove(first) == nil)
        queue.moveToEnd(first)
        #expect(queue.popFirst() == 2)
    }

    @Test func `what took much room and was given back keeps old places apart`() {
        var queue = LinkedQueue<Int>()
        let places = (0..<5_000).map { queue.append($0) }
        for _ in 0..<5_000 { _ = queue.popFirst() }
        #expect(queue.isEmpty)
        _ = queue.append(7)
        for place in places { #expect(queue.remove(place) == nil) }
        #expect(queue.count == 1)
        #expect(queue.first == 7)
    }

    @Test(arguments: 0..<8)
    func `a queue does what a list does`(seed: UInt64) {
        var random = Lottery(seed: seed)
        var queue = LinkedQueue<Int>()
        var list: [(number: Int, place: LinkedQueue<Int>.Place)] = []
        for number in 0..<5_000 {
            let index = list.isEmpty ? 0 : Int(random.next() % UInt64(list.count))
            switch random.next() % 8 {
            case 0..<4: list.append((number, queue.append(number)))
            case 4 where !list.isEmpty:
                #expect(queue.remove(list[index].place) == list.remove(at: index).number)
            case 5 where !list.isEmpty:
                queue.moveToEnd(list[index].place)
                list.append(list.remove(at: index))
            default:
                let expected = list.isEmpty ? nil : list.removeFirst().number
                #expect(queue.popFirst() == expected)
            }
            #expect(queue.count == list.count)
            #expect(queue.first == list.first?.number)
        }
        while let number = queue.popFirst() { #expect(number == list.removeFirst().number) }
        #expect(list.isEmpty)
    }
}
