// SPDX-License-Identifier: Apache-2.0
//
// One bare connection to a server, without a reactor: it does what no orderly client does.

import Glibc
import Sluice
import TestSupport

/// A connection that ends with the object.
final class Peer {
    /// How the server ended the connection.
    enum Ending: Hashable {
        /// In an orderly way.
        case finished
        /// By a reset.
        case reset
    }

    let socket: Socket
    /// What came and was not dropped.
    private(set) var received: [UInt8] = []
    /// How many bytes came.
    private(set) var receivedByteCount = 0
    private(set) var ending: Ending?

    /// Starts a connection.
    ///
    /// - Parameter number: which of many connections this is. Each thousand comes from an address
    ///   of its own, so that the ports of one are not used up. All of `127.0.0.0/8` is this
    ///   machine.
    init(to address: SocketAddress, number: Int = 0) throws {
        socket = try Socket(for: address)
        if number >= 1_000 {
            let source = IPAddress.v4(0x7F00_0002 + UInt32(number / 1_000))
            try socket.bind(to: .ip(source, port: 0))
        }
        _ = try socket.connect(to: address)
    }

    /// Whether something can be read, or the end was met.
    func hasInput(within limit: Duration = .zero) -> Bool {
        waits(for: POLLIN, limit)
    }

    /// Waits until the connection is there.
    func isConnected(within limit: Duration = .seconds(5)) -> Bool {
        waits(for: POLLOUT, limit)
    }

    private func waits(for event: CInt, _ limit: Duration) -> Bool {
        var question = pollfd(fd: socket.number, events: Int16(event), revents: 0)
        return poll(&question, 1, CInt(limit / .milliseconds(1))) > 0
    }

    /// Sends what the kernel takes; nothing where the connection has ended.
    ///
    /// - Returns: how many bytes.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        do throws(SocketError) {
            guard case .bytes(let count) = try socket.send(bytes.span.bytes) else { return 0 }
            return count
        } catch {
            ending = .reset
            return 0
        }
    }

    /// Reads what is there, up to 1 MiB: a server may write faster than is read here.
    func take(into scratch: inout [UInt8], keeping: Bool = true) {
        for _ in 0..<16 where ending == nil {
            var span = scratch.mutableSpan
            var bytes = span.mutableBytes
            do throws(SocketError) {
                switch try socket.receive(into: &bytes) {
                case .bytes(let count):
                    receivedByteCount += count
                    if keeping { received += scratch[..<count] }
                case .wouldBlock: return
                case .endOfStream: ending = .finished
                }
            } catch {
                ending = .reset
            }
        }
    }

    /// Forgets what came.
    func drop() {
        received.removeAll(keepingCapacity: true)
        receivedByteCount = 0
    }
}
