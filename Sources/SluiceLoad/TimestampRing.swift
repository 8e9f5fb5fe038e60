// SPDX-License-Identifier: Apache-2.0
//
// The times of a connection's unanswered requests, the oldest first.
// It allocates when it grows and at no other time, since one is pushed and popped for each message.

/// A queue of instants in one array that is used round and round.
struct TimestampRing {
    private var slots: [UInt64]
    private var head = 0
    private(set) var count = 0

    /// Room for some instants without growing.
    init(capacity: Int) {
        var size = 1
        while size < capacity { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
    }

    var isEmpty: Bool { count == 0 }

    @inline(__always)
    mutating func append(_ instant: UInt64) {
        if count == slots.count { grow() }
        slots[(head &+ count) & (slots.count &- 1)] = instant
        count &+= 1
    }

    @inline(__always)
    mutating func popFirst() -> UInt64? {
        if count == 0 { return nil }
        let instant = slots[head]
        head = (head &+ 1) & (slots.count &- 1)
        count &-= 1
        return instant
    }

    private mutating func grow() {
        var larger = [UInt64](repeating: 0, count: slots.count * 2)
        for place in 0..<count { larger[place] = slots[(head + place) & (slots.count - 1)] }
        slots = larger
        head = 0
    }
}
