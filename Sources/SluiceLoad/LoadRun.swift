// SPDX-License-Identifier: Apache-2.0
//
// One load from the first connect to the last answer, on one reactor.
// This file holds its phases; the extensions open the connections and send the requests.

public import Sluice

/// A load that is being put on a target.
///
/// Call ``connect()``, then ``run()``; when ``onPhase`` tells of ``Phase/ready``, call ``begin()``;
/// at the end call ``close()``. A run is used once and stays on its reactor's thread. By datagrams
/// its connections are sockets that are connected to the target.
public final class LoadRun {
    /// How far a run has come; the phases follow one another in this order.
    public enum Phase: Int, Hashable, Sendable {
        /// Nothing was started.
        case idle
        /// The connections are being opened.
        case connecting
        /// All are open and none has sent anything.
        case ready
        /// Requests are sent and not counted yet.
        case warmingUp
        /// Requests are sent and counted.
        case measuring
        /// Nothing new is sent; answers that are under way have a second to come, by datagrams
        /// ``Workload/datagramTimeout`` where that is longer.
        case settling
        /// All is over and ``LoadRun/result`` is final; the connections stay open until
        /// ``LoadRun/close()``.
        case ended
    }

    /// What is done.
    public let workload: Workload
    /// How far the run has come.
    public private(set) var phase = Phase.idle
    /// Called at the beginning of each phase, in a turn of the reactor.
    public var onPhase: (Phase) -> Void = { _ in }
    /// What was measured so far.
    public internal(set) var result = LoadResult()

    let reactor: Reactor
    let client: Client
    let pattern: RequestPattern
    /// The datagram that is sent, with the number of the last one.
    var request: [UInt8]

    /// What is open, in no order.
    var connections: [OpenConnection] = []
    var slots: [ChurnSlot] = []
    /// Failures of a churn since the last success.
    var failuresInARow = 0
    var ramp: ConnectRamp
    var opening = Opening()
    var pace: Pace?
    /// Which of the workload's sources the next connection comes from.
    private var sourceTurn = 0
    /// Open connections that have not sent their first requests yet.
    var unprimed: [OpenConnection] = []
    var lossTimer: Timer?

    /// Whether new requests are sent.
    private(set) var isSending = false
    /// Whether answers count.
    private(set) var isCounting = false
    /// Whether a datagram of any socket was ever answered.
    var isAnswered = false
    /// Requests that were due before this do not count; 0 where every answer in the measured time
    /// does.
    private(set) var countedFrom: UInt64 = 0
    /// No request is due from this instant on.
    private(set) var sendEnd = UInt64.max
    /// When the measuring began; later than anything before it has.
    private var measuredSince = UInt64.max
    private var timer: Timer?
    /// Connections and slots that still wait for an answer while the run settles.
    private var busyCount = 0

    /// So many requests of an open load may wait for their turn on one connection.
    static var queueLimit: Int { 1_024 }
    /// How long answers may take to come after the end of the measuring.
    static func patience(for workload: Workload) -> Duration {
        workload.target.usesDatagrams
            ? max(.seconds(1), workload.datagramTimeout) : .seconds(1)
    }

    /// A load that connects from `reactor`, which nobody else runs in the meantime.
    ///
    /// - Precondition: the workload's counts are 1 or more; on a target by datagrams it is a closed
    ///   loop or paced, with requests of 8 to 65,507 bytes and at most 65,536 of them under way.
    public init(_ workload: Workload, on reactor: Reactor) {
        precondition(
            workload.connectionCount > 0 && workload.requestByteCount > 0 && workload.pipeline > 0
                && workload.connectsAtOnce > 0, "a load has at least one of everything")
        precondition(workload.fitsItsTarget, "datagrams can't carry this load")
        self.workload = workload
        self.reactor = reactor
        client = Client(on: reactor, options: Self.clientOptions(for: workload))
        pattern = RequestPattern(byteCount: workload.requestByteCount)
        request = pattern.bytes
        // A churn opens its connections itself; one beforehand shows whether anybody is there.
        let count = workload.kind == .churn ? 1 : workload.connectionCount
        ramp = ConnectRamp(count: count, over: workload.ramp, atOnce: workload.connectsAtOnce)
        if case .paced(let pacing) = workload.kind { pace = Pace(pacing) }
    }

    private static func clientOptions(for workload: Workload) -> ClientOptions {
        var options = ClientOptions()
        options.timeout = workload.connectTimeout
        let most = workload.requestByteCount * workload.pipeline
        options.channel.outputLimit = max(options.channel.outputLimit, most)
        // Reading must go on while much is unsent: an echo server stops when nobody reads its
        // answers.
        options.channel.highWaterMark = options.channel.outputLimit
        return options
    }
}

// MARK: - The phases

extension LoadRun {
    /// Starts to open the connections; without one that opens, the run ends.
    public func connect() {
        guard phase == .idle else { return }
        enter(.connecting)
        startConnecting()
    }

    /// Starts to send, once the run is ready.
    public func begin() {
        guard phase == .ready else { return }
        result.connectionCount =
            workload.kind == .churn ? workload.connectionCount : connections.count
        isSending = true
        if workload.target.usesDatagrams { watchForLosses() }
        let now = MonotonicClock.now
        if workload.warmUp > .zero {
            timer = reactor.after(workload.warmUp) { self.startMeasuring() }
            enter(.warmingUp)
        } else {
            startMeasuring(at: now)
        }
        startSending(at: now)
    }

    /// Ends the measuring now, as the end of its time does; called again, it does not wait for
    /// answers.
    public func stop() {
        switch phase {
        case .idle, .connecting, .ready: finish()
        case .warmingUp, .measuring: settle()
        case .settling: finish()
        case .ended: break
        }
    }

    /// Ends the run at once and closes its connections.
    public func close() {
        finish()
        closeConnections()
    }

    /// Drives the reactor until the run has ended; a reactor that is stopped ends the run.
    public func run() {
        while phase != .ended {
            if !(sendsByItself() ? reactor.runPending() : reactor.runOnce()) { finish() }
        }
    }

    /// All connects have their verdict.
    func connectingEnded() {
        guard phase == .connecting else { return }
        result.connectDuration = .nanoseconds(Int64(MonotonicClock.now - opening.begin))
        if connections.isEmpty { return finish() }
        if workload.kind == .churn { closeConnections() }
        enter(.ready)
    }

    /// Every connection is gone: there is nothing left to measure.
    func allLost() {
        result.isCutShort = true
        if phase == .warmingUp || phase == .measuring { settle() } else { finish() }
    }

    private func startMeasuring(at now: UInt64 = MonotonicClock.now) {
        measuredSince = now
        if pace != nil {
            countedFrom = now
            sendEnd = now &+ workload.duration.wholeNanoseconds
        }
        isCounting = true
        timer = reactor.after(workload.duration) { self.settle() }
        enter(.measuring)
    }

    private func settle() {
        timer?.cancel()
        if pace != nil { sendWhatIsDue() }
        isSending = false
        if phase == .measuring {
            let duration = Duration.nanoseconds(Int64(MonotonicClock.now - measuredSince))
            // The send times end with the planned time, however late a timer tells of it.
            result.duration = pace == nil ? duration : min(duration, workload.duration)
        }
        // What was due in the measured time counts, however late it is answered.
        isCounting = isCounting && pace != nil
        enter(.settling)
        timer = reactor.after(Self.patience(for: workload)) { self.finish() }
        busyCount = connections.count { !$0.isSettled } + slots.count { !$0.isIdle }
        if busyCount == 0 { finish() }
    }

    /// A connection or a slot waits for no answer any more; the last one ends a run that settles.
    func oneSettled() {
        guard phase == .settling else { return }
        busyCount -= 1
        if busyCount == 0 { finish() }
    }

    private func finish() {
        guard phase != .ended else { return }
        timer?.cancel()
        lossTimer?.cancel()
        isSending = false
        for connection in connections { countUnanswered(by: connection, as: .unanswered) }
        count(.unanswered, times: slots.count { !$0.isIdle })
        giveUpConnecting()
        for slot in slots { slot.end() }
        slots = []
        enter(.ended)
    }

    private func enter(_ next: Phase) {
        phase = next
        onPhase(next)
    }

    private func closeConnections() {
        for connection in connections { connection.close() }
        connections = []
        unprimed = []
    }
}

// MARK: - Where connections come from

extension LoadRun {
    /// The source that is in turn; `nil` where the kernel chooses.
    func nextSource() -> IPAddress? {
        let sources = workload.sources
        if sources.isEmpty { return nil }
        defer { sourceTurn = (sourceTurn + 1) % sources.count }
        return sources[sourceTurn]
    }

    /// What opens the next connection.
    func nextClient() -> Client { nextSource().map(client.from) ?? client }
}

// MARK: - Counting

extension LoadRun {
    @inline(__always)
    func answered(due: UInt64, at now: UInt64) {
        guard isCounting, due >= countedFrom else { return }
        result.requestCount &+= 1
        result.latencies.record(nanoseconds: now &- due)
    }

    /// A request was due while too many others waited.
    func dropped(due: UInt64) {
        if due >= countedFrom, isCounting { count(.dropped) }
    }

    /// A datagram was given up, or answered wrongly.
    func datagramFailed(due: UInt64, _ kind: LoadErrorKind) {
        if due >= measuredSince { count(kind) }
    }

    func count(_ kind: LoadErrorKind, times: Int = 1) {
        if times > 0 { result.errors[kind, default: 0] += times }
    }

    /// A connection has ended before its time.
    func lost(_ connection: OpenConnection, _ kind: LoadErrorKind) {
        guard let last = connections.last, phase != .ended else { return }
        let wasBusy = !connection.isSettled
        if workload.target.usesDatagrams {
            countUnanswered(by: connection, as: kind)
        } else {
            // Servers may close connections that have nothing left to do.
            if phase != .settling || wasBusy { count(kind) }
            if pace != nil { countUnanswered(by: connection, as: .unanswered) }
        }
        last.index = connection.index
        connections[connection.index] = last
        connections.removeLast()
        if phase == .settling, wasBusy { return oneSettled() }
        if connections.isEmpty, ramp.isDone, phase != .settling { allLost() }
    }

    /// Counts each request that a connection has not had answered, once; datagrams that never left
    /// as dropped.
    private func countUnanswered(by connection: OpenConnection, as kind: LoadErrorKind) {
        let start = workload.target.usesDatagrams ? max(countedFrom, measuredSince) : countedFrom
        count(kind, times: connection.unansweredCount(since: start))
        count(.dropped, times: connection.unsentCount(since: start))
    }
}

/// Runs stay on their reactor's thread.
@available(*, unavailable)
extension LoadRun: Sendable {}
