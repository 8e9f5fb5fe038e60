// SPDX-License-Identifier: Apache-2.0
//
// Clients that do nothing but what a server is for: lines to and fro at fixed times on connections
// that stay, and now and then a newcomer.

import BenchmarkSupport
import Sluice

/// The honest clients, on one reactor.
final class HonestCrowd {
    let reactor: Reactor
    let client: Client
    let target: SocketAddress
    private var regulars: [HonestClient] = []
    private var schedule: Schedule?
    private var isSent = false
    private var latencies = Latencies()
    private var newcomers = Latencies()
    private var newcomerCount = 0
    /// The number of the measurement that is under way, or was last: what belongs to another one is
    /// dropped.
    private var measurement = 0
    private var errors: [String: Int] = [:]
    private var unansweredCount = 0
    private var completion: (Figures) -> Void = { _ in }
    private var knocking: Timer?
    private var patience: Timer?

    /// How long each of a newcomer's connecting and having an answer may take.
    let newcomerLimit: Duration
    /// How long answers may take to come after the last message.
    private var limit: Duration { newcomerLimit + .seconds(3) }
    /// How long it is from one newcomer to the next.
    private static let knockInterval = Duration.milliseconds(100)

    /// Clients from one address.
    init(
        on reactor: Reactor, from source: IPAddress, to target: SocketAddress,
        newcomerLimit: Duration
    ) {
        self.reactor = reactor
        self.newcomerLimit = newcomerLimit
        self.target = target
        var options = ClientOptions()
        options.localAddress = source
        options.timeout = newcomerLimit
        client = Client(on: reactor, options: options)
    }

    /// Opens the connections that stay; `completion` is called when all are there.
    func open(_ count: Int, _ completion: @escaping () -> Void) {
        var missing = count
        regulars = (0..<count).map { _ in HonestClient(of: self) }
        for regular in regulars {
            regular.connect {
                missing -= 1
                if missing == 0 { completion() }
            }
        }
    }
}

// MARK: - Measuring

extension HonestCrowd {
    /// Begins to measure; `completion` is called with what was measured, when all was answered or
    /// given up.
    ///
    /// - Returns: the measurement's number.
    func begin(_ schedule: Schedule, _ completion: @escaping (Figures) -> Void) -> Int {
        measurement += 1
        self.schedule = schedule
        self.completion = completion
        isSent = false
        unansweredCount = 0
        newcomerCount = 0
        latencies = Latencies()
        newcomers = Latencies()
        knocking = reactor.every(Self.knockInterval) { self.knock() }
        return measurement
    }

    /// Sends a message of the schedule.
    func send(_ message: HonestMessage) {
        guard isCurrent(message.measurement) else { return }
        unansweredCount += 1
        regulars[message.number % regulars.count].send(message)
    }

    /// The last message of a measurement's schedule was sent.
    func sentAll(of number: Int) {
        guard isCurrent(number) else { return }
        isSent = true
        knocking?.cancel()
        patience = reactor.after(limit) { self.finish() }
        finishIfAnswered()
    }

    /// A message of the schedule has had its answer.
    func answered(_ message: HonestMessage) {
        guard isCurrent(message.measurement), let schedule else { return }
        latencies.append(MonotonicClock.now - schedule.due(message.number))
        settled()
    }

    /// A message of the schedule will never have its answer.
    func failed(_ message: HonestMessage, _ reason: String) {
        guard isCurrent(message.measurement) else { return }
        countError(reason)
        settled()
    }

    /// Something went wrong that is no message's affair.
    func countError(_ reason: String) { errors[reason, default: 0] += 1 }

    private func isCurrent(_ number: Int) -> Bool { schedule != nil && number == measurement }

    private func settled() {
        unansweredCount -= 1
        finishIfAnswered()
    }

    private func knock() {
        newcomerCount += 1
        let due = MonotonicClock.now
        let number = measurement
        Newcomer(of: self).knock { failure in
            guard self.isCurrent(number) else { return }
            self.newcomerCount -= 1
            if let failure {
                self.countError("newcomer: \(failure)")
            } else {
                self.newcomers.append(MonotonicClock.now - due)
            }
            self.finishIfAnswered()
        }
    }

    private func finishIfAnswered() {
        if isSent, unansweredCount == 0, newcomerCount == 0 { finish() }
    }

    private func finish() {
        guard schedule != nil else { return }
        patience?.cancel()
        // Else those that are given up here would finish it once more.
        isSent = false
        for regular in regulars { regular.giveUp() }
        if newcomerCount > 0 { errors["newcomer: unanswered", default: 0] += newcomerCount }
        schedule = nil
        var figures = Figures()
        latencies.note(in: &figures)
        newcomers.note(in: &figures, as: "newcomers ")
        figures["errors"] = errors.values.reduce(0, +)
        for (reason, count) in errors.sorted(by: { $0.key < $1.key }) {
            figures["error: \(reason)"] = count
        }
        errors = [:]
        completion(figures)
    }
}
