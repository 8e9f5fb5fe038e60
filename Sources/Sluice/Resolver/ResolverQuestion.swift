// SPDX-License-Identifier: Apache-2.0
//
// One who waits for an answer: what was asked, the time limit, and whom to tell.
// Equal questions are asked of the source once, and each asker still has a question of its own.

internal import CSystemCalls

/// A question that a resolver was asked, to give it up by.
///
/// It goes on without anybody holding it. Until it is answered, its reactor keeps the completion
/// alive, and what that has captured: also a captured reactor.
public final class ResolverQuestion {
    /// Whom to tell.
    enum Completion {
        /// Called once, with everything.
        case whole((NameReport, _ time: Duration) -> Void)
        /// Called with each family's addresses as they come.
        case parts((AddressPart) -> Void)
    }

    /// What is known of some families; of questions that have none, of both.
    typealias Part = (families: Families, report: NameReport)

    /// A place among those who wait for the same answer of the source.
    typealias Wait = (inquiry: Inquiry, place: LinkedQueue<ResolverQuestion>.Place)

    let question: NameQuestion
    private let link: ReactorLink
    private let askedAt = csystem_monotonic_nanoseconds()
    /// It lives for as long as it has questions, whoever else holds it.
    private var resolver: Resolver?
    private var completion: Completion?
    private var waits: [Wait] = []
    private var parts: [Part] = []
    private var toldCount = 0
    private var deadline = Deadlines.Key.none
    /// A turn of the reactor was asked for, and has not come yet.
    private var hasTurn = false
    var residentIndex = -1

    init(_ question: NameQuestion, of resolver: Resolver, _ completion: Completion) {
        self.question = question
        link = resolver.link
        guard let reactor = link.reactor else { return }
        self.resolver = resolver
        self.completion = completion
        reactor.admit(self)
    }

    /// Whether the answer is still to come.
    public var isPending: Bool { completion != nil && link.reactor != nil }

    /// Gives the question up: its completion is not called any more.
    ///
    /// Others who ask the same are answered all the same. A question that is over stays so.
    public func cancel() {
        guard isPending, let resolver else { return }
        let waits = waits
        end()
        resolver.wasGivenUp(waits)
    }
}

/// Questions stay on their reactor's thread.
@available(*, unavailable)
extension ResolverQuestion: Sendable {}

// MARK: - The way to the answer

extension ResolverQuestion {
    /// Begins with what is known, and waits for the rest at most so long.
    func begin(with known: [Part], waitingFor waits: [Wait], within limit: Duration) {
        parts = known
        self.waits = waits
        if !waits.isEmpty, let reactor = link.reactor {
            deadline = reactor.deadlines.insert(self, at: askedAt &+ limit.nanoseconds)
        }
        askForTurn()
    }

    /// The source has answered something that this waits for.
    func take(_ report: NameReport, on inquiry: Inquiry) {
        waits.removeAll { $0.inquiry === inquiry }
        parts.append((inquiry.families, report))
        if waits.isEmpty { resolver?.stoppedWaiting() }
        askForTurn()
    }

    /// Completions run in a turn of their own, never inside a call or another's turn.
    private func askForTurn() {
        let hasNews =
            switch completion {
            case .whole: waits.isEmpty
            case .parts: toldCount < parts.count
            case nil: false
            }
        guard hasNews, !hasTurn else { return }
        hasTurn = true
        link.reactor?.enqueue(self)
    }

    /// Everything that is known, as one.
    private func combined(_ sorting: ([IPAddress]) -> [IPAddress]) -> NameReport {
        NameReport.combining(parts.map(\.report), sorting).naming(question.name)
    }

    private func tellPart(_ tell: (AddressPart) -> Void) {
        let part = parts[toldCount]
        toldCount += 1
        let isLast = waits.isEmpty && toldCount == parts.count
        if isLast { over(combined { $0 }) } else { askForTurn() }
        let result = part.report.naming(question.name).addresses
        tell(AddressPart(families: part.families, result: result, isLast: isLast))
    }

    /// - Returns: how long it took.
    @discardableResult
    private func over(_ report: NameReport) -> Duration {
        let time = Duration(nanoseconds: csystem_monotonic_nanoseconds() &- askedAt)
        let resolver = resolver
        end()
        resolver?.hasAnswered(question, report, in: time)
        return time
    }

    private func end() {
        if let reactor = link.reactor {
            reactor.dismiss(self)
            reactor.deadlines.remove(deadline)
        }
        waits = []
        parts = []
        resolver = nil
        // Last: what it has captured may come here again as it goes.
        _ = completion.take()
    }
}

extension ResolverQuestion: Resident, DeadlineOwner {
    func takeTurn(on reactor: Reactor) {
        hasTurn = false
        switch completion {
        case .whole(let tell):
            let report = combined { resolver?.sorted($0) ?? $0 }
            tell(report, over(report))
        case .parts(let tell): tellPart(tell)
        // It was given up meanwhile.
        case nil: return
        }
    }

    func deadlinePassed() {
        let late = waits
        waits = []
        for wait in late {
            let error = ResolverError(question.name, .timedOut)
            parts.append((wait.inquiry.families, .failed(error)))
        }
        askForTurn()
        if !late.isEmpty { resolver?.leave(late) }
    }

    func reactorEnded() { end() }
}
