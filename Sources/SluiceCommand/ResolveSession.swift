// SPDX-License-Identifier: Apache-2.0
//
// Several names asked for at once, and shown in the order in which they were given.

import ArgumentParser
import Sluice
import SluiceReport

/// The names that `sluice resolve` asks for.
final class ResolveSession {
    private let names: [(String, NameKind)]
    private let limit: Duration
    private let isJSON: Bool
    private var found: [ResolvedName?]
    /// How many are shown already.
    private var shown = 0
    private var hasFailed = false
    private var hasShownTable = false

    init(_ names: [(String, NameKind)], within limit: Duration, asJSON isJSON: Bool) {
        self.names = names
        self.limit = limit
        self.isJSON = isJSON
        found = Array(repeating: nil, count: names.count)
    }

    /// Asks, waits and shows.
    ///
    /// - Throws: `ExitCode` where a name did not resolve.
    func run(on reactor: Reactor, asking resolver: Resolver) throws {
        for (place, (name, kind)) in names.enumerated() {
            resolver.ask(name, kind, within: limit) { self.take($0, at: place) }
        }
        reactor.run(until: { shown == names.count })
        if isJSON {
            StandardStreams.say(JSONValue.array(found.compactMap { $0?.json }).description)
        }
        if hasFailed { throw ExitCode.unavailable }
    }

    private func take(_ resolved: ResolvedName, at place: Int) {
        found[place] = resolved
        while shown < found.count, let next = found[shown] {
            show(next)
            shown += 1
        }
    }

    private func show(_ resolved: ResolvedName) {
        if let error = resolved.error {
            hasFailed = true
            StandardStreams.complain(PrintedText.safe("\(error)"))
        }
        guard !isJSON, let text = resolved.text else { return }
        StandardStreams.say((hasShownTable ? "\n" : "") + text)
        hasShownTable = true
    }
}

extension Resolver {
    /// Asks for what `kind` says of a name.
    func ask(
        _ name: String, _ kind: NameKind, within limit: Duration,
        _ completion: @escaping (ResolvedName) -> Void
    ) {
        switch kind.question(for: name) {
        case .addresses(let name, let family):
            addresses(of: name, family: family, within: limit) {
                completion(ResolvedName(name, kind, $0) { .init($0) })
            }
        case .names(let address):
            names(of: address, within: limit) {
                completion(ResolvedName(name, kind, $0) { .init(name: $0) })
            }
        case .services(let name):
            services(of: name, within: limit) {
                completion(ResolvedName(name, kind, $0) { .init($0) })
            }
        case .texts(let name):
            texts(of: name, within: limit) {
                completion(ResolvedName(name, kind, $0) { .init($0) })
            }
        case nil:
            // Refused when the command line was read.
            let error = ResolverError(name, .unknownName)
            let result = Result<NameAnswer<[String]>, ResolverError>.failure(error)
            completion(ResolvedName(name, kind, result) { .init(name: $0) })
        }
    }
}
