// SPDX-License-Identifier: Apache-2.0
//
// A question on its way to the source, with all who wait for its answer.
// What comes back is looked at before anybody else sees it.

/// A question that waits for the source, or that the source is asked.
final class Inquiry {
    /// As the first of those who ask has put it.
    let question: NameQuestion
    /// Of the parts of a host's addresses, those that it is about.
    let families: Families
    /// In the order in which they have asked.
    var askers = LinkedQueue<ResolverQuestion>()
    /// Where it waits for the source; `nil` once the source is asked.
    var place: LinkedQueue<Inquiry>.Place?
    /// The source's number for it.
    var number: UInt64?
    /// It was answered or given up.
    var isOver = false

    init(_ question: NameQuestion) {
        self.question = question
        families = question.families
    }
}

extension NameQuestion {
    /// The same for all questions that have the same answer: names in small letters.
    ///
    /// Letters beyond ASCII stay as they are. Source: RFC 4343.
    var folded: NameQuestion {
        switch self {
        case .addresses(let name, let family): .addresses(of: name.smallLetters, family: family)
        case .names: self
        case .services(let name): .services(of: name.smallLetters)
        case .texts(let name): .texts(of: name.smallLetters)
        }
    }
}

extension NameReport {
    /// The report with nothing in it that was not asked for, and no address twice.
    func checked(for question: NameQuestion) -> NameReport {
        guard case .success(let records) = result else { return self }
        var report = self
        switch (question, records) {
        case (.addresses, .addresses(let addresses)):
            report.result = Self.checked(addresses, for: question)
        case (.names, .names), (.services, .services), (.texts, .texts):
            guard records.isEmpty else { break }
            report.result = .failure(ResolverError(question.name, .noAddress))
        default:
            report.result = .failure(ResolverError(question.name, .badAnswer))
        }
        return report
    }

    private static func checked(
        _ addresses: [IPAddress], for question: NameQuestion
    ) -> Result<Records, ResolverError> {
        var seen: Set<IPAddress> = []
        let asked = question.families
        let wanted = addresses.filter { address in
            asked.contains(address.isIPv6 ? .ipv6 : .ipv4) && seen.insert(address).inserted
        }
        if wanted.isEmpty { return .failure(ResolverError(question.name, .noAddress)) }
        return .success(.addresses(wanted))
    }
}

extension NameReport.Records {
    fileprivate var isEmpty: Bool {
        switch self {
        case .addresses(let addresses): addresses.isEmpty
        case .names(let names): names.isEmpty
        case .services(let services): services.isEmpty
        case .texts(let texts): texts.isEmpty
        }
    }
}
