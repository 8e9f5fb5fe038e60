// SPDX-License-Identifier: Apache-2.0
//
// One thread's event loop: what is registered, what is ready, and the passes that bring both together.
// libevent only collects what is ready; handlers run after it has returned, so they may run the loop again.

internal import CLibevent
internal import CSystem

/// One thread's event loop over one libevent `event_base`.
///
/// A reactor is made on the thread that runs it, and all that hangs on it stays there: channels, timers,
/// servers and the values that handlers capture need no lock. The one thing that crosses threads is its
/// ``handle``. A process may have several, each on its own thread.
public final class Reactor {
    let base: EventBase
    /// How what hangs on the reactor finds it; cut by its deinit.
    let link = ReactorLink()
    let mailbox: Mailbox
    private var mailEvent: Event?

    /// What libevent found ready, or what was put off, in order; `nextReady` is the first not yet handled.
    @exclusivity(unchecked) private var ready: [Ready] = []
    @exclusivity(unchecked) private var nextReady = 0

    @exclusivity(unchecked) var deadlines: Deadlines
    private var timerEvent: Event?

    /// Output that waits for the end of the turn, of the one channel that wrote first.
    @exclusivity(unchecked) var turnOutput = TurnOutput()
    /// The other channels that wrote in this turn.
    @exclusivity(unchecked) var unflushed: [Channel] = []
    /// Where channels read to; a nested reader finds it lent and takes another.
    @exclusivity(unchecked) private var scratch: UnsafeMutableRawBufferPointer?

    /// What is open on this reactor, in no order.
    var channels: [Channel] = []
    /// Channels that were closed in this pass: whoever still works on one may finish.
    private var closedChannels: [Channel] = []
    var listeners: [ObjectIdentifier: Listener] = [:]
    var watches: [ObjectIdentifier: WeakWatch] = [:]
    var signals: [ObjectIdentifier: WeakSignal] = [:]
    let resolver = Resolver()

    private var depth = 0
    @exclusivity(unchecked) private(set) var isStopping = false
    @exclusivity(unchecked) private var clockIsStale = true
    @exclusivity(unchecked) private var lastNow: UInt64 = 0

    /// Called with every error that a handler throws, and the channel that it threw for, if any.
    ///
    /// Initially writes one line to standard error.
    public var onError: (any Error, Channel?) -> Void = { error, channel in
        let place = channel.map { " (\($0))" } ?? ""
        StandardError.write("sluice: a handler failed: \(error)\(place)\n")
    }

    /// How many bytes one read takes at most, and how large the reactor's read buffer is: 64 KiB.
    public static let scratchByteCount = 65_536

    /// Makes a reactor for the thread that this runs on.
    ///
    /// - Throws: ``SocketError`` with operation `.create`, such as `.tooManyOpenFiles`.
    public init() throws(SocketError) {
        base = try EventBase()
        let counter = try retrying(.create) {
            SystemCall.createEvent.made { eventfd(0, CInt(EFD_NONBLOCK | EFD_CLOEXEC)) }
        }
        mailbox = Mailbox(Descriptor(adopting: counter))
        deadlines = try Deadlines()
        link.reactor = self
        // Both contexts are this object, and its deinit ends both events before the base.
        let context = Unmanaged.passUnretained(self).toOpaque()
        mailEvent = try Event(base, counter, mailArrived, context)
        timerEvent = try Event(base, deadlines.number, timerFired, context)
        try mailEvent?.wait(for: Int16(EV_READ))
        try timerEvent?.wait(for: Int16(EV_READ))
    }

    deinit {
        link.reactor = nil
        mailbox.end()
        for listener in listeners.values { listener.reactorEnded() }
        for channel in channels { channel.reactorEnded() }
        for entry in watches.values { entry.watch?.end() }
        for entry in signals.values { entry.action?.end() }
        mailEvent = nil
        timerEvent = nil
        scratch?.deallocate()
        turnOutput.deallocate()
    }

    /// The part of the reactor that other threads may hold.
    public var handle: Handle { Handle(mailbox: mailbox) }
}

/// Reactors stay on the thread that made them; send closures to ``Reactor/handle`` instead.
@available(*, unavailable)
extension Reactor: Sendable {}

// MARK: - Running

extension Reactor {
    /// Handles events until ``stop()``.
    ///
    /// May be called inside a handler: the inner run handles everything, and ``stop()`` ends both.
    public func run() {
        enter()
        while !isStopping { pass(waiting: true) }
        leave()
    }

    /// Handles events until `condition` holds, as Tcl's `vwait`; it is asked before each handler.
    ///
    /// - Returns: true if the condition holds, false if the reactor was stopped before.
    @discardableResult
    public func run(until condition: () -> Bool) -> Bool {
        enter()
        var holds = condition()
        while !holds && !isStopping {
            pass(waiting: true) {
                holds = condition()
                return holds
            }
            holds = holds || condition()
        }
        leave()
        return holds
    }

    /// Waits for one event at least, and handles what is ready then.
    public func runOnce() {
        enter()
        if !isStopping { pass(waiting: true) }
        leave()
    }

    /// Handles what is ready now and waits for nothing, as one pass of Tcl's `update`.
    public func runPending() {
        enter()
        if !isStopping { pass(waiting: false) }
        leave()
    }

    /// Ends every run of this reactor after the handler that runs now.
    ///
    /// Outside a run it does nothing.
    public func stop() {
        if depth > 0 { isStopping = true }
    }

    private func enter() {
        depth += 1
        clockIsStale = true
        // What the caller of a nested run has written must not wait for its handler's end.
        endTurn()
    }

    private func leave() {
        endTurn()
        depth -= 1
        clockIsStale = true
        if depth == 0 { isStopping = false }
    }

    private func pass(waiting: Bool, endingIf isDone: () -> Bool = { false }) {
        endTurn()
        let idle = nextReady == ready.count && !deadlines.isDue
        base.poll(waiting: waiting && idle)
        clockIsStale = true
        // What becomes ready from here on waits for the next pass, so every pass is bounded.
        var remaining = ready.count - nextReady
        while remaining > 0 && nextReady < ready.count && !isStopping {
            let item = ready[nextReady]
            nextReady += 1
            remaining -= 1
            handle(item)
            if isDone() { break }
        }
        if nextReady == ready.count {
            nextReady = 0
            ready.removeAll(keepingCapacity: ready.capacity <= 4_096)
            if depth == 1, !closedChannels.isEmpty { closedChannels = [] }
        }
    }

    @inline(__always)
    private func handle(_ item: Ready) {
        switch item {
        case .channel(let channel): channel._withUnsafeGuaranteedRef { $0.handleEvents(self) }
        case .closedChannel(let channel): channel.reportClosed()
        case .listener(let listener): listener.acceptWaiting()
        case .watch(let watch): watch.handleEvents()
        case .signal(let watch): watch.handleSignal()
        case .timers: fireTimers()
        case .mail: deliverMail()
        }
        endTurn()
    }

    /// Puts something off to this pass or the next.
    @inline(__always)
    func enqueue(_ item: Ready) {
        ready.append(item)
    }

    /// Sends what the handlers of this turn have written.
    @inline(__always)
    func endTurn() {
        if let owner = turnOutput.owner { owner._withUnsafeGuaranteedRef { $0.flushTurn(self) } }
        if !unflushed.isEmpty { flushOthers() }
    }

    /// Keeps a closed channel for whoever still works on it.
    func keepUntilPassEnds(_ channel: Channel) {
        if depth > 0 || channel.flags.contains(.isEnqueued) { closedChannels.append(channel) }
    }

    private func flushOthers() {
        var batch: [Channel] = []
        swap(&batch, &unflushed)
        for channel in batch { channel.flushQueue() }
    }

    /// Runs a handler and reports what it throws.
    ///
    /// - Returns: whether it threw.
    @inline(__always)
    func attempt(for channel: Channel? = nil, _ handler: () throws -> Void) -> Bool {
        do {
            try handler()
            return false
        } catch {
            report(error, for: channel)
            return true
        }
    }

    /// Not inlined: the hook is read only where something was thrown.
    @inline(never)
    func report(_ error: any Error, for channel: Channel? = nil) { onError(error, channel) }

    private func deliverMail() {
        var letters = mailbox.takeAll()
        while let letter = letters.popFirst() {
            switch letter {
            case .stop: isStopping = true
            case .closure(let closure): _ = attempt { try closure(self) }
            }
            endTurn()
            if isStopping { break }
        }
        // What a stop left over is delivered first in the next run.
        mailbox.putBack(letters)
    }
}

/// The way from what hangs on a reactor to the reactor, without keeping it alive.
///
/// Not `weak`: a weak reference gives an object a side table, which makes every retain and release of it
/// several times as dear, and the reactor's are on the path of each message.
final class ReactorLink {
    /// Set back by the reactor's deinit, so it is never dangling.
    fileprivate(set) unowned(unsafe) var reactor: Reactor?
}

/// Something that waits for its turn.
enum Ready {
    /// Unretained: the reactor holds an open channel, and a closed one until the outermost pass has ended.
    case channel(Unmanaged<Channel>)
    case closedChannel(Channel)
    case listener(Listener)
    case watch(Watch)
    case signal(SignalAction)
    case timers
    case mail
}

// The contexts of these two are the reactor itself: see its initialiser.

private func mailArrived(_: CInt, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Reactor>.fromOpaque(context).takeUnretainedValue().enqueue(.mail)
}

private func timerFired(_: CInt, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Reactor>.fromOpaque(context).takeUnretainedValue().enqueue(.timers)
}

// MARK: - Time and memory

extension Reactor {
    /// Nanoseconds of the monotonic clock, read at most once a pass.
    @inline(__always)
    var now: UInt64 {
        if clockIsStale {
            lastNow = csystem_monotonic_nanoseconds()
            clockIsStale = false
        }
        return lastNow
    }

    /// Lends the read buffer; a reader inside a reader gets one of its own.
    @inline(__always)
    func withScratch<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let buffer = scratch ?? .allocate(byteCount: Self.scratchByteCount, alignment: 64)
        scratch = nil
        defer {
            if scratch == nil { scratch = buffer } else { buffer.deallocate() }
        }
        return try body(buffer)
    }
}
