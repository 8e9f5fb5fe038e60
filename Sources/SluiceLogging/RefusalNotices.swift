// SPDX-License-Identifier: Apache-2.0
//
// When a log notices that clients are refused: in a flood not each of them, but how many there
// were. A value that decides and does nothing else; its owner says what time it is.

import Sluice

/// The clients that were refused on one reactor, and which of them a notice has told of.
struct RefusalNotices {
    /// What a notice says.
    struct Notice: Equatable {
        let reason: RefusalReason
        /// Who came last.
        let peer: SocketAddress
        /// How many were refused for this reason since the notice before.
        let count: Int
    }

    private struct Entry {
        /// Who came last.
        var peer: SocketAddress
        /// How many no notice has told of.
        var count = 0
        /// Before this there is no further notice.
        var due: SuspendingClock.Instant
    }

    private let quietTime: Duration
    /// No more of them than there are reasons.
    private var entries: [RefusalReason: Entry] = [:]
    /// How many no notice has told of, for whatever reason.
    private(set) var untoldCount = 0

    /// - Parameter quietTime: how far the notices of one reason are apart, at least.
    init(quietTime: Duration) { self.quietTime = quietTime }

    /// A client was refused.
    mutating func note(
        _ peer: SocketAddress, _ reason: RefusalReason, at now: SuspendingClock.Instant
    ) {
        var entry = entries[reason] ?? Entry(peer: peer, due: now)
        entry.peer = peer
        entry.count += 1
        entries[reason] = entry
        untoldCount += 1
    }

    /// Takes the notices whose time has come, in no order.
    mutating func takeDue(at now: SuspendingClock.Instant) -> [Notice] {
        var notices: [Notice] = []
        for (reason, entry) in entries where entry.count > 0 && entry.due <= now {
            notices.append(Notice(reason: reason, peer: entry.peer, count: entry.count))
            entries[reason] = Entry(peer: entry.peer, due: now + quietTime)
            untoldCount -= entry.count
        }
        return notices
    }
}
