// SPDX-License-Identifier: Apache-2.0
//
// A queue whose elements may leave from any place: a resolver's questions, and those who ask them.

/// Elements in order; adding, taking out at any place and moving to the end are O(1).
struct LinkedQueue<Element> {
    /// Names an element; stays different from all others after the element is gone.
    struct Place: Hashable {
        fileprivate let index: Int32
        fileprivate let ticket: UInt64
    }

    fileprivate struct Slot {
        var element: Element?
        var ticket: UInt64 = 0
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    private var slots: [Slot] = []
    private var firstFree: Int32 = -1
    private var head: Int32 = -1
    private var tail: Int32 = -1
    private var lastTicket: UInt64 = 0

    /// How many elements there are.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The element that has waited longest.
    var first: Element? { head < 0 ? nil : slots[Int(head)].element }

    mutating func append(_ element: Element) -> Place {
        let index = takeFree()
        lastTicket += 1
        slots[Int(index)].element = element
        slots[Int(index)].ticket = lastTicket
        count += 1
        link(index)
        return Place(index: index, ticket: lastTicket)
    }

    mutating func popFirst() -> Element? { head < 0 ? nil : takeOut(head) }

    /// Takes an element out, if it is still there.
    @discardableResult
    mutating func remove(_ place: Place) -> Element? {
        isThere(place) ? takeOut(place.index) : nil
    }

    /// Puts an element behind all others, if it is still there.
    mutating func moveToEnd(_ place: Place) {
        guard isThere(place), place.index != tail else { return }
        unlink(place.index)
        link(place.index)
    }

    // MARK: Slots

    private func isThere(_ place: Place) -> Bool {
        Int(place.index) < slots.count && slots[Int(place.index)].ticket == place.ticket
    }

    private mutating func takeFree() -> Int32 {
        guard firstFree >= 0 else {
            slots.append(Slot())
            return Int32(slots.count - 1)
        }
        let index = firstFree
        firstFree = slots[Int(index)].next
        return index
    }

    private mutating func takeOut(_ index: Int32) -> Element? {
        unlink(index)
        let element = slots[Int(index)].element
        // Tickets begin with 1: no place names a free slot.
        slots[Int(index)] = Slot(next: firstFree)
        firstFree = index
        count -= 1
        // Much at once is rare: what it took is given back.
        if count == 0, slots.count > 1_024 {
            slots = []
            firstFree = -1
        }
        return element
    }

    private mutating func link(_ index: Int32) {
        slots[Int(index)].previous = tail
        slots[Int(index)].next = -1
        if tail >= 0 { slots[Int(tail)].next = index } else { head = index }
        tail = index
    }

    private mutating func unlink(_ index: Int32) {
        let (previous, next) = (slots[Int(index)].previous, slots[Int(index)].next)
        if previous >= 0 { slots[Int(previous)].next = next } else { head = next }
        if next >= 0 { slots[Int(next)].previous = previous } else { tail = previous }
    }
}

// The process's threads share one.
extension LinkedQueue: Sendable where Element: Sendable {}
extension LinkedQueue.Slot: Sendable where Element: Sendable {}
