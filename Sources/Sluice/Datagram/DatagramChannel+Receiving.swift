// SPDX-License-Identifier: Apache-2.0
//
// How datagrams come: in batches into the reactor's memory, one by one to the handler; and how what
// became of those that were sent is heard.

internal import CSystemCalls
import Glibc

extension DatagramChannel {
    /// Calls `handler` with each datagram that comes, in the reactor's own memory: the bytes are
    /// valid until it returns.
    ///
    /// A datagram may be empty; as text it is
    /// `bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }`. What a handler throws goes to ``Reactor/onError``, and the next
    /// datagram comes all the same. `nil` takes the handler away: then nothing is received, and the
    /// kernel keeps what comes, up to ``DatagramOptions/receiveBufferByteCount``.
    public func onDatagram(_ handler: ((DatagramChannel, RawSpan, DatagramInfo) throws -> Void)?) {
        guard isOpen else { return }
        let old = datagramHandler
        datagramHandler = handler
        if handler != nil, !held.isEmpty { note(.readable) }
        arrange()
        // Its end may end what it held, and that come back here.
        withExtendedLifetime(old) {}
    }

    /// Calls `handler` with each error: of a call, or what the network has answered to a datagram.
    ///
    /// Called in a turn of the channel's own, so it may send, close and all else. None of the errors
    /// ends the channel. Without a handler they are only counted, as is each datagram that found the
    /// queue of an interface full.
    public func onError(_ handler: ((DatagramChannel, DatagramError) -> Void)?) {
        guard isOpen else { return }
        let old = errorHandler
        errorHandler = handler
        if handler == nil { untold = [] }
        arrange()
        // Its end may end what it held, and that come back here.
        withExtendedLifetime(old) {}
    }

    /// Calls `handler` once, as the last event of the channel, when it is closed.
    ///
    /// Not when the reactor itself comes to its end.
    public func onClose(_ handler: ((DatagramChannel) -> Void)?) {
        guard isOpen else { return }
        let old = closedHandler
        closedHandler = handler
        withExtendedLifetime(old) {}
    }

    /// Receives nothing until ``resumeReceiving()``; the kernel keeps what comes, within its limit.
    public func pauseReceiving() {
        isPaused = true
        arrange()
    }

    /// Receives again after ``pauseReceiving()``.
    public func resumeReceiving() {
        isPaused = false
        if !held.isEmpty { note(.readable) }
        arrange()
    }

    var isReceiving: Bool { isOpen && datagramHandler != nil && !isPaused }

    /// Takes what is there, up to the limit of a turn.
    func receive(_ reactor: Reactor) {
        deliverHeld(reactor)
        var budget = max(1, options.datagramsPerTurn)
        var failures = 0
        var hasCome = false
        while budget > 0, isReceiving, let number = socket?.number {
            let (count, code) = memory.withInbox { inbox -> (Int, ErrorCode) in
                let count = inbox.receive(
                    from: number, upTo: budget, controlRoom: controlRoom, isUnix: isUnix)
                if count < 0 { return (count, .last) }
                counted.receives &+= 1
                beginBatch(count, of: inbox, reactor)
                return (count, .success)
            }
            if count >= 0 {
                budget -= count
                hasCome = true
                if count < DatagramInbox.slotCount { return }
                continue
            }
            failures += 1
            if code == .wouldBlock {
                // Woken for nothing: what woke the channel is something else.
                if !hasCome { findReason() }
                return
            }
            if code != .interrupted { receivingFailed(code) }
            // A kernel that only fails is asked again in the next turn.
            if failures > 16 { return }
        }
    }

    /// Delivers a batch.
    ///
    /// Where a handler runs the reactor inside, that goes on with the batch.
    private func beginBatch(_ count: Int, of inbox: DatagramInbox, _ reactor: Reactor) {
        nextSlot = 0
        slotCount = count
        batch = inbox
        // A turn for an inner run; where there is none it finds nothing to do.
        if count > 1 { note([]) }
        deliverBatch(reactor)
    }

    /// Delivers what is left of the batch.
    func deliverBatch(_ reactor: Reactor) {
        guard let inbox = batch else { return }
        let isPlain = controlRoom == 0 && !hasBothFamilies
        while nextSlot < slotCount {
            let slot = nextSlot
            nextSlot &+= 1
            if !isPlain {
                deliver(slot, of: inbox, reactor)
                continue
            }
            let info = DatagramInfo(
                sender: inbox.sender(of: slot), isTruncated: inbox.isTruncated(slot), items: [])
            deliver(inbox.content(of: slot), info, reactor)
        }
        batch = nil
    }

    /// Delivers what is in a slot, with its ancillary data: one datagram, or several that the kernel
    /// has joined.
    private func deliver(_ slot: Int, of inbox: DatagramInbox, _ reactor: Reactor) {
        let bytes = inbox.content(of: slot)
        let content = inbox.control(of: slot)
        // Nobody has asked for descriptors: they are closed here.
        _ = DescriptorList(adopting: content.descriptors)
        var items = content.items
        let segment = Self.takeSegment(from: &items)
        let info = DatagramInfo(
            sender: sender(inbox.sender(of: slot)), isTruncated: inbox.isTruncated(slot),
            items: items, isAncillaryTruncated: inbox.isControlTruncated(slot))
        if segment == 0 || segment >= bytes.count { return deliver(bytes, info, reactor) }
        for start in stride(from: 0, to: bytes.count, by: segment) {
            let end = min(start + segment, bytes.count)
            deliver(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), info, reactor)
        }
    }

    /// A socket for both families tells IPv4 senders as mapped ones: here they are IPv4.
    private func sender(_ address: SocketAddress) -> SocketAddress {
        hasBothFamilies ? address.unmapped : address
    }

    /// Into how long datagrams the kernel has joined several; 0 where it has not.
    private static func takeSegment(from items: inout [AncillaryItem]) -> Int {
        guard let place = items.firstIndex(where: { $0.joinedByteCount != nil }) else { return 0 }
        return items.remove(at: place).joinedByteCount ?? 0
    }

    @inline(__always)
    private func deliver(
        _ bytes: UnsafeRawBufferPointer, _ info: DatagramInfo, _ reactor: Reactor
    ) {
        guard isOpen else { return }
        counted.datagramsReceived &+= 1
        counted.bytesReceived &+= UInt64(bytes.count)
        guard isReceiving, let datagramHandler else {
            // The handler has paused in the middle of a batch.
            return held.append(HeldDatagram(bytes: Array(bytes), info: info))
        }
        do {
            try datagramHandler(self, bytes.bytes, info)
        } catch {
            reactor.report(error, for: self)
        }
    }

    private func deliverHeld(_ reactor: Reactor) {
        while isReceiving, let datagram = held.popFirst() {
            do {
                try datagramHandler?(self, datagram.bytes.span.bytes, datagram.info)
            } catch {
                reactor.report(error, for: self)
            }
        }
    }
}

// MARK: - Errors

extension DatagramChannel {
    /// So many errors wait to be told; more are counted only.
    private static let mostUntold = 256
    /// So many entries of the queue of errors are taken at once.
    private static let mostKept = 64

    /// Has an error told in a turn of the channel's own.
    func tell(_ error: DatagramError) {
        counted.errors &+= 1
        guard isOpen, errorHandler != nil, untold.count < Self.mostUntold else { return }
        if untold.isEmpty { note([]) }
        untold.append(error)
    }

    /// Tells what waits to be told; what comes meanwhile is told in the next turn.
    func tellErrors() {
        var errors = untold[...]
        untold = []
        while isOpen, let error = errors.popFirst() { errorHandler?(self, error) }
    }

    private func receivingFailed(_ code: ErrorCode) {
        // Of the network the queue of errors tells more.
        if hasErrorQueue, Self.isOfTheNetwork(code) {
            takeErrors()
            return
        }
        tell(DatagramError(SocketError(.read, code, at: peerAddress)))
    }

    /// Whether an error is about an earlier datagram, and not about the call that it was told by.
    static func isOfTheNetwork(_ code: ErrorCode) -> Bool {
        switch code {
        case .connectionRefused, .hostUnreachable, .networkUnreachable, .messageTooLong,
            .permissionDenied, .protocolNotSupported, ErrorCode(rawValue: EHOSTDOWN),
            ErrorCode(rawValue: ENONET), ErrorCode(rawValue: EPROTO), ErrorCode(rawValue: ENETDOWN):
            true
        default: false
        }
    }

    /// Has all told that the kernel keeps of datagrams that did not arrive, up to a limit a turn.
    ///
    /// - Returns: how many entries there were.
    @discardableResult
    func takeErrors() -> Int {
        let errors = keptErrors()
        for error in errors { tell(error) }
        // The others are not reported again.
        if errors.count >= Self.mostKept { note(.readable) }
        return errors.count
    }

    /// The channel was woken, and there is no datagram.
    private func findReason() {
        // A program may have asked for the queue of errors by itself.
        if !isUnix, takeErrors() > 0 { return }
        guard let state = socket?.peerState, state.isFinished else { return }
        // Somebody has shut the socket down: it would be reported for ever.
        isPaused = true
        arrange()
        tell(DatagramError(SocketError(.read, .shutDown, at: peerAddress)))
    }

    /// What the kernel keeps of datagrams that did not arrive; beyond a limit it stays there.
    func keptErrors() -> [DatagramError] {
        var errors: [DatagramError] = []
        for _ in 0..<Self.mostKept {
            var nothing: [UInt8] = []
            var span = nothing.mutableSpan
            var room = span.mutableBytes
            // An error here says that the queue is empty, or can't be read: there is nothing to tell.
            guard
                let message = try? socket?.receiveMessage(
                    into: &room, ancillaryByteCount: 512, flags: .errorQueue)
            else { break }
            let destination = message.sender.map(sender)
            errors += message.items.compactMap { DatagramError($0, destination: destination) }
        }
        return errors
    }
}

extension Socket {
    /// Connects a socket whose connections are never under way: a signal alone has it ask again.
    func connectAtOnce(to peer: SocketAddress) throws(SocketError) {
        while try connect(to: peer) == .inProgress {}
    }

    /// Has the kernel keep what it hears of datagrams that did not arrive.
    func reportErrors(_ family: AddressFamily) throws(SocketError) {
        if family == .ipv6 {
            try set(.ipv6ReceivesErrors, to: true)
        }
        // A socket for both families hears of IPv4 by this one; one for IPv6 alone may refuse it.
        do throws(SocketError) {
            try set(.ipv4ReceivesErrors, to: true)
        } catch {
            if family == .ipv4 { throw error }
        }
    }
}

/// What the datagram channels of a reactor share.
final class DatagramMemory {
    /// Where the datagrams of a turn are collected.
    let outbox = DatagramOutbox()
    @exclusivity(unchecked) private var inbox: DatagramInbox?

    /// Lends the memory that datagrams are received into; a receiver inside a receiver gets its own.
    @inline(__always)
    func withInbox<Result>(_ body: (DatagramInbox) -> Result) -> Result {
        let lent = inbox.take() ?? DatagramInbox()
        defer { inbox = lent }
        return body(lent)
    }
}
