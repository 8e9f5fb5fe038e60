// SPDX-License-Identifier: Apache-2.0
//
// A listener whose clients are taken and read only when a test says so, with little room between.

public import Sluice
import Testing

/// A bare listener with small buffers, and the connections that were taken from it.
public final class SlowPeer {
    private let listener: Socket
    private var accepted: [HeldSocket] = []
    /// Where it listens.
    public let address: SocketAddress

    /// Listens on loopback.
    public init() throws {
        let listener = try Socket(for: .loopback(port: 0))
        try listener.set(.receiveBufferByteCount, to: 32_768)
        try listener.bind(to: .loopback(port: 0))
        try listener.listen(backlog: 8)
        address = try listener.localAddress
        self.listener = listener
    }

    /// Takes a connection that was made.
    public func accept() throws {
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            guard var found = try listener.accept() else { continue }
            accepted.append(HeldSocket(try .taken(from: &found.socket)))
            return
        }
        Issue.record("there was no connection to take")
    }

    /// Runs the reactor until the last connection has brought so many bytes, or its end.
    public func receive(_ reactor: Reactor, upTo count: Int = .max) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let limit = ContinuousClock.now + .seconds(20)
        while bytes.count < count, ContinuousClock.now < limit {
            reactor.runPending()
            guard let more = try accepted.last?.socket.receiveNow() else { return bytes }
            bytes += more
        }
        if bytes.count < count { Issue.record("the end did not come") }
        return bytes
    }

    /// Reads what is there on the last connection, and nothing more.
    public func receiveNow() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try accepted.last?.socket.receiveNow(), !more.isEmpty { bytes += more }
        return bytes
    }

    /// Cuts the last connection with a reset.
    public func reset() throws {
        try accepted.last?.socket.resetOnClose()
        if !accepted.isEmpty { accepted.removeLast() }
    }

    /// Closes the last connection.
    public func close() { if !accepted.isEmpty { accepted.removeLast() } }
}
