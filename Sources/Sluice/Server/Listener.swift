// SPDX-License-Identifier: Apache-2.0
//
// A listening socket on a reactor: it accepts in bounded batches and survives running out of
// descriptors. What becomes of an accepted socket is its owner's affair; servers make channels of
// them.

internal import CLibevent
internal import CSystemCalls
import Glibc

/// How a listener is opened.
public struct ListenerOptions: Hashable, Sendable {
    /// How many connections may wait to be accepted; the kernel caps it at
    /// `/proc/sys/net/core/somaxconn`.
    ///
    /// Initially 4,096.
    public var backlog = 4_096
    /// Shares the port with other listeners of this user that ask for it too.
    ///
    /// Initially off.
    public var reusePort = false
    /// Lets a listener on `::` take IPv4 clients as well; their addresses are told as IPv4.
    ///
    /// Initially off; ``canAcceptBothFamilies`` says whether this machine can.
    public var acceptsBothFamilies = false
    /// How many connections one turn of the reactor may take.
    ///
    /// Initially 64.
    public var acceptsPerTurn = 64
    /// Sends small segments at once on the accepted connections.
    ///
    /// Initially on. Source: `TCP_NODELAY`, tcp(7).
    public var noDelay = true

    /// How a Unix socket gets its file.
    public var unixPath = UnixPathOptions()

    /// The initial values.
    public init() {}

    /// Whether this machine has sockets that take clients of both IPv6 and IPv4.
    ///
    /// Source: `IPV6_V6ONLY`, ipv6(7).
    public static var canAcceptBothFamilies: Bool {
        // Any failure says that it has none.
        guard let socket = try? Socket(for: .ip(.any6, port: 0)) else { return false }
        return (try? socket.set(.ipv6Only, to: false)) != nil
    }
}

/// A listening socket on a reactor; it is neither read nor written.
public final class Listener {
    var residentIndex = -1
    private let link: ReactorLink
    private var reactor: Reactor? { link.reactor }
    private var socket: ListeningSocket?
    private var event: Event?
    private var gate: AcceptGate
    private var deadline = Deadlines.Key.none
    /// Given up for a moment when descriptors run out, so that the waiting client can be turned
    /// away.
    private var reserve: Descriptor?
    private var isQueued = false
    /// Whether another one has the socket as well: who waits is not lost where this one closes.
    private var isShared = false
    private var handler: ((consuming Socket, SocketAddress) throws -> Void)?
    /// Called with a client that was accepted only to be turned away, as descriptors have run out;
    /// where there is none it is closed.
    var onShortage: ((consuming Socket, SocketAddress) -> Void)?

    /// Where it listens: with the port that the kernel chose, if port 0 was asked for.
    public let address: SocketAddress

    /// Listens at once; connections are handed over as soon as the reactor runs.
    ///
    /// A handler that throws loses only its own connection; the error goes to ``Reactor/onError``,
    /// as does one notice when descriptors or memory run out, at most each five seconds. The
    /// listener then turns one waiting client away, pauses for 10 ms to 1 s, and goes on by itself.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, `.setOption`, `.bind`, such as
    ///   `.addressInUse`, `.listen` or `.name`.
    public convenience init(
        on reactor: Reactor, at address: SocketAddress, options: ListenerOptions = .init(),
        onAccept handler: @escaping (consuming Socket, SocketAddress) throws -> Void
    ) throws(SocketError) {
        try self.init(reactor, try ListeningSocket(at: address, options), options, handler)
    }

    /// Listens with a socket that somebody else has opened and bound, such as a service manager.
    ///
    /// It starts to listen where it does not yet; of the options, those about how a socket is opened
    /// do not hold. The file of a Unix socket stays at the end. Else as
    /// ``init(on:at:options:onAccept:)``.
    ///
    /// - Throws: ``SocketError`` with operation `.adopt` and `.wrongProtocolKind` for a socket that is no
    ///   stream's, `.setOption`, `.listen` or `.name`; the socket is closed then.
    public convenience init(
        on reactor: Reactor, adopting socket: consuming Socket, options: ListenerOptions = .init(),
        onAccept handler: @escaping (consuming Socket, SocketAddress) throws -> Void
    ) throws(SocketError) {
        let socket = try ListeningSocket(adopting: socket, options)
        try self.init(reactor, socket, options, handler)
        isShared = true
    }

    private init(
        _ reactor: Reactor, _ socket: consuming ListeningSocket, _ options: ListenerOptions,
        _ handler: @escaping (consuming Socket, SocketAddress) throws -> Void
    ) throws(SocketError) {
        self.address = socket.address
        link = reactor.link
        self.handler = handler
        gate = AcceptGate(most: options.acceptsPerTurn)
        let number = socket.socket.number
        self.socket = consume socket
        reserve = Self.openReserve()
        // The context is this object; `close()` or the end of the object ends the event.
        event = try Event(
            reactor.base, number, listenerIsReady, Unmanaged.passUnretained(self).toOpaque())
        try event?.wait(for: Int16(EV_READ))
        reactor.admit(self)
    }

    /// The number that the kernel knows the socket by; `nil` once it is closed.
    var socketNumber: CInt? {
        switch socket {
        case .some(let socket): socket.socket.number
        case .none: nil
        }
    }

    /// Whether it still listens.
    public var isOpen: Bool { socket != nil }

    /// A second descriptor of the listening socket.
    func duplicateSocket() throws(SocketError) -> Socket {
        switch socket {
        case .some(let socket): try socket.socket.duplicate()
        case .none: throw SocketError(.duplicate, .badDescriptor, at: address)
        }
    }

    /// Leaves the file of a Unix socket where it is at the end: somebody else listens there.
    func leaveFile() {
        isShared = true
        socket?.leaveFile()
    }

    /// Stops listening; connections that were accepted live on.
    ///
    /// Closing again does nothing.
    ///
    /// The file of a Unix socket is removed.
    public func close() {
        guard socket != nil else { return }
        gate.close()
        event = nil
        socket = nil
        reserve = nil
        // Taken out first: its end may end what it held, and that close this listener again.
        _ = handler.take()
        _ = onShortage.take()
        reactor?.deadlines.remove(deadline)
        reactor?.dismiss(self)
    }

    func reactorEnded() {
        close()
    }

    /// Stops accepting for as long as its owner wants; clients wait in the backlog.
    func hold() {
        gate.hold()
        arrange()
    }

    func letGo() {
        guard gate.isHeld else { return }
        gate.letGo()
        arrange()
    }

    /// A descriptor has come free: a pause for want of one is over.
    func descriptorCameFree() {
        guard gate.isBackingOff else { return }
        gate.resume()
        arrange()
    }

    func deadlinePassed() {
        deadline = .none
        gate.resume()
        arrange()
    }

    private func arrange() {
        guard socket != nil else { return }
        do {
            try event?.wait(for: gate.isOpen ? Int16(EV_READ) : 0)
        } catch {
            reactor?.report(error)
            close()
        }
    }
}

// Mirrors can't copy a socket, which has one owner.
extension Listener: CustomReflectable {
    /// Shows the address, and nothing of the inside.
    public var customMirror: Mirror { Mirror(self, children: ["address": address]) }
}

/// Listeners stay on their reactor's thread.
@available(*, unavailable)
extension Listener: Sendable {}

// MARK: - Accepting

extension Listener: Resident, DeadlineOwner {
    fileprivate func note() {
        if isQueued { return }
        isQueued = true
        reactor?.enqueue(self)
    }

    /// Takes what waits, up to the limit of a turn.
    func takeTurn(on reactor: Reactor) {
        isQueued = false
        let limit = gate.turnLimit
        var count = 0
        var failure: SocketError?
        while count < limit, gate.isOpen, failure == nil {
            do throws(SocketError) {
                guard let accepted = try socket?.accept() else { break }
                hand(accepted, reactor)
            } catch {
                if !ListeningSocket.isClientsFailure(error.code) { failure = error }
            }
            count += failure == nil ? 1 : 0
        }
        gate.accepted(count)
        if let failure { pause(failure, reactor) }
    }

    /// Takes who waits before it closes, in one turn.
    func takeWaiting() {
        guard let reactor, !isShared else { return }
        for _ in 0..<Self.waitingLimit where gate.isOpen {
            do throws(SocketError) {
                guard let accepted = try socket?.accept() else { return }
                hand(accepted, reactor)
            } catch {
                if !ListeningSocket.isClientsFailure(error.code) { return }
            }
        }
    }

    /// So many are taken at last; a crowd that comes faster must not put the end off.
    private static let waitingLimit = 1_024

    private static func isShortage(_ code: ErrorCode) -> Bool {
        [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory].contains(code)
    }

    private func hand(_ accepted: consuming Socket.Accepted, _ reactor: Reactor) {
        let peer = accepted.peer
        let socket = accepted.intoSocket()
        guard let handler else { return }
        do {
            try handler(socket, peer)
        } catch {
            reactor.report(error)
        }
    }

    /// Gives the reserve up to take the waiting client and close it, so that it learns and stops
    /// waiting.
    private func turnOneAway(_ reactor: Reactor) {
        guard reserve != nil else {
            reserve = Self.openReserve()
            return
        }
        reserve = nil
        // Nothing to accept, or still no descriptor: the client waits on.
        if let accepted = try? socket?.accept() {
            let peer = accepted.peer
            if let onShortage {
                onShortage(accepted.intoSocket(), peer)
            } else {
                reactor.tell(.refused(peer, .descriptors))
            }
        }
        reserve = Self.openReserve()
    }

    private func pause(_ error: SocketError, _ reactor: Reactor) {
        if Self.isShortage(error.code) { turnOneAway(reactor) }
        let now = csystem_monotonic_nanoseconds()
        let pause = gate.exhausted(at: now)
        reactor.deadlines.remove(deadline)
        deadline = reactor.deadlines.insert(
            self, at: now + pause.nanoseconds)
        arrange()
        if pause.isNews { reactor.report(SocketError(.accept, error.code, at: address)) }
    }

    private static func openReserve() -> Descriptor? {
        let number = SystemCall.open.made { Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
        return number < 0 ? nil : Descriptor(adopting: number)
    }
}

private func listenerIsReady(_: CInt, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    // The context is a listener whose event has not ended.
    Unmanaged<Listener>.fromOpaque(context).takeUnretainedValue().note()
}
