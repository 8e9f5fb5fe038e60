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
    /// by itself is told to ``onError(_:)``.
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
        if bytes.count > 65_535, (address ?? peerAddress)?.ipAddress != nil {
            throw SocketError(.write, .messageTooLong, at: address)
        }
        let outbox = memory.outbox
        let isTooMuch = collectedByteCount + bytes.count > options.outputLimit
        if !unsent.isEmpty || isTooMuch || bytes.count > DatagramOutbox.byteLimit {
            return try queue(bytes, address, segmentByteCount)
        }
        if let owner = outbox.owner {
            owner.sendCollected()
            // The kernel may have been full.
            if !unsent.isEmpty { return try queue(bytes, address, segmentByteCount) }
        }
        do throws(ErrorCode) {
            try outbox.append(bytes, to: address, segmentByteCount, of: self)
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
        if let address { try check(address) }
        sendCollected()
        let wasEmpty = unsent.isEmpty
        let dropped = unsent.append(
            UnsentDatagram(
                bytes: Array(bytes), address: address, segmentByteCount: segmentByteCount),
            limit: options.outputLimit, options.dropPolicy)
        counted.datagramsDropped &+= UInt64(dropped)
        if wasEmpty, !unsent.isEmpty {
            // Nothing says yet that the kernel is full: what can go goes at once.
            sendQueue()
        }
        if unsent.isEmpty { return dropped > 0 ? .dropped : .accepted }
        hasQueued = true
        return dropped > 0 ? .dropped : .queued
    }

    /// Makes sure that an address is one before it is queued.
    private func check(_ address: SocketAddress) throws(SocketError) {
        do throws(ErrorCode) {
            _ = try address.kernelForm()
        } catch {
            throw SocketError(.write, error, at: address)
        }
    }

    /// Calls `handler` each time datagrams had to wait and all of them have gone.
    public func onDrained(_ handler: ((DatagramChannel) throws -> Void)?) {
        if isOpen { drainedHandler = handler }
    }

    /// Hands what was sent in this turn to the kernel now, instead of at the end of the turn.
    public func flush() { sendCollected() }

    /// How many bytes of this turn wait for its end.
    var collectedByteCount: Int {
        memory.outbox.belongs(to: self) ? memory.outbox.byteCount : 0
    }
}

// MARK: - To the kernel

extension DatagramChannel: TurnWriter {
    func flushTurn(_ reactor: Reactor) { sendCollected() }

    func flushQueue() {
        isUnflushed = false
        sendCollected()
    }

    /// Hands over what was collected; what the kernel does not take is queued.
    func sendCollected() {
        let outbox = memory.outbox
        guard outbox.belongs(to: self), outbox.count > 0 else {
            return
        }
        if !send(outbox) { arrange() }
    }

    /// Sends what waits, as far as the kernel takes it.
    func sendQueue() {
        let outbox = memory.outbox
        if let owner = outbox.owner, owner !== self { owner.sendCollected() }
        while isOpen, !unsent.isEmpty {
            guard fill(outbox), send(outbox) else { break }
        }
        arrange()
        guard unsent.isEmpty, hasQueued else { return }
        hasQueued = false
        guard let drainedHandler, let reactor else { return }
        if reactor.attempt(for: self, { try drainedHandler(self) }) { self.drainedHandler = nil }
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
            guard next.bytes.count <= DatagramOutbox.byteLimit,
                outbox.hasRoom(for: next.bytes.count)
            else {
                unsent.putBack([next])
                return true
            }
            let isTaken = next.bytes.withUnsafeBytes { bytes in
                // Its address was looked at before it was queued.
                (try? outbox.append(
                    bytes, to: next.address, next.segmentByteCount, of: self))
                    != nil
            }
            if !isTaken { counted.datagramsDropped &+= 1 }
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
            counted.sends &+= 1
            if case .bytes(let count)? = result {
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
            failed(error)
        }
        return true
    }

    /// Whether a kernel that takes no more means one receiver alone: a Unix socket that was named and
    /// does not read.
    ///
    /// Nothing tells when it will, and the datagrams to others must not wait for it.
    private func isRefusal(_ address: SocketAddress?) -> Bool { isUnix && address != nil }

    /// Offers all that was collected to the kernel; what it has no room for goes to the front of the
    /// queue.
    ///
    /// - Returns: whether there was room for all.
    private func send(_ outbox: DatagramOutbox) -> Bool {
        var slot = 0
        var hasRetried = false
        // Told at the end: a handler may send, and that would come between these.
        var failures: [SocketError] = []
        while slot < outbox.count, let number = socket?.number {
            let taken = outbox.send(from: slot, by: number)
            if taken > 0 {
                counted.sends &+= 1
                for sent in slot..<slot + taken { countSent(outbox.size(of: sent)) }
                slot += taken
                hasRetried = false
                continue
            }
            let code = ErrorCode.last
            if code == .interrupted { continue }
            if code == .wouldBlock, !isRefusal(outbox.address(at: slot)) { break }
            if Self.isOfTheNetwork(code), !hasRetried {
                // It may be about an earlier datagram, and is told once.
                hasRetried = true
                if hasErrorQueue { failures.append(SocketError(.write, code, at: peerAddress)) }
                continue
            }
            let address = outbox.address(at: slot) ?? peerAddress
            if let error = refuse(outbox.datagram(at: slot), SocketError(.write, code, at: address))
            {
                failures.append(error)
            }
            slot += 1
            hasRetried = false
        }
        let rest = (slot..<outbox.count).map(outbox.datagram)
        outbox.clear()
        if !rest.isEmpty {
            unsent.putBack(rest)
            hasQueued = true
        }
        for error in failures { failed(error) }
        return rest.isEmpty
    }

    private func countSent(_ size: (bytes: Int, datagrams: Int)) {
        counted.datagramsSent &+= UInt64(size.datagrams)
        counted.bytesSent &+= UInt64(size.bytes)
    }

    /// The kernel does not send this one.
    ///
    /// - Returns: what is to be told of it.
    private func refuse(_ datagram: UnsentDatagram, _ error: SocketError) -> SocketError? {
        let segment = datagram.segmentByteCount
        // A device without checksums of its own can't cut: from now on it is done here.
        if segment > 0, error.code == .inputOutput || error.code == .invalidArgument {
            cutsSegments = false
            var rest = datagram.bytes[...]
            while !rest.isEmpty {
                let piece = UnsentDatagram(
                    bytes: Array(rest.prefix(segment)), address: datagram.address)
                rest = rest.dropFirst(segment)
                counted.datagramsDropped &+= UInt64(
                    unsent.append(piece, limit: .max, options.dropPolicy))
            }
            hasQueued = true
            arrange()
            return nil
        }
        counted.datagramsDropped &+= 1
        // The interface's queue is full, as may be on any hop of the way.
        if error.code != .noBufferSpace { return error }
        counted.errors &+= 1
        return nil
    }
}
