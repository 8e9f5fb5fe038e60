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
            let (count, code) = reactor.withInbox { inbox -> (Int, ErrorCode) in
                let count = inbox.receive(from: number, controlRoom: controlRoom)
                if count < 0 { return (count, .last) }
                counted.receives &+= 1
                deliver(count, of: inbox, reactor)
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

    private func deliver(_ count: Int, of inbox: DatagramInbox, _ reactor: Reactor) {
        for slot in 0..<count {
            let bytes = inbox.content(of: slot)
            var items: [AncillaryItem] = []
            var segment = 0
            if controlRoom > 0 {
                let content = inbox.control(of: slot)
                // Nobody has asked for descriptors: they are closed here.
                _ = DescriptorList(adopting: content.descriptors)
                items = content.items
                segment = Self.takeSegment(from: &items)
            }
            let info = DatagramInfo(
                sender: sender(inbox.sender(of: slot)), isTruncated: inbox.isTruncated(slot),
                items: items)
            if segment == 0 || segment >= bytes.count {
                deliver(bytes, info, reactor)
                continue
            }
            for start in stride(from: 0, to: bytes.count, by: segment) {
                let end = min(start + segment, bytes.count)
                deliver(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), info, reactor)
            }
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

extension Reactor {
    /// Lends the memory that datagrams are received into; a receiver inside a receiver gets its own.
    func withInbox<Result>(_ body: (DatagramInbox) -> Result) -> Result {
        let memory = attachment { DatagramMemory() }
        let inbox = memory.inbox.take() ?? DatagramInbox()
        defer { memory.inbox = inbox }
        return body(inbox)
    }

    /// Where the datagrams of a turn are collected.
    var outbox: DatagramOutbox { attachment { DatagramMemory() }.outbox }
}

/// What the datagram channels of a reactor share.
final class DatagramMemory {
    var inbox: DatagramInbox?
    let outbox = DatagramOutbox()
}
