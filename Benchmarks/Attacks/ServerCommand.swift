// SPDX-License-Identifier: Apache-2.0
//
// The part of the server: it serves until the conductor is gone, and tells what it has seen.

import ArgumentParser
import Sluice

/// The hidden `attacks server`.
struct ServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server", abstract: "Play the server.", shouldDisplay: false)

    @Option(help: "How many milliseconds clients may take.")
    var patience: Int

    func run() throws {
        DescriptorLimit.raise()
        let goesFirst = Priority.goFirst()
        let reactor = try Reactors.make()
        let record = ServerRecord(of: reactor)
        let server = try DefendedServer(
            on: reactor, at: .loopback, patience: .milliseconds(patience))
        let line = try ControlLine(on: reactor) { order, line in
            switch order {
            case .mark:
                record.mark()
                line.say(record.figures(reactor))
            case .tell: line.say(record.figures(reactor))
            case .measure, .stop: break
            }
        }
        var ready = Figures()
        ready["goes first"] = goesFirst ? 1 : 0
        ready["connection limit"] = DefendedServer.connectionLimit
        for (name, service) in [
            ("lines", server.lines), ("bytes", server.bytes), ("generator", server.generator),
        ] {
            ready[name] = Int(service.addresses[0].port ?? 0)
        }
        line.say(ready)
        reactor.run()
    }
}

/// What has happened on the server's reactor since the last mark.
private final class ServerRecord {
    private var accepted = 0
    private var open = 0
    private var highest = 0
    private var openAttackers = 0
    private var highestAttackers = 0
    private var handlerErrors = 0
    private var refusals: [RefusalReason: Int] = [:]
    private var ends: [String: Int] = [:]

    init(of reactor: Reactor) {
        reactor.observe { observation in self.note(observation) }
        // What an attacker provokes is counted, and never written down line by line.
        reactor.onError = { _, _ in self.handlerErrors += 1 }
    }

    private func note(_ observation: Reactor.Observation) {
        switch observation {
        case .accepted(let channel):
            accepted += 1
            open += 1
            highest = max(highest, open)
            if channel.peerAddress.ipAddress == Sources.honest { return }
            openAttackers += 1
            highestAttackers = max(highestAttackers, openAttackers)
        case .refused(_, let reason): refusals[reason, default: 0] += 1
        case .closed(let channel, let reason):
            // The conductor's line is a channel, too.
            guard let address = channel.peerAddress.ipAddress else { return }
            open -= 1
            if address != Sources.honest { openAttackers -= 1 }
            ends[Self.name(of: reason), default: 0] += 1
        default: break
        }
    }

    /// Errors with addresses in them would be as many names as there are clients.
    private static func name(of reason: EndReason) -> String {
        if case .failed = reason { return "failed" }
        return "\(reason)"
    }

    func mark() {
        accepted = 0
        highest = open
        highestAttackers = openAttackers
        handlerErrors = 0
        refusals = [:]
        ends = [:]
    }

    func figures(_ reactor: Reactor) -> Figures {
        var figures = Figures()
        figures["open"] = open
        figures["highest"] = highest
        figures["attackers at once"] = highestAttackers
        figures["accepted"] = accepted
        figures["handler errors"] = handlerErrors
        figures["buffered"] = reactor.bufferedByteCount
        for (reason, count) in refusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            figures["refused: \(reason.rawValue)"] = count
        }
        for (reason, count) in ends.sorted(by: { $0.key < $1.key }) {
            figures["ended: \(reason)"] = count
        }
        return figures
    }
}
