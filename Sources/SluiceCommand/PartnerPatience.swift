// SPDX-License-Identifier: Apache-2.0
//
// How long a partner may do nothing at all in the middle of a transfer.

import Sluice

/// Watches whether a partner still sends or takes anything.
///
/// What it has acknowledged counts, not what went to the kernel, which may hold megabytes that a
/// slow partner takes minutes to read.
struct PartnerPatience {
    /// What shows that something has moved.
    private struct Signs: Equatable {
        var acknowledged = 0
        var received = 0
        var position = 0
    }

    /// How long nothing may move.
    let limit: Duration
    private var signs = Signs()
    private var since = ContinuousClock.now

    init(_ limit: Duration) { self.limit = limit }

    /// How often to look: often enough to be late by a quarter at most.
    var interval: Duration { max(limit / 4, .milliseconds(1)) }

    /// Looks again.
    ///
    /// - Parameter isExpected: whether it is the partner's turn to do something.
    /// - Returns: whether it has done nothing for too long.
    mutating func isOver(
        _ channel: Channel, at position: Int, isExpected: Bool
    ) -> Bool {
        // A channel that has closed is nobody's turn: the transfer is about to tell how it ended.
        guard isExpected, let info = try? channel.get(.tcpInfo) else {
            since = .now
            return false
        }
        let now = Signs(
            acknowledged: info.acknowledgedByteCount ?? 0, received: info.receivedByteCount ?? 0,
            position: position)
        if now != signs {
            signs = now
            since = .now
        }
        return .now - since >= limit
    }
}
