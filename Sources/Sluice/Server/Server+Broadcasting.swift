// SPDX-License-Identifier: Apache-2.0
//
// One message for all connections of a server.

extension Server {
    /// Sends `bytes` to all of its channels that are open, as
    /// ``ChannelGroup/broadcast(_:to:_:)``.
    ///
    /// They are looked for among all that is open on the reactor.
    public func broadcast(
        _ bytes: [UInt8], to slow: SlowReceiverPolicy = .skip,
        _ completion: ((BroadcastResult) -> Void)? = nil
    ) {
        guard let reactor else { return }
        let mine = reactor.channels.filter { $0.owner === self && $0.state.phase == .open }
        reactor.broadcast(bytes, among: mine, slow, completion)
    }
}
