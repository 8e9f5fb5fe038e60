// SPDX-License-Identifier: Apache-2.0
//
// What a connection says of its messages, and what it is told when its server begins to drain.

extension Connection {
    /// Says that a message begins, as ``Channel/beginMessage()``.
    ///
    /// Lines and frames that are read whole need no word: what has come of them counts by itself.
    public func beginMessage() { channel.beginMessage() }

    /// Says that the message is complete, as ``Channel/endMessage()``.
    public func endMessage() { channel.endMessage() }

    /// Whether the server, or the group of servers, that let it in has begun to drain.
    public var isDraining: Bool { channel.isDraining }

    /// Calls `handler` once, on the connection's thread, when its server or group of servers begins
    /// to drain; `nil` takes it away.
    ///
    /// A task that waits for input goes on waiting, unless the handler ends that, as by
    /// ``closeReading()`` or ``close()``. Else as ``Channel/onDraining(_:)``.
    public func onDraining(_ handler: (@Sendable (isolated Connection) throws -> Void)?) {
        guard let handler else { return channel.onDraining(nil) }
        // The channel must not keep the connection that keeps it.
        channel.onDraining { [weak self] _ in
            try self?.assumeIsolated { connection in try handler(connection) }
        }
    }
}
