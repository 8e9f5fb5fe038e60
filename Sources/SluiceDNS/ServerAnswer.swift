// SPDX-License-Identifier: Apache-2.0
//
// What an answer says to the question that it belongs to: records at the end of a chain of other
// names, or that there are none.

package import Sluice

/// What a server's answer comes to.
package enum ServerAnswer: Hashable, Sendable {
    /// Records, and the name that they stand by.
    case found(NameReport.Records, seconds: UInt32, owner: DNSName)
    /// The name is there, without a record of this kind.
    case noData(seconds: UInt32?)
    /// There is no such name.
    case unknownName(seconds: UInt32?)
    /// No answer can be had.
    case failed(ResolverError.Reason)

    /// Other names are followed for so many steps, at most.
    static let stepLimit = 16

    /// Reads a sound message whose question is the one that was asked.
    package init(_ message: DNSMessage, to question: DNSQuestion) {
        switch message.code {
        case .noError, .unknownName: self = Self.read(message, question)
        case .refused: self = .failed(.refused)
        case .notImplemented: self = .failed(.notImplemented)
        default: self = .failed(.serverFailed)
        }
    }

    private static func read(_ message: DNSMessage, _ question: DNSQuestion) -> Self {
        guard let chain = message.chain(from: question) else { return .failed(.badAnswer) }
        if chain.records.isEmpty { return none(message, chain.owner) }
        guard let records = message.records(chain.records, question.kind) else {
            // A service that is told not to be there. Source: RFC 2782, `Target`.
            let isService = question.kind == RecordKind.service.rawValue
            let isDenied =
                isService
                && chain.records.allSatisfy { message.service(of: $0)?.host.isRoot == true }
            return isDenied ? .noData(seconds: chain.seconds) : .failed(.badAnswer)
        }
        return .found(records, seconds: chain.seconds, owner: chain.owner)
    }

    /// How long it holds that there is nothing, is told by the zone that would know.
    ///
    /// Source: RFC 2308, 5.
    private static func none(_ message: DNSMessage, _ owner: DNSName) -> Self {
        let zone = message.authorities.first {
            $0.kind == RecordKind.authority.rawValue && owner.isWithin($0.name)
        }
        let seconds = zone.flatMap { message.negativeTimeToLive(of: $0) }
        if message.code == .unknownName { return .unknownName(seconds: seconds) }
        return .noData(seconds: seconds)
    }
}

extension DNSMessage {
    /// The records at the end of a chain of other names, and the lowest time to live on the way; no
    /// records where it leads nowhere; `nil` for a chain that is too long or goes in a circle.
    fileprivate func chain(
        from question: DNSQuestion
    ) -> (owner: DNSName, records: [Record], seconds: UInt32)? {
        var found: [DNSName: [Record]] = [:]
        var others: [DNSName: Record] = [:]
        for record in answers {
            if record.kind == question.kind { found[record.name, default: []].append(record) }
            if record.kind == RecordKind.canonicalName.rawValue { others[record.name] = record }
        }
        var owner = question.name
        var seconds = UInt32.max
        for _ in 0...ServerAnswer.stepLimit {
            if let records = found[owner] {
                let times = records.map { Self.plausible($0.timeToLive) } + [seconds]
                return (owner, records, times.min() ?? 0)
            }
            guard let other = others[owner], let target = target(of: other) else {
                return (owner, [], seconds)
            }
            seconds = min(seconds, Self.plausible(other.timeToLive))
            owner = target
        }
        return nil
    }

    /// The records as values; `nil` where none is of use.
    fileprivate func records(_ records: [Record], _ kind: UInt16) -> NameReport.Records? {
        switch RecordKind(rawValue: kind) {
        case .a, .aaaa:
            var seen: Set<IPAddress> = []
            let addresses = records.compactMap { IPAddress(packed: bytes[$0.data]) }
            let unlike = addresses.filter { seen.insert($0).inserted }
            return unlike.isEmpty ? nil : .addresses(unlike)
        case .pointer:
            let names = records.compactMap { target(of: $0)?.hostText }
            return names.isEmpty ? nil : .names(names)
        case .service:
            let services = records.compactMap(serviceRecord)
            return services.isEmpty ? nil : .services(services)
        case .text:
            let texts = records.compactMap(pieces).map(TextRecord.init)
            return texts.isEmpty ? nil : .texts(texts)
        default: return nil
        }
    }

    private func serviceRecord(_ record: Record) -> ServiceRecord? {
        guard let service = service(of: record), let host = service.host.hostText else {
            return nil
        }
        return ServiceRecord(
            host: host, port: service.port, priority: service.priority, weight: service.weight)
    }
}
