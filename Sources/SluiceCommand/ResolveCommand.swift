// SPDX-License-Identifier: Apache-2.0
//
// `sluice resolve`: names and addresses, with who answers and for how long.

import ArgumentParser
import Sluice
import SluiceDNS

/// `sluice resolve`.
struct ResolveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Show what names stand for, who says so and for how long.",
        discussion: """
            Addresses are shown in the order in which they would be tried. The source is `number` \
            for a name that is one, `localhost`, `hosts` for the list of hosts, `cache`, `system` \
            for the machine's own name service (getaddrinfo), or `server` with its address. The \
            system does not tell how long its answers hold.

            All names are asked for at once and shown in the order in which they are given; a name \
            that does not resolve is told on standard error, and the others are shown.

            Exit status: 0 all resolved, 64 wrong usage, 69 a name that did not resolve.
            """)

    @Argument(help: "A name; or an address, to be shown its names.")
    var names: [String]

    @Option(
        help: """
            What to ask for; services and texts are always asked of name servers. (default: \
            addresses for a name, ptr for an address)
            """)
    var type: NameKind?

    @Option(
        help: ArgumentHelp(
            """
            Ask this name server, and no list of hosts; may be given several times, for when the \
            first one fails.
            """,
            valueName: "address[:port]"))
    var server: [NameServerArgument] = []

    @Flag(help: "Ask the name servers of resolv.conf in place of the system.")
    var dns = false

    @Option(help: "How long each name may take.")
    var timeout = DurationArgument(.seconds(10))

    @Flag(help: "Print one JSON array, with an object for each name.")
    var json = false

    func validate() throws {
        if timeout.duration <= .zero { throw ValidationError("--timeout is more than 0") }
        if names.count > Self.mostNames {
            throw ValidationError("at most \(Self.mostNames) names at once")
        }
        for name in names where kind(of: name).question(for: name) == nil {
            throw ValidationError("--type ptr is for addresses, and '\(name)' is none")
        }
    }

    /// As many as a resolver takes to begin with.
    private static let mostNames = 16_384

    func run() throws {
        try reportingFaults {
            let reactor = try Reactor()
            let session = ResolveSession(
                names.map { ($0, kind(of: $0)) }, within: timeout.duration, asJSON: json)
            try session.run(on: reactor, asking: resolver(on: reactor))
        }
    }

    private func kind(of name: String) -> NameKind { type ?? .usual(for: name) }

    private func resolver(on reactor: Reactor) throws -> Resolver {
        var options = ResolverOptions()
        options.timeLimit = timeout.duration
        guard dns || !server.isEmpty || type?.needsNameServers == true else {
            return Resolver(on: reactor, options: options)
        }
        var servers = NameServerOptions()
        if !server.isEmpty {
            servers.servers = server.map(\.address)
            // Who names a server wants to see what it says, not what this machine knows.
            servers.hosts = .none
        }
        do throws(ResolverError) {
            return try Resolver(asking: servers, on: reactor, options: options)
        } catch {
            StandardStreams.complain("\(error)")
            throw ExitCode.unavailable
        }
    }
}
