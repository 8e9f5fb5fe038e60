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

    init(_ limit: Duration?) {
        isZero = limit.map { $0 <= .zero } ?? false
        deadline = limit.map { csystem_monotonic_nanoseconds() &+ $0.nanoseconds }
    }

    /// Waits for a socket, and throws when the time is up.
    func wait(
        for socket: borrowing Socket, _ readiness: Socket.Readiness,
        _ operation: SocketError.Operation, _ address: SocketAddress? = nil
    ) throws(SocketError) {
        if isZero { throw SocketError(operation, .wouldBlock, at: address) }
        if try !socket.wait(until: readiness, before: deadline) {
            throw SocketError(operation, .timedOut, at: address)
        }
    }
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
        let limit = TimeLimit(limit)
        while true {
            // Asked first: a socket that was made blocking would wait in accept4(2).
            if try wait(until: .readable, before: 0), let accepted = try accept() {
                return accepted
            }
            try limit.wait(for: self, .readable, .accept)
        }
    }

    /// Connects, and waits until that is decided.
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
        if try connect(to: address) == .connected { return }
        try limit.wait(for: self, .writable, .connect, address)
        let code = try get(.pendingError)
        if code != .success { throw SocketError(.connect, code, at: address) }
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
        let limit = TimeLimit(limit)
        while true {
            switch try receive(into: &buffer, flags: flags.union(.dontWait)) {
            case .bytes(let count): return count
            case .endOfStream: return 0
            case .wouldBlock: try limit.wait(for: self, .readable, .read)
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
        let limit = TimeLimit(limit)
        while true {
            if let bytes = try receive(upTo: count, flags: flags.union(.dontWait)) { return bytes }
            try limit.wait(for: self, .readable, .read)
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
        let limit = TimeLimit(limit)
        while true {
            if let message = try receiveMessage(
                into: &buffer, ancillaryByteCount: ancillaryByteCount,
                flags: flags.union(.dontWait))
            {
                return message
            }
            try limit.wait(for: self, .readable, .read)
        }
    }

    /// Sends what the kernel takes, and waits until it takes something.
    ///
    /// - Returns: how many bytes it took, which may be fewer than were offered.
    /// - Throws: ``SocketError`` with operation `.write`: `.timedOut` when the time is up,
    ///   `.wouldBlock` where the limit is zero, else as ``send(_:flags:)``.
    @available(*, noasync, message: "it blocks the thread: write to a Connection")
    public func send(
        _ bytes: RawSpan, flags: MessageFlags = [], within limit: Duration?
    ) throws(SocketError) -> Int {
        try send(bytes, flags, TimeLimit(limit))
    }

    private func send(
        _ bytes: RawSpan, _ flags: MessageFlags, _ limit: TimeLimit
    ) throws(SocketError) -> Int {
        while true {
            if case .bytes(let count) = try send(bytes, flags: flags.union(.dontWait)) {
                return count
            }
            try limit.wait(for: self, .writable, .write)
        }
    }

    /// Sends all of the bytes, and waits for room as often as it must; one limit holds for the whole.
    ///
    /// - Throws: ``IncompleteSendError``: what stopped it, and how many bytes had gone.
    @available(*, noasync, message: "it blocks the thread: write to a Connection")
    public func sendAll(
        _ bytes: RawSpan, flags: MessageFlags = [], within limit: Duration?
    ) throws(IncompleteSendError) {
        let limit = TimeLimit(limit)
        var sent = 0
        repeat {
            do throws(SocketError) {
                sent += try send(bytes.extracting(droppingFirst: sent), flags, limit)
            } catch {
                throw IncompleteSendError(error: error, byteCount: sent)
            }
        } while sent < bytes.byteCount
    }
}
