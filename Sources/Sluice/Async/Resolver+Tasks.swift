// SPDX-License-Identifier: Apache-2.0
//
// Questions about names from tasks: each asks the resolver of a reactor and waits for its answer.

extension Resolver {
    /// The addresses of a host, in the order in which they should be tried.
    ///
    /// As ``addresses(of:family:within:_:)``, asked of ``Reactor/resolver`` on the reactor of
    /// `executor`.
    ///
    /// - Throws: ``ResolverError``; `.cancelled` where the task was cancelled or the reactor has
    ///   ended, `.timedOut` where a deadline has passed.
    public static func addresses(
        of name: String, family: AddressFamily = .unspecified, within limit: Duration? = nil,
        on executor: Reactor.Executor
    ) async throws(ResolverError) -> NameAnswer<[IPAddress]> {
        try await executor.answer(on: name) {
            $0.addresses(of: name, family: family, within: limit, $1)
        }
    }

    /// The names of the host that has an address, the official one first.
    ///
    /// As ``names(of:within:_:)``, asked of ``Reactor/resolver`` on the reactor of `executor`.
    ///
    /// - Throws: ``ResolverError``, as ``addresses(of:family:within:on:)``.
    public static func names(
        of address: IPAddress, within limit: Duration? = nil, on executor: Reactor.Executor
    ) async throws(ResolverError) -> NameAnswer<[String]> {
        try await executor.answer(on: "\(address)") { $0.names(of: address, within: limit, $1) }
    }

    /// Which hosts offer a service, by a name such as `_imap._tcp.example.org`.
    ///
    /// As ``services(of:within:_:)``, asked of ``Reactor/resolver`` on the reactor of `executor`.
    ///
    /// - Throws: ``ResolverError``, as ``addresses(of:family:within:on:)``.
    public static func services(
        of name: String, within limit: Duration? = nil, on executor: Reactor.Executor
    ) async throws(ResolverError) -> NameAnswer<[ServiceRecord]> {
        try await executor.answer(on: name) { $0.services(of: name, within: limit, $1) }
    }

    /// The texts that stand beside a name.
    ///
    /// As ``texts(of:within:_:)``, asked of ``Reactor/resolver`` on the reactor of `executor`.
    ///
    /// - Throws: ``ResolverError``, as ``addresses(of:family:within:on:)``.
    public static func texts(
        of name: String, within limit: Duration? = nil, on executor: Reactor.Executor
    ) async throws(ResolverError) -> NameAnswer<[TextRecord]> {
        try await executor.answer(on: name) { $0.texts(of: name, within: limit, $1) }
    }
}

/// Puts a question to a resolver, with a completion for its answer.
private typealias Asking<Value: Hashable & Sendable> =
    @Sendable (
        Resolver, @escaping (Result<NameAnswer<Value>, ResolverError>) -> Void
    ) -> ResolverQuestion

extension Reactor.Executor {
    fileprivate func answer<Value>(
        on name: String, _ ask: Asking<Value>
    ) async throws(ResolverError) -> NameAnswer<Value> {
        let result = await withTaskExecutorPreference(self) { await self.result(on: name, ask) }
        return try result.get()
    }

    @concurrent
    private func result<Value>(
        on name: String, _ ask: Asking<Value>
    ) async -> Result<NameAnswer<Value>, ResolverError> {
        let waiter = Waiter(on: self)
        var result: Result<NameAnswer<Value>, ResolverError>?
        var question: ResolverQuestion?
        let outcome = await wait(waiter) {
            guard let reactor else { return false }
            question = ask(reactor.resolver) { answer in
                result = answer
                waiter.resume()
            }
            return true
        }
        if let result { return result }
        question?.cancel()
        return .failure(ResolverError(name, outcome == .timedOut ? .timedOut : .cancelled))
    }
}
