// SPDX-License-Identifier: Apache-2.0
//
// Both ends of a loopback connection in one hand: what most tests of channels hold.
// The channel is moved by its reactor, the peer by the test.

import Glibc
public import Sluice
import Testing

/// Both ends of a loopback connection: a channel, and the bare socket that a test moves by hand.
public final class ConnectionEnds {
    /// What the channel is on.
    public let reactor: Reactor
    /// This side.
    public let channel: Channel
    /// The other side; `nil` once the peer has closed.
    public var peer: Socket?
    /// The reasons that the channel told: one, once it has ended.
    public private(set) var endReasons: [EndReason] = []

    /// Connects the two.
    ///
    /// - Parameter smallBuffers: has the kernel hold only some kilobytes each way.
    public init(
        on reactor: Reactor, options: ChannelOptions = .init(), smallBuffers: Bool = false
    ) throws {
        let any = SocketAddress.loopback(port: 0)
        let listener = try Socket(for: any)
        try listener.set(.noDelay, to: true)
        if smallBuffers { try listener.set(.sendBufferByteCount, to: 4_096) }
        try listener.bind(to: any)
        try listener.listen(backlog: 8)
        let address = try listener.localAddress
        let peer = try Socket(for: address)
        try peer.set(.noDelay, to: true)
        if smallBuffers { try peer.set(.receiveBufferByteCount, to: 4_096) }
        _ = try peer.connect(to: address)
        self.reactor = reactor
        self.peer = consume peer
        channel = try Channel(
            adopting: Self.accepted(by: listener, at: address), on: reactor, options: options)
        channel.onClose { [weak self] _, reason in self?.endReasons.append(reason) }
    }

    /// The connection that was just made; the kernel may need a moment to show it.
    private static func accepted(
        by listener: borrowing Socket, at address: SocketAddress
    ) throws(SocketError) -> Socket {
        for _ in 0..<1_000_000 {
            if var accepted = try listener.accept() {
                return try .taken(from: &accepted.socket)
            }
            sched_yield()
        }
        throw SocketError(.accept, .wouldBlock, at: address)
    }

    /// Runs the reactor until the peer has got this many bytes, or met the end of its input.
    public func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while bytes.count < count, ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try peer?.receiveNow() else { break }
            bytes += more
        }
        return bytes
    }

    /// Runs the reactor until the peer has met the end of its input, and gives what came before it.
    public func receiveAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try peer?.receiveNow() else { return bytes }
            bytes += more
        }
        Issue.record("the peer did not meet the end of its input")
        return bytes
    }

    /// The peer closes, with a reset.
    public func resetByPeer() throws {
        try peer?.resetOnClose()
        peer = nil
    }

    /// Fills the connection until bytes are queued in the channel, and says how many it wrote.
    @discardableResult
    public func fill() throws -> Int {
        let piece = [UInt8](repeating: 0x66, count: 20_000)
        var count = 0
        while channel.unsentByteCount == 0, count < 100_000_000 {
            try channel.write(piece)
            try channel.flush()
            count += piece.count
        }
        return count
    }
}
