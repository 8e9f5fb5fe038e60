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
    /// A datagram may be empty. What a handler throws goes to ``Reactor/onError``, and the next
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
    /// None of them ends the channel. Without a handler they are only counted.
    public func onError(_ handler: ((DatagramChannel, DatagramError) -> Void)?) {
        if isOpen { errorHandler = handler }
    }

    /// Calls `handler` once, as the last event of the channel, when it is closed.
    ///
    /// Not when the reactor itself comes to its end.
    public func onClose(_ handler: ((DatagramChannel) -> Void)?) {
        if isOpen { closedHandler = handler }
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

    private var isReceiving: Bool { isOpen && datagramHandler != nil && !isPaused }

    /// Takes what is there, up to the limit of a turn.
    func receive(_ reactor: Reactor) {
        deliverHeld(reactor)
        var budget = max(1, options.datagramsPerTurn)
        var failures = 0
        while budget > 0, isReceiving, let number = socket?.number {
            let (count, code) = memory.withInbox { inbox -> (Int, ErrorCode) in
                let count = inbox.receive(from: number, controlRoom: controlRoom)
                if count < 0 { return (count, .last) }
                counted.receives &+= 1
                deliverBatch(count, of: inbox, reactor)
                return (count, .success)
            }
            if count >= 0 {
                budget -= count
                if count < DatagramInbox.slotCount { return }
                continue
            }
            failures += 1
            switch code {
            case .interrupted: continue
            case .wouldBlock:
                if failures == 1, hasErrorQueue { takeErrors() }
                return
            default: failed(SocketError(.read, code, at: peerAddress))
            }
            // A kernel that only fails is asked again in the next turn.
            if failures > 16 { return }
        }
    }

    private func deliverBatch(_ count: Int, of inbox: DatagramInbox, _ reactor: Reactor) {
        let isPlain = controlRoom == 0 && !options.acceptsBothFamilies
        for slot in 0..<count {
            if !isPlain {
                deliver(slot, of: inbox, reactor)
                continue
            }
            let info = DatagramInfo(
                sender: inbox.sender(of: slot), isTruncated: inbox.isTruncated(slot), items: [])
            deliver(inbox.content(of: slot), info, reactor)
        }
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
            items: items)
        if segment == 0 || segment >= bytes.count { return deliver(bytes, info, reactor) }
        for start in stride(from: 0, to: bytes.count, by: segment) {
            let end = min(start + segment, bytes.count)
            deliver(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), info, reactor)
        }
    }

    /// A socket for both families is told IPv4 senders as mapped ones.
    private func sender(_ address: SocketAddress) -> SocketAddress {
        options.acceptsBothFamilies ? address.unmapped : address
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
    /// A call has failed; where the kernel keeps the particulars, those are told in its place.
    func failed(_ error: SocketError) {
        if hasErrorQueue, Self.isOfTheNetwork(error.code), takeErrors() > 0 { return }
        tell(DatagramError(error))
    }

    private func tell(_ error: DatagramError) {
        counted.errors &+= 1
        errorHandler?(self, error)
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

    /// Tells what the kernel keeps of datagrams that did not arrive, up to a limit a turn.
    ///
    /// - Returns: how many there were.
    @discardableResult
    private func takeErrors() -> Int {
        var told = 0
        while told < 64, isOpen {
            var nothing: [UInt8] = []
            var span = nothing.mutableSpan
            var room = span.mutableBytes
            // An error here says that the queue is empty, or can't be read: there is nothing to tell.
            guard
                let message = try? socket?.receiveMessage(
                    into: &room, ancillaryByteCount: 512, flags: .errorQueue)
            else { break }
            let destination = message.sender.map(sender)
            let errors = message.items.compactMap { DatagramError($0, destination: destination) }
            for error in errors { tell(error) }
            told += 1
        }
        return told
    }
}

extension Socket {
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
