// SPDX-License-Identifier: Apache-2.0
//
// `sluice serve`: one of the simple services at several addresses, until a signal ends it.

import ArgumentParser
import Sluice

/// `sluice serve`.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve echo, discard, chargen, daytime or time (RFC 862, 863, 864, 867, 868).",
        discussion: """
            Prints `listening on ADDRESS:PORT`, a line for each address, when it is ready. SIGINT \
            and SIGTERM have it accept no more and wait for its clients; a second one ends it at \
            once. Times are 500ms, 10s, 2m or 1h; a bare number is seconds.

            With --udp each datagram is answered by one: echo's has the same bytes, up to 65,536; \
            chargen's has 0 to 512 characters, by chance; discard answers none. Senders may be \
            forged, and two services that answer each other never end: as with inetd, senders at \
            the ports of echo, daytime, chargen and time (7, 13, 19, 37) and at the service's own \
            port are not answered. A datagram that can't be answered is dropped, and a signal ends \
            the server at once.
            """)

    @Argument(help: "What to serve.")
    var service: SimpleService

    @Option(
        help: "Where to listen; may be given several times. (default: 127.0.0.1, unless --unix)")
    var host: [String] = []

    @Option(
        help: """
            The port, the same for every host: 0 to 65535 or the name of a service; 0 lets the \
            kernel choose.
            """)
    var port = PortArgument(0)

    @Option(help: ArgumentHelp("Listen on a Unix socket, too.", valueName: "path"))
    var unix: String?

    @Flag(help: "Serve datagrams: UDP, and with --unix those of a Unix socket.")
    var udp = false

    @Option(help: "How the clients are served.")
    var style = ServeStyle.callback

    @Option(help: "How many threads serve, each with a part of the clients.")
    var workers = 1

    @Option(help: "How clients get to the threads; with --udp the kernel chooses in any case.")
    var distribution = DistributionArgument.handOver

    @OptionGroup(title: "Text")
    var text: TextArguments

    @Option(help: "How many clients to hold at most; more wait in the backlog.")
    var maxConnections: Int?

    @Option(help: "Close a client when no byte came or went for this long.")
    var idleTimeout: DurationArgument?

    @Option(help: "How long to wait for the clients at the end. (default: 5s)")
    var drain: DurationArgument?

    @Option(help: "How many clients may wait to be accepted. (default: 4096)")
    var backlog: Int?

    @Flag(help: "Share the port with other servers of this user.")
    var reusePort = false

    @Flag(help: "Leave the limit on descriptors as it is instead of raising it.")
    var keepDescriptorLimit = false

    func validate() throws {
        _ = try portNumber()
        if let backlog, backlog < 1 || Int32(exactly: backlog) == nil {
            throw ValidationError("--backlog is 1 or more")
        }
        guard (1...1_024).contains(workers) else {
            throw ValidationError("--workers is a number from 1 to 1024")
        }
        if let maxConnections, maxConnections < 1 {
            throw ValidationError("--max-connections is 1 or more")
        }
        if style == .lines, !service.hasLines {
            throw ValidationError("--style lines is for echo and discard")
        }
        if style != .lines, text.areGiven {
            throw ValidationError("--encoding, --translation and --end-mark need --style lines")
        }
        if idleTimeout?.duration == .zero { throw ValidationError("--idle-timeout is more than 0") }
        if udp { try validateDatagrams() }
    }

    func run() throws {
        try reportingFaults {
            if !keepDescriptorLimit { DescriptorLimit.raise() }
            let reactor = try Reactor()
            let addresses = try listeningAddresses()
            do throws(SocketError) {
                if udp {
                    try serveDatagrams(at: addresses, reactor)
                } else {
                    try serveStreams(at: addresses, reactor)
                }
            } catch {
                StandardStreams.complain("\(error)")
                throw ExitCode.unavailable
            }
        }
    }

    private func serveStreams(
        at addresses: [SocketAddress], _ reactor: Reactor
    ) throws(SocketError) {
        service.prepare()
        if workers == 1 {
            let server = try open(reactor, addresses)
            try serve(at: server.addresses, reactor) { stop in
                server.drain(within: drainLimit) { _ in stop() }
            }
        } else {
            let servers = try WorkerServers(
                count: workers, at: addresses, options: groupOptions, reactor)
            servers.serve(service, style, reactor)
            try serve(at: servers.addresses, reactor) { stop in servers.drain(stop) }
            servers.stop()
        }
    }

    private var drainLimit: Duration { drain?.duration ?? .seconds(5) }

    /// Opens a server on the main thread's reactor.
    private func open(
        _ reactor: Reactor, _ addresses: [SocketAddress]
    ) throws(SocketError) -> Server {
        reactor.onError = complain
        if style == .async {
            return try Server(
                on: reactor, at: addresses, options: options, handler: service.handler)
        }
        return try Server(on: reactor, at: addresses, options: options) {
            [service, style] channel, _ in try service.serve(channel, style)
        }
    }

    private func portNumber() throws -> UInt16 { try port.number(udp ? "udp" : "tcp") }

    private func listeningAddresses() throws -> [SocketAddress] {
        let port = try portNumber()
        let names = host.isEmpty && unix == nil ? ["127.0.0.1"] : host
        let hosts = try names.map { name in
            do throws(ResolverError) {
                return SocketAddress.ip(try HostName.addresses(of: name)[0], port: port)
            } catch {
                StandardStreams.complain("\(error)")
                throw ExitCode.unavailable
            }
        }
        return hosts + (unix.map { [.unix(path: $0)] } ?? [])
    }

    private var options: ServerOptions {
        var options = ServerOptions()
        options.samePort = true
        if let backlog { options.listener.backlog = backlog }
        options.listener.reusePort = reusePort
        options.channel.idleTimeout = idleTimeout?.duration
        options.channel.lingerLimit = drainLimit
        if let maxConnections { options.maximumConnections = maxConnections }
        // They were checked when the command line was read.
        if let text = try? text.text() { options.channel.text = text }
        return options
    }

    private var groupOptions: ServingOptions {
        var group = ServingOptions()
        group.server = options
        group.distribution = distribution.value
        group.drainLimit = drainLimit
        return group
    }

    /// Serves until a signal has it drain, and a second one end at once.
    func serve(
        at addresses: [SocketAddress], _ reactor: Reactor,
        _ drain: @escaping (_ stop: @escaping () -> Void) -> Void
    ) throws(SocketError) {
        var signals = 0
        let end = {
            signals += 1
            if signals > 1 { return reactor.stop() }
            drain { reactor.stop() }
        }
        let interrupt = try reactor.onSignal(.interrupt, end)
        let terminate = try reactor.onSignal(.terminate, end)
        for address in addresses { StandardStreams.say("listening on \(address)") }
        reactor.run()
        interrupt.end()
        terminate.end()
    }
}

/// How `sluice serve` talks to its clients.
enum ServeStyle: String, CaseIterable, ExpressibleByArgument {
    /// A callback for the bytes as they come.
    case callback
    /// A callback for each line of text.
    case lines
    /// A task for each client.
    case async
}

/// How the clients of `sluice serve --workers` get to their threads.
enum DistributionArgument: String, CaseIterable, ExpressibleByArgument {
    /// One thread accepts, and gives each client to the thread with the fewest.
    case handOver = "hand-over"
    /// Each thread listens, and the kernel chooses.
    case reusePort = "reuse-port"

    var value: ServingOptions.Distribution {
        switch self {
        case .reusePort: .reusePort
        case .handOver: .handOver
        }
    }
}

/// Tells on standard error what went wrong for a client.
@Sendable
func complain(_ error: any Error, _ channel: Channel?) {
    // An error of the channel tells its address by itself.
    let hasPlace = error is SocketError || error is ChannelError
    let place = hasPlace ? nil : channel.map { " (\($0.peerAddress))" }
    StandardStreams.complain("\(error)\(place ?? "")")
}
