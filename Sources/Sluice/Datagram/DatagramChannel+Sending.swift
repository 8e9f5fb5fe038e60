// SPDX-License-Identifier: Apache-2.0
//
// How datagrams go: collected for the end of the turn, handed to the kernel together, and queued
// within a limit while it takes no more.

internal import CSystemCalls
import Glibc

extension DatagramChannel {
    /// Sends a datagram at the end of the turn, with all others of the turn.
    ///
    /// Outside of a handler it waits for ``flush()`` or for the next turn. What the kernel refuses
    /// by itself, such as an address of another family or port 0, is told to ``onError(_:)``.
    ///
    /// `address`: where it goes; `nil` for the peer of a connected channel.
    ///
    /// - Throws: ``SocketError`` with operation `.write`: `.badDescriptor` once it is closed,
    ///   `.destinationRequired` without an address or a peer, `.messageTooLong` for more than
    ///   65,535 bytes over IP, or an address that can't be one.
    @discardableResult
    public func send(
        _ bytes: RawSpan, to address: SocketAddress? = nil
    ) throws(SocketError) -> DatagramSendResult {
        try bytes.withUnsafeBytes { bytes throws(SocketError) in
            try collect(bytes, address, 0)
        }
    }

    /// Sends an array as a datagram, as ``send(_:to:)-(RawSpan,_)``.
    ///
    /// - Throws: ``SocketError``, as there.
    @discardableResult
    public func send(
        _ bytes: [UInt8], to address: SocketAddress? = nil
    ) throws(SocketError) -> DatagramSendResult {
        try send(bytes.span.bytes, to: address)
    }

    /// Sends bytes as many datagrams of one length, the last one shorter; the kernel cuts them up
    /// where it can, for fewer calls.
    ///
    /// Source: `UDP_SEGMENT`, udp(7).
    ///
    /// `byteCount`: how many bytes each datagram has; 1 to 65,535.
    ///
    /// - Returns: the worst that became of any of them.
    /// - Throws: ``SocketError`` with operation `.write`, as ``send(_:to:)-(RawSpan,_)``;
    ///   `.invalidArgument` for a length that none may have.
    @discardableResult
    public func send(
        _ bytes: RawSpan, to address: SocketAddress? = nil, segmentedEvery byteCount: Int
    ) throws(SocketError) -> DatagramSendResult {
        guard (1...65_535).contains(byteCount) else {
            throw SocketError(.write, .invalidArgument, at: address)
        }
        return try bytes.withUnsafeBytes { bytes throws(SocketError) in
            try send(bytes, address, segmentedEvery: byteCount)
        }
    }

    private func send(
        _ bytes: UnsafeRawBufferPointer, _ address: SocketAddress?, segmentedEvery byteCount: Int
    ) throws(SocketError) -> DatagramSendResult {
        // So many the kernel cuts at once, and no packet of IP is longer.
        let most = cutsSegments ? max(1, min(64, 65_000 / byteCount)) : 1
        var worst = DatagramSendResult.accepted
        var rest = bytes
        repeat {
            let count = min(rest.count, most * byteCount)
            let result = try collect(
                UnsafeRawBufferPointer(rebasing: rest[..<count]), address,
                count > byteCount ? byteCount : 0)
            if result != .accepted, worst != .dropped { worst = result }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        } while !rest.isEmpty
        return worst
    }

    /// Takes a datagram for the end of the turn.
    @inline(__always)
    private func collect(
        _ bytes: UnsafeRawBufferPointer, _ address: SocketAddress?, _ segmentByteCount: Int
    ) throws(SocketError) -> DatagramSendResult {
        let outbox = memory.outbox
        // A channel that collects is open, and nothing of it waits elsewhere.
        guard outbox.belongs(to: self), unsent.isEmpty, outbox.hasRoom(for: bytes.count),
            outbox.byteCount + bytes.count <= options.outputLimit, address != nil || hasPeer
        else { return try collectFirst(bytes, address, segmentByteCount) }
        do throws(ErrorCode) {
            try outbox.append(bytes, to: address, segmentByteCount, of: self)
        } catch {
            throw SocketError(.write, error, at: address)
        }
        return .accepted
    }

    /// Takes a datagram where this channel does not collect yet, or has no room to.
    @inline(never)
    private func collectFirst(
        _ bytes: UnsafeRawBufferPointer, _ address: SocketAddress?, _ segmentByteCount: Int
    ) throws(SocketError) -> DatagramSendResult {
        guard socket != nil, let reactor else {
            throw SocketError(.write, .badDescriptor, at: address)
        }
        if address == nil, !hasPeer { throw SocketError(.write, .destinationRequired) }
        if bytes.count > 65_535, !isUnix {
            throw SocketError(.write, .messageTooLong, at: address)
        }
        // The kernel may have been full, or be full when it is offered what was collected.
        memory.outbox.owner?.sendCollected()
        if !unsent.isEmpty || bytes.count > DatagramOutbox.byteLimit {
            return try queue(bytes, address, segmentByteCount)
        }
        do throws(ErrorCode) {
            try memory.outbox.append(bytes, to: address, segmentByteCount, of: self)
        } catch {
            throw SocketError(.write, error, at: address)
        }
        if !isUnflushed {
            isUnflushed = true
            reactor.unflushed.append(self)
        }
        return .accepted
    }

    private func queue(
        _ bytes: UnsafeRawBufferPointer, _ address: SocketAddress?, _ segmentByteCount: Int
    ) throws(SocketError) -> DatagramSendResult {
        do throws(ErrorCode) {
            // An address that can't be one is told at once.
            _ = try address?.kernelForm()
        } catch {
            throw SocketError(.write, error, at: address)
        }
        let datagram = UnsentDatagram(
            bytes: Array(bytes), address: address, segmentByteCount: segmentByteCount)
        if unsent.isEmpty {
            // A long one: nothing says that the kernel has no room for it.
            unsent.putBack([datagram])
            sendQueue()
            if unsent.isEmpty { return .accepted }
            hasQueued = true
            return .queued
        }
        let dropped = unsent.append(datagram, limit: options.outputLimit, options.dropPolicy)
        counted.datagramsDropped &+= UInt64(dropped)
        return dropped > 0 ? .dropped : .queued
    }

    /// Calls `handler` each time datagrams had to wait and all of them have gone.
    ///
    /// What it throws goes to ``Reactor/onError``.
    public func onDrained(_ handler: ((DatagramChannel) throws -> Void)?) {
        guard isOpen else { return }
        let old = drainedHandler
        drainedHandler = handler
        // Its end may end what it held, and that come back here.
        withExtendedLifetime(old) {}
    }

    /// Hands what was sent in this turn to the kernel now, instead of at the end of the turn.
    public func flush() { sendCollected() }

    /// How many bytes of this turn wait for its end.
    var collectedByteCount: Int {
        memory.outbox.belongs(to: self) ? memory.outbox.byteCount : 0
    }
}

// MARK: - To the kernel

// No handler is called from here: what is to be told is told in a turn of the channel's own, so that
// nobody sends in the middle of sending.

extension DatagramChannel: TurnWriter {
    func flushTurn(_ reactor: Reactor) { sendCollected() }

    func flushQueue() {
        isUnflushed = false
        sendCollected()
    }

    /// Hands over what was collected; what the kernel does not take is queued.
    func sendCollected() {
        let outbox = memory.outbox
        guard outbox.belongs(to: self), outbox.count > 0 else { return }
        let isFull = send(outbox)
        if unsent.isEmpty { return }
        hasQueued = true
        if isFull { arrange() } else { sendQueue() }
    }

    /// Sends what waits, as far as the kernel takes it.
    func sendQueue() {
        let outbox = memory.outbox
        if let owner = outbox.owner, owner !== self { owner.sendCollected() }
        var isFull = false
        while isOpen, !unsent.isEmpty, !isFull {
            isFull = !fill(outbox)
            if outbox.count > 0 { isFull = send(outbox) || isFull }
        }
        // The kernel reports the queue of errors as room to write as well, over and over.
        if isFull, hasErrorQueue { takeErrors() }
        arrange()
        if unsent.isEmpty, hasQueued {
            hasQueued = false
            isDrainDue = drainedHandler != nil
            if isDrainDue { note([]) }
        }
    }

    /// Collects what has waited longest.
    ///
    /// - Returns: false where the kernel has no room for one that is sent by itself.
    private func fill(_ outbox: DatagramOutbox) -> Bool {
        while let next = unsent.popFirst() {
            if next.bytes.count > DatagramOutbox.byteLimit, outbox.count == 0 {
                if !sendAlone(next) { return false }
                continue
            }
            guard outbox.hasRoom(for: next.bytes.count) else {
                unsent.putBack([next])
                return true
            }
            let isTaken = next.bytes.withUnsafeBytes { bytes in
                // Its address was looked at before it was queued.
                (try? outbox.append(bytes, to: next.address, next.segmentByteCount, of: self))
                    != nil
            }
            if !isTaken { counted.datagramsDropped &+= UInt64(next.datagramCount) }
        }
        return true
    }

    /// Sends one that is too long for the shared memory: a Unix datagram.
    ///
    /// - Returns: false where the kernel has no room; it is back in the queue then.
    private func sendAlone(_ datagram: UnsentDatagram) -> Bool {
        do throws(SocketError) {
            let result = try socket?.send(
                message: datagram.bytes.span.bytes, to: datagram.address, with: [])
            if case .bytes(let count)? = result {
                counted.sends &+= 1
                countSent((count, 1))
                return true
            }
            if isRefusal(datagram.address) {
                throw SocketError(.write, .wouldBlock, at: datagram.address)
            }
            unsent.putBack([datagram])
            return false
        } catch {
            counted.datagramsDropped &+= 1
            tell(
                DatagramError(SocketError(.write, error.code, at: datagram.address ?? peerAddress)))
        }
        return true
    }

    /// Whether a kernel that takes no more means one receiver alone: a Unix socket that was named and
    /// does not read.
    ///
    /// Nothing tells when it will, and the datagrams to others must not wait for it.
    private func isRefusal(_ address: SocketAddress?) -> Bool { isUnix && address != nil }

    /// Offers all that was collected to the kernel; what it does not take goes to the front of the
    /// queue.
    ///
    /// - Returns: whether the kernel is full.
    private func send(_ outbox: DatagramOutbox) -> Bool {
        var slot = 0
        var refusals: [SocketError] = []
        // Of the network, about a datagram that went before: the call was made again.
        var retried: ErrorCode?
        var hasRetried = false
        var isFull = false
        sending: while slot < outbox.count, let number = socket?.number {
            let taken = outbox.send(from: slot, by: number)
            if taken > 0 {
                counted.sends &+= 1
                for sent in slot..<slot + taken { countSent(outbox.size(of: sent)) }
                slot += taken
                hasRetried = false
                continue
            }
            let code = ErrorCode.last
            let address = outbox.address(at: slot)
            if code == .interrupted { continue }
            if code == .wouldBlock, !isRefusal(address) {
                isFull = true
                break
            }
            if Self.isOfTheNetwork(code), !hasRetried {
                hasRetried = true
                retried = code
                continue
            }
            if hasRetried { retried = nil }
            hasRetried = false
            if mustCut(code, outbox, slot) { break sending }
            counted.datagramsDropped &+= UInt64(outbox.size(of: slot).datagrams)
            // The interface's queue is full, as may be on any hop of the way.
            if code == .noBufferSpace {
                counted.errors &+= 1
            } else {
                refusals.append(SocketError(.write, code, at: address ?? peerAddress))
            }
            slot += 1
        }
        putBack(outbox, from: slot, isCut: !isFull)
        if retried != nil || !refusals.isEmpty { tell(refusals, retried: retried) }
        return isFull
    }

    private func countSent(_ size: (bytes: Int, datagrams: Int)) {
        counted.datagramsSent &+= UInt64(size.datagrams)
        counted.bytesSent &+= UInt64(size.bytes)
    }

    /// Whether a datagram has to be cut up here, since the kernel does not.
    private func mustCut(_ code: ErrorCode, _ outbox: DatagramOutbox, _ slot: Int) -> Bool {
        guard outbox.isCut(slot) else { return false }
        // A device without checksums of its own can't; segments beyond the path's size can't be.
        if code == .messageTooLong || code == .invalidArgument { return true }
        guard code == .inputOutput else { return false }
        cutsSegments = false
        return true
    }

    /// Puts what was not sent in front of the queue, the first one cut up if it must be.
    private func putBack(_ outbox: DatagramOutbox, from slot: Int, isCut: Bool) {
        var rest = (slot..<outbox.count).map(outbox.datagram)
        outbox.clear()
        if isCut, let first = rest.first, first.segmentByteCount > 0 {
            rest.replaceSubrange(..<1, with: first.pieces)
        }
        if !isOpen {
            counted.datagramsDropped &+= rest.reduce(0) { $0 &+ UInt64($1.datagramCount) }
        } else if !rest.isEmpty {
            unsent.putBack(rest)
        }
    }

    /// Tells what became of datagrams, with what the kernel keeps of it.
    private func tell(_ refusals: [SocketError], retried: ErrorCode?) {
        let kept = hasErrorQueue ? keptErrors() : []
        // What this machine says of a datagram stands for the error of its call.
        let local = kept.filter { $0.origin == .local }
        for error in refusals {
            tell(DatagramError(error, like: local.first { $0.error.code == error.code }))
        }
        for error in kept where error.origin != .local || refusals.isEmpty { tell(error) }
        if let retried, kept.isEmpty {
            tell(DatagramError(SocketError(.write, retried, at: peerAddress)))
        }
    }
}
