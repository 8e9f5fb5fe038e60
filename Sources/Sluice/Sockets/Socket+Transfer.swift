// SPDX-License-Identifier: Apache-2.0
//
// Bytes in and bytes out of a socket, singly, gathered and with flags.
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
    /// For streams: a datagram of no bytes would be told as the end; see
    /// ``receiveMessage(into:ancillaryByteCount:flags:)-(MutableRawSpan,_,_)``. Source: recv(2).
    ///
    /// - Throws: ``SocketError`` with operation `.read`, such as `.connectionReset`.
    public func receive(
        into buffer: inout MutableRawSpan, flags: MessageFlags = []
    ) throws(SocketError) -> ReadResult {
        // recv(2) answers 0 for no room as it does for the end.
        if buffer.isEmpty { return .bytes(0) }
        return try buffer.withUnsafeMutableBytes { bytes throws(SocketError) in
            guard let start = bytes.baseAddress else { return .bytes(0) }
            return try receive(into: start, upTo: bytes.count, flags.rawValue)
        }
    }

    /// Reads what is there into an array of its own, at most `limit` bytes: empty at the end of the
    /// stream, `nil` where nothing is there yet.
    ///
    /// Memory for `limit` bytes is taken at once; it is cut to 1 GiB. Source: recv(2).
    ///
    /// - Throws: ``SocketError`` with operation `.read`: `.invalidArgument` for a negative `limit`.
    public func receive(
        upTo limit: Int, flags: MessageFlags = []
    ) throws(SocketError) -> [UInt8]? {
        if limit < 0 { throw SocketError(.read, .invalidArgument) }
        var result = ReadResult.bytes(0)
        let bytes = try [UInt8](filledUpTo: limit) { buffer throws(SocketError) in
            guard let start = buffer.baseAddress, !buffer.isEmpty else { return 0 }
            // A stream's bytes are dropped then, and nothing is written: no old memory comes out.
            if flags.contains(.truncated) {
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
            }
            result = try receive(into: start, upTo: buffer.count, flags.rawValue)
            if case .bytes(let count) = result { return min(count, buffer.count) }
            return 0
        }
        return result == .wouldBlock ? nil : bytes
    }

    /// Sends what the kernel takes at once.
    ///
    /// Source: send(2), with `MSG_NOSIGNAL`.
    ///
    /// - Throws: ``SocketError`` with operation `.write`, such as `.brokenPipe`,
    ///   `.destinationRequired` for a datagram socket without a peer.
    public func send(
        _ bytes: RawSpan, flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in
            // A datagram may be empty.
            try send(bytes.baseAddress, count: bytes.count, flags.rawValue)
        }
    }

    /// Sends what the kernel takes of an array at once, as ``send(_:flags:)-(RawSpan,_)``.
    ///
    /// - Throws: ``SocketError``, as there.
    public func send(
        _ bytes: [UInt8], flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        try send(bytes.span.bytes, flags: flags)
    }

    /// How many bytes the kernel holds for this socket to read; of datagrams, those of the first.
    ///
    /// Source: `FIONREAD`, tcp(7), udp(7).
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
        into start: UnsafeMutableRawPointer, upTo size: Int, _ flags: CInt = 0
    ) throws(SocketError) -> ReadResult {
        while true {
            let count = SystemCall.receive.made(upTo: size) { Glibc.recv(number, start, $0, flags) }
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfStream }
            let code = ErrorCode.last
            if code == .wouldBlock { return .wouldBlock }
            if code != .interrupted { throw SocketError(.read, code) }
        }
    }

    @inline(__always)
    func send(
        _ start: UnsafeRawPointer?, count size: Int, _ flags: CInt = 0
    ) throws(SocketError) -> SendResult {
        while true {
            let count = SystemCall.send.made(upTo: size) { csystem_send(number, start, $0, flags) }
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
                    return csystem_send(number, first.iov_base, min(limit, first.iov_len), 0)
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

extension [UInt8] {
    /// An array of what `fill` writes, into room for `limit` bytes, and for 1 GiB at most.
    init<Failure: Error>(
        filledUpTo limit: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        // `init(unsafeUninitializedCapacity:)` passes errors on untyped.
        var failure: Failure?
        self.init(unsafeUninitializedCapacity: Swift.min(limit, 1 << 30)) { buffer, count in
            do throws(Failure) {
                count = try fill(UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
