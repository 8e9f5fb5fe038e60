// SPDX-License-Identifier: Apache-2.0
//
// How a service tells its service manager, or a worker its supervisor, how it is doing: datagrams
// to the socket that the environment names.

internal import CSystemCalls
import Glibc

/// The way to the service manager, or the supervisor, that has started this process.
///
/// Source: sd_notify(3), sd_watchdog_enabled(3).
public struct ServiceNotifier: Hashable, Sendable {
    /// Where messages go: a Unix socket's path or abstract name.
    public let address: SocketAddress
    /// How often it wants to hear ``ServiceState/watchdog`` at least; `nil` where it does not.
    public let watchdogInterval: Duration?

    /// A message has at most so many bytes: 4,096.
    public static let limit = 4_096
    /// How long one message waits at most for room with who is told: 1 s.
    static let patience = Duration.seconds(1)

    /// A notifier to a Unix socket of datagrams.
    public init(to address: SocketAddress, watchdogInterval: Duration? = nil) {
        self.address = address
        self.watchdogInterval = watchdogInterval
    }

    /// The one that the environment names; `nil` where it names none, or none that can be.
    ///
    /// Source: `NOTIFY_SOCKET`, a path from the root or `@` and an abstract name, of at most 107
    /// bytes; `WATCHDOG_USEC`, and `WATCHDOG_PID` where that is this process or not set.
    public static func fromEnvironment() -> ServiceNotifier? {
        parse(
            socket: variable("NOTIFY_SOCKET"), interval: variable("WATCHDOG_USEC"),
            processID: variable("WATCHDOG_PID"), own: getpid())
    }

    /// Tells one thing or several, in one message.
    ///
    /// It waits for at most 1 s, and only where who is told has not yet read what was sent before:
    /// for what is told once. What is told again and again goes by
    /// ``Reactor/feedWatchdog(by:)`` and ``Reactor/report(_:by:every:)``, which never wait. Opens a
    /// descriptor for a moment.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.connect` or `.write`: `.noEntry` or
    ///   `.connectionRefused` where nobody is there, `.timedOut` where it does not read,
    ///   `.messageTooLong` for more than ``limit`` bytes, `.invalidArgument` for a
    ///   ``ServiceState/field(_:_:)`` whose name is none.
    public func notify(_ states: ServiceState...) throws(SocketError) { try notify(states) }

    /// Tells what is in a list, in one message, as with several arguments.
    ///
    /// - Throws: ``SocketError``, as there.
    public func notify(_ states: [ServiceState]) throws(SocketError) {
        let message = try checkedMessage(states)
        let socket = try connectedSocket()
        let deadline = csystem_monotonic_nanoseconds() &+ Self.patience.nanoseconds
        while case .wouldBlock = try socket.send(message: message.span.bytes, with: []) {
            guard try socket.wait(until: .writable, before: deadline),
                csystem_monotonic_nanoseconds() < deadline
            else { throw SocketError(.write, .timedOut, at: address) }
        }
    }

    func checkedMessage(_ states: [ServiceState]) throws(SocketError) -> [UInt8] {
        let message = try Self.message(states)
        if message.count > Self.limit { throw SocketError(.write, .messageTooLong, at: address) }
        return message
    }

    func connectedSocket() throws(SocketError) -> Socket {
        let socket = try Socket(for: address, kind: .datagram)
        // Only a connected socket can wait for room at the other end: unix(7).
        _ = try socket.connect(to: address)
        return socket
    }

    /// The bytes of a message.
    package static func message(_ states: [ServiceState]) throws(SocketError) -> [UInt8] {
        var lines: [String] = []
        for state in states { lines.append(try state.text()) }
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// What the variables say to the process `own`.
    package static func parse(
        socket: [UInt8]?, interval: [UInt8]?, processID: [UInt8]?, own: Int32
    ) -> ServiceNotifier? {
        guard let socket, let address = address(socket) else { return nil }
        return ServiceNotifier(
            to: address, watchdogInterval: watchdogInterval(interval, processID, own))
    }

    private static func address(_ name: [UInt8]) -> SocketAddress? {
        guard (2...107).contains(name.count) else { return nil }
        if name.first == UInt8(ascii: "@") { return .abstract(name: Array(name.dropFirst())) }
        guard name.first == UInt8(ascii: "/") else { return nil }
        guard let path = String(validating: name, as: UTF8.self) else {
            return .other(family: .unix, bytes: name + [0])
        }
        return .unix(path: path)
    }

    private static func watchdogInterval(
        _ interval: [UInt8]?, _ processID: [UInt8]?, _ own: Int32
    ) -> Duration? {
        if let processID {
            guard let text = String(validating: processID, as: UTF8.self),
                let number = Int32(digits: text[...]), number == own
            else { return nil }
        }
        guard let interval, let text = String(validating: interval, as: UTF8.self),
            let microseconds = UInt64(digits: text[...]), microseconds > 0,
            microseconds <= UInt64(Int64.max)
        else { return nil }
        return .microseconds(Int64(microseconds))
    }

    /// A variable's bytes, whatever they are.
    private static func variable(_ name: String) -> [UInt8]? {
        getenv(name).map { value in
            UnsafeBufferPointer(start: value, count: strlen(value)).map { UInt8(bitPattern: $0) }
        }
    }
}
