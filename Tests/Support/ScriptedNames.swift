// SPDX-License-Identifier: Apache-2.0
//
// A source of names that knows what the test tells it: it answers when the test says so, or by
// itself in a later turn.

public import Sluice

/// A source of names without any name service behind it.
public final class ScriptedNames: NameSource {
    private struct Asked {
        let question: NameQuestion
        let completion: (NameReport) -> Void
    }

    /// Whether the two families of a host's addresses are asked for apart.
    public let asksFamiliesApart: Bool
    /// All that it was asked, in order.
    public private(set) var asked: [NameQuestion] = []
    /// What of it was given up, in order.
    public private(set) var givenUp: [NameQuestion] = []
    /// How many questions were open at once at most.
    public private(set) var mostOpen = 0
    /// Called with each question as it is asked.
    public var onQuestion: (NameQuestion) -> Void = { _ in }

    // Weak: where it is the source of its reactor's own resolver, the reactor keeps it.
    private weak var reactor: Reactor?
    private let script: (NameQuestion) -> NameReport?
    private var open: [UInt64: Asked] = [:]
    private var lastNumber: UInt64 = 0

    /// - Parameter script: what it answers by itself in a later turn; a question for which this is
    ///   `nil` waits for ``answer(_:_:)``. Initially nothing.
    public init(
        on reactor: Reactor, asksFamiliesApart: Bool = false,
        _ script: @escaping (NameQuestion) -> NameReport? = { _ in nil }
    ) {
        self.reactor = reactor
        self.asksFamiliesApart = asksFamiliesApart
        self.script = script
    }

    /// How many questions wait for an answer.
    public var openCount: Int { open.count }

    /// Answers the oldest open question that is equal to this; outside a run, or in a turn.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func answer(_ question: NameQuestion, _ report: NameReport) -> Bool {
        let number = open.filter { $0.value.question == question }.keys.min()
        guard let number else { return false }
        finish(number, report)
        return true
    }

    /// Answers all that is open, in the order in which it was asked.
    public func answerAll(_ report: (NameQuestion) -> NameReport) {
        for number in open.keys.sorted() {
            guard let question = open[number]?.question else { continue }
            finish(number, report(question))
        }
    }

    private func finish(_ number: UInt64, _ report: NameReport) {
        open.removeValue(forKey: number)?.completion(report)
    }

    /// Begins to ask.
    public func begin(
        _ question: NameQuestion, _ completion: @escaping (NameReport) -> Void
    ) -> UInt64 {
        lastNumber += 1
        let number = lastNumber
        asked.append(question)
        open[number] = Asked(question: question, completion: completion)
        mostOpen = max(mostOpen, open.count)
        if let report = script(question) {
            reactor?.after(.zero) { [weak self] in self?.finish(number, report) }
        }
        onQuestion(question)
        return number
    }

    /// Nobody waits for a question any more.
    public func giveUp(_ number: UInt64) {
        guard let known = open.removeValue(forKey: number) else { return }
        givenUp.append(known.question)
    }
}

extension NameReport {
    /// Addresses that a name server has told, by their text; those that are none are left out.
    public static func addresses(
        _ texts: String..., timeToLive: Duration? = nil, canonicalName: String? = nil
    ) -> NameReport {
        let addresses = texts.compactMap { IPAddress($0) }
        return NameReport(
            .success(.addresses(addresses)), from: .server(.loopback(port: 53)),
            timeToLive: timeToLive, canonicalName: canonicalName)
    }

    /// A failure that a name server has told.
    public static func failure(
        _ reason: ResolverError.Reason, timeToLive: Duration? = nil
    ) -> NameReport {
        NameReport(
            .failure(ResolverError("", reason)), from: .server(.loopback(port: 53)),
            timeToLive: timeToLive)
    }
}

extension NameQuestion {
    /// The addresses of a host: of both families, or of one.
    public static func host(_ name: String, _ family: AddressFamily = .unspecified) -> NameQuestion
    {
        .addresses(of: name, family: family)
    }
}
