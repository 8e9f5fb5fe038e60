// SPDX-License-Identifier: Apache-2.0
//
// The timing wheel against a plain list of what must be in it: same entries, in order, never early.
// The wheel knows no clock, so years pass here in no time.

import TestSupport
import Testing

@testable import Sluice

@Suite
struct TimingWheelOrder {
    // MARK: Against the model

    @Test(arguments: 0..<24)
    func `a wheel does what a sorted list does`(seed: UInt64) {
        var trial = Trial(seed: seed)
        for _ in 0..<1_500 { trial.step() }
        trial.finish()
        #expect(trial.mistakes == [])
    }

    @Test(arguments: 0..<8)
    func `a wheel of far deadlines wakes few times for each`(seed: UInt64) {
        var random = Lottery(seed: seed)
        var wheel = TimingWheel<UInt64>(now: random.next() >> 20)
        for _ in 0..<200 {
            let tick = wheel.now + random.next() >> 20
            _ = wheel.insert(tick, at: tick)
        }
        var wakings = 0
        var last: UInt64 = 0
        while let tick = wheel.nextTick {
            wakings += 1
            wheel.advance(to: tick)
            while let popped = wheel.popDue() {
                #expect(popped == wheel.now)
                #expect(popped >= last)
                last = popped
            }
        }
        #expect(wheel.count == 0)
        #expect(wakings <= 200 * 8)
    }

    // MARK: Single rules

    @Test func `an empty wheel has nothing to wait for`() {
        var wheel = TimingWheel<Int>(now: 5)
        #expect(wheel.nextTick == nil)
        wheel.advance(to: 1_000_000)
        #expect(wheel.popDue() == nil)
        #expect(wheel.now == 1_000_000)
        #expect(wheel.count == 0)
    }

    @Test(arguments: [1, 63, 64, 65, 4_095, 4_096, 262_144, 1 << 30, 1 << 45])
    func `a deadline is due at its tick and not one before`(distance: UInt64) {
        for start: UInt64 in [0, 1, 63, 64, 4_095, 987_654_321] {
            var wheel = TimingWheel<Int>(now: start)
            _ = wheel.insert(1, at: start + distance)
            wheel.advance(to: start + distance - 1)
            #expect(wheel.popDue() == nil)
            wheel.advance(to: start + distance)
            #expect(wheel.popDue() == 1)
        }
    }

    @Test func `a deadline that has passed is due at once`() {
        var wheel = TimingWheel<Int>(now: 100)
        _ = wheel.insert(1, at: 99)
        _ = wheel.insert(2, at: 100)
        #expect(wheel.nextTick == 100)
        #expect(wheel.popDue() == 1)
        #expect(wheel.popDue() == 2)
    }

    @Test func `deadlines of one tick come in the order in which they were added`() {
        for distance: UInt64 in [1, 100, 5_000, 300_000] {
            var wheel = TimingWheel<Int>(now: 7)
            for number in 0..<10 { _ = wheel.insert(number, at: 7 + distance) }
            wheel.advance(to: 7 + distance)
            var order: [Int] = []
            while let number = wheel.popDue() { order.append(number) }
            #expect(order == Array(0..<10), "at a distance of \(distance) ticks")
        }
    }

    @Test func `a deadline removed while it is due is not taken`() {
        var wheel = TimingWheel<Int>(now: 0)
        let keys = (0..<3).map { wheel.insert($0, at: UInt64(10 + $0)) }
        wheel.advance(to: 20)
        #expect(wheel.popDue() == 0)
        wheel.remove(keys[1])
        #expect(wheel.popDue() == 2)
        #expect(wheel.popDue() == nil)
    }

    @Test func `the last due deadline can be removed and another added after it`() {
        var wheel = TimingWheel<Int>(now: 50)
        _ = wheel.insert(1, at: 1)
        let last = wheel.insert(2, at: 2)
        #expect(wheel.remove(last) == 2)
        _ = wheel.insert(3, at: 3)
        #expect(wheel.popDue() == 1)
        #expect(wheel.popDue() == 3)
        #expect(wheel.popDue() == nil)
    }

    @Test func `the key of an entry that is gone is harmless`() {
        var wheel = TimingWheel<Int>(now: 0)
        let popped = wheel.insert(1, at: 1)
        let removed = wheel.insert(2, at: 2)
        wheel.advance(to: 1)
        #expect(wheel.popDue() == 1)
        #expect(wheel.remove(removed) == 2)
        // Both places are taken again, so an old key that still fitted would hit these.
        let new = [wheel.insert(3, at: 9), wheel.insert(4, at: 9)]
        #expect(wheel.remove(popped) == nil)
        #expect(wheel.remove(removed) == nil)
        #expect(!wheel.contains(popped))
        #expect(!wheel.contains(removed))
        #expect(new.allSatisfy { wheel.contains($0) })
        #expect(wheel.count == 2)
    }

    @Test func `the key that names nothing is harmless`() {
        var wheel = TimingWheel<Int>(now: 0)
        #expect(wheel.remove(.none) == nil)
        _ = wheel.insert(1, at: 1)
        #expect(wheel.remove(.none) == nil)
        #expect(!wheel.contains(.none))
        #expect(wheel.count == 1)
    }

    @Test func `the time does not go back`() {
        var wheel = TimingWheel<Int>(now: 100)
        _ = wheel.insert(1, at: 150)
        wheel.advance(to: 50)
        #expect(wheel.now == 100)
        wheel.advance(to: 150)
        #expect(wheel.popDue() == 1)
    }

    @Test func `a deadline beyond the horizon is kept`() {
        var wheel = TimingWheel<Int>(now: 1 << 46)
        let key = wheel.insert(1, at: .max)
        #expect(wheel.contains(key))
        #expect(wheel.nextTick ?? 0 > 1 << 46)
        wheel.advance(to: 1 << 46 + 1_000_000)
        #expect(wheel.popDue() == nil)
        #expect(wheel.remove(key) == 1)
        #expect(wheel.nextTick == nil)
    }

    @Test func `an element is let go as soon as it is taken or removed`() {
        final class Token {}
        var wheel = TimingWheel<Token>(now: 0)
        weak var taken: Token?
        weak var removed: Token?
        do {
            let tokens = (Token(), Token())
            (taken, removed) = tokens
            _ = wheel.insert(tokens.0, at: 1)
            wheel.remove(wheel.insert(tokens.1, at: 1))
            wheel.advance(to: 1)
            _ = wheel.popDue()
        }
        #expect(taken == nil)
        #expect(removed == nil)
        #expect(wheel.count == 0)
    }

    @Test(.timeLimit(.minutes(1)))
    func `removing does not search`() {
        // All in one slot, removed from the far end of its list: a search would take hours.
        var wheel = TimingWheel<Int>(now: 0)
        let keys = (0..<300_000).map { wheel.insert($0, at: 40) }
        for key in keys.dropLast() { wheel.remove(key) }
        #expect(wheel.count == 1)
        wheel.advance(to: 40)
        #expect(wheel.popDue() == 299_999)
    }
}

/// A wheel and a list of what must be in it.
private struct Trial {
    struct Expected {
        let id: Int
        let tick: UInt64
        let key: TimingWheel<Int>.Key
    }

    private var random: Lottery
    private var wheel: TimingWheel<Int>
    private var model: [Expected] = []
    private var gone: [TimingWheel<Int>.Key] = []
    private var lastID = 0
    private(set) var mistakes: [String] = []

    init(seed: UInt64) {
        random = Lottery(seed: seed)
        wheel = TimingWheel(now: random.next() >> UInt64.random(in: 20...60, using: &random))
    }

    mutating func step() {
        switch UInt64.random(in: 0..<10, using: &random) {
        case 0...4: insert()
        case 5, 6: removeAny()
        case 7: advance(to: wheel.now + distance())
        case 8: if let tick = wheel.nextTick { advance(to: tick) }
        default: removeGone()
        }
        check()
    }

    /// Lets the time run until nothing is left.
    mutating func finish() {
        var steps = 0
        while let tick = wheel.nextTick {
            advance(to: tick)
            check()
            steps += 1
            if steps > 20_000 { return mistakes.append("the wheel does not come to its end") }
        }
        if !model.isEmpty { mistakes.append("\(model.count) deadlines were lost") }
    }

    /// From one tick to years, so that all levels are used.
    private mutating func distance() -> UInt64 {
        let bits = UInt64.random(in: 0...45, using: &random)
        return UInt64.random(in: 0...(1 << bits), using: &random)
    }

    private mutating func insert() {
        lastID += 1
        let isLate = UInt64.random(in: 0..<16, using: &random) == 0
        let tick = isLate ? wheel.now - min(wheel.now, distance()) : wheel.now + distance()
        model.append(Expected(id: lastID, tick: tick, key: wheel.insert(lastID, at: tick)))
    }

    private mutating func removeAny() {
        guard let index = model.indices.randomElement(using: &random) else { return }
        let expected = model.remove(at: index)
        if wheel.remove(expected.key) != expected.id { mistakes.append("removed another entry") }
        gone.append(expected.key)
    }

    private mutating func removeGone() {
        guard let key = gone.randomElement(using: &random) else { return }
        if wheel.remove(key) != nil { mistakes.append("a key outlived its entry") }
    }

    /// Takes what is due: everything up to `tick`, the earliest first, and what was late already.
    private mutating func advance(to tick: UInt64) {
        let lateIDs = Set(model.filter { $0.tick <= wheel.now }.map(\.id))
        wheel.advance(to: tick)
        var last: UInt64 = 0
        while let id = wheel.popDue() {
            guard let index = model.firstIndex(where: { $0.id == id }) else {
                mistakes.append("\(id) came though it was gone")
                continue
            }
            let expected = model.remove(at: index)
            gone.append(expected.key)
            if expected.tick > wheel.now { mistakes.append("\(id) came early") }
            if lateIDs.contains(id) { continue }
            if expected.tick < last { mistakes.append("\(id) came out of order") }
            last = expected.tick
        }
        if model.contains(where: { $0.tick <= wheel.now }) { mistakes.append("one did not come") }
        if wheel.now < tick { mistakes.append("the time did not come to \(tick)") }
    }

    private mutating func check() {
        if wheel.count != model.count { mistakes.append("the count is wrong") }
        let first = model.map(\.tick).min()
        guard let next = wheel.nextTick, let first else {
            if wheel.nextTick != nil || first != nil {
                mistakes.append("nothing, or not, to wait for")
            }
            return
        }
        if next > max(first, wheel.now) {
            mistakes.append("the next tick is after the first deadline")
        }
        if next < wheel.now { mistakes.append("the next tick has passed") }
        if let known = model.randomElement(using: &random), !wheel.contains(known.key) {
            mistakes.append("an entry is not known by its key")
        }
    }
}
