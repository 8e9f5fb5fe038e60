// SPDX-License-Identifier: Apache-2.0
//
// `million`: what is asked for on the command line, and what is said at the end.
// Exit status: 0 well, 64 wrong usage, 69 a run that can't fit, 70 a fault, 99 a limit missed, 130
// interrupted.

import ArgumentParser
import BenchmarkSupport
import Sluice
import SluiceReport

/// The benchmark itself.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Open, hold, use and close the connections.",
        usage: "Scripts/million.sh [<options>]")

    @Option(
        help: """
            How many connections, or max for the most that fit this machine; from 980,000 on all \
            limits are judged. (default: 985,000, or as many as fit)
            """)
    var connections: ConnectionGoal?
    @Option(help: "How many processes serve.")
    var servers = Settings().servers
    @Option(help: "How many processes connect.")
    var clients = Settings().clients
    @Option(help: "Connects, messages or closes that a client has under way at most.")
    var underWay = Settings().underWay
    @Option(help: "The length of the message to all, in bytes.")
    var broadcastSize = Settings().broadcastByteCount
    @Option(help: "How many servers send to their connections at once.")
    var broadcasters = Settings().broadcasters
    @Option(help: "Seconds without work before the idle time.")
    var rest = 2.0
    @Option(help: "Seconds in which the connections are idle.")
    var idle = 10.0
    @Option(help: "Percent of the connections that are closed and opened anew each second.")
    var churn = Settings().churnPercent
    @Option(help: "Seconds for which that goes on.")
    var churnTime = 10.0
    @Option(help: "Seconds that a phase may take.")
    var phaseLimit = 300.0
    @Option(help: "Seconds that opening may take to be well. (default: 60 at full size)")
    var openLimit: Double?
    @Option(help: "A further line about the machine, for the page; may be repeated.")
    var note: [String] = []
    @Flag(help: "Print one object instead of the page.")
    var json = false

    private static let highestCount = 10_000_000

    private var settings: Settings {
        var settings = Settings()
        if case .count(let count) = connections { settings.connections = count }
        settings.openLimit = openLimit
        settings.servers = servers
        settings.clients = clients
        settings.underWay = underWay
        settings.broadcastByteCount = broadcastSize
        settings.broadcasters = broadcasters
        settings.rest = .seconds(rest)
        settings.idleTime = .seconds(idle)
        settings.churnPercent = churn
        settings.churnTime = .seconds(churnTime)
        settings.phaseLimit = .seconds(phaseLimit)
        return settings
    }

    func validate() throws {
        let count = settings.connections
        let counts = [count, servers, clients, underWay, broadcastSize, broadcasters]
        guard counts.allSatisfy({ (1...Self.highestCount).contains($0) }), clients <= count,
            max(servers, clients) <= 1_000
        else {
            throw ValidationError(
                "counts are 1 or more, processes of a kind at most 1,000, and each client has a "
                    + "connection")
        }
        guard
            [rest, idle, churnTime, phaseLimit, openLimit ?? 0].allSatisfy({
                (0...86_400).contains($0)
            })
        else {
            throw ValidationError("times are at most a day")
        }
        guard churn >= 0, churn * churnTime <= 100 else {
            throw ValidationError("a connection is opened anew once at most")
        }
    }

    /// The run that is asked for, or as much of it as fits where nobody has asked for so many.
    ///
    /// - Throws: ``ExitCode`` 69 where it can't fit.
    private func fittedSettings() throws -> Settings {
        var settings = settings
        let shortage = settings.shortage(under: .current)
        switch connections {
        case .most:
            let fitted = settings.fitted(to: .current, atMost: Self.highestCount)
            guard let fitted else { throw Self.refusal(shortage) }
            settings = fitted
        case .count: if shortage != nil { throw Self.refusal(shortage) }
        case nil:
            if shortage == nil { break }
            let fitted = settings.fitted(to: .current, atMost: settings.connections)
            guard let fitted else { throw Self.refusal(shortage) }
            settings = fitted
            settings.leastHeld = Settings.fullSize
        }
        if let shortage = settings.shortage {
            Words.own.complain(
                "\(NumberText.grouped(settings.connections)) connections fit, bounded by "
                    + "\(shortage.resource): for one more, \(shortage.text)")
        }
        return settings
    }

    private static func refusal(_ shortage: Shortage?) -> ExitCode {
        Words.own.complain(shortage?.text ?? "not one connection for each client fits")
        return ExitCode(69)
    }

    func run() throws {
        DescriptorLimit.raise()
        let settings = try fittedSettings()
        let status = Words.own.report {
            let results = try Conductor(settings).run()
            let page = Page(results: results, notes: note)
            return (json ? results.json.description : page.text, results.limits)
        }
        throw ExitCode(status)
    }
}

/// How many connections somebody has asked for.
enum ConnectionGoal: ExpressibleByArgument {
    case count(Int)
    /// As many as fit this machine.
    case most

    init?(argument: String) {
        if argument == "max" {
            self = .most
        } else if let count = Int(argument) {
            self = .count(count)
        } else {
            return nil
        }
    }
}
