// SPDX-License-Identifier: Apache-2.0
//
// The calls that wait, each with a limit of its own: for programs that do without a reactor.
// `nil` waits for as long as it takes, zero not at all; a limit holds for the whole call.

import CSystemCalls
import Glibc

/// Why only a part was sent, and how much that was.
public struct IncompleteSendError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What stopped it.
    public let error: SocketError
    /// How many bytes the kernel had taken by then.
    public let byteCount: Int

    /// One sentence.
    public var description: String { "\(error) (after \(byteCount) bytes)" }
}

/// The end of a call's time.
private struct TimeLimit {
    /// In nanoseconds of the monotonic clock; `nil` for none.
    let deadline: UInt64?
    let isZero: Bool
    /// How often the call has waited since it last got anywhere.
    private var fruitlessWaits = 0

    init(_ limit: Duration?) {
        isZero = limit.map { $0 <= .zero } ?? false
        deadline = limit.map { csystem_monotonic_nanoseconds() &+ $0.nanoseconds }
    }

    /// Waits for a socket that would have had to wait, and throws when the time is up.
    mutating func wait(
        for socket: borrowing Socket, _ readiness: Socket.Readiness,
        _ operation: SocketError.Operation, _ address: SocketAddress? = nil
    ) throws(SocketError) {
        if isZero { throw SocketError(operation, .wouldBlock, at: address) }
        fruitlessWaits += 1
        // What is ready and yet has to wait, such as a look beyond what is there, is asked seldom.
        let isReady = try socket.wait(until: readiness, before: deadline)
        if isReady, fruitlessWaits > 3 { poll(nil, 0, 10) }
        if !isReady || isOver { throw SocketError(operation, .timedOut, at: address) }
    }

    /// The call has got a part of the way.
    mutating func noteProgress() { fruitlessWaits = 0 }

    private var isOver: Bool { deadline.map { csystem_monotonic_nanoseconds() > $0 } ?? false }
}

extension MessageFlags {
    /// What a call with these flags waits for.
    fileprivate var readiness: Socket.Readiness { contains(.errorQueue) ? .failed : .readable }
}

extension Socket {
    /// Waits until the socket is ready, has failed, or the time is up.
    ///
    /// Source: poll(2).
    ///
    /// `limit`: `nil` waits for as long as it takes, zero only looks.
    ///
    /// - Returns: false when the time was up first.
    /// - Throws: ``SocketError`` with operation `.watch`.
    @available(*, noasync, message: "it blocks the thread: put the socket on a reactor")
    public func wait(
        until readiness: Readiness, within limit: Duration?
    ) throws(SocketError) -> Bool {
        try wait(until: readiness, before: TimeLimit(limit).deadline)
    }

    /// Takes the next connection, and waits for one.
    ///
    /// - Parameter limit: `nil` waits for as long as it takes.
    /// - Throws: ``SocketError`` with operation `.accept`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``accept()``.
    @available(*, noasync, message: "it blocks the thread: make a Listener or a Server")
    public func accept(within limit: Duration?) throws(SocketError) -> Accepted {
        var limit = TimeLimit(limit)
        while true {
            // One that was made blocking is asked first: it would wait in accept4(2).
            let mayAccept = try isBlocking ? wait(until: .readable, before: 0) : true
            if mayAccept, let accepted = try accept() { return accepted }
            try limit.wait(for: self, .readable, .accept)
        }
    }

    /// Connects, and waits until that is decided.
    ///
    /// A socket that was made blocking does not block meanwhile, nor do its duplicates.
    ///
    /// `limit`: `nil` waits for as long as the kernel tries.
    ///
    /// - Throws: ``SocketError`` with operation `.connect`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``connect(to:)``.
    @available(*, noasync, message: "it blocks the thread: 'await Connection.connect(to:on:)'")
    public func connect(
        to address: SocketAddress, within limit: Duration?
    ) throws(SocketError) {
        let limit = TimeLimit(limit)
        // One that was made blocking would wait in connect(2) for as long as the kernel tries.
        let wasBlocking = try isBlocking
        if wasBlocking { try setBlocking(false) }
        // Its mode is back whatever comes of it; what can't be set was set a moment ago.
        defer { if wasBlocking { try? setBlocking(true) } }
        if limit.isZero {
            if try connect(to: address) == .connected { return }
            throw SocketError(.connect, .wouldBlock, at: address)
        }
        if try !connect(to: address, before: limit.deadline) {
            throw SocketError(.connect, .timedOut, at: address)
        }
    }

    /// Connects and waits for the outcome; a Unix listener with a full backlog is asked again and
    /// again.
    ///
    /// - Parameter deadline: in nanoseconds of the monotonic clock; `nil` for none.
    /// - Returns: false when the deadline passed first.
    func connect(
        to address: SocketAddress, before deadline: UInt64?
    ) throws(SocketError) -> Bool {
        while true {
            do throws(SocketError) {
                if try connect(to: address) == .connected { return true }
                break
            } catch {
                // There will be room, and nothing tells when. unix(7), connect(2).
                guard error.code == .wouldBlock else { throw error }
                if let deadline, csystem_monotonic_nanoseconds() > deadline { return false }
                poll(nil, 0, 10)
            }
        }
        guard try wait(until: .writable, before: deadline) else { return false }
        let code = try get(.pendingError)
        if code != .success { throw SocketError(.connect, code, at: address) }
        return true
    }

    /// Reads what is there, and waits until there is something.
    ///
    /// `limit`: `nil` waits for as long as it takes.
    ///
    /// - Returns: how many bytes there were; 0 at the end of the stream.
    /// - Throws: ``SocketError`` with operation `.read`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``receive(into:flags:)``.
    @available(*, noasync, message: "it blocks the thread: read a Connection")
    public func receive(
        into buffer: inout MutableRawSpan, flags: MessageFlags = [], within limit: Duration?
    ) throws(SocketError) -> Int {
        var limit = TimeLimit(limit)
        while true {
            switch try receive(into: &buffer, flags: flags.union(.dontWait)) {
            case .bytes(let count): return count
            case .endOfStream: return 0
            case .wouldBlock: try limit.wait(for: self, flags.readiness, .read)
            }
        }
    }

    /// Reads what is there into an array of its own, and waits until there is something.
    ///
    /// - Returns: at most `count` bytes; none at the end of the stream.
    /// - Throws: ``SocketError``, as ``receive(into:flags:within:)``.
    @available(*, noasync, message: "it blocks the thread: read a Connection")
    public func receive(
        upTo count: Int, flags: MessageFlags = [], within limit: Duration?
    ) throws(SocketError) -> [UInt8] {
        var limit = TimeLimit(limit)
        while true {
            if let bytes = try receive(upTo: count, flags: flags.union(.dontWait)) { return bytes }
            try limit.wait(for: self, flags.readiness, .read)
        }
    }

    /// Receives one message, and waits for it.
    ///
    /// - Throws: ``SocketError`` with operation `.read`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as
    ///   ``receiveMessage(into:ancillaryByteCount:flags:)-(MutableRawSpan,_,_)``.
    @available(*, noasync, message: "it blocks the thread: make a DatagramChannel")
    public func receiveMessage(
        into buffer: inout MutableRawSpan, ancillaryByteCount: Int = 0, flags: MessageFlags = [],
        within limit: Duration?
    ) throws(SocketError) -> ReceivedMessage {
        var limit = TimeLimit(limit)
        while true {
            if let message = try receiveMessage(
                into: &buffer, ancillaryByteCount: ancillaryByteCount,
                flags: flags.union(.dontWait))
            {
                return message
            }
            try limit.wait(for: self, flags.readiness, .read)
        }
    }

    /// Receives one datagram into an array of its own, with its sender, and waits for it.
    ///
    /// - Throws: ``SocketError`` with operation `.read`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``receiveDatagram(upTo:)``.
    @available(*, noasync, message: "it blocks the thread: make an AsyncDatagramChannel")
    public func receiveDatagram(
        upTo count: Int = 65_535, within limit: Duration?
    ) throws(SocketError) -> (bytes: [UInt8], sender: SocketAddress?) {
        var limit = TimeLimit(limit)
        while true {
            if let datagram = try receiveDatagram(upTo: count) { return datagram }
            try limit.wait(for: self, .readable, .read)
        }
    }

    /// Sends what the kernel takes, and waits until it takes something.
    ///
    /// - Returns: how many bytes it took, which may be fewer than were offered.
    /// - Throws: ``SocketError`` with operation `.write`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``send(_:flags:)-(RawSpan,_)``.
    @available(*, noasync, message: "it blocks the thread: write to a Connection")
    public func send(
        _ bytes: RawSpan, flags: MessageFlags = [], within limit: Duration?
    ) throws(SocketError) -> Int {
        var limit = TimeLimit(limit)
        return try send(bytes, flags, &limit)
    }

    private func send(
        _ bytes: RawSpan, _ flags: MessageFlags, _ limit: inout TimeLimit
    ) throws(SocketError) -> Int {
        while true {
            if case .bytes(let count) = try send(bytes, flags: flags.union(.dontWait)) {
                limit.noteProgress()
                return count
            }
            try limit.wait(for: self, .writable, .write)
        }
    }

    /// Sends a message, and waits until the kernel takes it.
    ///
    /// - Returns: how many bytes it took: of a datagram all.
    /// - Throws: ``SocketError`` with operation `.write`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``send(message:to:with:flags:)``.
    @available(*, noasync, message: "it blocks the thread: make a DatagramChannel")
    public func send(
        message bytes: RawSpan, to address: SocketAddress? = nil, with items: [AncillaryItem] = [],
        flags: MessageFlags = [], within limit: Duration?
    ) throws(SocketError) -> Int {
        var limit = TimeLimit(limit)
        while true {
            if case .bytes(let count) = try send(
                message: bytes, to: address, with: items, flags: flags.union(.dontWait))
            {
                return count
            }
            try limit.wait(for: self, .writable, .write, address)
        }
    }

    /// Sends all of an array, as ``sendAll(_:flags:within:)-(RawSpan,_,_)``.
    ///
    /// - Throws: ``IncompleteSendError``, as there.
    @available(*, noasync, message: "it blocks the thread: write to a Connection")
    public func sendAll(
        _ bytes: [UInt8], flags: MessageFlags = [], within limit: Duration?
    ) throws(IncompleteSendError) {
        try sendAll(bytes.span.bytes, flags: flags, within: limit)
    }

    /// Sends all of the bytes, and waits for room as often as it must; one limit holds for the whole.
    ///
    /// - Throws: ``IncompleteSendError``: what stopped it, and how many bytes had gone.
    @available(*, noasync, message: "it blocks the thread: write to a Connection")
    public func sendAll(
        _ bytes: RawSpan, flags: MessageFlags = [], within limit: Duration?
    ) throws(IncompleteSendError) {
        var limit = TimeLimit(limit)
        var sent = 0
        repeat {
            do throws(SocketError) {
                sent += try send(bytes.extracting(droppingFirst: sent), flags, &limit)
            } catch {
                throw IncompleteSendError(error: error, byteCount: sent)
            }
        } while sent < bytes.byteCount
    }
}
