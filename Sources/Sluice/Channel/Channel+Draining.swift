// SPDX-License-Identifier: Apache-2.0
//
// What a channel is told when its server begins to drain: it may finish what it does, and close.

extension Channel {
    /// Whether the server, or the group of servers, that let it in has begun to drain.
    ///
    /// What is left at the limit of the drain is closed: see ``Server/drain(within:_:)``.
    public var isDraining: Bool { flags.contains(.isDraining) }

    /// Calls `handler` once, in a turn of the channel's own, when its server or group of servers
    /// begins to drain; `nil` takes it away.
    ///
    /// It may tell the peer, and closes the channel now or when what is under way is done. On a
    /// channel that drains already it is called in the next turn. What it throws goes to
    /// ``Reactor/onError``. A channel that was moved, or that no server let in, is never told.
    public func onDraining(_ handler: ((Channel) throws -> Void)?) {
        guard state.phase == .open || state.phase == .connecting else { return }
        if handler == nil && rare == nil { return }
        parts.draining = handler
        if handler != nil, isDraining { enqueue([]) }
    }

    /// Its server has begun to drain.
    ///
    /// - Returns: whether somebody is to be told, in a turn of the channel's.
    func beginDraining() -> Bool {
        guard state.phase == .open, !isDraining else { return false }
        flags.insert(.isDraining)
        return rare?.draining != nil
    }

    /// Tells, once, who waits for the drain.
    func reportDraining() {
        guard state.phase == .open, let handler = rare?.draining, let reactor = reactorOrNil
        else { return }
        rare?.draining = nil
        _ = reactor.attempt(for: self) { try handler(self) }
    }
}
