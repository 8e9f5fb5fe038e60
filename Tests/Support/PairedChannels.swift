// SPDX-License-Identifier: Apache-2.0
//
// Many channels on one reactor, each with the bare socket at its other end, which a test moves.

public import Sluice
import Testing

/// Channels over Unix connections, and their peers.
public final class PairedChannels {
    /// What the channels are on.
    public let reactor: Reactor
    /// This side, in the order in which they were made.
    public let channels: [Channel]
    /// The other side of each; `nil` once it has closed.
    public private(set) var peers: [HeldSocket?]
    /// What each channel ended with; `nil` while it has not.
    public private(set) var reasons: [EndReason?]

    /// Connects so many.
    ///
    /// - Parameter room: how many bytes the kernel takes for each, about; `nil` leaves that to it.
    public init(
        _ count: Int, on reactor: Reactor, options: ChannelOptions = .init(), room: Int? = nil
    ) throws {
        self.reactor = reactor
        var channels: [Channel] = []
        var peers: [HeldSocket?] = []
        for _ in 0..<count {
            var pair = try Socket.makePair()
            if let room { try pair.first.set(.sendBufferByteCount, to: room) }
            channels.append(
                try Channel(adopting: .taken(from: &pair.first), on: reactor, options: options))
            peers.append(HeldSocket(try .taken(from: &pair.second)))
        }
        self.channels = channels
        self.peers = peers
        reasons = Array(repeating: nil, count: count)
        for (place, channel) in channels.enumerated() {
            channel.onClose { [weak self] _, reason in self?.reasons[place] = reason }
        }
    }

    /// How many bytes the channels hold: what they have not sent and nobody has consumed.
    public var heldByteCount: Int {
        channels.reduce(0) { $0 + $1.unsentByteCount + $1.unreadByteCount }
    }

    /// Writes to a channel until the kernel takes no more, and says how many bytes that were: a part
    /// of the last ones is left in the channel.
    @discardableResult
    public func fill(_ place: Int) throws -> Int {
        let piece = [UInt8](repeating: 0x66, count: 16_384)
        var count = 0
        while channels[place].unsentByteCount == 0, count < 100_000_000 {
            try channels[place].write(piece)
            try channels[place].flush()
            count += piece.count
        }
        return count
    }

    /// A peer sends a text.
    public func send(_ text: String, to place: Int) throws {
        try peers[place]?.socket.sendAll(text)
    }

    /// A peer closes.
    public func closePeer(_ place: Int) { peers[place] = nil }

    /// What is there for a peer now; the reactor does not run.
    public func receiveNow(_ place: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try peers[place]?.socket.receiveNow(), !more.isEmpty { bytes += more }
        return bytes
    }

    /// Runs the reactor until a peer has so many bytes, or its end.
    public func receive(_ count: Int, at place: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while bytes.count < count, ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try peers[place]?.socket.receiveNow() else { return bytes }
            bytes += more
        }
        if bytes.count < count { Issue.record("peer \(place) has \(bytes.count) of \(count)") }
        return bytes
    }

    /// Runs the reactor and has a peer read, until its channel has so few bytes left to send.
    public func relieve(_ place: Int, to count: Int = 0) throws {
        let limit = ContinuousClock.now + .seconds(20)
        while channels[place].unsentByteCount > count, ContinuousClock.now < limit {
            reactor.runPending()
            _ = try peers[place]?.socket.receiveNow()
        }
        let left = channels[place].unsentByteCount
        if left > count { Issue.record("channel \(place) has \(left) bytes left and not \(count)") }
    }

    /// Runs the reactor and has all peers read, until nothing is held any more.
    ///
    /// - Returns: how many bytes each peer got.
    public func receiveAll() throws -> [Int] {
        var counts = Array(repeating: 0, count: peers.count)
        let limit = ContinuousClock.now + .seconds(20)
        var isQuiet = false
        while !isQuiet, ContinuousClock.now < limit {
            reactor.runPending()
            isQuiet = channels.allSatisfy { $0.unsentByteCount == 0 }
            for place in peers.indices {
                let count = try receiveNow(place).count
                counts[place] += count
                if count > 0 { isQuiet = false }
            }
        }
        if !isQuiet { Issue.record("something is held for ever") }
        return counts
    }
}
