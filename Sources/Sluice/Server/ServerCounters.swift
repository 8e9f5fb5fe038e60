// SPDX-License-Identifier: Apache-2.0
//
// What a server has done so far, in numbers.

/// What a server has done so far.
public struct ServerCounters: Hashable, Sendable {
    /// Connections that became channels.
    public internal(set) var accepted: UInt64 = 0
    /// Clients that were turned away, by reason.
    public internal(set) var refusals = RefusalCounters()

    /// Clients that were turned away.
    public var refused: UInt64 { refusals.sum }

    /// Nothing so far.
    public init() {}
}

/// How many clients were turned away, and why.
public struct RefusalCounters: Hashable, Sendable {
    /// Without those that are 0, so that equal numbers are equal counters.
    private var counts: [RefusalReason: UInt64] = [:]

    /// None so far.
    public init() {}

    /// How many were turned away for one reason.
    public subscript(_ reason: RefusalReason) -> UInt64 {
        get { counts[reason] ?? 0 }
        set { counts[reason] = newValue == 0 ? nil : newValue }
    }

    /// How many were turned away in all.
    public var sum: UInt64 { counts.values.reduce(0, &+) }

    /// Adds another's; a sum that is too large stays at the largest number.
    public mutating func add(_ other: RefusalCounters) {
        for (reason, count) in other.counts {
            let (sum, isTooLarge) = self[reason].addingReportingOverflow(count)
            self[reason] = isTooLarge ? .max : sum
        }
    }

    mutating func count(_ reason: RefusalReason) { counts[reason, default: 0] &+= 1 }
}
