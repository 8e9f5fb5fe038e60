// SPDX-License-Identifier: Apache-2.0
//
// A client of the benchmark, started by the conductor.

import ArgumentParser
import Sluice

/// The hidden `million client`.
struct ClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client", abstract: "Open a share of the connections.", shouldDisplay: false)

    @OptionGroup var options: WorkerOptions
    @Option(help: "Where the servers are, such as 127.0.0.1:7777.")
    var target: String
    @Option(help: "An address to connect from; may be repeated.")
    var source: [String]
    @Option(help: "How much may be under way at once.")
    var underWay: Int
    @Option(help: "The length of the message to all, in bytes.")
    var broadcastSize: Int

    func run() throws {
        try options.work {
            let sources = source.compactMap { IPAddress($0) }
            guard let target = SocketAddress(target), !sources.isEmpty else {
                throw ValidationError("no address to connect to, or none to connect from")
            }
            let reactor = try Reactor()
            let line = try ControlEnd(
                to: options.control, as: .client, options.number, on: reactor)
            let client = ConnectionHolder(
                options.number, to: target, from: sources, underWay: underWay,
                broadcast: Message.broadcast(broadcastSize), toldBy: line, on: reactor)
            reactor.run()
            withExtendedLifetime(client) {}
        }
    }
}
