// SPDX-License-Identifier: Apache-2.0
//
// From a question to its report: the list of hosts, then the servers, name by name.
// Whoever asks is called in a later turn, and never from inside c-ares.

import Sluice

extension ServerChannel {
    /// So many are told in one turn.
    private static let reportsPerTurn = 256
    /// With so many questions that nobody waits for, others are held back.
    private static let abandonedLimit = 1_024

    /// Begins to ask; a channel that has ended never answers.
    func begin(
        _ number: UInt64, _ question: NameQuestion, _ completion: @escaping (NameReport) -> Void
    ) {
        if hasEnded { return }
        if let report = listed(question) {
            inquiries[number] = NameInquiry(question, [], completion)
            finish(number, report)
            return deliverLater()
        }
        switch NameInquiry.searches(for: question, in: domains, ndots: ndots) {
        case .failure(let error):
            inquiries[number] = NameInquiry(question, [], completion)
            // No server is asked: it was looked up in the list, and that is all.
            finish(number, NameReport(.failure(error), from: .hosts))
        case .success(let searches):
            inquiries[number] = NameInquiry(question, searches, completion)
            held.append(number)
            // Those that were given up meanwhile are not let go of one by one.
            if held.count > 2 * inquiries.count + 64 { held.removeAll { inquiries[$0] == nil } }
            settle()
        }
        if !finished.isEmpty { deliverLater() }
    }

    /// Asks for the one that waits longest, if it may.
    ///
    /// c-ares can't be told to stop with a question: without a limit whoever gives up sooner than
    /// silent servers are given up would fill it.
    ///
    /// - Returns: whether there was one.
    func beginNext() -> Bool {
        guard abandonedCount < Self.abandonedLimit, let number = held.popFirst() else {
            return false
        }
        for search in inquiries[number]?.searches.indices ?? 0..<0 {
            advance(number, search, after: nil)
        }
        return true
    }

    /// Nobody waits any more; what servers are being asked goes on to its end.
    func giveUp(_ number: UInt64) {
        // Let go of outside the access: what it has captured may come here again.
        let inquiry = remove(number)
        withExtendedLifetime(inquiry) {}
    }

    private func remove(_ number: UInt64) -> NameInquiry? {
        let inquiry = inquiries.removeValue(forKey: number)
        abandonedCount += inquiry?.underWay ?? 0
        return inquiry
    }

    /// A host's line in the list, if it has one; the servers are not asked then.
    private func listed(_ question: NameQuestion) -> NameReport? {
        switch question {
        case .addresses(let name, let family):
            guard let host = hosts.host(named: name) else { return nil }
            let addresses = host.addresses.filter {
                family == .unspecified || $0.isIPv6 == (family == .ipv6)
            }
            if addresses.isEmpty {
                return NameReport(
                    .failure(ResolverError(name, .noAddress)), from: .hosts, timeToLive: .zero)
            }
            return NameReport(
                .success(.addresses(NameInquiry.sorted(addresses))), from: .hosts,
                canonicalName: DNSName(host.name) == DNSName(name) ? nil : host.name)
        case .names(let address):
            if let names = hosts.names(of: address.unmapped) {
                return NameReport(.success(.names(names)), from: .hosts)
            }
            // Nobody else knows who this machine is to itself. Source: RFC 6761, 6.3.
            guard address.unmapped.isLoopback else { return nil }
            return NameReport(.success(.names(["localhost"])), from: .localhost)
        case .services, .texts: return nil
        }
    }

    /// Takes what came of a question to the servers.
    func take(
        _ answer: ServerAnswer, for number: UInt64, _ search: Int, from server: SocketAddress?
    ) {
        // Given up meanwhile.
        guard inquiries[number] != nil else { return }
        if let server { inquiries[number]?.server = server }
        advance(number, search, after: answer)
    }

    private func advance(_ number: UInt64, _ search: Int, after answer: ServerAnswer?) {
        let step =
            if let answer {
                inquiries[number]?.searches[search].next(after: answer)
            } else {
                inquiries[number]?.searches[search].begin()
            }
        switch step {
        case .ask(let question): ask(question, for: number, search)
        case .over(let answer):
            inquiries[number]?.answers[search] = answer
            if let report = inquiries[number]?.report(ascribedTo: servers[0]) {
                finish(number, report)
            }
        case nil: break
        }
    }

    private func finish(_ number: UInt64, _ report: NameReport) {
        finished.append((number, report))
    }

    /// Tells those who wait; to be called where c-ares is not running, and by nobody who asks.
    func deliver() {
        var remaining = Self.reportsPerTurn
        while remaining > 0, let (number, report) = finished.popFirst() {
            remaining -= 1
            remove(number)?.completion(report)
        }
        // A slice keeps what was taken from it.
        if finished.isEmpty { finished = [] } else { deliverLater() }
    }

    private func deliverLater() {
        if hasEnded || deliveryTimer != nil { return }
        deliveryTimer = reactor?.after(.zero) { [weak self] in
            self?.deliveryTimer = nil
            self?.deliver()
        }
    }
}
