// SPDX-License-Identifier: Apache-2.0
//
// All deadlines of a reactor, as a hierarchical timing wheel: insert, remove and expire are O(1).
// It is a value that knows no clock: its owner says what time it is, in ticks.

/// Deadlines in a hierarchy of wheels with 64 slots each.
///
/// Level 0 holds the next 64 ticks, level 1 the next 64 x 64, and so on. An entry moves down a
/// level when its slot's time comes, at most once a level. Source: Varghese and Lauck, "Hashed and
/// Hierarchical Timing Wheels", 1987, scheme 7.
struct TimingWheel<Element> {
    /// Names an entry; stays different from all others after the entry is gone.
    struct Key: Hashable {
        fileprivate var index: Int32
        fileprivate var generation: UInt32

        /// Names no entry.
        static var none: Key { Key(index: -1, generation: 0) }
    }

    fileprivate struct Entry {
        var element: Element?
        var tick: UInt64 = 0
        var next: Int32 = -1
        var previous: Int32 = -1
        var generation: UInt32 = 0
        /// The list that the entry is in: `level * 64 + slot`, or `dueList`, or `freeList`.
        var list: Int16 = 0
    }

    private static var levelCount: Int { 8 }
    private static var slotBits: Int { 6 }
    private static var slotCount: Int { 64 }
    private static var dueList: Int16 { Int16(levelCount * slotCount) }
    private static var freeList: Int16 { -1 }
    /// No deadline is further away than this, in ticks.
    private static var horizon: UInt64 { 1 << UInt64(levelCount * slotBits) - 1 }

    private var entries: [Entry] = []
    private var firstFree: Int32 = -1
    private var heads = [Int32](repeating: -1, count: levelCount * slotCount + 1)
    private var tails = [Int32](repeating: -1, count: levelCount * slotCount + 1)
    /// For each level one bit a slot: set where the slot holds an entry.
    private var occupied = [UInt64](repeating: 0, count: levelCount)

    /// How many deadlines there are.
    private(set) var count = 0
    /// The time up to which entries have been taken out, in ticks.
    private(set) var now: UInt64

    init(now: UInt64) {
        self.now = now
    }

    /// Adds a deadline; one that has passed is due at once.
    mutating func insert(_ element: Element, at tick: UInt64) -> Key {
        let index = takeFree()
        entries[Int(index)].element = element
        entries[Int(index)].tick = min(tick, now + Self.horizon / 2)
        count += 1
        link(index)
        return Key(index: index, generation: entries[Int(index)].generation)
    }

    /// Takes a deadline out, if it is still there.
    @discardableResult
    mutating func remove(_ key: Key) -> Element? {
        guard isCurrent(key) else { return nil }
        unlink(key.index)
        return release(key.index)
    }

    /// Takes everything out, in no order.
    mutating func removeAll() -> [Element] {
        let elements = entries.compactMap(\.element)
        self = TimingWheel(now: now)
        return elements
    }

    /// Whether the deadline is still there.
    func contains(_ key: Key) -> Bool { isCurrent(key) }

    /// Moves what is due at `tick` or before to the due list, in the order of the deadlines.
    mutating func advance(to tick: UInt64) {
        while let (level, slot, start) = firstSlot(), start <= tick {
            now = max(now, start)
            let list = Int16(level * Self.slotCount + slot)
            var index = heads[Int(list)]
            heads[Int(list)] = -1
            tails[Int(list)] = -1
            occupied[level] &= ~(1 << UInt64(slot))
            while index >= 0 {
                let next = entries[Int(index)].next
                link(index)
                index = next
            }
        }
        now = max(now, tick)
    }

    /// Takes the next deadline that is due.
    mutating func popDue() -> Element? {
        let index = heads[Int(Self.dueList)]
        guard index >= 0 else { return nil }
        unlink(index)
        return release(index)
    }

    /// Takes one of the deadlines that come first, before its time: exact to the slot it is in.
    mutating func popEarly() -> Element? {
        if hasDue { return popDue() }
        guard let (level, slot, _) = firstSlot() else { return nil }
        let index = heads[level * Self.slotCount + slot]
        unlink(index)
        return release(index)
    }

    /// Whether something waits to be taken by ``popDue()``.
    var hasDue: Bool { heads[Int(Self.dueList)] >= 0 }

    /// When to advance next, in ticks: never later than the first deadline.
    var nextTick: UInt64? {
        if hasDue { return now }
        return firstSlot()?.start
    }

    // MARK: Slots

    /// The first slot that holds an entry: a lower level always comes before a higher one.
    private func firstSlot() -> (level: Int, slot: Int, start: UInt64)? {
        for level in 0..<Self.levelCount where occupied[level] != 0 {
            let slot = occupied[level].trailingZeroBitCount
            let shift = UInt64(level * Self.slotBits)
            let above = (now >> (shift + UInt64(Self.slotBits))) << (shift + UInt64(Self.slotBits))
            return (level, slot, above | UInt64(slot) << shift)
        }
        return nil
    }

    /// Puts an entry behind the others of the list where its deadline belongs: equal ones keep
    /// their order.
    private mutating func link(_ index: Int32) {
        let tick = entries[Int(index)].tick
        if tick <= now {
            append(index, to: Self.dueList)
            return
        }
        // The highest group of six bits in which the deadline differs from now is its level.
        let highest = 63 - ((tick ^ now) | 63).leadingZeroBitCount
        let level = highest / Self.slotBits
        let slot = Int(tick >> UInt64(level * Self.slotBits)) & (Self.slotCount - 1)
        append(index, to: Int16(level * Self.slotCount + slot))
        occupied[level] |= 1 << UInt64(slot)
    }

    private mutating func append(_ index: Int32, to list: Int16) {
        let tail = tails[Int(list)]
        entries[Int(index)].list = list
        entries[Int(index)].next = -1
        entries[Int(index)].previous = tail
        if tail >= 0 {
            entries[Int(tail)].next = index
        } else {
            heads[Int(list)] = index
        }
        tails[Int(list)] = index
    }

    private mutating func unlink(_ index: Int32) {
        let entry = entries[Int(index)]
        if entry.next >= 0 {
            entries[Int(entry.next)].previous = entry.previous
        } else {
            tails[Int(entry.list)] = entry.previous
        }
        if entry.previous >= 0 {
            entries[Int(entry.previous)].next = entry.next
        } else {
            heads[Int(entry.list)] = entry.next
        }
        if entry.list != Self.dueList, heads[Int(entry.list)] < 0 {
            let (level, slot) = Int(entry.list).quotientAndRemainder(dividingBy: Self.slotCount)
            occupied[level] &= ~(1 << UInt64(slot))
        }
    }

    // MARK: Entries

    private func isCurrent(_ key: Key) -> Bool {
        key.index >= 0 && Int(key.index) < entries.count
            && entries[Int(key.index)].generation == key.generation
            && entries[Int(key.index)].list != Self.freeList
    }

    private mutating func takeFree() -> Int32 {
        guard firstFree >= 0 else {
            entries.append(Entry())
            return Int32(entries.count - 1)
        }
        let index = firstFree
        firstFree = entries[Int(index)].next
        return index
    }

    private mutating func release(_ index: Int32) -> Element? {
        let element = entries[Int(index)].element
        entries[Int(index)].element = nil
        entries[Int(index)].generation &+= 1
        entries[Int(index)].list = Self.freeList
        entries[Int(index)].next = firstFree
        firstFree = index
        count -= 1
        return element
    }
}

// A group's servers share one behind a lock.
extension TimingWheel: Sendable where Element: Sendable {}
extension TimingWheel.Entry: Sendable where Element: Sendable {}
extension TimingWheel.Key: Sendable {}
