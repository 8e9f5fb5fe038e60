// SPDX-License-Identifier: Apache-2.0
//
// One connection of an attacker: a bare socket, which does what no orderly client does.

import Glibc
import Sluice

/// A connection that ends with the object.
final class AttackingSocket {
    private let socket: Socket

    /// Source: `POLLRDHUP`, poll(2); the headers have it for GNU programs only.
    private static let peerClosed: Int16 = 0x2000

    /// Starts a connection, which on one machine is made at once.
    ///
    /// - Parameters:
    ///   - receiveBufferByteCount: how much the kernel takes for it; `nil` leaves that to the
    ///     kernel.
    ///   - sendBufferByteCount: how much the kernel takes of what it sends; `nil` likewise.
    init(
        from source: IPAddress, to port: UInt16, receiveBufferByteCount: Int? = nil,
        sendBufferByteCount: Int? = nil
    ) throws(SocketError) {
        let target = SocketAddress.loopback(port: port)
        socket = try Socket(for: target)
        if let receiveBufferByteCount {
            try socket.set(.receiveBufferByteCount, to: receiveBufferByteCount)
        }
        if let sendBufferByteCount {
            try socket.set(.sendBufferByteCount, to: sendBufferByteCount)
        }
        // One port of an address may be used to each of several ports of the server.
        try socket.set(.bindWithoutPort, to: true)
        try socket.bind(to: .ip(source, port: 0))
        _ = try socket.connect(to: target)
    }

    /// Whether the server has ended the connection, also behind bytes that nobody reads.
    var isEnded: Bool {
        var question = pollfd(fd: socket.number, events: Self.peerClosed, revents: 0)
        poll(&question, 1, 0)
        return question.revents != 0
    }

    /// Sends what the kernel takes.
    ///
    /// - Returns: how many bytes; `nil` where the connection has ended.
    func send(_ bytes: RawSpan) -> Int? {
        do throws(SocketError) {
            switch try socket.send(bytes) {
            case .bytes(let count): return count
            case .wouldBlock: return 0
            }
        } catch {
            return nil
        }
    }

    /// Ends its own direction.
    func closeWriting() {
        // A connection that was refused has none.
        try? socket.shutDown(.writing)
    }

    /// Has the end of the object cut the connection.
    func resetOnClose() {
        // Where the option is refused the close is an ordinary one.
        try? socket.set(.linger, to: .on(.zero))
    }
}
