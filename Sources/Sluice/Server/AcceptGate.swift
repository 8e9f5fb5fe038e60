// SPDX-License-Identifier: Apache-2.0
//
// When a listener accepts, when it pauses, and how many connections it takes in one turn. A value
// that decides and does nothing else, so exhaustion is tested without running out of anything.

/// The accept rules of one listener.
struct AcceptGate: Equatable {
    /// What to do after the kernel had no descriptor or memory left.
    struct Pause: Equatable {
        /// How long to wait before accepting again, in nanoseconds.
        let nanoseconds: UInt64
        /// Whether this is the first pause for five seconds: a crowd at the limit is told of once.
        let isNews: Bool
    }

    private static let shortestPause: UInt64 = 10_000_000
    private static let longestPause: UInt64 = 1_000_000_000
    private static let quietTime: UInt64 = 5_000_000_000

    private let most: Int
    private var batch = 1
    private var nextPause = shortestPause
    private(set) var isBackingOff = false
    private var lastExhausted: UInt64?
    /// Held back by its owner, such as a server at its connection limit.
    private(set) var isHeld = false
    private var isClosed = false

    /// - Parameter most: how many connections one turn may take.
    init(most: Int) {
        self.most = max(1, most)
    }

    /// Whether the listener waits for connections.
    var isOpen: Bool { !isBackingOff && !isHeld && !isClosed }

    /// How many connections to ask for in this turn: as many as came last time, more while they
    /// keep coming.
    var turnLimit: Int { batch }

    /// A turn has ended.
    ///
    /// - Parameter count: how many connections it took.
    mutating func accepted(_ count: Int) {
        if count > 0 { nextPause = Self.shortestPause }
        batch = count >= batch ? min(most, batch * 2) : max(1, count)
    }

    /// The kernel had no descriptor or no memory, at this time of a monotonic clock.
    mutating func exhausted(at nanoseconds: UInt64) -> Pause {
        let isNews = lastExhausted.map { nanoseconds > $0 + Self.quietTime } ?? true
        let pause = Pause(nanoseconds: nextPause, isNews: isNews)
        nextPause = min(Self.longestPause, nextPause * 2)
        lastExhausted = nanoseconds
        isBackingOff = true
        return pause
    }

    /// The pause has passed, or a descriptor has come free.
    mutating func resume() { isBackingOff = false }

    mutating func hold() { isHeld = true }

    mutating func letGo() { isHeld = false }

    mutating func close() { isClosed = true }
}
