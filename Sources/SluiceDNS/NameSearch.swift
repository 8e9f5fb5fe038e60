// SPDX-License-Identifier: Apache-2.0
//
// Which names are asked for when somebody asks for one: as it stands, and in the search domains.
// It decides and does nothing else: what is asked, others ask.

import Sluice

/// A name that is looked for: as it stands and in the search domains, until it is found.
///
/// Source: resolv.conf(5), `search`, `ndots`.
package struct NameSearch: Sendable {
    /// What to do next.
    package enum Step: Hashable, Sendable {
        /// Ask this.
        case ask(DNSQuestion)
        /// It is over: with records, or with the failure of the whole.
        case over(ServerAnswer)
    }

    private var candidates: ArraySlice<DNSName>
    private let kind: RecordKind
    private let asksOtherFamily: Bool
    private var current: DNSName?
    /// The other family is being asked for.
    private var isProbing = false
    private var hasNoData = false
    private var hasFailed = false
    /// The shortest time that one of the failures holds; `nil` once one has not told.
    private var seconds: UInt32? = .max

    /// Begins to look for a name.
    ///
    /// Where a host has addresses of the other family alone, the search ends with it: the two
    /// families are never answered by different hosts.
    ///
    /// `ndots`: a name with fewer dots is looked for in the domains first. One that ends in a dot
    /// is looked for in none.
    ///
    /// - Returns: `nil` for a text that can be no name.
    package init?(_ text: String, _ kind: RecordKind, in domains: [String], ndots: Int) {
        guard let name = DNSName(text) else { return nil }
        self.kind = kind
        asksOtherFamily = kind == .a || kind == .aaaa
        let dotCount = text.utf8.count { $0 == UInt8(ascii: ".") }
        if text.utf8.last == UInt8(ascii: ".") {
            candidates = [name]
            return
        }
        let others = domains.compactMap { DNSName(text + "." + $0) }
        candidates = dotCount >= ndots ? [name] + others : others + [name]
    }

    /// A name that is asked for as it stands.
    package init(exactly name: DNSName, _ kind: RecordKind) {
        candidates = [name]
        self.kind = kind
        asksOtherFamily = false
    }

    /// What is asked first.
    package mutating func begin() -> Step { nextCandidate() }

    /// Takes the answer to what was asked last.
    package mutating func next(after answer: ServerAnswer) -> Step {
        if isProbing { return afterProbe(answer) }
        switch answer {
        case .found: return .over(answer)
        case .noData(let seconds):
            note(seconds)
            hasNoData = true
            guard asksOtherFamily, !candidates.isEmpty, let current else { return nextCandidate() }
            isProbing = true
            return .ask(DNSQuestion(current, kind == .a ? .aaaa : .a))
        case .unknownName(let seconds): note(seconds)
        case .failed(.serverFailed): hasFailed = true
        case .failed: return .over(answer)
        }
        return nextCandidate()
    }

    private mutating func afterProbe(_ answer: ServerAnswer) -> Step {
        isProbing = false
        if case .found = answer { return .over(.noData(seconds: seconds)) }
        return nextCandidate()
    }

    private mutating func nextCandidate() -> Step {
        current = candidates.popFirst()
        if let current { return .ask(DNSQuestion(current, kind)) }
        // A name that is there somewhere is known, and a server that fails might have known it.
        if hasNoData { return .over(.noData(seconds: seconds)) }
        if hasFailed { return .over(.failed(.serverFailed)) }
        return .over(.unknownName(seconds: seconds))
    }

    private mutating func note(_ told: UInt32?) {
        seconds = seconds.flatMap { mine in told.map { min(mine, $0) } }
    }
}
