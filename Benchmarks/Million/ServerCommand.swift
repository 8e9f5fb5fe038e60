// SPDX-License-Identifier: Apache-2.0
//
// A server of the benchmark, started by the conductor's supervisor with its listening socket: it
// echoes, and sends a message to all when it is told to.

import ArgumentParser
import BenchmarkSupport
import Sluice

/// The hidden `million server`.
struct ServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server", abstract: "Serve a share of the connections.", shouldDisplay: false)

    @OptionGroup var options: WorkerOptions

    func run() throws {
        try options.work {
            // First of all, for their numbers are fixed.
            let sockets = try InheritedSockets.fromEnvironment()
            let reactor = try Reactor()
            let line = try ControlEnd(
                to: options.control, as: .server, options.number, on: reactor)
            let server = try EchoServer(on: reactor, adopting: sockets, toldBy: line)
            let end = try reactor.onSignal(.terminate) { reactor.stop() }
            try ServiceNotifier.fromEnvironment()?.notify(.ready)
            reactor.run()
            end.end()
            withExtendedLifetime(server) {}
        }
    }
}

/// Serves connections, and does what the conductor says.
final class EchoServer {
    private let server: Server
    private let line: ControlEnd
    private let room: Int
    private var tally = Tally()

    init(
        on reactor: Reactor, adopting sockets: consuming InheritedSockets, toldBy line: ControlEnd
    ) throws {
        self.line = line
        room = DescriptorLimit.current - Settings.spareDescriptors
        var options = ServerOptions()
        // The others wait in the backlog, and the conductor is told.
        options.maximumConnections = room
        let echo: (Channel, RawSpan) throws -> Void = { channel, bytes in
            try channel.write(bytes)
        }
        server = try Server(on: reactor, adopting: sockets, options: options) { channel, _ in
            channel.onBytes(echo)
        }
        guard server.isListening else { throw Fault.lost("the socket to listen on") }
        reactor.onError = { [unowned self] error, _ in self.tally.add("server: \(error)") }
        line.onOrder = { [unowned self] in self.obey($0) }
    }

    private func obey(_ order: ControlLine) {
        switch order.word {
        case .count:
            let count = server.connectionCount
            tellFailures()
            line.say(ControlLine(.counted, count, count >= room ? 1 : 0))
        case .broadcast:
            server.broadcast(Message.broadcast(order.number(0)), to: .queue) { [unowned self] in
                self.hasBroadcast($0)
            }
        default: break
        }
    }

    private func hasBroadcast(_ result: BroadcastResult) {
        if result.skipped > 0 { tally.add("broadcast: left out", result.skipped) }
        if result.ended > 0 { tally.add("broadcast: ended", result.ended) }
        tellFailures()
        line.say(ControlLine(.done, result.sent + result.queued))
    }

    private func tellFailures() {
        for failed in tally.takeLines() { line.say(failed) }
    }
}
