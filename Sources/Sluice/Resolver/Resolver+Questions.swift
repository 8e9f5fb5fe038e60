// SPDX-License-Identifier: Apache-2.0
//
// What a resolver can be asked: addresses of names, names of addresses, services and texts.

extension Resolver {
    /// Asks for the addresses of a host, in the order in which they should be tried.
    ///
    /// A number is its own address; `localhost` and every name below it is ::1 and 127.0.0.1. A
    /// name that is empty or `*`, or that has a zero byte, two dots in a row, more than 63 bytes
    /// between two dots or more than 253 in all is known to nobody, nor is `onion` or a name below
    /// it. Where only one of the two families has addresses, or only one has come when time is up,
    /// that is the answer. Source: RFC 6761, 6.3, RFC 7686, 2, RFC 1035, 2.3.4.
    ///
    /// - Parameters:
    ///   - name: an ASCII letter's case makes no difference.
    ///   - family: `.ipv4`, `.ipv6`, or `.unspecified` for both.
    ///   - limit: how long it may take, then the error is `.timedOut`; `nil` for
    ///     ``ResolverOptions/timeLimit``.
    ///   - completion: called once, in a later turn.
    /// - Returns: the question, to cancel it by.
    @discardableResult
    public func addresses(
        of name: String, family: AddressFamily = .unspecified, within limit: Duration? = nil,
        _ completion: @escaping (Result<NameAnswer<[IPAddress]>, ResolverError>) -> Void
    ) -> ResolverQuestion {
        ask(.addresses(of: name, family: family), within: limit, completion) { records in
            if case .addresses(let addresses) = records { addresses } else { nil }
        }
    }

    /// Asks for the names of the host that has an address, the official one first.
    ///
    /// As ``addresses(of:family:within:_:)``.
    @discardableResult
    public func names(
        of address: IPAddress, within limit: Duration? = nil,
        _ completion: @escaping (Result<NameAnswer<[String]>, ResolverError>) -> Void
    ) -> ResolverQuestion {
        ask(.names(of: address), within: limit, completion) { records in
            if case .names(let names) = records { names } else { nil }
        }
    }

    /// Asks which hosts offer a service, by a name such as `_imap._tcp.example.org`.
    ///
    /// As ``addresses(of:family:within:_:)``; the system's name service answers `.notSupported`.
    /// Source: RFC 2782.
    @discardableResult
    public func services(
        of name: String, within limit: Duration? = nil,
        _ completion: @escaping (Result<NameAnswer<[ServiceRecord]>, ResolverError>) -> Void
    ) -> ResolverQuestion {
        ask(.services(of: name), within: limit, completion) { records in
            if case .services(let services) = records { services } else { nil }
        }
    }

    /// Asks for the texts that stand beside a name.
    ///
    /// As ``addresses(of:family:within:_:)``; the system's name service answers `.notSupported`.
    /// Source: RFC 1035, 3.3.14.
    @discardableResult
    public func texts(
        of name: String, within limit: Duration? = nil,
        _ completion: @escaping (Result<NameAnswer<[TextRecord]>, ResolverError>) -> Void
    ) -> ResolverQuestion {
        ask(.texts(of: name), within: limit, completion) { records in
            if case .texts(let texts) = records { texts } else { nil }
        }
    }

    /// Asks for a host's addresses, and tells them as they come: each family by itself where the
    /// source asks for them apart.
    ///
    /// `part` is called in later turns, each time in one of its own, until one is the last.
    func addressParts(
        of name: String, within limit: Duration? = nil,
        _ part: @escaping (AddressPart) -> Void
    ) -> ResolverQuestion {
        ask(.addresses(of: name, family: .unspecified), within: limit, .parts(part))
    }

    private func ask<Value: Hashable & Sendable>(
        _ question: NameQuestion, within limit: Duration?,
        _ completion: @escaping (Result<NameAnswer<Value>, ResolverError>) -> Void,
        reading value: @escaping (NameReport.Records) -> Value?
    ) -> ResolverQuestion {
        ask(
            question, within: limit,
            .whole { report, time in
                completion(report.answer(to: question, in: time, reading: value))
            })
    }
}

extension NameReport {
    fileprivate func answer<Value: Hashable & Sendable>(
        to question: NameQuestion, in time: Duration, reading value: (Records) -> Value?
    ) -> Result<NameAnswer<Value>, ResolverError> {
        result.flatMap { records in
            guard let value = value(records) else {
                return .failure(ResolverError(question.name, .badAnswer))
            }
            return .success(
                NameAnswer(
                    value: value, origin: origin, timeToLive: timeToLive,
                    canonicalName: canonicalName, time: time))
        }
    }
}
