// SPDX-License-Identifier: Apache-2.0
//
// A channel for async code: an actor whose executor is the channel's own reactor.
// Its methods suspend where a channel's would wait; nothing changes threads on the way.

/// A connection that async code reads and writes: an actor on its reactor's own thread.
///
/// Code that is isolated to it, such as a server's handler, runs on that thread and calls it without
/// suspension where there is nothing to wait for. One task reads at a time; a second is refused with
/// `.busy`. Any number may write. Cancelling a task ends its wait at once with `.cancelled` and
/// closes nothing; ``within(_:_:)`` gives waits a deadline. Whoever cancels a task that reads, to read
/// in its place, waits for it to go on: `task.cancel()`, then `await task.result`.
public actor Connection {
    /// Runs what is isolated to the connection: its reactor's.
    public nonisolated let executor: Reactor.Executor
    // Unsafe: a channel is not Sendable, but only what is isolated to this actor reaches it, and
    // that runs on the thread of the channel's reactor. Whoever made the connection had the channel,
    // and so was on that thread, too.
    nonisolated(unsafe) let channel: Channel
    /// Where the peer is told of a channel that was opened by a name.
    private nonisolated let foundPeer: FoundPeer?
    /// Where the one task that reads waits.
    let reading: Waiter
    /// The task that the connection was made for, such as a server's handler, while it runs.
    ///
    /// Whoever cancels it tells the connection, so its waits need not look after that.
    var handlerTask: TaskIdentity?
    /// Who reads and waits at `reading`, until it goes on.
    var reader = Reader.nobody

    /// A task that waits for input.
    enum Reader {
        case nobody
        /// That of the handler.
        case handler
        case another
    }

    /// A connection that takes a channel over: the reader of the channel is replaced, and nobody else
    /// should use it from now on.
    ///
    /// To be called where the channel is, on its reactor's thread.
    ///
    /// - Throws: ``SocketError`` with `.badDescriptor` for a channel without a reactor.
    public static func adopting(_ channel: Channel) throws(SocketError) -> Connection {
        // Unsafe: see `channel`; the actor runs on this very thread.
        nonisolated(unsafe) let channel = channel
        return Connection(channel, try channel.reactor.executor)
    }

    private init(_ channel: Channel, _ executor: Reactor.Executor) {
        self.executor = executor
        self.channel = channel
        foundPeer = channel.rare?.foundPeer
        reading = Waiter(on: executor)
        if channel.options.isBlocking { channel.options.isBlocking = false }
        channel.awaitInput(reading)
        executor.countActors(1)
    }

    deinit {
        executor.countActors(-1)
        // Without it nobody could read, write or close. Unsafe: nobody else has the channel, and it
        // goes to the thread that it belongs to.
        nonisolated(unsafe) let channel = channel
        executor.performEnding { channel.close() }
    }

    /// The peer's address; still answers after the connection has closed.
    public nonisolated var peerAddress: SocketAddress {
        // The latter is a constant of the channel, which every thread may read.
        foundPeer?.address ?? channel.firstPeer
    }

    /// The reactor's executor.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }
}

// MARK: - What may be asked

extension Connection {
    /// Where the connection is in its life.
    public var status: Channel.Status { channel.status }

    /// Why the connection ended, or will end; `nil` while nothing has ended it.
    public var endReason: EndReason? { channel.endReason }

    /// This side's address.
    ///
    /// - Throws: ``SocketError``, as ``Channel/localAddress``.
    public var localAddress: SocketAddress {
        get throws(SocketError) { try channel.localAddress }
    }

    /// What went over the connection.
    public var counters: ChannelCounters { channel.counters }

    /// The settings, which may be changed at any time; a connection never blocks its reactor, so
    /// ``ChannelOptions/isBlocking`` stays off.
    public var options: ChannelOptions {
        get { channel.options }
        set {
            var values = newValue
            values.isBlocking = false
            channel.options = values
        }
    }

    /// Changes the settings, as a task elsewhere does: `await connection.change { $0.buffering = .full }`.
    public func change(_ edit: @Sendable (inout ChannelOptions) -> Void) {
        var values = options
        edit(&values)
        options = values
    }

    /// How many bytes were read and are not consumed yet.
    public var unreadByteCount: Int { channel.unreadByteCount }

    /// How many bytes were written and have not gone to the kernel yet.
    public var unsentByteCount: Int { channel.unsentByteCount }

    /// How long ago a byte came or went.
    public var idleTime: Duration { channel.idleTime }
}
