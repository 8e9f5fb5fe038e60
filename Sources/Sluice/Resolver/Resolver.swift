// SPDX-License-Identifier: Apache-2.0
//
// Asks a source for names and addresses: remembers what it has told, asks nothing twice at a time,
// and holds questions back where there are too many.

/// Finds names and addresses without holding its reactor up.
///
/// What it is asked goes to a source: the system's name service, name servers, or one of the
/// program's own. Numbers, `localhost` and names that nobody can have are answered without one.
/// Equal questions that are asked at the same time are asked of the source once; what it has
/// answered is remembered for as long as it holds. Each completion is called exactly once, in a
/// later turn of the reactor, unless its question is cancelled or the reactor ends before.
public final class Resolver {
    /// What it was made with.
    public let options: ResolverOptions
    let link: ReactorLink
    private let source: any NameSource
    private var cache: ResolverCache
    /// Those that wait for the source or are asked of it, by their folded question.
    private var inquiries: [NameQuestion: Inquiry] = [:]
    /// Those that the source was not asked for yet.
    private var waiting = LinkedQueue<Inquiry>()
    private var underWay = 0
    /// How many askers wait for the source.
    private var askerCount = 0
    private var counts = ResolverCounters()
    /// The orders that were found out of late.
    private var sortings: [[IPAddress]: (sorted: [IPAddress], end: UInt64)] = [:]
    /// A turn of the reactor was asked for, and has not come yet.
    private var hasTurn = false
    var residentIndex = -1

    /// How many questions the source is asked in one turn of the reactor: each may cost system
    /// calls, and everybody else waits for them.
    private static let beginningsPerTurn = 16
    private static let mostSortings = 256
    /// In nanoseconds: for so long the ways to addresses are taken to stay as they are.
    private static let sortingTime: UInt64 = 1_000_000_000

    /// A resolver that asks the system's name service, as the machine is set up: nsswitch.conf(5).
    ///
    /// It asks on threads of the process, of which there are at most 16, and which all resolvers
    /// share. The system does not tell how long its answers hold, and has no services and texts.
    public convenience init(on reactor: Reactor, options: ResolverOptions = .init()) {
        self.init(on: reactor, source: SystemNames.of(reactor), options: options)
    }

    /// A resolver that asks a source.
    public init(on reactor: Reactor, source: any NameSource, options: ResolverOptions = .init()) {
        self.options = options
        self.source = source
        link = reactor.link
        cache = ResolverCache(options, at: reactor.now)
    }

    /// What it has done so far, and has to do now.
    public var counters: ResolverCounters {
        var counters = counts
        counters.waiting = waiting.count
        counters.underWay = underWay
        return counters
    }

    /// Forgets all that it remembers; questions under way go on.
    public func forgetAll() {
        cache.forgetAll()
        sortings = [:]
    }
}

/// Resolvers stay on their reactor's thread.
@available(*, unavailable)
extension Resolver: Sendable {}

extension Reactor {
    /// What clients on this reactor ask for names; initially the system's name service.
    ///
    /// Another one may be set at any time: what was asked before goes on where it was asked.
    ///
    /// - Precondition: it is on this reactor.
    public var resolver: Resolver {
        get { attachment { Resolver(on: self) } }
        set {
            precondition(newValue.link === link, "the resolver is on another reactor")
            // Let go of outside the access: its source may come here again as it goes.
            let former = attachments.updateValue(newValue, forKey: ObjectIdentifier(Resolver.self))
            withExtendedLifetime(former) {}
        }
    }
}

// MARK: - Asking

extension Resolver {
    func ask(
        _ question: NameQuestion, within limit: Duration?,
        _ completion: ResolverQuestion.Completion
    ) -> ResolverQuestion {
        let asker = ResolverQuestion(question, of: self, completion)
        guard let reactor = link.reactor else { return asker }
        counts.asked += 1
        let limit = limit ?? options.timeLimit
        if let report = SpecialNames.report(on: question) {
            asker.begin(with: [(.both, report)], waitingFor: [], within: limit)
            return asker
        }
        var known: [ResolverQuestion.Part] = []
        var missing: [NameQuestion] = []
        for part in parts(of: question) {
            if let report = cache.report(on: part.folded, at: reactor.now) {
                known.append((part.families, report))
            } else {
                missing.append(part)
            }
        }
        if missing.isEmpty {
            counts.fromCache += 1
        } else if askerCount >= options.questionLimit {
            let error = ResolverError(question.name, .tooManyQuestions)
            known += missing.map { ($0.families, .failed(error)) }
            missing = []
        }
        asker.begin(with: known, waitingFor: join(asker, to: missing), within: limit)
        return asker
    }

    /// What the source is asked for one question.
    private func parts(of question: NameQuestion) -> [NameQuestion] {
        guard case .addresses(let name, .unspecified) = question, source.asksFamiliesApart else {
            return [question]
        }
        // IPv6 first. Source: RFC 8305, 3.
        return [.addresses(of: name, family: .ipv6), .addresses(of: name, family: .ipv4)]
    }

    private func join(
        _ asker: ResolverQuestion, to questions: [NameQuestion]
    ) -> [ResolverQuestion.Wait] {
        if questions.isEmpty { return [] }
        askerCount += 1
        var isNew = false
        let waits = questions.map { question -> ResolverQuestion.Wait in
            let key = question.folded
            let inquiry = inquiries[key] ?? Inquiry(question)
            if inquiries.updateValue(inquiry, forKey: key) == nil {
                isNew = true
                inquiry.place = waiting.append(inquiry)
            }
            return (inquiry, inquiry.askers.append(asker))
        }
        if isNew { askForTurn() } else { counts.joined += 1 }
        return waits
    }

    /// Puts the addresses of both families in order.
    ///
    /// Each address costs system calls, so the order is found out once for all who ask the same
    /// within a second.
    func sorted(_ addresses: [IPAddress]) -> [IPAddress] {
        let now = link.reactor?.now ?? 0
        if let known = sortings[addresses], known.end > now { return known.sorted }
        let sorted = AddressSelection.sorted(addresses)
        if sortings.count >= Self.mostSortings { sortings = [:] }
        // More than are remembered are not put in order as a whole either.
        if addresses.count <= 2 * AddressSelection.limit {
            sortings[addresses] = (sorted, now &+ Self.sortingTime)
        }
        return sorted
    }
}

// MARK: - The source

extension Resolver: Resident {
    /// Asks the source what has waited for it.
    func takeTurn(on reactor: Reactor) {
        hasTurn = false
        var remaining = Self.beginningsPerTurn
        while remaining > 0, hasRoom, let inquiry = waiting.popFirst() {
            remaining -= 1
            begin(inquiry)
        }
        askForTurn()
    }

    // It is never on the list of what is open: its questions are.
    func reactorEnded() {}

    private var hasRoom: Bool { underWay < max(1, options.concurrency) }

    private func askForTurn() {
        guard !hasTurn, !waiting.isEmpty, hasRoom, let reactor = link.reactor else { return }
        hasTurn = true
        reactor.enqueue(self)
    }

    private func begin(_ inquiry: Inquiry) {
        inquiry.place = nil
        underWay += 1
        // Weak: the source is the resolver's, and keeps this for as long as it likes.
        let number = source.begin(inquiry.question) { [weak self] report in
            self?.finish(inquiry, report)
        }
        inquiry.number = number
        // Given up by what the source itself has called.
        if inquiry.isOver { source.giveUp(number) }
    }

    private func finish(_ inquiry: Inquiry, _ report: NameReport) {
        guard !inquiry.isOver, let reactor = link.reactor else { return }
        inquiry.isOver = true
        underWay -= 1
        let key = inquiry.question.folded
        inquiries[key] = nil
        let report = report.checked(for: inquiry.question)
        cache.remember(report, on: key, at: reactor.now)
        while let asker = inquiry.askers.popFirst() { asker.take(report, on: inquiry) }
        askForTurn()
    }

    private func drop(_ inquiry: Inquiry) {
        inquiry.isOver = true
        inquiries[inquiry.question.folded] = nil
        if let place = inquiry.place {
            waiting.remove(place)
            return
        }
        underWay -= 1
        if let number = inquiry.number { source.giveUp(number) }
        askForTurn()
    }
}

// MARK: - What askers tell

extension Resolver {
    /// Everything that an asker has waited for has come.
    func stoppedWaiting() { askerCount -= 1 }

    /// An asker waits no longer for what has not come.
    func leave(_ waits: [ResolverQuestion.Wait]) {
        askerCount -= 1
        for (inquiry, place) in waits {
            inquiry.askers.remove(place)
            if inquiry.askers.isEmpty, !inquiry.isOver { drop(inquiry) }
        }
    }

    /// An asker no longer wants to know.
    func wasGivenUp(_ waits: [ResolverQuestion.Wait]) {
        counts.givenUp += 1
        if !waits.isEmpty { leave(waits) }
    }

    /// An asker is told.
    func hasAnswered(_ question: NameQuestion, _ report: NameReport, in time: Duration) {
        var failure: ResolverError?
        if case .failure(let error) = report.result {
            counts.failed += 1
            failure = error
        }
        link.reactor?.tell(.resolved(name: question.name, in: time, failure))
    }
}
