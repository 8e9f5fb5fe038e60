// SPDX-License-Identifier: Apache-2.0
//
// What somebody wants to know: the names that are looked for on the way, and the report at the end.

import Sluice

/// One who waits for an answer.
struct NameInquiry {
    let question: NameQuestion
    let completion: (NameReport) -> Void
    /// One for each kind of record that is asked for.
    var searches: [NameSearch]
    /// What each has come to.
    var answers: [ServerAnswer?]
    /// How many questions of it servers are being asked.
    var underWay = 0
    /// Who has answered last.
    var server: SocketAddress?

    /// Begins with what must be found.
    init(
        _ question: NameQuestion, _ searches: [NameSearch],
        _ completion: @escaping (NameReport) -> Void
    ) {
        self.question = question
        self.searches = searches
        self.completion = completion
        answers = searches.map { _ in nil }
    }

    /// What is looked for; or why it is no use to ask.
    static func searches(
        for question: NameQuestion, in domains: [String], ndots: Int
    ) -> Result<[NameSearch], ResolverError> {
        let kinds: [RecordKind]
        switch question {
        case .names(let address):
            return .success([NameSearch(exactly: DNSName(ofHostAt: address), .pointer)])
        case .services: kinds = [.service]
        case .texts: kinds = [.text]
        case .addresses(let name, let family):
            if let reason = refusal(ofHost: name) { return .failure(ResolverError(name, reason)) }
            switch family {
            case .ipv4: kinds = [.a]
            case .ipv6: kinds = [.aaaa]
            case .unspecified: kinds = [.aaaa, .a]
            default: return .failure(ResolverError(name, .unsupportedFamily))
            }
        }
        let searches = kinds.compactMap {
            NameSearch(question.name, $0, in: domains, ndots: ndots)
        }
        if searches.isEmpty { return .failure(ResolverError(question.name, .unknownName)) }
        return .success(searches)
    }

    /// Why no host can have a name.
    ///
    /// Asked of whoever comes without a resolver, too.
    private static func refusal(ofHost name: String) -> ResolverError.Reason? {
        if !name.utf8.allSatisfy({ $0 < 0x80 }) { return .invalidInternationalName }
        let isHost = SpecialNames.canBeAsked(name) && DNSName(name)?.hostText != nil
        return isHost ? nil : .unknownName
    }
}

// MARK: - The report

extension NameInquiry {
    /// What all searches together have come to; `nil` while one of them goes on.
    ///
    /// - Parameter first: whom a failure is ascribed to where nobody has answered.
    func report(ascribedTo first: SocketAddress) -> NameReport? {
        let all = answers.compactMap(\.self)
        guard all.count == answers.count else { return nil }
        let origin = NameOrigin.server(server ?? first)
        return found(in: all, origin) ?? failure(of: all, origin)
    }

    private func found(in answers: [ServerAnswer], _ origin: NameOrigin) -> NameReport? {
        var addresses: [IPAddress] = []
        var whole: NameReport.Records?
        var least = UInt32.max
        var canonicalName: String?
        for case .found(let records, let seconds, let owner) in answers {
            if case .addresses(let some) = records { addresses += some }
            whole = records
            least = min(least, seconds)
            if owner != DNSName(question.name) { canonicalName = owner.hostText }
        }
        guard var records = whole else { return nil }
        switch records {
        case .addresses: records = .addresses(Self.sorted(addresses))
        case .services(let services):
            var generator = SystemRandomNumberGenerator()
            records = .services(ServiceOrder.sorted(services, using: &generator))
        case .names, .texts: break
        }
        if case .names = question { canonicalName = nil }
        return NameReport(
            .success(records), from: origin, timeToLive: .seconds(Int64(least)),
            canonicalName: canonicalName)
    }

    /// Of several failures the one after which the name may still exist.
    private func failure(of answers: [ServerAnswer], _ origin: NameOrigin) -> NameReport {
        var reason = ResolverError.Reason.unknownName
        var seconds: UInt32? = .max
        var hasFailed = false
        for answer in answers {
            var told: UInt32?
            switch answer {
            case .failed(let other): (reason, hasFailed) = (other, true)
            case .noData(let some):
                told = some
                if !hasFailed { reason = .noAddress }
            case .unknownName(let some): told = some
            case .found: break
            }
            seconds = seconds.flatMap { least in told.map { min(least, $0) } }
        }
        return NameReport(
            .failure(ResolverError(question.name, reason)), from: origin,
            timeToLive: seconds.map { .seconds(Int64($0)) })
    }

    static func sorted(_ addresses: [IPAddress]) -> [IPAddress] {
        addresses.count > 1 ? AddressSelection.sorted(addresses) : addresses
    }
}
