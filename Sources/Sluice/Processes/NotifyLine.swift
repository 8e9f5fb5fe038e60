// SPDX-License-Identifier: Apache-2.0
//
// A way to a service manager or a supervisor that stays open, for what is told again and again: it
// needs no further descriptor, and waits for nothing.

/// A socket that stays connected to who is told.
package final class NotifyLine {
    private let notifier: ServiceNotifier
    private var socket: Socket?

    /// Opens it now, where that goes; else, and where who listened has gone, with a later message.
    package init(to notifier: ServiceNotifier) {
        self.notifier = notifier
        // The first message tells why it does not go.
        socket = try? notifier.connectedSocket()
    }

    /// Tells something, without waiting.
    ///
    /// - Returns: whether there was room for it with who is told.
    /// - Throws: ``SocketError``, as ``ServiceNotifier/notify(_:)-([ServiceState])``.
    package func tell(_ states: [ServiceState]) throws(SocketError) -> Bool {
        let message = try notifier.checkedMessage(states)
        do throws(SocketError) {
            if let isSent = try send(message) { return isSent }
        } catch {
            // Another one may listen there by now.
            socket = nil
        }
        socket = try notifier.connectedSocket()
        return try send(message) ?? false
    }

    /// - Returns: whether there was room; `nil` where it is not open.
    private func send(_ message: [UInt8]) throws(SocketError) -> Bool? {
        switch socket {
        case .some(let socket):
            switch try socket.send(message: message.span.bytes, with: []) {
            case .wouldBlock: false
            default: true
            }
        case .none: nil
        }
    }
}

/// Lines stay on one thread.
@available(*, unavailable)
extension NotifyLine: Sendable {}
