// SPDX-License-Identifier: Apache-2.0
//
// How an attack goes on, a few connections at a time.

import BenchmarkSupport
import Sluice

/// An attack that is under way.
protocol Assault: AnyObject {
    /// What it has done so far.
    var count: AssaultCount { get }
    /// Goes on a little.
    ///
    /// - Returns: whether there is more to do at once.
    func step() -> Bool
}

/// What attackers have done.
struct AssaultCount {
    /// Connections that were opened.
    var opened = 0
    /// Connections that could not even be begun.
    var failed = 0
    /// Connections that the server has ended.
    var ended = 0
    /// Bytes that the kernel took.
    var bytesSent = 0

    var figures: Figures {
        var figures = Figures()
        figures["opened"] = opened
        figures["failed"] = failed
        figures["ended by the server"] = ended
        figures["bytes sent"] = bytesSent
        return figures
    }

    /// Opens a connection, and counts it.
    mutating func open(
        from source: Int, to port: UInt16, receiveBufferByteCount: Int? = nil,
        sendBufferByteCount: Int? = nil
    ) -> AttackingSocket? {
        do throws(SocketError) {
            let socket = try AttackingSocket(
                from: Sources.attacker(source), to: port,
                receiveBufferByteCount: receiveBufferByteCount,
                sendBufferByteCount: sendBufferByteCount)
            opened += 1
            return socket
        } catch {
            failed += 1
            return nil
        }
    }

    /// Sends, and counts what was sent.
    ///
    /// - Returns: whether the connection is still there.
    mutating func send(_ bytes: RawSpan, on socket: AttackingSocket) -> Bool {
        guard let count = socket.send(bytes) else {
            ended += 1
            return false
        }
        bytesSent += count
        return true
    }
}

/// Very many connections that are held for as long as the server lets them.
///
/// Each is visited in turn, and opened again where the server has ended it.
final class Siege: Assault {
    private(set) var count = AssaultCount()
    private let port: UInt16
    /// What a visit sends.
    private let bytes: [UInt8]
    private var sockets: [AttackingSocket?]
    /// How long it takes to visit all of them once, in nanoseconds.
    private let circuit: Double
    private let begin = MonotonicClock.now
    private var visits = 0

    /// As many as a careful server allows one address.
    private static let perAddress = 64
    private static let visitsPerStep = 64
    /// Little, so that what is not read waits in the server.
    static let receiveBufferByteCount = 4_096

    /// - Parameter milliseconds: how long it takes to visit all of them once.
    init(
        on port: UInt16, connections: Int, visitedEvery milliseconds: Int, sending bytes: [UInt8]
    ) {
        self.port = port
        self.bytes = bytes
        circuit = Double(milliseconds) * 1_000_000
        sockets = Array(repeating: nil, count: connections)
    }

    func step() -> Bool {
        let elapsed = Double(MonotonicClock.now - begin)
        let due = Int(Double(sockets.count) * elapsed / circuit)
        for _ in 0..<min(Self.visitsPerStep, due - visits) {
            visit(visits % sockets.count)
            visits += 1
        }
        return visits < due
    }

    private func visit(_ place: Int) {
        if let socket = sockets[place] {
            if socket.isEnded {
                count.ended += 1
            } else if speaks(socket) {
                return
            }
        }
        // The old one is gone before the new one comes: an address has no more than it may.
        sockets[place] = nil
        let socket = count.open(
            from: place / Self.perAddress, to: port,
            receiveBufferByteCount: Self.receiveBufferByteCount)
        guard let socket, speaks(socket) else { return }
        sockets[place] = socket
    }

    /// - Returns: whether the connection is still there.
    private func speaks(_ socket: AttackingSocket) -> Bool {
        let bytes = bytes
        return bytes.isEmpty || count.send(bytes.span.bytes, on: socket)
    }
}
