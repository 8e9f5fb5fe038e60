// SPDX-License-Identifier: Apache-2.0
//
// The answers that a resolver remembers, and for how long.
// It is a value that knows no clock: its owner says what time it is, in nanoseconds.

/// Answers to questions, failures among them, up to a limit.
///
/// Everything is O(1). Where there is no room, answers that hold no longer go first, then those
/// that nobody has asked for longest.
struct ResolverCache {
    private struct Entry {
        let report: NameReport
        let expiry: UInt64
        let use: LinkedQueue<NameQuestion>.Place
        let end: TimingWheel<NameQuestion>.Key
    }

    /// 2^20 ns, about 1 ms.
    private static let tickBits: UInt64 = 20

    private let options: ResolverOptions
    private var entries: [NameQuestion: Entry] = [:]
    /// The least recently used first.
    private var uses = LinkedQueue<NameQuestion>()
    /// By the time when they hold no longer.
    private var ends: TimingWheel<NameQuestion>

    init(_ options: ResolverOptions, at now: UInt64) {
        self.options = options
        ends = TimingWheel(now: now >> Self.tickBits)
    }

    /// How many answers there are, with those that hold no longer and have not gone yet.
    var count: Int { entries.count }

    /// The answer to a question, if it still holds; with the time that it still has.
    mutating func report(on question: NameQuestion, at now: UInt64) -> NameReport? {
        guard let entry = entries[question] else { return nil }
        guard entry.expiry > now else {
            forget(question)
            return nil
        }
        uses.moveToEnd(entry.use)
        var report = entry.report
        report.timeToLive = Duration(nanoseconds: entry.expiry - now)
        report.origin = .cache
        return report
    }

    /// Remembers an answer in place of an earlier one, for as long as it holds.
    mutating func remember(_ report: NameReport, on question: NameQuestion, at now: UInt64) {
        forget(question)
        let lifetime = lifetime(of: report).nanoseconds
        guard lifetime > 0, options.cacheLimit > 0, report.isShort else { return }
        makeRoom(at: now)
        let expiry = now &+ lifetime
        // Rounded up: what comes out of the wheel holds no longer.
        let tick = (expiry &+ (1 << Self.tickBits - 1)) >> Self.tickBits
        entries[question] = Entry(
            report: report, expiry: expiry, use: uses.append(question),
            end: ends.insert(question, at: tick))
    }

    /// Forgets everything.
    mutating func forgetAll() { self = ResolverCache(options, at: ends.now << Self.tickBits) }

    private mutating func makeRoom(at now: UInt64) {
        guard entries.count >= options.cacheLimit else { return }
        ends.advance(to: now >> Self.tickBits)
        while let question = ends.popDue() { forget(question) }
        while entries.count >= options.cacheLimit, let question = uses.first { forget(question) }
    }

    private mutating func forget(_ question: NameQuestion) {
        guard let entry = entries.removeValue(forKey: question) else { return }
        uses.remove(entry.use)
        ends.remove(entry.end)
    }

    private func lifetime(of report: NameReport) -> Duration {
        switch report.result {
        case .success:
            min(report.timeToLive ?? options.timeToLiveIfUnknown, options.longestTimeToLive)
        case .failure(let error) where error.reason.isWorthRemembering:
            min(
                report.timeToLive ?? options.failureTimeToLive, options.longestFailureTimeToLive)
        case .failure: .zero
        }
    }
}

extension NameReport {
    /// Whether it takes little memory: anybody may answer with 64 KiB.
    fileprivate var isShort: Bool {
        let counts: [Int]
        switch result {
        case .failure: return true
        case .success(.addresses(let addresses)): return addresses.count <= AddressSelection.limit
        case .success(.names(let names)): counts = names.map(\.utf8.count)
        case .success(.services(let services)): counts = services.map(\.host.utf8.count)
        case .success(.texts(let texts)): counts = texts.flatMap { $0.pieces.map(\.count) }
        }
        return counts.reduce(32 * counts.count, +) <= 4_096
    }
}

extension ResolverError.Reason {
    /// Whether it is about the name or those who were asked, and not about this program or machine.
    fileprivate var isWorthRemembering: Bool {
        switch self {
        case .unknownName, .noAddress, .noAddressOfFamily, .temporaryFailure, .permanentFailure,
            .invalidInternationalName, .answerTooLong, .timedOut, .serverFailed, .refused,
            .notImplemented, .badAnswer, .unreachable, .other:
            true
        case .unknownService, .invalidFlags, .unsupportedFamily, .unsupportedKind, .noMemory,
            .system, .tooManyQuestions, .noServers, .notSupported, .cancelled:
            false
        }
    }
}
