// SPDX-License-Identifier: Apache-2.0
//
// Messages with all that belongs to one: sender, destination, flags, ancillary data, descriptors
// that are passed on, bytes in several pieces.

import CSystemCalls
import Glibc

/// What came with a message: everything but its bytes.
public struct ReceivedMessage: ~Copyable, Sendable {
    /// How many bytes came; with ``MessageFlags/truncated`` asked for, how many were sent.
    ///
    /// 0 for an empty datagram, and at the end of a stream.
    public let byteCount: Int
    /// Who sent it; `nil` where the kernel does not say, as on a stream.
    public let sender: SocketAddress?
    /// What the kernel says: ``MessageFlags/truncated``, ``MessageFlags/controlTruncated``,
    /// ``MessageFlags/endOfRecord``, ``MessageFlags/errorQueue``, ``MessageFlags/outOfBand``.
    public let flags: MessageFlags
    /// The ancillary data, but for descriptors.
    public let items: [AncillaryItem]
    /// The descriptors that were passed, closed on exec; those left here are closed with the value.
    public var descriptors: DescriptorList

    /// Whether the datagram was longer than the room for it.
    public var isTruncated: Bool { flags.contains(.truncated) }
}

extension Socket {
    /// Room for ancillary data is at most this many bytes.
    static var mostAncillaryBytes: Int { 65_536 }

    /// Receives one message into `buffer`, or gives `nil` where none is there yet.
    ///
    /// Source: recvmsg(2).
    ///
    /// `ancillaryByteCount`: how much room there is for ancillary data, as
    /// ``AncillaryItem/space(forData:)`` counts; at most 65,536 bytes. What finds no room is
    /// dropped, and ``MessageFlags/controlTruncated`` tells of it.
    ///
    /// - Throws: ``SocketError`` with operation `.read`: `.connectionRefused` where a datagram that
    ///   was sent found nobody, `.invalidArgument` for a negative room.
    public func receiveMessage(
        into buffer: inout MutableRawSpan, ancillaryByteCount: Int = 0, flags: MessageFlags = []
    ) throws(SocketError) -> ReceivedMessage? {
        try buffer.withUnsafeMutableBytes { bytes throws(SocketError) in
            var piece = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
            return try receiveMessage(&piece, 1, ancillaryByteCount, flags)
        }
    }

    /// Receives one message into several arrays, each filled before the next one is begun.
    ///
    /// The arrays keep their lengths. Source: recvmsg(2).
    ///
    /// - Throws: ``SocketError``, as ``receiveMessage(into:ancillaryByteCount:flags:)``;
    ///   `.messageTooLong` for more than 1,024 arrays.
    public func receiveMessage(
        into buffers: inout [[UInt8]], ancillaryByteCount: Int = 0, flags: MessageFlags = []
    ) throws(SocketError) -> ReceivedMessage? {
        // Received into one piece of memory and shared out from there: the arrays' own storage can't
        // be held open side by side.
        var whole = [UInt8](repeating: 0, count: buffers.reduce(0) { $0 + $1.count })
        if buffers.count > 1_024 { throw SocketError(.read, .messageTooLong) }
        var span = whole.mutableSpan
        var bytes = span.mutableBytes
        guard
            let message = try receiveMessage(
                into: &bytes, ancillaryByteCount: ancillaryByteCount, flags: flags)
        else { return nil }
        var rest = whole[..<min(message.byteCount, whole.count)]
        for place in buffers.indices {
            let part = rest.prefix(buffers[place].count)
            buffers[place].replaceSubrange(..<part.count, with: part)
            rest = rest.dropFirst(part.count)
        }
        return message
    }

    /// Receives one datagram into an array of its own, with its sender, or gives `nil` where none is
    /// there yet.
    ///
    /// Source: recvfrom(2).
    ///
    /// - Parameter limit: what is longer is cut; 65,535 bytes hold every datagram of IP.
    /// - Throws: ``SocketError`` with operation `.read`: `.invalidArgument` for a negative `limit`;
    ///   `.connectionRefused` where a connected socket's datagram found nobody. One without a peer
    ///   hears of that with ``SocketOption/ipv4ReceivesErrors`` or its like alone.
    public func receiveDatagram(
        upTo limit: Int = 65_535
    ) throws(SocketError) -> (bytes: [UInt8], sender: SocketAddress?)? {
        if limit < 0 { throw SocketError(.read, .invalidArgument) }
        var result: (count: Int, sender: SocketAddress?)?
        let bytes = try [UInt8](filledUpTo: limit) { buffer throws(SocketError) in
            var piece = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
            guard let message = try receiveMessage(&piece, 1, 0, .dontWait) else { return 0 }
            result = (min(message.byteCount, buffer.count), message.sender)
            return min(message.byteCount, buffer.count)
        }
        return result.map { (bytes, $0.sender) }
    }

    private func receiveMessage(
        _ pieces: UnsafeMutablePointer<iovec>, _ pieceCount: Int, _ room: Int, _ flags: MessageFlags
    ) throws(SocketError) -> ReceivedMessage? {
        if room < 0 { throw SocketError(.read, .invalidArgument) }
        let room = min(room, Self.mostAncillaryBytes)
        var flags = flags.rawValue
        // Without room no descriptor comes, and sockets of other families may refuse the flag.
        if room > 0, try family == .unix { flags |= csystem_close_passed_on_exec }
        var name = sockaddr_storage()
        return try withUnsafeTemporaryAllocation(byteCount: max(room, 1), alignment: 16) {
            control throws(SocketError) in
            var header = msghdr()
            let count = withUnsafeMutablePointer(to: &name) { name in
                header.msg_name = UnsafeMutableRawPointer(name)
                header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
                header.msg_iov = pieces
                header.msg_iovlen = numericCast(pieceCount)
                header.msg_control = room == 0 ? nil : control.baseAddress
                header.msg_controllen = numericCast(room)
                return receive(&header, flags)
            }
            guard count >= 0 else {
                let code = ErrorCode.last
                if code == .wouldBlock { return nil }
                throw SocketError(.read, code)
            }
            let filled = min(Int(clamping: header.msg_controllen), room)
            let content = AncillaryItem.read(UnsafeRawBufferPointer(rebasing: control[..<filled]))
            return ReceivedMessage(
                byteCount: count,
                sender: header.msg_namelen == 0
                    ? nil : SocketAddress(name, length: header.msg_namelen),
                flags: MessageFlags(rawValue: header.msg_flags & Self.toldFlags),
                items: content.items, descriptors: DescriptorList(adopting: content.descriptors))
        }
    }

    private static var toldFlags: CInt {
        MessageFlags([.truncated, .controlTruncated, .endOfRecord, .errorQueue, .outOfBand])
            .rawValue
    }

    private func receive(_ header: inout msghdr, _ flags: CInt) -> Int {
        while true {
            let count = SystemCall.receiveMessage.made { recvmsg(number, &header, flags) }
            // `errno` is read again by who is told of the failure.
            if count >= 0 || errno != EINTR { return count }
        }
    }
}

// MARK: - Sending

extension Socket {
    /// Sends a datagram to an address.
    ///
    /// Source: sendto(2).
    ///
    /// - Throws: ``SocketError`` with operation `.write`, such as `.messageTooLong`,
    ///   `.permissionDenied` for a broadcast without ``SocketOption/broadcast``, `.isConnected`, or
    ///   `.networkUnreachable`; the error names the address.
    public func send(
        _ bytes: RawSpan, to address: SocketAddress, flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        try send(message: bytes, to: address, with: [], flags: flags)
    }

    /// Sends an array as a datagram, as ``send(_:to:flags:)-(RawSpan,_,_)``.
    ///
    /// - Throws: ``SocketError``, as there.
    public func send(
        _ bytes: [UInt8], to address: SocketAddress, flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        try send(bytes.span.bytes, to: address, flags: flags)
    }

    /// Sends a message with ancillary data.
    ///
    /// Source: sendmsg(2).
    ///
    /// `address`: where it goes; `nil` for the peer of a connected socket.
    ///
    /// - Throws: ``SocketError`` with operation `.write`, as ``send(_:to:flags:)-(RawSpan,_,_)``;
    ///   `.invalidArgument` or `.noBufferSpace` for ancillary data that the kernel does not take.
    public func send(
        message bytes: RawSpan, to address: SocketAddress? = nil, with items: [AncillaryItem],
        flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in
            var piece = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count
            )
            return try send(&piece, 1, address, items, flags)
        }
    }

    /// Sends several arrays as one message, one behind the other.
    ///
    /// Source: sendmsg(2).
    ///
    /// - Throws: ``SocketError``, as ``send(message:to:with:flags:)``; `.messageTooLong` for more
    ///   than 1,024 arrays.
    public func send(
        gathering buffers: [[UInt8]], to address: SocketAddress? = nil,
        with items: [AncillaryItem] = [], flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        if buffers.count > 1_024 { throw SocketError(.write, .messageTooLong, at: address) }
        return try withUnsafeTemporaryAllocation(of: iovec.self, capacity: max(1, buffers.count)) {
            pieces throws(SocketError) in
            for (place, buffer) in zip(pieces.indices, buffers) {
                // The pointer outlives this closure: `buffers` holds the array, and nothing changes
                // it.
                buffer.withUnsafeBytes { bytes in
                    pieces[place] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                        iov_len: bytes.count)
                }
            }
            defer { withExtendedLifetime(buffers) {} }
            guard let first = pieces.baseAddress else { return .bytes(0) }
            return try send(first, buffers.count, address, items, flags)
        }
    }

    /// Passes descriptors to the process at the other end of a Unix socket, with at least one byte
    /// where it is a stream.
    ///
    /// The peer gets duplicates; these stay as they are. Source: unix(7), `SCM_RIGHTS`.
    ///
    /// - Throws: ``SocketError`` with operation `.write`: `.invalidArgument` for more than 253
    ///   descriptors or a socket that is no Unix socket, `.tooManyReferences` where too many are
    ///   under way.
    public func send(
        _ bytes: RawSpan, passing descriptors: borrowing DescriptorList,
        to address: SocketAddress? = nil, flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        if descriptors.isEmpty {
            return try send(message: bytes, to: address, with: [], flags: flags)
        }
        return try send(bytes, passing: descriptors.numbers, address, flags)
    }

    /// Passes one descriptor, as ``send(_:passing:to:flags:)-(_,DescriptorList,_,_)``.
    ///
    /// - Throws: ``SocketError``, as there.
    public func send(
        _ bytes: RawSpan, passing descriptor: borrowing Descriptor,
        to address: SocketAddress? = nil, flags: MessageFlags = []
    ) throws(SocketError) -> SendResult {
        try send(bytes, passing: [descriptor.number], address, flags)
    }

    private func send(
        _ bytes: RawSpan, passing numbers: ArraySlice<CInt>, _ address: SocketAddress?,
        _ flags: MessageFlags
    ) throws(SocketError) -> SendResult {
        // Any other socket would send the bytes and lose the descriptors without a word.
        if try family != .unix { throw SocketError(.write, .invalidArgument, at: address) }
        if bytes.isEmpty, try kind == .stream {
            throw SocketError(.write, .invalidArgument, at: address)
        }
        return try send(message: bytes, to: address, with: [.passing(numbers)], flags: flags)
    }

    private func send(
        _ pieces: UnsafeMutablePointer<iovec>, _ pieceCount: Int, _ address: SocketAddress?,
        _ items: [AncillaryItem], _ flags: MessageFlags
    ) throws(SocketError) -> SendResult {
        var header = msghdr()
        header.msg_iov = pieces
        header.msg_iovlen = numericCast(pieceCount)
        var form =
            address == nil
            ? nil
            : try address.map { address throws(SocketError) in
                try kernelForm(of: address, for: .write)
            }
        var control = AncillaryItem.write(items)
        let code = withUnsafeMutablePointer(to: &form) { form -> (count: Int, code: ErrorCode) in
            control.withUnsafeMutableBytes { control in
                header.msg_control = control.isEmpty ? nil : control.baseAddress
                header.msg_controllen = numericCast(control.count)
                return form.pointee.map { form in
                    form.withPointer { name, length in
                        header.msg_name = UnsafeMutableRawPointer(mutating: name)
                        header.msg_namelen = length
                        return send(header, flags)
                    }
                } ?? send(header, flags)
            }
        }
        if code.count >= 0 { return .bytes(code.count) }
        if code.code == .wouldBlock { return .wouldBlock }
        throw SocketError(.write, code.code, at: address)
    }

    private func send(_ header: msghdr, _ flags: MessageFlags) -> (count: Int, code: ErrorCode) {
        var header = header
        while true {
            let count = SystemCall.sendMessage.made {
                csystem_send_message(number, &header, flags.rawValue)
            }
            if count >= 0 { return (count, .success) }
            let code = ErrorCode.last
            if code != .interrupted { return (count, code) }
        }
    }
}
