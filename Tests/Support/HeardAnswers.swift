// SPDX-License-Identifier: Apache-2.0
//
// What a resolver has told a test: the answers in their order, by the names that they were asked
// under.

public import Sluice

/// Asks a resolver for addresses and notes what it answers.
public final class HeardAnswers {
    /// What a resolver answers when it is asked for addresses.
    public typealias Answer = Result<NameAnswer<[IPAddress]>, ResolverError>

    /// What came, in order, with the name that was asked for.
    public private(set) var list: [(name: String, answer: Answer)] = []
    private let resolver: Resolver

    /// Nothing was heard of this resolver to begin with.
    public init(_ resolver: Resolver) { self.resolver = resolver }

    /// The names in the order in which they were answered.
    public var names: [String] { list.map(\.name) }

    /// The addresses of each answer, as text; failures have none.
    public var addresses: [[String]] {
        list.map { entry in
            if case .success(let answer) = entry.answer {
                answer.value.map(\.description)
            } else {
                []
            }
        }
    }

    /// Why questions were not answered, in order.
    public var failures: [ResolverError] {
        list.compactMap { if case .failure(let error) = $0.answer { error } else { nil } }
    }

    /// The one answer there is, if it is one.
    public var only: NameAnswer<[IPAddress]>? {
        guard list.count == 1, case .success(let answer) = list[0].answer else { return nil }
        return answer
    }

    /// Asks for a name's addresses.
    @discardableResult
    public func ask(
        _ name: String, _ family: AddressFamily = .unspecified, within limit: Duration? = nil
    ) -> ResolverQuestion {
        resolver.addresses(of: name, family: family, within: limit) { [self] answer in
            list.append((name, answer))
        }
    }
}
