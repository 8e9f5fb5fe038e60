// SPDX-License-Identifier: Apache-2.0
//
// A connection that goes on with another reactor, and so on another thread.

extension Connection {
    /// Moves to another reactor; this connection is closed from now on, with ``EndReason/moved``.
    ///
    /// What was read and not consumed goes along, and what was written and not sent. As
    /// ``Channel/detach()``.
    ///
    /// - Returns: the connection that goes on.
    /// - Throws: ``SocketError``, as ``Channel/detach()``; `.cancelled` where the other reactor has
    ///   ended, and the connection with it.
    public func moved(to executor: Reactor.Executor) async throws(SocketError) -> Connection {
        let detached = try channel.detach()
        let result = await withTaskExecutorPreference(executor) {
            await executor.attach(detached)
        }
        return try result.get()
    }
}

extension Reactor.Executor {
    @concurrent
    fileprivate func attach(_ detached: DetachedChannel) async -> Result<Connection, SocketError> {
        do throws(SocketError) {
            guard let reactor else {
                throw SocketError(.perform, .cancelled, at: detached.peerAddress)
            }
            return .success(try .adopting(Channel(attaching: detached, on: reactor)))
        } catch {
            return .failure(error)
        }
    }
}
