// SPDX-License-Identifier: Apache-2.0
//
// The requests that a datagram socket has under way. Answers may be lost, overtake one another or
// come twice, so each request has a number, and its number alone names it.

/// The unanswered requests of one socket, each in a place of its own until it is answered or given
/// up.
///
/// A value that decides and does nothing else. It allocates where more requests are under way than
/// ever before and for what is given up, and at no other time.
struct RequestTable {
    private struct Place {
        /// 0 while the place is free.
        var number: UInt64 = 0
        var due: UInt64 = 0
        var sentAt: UInt64 = 0
    }

    /// A number's lower bits tell the place, the upper ones count the requests from 1.
    private static let placeBits: UInt64 = 16
    private static let placeMask: UInt64 = 1 << placeBits - 1
    /// How many requests may be under way at most.
    static let largestCapacity = 1 << 16

    private let capacity: Int
    private var places: [Place] = []
    private var free: [Int] = []
    private var lastCount: UInt64 = 0
    /// No request under way was sent before this instant.
    private(set) var sentFrom = UInt64.max

    /// - Parameter capacity: how many requests may be under way; 1 to ``largestCapacity``.
    init(capacity: Int) {
        self.capacity = min(max(1, capacity), Self.largestCapacity)
    }

    var isEmpty: Bool { free.count == places.count }
    var isFull: Bool { free.isEmpty && places.count == capacity }

    /// Adds a request, and gives the number that it is to carry; `nil` where all places are taken.
    @inline(__always)
    mutating func add(due: UInt64, at now: UInt64) -> UInt64? {
        guard let place = free.popLast() ?? makePlace() else { return nil }
        lastCount &+= 1
        if now < sentFrom { sentFrom = now }
        let number = lastCount << Self.placeBits | UInt64(place)
        places[place] = Place(number: number, due: due, sentAt: now)
        return number
    }

    @inline(never)
    private mutating func makePlace() -> Int? {
        if places.count == capacity { return nil }
        places.append(Place())
        return places.count - 1
    }

    /// Takes the request with a number out.
    ///
    /// - Returns: when it was due; `nil` where no such request is under way.
    @inline(__always)
    mutating func remove(_ number: UInt64) -> UInt64? {
        let place = Int(number & Self.placeMask)
        guard number != 0, place < places.count, places[place].number == number else { return nil }
        return release(place)
    }

    /// Whether a request with a number is, or was, under way.
    func hasGiven(_ number: UInt64) -> Bool {
        let count = number >> Self.placeBits
        return count > 0 && count <= lastCount && Int(number & Self.placeMask) < places.count
    }

    /// Takes the request out that was sent first.
    ///
    /// - Returns: when it was due; `nil` where none is under way.
    mutating func removeOldest() -> UInt64? {
        var oldest: Int?
        for place in places.indices where places[place].number != 0 {
            // Numbers grow in the order of sending.
            if oldest.map({ places[place].number < places[$0].number }) ?? true { oldest = place }
        }
        return oldest.map { release($0) }
    }

    /// Takes all requests out that were sent at an instant or before it.
    ///
    /// - Returns: when each was due, in no order.
    mutating func removeAll(sentUpTo instant: UInt64 = .max) -> [UInt64] {
        // Most calls come when nothing is that old.
        if instant < sentFrom || isEmpty { return [] }
        var due: [UInt64] = []
        sentFrom = .max
        for place in places.indices where places[place].number != 0 {
            if places[place].sentAt <= instant {
                due.append(release(place))
            } else {
                sentFrom = min(sentFrom, places[place].sentAt)
            }
        }
        return due
    }

    @inline(__always)
    private mutating func release(_ place: Int) -> UInt64 {
        places[place].number = 0
        free.append(place)
        return places[place].due
    }
}
