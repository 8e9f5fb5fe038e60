// SPDX-License-Identifier: Apache-2.0
//
// Signals of the process, handled in a reactor's turn as any other event.
// libevent serves the signals of one reactor only, so a second one is refused.

internal import CLibevent
import Glibc

/// A signal that a reactor watches.
public struct Signal: RawRepresentable, Hashable, Sendable {
    /// The number, as in signal(7).
    public let rawValue: CInt
    /// A signal by its number.
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// The terminal hung up, or "read your configuration again" (`SIGHUP`).
    public static let hangUp = Signal(rawValue: SIGHUP)
    /// Ctrl-C (`SIGINT`).
    public static let interrupt = Signal(rawValue: SIGINT)
    /// A request to end (`SIGTERM`).
    public static let terminate = Signal(rawValue: SIGTERM)
    /// The user's own (`SIGUSR1`).
    public static let user1 = Signal(rawValue: SIGUSR1)
    /// The user's own (`SIGUSR2`).
    public static let user2 = Signal(rawValue: SIGUSR2)
    /// A child process has ended (`SIGCHLD`).
    public static let child = Signal(rawValue: SIGCHLD)
}

/// A watched signal; its end gives the signal back its old action.
public struct SignalWatch: ~Copyable {
    private let action: SignalAction

    fileprivate init(_ action: SignalAction) { self.action = action }

    deinit { action.end() }

    /// Ends the watch now.
    public consuming func end() {}
}

extension Reactor {
    /// Calls `handler` in the reactor's turn each time the process gets `signal`.
    ///
    /// Keep what it returns, to its `end()`: with the value's life the watch ends, and the signal
    /// does again what it did before, which may be to end the process. Signals that come while one
    /// waits count as one. One reactor of a process at a time may watch
    /// signals.
    ///
    /// - Throws: ``SocketError`` with operation `.watch`: `.busy` when another reactor watches
    ///   signals, `.invalidArgument` for one that can't be caught.
    public func onSignal(
        _ signal: Signal, _ handler: @escaping () throws -> Void
    ) throws(SocketError) -> SignalWatch {
        SignalWatch(try watch(signal, handler))
    }

    /// Watches a signal until the action is ended.
    func watch(
        _ signal: Signal, _ handler: @escaping () throws -> Void
    ) throws(SocketError) -> SignalAction {
        guard (1...64).contains(signal.rawValue), ![SIGKILL, SIGSTOP].contains(signal.rawValue)
        else {
            throw SocketError(.watch, .invalidArgument)
        }
        guard SignalOwner.take(for: mailbox) else { throw SocketError(.watch, .busy) }
        let action = SignalAction(self, handler)
        do {
            try action.begin(signal)
        } catch {
            action.end()
            throw error
        }
        return action
    }
}

/// The shared part of a signal watch: what libevent points to.
final class SignalAction: Resident {
    var residentIndex = -1
    private let link: ReactorLink
    private var reactor: Reactor? { link.reactor }
    private var mailbox: Mailbox?
    private var event: Event?
    private var handler: (() throws -> Void)?
    private var isQueued = false

    init(_ reactor: Reactor, _ handler: @escaping () throws -> Void) {
        link = reactor.link
        self.mailbox = reactor.mailbox
        self.handler = handler
    }

    func begin(_ signal: Signal) throws(SocketError) {
        guard let reactor else { return }
        // The context is this object; `end()` ends the event.
        event = try Event(
            reactor.base, signal.rawValue, signalCame, Unmanaged.passUnretained(self).toOpaque())
        try event?.wait(for: Int16(EV_SIGNAL))
        reactor.admit(self)
    }

    deinit { end() }

    func end() {
        event = nil
        // Taken out first: its end may end what it held, and that this watch again.
        _ = handler.take()
        reactor?.dismiss(self)
        if let mailbox { SignalOwner.giveBack(for: mailbox) }
        mailbox = nil
    }

    fileprivate func note() {
        if isQueued { return }
        isQueued = true
        reactor?.enqueue(self)
    }

    func reactorEnded() { end() }

    func takeTurn(on reactor: Reactor) {
        isQueued = false
        guard let handler else { return }
        _ = reactor.attempt { try handler() }
    }
}

/// Which reactor of the process has its signals served, and for how many watches.
private enum SignalOwner {
    private struct State {
        var owner: ObjectIdentifier?
        var count = 0
    }

    private static let state = Locked(State())

    static func take(for mailbox: Mailbox) -> Bool {
        state.withLock { state in
            guard state.count == 0 || state.owner == ObjectIdentifier(mailbox) else { return false }
            state.owner = ObjectIdentifier(mailbox)
            state.count += 1
            return true
        }
    }

    static func giveBack(for mailbox: Mailbox) {
        state.withLock { state in
            if state.owner == ObjectIdentifier(mailbox) { state.count -= 1 }
        }
    }
}

private func signalCame(_: CInt, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    // The context is an action that has not ended: see `begin`.
    Unmanaged<SignalAction>.fromOpaque(context).takeUnretainedValue().note()
}
