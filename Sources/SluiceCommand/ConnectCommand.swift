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
            """)

    @Argument(help: "The server's name or address.")
    var host: String?

    @Argument(help: "The server's port.")
    var port: UInt16?

    @Option(help: ArgumentHelp("Connect to a Unix socket.", valueName: "path"))
    var unix: String?

    @Option(help: "How long the connection may take to open.")
    var timeout = DurationArgument(.seconds(10))

    @Flag(help: "Keep the writing side open at the end of standard input.")
    var keepOpen = false

    @OptionGroup(title: "Text")
    var text: TextArguments

    func validate() throws {
        if unix == nil, host == nil || port == nil || port == 0 {
            throw ValidationError("a HOST and a PORT from 1, or --unix PATH, are needed")
        }
        if unix != nil, host != nil { throw ValidationError("HOST and --unix exclude each other") }
        if unix?.isEmpty == true { throw ValidationError("--unix is a path") }
    }

    func run() throws {
        try reportingFaults {
            let reactor = try Reactor()
            let channel = try open(on: reactor)
            let text = text.areGiven ? try text.text() : nil
            let relay = Relay(of: channel, on: reactor, keepsOpen: keepOpen, as: text)
            try relay.run()
        }
    }

    private var endpoint: Endpoint {
        if let unix { return .address(.unix(path: unix)) }
        return .host(host ?? "", port: port ?? 0)
    }

    private func open(on reactor: Reactor) throws -> Channel {
        var options = ClientOptions()
        options.timeout = timeout.duration
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

    private func unavailable(_ sentence: String) -> ExitCode {
        StandardStreams.complain(sentence)
        return .unavailable
    }
}
