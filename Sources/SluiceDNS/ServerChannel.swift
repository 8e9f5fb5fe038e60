// SPDX-License-Identifier: Apache-2.0
//
// c-ares on a reactor: its sockets are watched, its time is kept, answers are looked at before it
// sees them. Nobody else is called while it runs: what it tells is gathered, and delivered after.

import CCares
import Glibc
import Sluice

/// A channel of c-ares, with its sockets and its questions.
///
/// It belongs to a ``NameServers``, which ends it before it lets go of it.
final class ServerChannel {
    private let link: ReactorLink
    /// `nil` from its end on.
    var reactor: Reactor? { link.reactor }
    /// `nil` once it has ended: nothing is asked and nothing told then.
    private var channel: ares_channel?
    /// c-ares refers to them until it ends.
    private let functions = UnsafeMutablePointer<ares_socket_functions>.allocate(capacity: 1)
    let hosts: HostList
    private(set) var servers: [SocketAddress] = []
    private(set) var domains: [String] = []
    private(set) var ndots = 1
    /// The options with all that was read of the machine's set-up, which is not read again.
    private(set) var resolved: NameServerOptions
    var counters = NameServerCounters()

    /// The sockets that c-ares has opened, by descriptor.
    var sockets: [CInt: QuestionSocket] = [:]
    var lastSerial: UInt64 = 0
    /// Why the last socket was not to be had, since c-ares was called.
    var socketFailure: ErrorCode?

    /// What servers are being asked, by number; also what nobody waits for any more.
    private(set) var questions: [UInt16: ServerQuestion] = [:]
    /// What c-ares has ended, and was not looked at yet.
    private var results: ArraySlice<Result> = []
    private var isSettling = false
    /// Until then questions don't say how long a datagram may be: a server did not understand it.
    var plainUntil: ContinuousClock.Instant?
    static let plainTime = Duration.seconds(300)
    private let datagramLimit: Int
    let firstTimeout: Duration
    /// The first server, once it was silent where another one has answered.
    var silentServer: SocketAddress?
    private var retryTimer: (timer: Timer, due: ContinuousClock.Instant)?
    private var endTimer: Timer?

    /// Who waits, by number.
    var inquiries: [UInt64: NameInquiry] = [:]
    /// Those for which nobody was asked yet, and some that were given up since.
    var held: ArraySlice<UInt64> = []
    /// How many questions nobody waits for.
    var abandonedCount = 0
    /// What is decided and was not told yet.
    var finished: ArraySlice<(number: UInt64, report: NameReport)> = []
    var deliveryTimer: Timer?

    /// How c-ares has ended a question, and why no socket could be had for it, where that was so.
    private typealias Result = (question: ServerQuestion, status: CInt, failure: ErrorCode?)

    /// More questions under way than this would leave too few numbers to choose from.
    private static let questionLimit = 32_768
    /// After each turn of the time, the next one is not earlier: it looks through all questions.
    private static let shortestDelay = Duration.milliseconds(10)

    init(
        on reactor: Reactor, _ options: NameServerOptions, _ hosts: HostList
    ) throws(ResolverError) {
        link = reactor.link
        self.hosts = hosts
        datagramLimit = options.datagramLimit
        resolved = options
        let times = ServerTimes(options)
        firstTimeout = times.timeout
        let wanted = options.servers.isEmpty ? times.scopedServers : options.servers
        let odd = wanted.first { $0.ipAddress == nil || $0.port == nil }
        functions.initialize(to: SocketHooks.functions)
        // The context of all that c-ares calls: `end()` ends c-ares while this object is whole.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let channel = try AresChannel.make(options, times, context: context, SocketHooks.watch)
        self.channel = channel
        ares_set_socket_functions(channel, functions, context)
        let isSet = wanted.isEmpty || AresChannel.set(wanted, on: channel)
        servers = Self.complete(AresChannel.servers(of: channel), by: wanted)
        let search = AresChannel.search(of: channel)
        domains = options.searchDomains ?? search.domains
        ndots = (options.ndots ?? search.ndots).clamped(to: 0...15)
        resolve(times)
        guard isSet, !servers.isEmpty else {
            end()
            throw ResolverError(odd.map { "\($0)" } ?? options.resolvConf, .noServers)
        }
        endTimer = ReactorEnd.timer(on: reactor, telling: self)
    }

    private func resolve(_ times: ServerTimes) {
        // Nothing is read of it.
        resolved.resolvConf = "/dev/null"
        resolved.servers = servers
        resolved.searchDomains = domains
        resolved.ndots = ndots
        resolved.timeout = times.timeout
        resolved.attempts = times.attempts
        resolved.rotates = times.rotates
        resolved.usesTCP = times.usesTCP
    }

    /// c-ares tells the servers that were set with their ports, but without their interfaces.
    private static func complete(
        _ servers: [SocketAddress], by wanted: [SocketAddress]
    ) -> [SocketAddress] {
        guard servers.count == wanted.count else { return servers }
        return zip(servers, wanted).map { server, wanted in
            server.port.map { wanted.with(port: $0) } ?? server
        }
    }

    // c-ares has ended: by the owner's deinit, or where the initialiser failed.
    deinit { functions.deallocate() }

    /// Ends everything: sockets are closed, and whoever waits is told nothing.
    ///
    /// Never called inside c-ares: no one else's code runs there, and its own hooks don't.
    func end() {
        guard let channel = channel.take() else { return }
        retryTimer?.timer.cancel()
        deliveryTimer?.cancel()
        endTimer?.cancel()
        // It calls back for each question and each socket; both find this object whole, and nothing
        // is asked any more.
        ares_destroy(channel)
        sockets = [:]
        questions = [:]
        results = []
        finished = []
        held = []
        // Let go of last, and outside the access: their end may come here again.
        let waiting = inquiries
        inquiries = [:]
        withExtendedLifetime(waiting) {}
    }

    var hasEnded: Bool { channel == nil }

    /// Nobody waits, and no server is asked.
    var isIdle: Bool {
        inquiries.isEmpty && questions.isEmpty && results.isEmpty && finished.isEmpty
    }
}

// MARK: - Asking

extension ServerChannel {
    /// Puts a question to the servers; what comes of it is gathered for ``settle()``.
    func ask(_ question: DNSQuestion, for inquiry: UInt64, _ search: Int, plainly: Bool = false) {
        guard let channel else { return }
        guard questions.count < Self.questionLimit else {
            return take(.failed(.tooManyQuestions), for: inquiry, search, from: nil)
        }
        var id = UInt16.random(in: .min ... .max)
        // Half of them are free, at least.
        while questions[id] != nil { id = .random(in: .min ... .max) }
        if let plainUntil, plainUntil <= .now { self.plainUntil = nil }
        let asked = ServerQuestion(
            id, question, for: inquiry, search,
            byteLimit: plainUntil == nil && !plainly ? datagramLimit : nil, on: self)
        questions[id] = asked
        inquiries[inquiry]?.underWay += 1
        counters.questions += 1
        socketFailure = nil
        setTimer(in: firstTimeout)
        let message = question.message(
            id: id, datagramByteCount: asked.hasOptions ? datagramLimit : nil)
        message.withUnsafeBufferPointer {
            // c-ares ends each question exactly once, by `questionEnded`, which takes the reference
            // back; the message it copies.
            ares_send(
                channel, $0.baseAddress, CInt($0.count), questionEnded,
                Unmanaged.passRetained(asked).toOpaque())
        }
    }

    /// c-ares calls: what it tells is looked at when it has returned.
    fileprivate func note(_ question: ServerQuestion, _ status: CInt, _ timeouts: CInt) {
        questions[question.id] = nil
        if inquiries[question.inquiry] == nil {
            abandonedCount -= 1
        } else {
            inquiries[question.inquiry]?.underWay -= 1
        }
        counters.timeouts &+= UInt64(timeouts)
        if channel != nil { results.append((question, status, socketFailure)) }
    }

    /// Looks at what c-ares has ended, and asks what follows from it.
    func settle() {
        if isSettling { return }
        isSettling = true
        while true {
            guard let (question, status, failure) = results.popFirst() else {
                if beginNext() { continue }
                break
            }
            noteSilence(of: question, status)
            guard inquiries[question.inquiry] != nil else { continue }
            // A server that knows nothing of longer datagrams, and was asked before that was known.
            if status == ARES_SUCCESS, question.message?.code == .notUnderstood,
                question.hasOptions
            {
                ask(question.question, for: question.inquiry, question.search, plainly: true)
                continue
            }
            take(
                question.answer(status, failure), for: question.inquiry, question.search,
                from: question.server)
        }
        // A slice keeps what was taken from it.
        results = []
        if held.isEmpty { held = [] }
        isSettling = false
    }

    /// Whether the first server was asked in vain, which c-ares forgets at once.
    private func noteSilence(of question: ServerQuestion, _ status: CInt) {
        guard status == ARES_SUCCESS, resolved.rotates != true, !question.hasHeardFirst,
            let first = servers.first, let server = question.server, server != first
        else { return }
        silentServer = first
    }
}

/// What c-ares calls at the end of a question: inside `ares_send`, `ares_process_fd` or
/// `ares_destroy`.
private func questionEnded(
    _ context: UnsafeMutableRawPointer?, _ status: CInt, _ timeouts: CInt,
    _: UnsafeMutablePointer<UInt8>?, _: CInt
) {
    guard let context else { return }
    // The reference that `ask` has handed over.
    let question = Unmanaged<ServerQuestion>.fromOpaque(context).takeRetainedValue()
    question.channel.note(question, status, timeouts)
}

// MARK: - Time and readiness

extension ServerChannel {
    /// A socket is ready.
    func isReady(_ number: CInt, _ ready: Interest) {
        guard let serial = sockets[number]?.serial else { return }
        sockets[number]?.budget = QuestionSocket.messagesPerTurn
        process(
            ready.contains(.readable) ? number : ARES_SOCKET_BAD,
            ready.contains(.writable) ? number : ARES_SOCKET_BAD)
        // c-ares reads a stream piece by piece; the kernel does not tell of what was taken from it.
        while let socket = sockets[number], socket.serial == serial, socket.holdsInput {
            process(number, ARES_SOCKET_BAD)
        }
        settle()
        deliver()
    }

    private func process(_ readable: CInt, _ writable: CInt) {
        guard let channel else { return }
        socketFailure = nil
        ares_process_fd(channel, readable, writable)
    }

    /// Has c-ares look at the time at this moment, or earlier where that was asked for before.
    private func setTimer(in delay: Duration) {
        let due = ContinuousClock.now + delay
        if let retryTimer, retryTimer.due <= due { return }
        retryTimer?.timer.cancel()
        guard let reactor else { return }
        // c-ares counts microseconds, and this must not come before it.
        let timer = reactor.after(delay + .milliseconds(1)) { [weak self] in self?.timePassed() }
        retryTimer = (timer, due)
    }

    private func timePassed() {
        retryTimer = nil
        process(ARES_SOCKET_BAD, ARES_SOCKET_BAD)
        settle()
        var time = timeval()
        // All questions are looked through here, and only here.
        if let channel, ares_timeout(channel, nil, &time) != nil {
            let delay = Duration.seconds(time.tv_sec) + .microseconds(time.tv_usec)
            setTimer(in: max(delay, Self.shortestDelay))
        }
        deliver()
    }
}

/// Tells a channel that its reactor has come to its end.
///
/// A reactor drops its timers when it ends, and with this one's handler the last reference to this
/// object.
private final class ReactorEnd {
    private weak var channel: ServerChannel?

    private init(_ channel: ServerChannel) { self.channel = channel }

    deinit { channel?.end() }

    static func timer(on reactor: Reactor, telling channel: ServerChannel) -> Timer {
        let end = ReactorEnd(channel)
        // Never reached: 68 years.
        return reactor.after(.seconds(1 << 31)) { withExtendedLifetime(end) {} }
    }
}
