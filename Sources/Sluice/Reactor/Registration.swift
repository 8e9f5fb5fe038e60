// SPDX-License-Identifier: Apache-2.0
//
// A descriptor that somebody else owns, watched by a reactor.
// The registration's end ends the watch: no event comes after it, not even one that was queued.

internal import CLibevent

/// A watched descriptor; its end ends the watch and leaves the descriptor open.
///
/// End it before the descriptor is closed: the kernel gives the number to the next file.
public struct Registration: ~Copyable {
    private let watch: Watch

    fileprivate init(_ watch: Watch) { self.watch = watch }

    deinit { watch.end() }

    /// What the descriptor is watched for.
    public var interest: Interest { watch.interest }

    /// Watches for something else from now on; the empty set pauses the watch.
    ///
    /// - Throws: ``SocketError`` with operation `.watch`.
    public func change(to interest: Interest) throws(SocketError) {
        try watch.change(to: interest)
    }

    /// Ends the watch now.
    public consuming func end() {}
}

extension Reactor {
    /// Calls `handler` whenever an open descriptor is ready for what is asked, as Tcl's
    /// `fileevent`.
    ///
    /// Keep what it returns, to its `end()`: the watch ends with the value's life. For pipes,
    /// terminals, sockets and all that epoll(7) takes; regular files are refused. Level-triggered:
    /// called again for as long as the descriptor is ready; ``Interest/peerClosed`` alone is told
    /// once. A handler that throws ends the watch, and its error goes to ``onError``.
    ///
    /// - Throws: ``SocketError`` with operation `.watch`: `.notPermitted` for a regular file,
    ///   `.badDescriptor` for a number that is not open.
    public func watch(
        _ number: CInt, for interest: Interest, _ handler: @escaping (Interest) throws -> Void
    ) throws(SocketError) -> Registration {
        let watch = Watch(self, handler)
        try watch.begin(number, interest)
        return Registration(watch)
    }
}

/// The shared part of a registration: what libevent points to.
final class Watch: Resident {
    var residentIndex = -1
    private let link: ReactorLink
    private var reactor: Reactor? { link.reactor }
    private var event: Event?
    private var handler: ((Interest) throws -> Void)?
    private var number: CInt = -1
    private var found = Interest()
    private(set) var interest = Interest()

    init(_ reactor: Reactor, _ handler: @escaping (Interest) throws -> Void) {
        link = reactor.link
        self.handler = handler
    }

    func begin(_ number: CInt, _ interest: Interest) throws(SocketError) {
        // libevent takes a negative number for an event without a descriptor.
        guard number >= 0 else { throw SocketError(.watch, .badDescriptor) }
        guard let reactor else { return }
        self.number = number
        // The context is this object; `end()` or its deinit ends the event.
        event = try Event(
            reactor.base, number, watchIsReady, Unmanaged.passUnretained(self).toOpaque())
        try change(to: interest)
        reactor.admit(self)
    }

    deinit { end() }

    func change(to interest: Interest) throws(SocketError) {
        guard event != nil else { throw SocketError(.watch, .badDescriptor) }
        self.interest = []
        // An error is reported to who reads or writes only; edge-triggered, that is not over and
        // over.
        let flags = interest == .peerClosed ? Int16(EV_CLOSED | EV_WRITE | EV_ET) : interest.flags
        try event?.wait(for: flags)
        self.interest = interest
        found.formIntersection(interest)
    }

    func end() {
        event = nil
        // Taken out first: its end may end what it held, and that this watch again.
        _ = handler.take()
        interest = []
        reactor?.dismiss(self)
    }

    fileprivate func note(_ what: Interest) {
        var what = what
        // A reader is told of an error by reading.
        let asks = interest.contains(.peerClosed) && !interest.contains(.readable)
        if asks, !what.contains(.peerClosed) {
            let peer = PeerState(of: number)
            if peer.isFinished || peer.isFailed { what.insert(.peerClosed) }
        }
        what.formIntersection(interest)
        if what.isEmpty { return }
        if found.isEmpty { reactor?.enqueue(self) }
        found.formUnion(what)
    }

    func reactorEnded() { end() }

    func takeTurn(on reactor: Reactor) {
        let what = found
        found = []
        guard let handler, !what.isEmpty else { return }
        if reactor.attempt({ try handler(what) }) { end() }
    }
}

private func watchIsReady(_: CInt, _ flags: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    // The context is a watch that has not ended: see `begin`.
    Unmanaged<Watch>.fromOpaque(context).takeUnretainedValue().note(Interest(flags: flags))
}
