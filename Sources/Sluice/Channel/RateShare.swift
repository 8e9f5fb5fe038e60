// SPDX-License-Identifier: Apache-2.0
//
// One byte rate for one member or many, who have it in turn.
// A value that decides and knows no clock: its owner says what time it is, in nanoseconds.

/// A rate, and who waits for a part of it.
///
/// Whoever finds bytes free takes them at once as long as nobody waits. Whoever does not waits in a
/// queue, and a deal grants what has come together to those at its front, the same to each. A grant
/// is out of the rate until it is used; what is left of it is taken back at the next deal.
struct RateShare {
    /// At most this much is dealt to one member while there is not as much for each.
    static var quantum: Int { 16_384 }

    private(set) var rate: ByteRate
    /// How many bytes may be free, and granted, together.
    private var size: Int
    /// How many bytes are worth waking anybody for.
    private var portion: Int
    private var bucket: TokenBucket
    /// Who waits, from `first` on, and some who have left.
    private var queue: [Int] = []
    private var first = 0
    private var waiting: Set<Int> = []
    private var granted: [Int: Int] = [:]
    private var grantedCount = 0
    private var lastMember = 0

    /// A rate with its whole burst free.
    init(_ rate: ByteRate, at now: UInt64) {
        self.rate = Self.bounded(rate)
        (size, portion) = Self.measures(of: self.rate)
        bucket = Self.bucket(self.rate, size, at: now)
        // More than the burst may come together later, but not at the beginning.
        bucket.spend(size - self.rate.burst, at: now)
    }

    /// Numbers beyond this are no different, and all arithmetic stays exact.
    private static func bounded(_ rate: ByteRate) -> ByteRate {
        ByteRate(
            bytesPerSecond: min(rate.bytesPerSecond, 1 << 50), burst: min(rate.burst, 1 << 50))
    }

    /// What comes while the clock's owner is late must find room, or the rate would not be met: so
    /// the size is what 20 ms bring at least, and half of it is always enough to wake somebody.
    private static func measures(of rate: ByteRate) -> (size: Int, portion: Int) {
        let size = max(rate.burst, rate.bytesPerSecond / 50)
        return (size, max(1, min(65_536, rate.bytesPerSecond / 100, size / 2)))
    }

    private static func bucket(_ rate: ByteRate, _ size: Int, at now: UInt64) -> TokenBucket {
        TokenBucket(perSecond: Double(rate.bytesPerSecond), size: Double(size), at: now)
    }

    /// Takes a member in, and gives the number by which it is known.
    mutating func join() -> Int {
        lastMember += 1
        return lastMember
    }

    /// A member leaves: what it was granted is the others'.
    mutating func leave(_ member: Int, at now: UInt64) {
        waiting.remove(member)
        if waiting.isEmpty {
            queue = []
            first = 0
        }
        guard let rest = granted.removeValue(forKey: member) else { return }
        grantedCount -= rest
        bucket.spend(-rest, at: now)
    }

    /// How many bytes a member may move now; 0 where it has to wait.
    ///
    /// - Parameters:
    ///   - wanted: how many it wants at most: fewer than are worth waking for are given only where
    ///     they are enough.
    ///   - isUrgent: goes before all who wait; for a member that holds their thread up.
    mutating func allowance(
        of member: Int, wanting wanted: Int = .max, isUrgent: Bool = false, at now: UInt64
    ) -> Int {
        if isUrgent { takeBack(at: now) }
        let own = granted[member] ?? 0
        if !waiting.isEmpty, !isUrgent { return own }
        let all = own + free(at: now)
        return own > 0 || all >= min(wanted, portion) ? all : 0
    }

    /// A member has moved bytes.
    mutating func spend(_ count: Int, of member: Int, at now: UInt64) {
        let own = granted[member] ?? 0
        let used = min(own, count)
        if used > 0 {
            grantedCount -= used
            granted[member] = used == own ? nil : own - used
        }
        bucket.spend(count - used, at: now)
    }

    /// Puts a member at the end of the queue, if it is not in it.
    mutating func wait(_ member: Int) {
        guard waiting.insert(member).inserted else { return }
        if queue.count - first > 2 * waiting.count + 64 {
            queue = queue[first...].filter { waiting.contains($0) && $0 != member }
            first = 0
        }
        queue.append(member)
    }

    /// How long it is until enough has come together for somebody; `nil` where nobody waits.
    mutating func waitForDeal(at now: UInt64) -> UInt64? {
        waiting.isEmpty ? nil : waitForPortion(at: now)
    }

    /// How long it is until enough has come together, whoever waits.
    mutating func waitForPortion(at now: UInt64) -> UInt64 { bucket.wait(for: portion, at: now) }

    /// Grants what is free to those who have waited longest.
    ///
    /// - Returns: whom, in order: they wait no longer.
    mutating func deal(at now: UInt64) -> [Int] {
        takeBack(at: now)
        let count = free(at: now)
        let quantum = min(Self.quantum, portion)
        guard !waiting.isEmpty, count >= quantum else { return [] }
        let places = count / quantum
        let each = places >= waiting.count ? count / waiting.count : quantum
        var dealt: [Int] = []
        while dealt.count < places, first < queue.count {
            let member = queue[first]
            first += 1
            // One that has left may stand in it still.
            guard waiting.remove(member) != nil else { continue }
            granted[member] = each
            dealt.append(member)
        }
        grantedCount = dealt.count * each
        bucket.spend(grantedCount, at: now)
        shortenQueue()
        return dealt
    }

    /// Changes the rate: what is free stays so, up to what may be.
    mutating func change(to rate: ByteRate, at now: UInt64) {
        takeBack(at: now)
        let count = min(bucket.count(at: now), size)
        self.rate = Self.bounded(rate)
        (size, portion) = Self.measures(of: self.rate)
        bucket = Self.bucket(self.rate, size, at: now)
        bucket.spend(size - min(count, size), at: now)
    }

    /// The rate as it stands, without anybody who waits: for one that goes elsewhere.
    mutating func moved(at now: UInt64) -> RateShare {
        takeBack(at: now)
        var other = self
        other.queue = []
        other.first = 0
        other.waiting = []
        return other
    }

    /// How many bytes nobody has been granted; what does not find room is lost.
    private mutating func free(at now: UInt64) -> Int {
        let count = bucket.count(at: now)
        let room = size - grantedCount
        if count > room { bucket.spend(count - room, at: now) }
        return max(0, min(count, room))
    }

    /// Takes back what was granted and not used.
    private mutating func takeBack(at now: UInt64) {
        if grantedCount == 0 { return }
        bucket.spend(-grantedCount, at: now)
        granted.removeAll(keepingCapacity: granted.count < 1_024)
        grantedCount = 0
    }

    private mutating func shortenQueue() {
        if waiting.isEmpty {
            queue.removeAll(keepingCapacity: queue.count < 1_024)
            first = 0
        } else if first > 64, first > queue.count / 2 {
            queue.removeFirst(first)
            first = 0
        }
    }
}
