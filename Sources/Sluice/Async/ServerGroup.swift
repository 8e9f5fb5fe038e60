// SPDX-License-Identifier: Apache-2.0
//
// Structured serving: a server on each reactor of a group, a task for each connection, and one call
// that ends only when all of them have.

import SluiceText

/// How a group of servers serves.
public struct ServingOptions: Sendable {
    /// How connections get to the reactors of a group.
    public enum Distribution: Hashable, Sendable {
        /// The first reactor accepts for all, and gives each connection to the reactor with the
        /// fewest: the shares are even, and a connection costs a letter to another thread.
        case handOver
        /// Each reactor listens, and the kernel chooses one for each connection, by its addresses and
        /// ports (`SO_REUSEPORT`): accepting is spread, which many reactors may need for many short
        /// connections. The shares are even by chance alone: the fewer there are, the more some wait
        /// for a busy reactor while another rests.
        case reusePort
    }

    /// How its servers are opened and what their connections are like.
    ///
    /// ``ServerOptions/maximumConnections`` holds for all of them together: in shares, as equal as can
    /// be, with ``Distribution/reusePort``. A reactor whose share is nothing does not listen.
    public var server = ServerOptions()
    /// How connections get to the reactors.
    ///
    /// Initially ``Distribution/handOver``.
    public var distribution = Distribution.handOver
    /// How many handlers run at most; while so many do, clients wait in the backlog.
    ///
    /// A handler may go on when its connection has closed, and then no longer counts as one. 1 or
    /// more; shared as the connections are. Initially no limit.
    public var maximumHandlers = Int.max
    /// How long connections may go on after the end was asked for; then they are closed, and their
    /// handlers' tasks cancelled.
    ///
    /// Initially 5 s.
    public var drainLimit = Duration.seconds(5)
    /// Called with what a handler threw and its connection, on the connection's thread, before it is
    /// closed.
    ///
    /// Initially `nil`: it goes to ``Reactor/onError``.
    public var onError: (@Sendable (any Error, isolated Connection) -> Void)?

    /// The initial values.
    public init() {}
}

/// A server for all reactors of a group, at the same addresses.
///
/// Each connection stays on the reactor that it was given to. A Unix socket can't be shared: with
/// ``ServingOptions/Distribution/reusePort`` all of its connections are the first reactor's.
public final class ServerGroup: Sendable {
    /// Where it listens, with real ports in place of 0.
    public let addresses: [SocketAddress]
    /// Kept for as long as somebody has the servers.
    private let group: ReactorGroup
    let parts: [ServingPart]
    private let handsOver: Bool
    private let isTaken = Locked(false)

    /// Listens at all of `addresses`, or at none; clients wait in the backlog until ``run(_:)``.
    ///
    /// - Throws: ``SocketError``, as ``Server/init(on:at:options:onAccept:)``.
    public init(
        on group: ReactorGroup, at addresses: [SocketAddress], options: ServingOptions = .init()
    ) async throws(SocketError) {
        self.group = group
        handsOver = options.distribution == .handOver
        parts = ServingPart.parts(on: group, options)
        var places = addresses
        var listening: [SocketAddress]?
        do throws(SocketError) {
            for part in parts {
                let found = try await part.listen(at: part.hasShare ? places : [])
                if listening == nil { listening = found }
                // A Unix socket can't be shared, and a port that the kernel chose is everybody's.
                if part.hasShare { places = handsOver ? [] : found.filter { $0.ipAddress != nil } }
            }
        } catch {
            for part in parts { part.close() }
            throw error
        }
        self.addresses = listening ?? []
    }

    /// Serves the clients of sockets that somebody else has opened and bound, such as a service
    /// manager or a ``Supervisor``: of all that are left in `sockets`; clients wait in the backlog
    /// until ``run(_:)``.
    ///
    /// The first reactor accepts for all, as with ``ServingOptions/Distribution/handOver``,
    /// whatever the options say. Else as ``init(on:at:options:)``.
    ///
    /// - Throws: ``SocketError``, as
    ///   ``Server/init(on:adopting:options:onAccept:)-(_,InheritedSockets,_,_)``; the sockets are
    ///   closed then.
    public init(
        on group: ReactorGroup, adopting sockets: consuming InheritedSockets,
        options: ServingOptions = .init()
    ) async throws(SocketError) {
        var options = options
        options.distribution = .handOver
        self.group = group
        handsOver = true
        parts = ServingPart.parts(on: group, options)
        let held = Locked<InheritedSockets?>(consume sockets)
        var listening: [SocketAddress] = []
        do throws(SocketError) {
            for (index, part) in parts.enumerated() {
                let found = try await part.listen(at: [], adopting: index == 0 ? held : nil)
                listening += found
            }
        } catch {
            for part in parts { part.close() }
            throw error
        }
        addresses = listening
    }

    deinit { close() }

    /// Serves until the task is cancelled, or ``close()`` or the group's end; then waits for the
    /// connections, within ``ServingOptions/drainLimit`` and, for those that were closed then and have
    /// something left to send, ``ChannelOptions/lingerLimit``.
    ///
    /// `handler` runs for each connection in a task of its own, on the connection's thread. Its end
    /// closes the connection: what was written still goes out. When this returns no task of a
    /// handler is left.
    ///
    /// - Throws: ``SocketError`` with operation `.accept` and `.busy` for a second call.
    public func run(
        _ handler: @escaping @Sendable (isolated Connection) async throws -> Void
    ) async throws(SocketError) {
        try await serve(.task(handler))
    }

    /// Serves as ``run(_:)``, with handlers of channels in place of tasks.
    ///
    /// `onAccept` gets each new channel and its peer's address, as with a ``Server``, on the
    /// channel's thread.
    ///
    /// - Throws: ``SocketError``, as ``run(_:)``.
    public func run(
        onAccept: @escaping @Sendable (Channel, SocketAddress) throws -> Void
    ) async throws(SocketError) {
        try await serve(.channel(onAccept))
    }

    /// - Returns: how many connections had to be closed at the end.
    @discardableResult
    func serve(_ handling: ServingPart.Handling) async throws(SocketError) -> Int {
        let wasTaken = isTaken.withLock { isTaken in
            defer { isTaken = true }
            return isTaken
        }
        if wasTaken { throw SocketError(.accept, .busy) }
        // All of them, before one accepts: it may give its connections to any other.
        for part in parts { await part.prepare(handling) }
        return await withTaskGroup(of: Int.self) { group in
            for part in parts {
                group.addTask(executorPreference: part.executor) { await part.serve() }
            }
            return await group.reduce(0, +)
        }
    }

    /// Ends a drain at once: what is left is cut off, and its tasks are cancelled.
    func cutOff() { for part in parts { part.cutOff() } }

    /// Ends ``run(_:)`` as a cancellation does; without a run, stops listening.
    ///
    /// Connections that were accepted by then are served.
    public func close() {
        // The one that accepts ends those to which it hands connections.
        for part in handsOver ? parts.prefix(1) : parts[...] { part.close() }
    }
}
