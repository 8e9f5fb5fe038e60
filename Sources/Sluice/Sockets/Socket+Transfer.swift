// SPDX-License-Identifier: Apache-2.0
//
// Bytes in and bytes out of a socket, singly and gathered.
// Having to wait is a result, not an error.

import CSystemCalls
import Glibc

/// What a read brought.
public enum ReadResult: Hashable, Sendable {
    /// This many bytes: at least 1, unless none were asked for.
    case bytes(Int)
    /// Nothing is there yet.
    case wouldBlock
    /// The peer sends no more.
    case endOfStream
}

/// What a write did.
public enum SendResult: Hashable, Sendable {
    /// The kernel took this many bytes, which may be fewer than were offered.
    case bytes(Int)
    /// The kernel's buffer is full.
    case wouldBlock
}

extension Socket {
    /// Reads what is there, up to the size of `buffer`.
    ///
    /// Source: recv(2).
    ///
    /// - Throws: ``SocketError`` with operation `.read`, such as `.connectionReset`.
    public func receive(into buffer: inout MutableRawSpan) throws(SocketError) -> ReadResult {
        // recv(2) answers 0 for no room as it does for the end.
        if buffer.isEmpty { return .bytes(0) }
        return try buffer.withUnsafeMutableBytes { bytes throws(SocketError) in
            guard let start = bytes.baseAddress else { return .bytes(0) }
            return try receive(into: start, upTo: bytes.count)
        }
    }

    /// Sends what the kernel takes at once.
    ///
    /// Source: send(2), with `MSG_NOSIGNAL`.
    ///
    /// - Throws: ``SocketError`` with operation `.write`, such as `.brokenPipe`.
    public func send(_ bytes: RawSpan) throws(SocketError) -> SendResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in
            guard let start = bytes.baseAddress else { return .bytes(0) }
            return try send(start, count: bytes.count)
        }
    }

    /// How many bytes the kernel holds for this socket to read.
    ///
    /// Source: `FIONREAD`, tcp(7).
    ///
    /// - Throws: ``SocketError`` with operation `.read`.
    public var unreadByteCount: Int {
        get throws(SocketError) {
            var count: CInt = 0
            _ = try retrying(.read) {
                SystemCall.unreadCount.made { csystem_unread(number, &count) }
            }
            return Int(count)
        }
    }

    /// Whether the peer sends no more, or is gone.
    var peerState: PeerState { PeerState(of: number) }

    @inline(__always)
    func receive(
        into start: UnsafeMutableRawPointer, upTo size: Int
    ) throws(SocketError) -> ReadResult {
        while true {
            let count = SystemCall.receive.made(upTo: size) { Glibc.recv(number, start, $0, 0) }
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfStream }
            let code = ErrorCode.last
            if code == .wouldBlock { return .wouldBlock }
            if code != .interrupted { throw SocketError(.read, code) }
        }
    }

    @inline(__always)
    func send(_ start: UnsafeRawPointer, count size: Int) throws(SocketError) -> SendResult {
        while true {
            let count = SystemCall.send.made(upTo: size) { csystem_send(number, start, $0) }
            if count >= 0 { return .bytes(count) }
            let code = ErrorCode.last
            if code == .wouldBlock { return .wouldBlock }
            if code != .interrupted { throw SocketError(.write, code) }
        }
    }

    /// Sends several pieces of memory in one call.
    func send(_ pieces: UnsafeMutableBufferPointer<iovec>) throws(SocketError) -> SendResult {
        while true {
            let count = SystemCall.sendVector.made(upTo: .max) { limit in
                if limit != .max, let first = pieces.first {
                    // Only a test makes the call smaller: then it sends a part of the first piece.
                    return csystem_send(number, first.iov_base, min(limit, first.iov_len))
                }
                return csystem_send_vector(number, pieces.baseAddress, pieces.count)
            }
            if count >= 0 { return .bytes(count) }
            let code = ErrorCode.last
            if code == .wouldBlock { return .wouldBlock }
            if code != .interrupted { throw SocketError(.write, code) }
        }
    }
}
