// SPDX-License-Identifier: Apache-2.0
//
// What threads share in a test: a flag, a sum, a list and any other value that
// each of them may change.

import SluiceText
import Synchronization

/// A flag that any thread may set.
public final class Flag: Sendable {
    private let flag = Atomic(false)

    /// A flag that is not set.
    public init() {}

    /// Whether a thread has set it; what that thread did before is then seen too.
    public var isSet: Bool { flag.load(ordering: .acquiring) }

    /// Sets it for good.
    public func set() { flag.store(true, ordering: .releasing) }
}

/// A sum that any thread may add to.
public final class Tally: Sendable {
    private let sum = Atomic(0)

    /// A sum of nothing.
    public init() {}

    /// The sum so far.
    public var value: Int { sum.load(ordering: .acquiring) }

    /// Adds a number.
    public func add(_ number: Int) { sum.add(number, ordering: .acquiringAndReleasing) }
}

/// A list that any thread may append to.
public final class Log: Sendable {
    // ThreadSanitizer does not see the standard library's mutex.
    private let list = Locked<[Int]>([])

    /// An empty list.
    public init() {}

    /// What was appended, in order.
    public var entries: [Int] { list.withLock { $0 } }

    /// How much was appended.
    public var count: Int { list.withLock { $0.count } }

    /// Appends a number.
    public func append(_ number: Int) { list.withLock { $0.append(number) } }
}

/// A value that any thread may change.
public final class SharedValue<Value: Sendable>: Sendable {
    private let held: Locked<Value>

    /// Begins with `value`.
    public init(_ value: Value) { held = Locked(value) }

    /// The value now.
    public var value: Value { held.withLock { $0 } }

    /// Changes it.
    public func change(_ body: (inout Value) -> Void) { held.withLock { body(&$0) } }
}
