// SPDX-License-Identifier: Apache-2.0
//
// `sluice connect`: a person's own connection, standard input to the peer and the peer to standard
// output.

import ArgumentParser
import Sluice

/// `sluice connect`.
struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Connect standard input and output to a server.",
        discussion: """
            The end of standard input ends the writing side alone; what the server still sends is \
            printed until the server ends, too.

            With --udp each read of standard input is a datagram: a line from a terminal, and at \
            most 65,507 bytes of a pipe or a file. Each datagram that comes is printed as it is. \
            After the end of standard input answers have --wait to come. Of a name's addresses the \
            first one that a socket can be had for is taken; none of the others is tried.

            Exit status: 0 well, 69 nobody there, 70 a connection that was cut.
            """)

    @Argument(help: "The server's name or address.")
    var host: String?

    @Argument(help: "The server's port, or the name of a service.")
    var port: PortArgument?

    @Option(help: ArgumentHelp("Connect to a Unix socket.", valueName: "path"))
    var unix: String?

    @Flag(help: "Send and receive datagrams: UDP, or with --unix those of a Unix socket.")
    var udp = false

    @Option(help: "With --udp: how long to wait for answers at the end. (default: 1s)")
    var wait: DurationArgument?

    @Option(help: "How long the connection may take to open. (default: 10s)")
    var timeout: DurationArgument?

    @Flag(help: "Keep the writing side open at the end of standard input.")
    var keepOpen = false

    @OptionGroup(title: "Text")
    var text: TextArguments

    func validate() throws {
        let number = try portNumber()
        if unix == nil, host == nil || number == nil || number == 0 {
            throw ValidationError("a HOST and a PORT from 1, or --unix PATH, are needed")
        }
        if unix != nil, host != nil { throw ValidationError("HOST and --unix exclude each other") }
        if unix?.isEmpty == true { throw ValidationError("--unix is a path") }
        if !udp, wait != nil { throw ValidationError("--wait needs --udp") }
        if udp, timeout != nil || keepOpen || text.areGiven {
            throw ValidationError(
                "--timeout, --keep-open, --encoding, --translation and --end-mark are not for --udp"
            )
        }
    }

    func run() throws {
        try reportingFaults {
            let reactor = try Reactor()
            let endpoint = try endpoint()
            if udp {
                let relay = DatagramRelay(
                    of: try openSocket(to: endpoint, on: reactor), on: reactor,
                    waitingFor: wait?.duration ?? .seconds(1))
                return try relay.run()
            }
            let channel = try open(endpoint, on: reactor)
            let text = text.areGiven ? try text.text() : nil
            let relay = Relay(of: channel, on: reactor, keepsOpen: keepOpen, as: text)
            try relay.run()
        }
    }

    private func portNumber() throws -> UInt16? { try port?.number(udp ? "udp" : "tcp") }

    private func endpoint() throws -> Endpoint {
        if let unix { return .address(.unix(path: unix)) }
        return .host(host ?? "", port: try portNumber() ?? 0)
    }

    private func open(_ endpoint: Endpoint, on reactor: Reactor) throws -> Channel {
        var options = ClientOptions()
        options.timeout = timeout?.duration ?? .seconds(10)
        var answer: Result<Channel, ConnectError>?
        do throws(SocketError) {
            try Client(on: reactor, options: options).connect(to: endpoint) { answer = $0 }
        } catch {
            throw unavailable("\(error)")
        }
        reactor.run(until: { answer != nil })
        switch answer {
        case .success(let channel): return channel
        case .failure(let error): throw unavailable("\(error)")
        case nil: throw ExitCode.software  // Nobody stops the reactor.
        }
    }

    /// Opens a socket to the first of the host's addresses that one can be connected to.
    private func openSocket(
        to endpoint: Endpoint, on reactor: Reactor
    ) throws -> DatagramChannel {
        var failure = "no address"
        for peer in try peers(of: endpoint) {
            do throws(SocketError) {
                // A Unix socket is answered only where it has a name.
                return try DatagramChannel(
                    on: reactor, connectedTo: peer, from: unix == nil ? nil : .unnamed)
            } catch {
                failure = "\(error)"
            }
        }
        throw unavailable(failure)
    }

    private func peers(of endpoint: Endpoint) throws -> [SocketAddress] {
        guard case .host(let name, let port) = endpoint else {
            return endpoint.numericAddress.map { [$0] } ?? []
        }
        do throws(ResolverError) {
            return try HostName.addresses(of: name).map { .ip($0, port: port) }
        } catch {
            throw unavailable("\(error)")
        }
    }

    private func unavailable(_ sentence: String) -> ExitCode {
        StandardStreams.complain(sentence)
        return .unavailable
    }
}
