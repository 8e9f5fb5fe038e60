// SPDX-License-Identifier: Apache-2.0
//
// One thread's event loop: what is registered, what is ready, and the memory that all on it share.
// libevent only collects what is ready; handlers run after it has returned, so they may run the
// loop again.

internal import CLibevent
internal import CSystemCalls

/// One thread's event loop over one libevent `event_base`.
///
/// A reactor is made on the thread that runs it, and all that hangs on it stays there: channels,
/// timers, servers and the values that handlers capture need no lock. The one thing that crosses
/// threads is its ``handle``. A process may have several, each on its own thread.
public final class Reactor {
    // Of the properties below, those on the path of every message are not checked for exclusive
    // access: each access is a load or a store of this one thread, and none spans a call of a
    // handler.

    let base: EventBase
    /// How what hangs on the reactor finds it; cut by its deinit.
    package let link = ReactorLink()
    let mailbox: Mailbox
    /// Runs tasks and actors on this reactor's thread.
    public let executor: Executor
    private var mailEvent: Event?
    private var timerEvent: Event?

    /// Whose turn comes, in order, from `nextReady` to before `readyCount`; all other places are
    /// `nil`.
    @exclusivity(unchecked) var ready: [(any Resident)?] = []
    @exclusivity(unchecked) var nextReady = 0
    @exclusivity(unchecked) var readyCount = 0
    /// Letters from other threads wait.
    var hasMail = false
    /// Letters that were taken and not delivered yet; a run inside a letter goes on with them.
    var letters: ArraySlice<Mailbox.Letter> = []
    @exclusivity(unchecked) var deadlines: Deadlines

    /// Output that waits for the end of the turn, of the one channel that wrote first.
    @exclusivity(unchecked) var turnOutput = TurnOutput()
    /// The other channels that wrote in this turn.
    @exclusivity(unchecked) var unflushed: [any TurnWriter] = []
    /// Where channels read to; a nested reader finds it lent and takes another.
    @exclusivity(unchecked) private var scratch: UnsafeMutableRawBufferPointer?

    /// Where channels turn text into bytes; a nested writer finds it taken and makes its own.
    @exclusivity(unchecked) var encodingBuffer: [UInt8] = []

    /// How much its channels hold in memory.
    let buffers: BufferAccount
    /// What is open on this reactor, in no order.
    var residents: [any Resident] = []
    var attachments: [ObjectIdentifier: AnyObject] = [:]
    /// What other threads refer to, by the key that they hold.
    var referenced: [UInt64: Any] = [:]
    var lastReference: UInt64 = 0
    /// What ``onError`` was set to.
    var errorHook: (any Error, AnyObject?) -> Void = { error, source in
        let place = source.map { " (\($0))" } ?? ""
        StandardError.write("sluice: a handler failed: \(error)\(place)\n")
    }

    /// Who is told of what happens here, if anybody is.
    @exclusivity(unchecked) var turnObserver: (any TurnObserver)?
    /// How many bytes came and went over the channels that have closed.
    var closedInput: UInt64 = 0
    var closedOutput: UInt64 = 0

    /// How many runs are under way, one inside the other.
    var depth = 0
    @exclusivity(unchecked) var isStopping = false
    @exclusivity(unchecked) var clockIsStale = true
    @exclusivity(unchecked) private var lastNow: UInt64 = 0

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
        executor = Executor(mailbox, link)
        buffers = BufferAccount(link)
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
        executor.becomeCurrent()
        let rest = mailbox.end()
        for letter in letters + rest {
            if case .job(let job) = letter { executor.accept(job) }
        }
        for resident in residents { resident.reactorEnded() }
        deadlines.dropAll()
        executor.end()
        mailEvent = nil
        timerEvent = nil
        scratch?.deallocate()
        turnOutput.deallocate()
    }

    /// The part of the reactor that other threads may hold.
    public var handle: Handle { Handle(mailbox: mailbox) }
}

// Mirrors can't copy what has one owner.
extension Reactor: CustomReflectable {
    /// Shows nothing of the inside.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Reactors stay on the thread that made them; send closures to ``Reactor/handle`` instead.
@available(*, unavailable)
extension Reactor: Sendable {}

// The contexts of these two are the reactor itself: see its initialiser.

private func mailArrived(_: CInt, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Reactor>.fromOpaque(context).takeUnretainedValue().hasMail = true
}

private func timerFired(_: CInt, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Reactor>.fromOpaque(context).takeUnretainedValue().deadlines.hasFired = true
}

// MARK: - What all on it share

extension Reactor {
    /// Nanoseconds of the monotonic clock, read at most once a pass, and each time outside a run.
    @inline(__always)
    var now: UInt64 {
        if clockIsStale {
            lastNow = csystem_monotonic_nanoseconds()
            clockIsStale = depth == 0
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

    /// Runs a handler and reports what it throws.
    ///
    /// - Returns: whether it threw.
    @inline(__always)
    func attempt(for source: AnyObject? = nil, _ handler: () throws -> Void) -> Bool {
        do {
            try handler()
            return false
        } catch {
            report(error, for: source)
            return true
        }
    }

    /// Not inlined: the hook is read only where something was thrown.
    @inline(never)
    func report(_ error: any Error, for source: AnyObject? = nil) { errorHook(error, source) }
}
