// SPDX-License-Identifier: Apache-2.0
//
// Open descriptors that go over a Unix channel, beside its bytes and in order with them.

/// Descriptors that are on their way, in or out.
final class PassedDescriptors {
    var list: DescriptorList
    /// How many may wait to be taken.
    let limit: Int

    init(_ list: consuming DescriptorList, limit: Int = .max) {
        self.list = list
        self.limit = limit
    }
}

extension Channel {
    /// Passes descriptors to the process at the other end, with the first of the bytes.
    ///
    /// They are closed here once the kernel has them. All that was written before goes out first.
    /// The kernel limits how many are under way for a user, to as many as a process may have open;
    /// where that is met the channel fails with `.tooManyReferences`. Source: unix(7), `SCM_RIGHTS`.
    ///
    /// - Returns: as ``write(_:)-(RawSpan)``.
    /// - Throws: ``SocketError`` with operation `.write`: `.invalidArgument` without a byte or for
    ///   more than 253 descriptors, `.notSupported` where this is no Unix channel, `.noBufferSpace`
    ///   where 1,024 descriptors wait already, else as ``write(_:)-(RawSpan)``. The descriptors are
    ///   closed then.
    @discardableResult
    public func write(
        _ bytes: [UInt8], passing descriptors: consuming DescriptorList
    ) throws(SocketError) -> WriteResult {
        guard !bytes.isEmpty, descriptors.count <= 253 else {
            throw SocketError(.write, .invalidArgument, at: peerAddress)
        }
        // One that connects to a name has no peer yet, and no Unix socket has such a name.
        guard peerAddress.family == .unix, rare?.foundPeer == nil else {
            throw SocketError(.write, .notSupported, at: peerAddress)
        }
        if descriptors.isEmpty { return try write(bytes) }
        return try queue(bytes, passing: PassedDescriptors(descriptors))
    }

    /// Takes bytes that descriptors go with, to go out behind what was written before.
    private func queue(
        _ bytes: [UInt8], passing descriptors: PassedDescriptors
    ) throws(SocketError) -> WriteResult {
        if isCopySink { throw SocketError(.write, .busy, at: peerAddress) }
        try checkWriting(bytes.count)
        flushOwnTurn()
        let queue = output ?? makeOutput()
        if queue.descriptorCount + descriptors.list.count > OutputQueue.descriptorLimit {
            throw SocketError(.write, .noBufferSpace, at: peerAddress)
        }
        output = queue
        queue.append(bytes, passing: descriptors)
        counted.writes &+= 1
        try sendDue()
        return markResult
    }

    /// Takes descriptors that the peer passes from now on, each before or with the bytes that it
    /// came with; until then they are closed as they come.
    ///
    /// A peer that passes more than are taken ends the channel with ``EndReason/Limit/descriptors``; a
    /// process that has no descriptor left for them, with `.tooManyOpenFiles`.
    ///
    /// - Parameter limit: how many may wait to be taken; 0 takes none.
    public func receiveDescriptors(upTo limit: Int) {
        guard state.phase == .open || state.phase == .connecting else { return }
        let old = parts.passed
        let made = PassedDescriptors(DescriptorList(), limit: min(max(0, limit), 65_536))
        while let descriptor = old?.list.popFirst() { made.list.append(descriptor) }
        parts.passed = limit > 0 ? made : nil
    }

    /// Takes the descriptor that has waited longest; `nil` where none waits.
    public func takeDescriptor() -> Descriptor? { rare?.passed?.list.popFirst() }

    /// How many descriptors wait to be taken.
    public var receivedDescriptorCount: Int { rare?.passed?.list.count ?? 0 }

    /// One read of what is left on a connection that has failed; `nil` without a socket.
    func receiveRest(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SocketError) -> ReadResult? {
        if let passed = rare?.passed {
            return try receive(into: buffer, upTo: buffer.count, passed)
        }
        guard let start = buffer.baseAddress else { return nil }
        return try socket?.receive(into: start, upTo: buffer.count)
    }

    /// One recvmsg(2), in place of the recv(2) of channels that take no descriptors.
    @inline(never)
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, upTo size: Int, _ passed: PassedDescriptors
    ) throws(SocketError) -> ReadResult {
        var room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]).mutableBytes
        // No message passes more than 253 descriptors, in 1,032 bytes; the rest is for what a program
        // has asked for besides.
        guard
            var message = try socket?.receiveMessage(into: &room, ancillaryByteCount: 1_280)
        else { return .wouldBlock }
        if message.flags.contains(.controlTruncated) {
            // The process has no descriptor left for what was passed, and that is lost.
            throw SocketError(.read, .tooManyOpenFiles, at: peerAddress)
        }
        while let descriptor = message.descriptors.popFirst() { passed.list.append(descriptor) }
        if passed.list.count > passed.limit {
            // What came with them is lost as well: the peer does not keep to the limit.
            close(because: .limit(.descriptors))
            return .endOfStream
        }
        return message.byteCount == 0 ? .endOfStream : .bytes(message.byteCount)
    }
}
