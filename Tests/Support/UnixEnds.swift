// SPDX-License-Identifier: Apache-2.0
//
// Both ends of a Unix connection: a channel on a reactor, and the bare socket that a test moves.

public import Sluice
import Testing

/// Both ends of a Unix connection.
public final class UnixEnds {
    /// What the channel is on.
    public let reactor: Reactor
    /// This side.
    public let channel: Channel
    /// The other side; `nil` once the peer has closed.
    public var peer: Socket?
    /// The reasons that the channel told: one, once it has ended.
    public private(set) var endReasons: [EndReason] = []

    /// Connects the two.
    public init(on reactor: Reactor, options: ChannelOptions = .init()) throws {
        var pair = try Socket.makePair()
        self.reactor = reactor
        channel = try Channel(
            adopting: .taken(from: &pair.first), on: reactor, options: options)
        peer = try Socket.taken(from: &pair.second)
        channel.onClose { [weak self] _, reason in self?.endReasons.append(reason) }
    }
}
