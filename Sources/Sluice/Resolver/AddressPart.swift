// SPDX-License-Identifier: Apache-2.0
//
// A host's addresses where each family is asked for by itself: told apart as they come, or put
// together into one answer.

/// Some of a host's addresses, told as they come.
struct AddressPart {
    /// The families that are settled with this: the result has all there is of them.
    let families: Families
    /// Their addresses, in the order in which they should be tried; never none.
    let result: Result<[IPAddress], ResolverError>
    /// Nothing comes after it.
    let isLast: Bool
}

/// Families of IP addresses.
struct Families: OptionSet, Hashable {
    let rawValue: UInt8

    static let ipv4 = Families(rawValue: 1)
    static let ipv6 = Families(rawValue: 2)
    static let both: Families = [.ipv4, .ipv6]
}

extension NameQuestion {
    /// The families whose addresses are asked for; both where it is not about addresses.
    var families: Families {
        switch self {
        case .addresses(_, .ipv4): .ipv4
        case .addresses(_, .ipv6): .ipv6
        default: .both
        }
    }
}

extension NameReport {
    /// A failure; where it comes from is told nobody.
    static func failed(_ error: ResolverError) -> NameReport {
        NameReport(.failure(error), from: .system)
    }

    /// The same, with an error that names what this asker has asked for.
    func naming(_ name: String) -> NameReport {
        guard case .failure(let error) = result else { return self }
        var report = self
        report.result = .failure(ResolverError(name, error.reason))
        return report
    }

    /// The addresses, where it is about addresses.
    var addresses: Result<[IPAddress], ResolverError> {
        result.map { if case .addresses(let addresses) = $0 { addresses } else { [] } }
    }

    /// Puts together what came of one host's families.
    ///
    /// What there is counts: one family with addresses is an answer. It holds for as long as each
    /// of its parts. Of failures alone the most telling one is told.
    static func combining(
        _ reports: [NameReport], _ sorting: ([IPAddress]) -> [IPAddress]
    ) -> NameReport {
        var answers: [NameReport] = []
        var addresses: [IPAddress] = []
        for report in reports {
            guard case .success(let records) = report.result else { continue }
            answers.append(report)
            if case .addresses(let some) = records { addresses += some }
        }
        guard let first = answers.first else { return mostTelling(of: reports) }
        if answers.count == 1 { return first }
        return NameReport(
            .success(.addresses(sorting(addresses))),
            from: answers.first { $0.origin != .cache }?.origin ?? .cache,
            timeToLive: answers.compactMap(\.timeToLive).min(),
            canonicalName: answers.compactMap(\.canonicalName).first)
    }

    /// Of several failures the one that says most; of equals the first.
    private static func mostTelling(of reports: [NameReport]) -> NameReport {
        let report = reports.max { one, other in one.weight < other.weight }
        return report ?? .failed(ResolverError("", .unknownName))
    }

    /// Whoever could not tell may mean that there are addresses, so that is told before what is
    /// known to be missing; and a family without addresses still shows that the name exists.
    private var weight: Int {
        guard case .failure(let error) = result else { return 0 }
        return switch error.reason {
        case .unknownName: 1
        case .noAddress, .noAddressOfFamily: 2
        case .timedOut: 3
        default: 4
        }
    }
}
