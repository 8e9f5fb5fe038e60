// SPDX-License-Identifier: Apache-2.0
//
// Datagrams that wait for the kernel, within a limit. A value that decides and does nothing else,
// so dropping is tested without filling anything.

/// A datagram that is to be sent.
struct UnsentDatagram {
    var bytes: [UInt8]
    /// Where it goes; `nil` for the peer of a connected socket.
    var address: SocketAddress?
    /// The kernel cuts it into datagrams of so many bytes; 0 for one.
    var segmentByteCount = 0

    /// How many datagrams it is.
    var datagramCount: Int {
        segmentByteCount == 0 ? 1 : (bytes.count + segmentByteCount - 1) / segmentByteCount
    }

    /// The datagrams that it is cut into.
    var pieces: [UnsentDatagram] {
        stride(from: 0, to: bytes.count, by: segmentByteCount).map { start in
            let end = min(start + segmentByteCount, bytes.count)
            return UnsentDatagram(bytes: Array(bytes[start..<end]), address: address)
        }
    }
}

/// The queue of one channel, made of what the kernel has not taken.
struct DatagramQueue {
    private var waiting: [UnsentDatagram?] = []
    private var first = 0
    private(set) var byteCount = 0
    /// How many datagrams they are.
    private(set) var datagramCount = 0

    /// So many wait at most, however short they are.
    static let mostDatagrams = 8_192

    var isEmpty: Bool { first == waiting.count }
    var count: Int { waiting.count - first }

    /// Adds one, and gives datagrams up as the policy has it where they are too many.
    ///
    /// - Returns: how many were given up.
    mutating func append(
        _ datagram: UnsentDatagram, limit: Int, _ policy: DatagramOptions.DropPolicy
    ) -> Int {
        var dropped = 0
        if policy == .oldest, datagram.bytes.count <= limit {
            while !hasRoom(for: datagram, limit), let oldest = popFirst() {
                dropped += oldest.datagramCount
            }
        }
        if !hasRoom(for: datagram, limit) { return dropped + datagram.datagramCount }
        byteCount += datagram.bytes.count
        datagramCount += datagram.datagramCount
        waiting.append(datagram)
        return dropped
    }

    private func hasRoom(for datagram: UnsentDatagram, _ limit: Int) -> Bool {
        byteCount + datagram.bytes.count <= limit && count < Self.mostDatagrams
    }

    /// Puts datagrams back that were taken out and not sent, in their order: they have room.
    mutating func putBack(_ datagrams: [UnsentDatagram]) {
        byteCount += datagrams.reduce(0) { $0 + $1.bytes.count }
        datagramCount += datagrams.reduce(0) { $0 + $1.datagramCount }
        waiting.replaceSubrange(..<first, with: datagrams.map(Optional.some))
        first = 0
    }

    /// Takes the one that has waited longest.
    mutating func popFirst() -> UnsentDatagram? {
        guard first < waiting.count, let datagram = waiting[first] else { return nil }
        waiting[first] = nil
        first += 1
        byteCount -= datagram.bytes.count
        datagramCount -= datagram.datagramCount
        if first == waiting.count {
            waiting.removeAll()
            first = 0
        } else if first >= 256 {
            waiting.removeFirst(first)
            first = 0
        }
        return datagram
    }
}
