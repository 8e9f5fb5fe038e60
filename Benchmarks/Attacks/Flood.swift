// SPDX-License-Identifier: Apache-2.0
//
// Attacks at full speed: connections without end, and bytes without end.

import Sluice

/// Connections, as fast as they can be made.
final class Flood: Assault {
    /// What becomes of each.
    enum Manner {
        /// It is closed at once.
        case leave
        /// It says nothing, and stays until its place is needed.
        case stay
        /// It ends its own direction, and stays until its place is needed.
        case closeWriting
        /// It sends a part of a line, and is cut.
        case reset
    }

    private(set) var count = AssaultCount()
    private let port: UInt16
    private let manner: Manner
    private let sourceCount: Int
    /// The last ones that stay; none where they don't.
    private var sockets: [AttackingSocket?]
    private var turn = 0

    private static let line = Array("a part of a line".utf8)
    private static let connectsPerStep = 16

    init(on port: UInt16, _ manner: Manner, connections: Int, sources: Int) {
        self.port = port
        self.manner = manner
        sourceCount = sources
        let stays = manner == .stay || manner == .closeWriting
        sockets = Array(repeating: nil, count: stays ? connections : 0)
    }

    func step() -> Bool {
        for _ in 0..<Self.connectsPerStep { connect() }
        return true
    }

    private func connect() {
        turn += 1
        guard let socket = count.open(from: turn % sourceCount, to: port) else { return }
        switch manner {
        case .leave, .stay: break
        case .closeWriting: socket.closeWriting()
        case .reset:
            _ = count.send(Self.line.span.bytes, on: socket)
            socket.resetOnClose()
        }
        if !sockets.isEmpty { sockets[turn % sockets.count] = socket }
    }
}

/// Bytes, as fast as they are taken, on connections that are made again where the server ends them.
final class Storm: Assault {
    private(set) var count = AssaultCount()
    private let ports: [UInt16]
    private let bytes: [UInt8]
    private let sourceCount: Int
    private var sockets: [AttackingSocket?]
    private var turn = 0

    private static let blockByteCount = 16_384
    private static let visitsPerStep = 16
    /// Little, so that what the kernel holds is the server's part, and not the attackers' own.
    static let sendBufferByteCount = 32_768

    /// Letters without a line's end.
    static let letters = [UInt8](repeating: UInt8(ascii: "x"), count: blockByteCount)

    /// Bytes that nobody can foretell, enough for many blocks.
    static func noise() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<65_536).flatMap { _ in
            withUnsafeBytes(of: generator.next() as UInt64) { Array($0) }
        }
    }

    /// - Parameter ports: where the connections go, in turn.
    init(on ports: [UInt16], connections: Int, sources: Int, sending bytes: [UInt8]) {
        self.ports = ports
        self.bytes = bytes
        sourceCount = sources
        sockets = Array(repeating: nil, count: connections)
    }

    func step() -> Bool {
        for _ in 0..<Self.visitsPerStep { visit() }
        return true
    }

    private func visit() {
        turn += 1
        let place = turn % sockets.count
        let socket =
            sockets[place]
            ?? count.open(
                from: place % sourceCount, to: ports[place % ports.count],
                receiveBufferByteCount: Siege.receiveBufferByteCount,
                sendBufferByteCount: Self.sendBufferByteCount)
        guard let socket else { return }
        let bytes = bytes
        let start = turn &* 4_099 % (bytes.count - Self.blockByteCount + 1)
        let block = bytes.span.extracting(start..<start + Self.blockByteCount)
        sockets[place] = count.send(block.bytes, on: socket) ? socket : nil
    }
}
