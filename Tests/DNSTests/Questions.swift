// SPDX-License-Identifier: Apache-2.0
//
// What most tests of name servers share: options without the machine's set-up, and a question that
// is asked and waited for.

import Sluice
import TestSupport
import Testing

@testable import SluiceDNS

extension NameServerOptions {
    /// These servers alone: no list of hosts, no search domains, and little patience.
    static func only(_ servers: [SocketAddress]) -> NameServerOptions {
        var options = NameServerOptions()
        options.servers = servers
        options.resolvConf = "/dev/null"
        options.hosts = .none
        options.searchDomains = []
        options.timeout = .milliseconds(400)
        options.attempts = 2
        return options
    }

    /// Changes one thing.
    func with<Value>(
        _ property: WritableKeyPath<NameServerOptions, Value>, _ value: Value
    ) -> NameServerOptions {
        var options = self
        options[keyPath: property] = value
        return options
    }
}

extension NameServers {
    /// Asks, and runs the reactor until the answer comes.
    func report(on question: NameQuestion, _ reactor: Reactor) -> NameReport? {
        var report: NameReport?
        _ = begin(question) { report = $0 }
        reactor.expect("the answer comes") { report != nil }
        return report
    }

    /// Asks for the IPv4 addresses of a host.
    func report(on name: String, _ reactor: Reactor) -> NameReport? {
        report(on: .addresses(of: name, family: .ipv4), reactor)
    }
}

extension NameReport {
    /// The addresses, where there are some.
    var texts: [String]? {
        if case .success(.addresses(let addresses)) = result { return addresses.map { "\($0)" } }
        return nil
    }

    /// Why there is nothing.
    var reason: ResolverError.Reason? {
        if case .failure(let error) = result { return error.reason }
        return nil
    }
}
