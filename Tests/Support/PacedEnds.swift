// SPDX-License-Identifier: Apache-2.0
//
// A connection that is limited in how fast it reads or sends, watched in each pass.
// Its peer sends and takes as fast as the kernel lets it.

public import Sluice
public import Testing

/// A limited channel, its peer, and what both have moved.
public final class PacedEnds {
    /// Both ends of the connection.
    public let ends: ConnectionEnds
    /// What is watched, from before the connection was made.
    public let watch: RateWatch
    private var unsent: [UInt8] = []
    private var isLast = false
    /// What the peer has got.
    public private(set) var received: [UInt8] = []

    /// What the channel is on.
    public var reactor: Reactor { ends.reactor }
    /// This side.
    public var channel: Channel { ends.channel }

    /// Connects the two.
    ///
    /// - Parameters:
    ///   - rate: the one that is watched, and holds for both directions where `options` say
    ///     nothing else.
    ///   - isLimited: whether the options are to have the rate.
    public init(
        _ rate: ByteRate, on reactor: Reactor, options: ChannelOptions = .binary,
        isLimited: Bool = true
    ) throws {
        var options = options
        if isLimited {
            options.receiveRate = options.receiveRate ?? rate
            options.sendRate = options.sendRate ?? rate
        }
        watch = RateWatch(rate)
        ends = try ConnectionEnds(on: reactor, options: options)
    }

    /// Has the peer send this, as the kernel takes it, and then, if asked, nothing more.
    public func feed(_ bytes: [UInt8], isLast: Bool = false) {
        unsent += bytes
        self.isLast = isLast
    }

    /// Runs until a condition holds, while the peer sends what it has and takes what comes; fails
    /// where either direction is faster than the rate.
    public func run(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: () -> Bool
    ) throws {
        let limit = ContinuousClock.now + .seconds(20)
        while !condition() {
            try pass(sourceLocation)
            if ContinuousClock.now > limit {
                Issue.record(what, sourceLocation: sourceLocation)
                return
            }
        }
    }

    /// One pass of the reactor, and one look at the peer.
    public func pass(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
        if !unsent.isEmpty, case .bytes(let count)? = try ends.peer?.send(unsent) {
            unsent.removeFirst(count)
            if unsent.isEmpty, isLast { try ends.peer?.shutDown(.writing) }
        }
        reactor.runPending()
        watch.expect(Int(channel.counters.bytesReceived), sourceLocation: sourceLocation)
        if let more = try ends.peer?.receiveNow() { received += more }
        watch.expect(received.count, sourceLocation: sourceLocation)
    }
}
