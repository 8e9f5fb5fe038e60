// SPDX-License-Identifier: Apache-2.0
//
// One message for all connections of a group of servers, on all of its reactors at once.

extension ServerGroup {
    /// Sends `bytes` to all connections that are open, as ``Server/broadcast(_:to:_:)`` does on
    /// each reactor.
    ///
    /// The bytes are in memory once, for all reactors. Each connection gets the broadcasts of one
    /// task in their order. Waits until all connections have had their turn, also in a task that
    /// was cancelled; those of a reactor that has ended are in no number.
    ///
    /// - Parameters:
    ///   - bytes: the message.
    ///   - slow: what happens to connections that are slow.
    /// - Returns: what has become of it on all reactors.
    public func broadcast(
        _ bytes: [UInt8], to slow: SlowReceiverPolicy = .skip
    ) async -> BroadcastResult {
        await withTaskGroup(of: BroadcastResult.self) { group in
            for part in parts {
                group.addTask(executorPreference: part.executor) {
                    await part.broadcast(bytes, to: slow)
                }
            }
            return await group.reduce(BroadcastResult(), +)
        }
    }
}

extension ServingPart {
    /// Sends to the connections of this reactor, and waits until all have had their turn.
    @concurrent
    fileprivate func broadcast(
        _ bytes: [UInt8], to slow: SlowReceiverPolicy
    ) async -> BroadcastResult {
        guard executor.reactor != nil, let server else { return BroadcastResult() }
        var result: BroadcastResult?
        let told = Waiter(on: executor)
        server.broadcast(bytes, to: slow) {
            result = $0
            told.resume()
        }
        while result == nil, executor.reactor != nil {
            await executor.waitUncancelled(told) { result == nil }
        }
        return result ?? BroadcastResult()
    }
}
