// SPDX-License-Identifier: Apache-2.0
//
// Bytes that the kernel has not taken yet: copied small pieces, and shared large ones.
// A channel has one only while something waits.

import CSystemCalls

/// Unsent output, in order.
final class OutputQueue {
    private struct Segment {
        var bytes: [UInt8]
        var start: Int
        var count: Int { bytes.count - start }
    }

    /// Small pieces are collected up to this size.
    private static var chunkByteCount: Int { 16_384 }
    /// How many segments one system call takes.
    private static var vectorCount: Int { 64 }

    private var segments: [Segment] = []
    private var first = 0
    private(set) var byteCount = 0
    /// Set when the queue has risen above the high mark and has not fallen to the low one since.
    var isAboveMark = false
    /// Set while the kernel has refused more and the write event is waited for.
    var isRefused = false

    var isEmpty: Bool { byteCount == 0 }

    /// Adds a copy.
    func append(copying bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty { return }
        byteCount += bytes.count
        if let last = segments.indices.last, last >= first,
            segments[last].bytes.count + bytes.count <= Self.chunkByteCount
        {
            segments[last].bytes.append(contentsOf: bytes)
            return
        }
        var copy: [UInt8] = []
        copy.reserveCapacity(max(bytes.count, bytes.count < 1_024 ? 1_024 : bytes.count))
        copy.append(contentsOf: bytes)
        segments.append(Segment(bytes: copy, start: 0))
    }

    /// Adds the array itself, from `start` on: no copy.
    func append(sharing bytes: [UInt8], from start: Int = 0) {
        if start >= bytes.count { return }
        byteCount += bytes.count - start
        segments.append(Segment(bytes: bytes, start: start))
    }

    /// Offers the first bytes to the kernel.
    func send(to socket: borrowing Socket) throws(SocketError) -> SendResult {
        let last = min(segments.count, first + Self.vectorCount)
        if last - first == 1 {
            let segment = segments[first]
            let result = try segment.bytes.span.bytes.withUnsafeBytes { bytes throws(SocketError) in
                try socket.send(UnsafeRawBufferPointer(rebasing: bytes[segment.start...]))
            }
            return dropSent(result)
        }
        let slice = segments[first..<last]
        let result = try withUnsafeTemporaryAllocation(of: iovec.self, capacity: slice.count) {
            vector throws(SocketError) in
            for (place, segment) in zip(vector.indices, slice) {
                // The pointer outlives this closure: `slice` holds the array, and nothing changes
                // it.
                segment.bytes.withUnsafeBytes { bytes in
                    vector[place] = iovec(
                        iov_base: UnsafeMutableRawPointer(
                            mutating: bytes.baseAddress.map { $0 + segment.start }),
                        iov_len: segment.count)
                }
            }
            return try socket.send(vector)
        }
        withExtendedLifetime(slice) {}
        return dropSent(result)
    }

    private func dropSent(_ result: SendResult) -> SendResult {
        guard case .bytes(var count) = result else { return result }
        byteCount -= count
        while count > 0 {
            let available = segments[first].count
            if count < available {
                segments[first].start += count
                break
            }
            count -= available
            segments[first].bytes = []
            segments[first].start = 0
            first += 1
        }
        if first == segments.count || first >= 256 {
            segments.removeFirst(first)
            first = 0
        }
        return result
    }
}

extension Socket {
    /// Offers the first bytes of a queue to the kernel; what it takes leaves the queue.
    func send(_ queue: OutputQueue) throws(SocketError) -> SendResult { try queue.send(to: self) }

    func send(_ bytes: UnsafeRawBufferPointer) throws(SocketError) -> SendResult {
        guard let start = bytes.baseAddress else { return .bytes(0) }
        return try send(start, count: bytes.count)
    }

    func send(
        _ first: UnsafeRawBufferPointer, then second: UnsafeRawBufferPointer
    ) throws(SocketError) -> SendResult {
        try withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) {
            vector throws(SocketError) in
            vector[0] = iovec(first)
            vector[1] = iovec(second)
            return try send(vector)
        }
    }
}

extension iovec {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
}
